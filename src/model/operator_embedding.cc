// Embedding: rows of a table, chosen by whole numbers.
#include "model/lowering.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

constexpr int64_t kMaxRows = 1 << 24;  // whole numbers below are exact in binary32

Result<Shape> embedding_shape(const Attributes&, std::span<const Operand> inputs) {
  const Shape& table = inputs[1].shape;
  if (inputs[0].parameter || !inputs[1].parameter) return Error{"needs an activation and a table parameter"};
  if (table.size() != 2) return Error{"the table must have 2 dimensions, rows and their width"};
  if (table[0] > kMaxRows) return Error{"the table has more than 2^24 rows"};
  Shape shape = inputs[0].shape;
  shape.push_back(table[1]);
  return shape;
}

Lookup lookup(const Lowering& l, const Node& node) {
  const Shape table = l.shape(node.inputs[1]);
  return {l.count(node.inputs[0]), table[0], table[1]};
}

Status embedding_forward(Lowering& l, const Node& node) {
  if (l.needs_gradient(node.inputs[0]))
    return Error{"the numbers that choose rows depend on a parameter; a choice has no gradient"};
  l.emit(Opcode::embed, {l.buffer(node.inputs[0]), l.buffer(node.inputs[1])}, {l.output(node)},
         lookup(l, node));
  return {};
}

void embedding_backward(Lowering& l, const Node& node) {
  const BufferId part = l.part(node.inputs[1]);
  l.emit(Opcode::embedding_gradient, {l.buffer(node.inputs[0]), l.output_gradient(node)}, {part},
         lookup(l, node));
  l.contribute(node.inputs[1], part);
}

}  // namespace

const OperatorRule kEmbedding = {.op = Operator::embedding,
                                 .name = "Embedding",
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .attributes = 0,
                                 .shape = embedding_shape,
                                 .forward = embedding_forward,
                                 .backward = embedding_backward};

}  // namespace cairn::model
