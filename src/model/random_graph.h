// For tests: random networks.
#pragma once

#include <gtest/gtest.h>

#include <random>

#include "model/graph_builder.h"

namespace cairn::model {

// Random networks of image operators with forks and joins, ending in a small classifier.
class RandomGraph {
 public:
  explicit RandomGraph(std::mt19937& random) : random_(random), g_({1, 4, 6, 6}), ends_{g_.input()} {}

  Graph make() {
    const int layers = 3 + static_cast<int>(random_() % 15);
    for (int i = 0; i < layers; ++i) ends_.push_back(layer(pick()));
    ValueId last = ends_[0];
    for (size_t i = 1; i < ends_.size(); ++i) last = g_.node(Operator::add, name("join"), {last, ends_[i]});
    last = g_.node(Operator::flatten, "flatten", {last});
    g_.node(Operator::gemm, "fc", {last, weight({3, 144}, 144)});
    auto graph = std::move(g_).finish();
    EXPECT_TRUE(graph.ok()) << graph.error().message;
    return std::move(graph).value();
  }

 private:
  std::string name(const char* kind) { return kind + std::to_string(number_++); }
  ValueId weight(Shape shape, int64_t fan_in) {
    return g_.parameter(name("w"), std::move(shape), Initializer::kaiming_uniform, fan_in);
  }

  // A value that later layers may read too, or not.
  ValueId pick() {
    const ValueId value = ends_[random_() % ends_.size()];
    if (ends_.size() > 1 && random_() % 3 != 0) std::erase(ends_, value);
    return value;
  }

  ValueId conv(ValueId x, int64_t groups, bool bias) {
    std::vector<ValueId> inputs = {x, weight({4, 4 / groups, 3, 3}, 9)};
    if (bias) inputs.push_back(weight({4}, 9));
    Attributes a{
        .kernel = {3, 3}, .strides = {1, 1}, .pads = {1, 1, 1, 1}, .dilations = {1, 1}, .groups = groups};
    return g_.node(Operator::conv, name("conv"), inputs, a);
  }

  ValueId layer(ValueId x) {
    switch (random_() % 10) {
      case 0:
        return g_.node(Operator::batch_normalization, name("bn"), {x, weight({4}, 1), weight({4}, 1)});
      case 1:
        return g_.node(Operator::relu, name("relu"), {x});
      case 2:
        return g_.node(Operator::max_pool, name("pool"), {x},
                       {.kernel = {3, 3}, .strides = {1, 1}, .pads = {1, 1, 1, 1}});
      case 3:
        return g_.node(Operator::multiply, name("gate"),
                       {x, g_.node(Operator::global_average_pool, name("gap"), {x})});
      case 4:
        return g_.node(Operator::add, name("add"), {x, pick()});
      case 5:
        return g_.node(Operator::add, name("bias"), {x, weight({4, 1, 1}, 4)});
      case 6:
        return g_.node(Operator::hard_swish, name("swish"), {x});
      case 7:
        return g_.node(Operator::clip, name("clip"), {x}, {.alpha = -1, .beta = 1});
      default:
        return conv(x, random_() % 2 ? 1 : 4, random_() % 2);
    }
  }

  std::mt19937& random_;
  GraphBuilder g_;
  std::vector<ValueId> ends_;
  int number_ = 0;
};

}  // namespace cairn::model
