// Gemm and MatMul: rows of activations times a parameter.
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<Shape> gemm_shape(const Attributes&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  const Shape& w = inputs[1].shape;
  if (inputs[0].parameter || !inputs[1].parameter) return Error{"needs an activation and a weight parameter"};
  if (x.size() != 2 || w.size() != 2) return Error{"activation and weight must have 2 dimensions"};
  if (x[1] != w[1]) {
    return Error{"the activation has " + std::to_string(x[1]) + " columns, the weight " +
                 std::to_string(w[1])};
  }
  if (inputs.size() == 3 && (!inputs[2].parameter || inputs[2].shape != Shape{w[0]})) {
    return Error{"the bias must be a parameter with one value for each row of the weight"};
  }
  return Shape{1, w[0]};
}

Result<Shape> matmul_shape(const Attributes&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  const Shape& w = inputs[1].shape;
  if (inputs[0].parameter || !inputs[1].parameter) {
    return Error{"only activation times parameter is supported"};
  }
  if (x.size() < 2 || w.size() != 2)
    return Error{"the weight must have 2 dimensions and the activation 2 or more"};
  if (x.back() != w[0]) {
    return Error{"the activation has " + std::to_string(x.back()) + " columns, the weight " +
                 std::to_string(w[0]) + " rows"};
  }
  Shape shape = x;
  shape.back() = w[1];
  return shape;
}

}  // namespace

const OperatorRule kGemm = {.op = Operator::gemm,
                            .name = "Gemm",
                            .min_inputs = 2,
                            .max_inputs = 3,
                            .attributes = 0,
                            .shape = gemm_shape};

const OperatorRule kMatMul = {.op = Operator::matmul,
                              .name = "MatMul",
                              .min_inputs = 2,
                              .max_inputs = 2,
                              .attributes = 0,
                              .shape = matmul_shape};

}  // namespace cairn::model
