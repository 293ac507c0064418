// How much memory a model takes, before it is made ready to compute.
#pragma once

#include "model/graph.h"
#include "model/precision.h"

namespace cairn::model {

// In bytes: without computing anything twice, and the least that a limit may be.
struct MemoryNeed {
  uint64_t roomy = 0;
  uint64_t least = 0;
};

// Of Network::compile() with these options, whose errors it gives. Takes up to a second for a model of a
// hundred layers, and ten for any.
Result<MemoryNeed> memory_need(const Graph& graph, int64_t batch, const ProductBits& bits);

// "313 MiB": rounded up, so that a limit of as much is enough.
std::string mib_text(uint64_t bytes);

}  // namespace cairn::model
