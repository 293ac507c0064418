#include "onnx/tensor.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace cairn::onnx {
namespace {

using Proto = ::onnx::TensorProto;

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

// The values of one tensor lie either in raw_data or in the repeated field of their type.
template <typename Stored, typename Field, typename Value>
Status copy_values(const Proto& proto, const Field& field, uint64_t count, std::vector<Value>& values) {
  if (proto.has_raw_data()) {
    const std::string& raw = proto.raw_data();
    if (raw.size() != count * sizeof(Stored)) {
      return Error{"holds " + std::to_string(raw.size()) + " bytes where its dimensions ask for " +
                   std::to_string(count * sizeof(Stored))};
    }
    values.resize(count);
    for (size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, raw.data() + i * sizeof(Stored), sizeof(Stored));
      values[i] = static_cast<Value>(value);
    }
    return {};
  }
  if (static_cast<uint64_t>(field.size()) != count) {
    return Error{"holds " + std::to_string(field.size()) + " values where its dimensions ask for " +
                 std::to_string(count)};
  }
  values.assign(field.begin(), field.end());
  return {};
}

Result<uint64_t> read_dims(const Proto& proto, model::Shape& dims) {
  if (proto.dims_size() > static_cast<int>(model::kMaxRank)) {
    return Error{"has " + std::to_string(proto.dims_size()) + " dimensions, more than the limit of " +
                 std::to_string(model::kMaxRank)};
  }
  int64_t count = 1;
  for (const int64_t dim : proto.dims()) {
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count) || count > model::kMaxElements) {
      return Error{"has dimensions that are negative or too large"};
    }
    dims.push_back(dim);
  }
  return static_cast<uint64_t>(count);
}

Status read_values(const Proto& proto, uint64_t count, Tensor& tensor) {
  tensor.integer = proto.data_type() != Proto::FLOAT;
  switch (proto.data_type()) {
    case Proto::FLOAT: {
      CAIRN_CHECK(copy_values<float>(proto, proto.float_data(), count, tensor.floats));
      for (const float value : tensor.floats) {
        if (std::isnan(value)) return Error{"holds a value that is no number (NaN)"};
      }
      return {};
    }
    case Proto::INT64:
      return copy_values<int64_t>(proto, proto.int64_data(), count, tensor.integers);
    case Proto::INT32:
      return copy_values<int32_t>(proto, proto.int32_data(), count, tensor.integers);
    case Proto::BOOL:
      return copy_values<uint8_t>(proto, proto.int32_data(), count, tensor.integers);
    default:
      return Error{"has element type " + std::to_string(proto.data_type()) +
                   "; export the model with 32-bit floating-point weights"};
  }
}

Result<Tensor> read_doubles(const Proto& proto) {
  Tensor tensor;
  CAIRN_TRY(const uint64_t count, read_dims(proto, tensor.dims));
  CAIRN_CHECK(copy_values<double>(proto, proto.double_data(), count, tensor.floats));
  for (const float value : tensor.floats) {
    if (std::isnan(value)) return Error{"holds a value that is no number (NaN)"};
  }
  return tensor;
}

}  // namespace

Result<Tensor> read_constant(const Proto& proto) {
  const bool outside = proto.data_location() == Proto::EXTERNAL || proto.external_data_size() > 0;
  if (proto.data_type() != Proto::DOUBLE || outside || proto.has_segment()) return read_tensor(proto);
  return read_doubles(proto);
}

Result<Tensor> read_tensor(const Proto& proto) {
  if (proto.data_location() == Proto::EXTERNAL || proto.external_data_size() > 0) {
    return Error{"keeps its data in another file; save the model as one file"};
  }
  if (proto.has_segment()) return Error{"is stored in segments, which is not supported"};
  Tensor tensor;
  CAIRN_TRY(const uint64_t count, read_dims(proto, tensor.dims));
  CAIRN_CHECK(read_values(proto, count, tensor));
  return tensor;
}

}  // namespace cairn::onnx
