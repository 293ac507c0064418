#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "exact/backend.h"

namespace cairn::exact {
namespace {

constexpr Isa kAll[] = {Isa::scalar, Isa::neon, Isa::neon_dot, Isa::avx2, Isa::avx_vnni, Isa::avx512_vnni};

TEST(Dispatch, NamesLeadToWhatTheProcessorRunsAndToNothingElse) {
  const std::vector<Isa> supported = supported_isas();
  for (const Isa isa : kAll) {
    const Result<Isa> found = isa_from_name(isa_name(isa));
    const bool runs = std::find(supported.begin(), supported.end(), isa) != supported.end();
    ASSERT_EQ(found.ok(), runs) << isa_name(isa);
    if (runs) {
      EXPECT_EQ(*found, isa);
    }
  }
  EXPECT_EQ(*isa_from_name("auto"), supported.back());
}

TEST(Dispatch, TheProcessorRunsWhatItsFamilyAlwaysHas) {
  EXPECT_THAT(built_isas(), testing::IsSupersetOf(supported_isas()));
  EXPECT_THAT(supported_isas(), testing::Contains(Isa::scalar));
#if defined(__aarch64__)
  EXPECT_THAT(supported_isas(), testing::Contains(Isa::neon));
#endif
}

}  // namespace
}  // namespace cairn::exact
