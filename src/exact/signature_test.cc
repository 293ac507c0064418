#include "exact/signature.h"

#include <gtest/gtest.h>

#include "base/float_environment.h"

namespace cairn::exact {
namespace {

TEST(Signature, IsTheSameOnEveryIsaAndTheCommittedOne) {
  set_float_environment();
  ThreadPool pool(3);
  std::vector<SectionSignature> expected;
  for (Isa isa : supported_isas()) {
    const std::vector<SectionSignature> sections = selftest_signatures(*make_backend(isa, pool));
    if (expected.empty()) expected = sections;
    ASSERT_EQ(sections.size(), expected.size());
    for (size_t i = 0; i < sections.size(); ++i) {
      EXPECT_EQ(sections[i].digest.hex(), expected[i].digest.hex())
          << isa_name(isa) << " differs from scalar in section " << sections[i].name;
    }
    EXPECT_EQ(combined_signature(sections).hex(), expected_signature().hex()) << isa_name(isa);
  }
}

// Operators were added since; those of the first release give what they gave.
TEST(Signature, WhatItFirstCoveredIsAsItWas) {
  set_float_environment();
  ThreadPool pool(1);
  std::vector<SectionSignature> sections = selftest_signatures(*make_backend(supported_isas().back(), pool));
  sections.resize(8);
  EXPECT_EQ(combined_signature(sections).hex(),
            "fc1347ddd79b0cd295a07c1a0c87f95804fadeaf94e892d29bbf90c8991c027e");
}

TEST(Signature, DependsOnEverySection) {
  std::vector<SectionSignature> sections = {{"a", sha256({})}, {"b", sha256({})}};
  const Digest before = combined_signature(sections);
  for (SectionSignature& section : sections) {
    section.digest.bytes[31] ^= 1;
    EXPECT_NE(combined_signature(sections), before);
    section.digest.bytes[31] ^= 1;
  }
  EXPECT_EQ(combined_signature(sections), before);
}

}  // namespace
}  // namespace cairn::exact
