#include "work/gradient.h"

#include <gmock/gmock.h>

#include <cmath>

#include "exact/backend.h"
#include "model/builtin.h"
#include "work/batch.h"
#include "work/block_encoding.h"
#include "work/optimizer.h"
#include "work/toy_data.h"
#include "work/unit.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;

const model::Shape kInput = {1, 1, ToyData::kSide, ToyData::kSide};

// A model of the toy data on one processor.
struct Worker {
  Worker(std::string_view model, const Recipe& r, exact::Isa isa = exact::supported_isas().back(),
         int threads = 1)
      : recipe(r),
        pool(threads),
        backend(exact::make_backend(isa, pool)),
        graph(*model::builtin_model(model, kInput, 4)),
        network(*compile_network(graph, recipe, *backend)),
        parameters(model::initial_parameters(graph, 1)) {}

  Result<GradientFile> compute(const data::DataSet& data, uint32_t unit = 3, const Progress& progress = {},
                               const GradientObserver& observer = {}) {
    return compute_gradient({sha256(Bytes{1}), sha256(Bytes{2}), 7, unit}, recipe, network, data, parameters,
                            progress, observer);
  }

  Recipe recipe;
  ThreadPool pool;
  std::unique_ptr<exact::Backend> backend;
  model::Graph graph;
  model::Network network;
  std::vector<float> parameters;
};

std::vector<float> numbers(const GradientFile& file) {
  std::vector<float> values(file.parameters);
  decode_values(file, values);
  return values;
}

double distance(std::span<const float> a, std::span<const float> b) {
  double square = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    square += std::pow(double{a[i]} - b[i], 2);
    norm += std::pow(double{a[i]}, 2);
  }
  return std::sqrt(square / norm);
}

TEST(Gradient, SameBytesOnEveryProcessorAndThreadCount) {
  const ToyData toy;
  for (const char* model : {"mlp", "lenet", "resnet8"}) {
    Recipe fast = toy_recipe(2);
    fast.precision = model::Precision::fast;
    for (const Recipe& recipe : {toy_recipe(0, 2), toy_recipe(2), fast}) {
      const data::DataSet data = toy.open();
      const auto expected = Worker(model, recipe, exact::Isa::scalar).compute(data);
      ASSERT_TRUE(expected.ok()) << expected.error().message;
      for (const exact::Isa isa : exact::supported_isas()) {
        for (int threads = 1; threads <= 4; ++threads) {
          const auto file = Worker(model, recipe, isa, threads).compute(data);
          ASSERT_TRUE(file.ok()) << file.error().message;
          ASSERT_EQ(encode(*file), encode(*expected))
              << model << " " << exact::isa_name(isa) << " " << threads;
        }
      }
    }
  }
}

TEST(Gradient, SameBytesAgainAfterOtherWork) {
  const ToyData toy;
  const data::DataSet data = toy.open();
  Worker worker("lenet", toy_recipe(2));
  const GradientFile first = *worker.compute(data, 1);
  EXPECT_NE(encode(*worker.compute(data, 2)), encode(first));
  EXPECT_EQ(encode(*worker.compute(data, 1)), encode(first));
}

TEST(Gradient, FileSaysWhatItIsOf) {
  const ToyData toy;
  const GradientFile file = *Worker("mlp", toy_recipe(3, 2)).compute(toy.open(), 5);
  EXPECT_EQ(file.project, sha256(Bytes{1}));
  EXPECT_EQ(file.snapshot, sha256(Bytes{2}));
  EXPECT_EQ(file.round, 7u);
  EXPECT_EQ(file.unit, 5u);
  EXPECT_EQ(file.samples, 48u);
  EXPECT_NEAR(file.loss, 1.386, 0.4);  // log(4): little is known yet
  EXPECT_EQ(*decode_gradient_file(encode(file)), file);
}

