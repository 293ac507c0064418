#include "model/recomputation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "model/builtin.h"
#include "model/effort.h"
#include "model/network.h"
#include "model/planner.h"
#include "model/random_graph.h"
#include "model/schedule.h"

namespace cairn::model {
namespace {

using ::testing::HasSubstr;

// Blocks of attention and of a wider layer, with dropout, over embedded tokens.
Graph language_model(int blocks) {
  constexpr int64_t kTokens = 11, kPositions = 6, kWidth = 8;
  GraphBuilder g({1, kPositions});
  int number = 0;
  const auto name = [&](const char* kind) { return kind + std::to_string(number++); };
  const auto weight = [&](Shape shape) {
    return g.parameter(name("w"), std::move(shape), Initializer::kaiming_uniform, kWidth);
  };
  const auto drop = [&](ValueId x) {
    Attributes a;
    a.alpha = 0.25f;
    return g.node(Operator::dropout, name("dropout"), {x}, a);
  };
  Attributes rows, last;
  rows.axis = last.axis = 2;
  rows.epsilon = 1e-5f;
  Attributes turn;
  turn.permutation = {0, 2, 1};
  ValueId x = g.node(Operator::embedding, "embedding", {g.input(), weight({kTokens, kWidth})});
  x = drop(g.node(Operator::add, "places", {x, weight({kPositions, kWidth})}));
  for (int i = 0; i < blocks; ++i) {
    const ValueId n = g.node(Operator::row_normalization, name("norm"), {x}, rows);
    const ValueId q = g.node(Operator::matmul, name("q"), {n, weight({kWidth, kWidth})});
    const ValueId k = g.node(Operator::transpose, name("k"),
                             {g.node(Operator::matmul, name("kt"), {n, weight({kWidth, kWidth})})}, turn);
    const ValueId scores = g.node(Operator::batch_matmul, name("scores"), {q, k});
    const ValueId p = drop(g.node(Operator::softmax, name("softmax"), {scores}, last));
    x = g.node(Operator::add, name("sum"), {x, g.node(Operator::batch_matmul, name("mix"), {p, n})});
    const ValueId wide = g.node(Operator::matmul, name("wide"), {x, weight({kWidth, 4 * kWidth})});
    const ValueId active = drop(g.node(Operator::tanh, name("tanh"), {wide}));
    x = g.node(Operator::add, name("sum"),
               {x, g.node(Operator::matmul, name("narrow"), {active, weight({4 * kWidth, kWidth})})});
  }
  g.node(Operator::gemm, "logits", {x, weight({kTokens, kWidth})});
  auto graph = std::move(g).finish();
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return std::move(graph).value();
}

// Convolutions one behind the other.
Graph deep_model(int layers) {
  GraphBuilder g({1, 4, 8, 8});
  const Attributes same{.kernel = {3, 3}, .strides = {1, 1}, .pads = {1, 1, 1, 1}, .dilations = {1, 1}};
  ValueId x = g.input();
  for (int i = 0; i < layers; ++i) {
    const std::string n = std::to_string(i);
    const ValueId w = g.parameter("w" + n, {4, 4, 3, 3}, Initializer::kaiming_uniform, 36);
    x = g.node(Operator::relu, "relu" + n, {g.node(Operator::conv, "conv" + n, {x, w}, same)});
  }
  x = g.node(Operator::flatten, "flatten", {g.node(Operator::global_average_pool, "pool", {x})});
  g.node(Operator::gemm, "fc", {x, g.parameter("fc.w", {3, 4}, Initializer::kaiming_uniform, 4)});
  return std::move(g).finish().value();
}

struct Outcome {
  uint64_t memory = 0;
  uint64_t again_permille = 0;
  float loss = 0;
  std::vector<float> gradient = {}, statistics = {}, logits = {};
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), 4 * a.size()) == 0);
}

class RecomputationTest : public ::testing::Test {
 protected:
  NetworkOptions options(uint64_t limit) const { return {.batch = batch_, .memory_limit = limit}; }

