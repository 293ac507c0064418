#!/usr/bin/python3
"""Checks what Cairn writes for PyTorch with the real one.

    tests/weights/check_weights.py FOLDER NAME

NAME is a model of examples/pytorch/export_model.py. FOLDER holds `model.pt`, `model.safetensors` and `expected.npz`
with `input` and `logits`. The state_dict must load strictly, hold the same numbers in both files, and the model must
then predict what Cairn predicts.
"""

import json
import pathlib
import struct
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "pytorch"))

from export_model import make  # noqa: E402
from load_weights import check_predictions  # noqa: E402


def read_safetensors(path):
    """As the format says it, since Debian has no package of it."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    assert header.pop("__metadata__") == {"format": "pt"}
    types = {"F32": torch.float32, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def main():
    folder = pathlib.Path(sys.argv[1])
    model = make(sys.argv[2], 10)[0]
    state = torch.load(folder / "model.pt", weights_only=True)
    model.load_state_dict(state)  # strictly: every name, every shape, nothing else
    assert list(dict(model.named_parameters())) == [name for name in state if name in dict(model.named_parameters())]
    also = read_safetensors(folder / "model.safetensors")
    assert also.keys() == state.keys()
    assert all(torch.equal(also[name], state[name]) and also[name].dtype == state[name].dtype for name in state)
    print(f"{len(state)} tensors loaded strictly")
    return 0 if check_predictions(model.eval(), folder / "expected.npz") else 1


if __name__ == "__main__":
    sys.exit(main())
