// Softmax, RowNormalization and BatchMatMul: what transformers are made of, besides layers with weights.
#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

Result<Shape> softmax_shape(const Attributes& a, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  if (a.axis + 1 != static_cast<int64_t>(x.size())) return Error{"axis: must be the last dimension"};
  return x;
}

Matrix softmax_matrix(const Lowering& l, const Node& node) {
  const int64_t columns = l.shape(node.inputs[0]).back();
  return {l.count(node.inputs[0]) / columns, columns, 0};
}

Status softmax_forward(Lowering& l, const Node& node) {
  l.emit(Opcode::softmax, {l.buffer(node.inputs[0])}, {l.output(node)}, softmax_matrix(l, node));
  return {};
}

// A function of one variable, of one value for each row.
BufferId map_rows(Lowering& l, BufferId x, int64_t rows, exact::Activation function, float constant = 0) {
  const BufferId y = l.floats(rows);
  l.emit(Opcode::activate, {x}, {y}, Mapping{function, constant, 0, rows});
  return y;
}

// dx = p * (dy - s) with s = sum of dy * p over the row.
void softmax_backward(Lowering& l, const Node& node) {
  const Matrix m = softmax_matrix(l, node);
  const exact::Channels rows{1, m.m, m.n};
  const BufferId p = l.buffer(node.outputs[0]), dy = l.output_gradient(node);
  const BufferId sum = l.floats(m.m), difference = l.floats(m.m * m.n), dx = l.part(node.inputs[0]);
  l.emit(Opcode::sum_products, {dy, p}, {sum}, rows);
  const BufferId negated = map_rows(l, sum, m.m, exact::Activation::negate);
  l.emit(Opcode::add_channels, {dy, negated}, {difference}, rows);
  l.emit(Opcode::multiply, {p, difference}, {dx}, Elements{m.m * m.n});
  l.contribute(node.inputs[0], dx);
}

Result<Shape> row_normalization_shape(const Attributes& a, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  if (a.axis >= static_cast<int64_t>(x.size())) {
    return Error{"axis: must be below " + std::to_string(x.size()) + ", the number of dimensions"};
  }
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(a.axis); d < x.size(); ++d) inner *= x[d];
  if (inner < 2) return Error{"axis: a row must have two values or more"};
  return x;
}

exact::Channels normalized_rows(const Lowering& l, const Node& node) {
  const Shape x = l.shape(node.inputs[0]);
  exact::Channels rows{1, 1, 1};
  for (size_t d = 0; d < x.size(); ++d)
    (d < static_cast<size_t>(node.attributes.axis) ? rows.channels : rows.inner) *= x[d];
  return rows;
}

// y = (x - mean) * (1 / sqrt(variance + epsilon)), row by row.
Status row_normalization_forward(Lowering& l, const Node& node) {
  using enum exact::Activation;
  const exact::Channels rows = normalized_rows(l, node);
  const int64_t n = rows.channels;
  const BufferId x = l.buffer(node.inputs[0]);
  const BufferId mean = l.floats(n), variance = l.floats(n);
  l.emit(Opcode::moments, {x}, {mean, variance}, rows);
  const BufferId raised = map_rows(l, variance, n, add_constant, node.attributes.epsilon);
  const BufferId inverse = map_rows(l, map_rows(l, raised, n, square_root), n, reciprocal);
  const BufferId centered = l.floats(l.count(node.inputs[0]));
  l.emit(Opcode::add_channels, {x, map_rows(l, mean, n, negate)}, {centered}, rows);
  l.emit(Opcode::multiply_channels, {centered, inverse}, {l.output(node)}, rows);
  l.save(node, {inverse, inverse});
  return {};
}

// dx = ((dy - sum(dy) / n) - y * (sum(dy * y) / n)) * inverse
void row_normalization_backward(Lowering& l, const Node& node) {
  const exact::Channels rows = normalized_rows(l, node);
  const int64_t n = rows.channels, count = l.count(node.inputs[0]);
  const float share = -1.0f / static_cast<float>(rows.inner);
  const BufferId y = l.buffer(node.outputs[0]), dy = l.output_gradient(node);
  const auto mean_of = [&](Opcode op, std::vector<BufferId> reads) {
    const BufferId sum = l.floats(n);
    l.emit(op, std::move(reads), {sum}, rows);
    return map_rows(l, sum, n, exact::Activation::multiply_constant, share);
  };
  const BufferId less_mean = l.floats(count), slope = l.floats(count), difference = l.floats(count);
  const BufferId dx = l.part(node.inputs[0]);
  const BufferId mean = mean_of(Opcode::sum, {dy}), mean_slope = mean_of(Opcode::sum_products, {dy, y});
  l.emit(Opcode::add_channels, {dy, mean}, {less_mean}, rows);
  l.emit(Opcode::multiply_channels, {y, mean_slope}, {slope}, rows);
  l.emit(Opcode::add, {less_mean, slope}, {difference}, Elements{count});
  l.emit(Opcode::multiply_channels, {difference, l.saved(node)[0]}, {dx}, rows);
  l.contribute(node.inputs[0], dx);
}

