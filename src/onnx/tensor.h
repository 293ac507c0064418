// Tensors stored inside an ONNX file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/graph.h"
#include "onnx/proto.h"

namespace cairn::onnx {

struct Tensor {
  model::Shape dims;  // empty: a scalar
  bool integer = false;
  std::vector<float> floats;      // if !integer; as read, infinities may be among them
  std::vector<int64_t> integers;  // if integer; also from int32 and bool
  std::string name = {};          // of the constant that it comes from, if that has one
};

// Refuses external data, segments, other element types, dimensions that do not fit the data and NaN.
// The message names no tensor: the caller knows it.
Result<Tensor> read_tensor(const ::onnx::TensorProto& proto);
// A constant of the program may also be of binary64, which is rounded.
Result<Tensor> read_constant(const ::onnx::TensorProto& proto);

}  // namespace cairn::onnx
