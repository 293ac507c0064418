// A packed snapshot is refused, or becomes parameters that pack and unpack to themselves.
#include <cstring>

#include "average/packed_snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  const auto head = average::read_packed_head({data, size});
  if (!head || head->count > 1 << 16) return 0;
  std::vector<float> parameters(head->count, 1.5f);
  if (!average::unpack({data, size}, head->count, parameters)) return 0;
  std::vector<float> again;
  CAIRN_ASSERT(average::unpack(average::pack(parameters), head->count, again).ok());
  CAIRN_ASSERT(parameters.empty() ||
               std::memcmp(again.data(), parameters.data(), sizeof(float) * parameters.size()) == 0);
  return 0;
}
