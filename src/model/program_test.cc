#include "model/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <set>

#include "model/builtin.h"
#include "model/graph_builder.h"
#include "model/network.h"
#include "model/random_graph.h"
#include "model/shadow.h"

namespace cairn::model {
namespace {

using ::testing::HasSubstr;

// With each chain taken apart.
std::vector<Instruction> instructions_of(const Program& program) {
  std::vector<Instruction> result;
  for (const Instruction& instruction : program.instructions) {
    if (instruction.op != Opcode::chain) result.push_back(instruction);
    std::ranges::copy(instruction.parts, std::back_inserter(result));
  }
  return result;
}

Program lowered(const Graph& graph, int64_t batch, Mode mode = Mode::training) {
  const Layout layout(graph, batch);
  auto program = lower(graph, layout, {.batch = batch}, mode);
  EXPECT_TRUE(program.ok()) << program.error().message;
  return std::move(program).value();
}

std::vector<float> random_input(size_t count, std::mt19937& random) {
  std::normal_distribution<float> distribution;
  std::vector<float> result(count);
  for (float& value : result) value = distribution(random);
  return result;
}

// Keeping every tensor forbids reuse of memory and leaves each instruction alone: if a plan destroyed
// something still needed, or a chain gave something else than its parts, the bits would differ.
void expect_same_as_keeping_tensors(exact::Isa isa, int threads) {
  std::mt19937 random(11);
  ThreadPool pool(threads);
  auto backend = exact::make_backend(isa, pool);
  for (int round = 0; round < 150; ++round) {
    const Graph graph = RandomGraph(random).make();
    const ProductBits bits = product_bits(round % 2 == 0 ? Precision::standard : Precision::fast);
    auto tight = Network::compile(graph, {.batch = 2, .bits = bits}, *backend);
    auto roomy = Network::compile(graph, {.batch = 2, .bits = bits, .keep_tensors = true}, *backend);
    ASSERT_TRUE(tight.ok() && roomy.ok()) << tight.error().message;
    ASSERT_LE(tight->memory_bytes(), roomy->memory_bytes());
    const std::vector<float> parameters = initial_parameters(graph, 5);
    const std::vector<float> input = random_input(tight->input_count(), random);
    const std::vector<int32_t> labels = {0, 2};
    std::vector<float> a(parameters.size());
    std::vector<float> b(parameters.size());
    auto loss = tight->gradient(parameters, input, labels, {}, a);
    ASSERT_TRUE(loss.ok()) << loss.error().message;
    ASSERT_EQ(*loss, *roomy->gradient(parameters, input, labels, {}, b));
    ASSERT_EQ(a, b) << "round " << round;
    auto statistics = tight->batch_statistics(parameters, input);
    ASSERT_TRUE(statistics.ok());
    ASSERT_EQ(*statistics, *roomy->batch_statistics(parameters, input));
    ASSERT_EQ(*tight->logits(parameters, *statistics, input), *roomy->logits(parameters, *statistics, input));
  }
}

TEST(Program, RandomGraphsComputeTheSameWithAndWithoutChainsAndReuseOfMemory) {
  expect_same_as_keeping_tensors(exact::Isa::scalar, 1);
  expect_same_as_keeping_tensors(exact::supported_isas().back(), 3);
}

// What a training program is made of, chains by their parts.
std::set<std::string> names_of(const Program& program) {
  std::set<std::string> names;
  for (const Instruction& instruction : program.instructions) names.insert(instruction_name(instruction));
  return names;
}

TEST(Program, NothingOfAResidualBlockPassesThroughMemoryButWhatIsNeededTwice) {
  const Program program = lowered(*builtin_model("resnet8", {1, 3, 8, 8}, 10), 4);
  const std::set<std::string> names = names_of(program);
  for (const char* chain :
       {"normalize+relu+quantize", "normalize+add+relu+quantize",
        "normalize+relu_gradient+normalize_gradient", "add+relu_gradient+normalize_gradient"})
    EXPECT_EQ(names.count(chain), 1) << chain;
  for (const char* alone : {"relu", "relu_gradient", "normalize", "add"})
    EXPECT_EQ(names.count(alone), 0) << alone;
  std::set<BufferId> products, checked;
  for (const Instruction& instruction : program.instructions) {
    if (instruction.op == Opcode::check_finite) checked.insert(instruction.reads[0]);
    if (program.buffers[instruction.reads[0]].type == ElementType::quantized)
      products.insert(instruction.writes[0]);
  }
  for (BufferId b : products) EXPECT_EQ(checked.count(b), 0) << "products see to themselves";
}

TEST(Program, ChainsStayOnTheirSideOfTheWayBack) {
  const Graph graph = *builtin_model("resnet8", {1, 3, 8, 8}, 10);
  const Program program = lowered(graph, 4);
  for (size_t i = 0; i < program.instructions.size(); ++i) {
    for (const Instruction& part : program.instructions[i].parts) {
      const bool backward = part.op == Opcode::relu_gradient || part.op == Opcode::normalize_gradient ||
                            part.op == Opcode::quantize_dithered;
      EXPECT_TRUE(!backward || i >= program.forward_end);
      EXPECT_TRUE(part.op != Opcode::relu || i < program.forward_end);
    }
  }
}

TEST(Program, WholeNetworksAgreeWithBinary64FromTheSameTensors) {
  ThreadPool pool(1);
  auto backend = exact::make_backend(exact::Isa::scalar, pool);
  std::mt19937 random(12);
  for (std::string_view name : builtin_names()) {
    const Graph graph = *builtin_model(name, {1, 1, 16, 16}, 10);
    auto network = Network::compile(graph, {.batch = 4, .keep_tensors = true}, *backend);
    ASSERT_TRUE(network.ok());
    const std::vector<float> parameters = initial_parameters(graph, 5);
    const std::vector<float> input = random_input(network->input_count(), random);
    const std::vector<int32_t> labels = {3, 1, 4, 1};
    std::vector<float> gradient(parameters.size());
    ASSERT_TRUE(network->gradient(parameters, input, labels, {}, gradient).ok());
    Shadow shadow(graph, 4, parameters, input);
    shadow.forward();
    std::vector<Doubles> tensors;
    const auto take = [&](const auto&, const auto&, std::span<const float> v) {
      tensors.emplace_back(v.begin(), v.end());
    };
    ASSERT_TRUE(network->visit(take).ok());
    const std::vector<float> logits(tensors.back().begin(), tensors.back().end());
    EXPECT_LE(relative_error(logits, shadow.values[graph.output], 0), 1e-2) << name;
    shadow.forward(tensors);
    const std::vector<Doubles> expected = shadow.backward(labels);
    double all = 0;
    for (const Doubles& part : expected) all = std::hypot(all, norm(part));
    size_t index = 0;
    for (const ParameterInfo& p : network->parameters()) {
      const auto mine = std::span(gradient).subspan(p.offset, p.count);
      EXPECT_LE(relative_error(mine, expected[index++], 1e-3 * all), 1e-2) << name << " " << p.name;
    }
  }
}

// x feeds three scalings; the parts of its gradient are d, -2^30 d and 2^30 d. Only from the last consumer to
// the first do they add up to d in binary32; from the first to the last they add up to nothing.
TEST(Program, PartsOfAGradientAddFromTheLastConsumerToTheFirst) {
  GraphBuilder g({1, 2});
  const ValueId x = g.node(Operator::add, "x", {g.input(), g.parameter("p", {2})});
  const ValueId a = g.node(Operator::multiply, "a", {x, g.parameter("sa", {1})});
  const ValueId b = g.node(Operator::multiply, "b", {x, g.parameter("sb", {1})});
  const ValueId c = g.node(Operator::multiply, "c", {x, g.parameter("sc", {1})});
  const ValueId bc = g.node(Operator::add, "bc", {b, c});
  g.node(Operator::add, "out", {a, bc});
  const Graph graph = *std::move(g).finish();
  ThreadPool pool(1);
  auto backend = exact::make_backend(exact::Isa::scalar, pool);
  auto network = Network::compile(graph, {}, *backend);
  ASSERT_TRUE(network.ok()) << network.error().message;
  const std::vector<float> parameters = {0, 0, 1, -0x1p30f, 0x1p30f};
  const std::vector<float> input = {0.5f, 0.5f};
  const std::vector<int32_t> labels = {1};
  std::vector<float> gradient(parameters.size());
  ASSERT_TRUE(network->gradient(parameters, input, labels, {}, gradient).ok());
  EXPECT_EQ(gradient[0], 0.5f);
  EXPECT_EQ(gradient[1], -0.5f);
}

TEST(Program, TheFirstLayerComputesNoInputGradientAndActivationsAreQuantizedOnce) {
  const Graph graph = *builtin_model("lenet", {1, 1, 28, 28}, 10);
  const Program program = lowered(graph, 4);
  std::vector<int> count(static_cast<size_t>(Opcode::chain) + 1);
  for (const Instruction& instruction : instructions_of(program))
    ++count[static_cast<size_t>(instruction.op)];
  const auto of = [&](Opcode op) { return count[static_cast<size_t>(op)]; };
  EXPECT_EQ(of(Opcode::convolve), 2);
  EXPECT_EQ(of(Opcode::convolve_input_gradient), 1);
  EXPECT_EQ(of(Opcode::convolve_weight_gradient), 2);
  EXPECT_EQ(of(Opcode::quantize), 5 + 5 + 4) << "activations, weights by output, weights by input";
  EXPECT_EQ(of(Opcode::quantize_dithered), 5);
}

TEST(Program, EvaluationHasNoBackward) {
  const Graph graph = *builtin_model("resnet8", {1, 1, 8, 8}, 10);
  for (const Instruction& instruction : instructions_of(lowered(graph, 4, Mode::evaluation))) {
    EXPECT_NE(instruction.op, Opcode::moments);
    EXPECT_NE(instruction.op, Opcode::quantize_dithered);
  }
}

// Runs a program in poisoned memory between guards: it must neither read what it did not write nor touch more
// than the plan says, and use the plan to its end.
TEST(Program, UsesExactlyThePlannedMemory) {
  constexpr uint64_t kGuard = 4096;
  ThreadPool pool(1);
  auto backend = exact::make_backend(exact::Isa::scalar, pool);
  std::mt19937 random(13);
  for (int round = 0; round < 20; ++round) {
    const Graph graph = RandomGraph(random).make();
    const Layout layout(graph, 2);
    const uint64_t limit = round % 2 == 0 ? UINT64_MAX : 0;
    auto program = lower(graph, layout, {.batch = 2, .memory_limit = limit}, Mode::training);
    ASSERT_TRUE(program.ok());
    auto device = make_cpu_device(*backend);
    const uint64_t size = program->memory_bytes + kGuard;
    ASSERT_TRUE(device->reserve(size).ok());
    std::vector<uint8_t> poison(size, 0xff);  // NaN, and exponents and labels out of range
    device->upload(0, std::as_bytes(std::span(poison)));
    const std::vector<float> parameters = initial_parameters(graph, 5);
    const std::vector<float> input = random_input(layout.input_count, random);
    const std::vector<int32_t> targets = {0, 2, 0, 2, std::bit_cast<int32_t>(1.0f), 0};
    device->upload(layout.parameters, std::as_bytes(std::span(parameters)));
    device->upload(layout.input, std::as_bytes(std::span(input)));
    device->upload(layout.targets, std::as_bytes(std::span(targets)));
    for (const Instruction& instruction : program->instructions) {
      ASSERT_FALSE(device->run(*program, instruction, {}).has_value());
    }
    std::vector<uint8_t> after(size);
    device->download(0, std::as_writable_bytes(std::span(after)));
    uint64_t touched = size;
    while (touched > 0 && after[touched - 1] == 0xff) --touched;
    EXPECT_LE(touched, program->memory_bytes);
    EXPECT_GT(touched + kAlignment, program->memory_bytes);
  }
}

// Convolutions, products with weights, and a product of activations.
Graph graph_of_all_products() {
  GraphBuilder g({1, 4, 6, 6});
  const auto weight = [&](const std::string& name, Shape shape) {
    return g.parameter(name, std::move(shape), Initializer::kaiming_uniform, 9);
  };
  const Attributes same{.kernel = {3, 3}, .strides = {1, 1}, .pads = {1, 1, 1, 1}, .dilations = {1, 1}};
  ValueId x = g.node(Operator::conv, "conv1", {g.input(), weight("w1", {4, 4, 3, 3})}, same);
  x = g.node(Operator::depthwise_conv, "depthwise", {x, weight("w2", {4, 1, 3, 3})}, same);
  x = g.node(Operator::conv, "conv2", {x, weight("w3", {4, 4, 3, 3})}, same);
  x = g.node(Operator::matmul, "matmul", {x, weight("w4", {6, 6})});
  x = g.node(Operator::batch_matmul, "attention", {x, x});
  x = g.node(Operator::flatten, "flatten", {x});
  g.node(Operator::gemm, "fc", {x, weight("w5", {3, 144})});
  return *std::move(g).finish();
}

// The bits of what the product reads, both operands alike, as the instructions before it made them.
int operand_bits(const Program& program, size_t product) {
  std::vector<int> bits;
  for (const Instruction& one : instructions_of(program)) {
    for (BufferId read : program.instructions[product].reads) {
      if (one.bits != 0 && one.writes[0] == read) bits.push_back(one.bits);
    }
  }
  EXPECT_EQ(bits.size(), 2u);
  EXPECT_EQ(bits.front(), bits.back());
  return bits.front();
}

TEST(Program, EachProductReadsIntegersOfItsBits) {
  const Graph graph = graph_of_all_products();
  const Layout layout(graph, 2);
  const auto program =
      lower(graph, layout, {.batch = 2, .bits = {.forward = 8, .input_gradient = 9, .weight_gradient = 13}},
            Mode::training);
  ASSERT_TRUE(program.ok()) << program.error().message;
  std::map<int, int> products;
  for (size_t i = 0; i < program->instructions.size(); ++i) {
    const Instruction& one = program->instructions[i];
    const bool is_product =
        !one.reads.empty() && program->buffers[one.reads[0]].type == ElementType::quantized;
    if (!is_product) continue;
    const bool of_weight = one.op == Opcode::product_tn || one.op == Opcode::convolve_weight_gradient;
    const int expected = i < program->forward_end ? 8 : of_weight ? 13 : 9;
    EXPECT_EQ(operand_bits(*program, i), expected) << opcode_name(one.op);
    ++products[expected];
  }
  // The input of conv1 needs no gradient, and the depthwise convolution is integers for its weight alone.
  EXPECT_EQ(products, (std::map<int, int>{{8, 5}, {9, 5}, {13, 5}}));
}

struct Damage {
  const char* what;
  void (*apply)(Program&);
  const char* message;
};

// Each damage alone, to a program that has none.
void expect_refused(const Program& program, std::span<const Damage> damages) {
  ASSERT_TRUE(verify_program(program).ok());
  for (const Damage& damage : damages) {
    Program damaged = program;
    damage.apply(damaged);
    auto status = verify_program(damaged);
    ASSERT_FALSE(status.ok()) << damage.what;
    EXPECT_THAT(status.error().message, HasSubstr(damage.message)) << damage.what;
  }
}

Instruction& find(Program& program, Opcode op) {
  for (Instruction& instruction : program.instructions) {
    if (instruction.op == op) return instruction;
  }
  ADD_FAILURE() << "no such instruction";
  return program.instructions[0];
}

TEST(Program, TheVerifierRefusesDamage) {
  const Damage damages[] = {
      {"dropped instruction", [](Program& p) { p.instructions.erase(p.instructions.begin()); },
       "before it is written"},
      {"repeated instruction", [](Program& p) { p.instructions.push_back(p.instructions[0]); },
       "written twice"},
      {"reversed", [](Program& p) { std::reverse(p.instructions.begin(), p.instructions.end()); },
       "before it is written"},
      {"wrong size", [](Program& p) { ++p.buffers[find(p, Opcode::sum).reads[0]].elements; }, "does not fit"},
      {"wrong type",
       [](Program& p) { p.buffers[find(p, Opcode::max_pool).reads[0]].type = ElementType::int32; },
       "does not fit"},
      {"wrong groups",
       [](Program& p) {
         p.buffers[find(p, Opcode::quantize).writes[0]].groups = {1, 1, 1, 1};
       },
       "does not fit"},
      {"no such buffer", [](Program& p) { find(p, Opcode::max_pool).reads[0] = 100000; }, "no such buffer"},
      {"missing operand", [](Program& p) { find(p, Opcode::sum).reads.clear(); }, "number of operands"},
      {"outside", [](Program& p) { p.memory_bytes -= kAlignment; }, "outside of memory"},
      {"far outside", [](Program& p) { p.buffers[find(p, Opcode::sum).reads[0]].offset = ~uint64_t{0} - 3; },
       "outside"},
      {"onto the parameters", [](Program& p) { p.buffers[find(p, Opcode::convolve).writes[0]].offset = 0; },
       "overlaps"},
      {"onto an operand",
       [](Program& p) {
         const Instruction& i = find(p, Opcode::convolve);
         p.buffers[i.writes[0]].offset = p.buffers[i.reads[0]].offset;
         p.memory_bytes += 1 << 20;  // so that it does not lie outside
       },
       "overlaps"},
      {"result not written", [](Program& p) { p.buffers.push_back({.elements = 1, .kept = true}); },
       "never written"},
  };
  const Program program = lowered(*builtin_model("lenet", {1, 1, 28, 28}, 10), 4);
  expect_refused(program, damages);
}

// A chain that starts with its part `op`.
Instruction& chain_with(Program& program, Opcode op) {
  for (Instruction& instruction : program.instructions) {
    if (!instruction.parts.empty() && instruction.parts[0].op == op) return instruction;
  }
  ADD_FAILURE() << "no such chain";
  return program.instructions[0];
}

TEST(Program, TheVerifierRefusesDamagedChains) {
  constexpr Opcode kFirst = Opcode::normalize;
  const Damage damages[] = {
      {"no parts", [](Program& p) { chain_with(p, kFirst).parts.clear(); }, "no chain"},
      {"too many parts",
       [](Program& p) {
         auto& parts = chain_with(p, kFirst).parts;
         parts.resize(kMaxChain + 1, parts[0]);
       },
       "no chain"},
      {"what is no step", [](Program& p) { chain_with(p, kFirst).parts[1].op = Opcode::sum; }, "no chain"},
      {"an end in the middle",
       [](Program& p) {
         auto& parts = chain_with(p, kFirst).parts;
         std::swap(parts[parts.size() - 1], parts[parts.size() - 2]);
       },
       "no chain"},
      {"a check of nothing inside",
       [](Program& p) {
         Instruction& chain = chain_with(p, kFirst);
         chain.parts[1] = {.op = Opcode::check_finite,
                           .reads = {chain.reads[0]},
                           .writes = {},
                           .geometry = Elements{p.buffers[chain.reads[0]].elements}};
       },
       "no chain"},
      {"parts of another size",
       [](Program& p) { std::get<exact::Channels>(chain_with(p, kFirst).parts[0].geometry).samples = 1; },
       "does not fit"},
      {"a read too few", [](Program& p) { chain_with(p, kFirst).reads.pop_back(); }, "reads other buffers"},
      {"a read too many", [](Program& p) { chain_with(p, kFirst).reads.push_back(0); },
       "reads other buffers"},
      {"a read twice",
       [](Program& p) {
         auto& reads = chain_with(p, kFirst).reads;
         reads.push_back(reads[0]);
       },
       "reads other buffers"},
      {"what no part writes", [](Program& p) { chain_with(p, kFirst).writes.push_back(0); },
       "no part writes"},
      {"a lost end", [](Program& p) { chain_with(p, kFirst).writes.clear(); }, "is lost"},
      {"written twice",
       [](Program& p) {
         auto& parts = chain_with(p, kFirst).parts;
         parts.insert(parts.begin(), parts[0]);
       },
       "written twice"},
      {"a result that somebody needs",
       [](Program& p) {
         auto& writes = chain_with(p, Opcode::add).writes;
         writes.erase(writes.begin());
       },
       "read before it is written"},
  };
  const Program program = lowered(*builtin_model("resnet8", {1, 3, 8, 8}, 10), 4);
  expect_refused(program, damages);
}

// Any two buffers that swap places overlap something still to be read, or hold nothing at the same time.
TEST(Program, TheVerifierSeesMisplacedBuffers) {
  const Program program = lowered(*builtin_model("lenet", {1, 1, 28, 28}, 10), 4);
  std::mt19937 random(14);
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    Program moved = program;
    moved.buffers[random() % moved.buffers.size()].offset = random() % (program.memory_bytes / 64) * 64;
    refused += !verify_program(moved).ok();
  }
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace cairn::model
