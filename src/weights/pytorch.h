// A state_dict in the file that torch.save writes and torch.load(f, weights_only=True) reads: a zip archive
// of stored entries, "archive/data.pkl" with the names and shapes, "archive/data/0" and so on with the
// numbers, each from a multiple of 64 bytes on, "archive/version" (3) and "archive/byteorder" (little).
//
// data.pkl is a pickle of protocol 2 (Python, Lib/pickletools.py) that builds a collections.OrderedDict of
// torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()), where a storage is the
// persistent id ("storage", torch.FloatStorage, "0", "cpu", count). PyTorch 1.6 and later read it. A pickle
// is a program, so that Cairn reads none: weights come in as safetensors or ONNX.
#pragma once

#include "weights/state_dict.h"

namespace cairn::weights {

// The same tensors give the same bytes. Refuses more than 65 532 tensors or 4 GiB.
Result<Bytes> encode_pytorch(const std::vector<Tensor>& tensors);

}  // namespace cairn::weights