TEST(Gradient, ObserverSeesTheImagesOfTheUnit) {
  const ToyData toy;
  const data::DataSet data = toy.open();
  Worker worker("mlp", toy_recipe(2, 2));
  std::vector<uint32_t> images;
  uint32_t calls = 0;
  const auto observe = [&](const BatchGradient& batch) {
    EXPECT_EQ(batch.number, calls++);
    EXPECT_EQ(batch.batches, 4u);
    images.insert(images.end(), batch.images.begin(), batch.images.end());
    for (size_t i = 0; i < batch.images.size(); ++i) {
      const uint32_t image = batch.images[i];
      EXPECT_EQ(batch.batch.labels[i], *data.label(data::Split::train, image));
      const uint8_t pixel = (*data.sample(data::Split::train, image))[17];
      EXPECT_EQ(batch.batch.input[i * 256 + 17], (static_cast<float>(pixel) / 255.0f - 0.5f) / 0.5f);
    }
  };
  std::vector<uint64_t> progress;
  const auto note = [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, 32u);
    progress.push_back(done);
    return true;
  };
  ASSERT_TRUE(worker.compute(data, 4, note, observe).ok());
  EXPECT_EQ(images, unit_images(worker.recipe, std::vector<uint32_t>{150}, 4));
  EXPECT_THAT(progress, ::testing::ElementsAre(8, 16, 24, 32));
}

TEST(Gradient, PlainUnitIsTheMeanOfItsBatches) {
  const ToyData toy;
  Worker worker("lenet", toy_recipe(0, 3));
  std::vector<double> mean(worker.parameters.size());
  double loss = 0;
  const auto observe = [&](const BatchGradient& batch) {
    EXPECT_EQ(std::vector<float>(batch.parameters.begin(), batch.parameters.end()), worker.parameters);
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += double{batch.gradient[i]} / 3;
    loss += double{batch.loss} / 3;
  };
  const GradientFile file = *worker.compute(toy.open(), 0, {}, observe);
  EXPECT_LT(distance(std::vector<float>(mean.begin(), mean.end()), numbers(file)), 1e-3);
  EXPECT_NEAR(file.loss, loss, 1e-5);
}

TEST(Gradient, LocalStepsCarryTheDifferenceThatTheOptimizerMakes) {
  const ToyData toy;
  for (const Optimizer kind : {Optimizer::sgd, Optimizer::adamw}) {
    Recipe recipe = toy_recipe(4);
    recipe.optimizer = kind;
    if (kind == Optimizer::adamw) recipe.rate = {{0, uint64_t{1} << 30}};
    Worker worker("mlp", recipe);
    std::vector<float> parameters = worker.parameters;
    OptimizerState state(recipe, parameters.size());
    InnerOptimizer optimizer(recipe, state);
    const auto observe = [&](const BatchGradient& batch) {
      EXPECT_EQ(std::vector<float>(batch.parameters.begin(), batch.parameters.end()), parameters);
      optimizer.step(inner_rate(recipe, 7, batch.number), batch.gradient, parameters);
    };
    const GradientFile file = *worker.compute(toy.open(), 2, {}, observe);
    std::vector<float> difference(parameters.size());
    for (size_t i = 0; i < parameters.size(); ++i) difference[i] = worker.parameters[i] - parameters[i];
    EXPECT_LT(distance(difference, numbers(file)), 1e-3);
  }
}

TEST(Gradient, FewerBitsAreClose) {
  const ToyData toy;
  Recipe recipe = toy_recipe(4);
  const GradientFile wide = *Worker("lenet", recipe).compute(toy.open());
  recipe.block_size = 64;
  for (const auto& [bits, size, error] : {std::tuple{8, 0.6, 0.03}, {4, 0.35, 0.5}}) {
    recipe.bits = static_cast<uint8_t>(bits);
    const GradientFile narrow = *Worker("lenet", recipe).compute(toy.open());
    EXPECT_LT(static_cast<double>(encode(narrow).size()), size * static_cast<double>(encode(wide).size()));
    EXPECT_LT(distance(numbers(wide), numbers(narrow)), error) << bits;
  }
}

TEST(Gradient, KeepsTheLargestValuesAndNoOthers) {
  const ToyData toy;
  Recipe recipe = toy_recipe(4);
  const std::vector<float> all = numbers(*Worker("lenet", recipe).compute(toy.open()));
  recipe.keep = 100'000;
  recipe.bits = 8;
  const GradientFile file = *Worker("lenet", recipe).compute(toy.open());
  EXPECT_EQ(file.values.size(), all.size() / 10);
  EXPECT_EQ(encode(file).size(), gradient_size(recipe, all.size()));
  EXPECT_LT(encode(file).size(), all.size() / 5);
  float least_kept = INFINITY, most_left = 0;
  for (uint32_t i = 0, next = 0; i < all.size(); ++i) {
    if (next < file.positions.size() && file.positions[next] == i) {
      least_kept = std::min(least_kept, std::abs(all[i]));
      ++next;
    } else {
      most_left = std::max(most_left, std::abs(all[i]));
    }
  }
  EXPECT_LE(most_left, least_kept * 1.01f);  // `all` went through a rounding of its own
  EXPECT_LT(distance(all, numbers(file)), 0.9);
}

