// A file of weights is refused, or every tensor lies in it and has numbers or a reason why not.
#include "weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  const auto tensors = weights::read_safetensors({data, size});
  if (!tensors) return 0;
  for (const weights::StoredTensor& tensor : *tensors) {
    CAIRN_ASSERT(tensor.bytes.empty() ||
                 (tensor.bytes.data() >= data && tensor.bytes.data() + tensor.bytes.size() <= data + size));
    std::ignore = weights::numbers_of(tensor).ok();
  }
  return 0;
}
