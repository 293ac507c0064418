// Going on inside a unit: from wherever it stopped, the same bytes.
#include "work/gradient_state.h"

#include <gmock/gmock.h>

#include "exact/backend.h"
#include "model/builtin.h"
#include "work/batch.h"
#include "work/gradient.h"
#include "work/toy_data.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;

const GradientTask kTask{sha256(Bytes{1}), sha256(Bytes{2}), 7, 3};

class Resuming : public ::testing::Test {
 protected:
  // As a process of its own would compute it.
  Result<GradientFile> compute(const Recipe& recipe, exact::Isa isa, const Progress& progress,
                               Resumption resumption) const {
    ThreadPool pool(1);
    const auto backend = exact::make_backend(isa, pool);
    const model::Graph graph = *model::builtin_model("mlp", {1, 1, ToyData::kSide, ToyData::kSide}, 4);
    model::Network network = *compile_network(graph, recipe, *backend);
    return compute_gradient(kTask, recipe, network, toy_.open(), model::initial_parameters(graph, 1),
                            progress, {}, std::move(resumption));
  }
  Result<GradientFile> compute(const Recipe& recipe) const {
    return compute(recipe, exact::supported_isas().back(), {}, {});
  }

  // What is on disk when the process is killed after so many batches.
  Bytes state_after(const Recipe& recipe, uint32_t batches) const {
    Bytes kept;
    const auto keep = [&](const GradientState& state) {
      if (state.batches == batches) kept = encode_state(state, kTask, recipe);
    };
    const auto killed = [&](uint64_t done, uint64_t) { return done < uint64_t{batches} * recipe.batch; };
    EXPECT_FALSE(compute(recipe, exact::supported_isas().back(), killed, {.on_state = keep}).ok());
    return kept;
  }

  const ToyData toy_;
};

std::vector<Recipe> recipes() {
  std::vector<Recipe> all = {toy_recipe(0, 5), toy_recipe(3), toy_recipe(2, 3), toy_recipe(2, 2)};
  all[3].optimizer = Optimizer::adamw;
  return all;
}

TEST_F(Resuming, AUnitThatIsCutAnywhereGivesTheSameBytes) {
  for (const Recipe& recipe : recipes()) {
    const Bytes whole = encode(*compute(recipe));
    const auto batches = static_cast<uint32_t>(recipe.unit_images() / recipe.batch);
    for (uint32_t cut = 1; cut <= batches; ++cut) {
      const Bytes kept = state_after(recipe, cut);
      const size_t parameters = compute(recipe)->values.size();
      auto start = decode_state(kept, kTask, recipe, parameters);
      ASSERT_TRUE(start.ok()) << start.error().message;
      EXPECT_LE(kept.size(), max_state_size(parameters));
      uint32_t computed = 0;
      const auto count = [&](const GradientState&) { ++computed; };
      const auto rest = compute(recipe, exact::Isa::scalar, {}, {*std::move(start), count});
      ASSERT_TRUE(rest.ok()) << rest.error().message;
      EXPECT_EQ(computed, batches - cut);
      EXPECT_EQ(encode(*rest), whole) << "cut after batch " << cut << " of " << batches;
    }
  }
}

TEST_F(Resuming, AStateIsOfOneTaskAndRecipe) {
  const Recipe recipe = toy_recipe(3);
  const Bytes kept = state_after(recipe, 2);
  const size_t parameters = compute(recipe)->values.size();
  const auto refusal = [&](const GradientTask& task, const Recipe& other) {
    const auto state = decode_state(kept, task, other, parameters);
    return state ? "accepted" : state.error().message;
  };
  EXPECT_EQ(refusal(kTask, recipe), "accepted");
  for (const GradientTask& task :
       {GradientTask{kTask.project, kTask.snapshot, 7, 4}, GradientTask{kTask.project, kTask.snapshot, 8, 3},
        GradientTask{kTask.project, kTask.project, 7, 3},
        GradientTask{kTask.snapshot, kTask.snapshot, 7, 3}}) {
    EXPECT_THAT(refusal(task, recipe), HasSubstr("is of another unit"));
  }
  Recipe other = recipe;
  other.momentum = 0.5f;
  EXPECT_THAT(refusal(kTask, other), HasSubstr("is of another unit"));
  EXPECT_FALSE(decode_state(kept, kTask, recipe, parameters - 1).ok());
}

TEST_F(Resuming, DamageIsNoticed) {
  const Recipe recipe = toy_recipe(3);
  const Bytes kept = state_after(recipe, 2);
  const size_t parameters = compute(recipe)->values.size();
  for (size_t place = 0; place < kept.size(); place += 1 + place / 50) {
    Bytes damaged = kept;
    damaged[place] ^= 4;
    EXPECT_FALSE(decode_state(damaged, kTask, recipe, parameters).ok()) << place;
    damaged.resize(place);
    EXPECT_FALSE(decode_state(damaged, kTask, recipe, parameters).ok()) << place;
  }
}

TEST_F(Resuming, RefusesAStateThatCannotBe) {
  const Recipe recipe = toy_recipe(3);
  GradientState state;
  state.batches = 99;
  EXPECT_THAT(compute(recipe, exact::Isa::scalar, {}, {state, {}}).error().message,
              HasSubstr("more than a unit has"));
  state.batches = 1;
  EXPECT_THAT(compute(recipe, exact::Isa::scalar, {}, {state, {}}).error().message,
              HasSubstr("parameters: has 0"));
}

}  // namespace
}  // namespace cairn::work
