// Gemm and MatMul: rows of activations times a parameter.
#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<Shape> gemm_shape(const Attributes&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  const Shape& w = inputs[1].shape;
  if (inputs[0].parameter || !inputs[1].parameter) return Error{"needs an activation and a weight parameter"};
  if (x.size() < 2 || w.size() != 2)
    return Error{"the weight must have 2 dimensions and the activation 2 or more"};
  if (x.back() != w[1]) {
    return Error{"the activation has " + std::to_string(x.back()) + " columns, the weight " +
                 std::to_string(w[1])};
  }
  if (inputs.size() == 3 && (!inputs[2].parameter || inputs[2].shape != Shape{w[0]})) {
    return Error{"the bias must be a parameter with one value for each row of the weight"};
  }
  Shape shape = x;
  shape.back() = w[0];
  return shape;
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

Status check_rows(const Lowering& l, int64_t rows) {
  if (rows <= l.max_aligned_terms()) return {};
  return Error{"more than " + std::to_string(l.max_aligned_terms()) + " rows in a batch"};
}

struct Operands {
  BufferId x, dy;
};

// Of a product m x n over k, whose rows are summed over.
Operands weight_gradient_operands(Lowering& l, const Node& node, const Matrix& product) {
  const auto [m, n, k] = product;
  const BufferId dy = l.quantized_output_gradient(node, row_groups(m, n), Product::weight_gradient);
  return {l.quantized(node.inputs[0], row_groups(m, k), Product::weight_gradient), dy};
}

// x [m][k] times w [n][k], transposed.
Matrix gemm_matrix(const Lowering& l, const Node& node) {
  const Shape w = l.shape(node.inputs[1]);
  return {.m = l.count(node.inputs[0]) / w[1], .n = w[0], .k = w[1]};
}

Status gemm_forward(Lowering& l, const Node& node) {
  const auto [m, n, k] = gemm_matrix(l, node);
  CAIRN_CHECK(check_rows(l, m));
  const BufferId x = l.quantized(node.inputs[0], row_groups(m, k), Product::forward);
  const BufferId w = l.quantized(node.inputs[1], row_groups(n, k), Product::forward);
  if (node.inputs.size() == 2) {
    l.emit(Opcode::product_nt, {x, w}, {l.output(node)}, Matrix{m, n, k});
    return {};
  }
  const BufferId product = l.floats(m * n);
  l.emit(Opcode::product_nt, {x, w}, {product}, Matrix{m, n, k});
  l.emit(Opcode::add_channels, {product, l.buffer(node.inputs[2])}, {l.output(node)},
         exact::Channels{m, n, 1});
  return {};
}

void gemm_backward(Lowering& l, const Node& node) {
  const auto [m, n, k] = gemm_matrix(l, node);
  if (l.needs_gradient(node.inputs[0])) {
    const BufferId dy = l.quantized_output_gradient(node, row_groups(m, n), Product::input_gradient);
    const BufferId w = l.quantized(node.inputs[1], column_groups(n, k), Product::input_gradient);
    const BufferId dx = l.part(node.inputs[0]);
    l.emit(Opcode::product_nn, {dy, w}, {dx}, Matrix{m, k, n});
    l.contribute(node.inputs[0], dx);
  }
  const auto [x, dy] = weight_gradient_operands(l, node, {m, n, k});
  const BufferId dw = l.part(node.inputs[1]);
  l.emit(Opcode::product_tn, {dy, x}, {dw}, Matrix{n, k, m});
  l.contribute(node.inputs[1], dw);
  if (node.inputs.size() == 2) return;
  const BufferId db = l.part(node.inputs[2]);
  l.emit(Opcode::sum, {l.output_gradient(node)}, {db}, exact::Channels{m, n, 1});
  l.contribute(node.inputs[2], db);
}

// x [m][k] times w [k][n].
Matrix matmul_matrix(const Lowering& l, const Node& node) {
  const Shape w = l.shape(node.inputs[1]);
  return {.m = l.count(node.inputs[0]) / w[0], .n = w[1], .k = w[0]};
}

Status matmul_forward(Lowering& l, const Node& node) {
  const auto [m, n, k] = matmul_matrix(l, node);
  CAIRN_CHECK(check_rows(l, m));
  const BufferId x = l.quantized(node.inputs[0], row_groups(m, k), Product::forward);
  const BufferId w = l.quantized(node.inputs[1], column_groups(k, n), Product::forward);
  l.emit(Opcode::product_nn, {x, w}, {l.output(node)}, Matrix{m, n, k});
  return {};
}

void matmul_backward(Lowering& l, const Node& node) {
  const auto [m, n, k] = matmul_matrix(l, node);
  if (l.needs_gradient(node.inputs[0])) {
    const BufferId dy = l.quantized_output_gradient(node, row_groups(m, n), Product::input_gradient);
    const BufferId w = l.quantized(node.inputs[1], row_groups(k, n), Product::input_gradient);
    const BufferId dx = l.part(node.inputs[0]);
    l.emit(Opcode::product_nt, {dy, w}, {dx}, Matrix{m, k, n});
    l.contribute(node.inputs[0], dx);
  }
  const auto [x, dy] = weight_gradient_operands(l, node, {m, n, k});
  const BufferId dw = l.part(node.inputs[1]);
  l.emit(Opcode::product_tn, {x, dy}, {dw}, Matrix{k, n, m});
  l.contribute(node.inputs[1], dw);
}

}  // namespace

const OperatorRule kGemm = {.op = Operator::gemm,
                            .name = "Gemm",
                            .min_inputs = 2,
                            .max_inputs = 3,
                            .attributes = 0,
                            .shape = gemm_shape,
                            .forward = gemm_forward,
                            .backward = gemm_backward};

const OperatorRule kMatMul = {.op = Operator::matmul,
                              .name = "MatMul",
                              .min_inputs = 2,
                              .max_inputs = 2,
                              .attributes = 0,
                              .shape = matmul_shape,
                              .forward = matmul_forward,
                              .backward = matmul_backward};

}  // namespace cairn::model