  Result<Outcome> run(const Graph& graph, uint64_t limit) {
    CAIRN_TRY(Network network, Network::compile(graph, options(limit), *backend_));
    const std::vector<float> parameters = initial_parameters(graph, 5);
    std::vector<float> input(network.input_count());
    const int64_t tokens = token_limit(graph);
    for (size_t i = 0; i < input.size(); ++i) {
      input[i] = tokens > 0 ? static_cast<float>(i * i % static_cast<size_t>(tokens))
                            : std::sin(static_cast<float>(i * 37));
    }
    std::vector<int32_t> labels(network.label_count());
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i) % 3;
    Outcome o{.memory = network.memory_bytes(), .again_permille = network.memory_plan().again_permille};
    o.gradient.resize(parameters.size());
    const DitherKey key{.seed = 7, .round = 1, .unit = 2, .step = 3};
    CAIRN_TRY(o.loss, network.gradient(parameters, input, labels, key, o.gradient));
    CAIRN_TRY(o.statistics, network.batch_statistics(parameters, input));
    CAIRN_TRY(o.logits, network.logits(parameters, o.statistics, input));
    return o;
  }

  // Every program that some limit gives, from all the memory down to the least: each next limit is a byte
  // less than the last program took. Returns how many there are.
  int expect_same_at_every_limit(const Graph& graph, const std::string& name) {
    const auto roomy = run(graph, UINT64_MAX);
    EXPECT_TRUE(roomy.ok()) << roomy.error().message;
    EXPECT_EQ(roomy->again_permille, 0u);
    const auto need = memory_need(graph, batch_, {});
    EXPECT_EQ(need->roomy, roomy->memory);
    int programs = 0;
    for (uint64_t limit = roomy->memory - 1; limit >= need->least; ++programs) {
      const auto tight = run(graph, limit);
      EXPECT_TRUE(tight.ok()) << name << " at " << limit << ": " << tight.error().message;
      if (!tight.ok()) break;
      EXPECT_LE(tight->memory, limit) << name;
      EXPECT_EQ(std::memcmp(&tight->loss, &roomy->loss, 4), 0) << name << " at " << limit;
      EXPECT_TRUE(same_bits(tight->gradient, roomy->gradient)) << name << " at " << limit;
      EXPECT_TRUE(same_bits(tight->statistics, roomy->statistics)) << name << " at " << limit;
      EXPECT_TRUE(same_bits(tight->logits, roomy->logits)) << name << " at " << limit;
      limit = tight->memory - 1;
    }
    EXPECT_FALSE(Network::compile(graph, options(need->least - 1), *backend_).ok()) << name;
    return programs;
  }

  int64_t batch_ = 3;
  ThreadPool pool_{2};
  std::unique_ptr<exact::Backend> backend_ = exact::make_backend(exact::supported_isas().back(), pool_);
};

TEST_F(RecomputationTest, BuiltInModelsGiveTheSameBitsAtEveryLimit) {
  batch_ = 4;
  for (std::string_view name : builtin_names()) {
    const int programs =
        expect_same_at_every_limit(*builtin_model(name, {1, 3, 16, 16}, 10), std::string(name));
    EXPECT_GE(programs, name == "resnet8" ? 5 : 0) << name;
  }
}

TEST_F(RecomputationTest, RandomGraphsGiveTheSameBitsAtEveryLimit) {
  std::mt19937 random(21);
  int programs = 0;
  for (int round = 0; round < 60; ++round) {
    programs += expect_same_at_every_limit(RandomGraph(random).make(), "graph " + std::to_string(round));
  }
  EXPECT_GT(programs, 100);
}

// Their masks are those of their keys, however often they are made.
TEST_F(RecomputationTest, AttentionAndDropoutGiveTheSameBitsAtEveryLimit) {
  EXPECT_GT(expect_same_at_every_limit(language_model(3), "language model"), 5);
}

TEST_F(RecomputationTest, TheScalarReferenceAgrees) {
  const Graph graph = language_model(2);
  const uint64_t least = memory_need(graph, batch_, {})->least;
  const Outcome fast = *run(graph, least);
  ThreadPool one(1);
  backend_ = exact::make_backend(exact::Isa::scalar, one);
  const Outcome reference = *run(graph, least);
  EXPECT_TRUE(same_bits(fast.gradient, reference.gradient));
  backend_.reset();
}

Program lowered(const Graph& graph, int64_t batch, uint64_t limit = UINT64_MAX) {
  const Layout layout(graph, batch);
  return lower(graph, layout, {.batch = batch, .memory_limit = limit}, Mode::training).value();
}

// A chain of n layers needs memory for about the square root of n of them if each runs twice at most.
TEST_F(RecomputationTest, AChainNeedsTheSquareRootOfItsLength) {
  const Graph graph = deep_model(64);
  const Program roomy = lowered(graph, 64);
  const uint64_t fixed = Layout(graph, 64).end;
  const uint64_t tensors = roomy.memory_bytes - fixed;
  const Program third = lowered(graph, 64, fixed + tensors * 35 / 100);
  EXPECT_LE(third.memory_bytes, fixed + tensors * 35 / 100);
  EXPECT_LE(third.effort_again, effort(roomy) * 35 / 100) << "no more than a way forward";
  EXPECT_LE(lowered(graph, 64, 0).memory_bytes - fixed, tensors / 4);
}

