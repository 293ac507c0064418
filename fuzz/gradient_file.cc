// A gradient file is refused by both readers, or is the only bytes of what it says.
#include <algorithm>

#include "work/gradient_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  const BytesView bytes(data, size);
  const auto file = work::decode_gradient_file(bytes);
  const auto summary = work::check_gradient_file(bytes);
  CAIRN_ASSERT(file.ok() == summary.ok());
  if (file) CAIRN_ASSERT(std::ranges::equal(work::encode(*file), bytes));
  return 0;
}
