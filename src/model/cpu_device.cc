#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "base/philox.h"
#include "exact/arithmetic.h"
#include "model/cpu_chain.h"
#include "model/cpu_copies.h"
#include "model/device.h"

namespace cairn::model {
namespace {

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

class CpuDevice : public Device, private CpuChain::Memory {
 public:
  explicit CpuDevice(exact::Backend& backend) : backend_(backend) { lent_.reserve(2); }

  Status reserve(uint64_t bytes) override {
    memory_.reset();
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, align(bytes))));
    if (!memory_) return Error{"not enough memory: the model needs " + std::to_string(bytes) + " bytes"};
    return {};
  }

  void upload(uint64_t offset, std::span<const std::byte> from) override {
    if (!from.empty()) std::memcpy(memory_.get() + offset, from.data(), from.size());
  }

  void download(uint64_t offset, std::span<std::byte> to) const override {
    if (!to.empty()) std::memcpy(to.data(), memory_.get() + offset, to.size());
  }

  void lend(uint64_t offset, std::span<std::byte> memory) override { lent_.push_back({offset, memory}); }
  void take_back(uint64_t offset) override {
    std::erase_if(lent_, [offset](const Lent& lent) { return lent.offset == offset; });
  }

  std::optional<BufferId> run(const Program& program, const Instruction& instruction,
                              const DitherKey& key) override {
    program_ = &program;
    instruction_ = &instruction;
    if (instruction.op == Opcode::chain) return chain(key);
    if (execute(key)) return std::nullopt;
    return is_product(instruction.op) ? instruction.writes[0] : instruction.reads[0];
  }

 private:
  // False where a value has diverged: of the result of a product, else of the first operand.
  bool execute(const DitherKey& key) {
    switch (instruction_->op) {
      case Opcode::quantize:
      case Opcode::quantize_dithered:
        return quantize(key);
      case Opcode::product_nt:
      case Opcode::product_nn:
      case Opcode::product_tn:
        return product();
      case Opcode::convolve:
      case Opcode::convolve_input_gradient:
      case Opcode::convolve_weight_gradient:
        return convolve();
      case Opcode::depthwise_convolve:
      case Opcode::depthwise_input_gradient:
        return convolve_depthwise();
      case Opcode::activate:
      case Opcode::activation_gradient:
        return map();
      case Opcode::max_pool:
      case Opcode::max_pool_gradient:
      case Opcode::average_pool:
      case Opcode::average_pool_gradient:
        return pool();
      case Opcode::sum:
      case Opcode::sum_products:
      case Opcode::moments:
      case Opcode::normalize:
      case Opcode::normalize_gradient:
      case Opcode::add_channels:
      case Opcode::multiply_channels:
        return over_channels();
      case Opcode::softmax:
      case Opcode::softmax_cross_entropy:
        return softmax();
      case Opcode::batch_product_nt:
      case Opcode::batch_product_nn:
        return batch_product();
      case Opcode::concatenate:
      case Opcode::cut:
      case Opcode::surround:
      case Opcode::permute:
      case Opcode::repeat:
      case Opcode::constant:
        return copy();
      case Opcode::embed:
      case Opcode::embedding_gradient:
        return look_up();
      case Opcode::dropout:
        return drop(key);
      default:
        return element_wise();
    }
  }

  template <typename T>
  T* at(BufferId id) const {
    const uint64_t offset = program_->buffers[id].offset;
    for (const Lent& lent : lent_) {
      if (offset - lent.offset < lent.memory.size())
        return reinterpret_cast<T*>(lent.memory.data() + (offset - lent.offset));
    }
    return reinterpret_cast<T*>(memory_.get() + offset);
  }
  float* in(size_t i) const { return at<float>(instruction_->reads[i]); }
  float* out(size_t i) const { return at<float>(instruction_->writes[i]); }
  template <typename T>
  const T& geometry() const {
    return std::get<T>(instruction_->geometry);
  }

  float* floats(BufferId id) const override { return at<float>(id); }
  exact::Quantized integers(BufferId id) const override {
    std::byte* begin = at<std::byte>(id);
    return {reinterpret_cast<int16_t*>(begin),
            reinterpret_cast<int32_t*>(begin + exponents_offset(program_->buffers[id])),
            program_->buffers[id].bits};
  }

  static bool is_product(Opcode op) {
    switch (op) {
      case Opcode::product_nt:
      case Opcode::product_nn:
      case Opcode::product_tn:
      case Opcode::convolve:
      case Opcode::convolve_input_gradient:
      case Opcode::convolve_weight_gradient:
      case Opcode::batch_product_nt:
      case Opcode::batch_product_nn:
        return true;
      default:
        return false;
    }
  }

  int largest_exponent(BufferId id) const {
    const int32_t* exponents = integers(id).exponents;
    const int64_t count = program_->buffers[id].groups.count();
    return std::max(exact::kMinExponent, *std::max_element(exponents, exponents + count));
  }

  // A sum is below 2^63 and is rounded to at most that: with exponents that add up to 64 at most the result
  // is below 2^127 or is it, which binary32 holds. Only beyond that must the result be looked at.
  bool finite_product() {
    const int exponents = largest_exponent(instruction_->reads[0]) + largest_exponent(instruction_->reads[1]);
    const BufferId result = instruction_->writes[0];
    return 63 + exponents <= 127 || backend_.finite(out(0), program_->buffers[result].elements);
  }

  bool quantize(const DitherKey& key) {
    const auto& groups = geometry<exact::Groups>();
    const exact::Quantized q = integers(instruction_->writes[0]);
    if (instruction_->op == Opcode::quantize) return backend_.quantize(in(0), groups, instruction_->bits, q);
    const uint32_t word = dither_key(key, instruction_->tensor);
    return backend_.quantize_dithered(in(0), groups, instruction_->bits, word, q);
  }

  bool product() {
    const auto [m, n, k] = geometry<Matrix>();
    const exact::Quantized a = integers(instruction_->reads[0]);
    const exact::Quantized b = integers(instruction_->reads[1]);
    if (instruction_->op == Opcode::product_nt) backend_.product_nt(m, n, k, a, b, out(0));
    if (instruction_->op == Opcode::product_nn) backend_.product_nn(m, n, k, a, b, out(0));
    if (instruction_->op == Opcode::product_tn) backend_.product_tn(m, n, k, a, b, out(0));
    return finite_product();
  }

  bool convolve() {
    const auto& c = geometry<exact::Convolution>();
    const exact::Quantized a = integers(instruction_->reads[0]);
    const exact::Quantized b = integers(instruction_->reads[1]);
    if (instruction_->op == Opcode::convolve) backend_.convolve(c, a, b, out(0));
    if (instruction_->op == Opcode::convolve_input_gradient)
      backend_.convolve_input_gradient(c, a, b, out(0));
    if (instruction_->op == Opcode::convolve_weight_gradient)
      backend_.convolve_weight_gradient(c, a, b, out(0));
    return finite_product();
  }

  bool convolve_depthwise() {
    const auto& c = geometry<exact::Convolution>();
    if (instruction_->op == Opcode::depthwise_convolve) backend_.depthwise_convolve(c, in(0), in(1), out(0));
    if (instruction_->op == Opcode::depthwise_input_gradient)
      backend_.depthwise_input_gradient(c, in(0), in(1), out(0));
    return true;
  }

  bool map() {
    const auto& g = geometry<Mapping>();
    if (instruction_->op == Opcode::activate) {
      backend_.activate(g.function, g.a, g.b, in(0), g.count, out(0));
    } else {
      backend_.activation_gradient(g.function, g.a, g.b, in(0), in(1), g.count, out(0));
    }
    return true;
  }

  bool pool() {
    const auto& p = geometry<exact::Pooling>();
    switch (instruction_->op) {
      case Opcode::max_pool:
        backend_.max_pool(p, in(0), out(0), at<int32_t>(instruction_->writes[1]));
        return true;
      case Opcode::max_pool_gradient:
        backend_.max_pool_gradient(p, in(0), at<int32_t>(instruction_->reads[1]), out(0));
        return true;
      case Opcode::average_pool:
        return backend_.average_pool(p, in(0), out(0));
      default:
        backend_.average_pool_gradient(p, in(0), out(0));
        return true;
    }
  }

  bool over_channels() {
    const auto& c = geometry<exact::Channels>();
    switch (instruction_->op) {
      case Opcode::sum:
        return backend_.sum(in(0), c, out(0));
      case Opcode::sum_products:
        return backend_.sum_products(in(0), in(1), c, out(0));
      case Opcode::moments:
        return backend_.moments(in(0), c, out(0), out(1));
      case Opcode::normalize:
        backend_.normalize(in(0), c, in(1), in(2), in(3), in(4), out(0));
        return true;
      case Opcode::normalize_gradient:
        return backend_.normalize_gradient(in(0), in(1), c, in(2), in(3), in(4), out(0), out(1), out(2));
      case Opcode::add_channels:
        backend_.add_channels(in(0), in(1), c, out(0));
        return true;
      default:
        backend_.multiply_channels(in(0), in(1), c, out(0));
        return true;
    }
  }

  bool element_wise() {
    const int64_t n = geometry<Elements>().count;
    switch (instruction_->op) {
      case Opcode::add:
        backend_.add(in(0), in(1), n, out(0));
        return true;
      case Opcode::multiply:
        backend_.multiply(in(0), in(1), n, out(0));
        return true;
      case Opcode::relu:
        backend_.relu(in(0), n, out(0));
        return true;
      case Opcode::relu_gradient:
        backend_.relu_gradient(in(0), in(1), n, out(0));
        return true;
      case Opcode::inverse_deviation:
        backend_.inverse_deviation(in(0), instruction_->epsilon, n, out(0));
        return true;
      default:
        return backend_.finite(in(0), n);
    }
  }

  bool batch_product() {
    const auto& [batch, each] = geometry<Batched>();
    const auto [m, n, k] = each;
    const exact::Quantized a = integers(instruction_->reads[0]);
    const exact::Quantized b = integers(instruction_->reads[1]);
    for (int64_t i = 0; i < batch; ++i) {
      const exact::Quantized one{a.values + i * m * k, a.exponents + i * m};
      const exact::Quantized other{b.values + i * k * n, b.exponents + i * n};
      float* c = out(0) + i * m * n;
      if (instruction_->op == Opcode::batch_product_nt) backend_.product_nt(m, n, k, one, other, c);
      if (instruction_->op == Opcode::batch_product_nn) backend_.product_nn(m, n, k, one, other, c);
    }
    return finite_product();
  }

  bool copy() {
    switch (instruction_->op) {
      case Opcode::concatenate: {
        std::array<const float*, 8> parts{};
        for (size_t i = 0; i < instruction_->reads.size(); ++i) parts[i] = in(i);
        concatenate(geometry<Blocks>(), std::span(parts).first(instruction_->reads.size()), out(0));
        return true;
      }
      case Opcode::cut:
        cut(geometry<Range>(), in(0), out(0));
        return true;
      case Opcode::surround:
        surround(geometry<Range>(), in(0), out(0));
        return true;
      case Opcode::repeat:
        repeat(geometry<Repetition>(), in(0), out(0));
        return true;
      case Opcode::constant:
        std::ranges::copy(*geometry<Numbers>().values, out(0));
        return true;
      default:
        permute(geometry<Permutation>(), in(0), out(0));
        return true;
    }
  }

  bool look_up() {
    const auto& g = geometry<Lookup>();
    if (instruction_->op == Opcode::embed) return embed(g, in(0), in(1), out(0));
    backend_.embedding_gradient(in(0), in(1), g.count, g.rows, g.width, out(0));
    return true;
  }

  // ratio * 2^32 is exact; a ratio below 1 keeps it below 2^32.
  bool drop(const DitherKey& key) {
    const auto& g = geometry<Dropping>();
    const auto threshold = static_cast<uint32_t>(double{g.ratio} * 0x1p+32);
    backend_.dropout(in(0), g.count, dropout_key(key, instruction_->tensor), threshold,
                     1.0f / (1.0f - g.ratio), out(0));
    return true;
  }

  bool softmax() {
    const auto& g = geometry<Matrix>();
    if (instruction_->op == Opcode::softmax) return backend_.softmax(in(0), g.m, g.n, out(0));
    const int32_t* targets = at<int32_t>(instruction_->reads[1]);
    const int32_t* rest = targets + 2 * g.m;
    return backend_.softmax_cross_entropy(
        in(0), {targets, targets + g.m, std::bit_cast<float>(rest[0]), std::bit_cast<float>(rest[1])}, g.m,
        g.n, out(0), out(1));
  }

  std::optional<BufferId> chain(const DitherKey& key) {
    const auto diverged = backend_.run_chain(chain_.make(*instruction_, *this, key));
    if (!diverged) return std::nullopt;
    return chain_.blamed(*diverged);
  }

  exact::Backend& backend_;
  std::unique_ptr<std::byte, Free> memory_;
  struct Lent {
    uint64_t offset;
    std::span<std::byte> memory;
  };
  std::vector<Lent> lent_;
  const Program* program_ = nullptr;
  const Instruction* instruction_ = nullptr;
  CpuChain chain_;
};

}  // namespace

namespace {

uint32_t tensor_key(const DitherKey& key, RandomStream stream, uint32_t tensor) {
  const auto words = RandomSequence(key.seed, stream, key.round, key.unit).at(key.step);
  return RandomSequence(words[0] | uint64_t{words[1]} << 32, stream).at(tensor)[0];
}

}  // namespace

uint32_t dither_key(const DitherKey& key, uint32_t tensor) {
  return tensor_key(key, RandomStream::dither, tensor);
}

uint32_t dropout_key(const DitherKey& key, uint32_t node) {
  return tensor_key(key, RandomStream::dropout, node);
}

std::unique_ptr<Device> make_cpu_device(exact::Backend& backend) {
  return std::make_unique<CpuDevice>(backend);
}

}  // namespace cairn::model
