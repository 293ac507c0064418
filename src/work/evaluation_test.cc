#include "work/evaluation.h"

#include <gmock/gmock.h>

#include <cmath>

#include "model/builtin.h"
#include "model/graph_builder.h"
#include "work/batch.h"
#include "work/toy_data.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;

struct Evaluator {
  explicit Evaluator(std::string_view model, exact::Isa isa = exact::supported_isas().back(), int threads = 1,
                     uint32_t batch = 8)
      : recipe(toy_recipe(0)),
        pool(threads),
        backend(exact::make_backend(isa, pool)),
        graph(*model::builtin_model(model, {1, 1, ToyData::kSide, ToyData::kSide}, 4)),
        network(*compile_network(graph, with_batch(recipe, batch), *backend)),
        parameters(model::initial_parameters(graph, 1)) {}

  static const Recipe& with_batch(Recipe& recipe, uint32_t batch) {
    recipe.batch = batch;
    return recipe;
  }

  std::vector<float> statistics(const data::DataSet& data) {
    return *sample_statistics(recipe, network, data, parameters);
  }
  Result<Evaluation> run(const data::DataSet& data, data::Split split, uint32_t limit = UINT32_MAX,
                         const Progress& progress = {}) {
    return evaluate(recipe, network, *backend, data, split, parameters, statistics(data), limit, progress);
  }

  Recipe recipe;
  ThreadPool pool;
  std::unique_ptr<exact::Backend> backend;
  model::Graph graph;
  model::Network network;
  std::vector<float> parameters;
};

TEST(Evaluation, SameBitsOnEveryProcessorAndThreadCount) {
  const ToyData toy;
  const data::DataSet data = toy.open();
  for (const char* model : {"lenet", "resnet8"}) {
    Evaluator scalar(model, exact::Isa::scalar);
    scalar.recipe.evaluation_sample = 16;
    const auto expected = scalar.run(data, data::Split::test, 20);
    ASSERT_TRUE(expected.ok()) << expected.error().message;
    EXPECT_EQ(expected->images, 20u);
    for (const exact::Isa isa : exact::supported_isas()) {
      for (const int threads : {1, 3}) {
        Evaluator other(model, isa, threads);
        other.recipe.evaluation_sample = 16;
        EXPECT_EQ(other.statistics(data), scalar.statistics(data));
        EXPECT_EQ(*other.run(data, data::Split::test, 20), *expected);
      }
    }
  }
}

// 70 images in batches of 8 leave 6 over; what the rest of the last batch holds does not show.
TEST(Evaluation, PartialBatchesCountEveryImageOnce) {
  const ToyData toy;
  const data::DataSet data = toy.open();
  Evaluator whole("lenet");
  for (const uint32_t batch : {1u, 7u, 16u}) {
    Evaluator other("lenet", exact::supported_isas().back(), 1, batch);
    other.recipe.evaluation_sample = 7 * 16;
    EXPECT_EQ(*other.run(data, data::Split::test), *whole.run(data, data::Split::test)) << batch;
  }
  EXPECT_EQ(whole.run(data, data::Split::test, 13)->images, 13u);
}

// A model whose last bias is large always answers that class, so accuracy is the share of the class and the
// loss follows from the bias.
TEST(Evaluation, CountsAsByHand) {
  const ToyData toy;
  const data::DataSet data = toy.open();
  Evaluator constant("mlp");
  const size_t count = constant.parameters.size();
  std::fill(constant.parameters.begin(), constant.parameters.end(), 0.0f);
  constant.parameters[count - 2] = 3.0f;  // class 2 of 4
  uint32_t of_class = 0;
  for (uint32_t i = 0; i < 150; ++i) of_class += *data.label(data::Split::train, i) == 2 ? 1 : 0;
  const auto result = constant.run(data, data::Split::train);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->correct, of_class);
  EXPECT_EQ(result->images, 150u);
  const double log_sum = std::log(std::exp(3.0) + 3);
  EXPECT_NEAR(result->loss, log_sum - 3.0 * of_class / 150, 1e-5);
}

TEST(Evaluation, StatisticsAreTheMeanOverTheSample) {
  const ToyData toy;
  const data::DataSet data = toy.open();
  Evaluator evaluator("resnet8");
  const std::vector<float> whole = evaluator.statistics(data);
  ASSERT_FALSE(whole.empty());
  EXPECT_EQ(whole, evaluator.statistics(data));
  evaluator.recipe.evaluation_sample = 8;
  const std::vector<float> first = evaluator.statistics(data);
  EXPECT_NE(first, whole);
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(first[i], whole[i], 0.3 * std::abs(whole[i]) + 0.3);
  EXPECT_TRUE(Evaluator("lenet").statistics(data).empty());
}

TEST(Evaluation, RefusesWithReasons) {
  const ToyData toy(150, 0);
  const data::DataSet data = toy.open();
  Evaluator evaluator("mlp");
  EXPECT_EQ(evaluator.run(data, data::Split::test).error().message,
            "the data set has no test samples to evaluate on");
  const auto stop = [](uint64_t, uint64_t) { return false; };
  EXPECT_EQ(evaluator.run(data, data::Split::train, 20, stop).error().message, "stopped");
  evaluator.parameters[0] = INFINITY;
  EXPECT_THAT(evaluate(evaluator.recipe, evaluator.network, *evaluator.backend, data, data::Split::train,
                       evaluator.parameters, {})
                  .error()
                  .message,
              HasSubstr("diverged"));
}

TEST(Evaluation, RefusesModelsThatPredictAtEachPosition) {
  const ToyData toy;
  const data::DataSet data = toy.open();
  model::GraphBuilder g({1, 1, ToyData::kSide, ToyData::kSide});
  model::Attributes rows;
  rows.shape = {0, ToyData::kSide, ToyData::kSide};
  const model::ValueId x = g.node(model::Operator::reshape, "rows", {g.input()}, rows);
  g.node(model::Operator::gemm, "logits", {x, g.parameter("w", {4, ToyData::kSide})});
  const model::Graph graph = std::move(g).finish().value();
  Recipe recipe = toy_recipe(0);
  ThreadPool pool(1);
  const auto backend = exact::make_backend(exact::Isa::scalar, pool);
  auto network = compile_network(graph, recipe, *backend).value();
  const auto result = evaluate(recipe, network, *backend, data, data::Split::test,
                               std::vector<float>(network.parameter_count()), {});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(
      result.error().message,
      HasSubstr("the model makes this many predictions: 16 for each image of the data, where 1 are needed"));
}

}  // namespace
}  // namespace cairn::work
