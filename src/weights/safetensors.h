// safetensors (https://github.com/huggingface/safetensors, "Format"): a u64 with the length of a JSON header,
// the header, which gives each tensor's type, shape and place, and the numbers, without gaps.
#pragma once

#include "weights/state_dict.h"

namespace cairn::weights {

inline constexpr uint64_t kMaxSafetensorsHeader = 16 << 20;  // bytes
inline constexpr size_t kMaxStoredTensors = 1 << 16;

// The same tensors give the same bytes; every tensor begins at a multiple of its element's size.
Bytes encode_safetensors(const std::vector<Tensor>& tensors);

// A tensor of a file: a view of its bytes, which must outlive it.
struct StoredTensor {
  std::string name;
  std::string type;  // as the file calls it: F32
  model::Shape shape;
  BytesView bytes;
};

// All tensors by their place in the file. Refuses what is not exactly the format: another field, a name
// twice, a type that it does not know, bytes that belong to two tensors or to none, and what breaks a limit
// above or of a model file (rank and names).
Result<std::vector<StoredTensor>> read_safetensors(BytesView file);

// The numbers of a tensor of type F32, F16 or BF16 as they are, of F64 rounded to the nearest. Refuses other
// types and what is not finite then.
Result<std::vector<float>> numbers_of(const StoredTensor& tensor);

}  // namespace cairn::weights
