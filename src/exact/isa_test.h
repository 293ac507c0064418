// What the tests of fast paths share: they run on every instruction set that this program was built for, and
// say loudly which of them the processor lacks.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "base/float_environment.h"
#include "exact/backend.h"

namespace cairn::exact {

// For GoogleTest, which prints parameters into the names of tests.
inline void PrintTo(Isa isa, std::ostream* out) {
  *out << isa_name(isa);
}

class IsaTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    set_float_environment();
    const std::vector<Isa> isas = supported_isas();
    if (std::find(isas.begin(), isas.end(), GetParam()) == isas.end()) {
      GTEST_SKIP() << "NOT TESTED: this processor does not run " << isa_name(GetParam());
    }
  }
};

// All but scalar.
inline std::vector<Isa> fast_isas() {
  std::vector<Isa> isas = built_isas();
  isas.erase(isas.begin());
  return isas;
}

inline std::string isa_suffix(const testing::TestParamInfo<Isa>& tested) {
  std::string name(isa_name(tested.param));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace cairn::exact
