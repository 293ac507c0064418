// What a program takes from its surroundings, handed in so that a simulator can run the production code under
// virtual time and chosen randomness.
#pragma once

#include <cstdint>

namespace cairn {

// Safe to call from several threads.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual int64_t now() = 0;           // Unix milliseconds
  virtual uint64_t random_word() = 0;  // unpredictable to others
};

Environment& system_environment();

}  // namespace cairn