Result<Shape> batch_matmul_shape(const Attributes&, std::span<const Operand> inputs) {
  const Shape& a = inputs[0].shape;
  const Shape& b = inputs[1].shape;
  if (inputs[0].parameter || inputs[1].parameter) return Error{"needs two activations"};
  if (a.size() < 3 || a.size() != b.size()) {
    return Error{"both activations must have the same number of dimensions, 3 or more"};
  }
  const size_t rank = a.size();
  if (!std::equal(a.begin(), a.end() - 2, b.begin())) {
    return Error{"all dimensions but the last two must be equal"};
  }
  if (a[rank - 1] != b[rank - 2]) {
    return Error{"the first activation has " + std::to_string(a[rank - 1]) + " columns, the second " +
                 std::to_string(b[rank - 2]) + " rows"};
  }
  Shape shape = a;
  shape.back() = b.back();
  return shape;
}

// a [batch][m][k] times b [batch][k][n].
Batched batched(const Lowering& l, const Node& node) {
  const Shape a = l.shape(node.inputs[0]);
  const int64_t m = a[a.size() - 2], k = a.back();
  return {l.count(node.inputs[0]) / (m * k), {m, l.shape(node.inputs[1]).back(), k}};
}

Status batch_matmul_forward(Lowering& l, const Node& node) {
  const auto [batch, each] = batched(l, node);
  const BufferId a = l.quantized(node.inputs[0], row_groups(batch * each.m, each.k), Product::forward);
  const BufferId b = l.quantized(node.inputs[1], {batch, each.k, each.n, 1}, Product::forward);
  l.emit(Opcode::batch_product_nn, {a, b}, {l.output(node)}, Batched{batch, each});
  return {};
}

// da = dy b^T and db = a^T dy. The groups lie along what is not summed over, so each product quantizes anew.
void batch_matmul_backward(Lowering& l, const Node& node) {
  const auto [batch, each] = batched(l, node);
  const auto [m, n, k] = each;
  if (l.needs_gradient(node.inputs[0])) {
    const BufferId dy = l.quantized_output_gradient(node, row_groups(batch * m, n), Product::input_gradient);
    const BufferId b = l.quantized(node.inputs[1], row_groups(batch * k, n), Product::input_gradient);
    const BufferId da = l.part(node.inputs[0]);
    l.emit(Opcode::batch_product_nt, {dy, b}, {da}, Batched{batch, {m, k, n}});
    l.contribute(node.inputs[0], da);
  }
  if (l.needs_gradient(node.inputs[1])) {
    const BufferId transposed = l.floats(batch * m * k);
    l.emit(Opcode::permute, {l.buffer(node.inputs[0])}, {transposed}, Permutation{{batch, m, k}, {0, 2, 1}});
    const BufferId a = l.quantized_copy(transposed, row_groups(batch * k, m), Product::input_gradient);
    const BufferId dy = l.quantized_output_gradient(node, {batch, m, n, 1}, Product::input_gradient);
    const BufferId db = l.part(node.inputs[1]);
    l.emit(Opcode::batch_product_nn, {a, dy}, {db}, Batched{batch, {k, n, m}});
    l.contribute(node.inputs[1], db);
  }
}

}  // namespace

const OperatorRule kSoftmax = {.op = Operator::softmax,
                               .name = "Softmax",
                               .min_inputs = 1,
                               .max_inputs = 1,
                               .attributes = kHasAxis,
                               .shape = softmax_shape,
                               .forward = softmax_forward,
                               .backward = softmax_backward};

const OperatorRule kRowNormalization = {.op = Operator::row_normalization,
                                        .name = "RowNormalization",
                                        .min_inputs = 1,
                                        .max_inputs = 1,
                                        .attributes = kHasAxis | kHasEpsilon,
                                        .shape = row_normalization_shape,
                                        .forward = row_normalization_forward,
                                        .backward = row_normalization_backward};

const OperatorRule kBatchMatMul = {.op = Operator::batch_matmul,
                                   .name = "BatchMatMul",
                                   .min_inputs = 2,
                                   .max_inputs = 2,
                                   .attributes = 0,
                                   .shape = batch_matmul_shape,
                                   .forward = batch_matmul_forward,
                                   .backward = batch_matmul_backward};

}  // namespace cairn::model
