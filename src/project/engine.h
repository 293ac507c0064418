// The processor that a command computes on: threads and an exact backend.
#pragma once

#include <memory>

#include "base/threads.h"
#include "exact/backend.h"

namespace cairn::project {

struct EngineOptions {
  exact::Isa isa = exact::Isa::scalar;
  int threads = 1;
};

// One thread uses an engine at a time; the engine spreads the work itself.
class Engine {
 public:
  explicit Engine(EngineOptions options)
      : pool_(options.threads), backend_(exact::make_backend(options.isa, pool_)) {}

  exact::Backend& backend() { return *backend_; }

 private:
  ThreadPool pool_;
  std::unique_ptr<exact::Backend> backend_;
};

}  // namespace cairn::project
