// Where the time of a network goes. For benchmarks: it never shows in a result.
#pragma once

#include <chrono>
#include <map>

#include "model/program.h"

namespace cairn::model {

struct Profile {
  struct Share {
    std::chrono::duration<double> time{};
    uint64_t calls = 0;
  };
  std::map<std::string, Share> shares;  // by instruction_name()
};

}  // namespace cairn::model
