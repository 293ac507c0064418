#include "project/offered_precision.h"

#include <gmock/gmock.h>

#include "model/builtin.h"
#include "model/graph_builder.h"

namespace cairn::project {
namespace {

using model::Precision;
using ::testing::HasSubstr;

model::Graph depthwise_model() {
  model::GraphBuilder g({1, 4, 6, 6});
  const model::Attributes same{
      .kernel = {3, 3}, .strides = {1, 1}, .pads = {1, 1, 1, 1}, .dilations = {1, 1}};
  const auto x =
      g.node(model::Operator::depthwise_conv, "conv", {g.input(), g.parameter("w", {4, 1, 3, 3})}, same);
  g.node(model::Operator::flatten, "flatten", {x});
  return *std::move(g).finish();
}

TEST(OfferedPrecision, FastIsOfferedForTheFamiliesThatLearnWithIt) {
  for (const std::string_view name : model::builtin_names()) {
    EXPECT_TRUE(check_offered(*model::builtin_model(name, {1, 1, 28, 28}, 10), Precision::fast).ok()) << name;
  }
}

TEST(OfferedPrecision, FastIsNotOfferedWithoutEvidence) {
  const model::Graph graph = depthwise_model();
  EXPECT_THAT(
      check_offered(graph, Precision::fast).error().message,
      HasSubstr("training.precision: \"fast\" is not offered for models with depthwise convolutions"));
  EXPECT_TRUE(check_offered(graph, Precision::standard).ok());
  EXPECT_TRUE(check_offered(graph, Precision::high).ok());
}

}  // namespace
}  // namespace cairn::project
