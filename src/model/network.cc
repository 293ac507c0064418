#include "model/network.h"

#include <bit>

#include "model/effort.h"

namespace cairn::model {
namespace {

constexpr int64_t kMaxBatch = 1 << 20;

Status check_options(const NetworkOptions& options) {
  if (options.batch < 1 || options.batch > kMaxBatch) return Error{"batch: must be 1 to 1048576"};
  for (const int bits : {options.bits.forward, options.bits.input_gradient, options.bits.weight_gradient}) {
    if (bits < 2 || bits > 15) return Error{"bits: must be 2 to 15"};
  }
  return {};
}

Status check_size(const char* what, size_t size, uint64_t expected) {
  if (size == expected) return {};
  return Error{std::string(what) + ": " + std::to_string(size) + " values where " + std::to_string(expected) +
               " are needed"};
}

// The device uses the caller's memory for as long as this lives.
class Loan {
 public:
  Loan(Device& device, uint64_t offset, std::span<std::byte> memory) : device_(device), offset_(offset) {
    device.lend(offset, memory);
  }
  ~Loan() { device_.take_back(offset_); }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;

 private:
  Device& device_;
  uint64_t offset_;
};

// Programs only read what is given to them.
std::span<std::byte> read_only(std::span<const float> values) {
  return std::as_writable_bytes(std::span(const_cast<float*>(values.data()), values.size()));
}

}  // namespace

Result<MemoryNeed> memory_need(const Graph& graph, int64_t batch, const ProductBits& bits) {
  CAIRN_CHECK(check_options({.batch = batch, .bits = bits}));
  CAIRN_CHECK(verify(graph));
  const Layout layout(graph, batch);
  const CompileOptions options{.batch = batch, .bits = bits, .memory_limit = 0};
  MemoryNeed need;
  for (const Mode mode : {Mode::training, Mode::evaluation}) {
    CAIRN_TRY(const Program program, lower(graph, layout, options, mode));
    need.roomy = std::max(need.roomy, program.roomy_bytes);
    need.least = std::max(need.least, program.memory_bytes);
  }
  return need;
}

std::string mib_text(uint64_t bytes) {
  return std::to_string((bytes >> 20) + (bytes % (1 << 20) != 0)) + " MiB";
}

Result<Network> Network::compile(const Graph& graph, const NetworkOptions& options, exact::Backend& backend) {
  CAIRN_CHECK(check_options(options));
  CAIRN_CHECK(verify(graph));
  Network network;
  network.options_ = options;
  network.graph_ = std::make_unique<Graph>(graph);
  network.layout_ = std::make_unique<Layout>(*network.graph_, options.batch);
  const CompileOptions compile_options{options.batch, options.bits, options.keep_tensors,
                                       options.memory_limit};
  CAIRN_TRY(auto training, lower(*network.graph_, *network.layout_, compile_options, Mode::training));
  CAIRN_TRY(auto evaluation, lower(*network.graph_, *network.layout_, compile_options, Mode::evaluation));
  network.memory_bytes_ = std::max(training.memory_bytes, evaluation.memory_bytes);
  network.training_ = std::make_unique<Program>(std::move(training));
  network.evaluation_ = std::make_unique<Program>(std::move(evaluation));
  if (network.memory_bytes_ > options.memory_limit) {
    return Error{"the model needs " + mib_text(network.memory_bytes_) +
                 " of memory at the least for a batch of " + std::to_string(options.batch) +
                 ", but may have " + std::to_string(options.memory_limit >> 20) +
                 " MiB: give it more (--memory), or choose a recipe with a smaller batch"};
  }
  network.device_ = make_cpu_device(backend);
  CAIRN_CHECK(network.device_->reserve(network.memory_bytes_));
  return network;
}

MemoryPlan Network::memory_plan() const {
  const uint64_t numbers = layout_->parameter_count * sizeof(float);
  const uint64_t again = training_->effort_again, once = effort(*training_) - again;
  return {.parameters = numbers,
          .gradient = numbers,
          .given = layout_->end - 2 * numbers,
          .tensors = memory_bytes_ - layout_->end,
          .roomy_total = std::max(training_->roomy_bytes, evaluation_->roomy_bytes),
          .again_permille = (1000 * again + once / 2) / std::max<uint64_t>(once, 1)};
}

int64_t Network::classes() const {
  return graph_->shapes[graph_->output].back();
}

std::vector<ParameterInfo> Network::parameters() const {
  std::vector<ParameterInfo> result;
  for (size_t p = 0; p < graph_->parameters.size(); ++p) {
    const Shape& shape = graph_->shapes[graph_->parameters[p].value];
    result.push_back({graph_->parameters[p].name, shape, layout_->parameter_offsets[p],
                      static_cast<uint64_t>(elements(shape))});
  }
  return result;
}

Status Network::check_sizes(std::span<const float> parameters, std::span<const float> input) const {
  CAIRN_CHECK(check_size("parameters", parameters.size(), parameter_count()));
  return check_size("input", input.size(), input_count());
}

void Network::upload(uint64_t offset, std::span<const float> values) {
  device_->upload(offset, std::as_bytes(values));
}

Error Network::diverged(const Program& program, const Instruction& instruction, BufferId where) const {
  const Origin origin = program.buffers[where].origin;
  std::string place = "input";
  if (instruction.op == Opcode::embed) {
    const std::string rows = std::to_string(std::get<Lookup>(instruction.geometry).rows);
    return {"input: a number chooses no row of a table of " + rows +
            " rows (whole numbers from 0 on are needed)"};
  }
  if (origin.kind == Origin::Kind::parameter)
    place = "parameter '" + graph_->parameters[origin.index].name + "'";
  if (origin.kind == Origin::Kind::node) place = "node '" + graph_->nodes[origin.index].name + "'";
  return {place + ": the values have diverged (NaN, infinite or beyond 2^63)"};
}

Status Network::run(const Program& program, size_t end, const DitherKey& key) {
  last_ = nullptr;
  for (size_t i = 0; i < end; ++i) {
    const Instruction& instruction = program.instructions[i];
    if (const auto where = run_instruction(program, instruction, key))
      return diverged(program, instruction, *where);
  }
  last_ = &program;
  return {};
}

std::optional<BufferId> Network::run_instruction(const Program& program, const Instruction& instruction,
                                                 const DitherKey& key) {
  if (options_.profile == nullptr) return device_->run(program, instruction, key);
  const auto begin = std::chrono::steady_clock::now();
  const auto diverged = device_->run(program, instruction, key);
  Profile::Share& share = options_.profile->shares[instruction_name(instruction)];
  share.time += std::chrono::steady_clock::now() - begin;
  ++share.calls;
  return diverged;
}

Status Network::check_targets(const BatchTargets& targets) const {
  for (const auto& labels : {targets.labels, targets.others}) {
    CAIRN_CHECK(check_size("labels", labels.size(), label_count()));
    for (int32_t label : labels) {
      if (label < 0 || label >= classes())
        return Error{"labels: " + std::to_string(label) + " is no class of the model"};
    }
  }
  return {};
}

void Network::upload(const BatchTargets& targets) {
  const uint64_t size = targets.labels.size_bytes();
  const int32_t rest[] = {std::bit_cast<int32_t>(targets.share), std::bit_cast<int32_t>(targets.smoothing)};
  device_->upload(layout_->targets, std::as_bytes(targets.labels));
  device_->upload(layout_->targets + size, std::as_bytes(targets.others));
  device_->upload(layout_->targets + 2 * size, std::as_bytes(std::span(rest)));
}

Result<float> Network::gradient(std::span<const float> parameters, std::span<const float> input,
                                std::span<const int32_t> labels, const DitherKey& key,
                                std::span<float> gradient) {
  return this->gradient(parameters, input, BatchTargets{labels, labels}, key, gradient);
}

Result<float> Network::gradient(std::span<const float> parameters, std::span<const float> input,
                                const BatchTargets& targets, const DitherKey& key,
                                std::span<float> gradient) {
  CAIRN_CHECK(check_sizes(parameters, input));
  CAIRN_CHECK(check_size("gradient", gradient.size(), parameter_count()));
  CAIRN_CHECK(check_targets(targets));
  const Loan parameter_loan(*device_, layout_->parameters, read_only(parameters));
  const Loan gradient_loan(*device_, layout_->gradient, std::as_writable_bytes(gradient));
  upload(layout_->input, input);
  upload(targets);
  CAIRN_CHECK(run(*training_, training_->instructions.size(), key));
  float total = 0;
  device_->download(training_->buffers[training_->loss].offset, std::as_writable_bytes(std::span(&total, 1)));
  return total / static_cast<float>(targets.labels.size());
}

Result<std::vector<float>> Network::batch_statistics(std::span<const float> parameters,
                                                     std::span<const float> input) {
  CAIRN_CHECK(check_sizes(parameters, input));
  const Loan loan(*device_, layout_->parameters, read_only(parameters));
  upload(layout_->input, input);
  CAIRN_CHECK(run(*training_, training_->forward_end, {}));
  std::vector<float> statistics(statistics_count());
  device_->download(layout_->statistics, std::as_writable_bytes(std::span(statistics)));
  return statistics;
}

Result<std::vector<float>> Network::logits(std::span<const float> parameters,
                                           std::span<const float> statistics, std::span<const float> input) {
  CAIRN_CHECK(check_sizes(parameters, input));
  CAIRN_CHECK(check_size("statistics", statistics.size(), statistics_count()));
  const Loan loan(*device_, layout_->parameters, read_only(parameters));
  upload(layout_->statistics, statistics);
  upload(layout_->input, input);
  CAIRN_CHECK(run(*evaluation_, evaluation_->instructions.size(), {}));
  std::vector<float> result(label_count() * static_cast<size_t>(classes()));
  const Buffer& buffer = evaluation_->buffers[evaluation_->values[graph_->output]];
  device_->download(buffer.offset, std::as_writable_bytes(std::span(result)));
  return result;
}

Status Network::visit(const Visitor& visitor) const {
  if (!options_.keep_tensors) return Error{"tensors were not kept: compile the network with keep_tensors"};
  if (last_ == nullptr) return Error{"there are no tensors: nothing has been computed"};
  std::vector<float> values;
  for (const Node& node : graph_->nodes) {
    const Buffer& buffer = last_->buffers[last_->values[node.outputs[0]]];
    values.resize(static_cast<size_t>(buffer.elements));
    device_->download(buffer.offset, std::as_writable_bytes(std::span(values)));
    Shape shape = graph_->shapes[node.outputs[0]];
    if (node.op != Operator::constant) shape[0] = options_.batch;
    visitor(node.name, shape, values);
  }
  return {};
}

}  // namespace cairn::model