TEST(Gradient, SubtractingItLowersTheLoss) {
  const ToyData toy;
  const data::DataSet data = toy.open();
  Recipe recipe = toy_recipe(6);
  recipe.rate = {{0, uint64_t{1} << 36}};
  Worker worker("lenet", recipe);
  const float first = worker.compute(data, 0)->loss;
  for (uint32_t unit = 0; unit < 12; ++unit) {
    const std::vector<float> change = numbers(*worker.compute(data, unit));
    for (size_t i = 0; i < change.size(); ++i) worker.parameters[i] -= change[i];
  }
  EXPECT_LT(worker.compute(data, 12)->loss, first / 4);
}

// The whole path in one number: data order, model, arithmetic, optimizer and encoding. It changes only when
// the definition of a gradient does, together with exact::kArithmeticVersion.
TEST(Gradient, KnownDigests) {
  const ToyData toy;
  const auto digest = [&](const char* model, const Recipe& recipe) {
    return sha256(encode(*Worker(model, recipe).compute(toy.open()))).hex().substr(0, 16);
  };
  Recipe adamw = toy_recipe(2);
  adamw.optimizer = Optimizer::adamw;
  adamw.bits = 8;
  EXPECT_EQ(digest("lenet", toy_recipe(0)), "ff50e373a8e623dc");
  EXPECT_EQ(digest("resnet8", toy_recipe(2)), "0ba2249d486f40dd");
  EXPECT_EQ(digest("mlp", adamw), "7dfcb29701832556");
}

TEST(Gradient, DivergenceIsAnError) {
  const ToyData toy;
  Recipe recipe = toy_recipe(6);
  recipe.rate = {{0, uint64_t{1024} << 40}};
  recipe.warmup_steps = 0;
  recipe.weight_decay = 1;
  EXPECT_THAT(Worker("mlp", recipe).compute(toy.open()).error().message, HasSubstr("diverged"));
  Worker worker("mlp", toy_recipe(0));
  worker.parameters[5] = NAN;
  EXPECT_THAT(worker.compute(toy.open()).error().message, HasSubstr("diverged"));
}

TEST(Gradient, RefusesWhatDoesNotBelongTogether) {
  ToyData toy;
  Worker worker("mlp", toy_recipe(0));
  const auto refusal = [&] {
    const auto file = worker.compute(toy.open());
    return file ? "accepted" : file.error().message;
  };
  EXPECT_EQ(refusal(), "accepted");
  worker.parameters.pop_back();
  EXPECT_THAT(refusal(), HasSubstr("parameters: "));
  worker.parameters.push_back(0);
  worker.recipe.batch = 4;
  EXPECT_THAT(refusal(), HasSubstr("compiled for a batch of 8, but the recipe's is 4"));
  worker.recipe.batch = 8;
  worker.recipe.mean = {0, 0};
  EXPECT_THAT(refusal(), HasSubstr("input.mean: has 2 numbers"));
  worker.recipe.mean = {0};
  toy.manifest.classes.push_back("e");
  EXPECT_THAT(refusal(), HasSubstr("the model has 4 classes, but the data has 5"));
  toy.manifest.classes.pop_back();
  toy.manifest.width = 8;
  EXPECT_THAT(
      refusal(),
      HasSubstr("the model takes this many numbers: 256 for each image of the data, where 128 are needed"));
  toy.manifest.width = 16;
  toy.blobs.remove((*toy.open().shards(data::Split::train, 0))[1].samples);
  EXPECT_THAT(refusal(), HasSubstr("is missing"));
}

TEST(Gradient, StopsWhenAsked) {
  const ToyData toy;
  const auto stop = [](uint64_t done, uint64_t) { return done < 16; };
  EXPECT_EQ(Worker("mlp", toy_recipe(5)).compute(toy.open(), 0, stop).error().message, "stopped");
}

}  // namespace
}  // namespace cairn::work
