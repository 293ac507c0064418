#include "sim/attack.h"

#include <gtest/gtest.h>

#include "work/block_encoding.h"

namespace cairn::sim {
namespace {

work::GradientFile honest_file(uint8_t bits, uint32_t kept = 100) {
  work::GradientFile file;
  file.samples = 8;
  file.bits = bits;
  file.block_size = 16;
  std::vector<float> values(100);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0x1p-8f - 0.125f;
  const RandomSequence rounding(1, RandomStream::gradient_rounding);
  EXPECT_TRUE(work::encode_values(values, kept, rounding, file));
  return file;
}

std::vector<float> numbers(const work::GradientFile& file) {
  std::vector<float> values(file.parameters);
  work::decode_values(file, values);
  return values;
}

TEST(Attack, EveryLieIsAWellFormedFileOfTheSameUnit) {
  for (const work::GradientFile& truth :
       {honest_file(16), honest_file(8), honest_file(4), honest_file(8, 10), honest_file(4, 1)}) {
    for (const std::string_view name : attack_names()) {
      const work::GradientFile lie = falsify(truth, *attack_from_name(name), 7);
      const auto decoded = work::decode_gradient_file(work::encode(lie));
      ASSERT_TRUE(decoded) << name << decoded.error().message;
      EXPECT_EQ(*decoded, lie);
      EXPECT_NE(lie, truth) << name;
      EXPECT_EQ(lie.unit, truth.unit);
    }
  }
}

TEST(Attack, DoesWhatItsNameSays) {
  const work::GradientFile truth = honest_file(16);
  const std::vector<float> before = numbers(truth);
  const std::vector<float> flipped = numbers(falsify(truth, Attack::sign_flip, 1));
  const std::vector<float> scaled = numbers(falsify(truth, Attack::scale, 1));
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(flipped[i], -before[i]);
    EXPECT_EQ(scaled[i], 4 * before[i]);
  }
  EXPECT_EQ(numbers(falsify(truth, Attack::zero, 1)), std::vector<float>(before.size()));
  EXPECT_NE(falsify(truth, Attack::noise, 1), falsify(truth, Attack::noise, 2));
}

TEST(Attack, AFalseStepLeavesAStateThatAUnitMayHave) {
  work::GradientState state;
  state.batches = 3;
  state.parameters = {1, -2, 0.5f};
  state.optimizer.first = {4, 5, 6};
  const work::GradientState lie = falsify(state, 7);
  EXPECT_NE(lie.parameters, state.parameters);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(lie.parameters[i], state.parameters[i], 2.0 / 64);
  EXPECT_EQ(lie.optimizer, state.optimizer);
  EXPECT_EQ(lie.batches, state.batches);
}

TEST(Attack, UnknownNamesAreRefused) {
  EXPECT_FALSE(attack_from_name("bribe"));
}

}  // namespace
}  // namespace cairn::sim
