// The operator table: for each operator its attributes, its inputs, its shape rule, and how its forward and
// backward computations are lowered to instructions, side by side in one operator_*.cc file.
#pragma once

#include <span>
#include <string_view>

#include "model/graph.h"

namespace cairn::model {

class Lowering;

// Which fields of Attributes an operator has; the others stay at their defaults.
enum AttributeSet : uint32_t {
  kHasKernel = 1,
  kHasStrides = 2,
  kHasPads = 4,
  kHasDilations = 8,
  kHasShape = 16,
  kHasGroups = 32,
  kHasAxis = 64,
  kHasCountPadding = 128,
  kHasCeilMode = 256,
  kHasEpsilon = 512,
  kHasAlpha = 1024,
  kHasBeta = 2048,
  kHasRange = 4096,  // start and length
  kHasPermutation = 8192,
  kHasValues = 16384,
};

// An input of a node as shape rules see it. Parameters and constants have no batch dimension.
struct Operand {
  Shape shape;
  bool parameter = false;  // or constant
  bool constant = false;
};

struct OperatorRule {
  Operator op;
  std::string_view name;  // as ONNX spells it
  size_t min_inputs;
  size_t max_inputs;
  uint32_t attributes;  // AttributeSet
  // The output's shape for a batch of one. The caller has checked arity, attribute lengths and the inputs'
  // limits.
  Result<Shape> (*shape)(const Attributes& attributes, std::span<const Operand> inputs);
  // Emits the instructions that make the output. Refuses what cannot be computed for this batch.
  Status (*forward)(Lowering& lowering, const Node& node);
  // Emits the instructions that make the gradients of the inputs that need one, and contributes them.
  void (*backward)(Lowering& lowering, const Node& node);
};

// Null where no operator has this number.
const OperatorRule* find_rule(Operator op);
std::span<const OperatorRule* const> all_rules();

// The shape of the node's output. Errors name the node. Importers call it to fill Graph::shapes.
Result<Shape> infer_shape(const Node& node, std::span<const Operand> inputs);

// How the smaller operand of Add and Mul spreads over the larger one: the larger one is
// [samples][channels][inner] and element c of the smaller meets every (sample, c, inner).
struct Broadcast {
  bool same = false;   // equal shapes: nothing spreads
  bool first = false;  // the first operand is the smaller one
  size_t begin = 0;    // the smaller one has the dimensions [begin, end) of the larger
  size_t end = 0;
};
Result<Broadcast> broadcast(std::span<const Operand> inputs);

// One rule for each operator, defined in operator_*.cc.
extern const OperatorRule kConv, kGemm, kMatMul, kAdd, kMultiply, kBatchNormalization, kRelu, kMaxPool,
    kAveragePool, kGlobalAveragePool, kFlatten, kReshape, kSoftmax, kDepthwiseConv, kConcat, kSlice, kPad,
    kTranspose, kRowNormalization, kBatchMatMul, kExpand, kEmbedding, kMaximum, kMinimum, kConstant, kDropout;
// Sigmoid to MultiplyConstant, in the order of their numbers.
std::span<const OperatorRule> activation_rules();

}  // namespace cairn::model
