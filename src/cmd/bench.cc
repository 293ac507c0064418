#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/philox.h"
#include "cmd/command.h"
#include "onnx/sandbox.h"

namespace cairn::cmd {
namespace {

constexpr int64_t kDefaultBatch = 32;
constexpr size_t kFewestSteps = 3;

struct Options {
  std::filesystem::path target;
  std::optional<uint32_t> batch;
  std::string precision;  // by name; empty: the project's, or standard
  double seconds = 5;
};

// What is measured: a project's model as its newest round has it, or that of a file.
struct Subject {
  model::Graph graph;
  std::vector<float> parameters;
  int64_t batch = kDefaultBatch;
  model::Precision precision = model::Precision::standard;
};

struct Measured {
  std::vector<double> steps;  // seconds
  model::Profile profile;
  model::MemoryPlan memory;
  model::Traffic traffic;
};

Result<Subject> subject_of(const Options& options) {
  Subject subject;
  if (std::filesystem::is_directory(options.target)) {
    CAIRN_TRY(const auto project, project::Project::open(options.target, system_environment()));
    const auto newest = static_cast<trust::Round>(project.state().rounds().size() - 1);
    CAIRN_TRY(subject.parameters, project.parameters(newest));
    subject.graph = project.graph();
    subject.batch = project.recipe().batch;
    subject.precision = project.recipe().precision;
  } else {
    CAIRN_TRY(onnx::ImportedModel imported, onnx::import_onnx_file(options.target));
    subject.graph = std::move(imported.graph);
    subject.parameters = std::move(imported.parameters);
  }
  if (options.batch) subject.batch = *options.batch;
  if (!options.precision.empty()) subject.precision = *model::precision_from_name(options.precision);
  return subject;
}

// Pixels as a recipe makes them: in [-1, 1], of which each is as likely. Or whole numbers below the limit,
// for a model that begins with an embedding.
std::vector<float> made_up_input(uint64_t count, int64_t token_limit) {
  const RandomSequence random(1, RandomStream::probe);
  std::vector<float> input(count);
  if (token_limit > 0) {
    for (uint64_t i = 0; i < count; ++i)
      input[i] =
          static_cast<float>(random.at(static_cast<uint32_t>(i))[0] % static_cast<uint64_t>(token_limit));
    return input;
  }
  for (uint64_t i = 0; i < count; ++i)
    input[i] = static_cast<float>(random.at(static_cast<uint32_t>(i / 4))[i % 4] >> 24) / 127.5f - 1;
  return input;
}

std::vector<int32_t> made_up_labels(uint64_t count, int64_t classes) {
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < static_cast<int64_t>(count); ++i)
    labels.push_back(static_cast<int32_t>(i % classes));
  return labels;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// The most memory that was ever resident. (ru_maxrss would count what this process was before exec.)
double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

// Training steps, one of which is not counted, for so many seconds.
Result<Measured> measure(const Subject& subject, const project::EngineOptions& engine, double seconds) {
  using Clock = std::chrono::steady_clock;
  ThreadPool pool(engine.threads);
  const auto backend = exact::make_backend(engine.isa, pool);
  Measured result;
  CAIRN_TRY(model::Network network, model::Network::compile(subject.graph,
                                                            {.batch = subject.batch,
                                                             .bits = model::product_bits(subject.precision),
                                                             .memory_limit = engine.memory_limit,
                                                             .profile = &result.profile},
                                                            *backend));
  result.memory = network.memory_plan();
  result.traffic = network.traffic();
  const std::vector<float> input = made_up_input(network.input_count(), model::token_limit(subject.graph));
  const std::vector<int32_t> labels = made_up_labels(network.label_count(), network.classes());
  std::vector<float> gradient(network.parameter_count());
  const Progress progress = progress_line("measuring");
  const auto step = [&]() -> Status {
    const auto loss = network.gradient(subject.parameters, input, labels, {}, gradient);
    return loss ? Status() : Status(loss.error());
  };
  CAIRN_CHECK(step());
  result.profile.shares.clear();
  const auto begin = Clock::now();
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  while (result.steps.size() < kFewestSteps || since(begin) < seconds) {
    const auto start = Clock::now();
    CAIRN_CHECK(step());
    result.steps.push_back(since(start));
    const auto done = static_cast<uint64_t>(1000 * std::min(1.0, since(begin) / seconds));
    if (!progress(done, 1000)) return Error{"stopped"};
  }
  return result;
}

struct Share {
  std::string_view name;
  double seconds;  // of a step
  double part;     // of all
  uint64_t calls;  // in a step
};

std::vector<Share> shares_of(const Measured& result) {
  double total = 0;
  for (const auto& [name, share] : result.profile.shares) total += share.time.count();
  std::vector<Share> shares;
  const auto steps = static_cast<double>(result.steps.size());
  for (const auto& [name, share] : result.profile.shares) {
    shares.push_back(
        {name, share.time.count() / steps, share.time.count() / total, share.calls / result.steps.size()});
  }
  std::ranges::sort(shares, std::greater(), &Share::seconds);
  return shares;
}

Json to_json(const Subject& subject, const project::EngineOptions& engine, const Measured& result) {
  const double step = median(result.steps);
  Json json = {{"model", nullptr},
               {"parameters", subject.parameters.size()},
               {"batch", subject.batch},
               {"precision", model::precision_name(subject.precision)},
               {"isa", exact::isa_name(engine.isa)},
               {"threads", engine.threads},
               {"images_per_second", static_cast<double>(subject.batch) / step},
               {"step_seconds", step},
               {"resident_mib", resident_mib()}};
  json["memory"] = {{"total", result.memory.total()},     {"parameters", result.memory.parameters},
                    {"gradient", result.memory.gradient}, {"given", result.memory.given},
                    {"tensors", result.memory.tensors},   {"roomy", result.memory.roomy_total}};
  json["again_permille"] = result.memory.again_permille;
  json["traffic_bytes"] = result.traffic.bytes;
  json["convolution_outputs"] = result.traffic.convolution_outputs;
  for (const Share& share : shares_of(result)) {
    json["shares"].push_back({{"operator", share.name},
                              {"seconds", share.seconds},
                              {"share", share.part},
                              {"calls", share.calls}});
  }
  return json;
}

std::string mib(uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string traffic_text(const model::Traffic& traffic) {
  const std::string text = mib(traffic.bytes) + " a step";
  if (traffic.convolution_outputs == 0) return text;
  return fmt::format("{}: {:.1f} bytes for each output of a convolution", text,
                     static_cast<double>(traffic.bytes) / static_cast<double>(traffic.convolution_outputs));
}

std::string again_text(const model::MemoryPlan& memory) {
  if (memory.again_permille == 0) return "nothing is computed twice";
  return fmt::format("{:.1f} % more is computed than with {}",
                     static_cast<double>(memory.again_permille) / 10, mib(memory.roomy_total));
}

std::string to_text(const Subject& subject, const project::EngineOptions& engine, const Measured& result) {
  const double step = median(result.steps);
  std::string text = fmt::format(
      "{} parameters, batches of {}, {} precision, {} on {}\n"
      "speed   {:.2f} images/s: {:.1f} ms a step, the median of {}\n"
      "memory  {}: parameters {}, gradient {}, images {}, tensors {}; {}\n"
      "traffic {}\n"
      "where the time goes:\n",
      subject.parameters.size(), subject.batch, model::precision_name(subject.precision),
      plural(static_cast<uint64_t>(engine.threads), "thread", "threads"), exact::isa_name(engine.isa),
      static_cast<double>(subject.batch) / step, step * 1e3, result.steps.size(), mib(result.memory.total()),
      mib(result.memory.parameters), mib(result.memory.gradient), mib(result.memory.given),
      mib(result.memory.tensors), again_text(result.memory), traffic_text(result.traffic));
  for (const Share& share : shares_of(result)) {
    text += fmt::format("  {:42} {:5.1f} %  {:9.2f} ms  {}\n", share.name, 100 * share.part,
                        1e3 * share.seconds, plural(share.calls, "call", "calls"));
  }
  return text;
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(const Subject subject, subject_of(options));
  CAIRN_TRY(const Measured result, measure(subject, engine, options.seconds));
  Json json = to_json(subject, engine, result);
  json["model"] = options.target.string();
  print(shared, json, to_text(subject, engine, result));
  return kDone;
}

}  // namespace

void add_bench(Command app, const Shared& shared) {
  Command command = add_command(
      app, "bench", "How fast this machine trains a model, what memory it takes, and where the time goes",
      "cairn bench net.onnx --batch 8 --threads 1");
  auto options = std::make_shared<Options>();
  command.add_option("DIR|MODEL", options->target, "A project, or a model as ONNX").required();
  command.add_option("--batch", options->batch, "Images of a step (default: the recipe's, or 32)");
  command.add_option("--precision", options->precision, "Of products (default: the recipe's, or standard)")
      .one_of({"standard", "high", "fast"});
  command.add_option("--seconds", options->seconds, "How long to measure").show_default().range(0.0, 3600.0);
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
