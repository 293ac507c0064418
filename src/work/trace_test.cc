// Traces, and disputes about a stretch: whoever recomputes one from the state before it gets what computing
// the whole unit gives.
#include "work/trace.h"

#include <gmock/gmock.h>

#include "exact/backend.h"
#include "model/builtin.h"
#include "work/batch.h"
#include "work/false_stretch.h"
#include "work/toy_data.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;

const GradientTask kTask{sha256(Bytes{1}), sha256(Bytes{2}), 7, 3};

Recipe traced(uint32_t local_steps, uint32_t trace, uint32_t accumulation = 1) {
  Recipe recipe = toy_recipe(local_steps, accumulation);
  recipe.trace = trace;
  return recipe;
}

Recipe with_adamw(Recipe recipe) {
  recipe.optimizer = Optimizer::adamw;
  return recipe;
}

// Somebody who computes units of the toy data.
struct Machine {
  explicit Machine(const Recipe& r, exact::Isa isa = exact::supported_isas().back())
      : recipe(r),
        pool(1),
        backend(exact::make_backend(isa, pool)),
        graph(*model::builtin_model("mlp", {1, 1, ToyData::kSide, ToyData::kSide}, 4)),
        network(*compile_network(graph, recipe, *backend)),
        parameters(model::initial_parameters(graph, 1)) {}

  GradientFile compute(Resumption resumption = {}) {
    return *compute_gradient(kTask, recipe, network, data, parameters, {}, {}, std::move(resumption));
  }
  Result<StretchEnd> stretch(const GradientState& start, uint32_t index, const Progress& progress = {}) {
    return compute_stretch(kTask, recipe, network, data, parameters, start, index, progress);
  }
  // Gets no further than what is false.
  std::optional<FalseStretch> check(const GradientFile& file) {
    return *find_false_stretch(kTask, recipe, network, data, parameters, file, sha256(encode(file)));
  }
  // The true file but that something happens to the state after so many steps.
  GradientFile lie(uint32_t after, const std::function<void(GradientState&)>& happens) {
    GradientState state;
    const auto keep = [&](const GradientState& reached) {
      if (reached.batches == after * recipe.accumulation) state = reached;
    };
    compute({{}, keep});
    happens(state);
    return compute({state, {}});
  }

  const ToyData toy;
  const data::DataSet data = toy.open();
  Recipe recipe;
  ThreadPool pool;
  std::unique_ptr<exact::Backend> backend;
  model::Graph graph;
  model::Network network;
  std::vector<float> parameters;
};

std::vector<Recipe> recipes() {
  return {
      traced(7, 2), traced(6, 2), with_adamw(traced(5, 1, 2)), traced(3, 1),   traced(4, 3, 2), traced(4, 4),
      traced(4, 9), traced(4, 0), with_adamw(traced(8, 3)),    traced(0, 2, 2)};
}

TEST(Trace, StretchesCoverAUnitOnce) {
  for (const Recipe& recipe : recipes()) {
    uint32_t reached = 0;
    for (uint32_t i = 0; i < stretch_count(recipe); ++i) {
      const Steps steps = stretch_steps(recipe, i);
      EXPECT_EQ(steps.first, reached);
      EXPECT_GT(steps.last, steps.first);
      const bool last = i + 1 == stretch_count(recipe);
      EXPECT_TRUE(last || steps.last - steps.first == recipe.trace);
      reached = steps.last;
    }
    EXPECT_EQ(reached, std::max(recipe.local_steps, 1u));
    EXPECT_EQ(trace_length(recipe, reached * recipe.accumulation), stretch_count(recipe) - 1);
  }
  EXPECT_EQ(stretch_count(traced(7, 2)), 4u);
  EXPECT_EQ(stretch_count(traced(6, 2)), 3u) << "the state at the end is in the file as it is";
  EXPECT_EQ(stretch_steps(traced(512, 32), 3), (Steps{96, 128}));
}

TEST(Trace, IsOfTheStatesOnTheWayAndChangesNoNumber) {
  Machine machine(traced(7, 2));
  std::vector<Digest> states;
  const auto keep = [&](const GradientState& state) {
    if (state.batches % 2 == 0) states.push_back(sha256(encode_training_state(state, machine.recipe)));
  };
  const GradientFile file = machine.compute({{}, keep});
  EXPECT_EQ(file.trace, states);
  GradientFile without = Machine(traced(7, 0)).compute();
  EXPECT_TRUE(without.trace.empty());
  without.trace = file.trace;
  EXPECT_EQ(without, file);
  EXPECT_EQ(*decode_gradient_file(encode(file)), file);
  EXPECT_EQ(read_gradient_head(encode(file))->trace, file.trace);
}

