#include "project/evaluation.h"

#include <gtest/gtest.h>

namespace cairn::project {
namespace {

TEST(Evaluation, ALossIsRoundedToItsUnit) {
  EXPECT_EQ(evaluated(3, {7, 10, 0.5f}), (ledger::Evaluated{3, 7, 10, uint64_t{1} << 39}));
  EXPECT_EQ(evaluated(0, {0, 1, 0x1p-41f}).loss, 0u) << "ties to even";
  EXPECT_EQ(evaluated(0, {0, 1, 0x3p-41f}).loss, 2u);
  EXPECT_EQ(evaluated(0, {0, 1, 1e30f}).loss, uint64_t{1} << 63);
  EXPECT_EQ(stated_loss({1, 2, uint64_t{3} << 38}), 0.75);
}

}  // namespace
}  // namespace cairn::project
