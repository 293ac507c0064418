// A model file is refused, or is a valid graph and the only bytes of it.
#include <algorithm>

#include "model/graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  const BytesView bytes(data, size);
  const auto graph = model::decode_graph(bytes);
  if (!graph) return 0;
  CAIRN_ASSERT(model::verify(*graph).ok());
  CAIRN_ASSERT(std::ranges::equal(model::encode(*graph), bytes));
  return 0;
}