TEST(Trace, IsTheSameOnEveryProcessorAndAfterACut) {
  for (const Recipe& recipe : recipes()) {
    const Bytes expected = encode(Machine(recipe, exact::Isa::scalar).compute());
    for (const exact::Isa isa : exact::supported_isas())
      ASSERT_EQ(encode(Machine(recipe, isa).compute()), expected) << exact::isa_name(isa);
    Machine machine(recipe);
    const auto batches = static_cast<uint32_t>(recipe.unit_images() / recipe.batch);
    for (uint32_t cut = 1; cut < batches; ++cut) {
      Bytes kept;
      machine.compute({{}, [&](const GradientState& state) {
                         if (state.batches == cut) kept = encode_state(state, kTask, recipe);
                       }});
      GradientState start = *decode_state(kept, kTask, recipe, machine.parameters.size());
      ASSERT_EQ(encode(machine.compute({std::move(start), {}})), expected) << "cut after " << cut;
    }
  }
}

// The law of disputes: from the state before it, which travels as bytes, each stretch leads where the file of
// an honest machine says.
TEST(Stretch, LeadsWhereTheFileSays) {
  for (const Recipe& recipe : recipes()) {
    Machine accused(recipe), judge(recipe, exact::Isa::scalar);
    const GradientFile file = accused.compute();
    const Digest digest = sha256(encode(file));
    Bytes travels;
    for (uint32_t i = 0; i < stretch_count(recipe); ++i) {
      GradientState start;
      if (i > 0) start = *decode_training_state(travels, recipe, accused.parameters.size());
      start.trace.assign(file.trace.begin(), file.trace.begin() + i);
      const StretchEnds ends = stretch_ends(file, digest, i);
      ASSERT_EQ(i > 0 ? sha256(travels) : kTask.snapshot, ends.before);
      uint64_t done = 0, total = 0;
      const StretchEnd end = *judge.stretch(start, i, [&](uint64_t d, uint64_t t) {
        done = d, total = t;
        return true;
      });
      ASSERT_EQ(end.digest, ends.after) << "stretch " << i;
      const Steps steps = stretch_steps(recipe, i);
      EXPECT_EQ(done, uint64_t{steps.last - steps.first} * recipe.accumulation * recipe.batch);
      EXPECT_EQ(total, done);
      if (i + 1 == stretch_count(recipe)) break;
      travels = encode_training_state(end.state, recipe);
      EXPECT_EQ(travels.size(), training_state_size(recipe, accused.parameters.size()));
    }
    EXPECT_FALSE(judge.check(file).has_value());
  }
}

TEST(Stretch, BeginsWithTheRightState) {
  Machine machine(traced(6, 2));
  EXPECT_THAT(machine.stretch({}, 1).error().message, HasSubstr("not the one that the stretch begins with"));
  GradientState first = machine.stretch({}, 0)->state;
  first.trace.clear();
  EXPECT_THAT(machine.stretch(first, 1).error().message, HasSubstr("trace"));
}

TEST(Stretch, CanBeStopped) {
  Machine machine(traced(6, 2));
  EXPECT_THAT(machine.stretch({}, 0, [](uint64_t done, uint64_t) { return done < 8; }).error().message,
              HasSubstr("stopped"));
}

// One local step that is not what it should be: what goes on truly from there is not what is false.
TEST(FalseStretch, IsTheOneInWhichTheLieWasTold) {
  for (const Recipe& recipe : {traced(9, 2), with_adamw(traced(9, 2, 2))}) {
    Machine accuser(recipe), judge(recipe, exact::Isa::scalar);
    for (const uint32_t step : {1u, 3u, 5u, 7u}) {
      const GradientFile lie = accuser.lie(step, [](GradientState& state) { state.parameters[5] += 0.125f; });
      const auto found = accuser.check(lie);
      ASSERT_TRUE(found.has_value()) << step;
      EXPECT_EQ(found->index, step / 2);
      EXPECT_NE(found->got, found->stated.after);
      const Digest before = found->index == 0 ? kTask.snapshot : training_state_digest(found->before, recipe);
      EXPECT_EQ(found->stated.before, before) << "both agree on where it begins";
      EXPECT_EQ(judge.stretch(found->before, found->index)->digest, found->got);
    }
  }
}

