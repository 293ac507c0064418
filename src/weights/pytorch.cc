#include "weights/pytorch.h"

#include <limits>

#include "base/stored_zip.h"

namespace cairn::weights {
namespace {

constexpr uint32_t kAlignment = 64;
constexpr std::string_view kFolder = "archive/";

// The operations of the pickle machine that are needed here.
class Pickle {
 public:
  Pickle() {
    out_.u8(0x80);  // PROTO
    out_.u8(2);
  }
  void global(std::string_view module, std::string_view name) {
    out_.u8('c');
    out_.raw(as_bytes(module));
    out_.u8('\n');
    out_.raw(as_bytes(name));
    out_.u8('\n');
  }
  void text(std::string_view value) {
    out_.u8('X');  // BINUNICODE
    out_.string(value);
  }
  void number(int64_t value) {
    CAIRN_ASSERT(value >= 0 && value <= std::numeric_limits<int32_t>::max());
    out_.u8('J');  // BININT
    out_.i32(static_cast<int32_t>(value));
  }
  void numbers(const std::vector<int64_t>& values) {
    mark();
    for (const int64_t value : values) number(value);
    tuple();
  }
  void boolean(bool value) { out_.u8(value ? 0x88 : 0x89); }  // NEWTRUE, NEWFALSE
  void mark() { out_.u8('('); }
  void tuple() { out_.u8('t'); }          // of what stands above the mark
  void call() { out_.u8('R'); }           // REDUCE: a function with a tuple
  void persistent_id() { out_.u8('Q'); }  // BINPERSID: what the reader knows by the tuple
  void set_items() { out_.u8('u'); }      // SETITEMS: names and values above the mark
  void ordered_dict() {
    global("collections", "OrderedDict");
    out_.u8(')');  // EMPTY_TUPLE
    call();
  }
  Bytes finish() {
    out_.u8('.');  // STOP
    return out_.take();
  }

 private:
  ByteWriter out_;
};

// How far apart in memory neighbours along each dimension are, in elements.
std::vector<int64_t> strides(const model::Shape& shape) {
  std::vector<int64_t> result(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) result[d - 1] = result[d] * shape[d];
  return result;
}

void write_tensor(Pickle& pickle, const Tensor& tensor, size_t index) {
  const bool real = tensor.element == Element::f32;
  pickle.global("torch._utils", "_rebuild_tensor_v2");
  pickle.mark();
  pickle.mark();
  pickle.text("storage");
  pickle.global("torch", real ? "FloatStorage" : "LongStorage");
  pickle.text(std::to_string(index));
  pickle.text("cpu");
  pickle.number(static_cast<int64_t>(tensor.bytes.size() / element_size(tensor.element)));
  pickle.tuple();
  pickle.persistent_id();
  pickle.number(0);  // where the tensor begins in the storage
  pickle.numbers(tensor.shape);
  pickle.numbers(strides(tensor.shape));
  pickle.boolean(false);  // requires_grad
  pickle.ordered_dict();  // backward hooks
  pickle.tuple();
  pickle.call();
}

Bytes pickle_of(const std::vector<Tensor>& tensors) {
  Pickle pickle;
  pickle.ordered_dict();
  pickle.mark();
  for (size_t i = 0; i < tensors.size(); ++i) {
    pickle.text(tensors[i].name);
    write_tensor(pickle, tensors[i], i);
  }
  pickle.set_items();
  return pickle.finish();
}

}  // namespace

Result<Bytes> encode_pytorch(const std::vector<Tensor>& tensors) {
  StoredZip zip;
  const auto add = [&zip](const std::string& name, BytesView bytes) {
    zip.add(std::string(kFolder).append(name), {bytes}, kAlignment);
  };
  add("data.pkl", pickle_of(tensors));
  add("byteorder", as_bytes("little"));
  for (size_t i = 0; i < tensors.size(); ++i) add("data/" + std::to_string(i), tensors[i].bytes);
  add("version", as_bytes("3\n"));
  return zip.finish();
}

}  // namespace cairn::weights