TEST_F(RecomputationTest, NothingRunsAgainWhereThereIsRoom) {
  const Graph graph = *builtin_model("resnet8", {1, 3, 16, 16}, 10);
  const Program roomy = lowered(graph, 4), enough = lowered(graph, 4, roomy.memory_bytes);
  EXPECT_EQ(enough.instructions.size(), roomy.instructions.size());
  EXPECT_EQ(enough.effort_again, 0u);
  EXPECT_EQ(enough.roomy_bytes, roomy.memory_bytes);
}

TEST_F(RecomputationTest, StatisticsAndGradientsAreWrittenOnce) {
  const Graph graph = *builtin_model("resnet8", {1, 3, 16, 16}, 10);
  const Program roomy = lowered(graph, 4), least = lowered(graph, 4, 0);
  EXPECT_LT(least.memory_bytes, roomy.memory_bytes);
  EXPECT_GT(least.effort_again, 0u);
  const auto written = [](const Program& program) {
    int fixed = 0, moments = 0;
    for (const Instruction& instruction : program.instructions) {
      for (BufferId b : instruction.writes) fixed += program.buffers[b].fixed;
      moments += instruction.op == Opcode::moments;
    }
    return std::pair(fixed, moments);
  };
  EXPECT_EQ(written(least), written(roomy));
}

// The forward part alone gives the statistics, so all that belongs to it comes before its end.
TEST_F(RecomputationTest, TheWayBackStaysBehindTheEndOfTheWayForward) {
  for (const Graph& graph : {*builtin_model("resnet8", {1, 3, 16, 16}, 10), deep_model(12)}) {
    const Program least = lowered(graph, 4, 0);
    ASSERT_LT(least.forward_end, least.instructions.size());
    for (size_t i = 0; i < least.instructions.size(); ++i) {
      const Opcode op = least.instructions[i].op;
      EXPECT_TRUE(op != Opcode::moments || i < least.forward_end);
      EXPECT_TRUE(op != Opcode::softmax_cross_entropy || i == least.forward_end);
    }
  }
}

TEST_F(RecomputationTest, WhatDoesNotFitIsRefusedWithTheLeastThatWould) {
  const Graph graph = *builtin_model("resnet8", {1, 3, 64, 64}, 10);
  const MemoryNeed need = *memory_need(graph, batch_, {});
  const uint64_t least = (need.least + (1 << 20) - 1) >> 20;
  const auto refused = Network::compile(graph, options(need.least - 1), *backend_);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message,
              HasSubstr("needs " + std::to_string(least) + " MiB of memory at the least"));
  EXPECT_TRUE(Network::compile(graph, options(least << 20), *backend_).ok());
}

// What a plan takes is never less than what its schedule says, and mostly no more.
TEST_F(RecomputationTest, ADemandIsWhatAPerfectPlanTakes) {
  std::mt19937 random(22);
  for (int round = 0; round < 50; ++round) {
    const Program program = lowered(RandomGraph(random).make(), 2);
    const Schedules schedules(program);
    const Demand demand = schedules.demand(schedules.plain());
    uint64_t begin = UINT64_MAX;
    for (const Instruction& instruction : program.instructions) {
      for (BufferId b : instruction.writes) {
        if (!program.buffers[b].fixed) begin = std::min(begin, program.buffers[b].offset);
      }
    }
    EXPECT_GE(program.memory_bytes - begin, demand.peak);
    EXPECT_LE(program.memory_bytes - begin, demand.peak * 5 / 4);
  }
}

// Any schedule in which instructions run again is a program with the same results; here random ones.
TEST_F(RecomputationTest, AnyScheduleIsASoundProgram) {
  std::mt19937 random(23);
  for (int round = 0; round < 100; ++round) {
    const Graph graph = RandomGraph(random).make();
    const Program program = lowered(graph, 2);
    const Schedules schedules(program);
    Schedule schedule = schedules.plain();
    for (int change = 0; change < 8; ++change) {
      const auto waiting = schedules.waiting_at(schedule, random() % schedule.size());
      if (waiting.empty()) continue;
      const uint64_t keep = std::array<uint64_t, 3>{0, 1024, UINT64_MAX}[random() % 3];
      schedule = schedules.without_waiting(schedule, waiting[random() % waiting.size()], keep);
      schedules.drop_useless(schedule);
    }
    Program again = schedules.program(schedule);
    plan_program(again, Layout(graph, 2).end);
    const Status sound = verify_program(again);
    ASSERT_TRUE(sound.ok()) << "round " << round << ": " << sound.error().message;
  }
}

}  // namespace
}  // namespace cairn::model
