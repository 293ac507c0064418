// What script/bench traffic repeats: ten contributors train a model in one process, and what they would send
// is counted.
//
// With --bits 32 every contributor sends its gradient of each step in binary32, and one optimizer takes their
// mean: data-parallel training, the baseline. Otherwise each of them computes a unit of the recipe in every
// round and sends its gradient file; the files go through Cairn's own averaging, all with the same weight. A
// line of JSON on standard output says what came of it.
#include <fmt/format.h>
#include <zstd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <numeric>

#include "average/contribution.h"
#include "average/norm.h"
#include "average/snapshot.h"
#include "exact/backend.h"
#include "ledger/policy.h"
#include "model/builtin.h"
#include "project/project.h"
#include "work/batch.h"
#include "work/evaluation.h"
#include "work/gradient.h"

namespace cairn::bench {
namespace {

constexpr uint32_t kContributors = 10;
constexpr int kCompressionLevel = 3;

struct Options {
  std::filesystem::path project;
  uint32_t bits = 16, keep = work::Recipe::kAll, local_steps = 0, batch = 16, images = 0, seed = 1;
  double rate = 0.1;      // at first; it falls to zero in a straight line
  double momentum = 0.9;  // of whoever takes steps; plain gradients of one step are averaged without
};

// What all of them sent.
struct Sent {
  uint64_t bytes = 0, compressed = 0;
};

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

uint64_t compressed_size(BytesView bytes) {
  Bytes frame(ZSTD_compressBound(bytes.size()));
  const size_t size =
      ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), kCompressionLevel);
  if (ZSTD_isError(size)) throw std::runtime_error(ZSTD_getErrorName(size));
  return size;
}

void add(Sent& sent, BytesView bytes) {
  sent.bytes += bytes.size();
  sent.compressed += compressed_size(bytes);
}

uint64_t fixed_rate(double rate) {
  return static_cast<uint64_t>(rate * 0x1p40);
}

work::Recipe recipe_of(const Options& options, const work::Recipe& base) {
  work::Recipe recipe = base;
  recipe.seed = options.seed;
  recipe.batch = options.batch;
  recipe.local_steps = options.local_steps;
  recipe.momentum = static_cast<float>(options.momentum);
  recipe.nesterov = options.momentum > 0;
  recipe.warmup_steps = 0;
  recipe.keep = options.keep;
  recipe.bits = static_cast<uint8_t>(options.bits == 32 ? 16 : options.bits);
  const auto rounds = static_cast<uint32_t>(options.images / (kContributors * recipe.unit_images()));
  recipe.rate = {{0, fixed_rate(options.rate)}, {std::max(rounds, 1u), 0}};
  return recipe;
}

class Training {
 public:
  Training(const Options& options, const project::Project& project)
      : options_(options),
        project_(project),
        recipe_(recipe_of(options, project.recipe())),
        pool_(1),
        backend_(exact::make_backend(must(exact::isa_from_name("auto")), pool_)),
        network_(must(work::compile_network(project.graph(), recipe_, *backend_))),
        parameters_(model::initial_parameters(project.graph(), options.seed)),
        rounds_(recipe_.rate.back().round) {}

  Sent run() {
    Sent sent;
    options_.bits == 32 ? train_in_step(sent) : train_in_rounds(sent);
    return sent;
  }

  work::Evaluation evaluate() {
    const auto statistics = must(work::sample_statistics(recipe_, network_, project_.data(), parameters_));
    return must(work::evaluate(recipe_, network_, *backend_, project_.data(), data::Split::test, parameters_,
                               statistics));
  }

  uint64_t images() const { return uint64_t{rounds_} * kContributors * recipe_.unit_images(); }
  uint32_t rounds() const { return rounds_; }
  size_t parameter_count() const { return parameters_.size(); }

 private:
  work::GradientFile gradient(uint32_t round, uint32_t contributor,
                              const work::GradientObserver& observer = {}) {
    const work::GradientTask task{
        .project = {}, .snapshot = {}, .round = round, .unit = round * kContributors + contributor};
    return must(work::compute_gradient(task, recipe_, network_, project_.data(), parameters_, {}, observer));
  }

  void train_in_step(Sent& sent) {
    work::OptimizerState state(recipe_, parameters_.size());
    for (uint32_t round = 0; round < rounds_; ++round) {
      std::vector<float> mean(parameters_.size());
      for (uint32_t i = 0; i < kContributors; ++i) {
        gradient(round, i, [&](const work::BatchGradient& batch) {
          const auto* bytes = reinterpret_cast<const uint8_t*>(batch.gradient.data());
          add(sent, {bytes, batch.gradient.size_bytes()});
          for (size_t p = 0; p < mean.size(); ++p) mean[p] += batch.gradient[p] / kContributors;
        });
      }
      work::InnerOptimizer(recipe_, state).step(work::inner_rate(recipe_, round, 0), mean, parameters_);
    }
  }

  // Local steps have their rate already; plain gradients get theirs from the average.
  void train_in_rounds(Sent& sent) {
    average::GridSum sum(must(average::starting_snapshot(parameters_)).grid);
    for (uint32_t round = 0; round < rounds_; ++round) {
      const uint64_t rate = recipe_.local_steps > 0 ? uint64_t{1} << 40 : rate_at(recipe_.rate, round);
      const average::Coefficient coefficient =
          average::coefficient(rate, average::kUnclipped, ledger::kReputationOne,
                               average::Wide{ledger::kReputationOne} * kContributors);
      for (uint32_t i = 0; i < kContributors; ++i) {
        const Bytes file = work::encode(gradient(round, i));
        add(sent, file);
        must(sum.replace(must(work::decode_gradient_file(file)), {}, coefficient));
      }
      must(sum.in_range());
      parameters_ = average::parameters({sum.values()});
    }
  }

  const Options& options_;
  const project::Project& project_;
  work::Recipe recipe_;
  ThreadPool pool_;
  std::unique_ptr<exact::Backend> backend_;
  model::Network network_;
  std::vector<float> parameters_;  // of the round
  uint32_t rounds_;
};

int main_of(int argc, char** argv) {
  Options options;
  CLI::App app("Counts what ten contributors send while they train a model");
  app.add_option("PROJECT", options.project, "Whose data, model and input to use")->required();
  app.add_option("--bits", options.bits, "32: binary32 in every step")->check(CLI::IsMember({4, 8, 16, 32}));
  app.add_option("--keep", options.keep, "Parts per million");
  app.add_option("--local-steps", options.local_steps);
  app.add_option("--batch", options.batch);
  app.add_option("--images", options.images, "That are trained on, at most")->required();
  app.add_option("--rate", options.rate);
  app.add_option("--momentum", options.momentum);
  app.add_option("--seed", options.seed);
  CLI11_PARSE(app, argc, argv);
  const auto begun = std::chrono::steady_clock::now();
  const project::Project project = must(project::Project::open(options.project, system_environment()));
  Training training(options, project);
  const Sent sent = training.run();
  const work::Evaluation evaluation = training.evaluate();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  fmt::print(
      R"({{"parameters": {}, "images": {}, "rounds": {}, "bytes": {}, "compressed": {}, "accuracy": {}, )"
      R"("loss": {}, "seconds": {:.0f}}})"
      "\n",
      training.parameter_count(), training.images(), training.rounds(), sent.bytes, sent.compressed,
      evaluation.accuracy(), evaluation.loss, seconds.count());
  return 0;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  try {
    return cairn::bench::main_of(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "traffic: {}\n", error.what());
    return 1;
  }
}
