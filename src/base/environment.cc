#include "base/environment.h"

#include <sodium.h>

#include <chrono>

namespace cairn {
namespace {

class SystemEnvironment : public Environment {
 public:
  int64_t now() override {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  }

  uint64_t random_word() override {
    uint64_t word;
    randombytes_buf(&word, sizeof word);
    return word;
  }
};

}  // namespace

Environment& system_environment() {
  static SystemEnvironment environment;
  return environment;
}

}  // namespace cairn
