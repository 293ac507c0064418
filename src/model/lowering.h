// From a graph to a program: what the operators' forward and backward rules build upon.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "model/operators.h"
#include "model/precision.h"
#include "model/program.h"

namespace cairn::model {

enum class Mode : uint8_t {
  training,   // forward with the batch's own statistics, loss, backward
  evaluation  // forward with given statistics
};

struct CompileOptions {
  int64_t batch = 1;
  ProductBits bits = {};
  bool keep_tensors = false;           // every node's output stays readable after the program has ended
  uint64_t memory_limit = UINT64_MAX;  // bytes; where there is a program that fits, it does
};

// Where outside data lie in a device's memory: the same for both modes. Offsets in bytes.
struct Layout {
  explicit Layout(const Graph& graph, int64_t batch);

  std::vector<uint64_t> parameter_offsets;   // in floats, by parameter
  std::vector<uint64_t> statistics_offsets;  // in floats, by statistics entry: means, then variances
  uint64_t parameter_count = 0;
  uint64_t statistics_count = 0;
  uint64_t input_count = 0;  // floats in a batch
  uint64_t label_count = 0;  // labels in a batch: one for each row of logits
  uint64_t target_count() const { return 2 * label_count + 2; }  // integers
  uint64_t parameters = 0;
  uint64_t gradient = 0;
  uint64_t statistics = 0;
  uint64_t input = 0;
  uint64_t targets = 0;  // int32: the labels, the other labels, then the bits of share and smoothing
  uint64_t end = 0;      // planned buffers follow
};

// Compiles a verified graph, joins what can be joined (unless tensors are kept: then each instruction stands
// alone) and checks the result with verify_program(). Errors name the node that cannot be
// computed for this batch.
Result<Program> lower(const Graph& graph, const Layout& layout, const CompileOptions& options, Mode mode);

// The state of a compilation. Forward rules run in the order of nodes, backward rules in the opposite one.
class Lowering {
 public:
  Lowering(const Graph& graph, const Layout& layout, const CompileOptions& options, Mode mode);
  Result<Program> run();

  // -- For operator rules
  Mode mode() const { return mode_; }
  Shape shape(ValueId value) const;  // with the real batch, parameters as they are
  int64_t count(ValueId value) const { return elements(shape(value)); }
  bool is_parameter(ValueId value) const { return parameter_of_[value] >= 0; }
  bool needs_gradient(ValueId value) const { return needs_gradient_[value]; }
  // How many rows or output positions the aligned sum of a weight gradient holds at its bits.
  int64_t max_aligned_terms() const {
    return int64_t{1} << std::min(24, 50 - 2 * options_.bits.weight_gradient);
  }
  Operand operand(ValueId value) const {
    const bool constant = is_constant_[value];
    return {graph_.shapes[value], is_parameter(value) || constant, constant};
  }

  BufferId buffer(ValueId value) const { return program_.values[value]; }
  void share(ValueId output, ValueId input) { program_.values[output] = program_.values[input]; }
  BufferId floats(int64_t count);
  BufferId integers(int64_t count);
  BufferId output(const Node& node);  // a new buffer for the node's output
  // The value's integers for such a product, made once for each way to group it and number of bits.
  BufferId quantized(ValueId value, const exact::Groups& groups, Product product) {
    return quantized_copy(buffer(value), groups, product);
  }
  BufferId quantized_copy(BufferId source, const exact::Groups& groups, Product product);
  void emit(Opcode op, std::vector<BufferId> reads, std::vector<BufferId> writes, Geometry geometry);
  BufferId inverse_deviation(BufferId variance, float epsilon);
  void emit_dropout(BufferId x, BufferId y, const Dropping& geometry);  // keyed by the node

  // Mean and variance of this batch normalization: made in training, given in evaluation. Called once for
  // each, by its forward rule.
  std::pair<BufferId, BufferId> statistics(const Node& node);
  // What the forward rule leaves for the backward rule of the same node.
  void save(const Node& node, std::array<BufferId, 2> buffers) { saved_[&node] = buffers; }
  std::array<BufferId, 2> saved(const Node& node) const { return saved_.at(&node); }

  // The gradient with respect to the node's output; complete when the node's backward rule runs.
  BufferId output_gradient(const Node& node) const { return *gradients_[node.outputs[0]]; }
  // The same as dithered integers, made once for all products of the node that group it alike with as many
  // bits.
  BufferId quantized_output_gradient(const Node& node, const exact::Groups& groups, Product product);
  // Adds a part of the gradient of `value`. Parts add up in the order of the calls, which is that of
  // consumers in descending node number and, within a node, of its inputs.
  void contribute(ValueId value, BufferId part);
  // Where to write a part that is about to be contributed: a parameter's only part goes straight to its
  // gradient.
  BufferId part(ValueId value);

 private:
  BufferId add_buffer(Buffer buffer);
  BufferId quantized_buffer(const exact::Groups& groups, int bits);
  BufferId fixed(ElementType type, int64_t count, uint64_t offset, bool given, Origin origin);
  void place_outside_data();
  void find_needs();
  Status forward();
  void loss();
  void backward();
  void insert_checks();

  const Graph& graph_;
  const Layout& layout_;
  const CompileOptions& options_;
  const Mode mode_;
  Program program_;
  Origin origin_;  // of buffers made now
  BufferId targets_ = 0;
  size_t next_statistics_ = 0;         // entry of the next batch normalization
  std::vector<int64_t> parameter_of_;  // by value: index in Graph::parameters or -1
  std::vector<int64_t> parts_left_;    // by value: parts not yet contributed
  std::vector<bool> needs_gradient_;   // by value
  std::vector<bool> is_constant_;      // by value: made by a Constant, so without a batch
  std::vector<BufferId> parameter_gradients_;
  std::vector<std::optional<BufferId>> gradients_;
  std::map<const Node*, std::array<BufferId, 2>> saved_;
  using Grouping = std::tuple<BufferId, int64_t, int64_t, int64_t, int64_t, int>;  // and bits
  std::map<Grouping, BufferId> quantized_gradients_;
  std::map<Grouping, BufferId> quantized_;
};

}  // namespace cairn::model
