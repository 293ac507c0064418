// A model made ready to compute for one batch size: its gradient, its logits, its tensors by name.
//
// Every result is a pure function of the arguments: the same bits on every backend and thread count. One
// thread at a time; the backend outlives the network. Nothing is allocated inside of gradient().
//
// Vectors: `parameters` and `gradient` hold parameter_count() floats in the order of parameters(); `input`
// holds batch * elements-of-the-input floats, samples one after another (of a model that begins with an
// embedding whole numbers below token_limit()); `labels` holds label_count() numbers in [0, classes), one for
// each row of logits: of each sample one, or one for each position. Statistics hold statistics_count()
// floats: for each entry of Graph::statistics (batch normalizations in the order of nodes) first the means of
// its channels, then their variances (divided by n, not by n - 1).
#pragma once

#include <functional>

#include "model/device.h"
#include "model/lowering.h"
#include "model/memory_need.h"
#include "model/profile.h"
#include "model/traffic.h"

namespace cairn::model {

struct NetworkOptions {
  int64_t batch = 1;          // at most 2^20
  ProductBits bits = {};      // of quantized operands
  bool keep_tensors = false;  // what visit() needs; costs memory, changes no bit
  // Bytes. Where they are short, tensors are computed a second time; a model that needs more is refused.
  uint64_t memory_limit = uint64_t{8} << 30;
  Profile* profile = nullptr;  // counts the time of each instruction; outlives the network
};

// What memory a network takes for, in bytes.
struct MemoryPlan {
  uint64_t parameters = 0;
  uint64_t gradient = 0;
  uint64_t given = 0;    // images, labels, statistics
  uint64_t tensors = 0;  // all that is computed, as far as it is needed at the same time
  // What the total would be if nothing were computed a second time, and how much more there is to compute, in
  // thousandths of the effort (effort.h).
  uint64_t roomy_total = 0;
  uint64_t again_permille = 0;

  uint64_t total() const { return parameters + gradient + given + tensors; }
};

struct ParameterInfo {
  std::string name;
  Shape shape;
  uint64_t offset;  // in floats
  uint64_t count;
};

// What a batch should have given: of each row of logits the two labels, of which the first has `share` of the
// weight, and the part of the whole that is spread over all classes.
struct BatchTargets {
  std::span<const int32_t> labels;
  std::span<const int32_t> others;  // the same as labels, where a row has one
  float share = 1;
  float smoothing = 0;
};

class Network {
 public:
  // Verifies the graph. Errors name the node that cannot be computed for this batch.
  static Result<Network> compile(const Graph& graph, const NetworkOptions& options, exact::Backend& backend);

  uint64_t parameter_count() const { return layout_->parameter_count; }
  uint64_t statistics_count() const { return layout_->statistics_count; }
  uint64_t input_count() const { return layout_->input_count; }  // floats in a batch
  uint64_t label_count() const { return layout_->label_count; }  // rows of logits in a batch
  int64_t batch() const { return options_.batch; }
  int64_t classes() const;
  std::vector<ParameterInfo> parameters() const;
  // All memory that computing takes, besides the backend's scratch. Known since compile().
  uint64_t memory_bytes() const { return memory_bytes_; }
  MemoryPlan memory_plan() const;
  Traffic traffic() const { return model::traffic(*training_); }  // of one call of gradient()

  // Writes the mean gradient over the rows of the batch and returns the mean loss: the exact sum of the rows'
  // losses, divided by their number. An error says which node, parameter or input holds values that have
  // diverged; what `gradient` holds is then unspecified.
  Result<float> gradient(std::span<const float> parameters, std::span<const float> input,
                         const BatchTargets& targets, const DitherKey& key, std::span<float> gradient);
  Result<float> gradient(std::span<const float> parameters, std::span<const float> input,
                         std::span<const int32_t> labels, const DitherKey& key, std::span<float> gradient);

  // The statistics of one batch in training mode. Callers average them over batches.
  Result<std::vector<float>> batch_statistics(std::span<const float> parameters,
                                              std::span<const float> input);

  // [label_count][classes], batch normalization using the given statistics.
  Result<std::vector<float>> logits(std::span<const float> parameters, std::span<const float> statistics,
                                    std::span<const float> input);

  // Every node's output, as the last of the calls above left it, in the order of nodes. Refused without
  // keep_tensors and before the first such call.
  using Visitor =
      std::function<void(const std::string& node, const Shape& shape, std::span<const float> values)>;
  Status visit(const Visitor& visitor) const;

 private:
  Network() = default;
  Status run(const Program& program, size_t end, const DitherKey& key);
  std::optional<BufferId> run_instruction(const Program& program, const Instruction& instruction,
                                          const DitherKey& key);
  Status check_sizes(std::span<const float> parameters, std::span<const float> input) const;
  Error diverged(const Program& program, const Instruction& instruction, BufferId where) const;
  void upload(uint64_t offset, std::span<const float> values);
  Status check_targets(const BatchTargets& targets) const;
  void upload(const BatchTargets& targets);

  std::unique_ptr<const Graph> graph_;
  std::unique_ptr<const Layout> layout_;
  std::unique_ptr<const Program> training_;
  std::unique_ptr<const Program> evaluation_;
  std::unique_ptr<Device> device_;
  NetworkOptions options_;
  uint64_t memory_bytes_ = 0;
  const Program* last_ = nullptr;
};

}  // namespace cairn::model
