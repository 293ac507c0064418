// An event of a log is refused, or is the only bytes of what it says.
#include <algorithm>

#include "ledger/event.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  const BytesView bytes(data, size);
  const auto event = ledger::decode_event(bytes);
  if (event) CAIRN_ASSERT(std::ranges::equal(ledger::encode(*event), bytes));
  return 0;
}