TEST(FalseStretch, IsTheFirstWhereTheTraceIsMadeUp) {
  Machine machine(traced(9, 2));
  GradientFile file = machine.compute();
  file.trace[2] = sha256(Bytes{7});
  EXPECT_EQ(machine.check(file)->index, 2u) << "though its numbers are the true ones";
  for (Digest& digest : file.trace) digest = sha256(Bytes{8});
  EXPECT_EQ(machine.check(file)->index, 0u);
}

TEST(FalseStretch, IsTheLastWhereOnlyTheNumbersAreFalse) {
  Machine machine(traced(9, 2));
  GradientFile file = machine.compute();
  const Digest truth = sha256(encode(file));
  file.values[17] = static_cast<int16_t>(file.values[17] + 1);
  const auto found = machine.check(file);
  EXPECT_EQ(found->index, 4u);
  EXPECT_EQ(found->got, truth);
  EXPECT_EQ(found->stated.after, sha256(encode(file)));
  file = machine.compute();
  file.loss += 0.5f;
  EXPECT_EQ(machine.check(file)->index, 4u);
}

// A state that an accomplice made up so that computing from it fails must not stop a judge.
TEST(Stretch, ThatDivergesHasADigestOfItsOwn) {
  Machine machine(traced(6, 2));
  GradientState state = machine.stretch({}, 0)->state;
  for (float& value : state.parameters) value = 0x1p120f;
  EXPECT_EQ(machine.stretch(state, 1)->digest, diverged_digest());
}

TEST(TrainingState, ComesBackFromItsBytes) {
  for (const Recipe& recipe : {traced(6, 2), with_adamw(traced(6, 2, 2))}) {
    Machine machine(recipe);
    GradientState state = machine.stretch({}, 0)->state;
    const Bytes bytes = encode_training_state(state, recipe);
    EXPECT_EQ(sha256(bytes), training_state_digest(state, recipe));
    EXPECT_EQ(sha256(bytes), state.trace.back());
    EXPECT_TRUE(looks_like_training_state(bytes));
    state.trace.clear();
    EXPECT_EQ(*decode_training_state(bytes, recipe, machine.parameters.size()), state);
  }
}

TEST(TrainingState, IsOfTheRecipeAndTheModel) {
  const Recipe recipe = traced(6, 2);
  Machine machine(recipe);
  const size_t count = machine.parameters.size();
  const GradientState state = machine.stretch({}, 0)->state;
  const Bytes bytes = encode_training_state(state, recipe);
  const auto refusal = [](const Bytes& some, const Recipe& other, size_t parameters) {
    const auto decoded = decode_training_state(some, other, parameters);
    return decoded ? std::string("none") : decoded.error().message;
  };
  EXPECT_EQ(refusal(bytes, recipe, count), "none");
  EXPECT_THAT(refusal(bytes, recipe, count - 1), HasSubstr("parameters"));
  EXPECT_THAT(refusal(bytes, with_adamw(recipe), count), HasSubstr("second moment"));
  EXPECT_THAT(refusal(bytes, traced(6, 4), count), HasSubstr("steps"));
  EXPECT_THAT(refusal(bytes, traced(2, 2), count), HasSubstr("steps"));
  EXPECT_THAT(refusal(bytes, traced(6, 0), count), HasSubstr("steps"));
  for (size_t size = 0; size < bytes.size(); size += 97)
    EXPECT_NE(refusal({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}, recipe, count),
              "none");
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_NE(refusal(longer, recipe, count), "none");
  GradientState nan = state;
  nan.parameters[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal(encode_training_state(nan, recipe), recipe, count), HasSubstr("no number"));
  EXPECT_FALSE(looks_like_training_state(Bytes(40, 1)));
}

TEST(TrainingState, IsRefusedOrTheOnlyBytesOfWhatItSays) {
  const Recipe recipe = with_adamw(traced(6, 2));
  Machine machine(recipe);
  const Bytes whole = encode_training_state(machine.stretch({}, 0)->state, recipe);
  std::mt19937_64 random(1);
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    Bytes bytes = whole;
    // Where the head is, mostly: all bits of the numbers mean something.
    for (int flips = 0; flips < 2; ++flips)
      bytes[random() % (i % 4 == 0 ? bytes.size() : 52)] ^= static_cast<uint8_t>(1 << random() % 8);
    const auto state = decode_training_state(bytes, recipe, machine.parameters.size());
    if (state) {
      ASSERT_EQ(encode_training_state(*state, recipe), bytes);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace cairn::work
