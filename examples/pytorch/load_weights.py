#!/usr/bin/python3
"""Loads a model that `cairn export` wrote back into PyTorch.

    examples/pytorch/load_weights.py trained.onnx model.pt [NAME]

NAME is that of export_model.py. With --compare FILE.npz the loaded model must predict what the file says: the same class
for each image of `input` as its `logits`, which differ by 1 % at most.
"""

import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from export_model import make, options


def load_weights(model, path):
    """Copies every parameter and running statistic by name: Cairn keeps the names of the state_dict. Returns the model, and
    the names of parameters that the file lacks because its output does not depend on them."""
    stored = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in onnx.load(path).graph.initializer}
    state = model.state_dict()
    for name in state:
        if name in stored:
            state[name] = stored[name].reshape(state[name].shape)
    model.load_state_dict(state)
    loaded = {p.data_ptr() for name, p in model.state_dict(keep_vars=True).items() if name in stored}
    # A weight that two layers share is stored under one name. Buffers such as masks are no part of the model.
    missing = [name for name, p in model.named_parameters() if p.data_ptr() not in loaded]
    return model.eval(), missing


def check_predictions(model, path):
    arrays = np.load(path)
    with torch.no_grad():
        found = model(torch.tensor(arrays["input"])).numpy()
    expected = arrays["logits"].reshape(found.shape)
    same = int(np.sum(found.argmax(-1) == expected.argmax(-1)))
    difference = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    print(f"{same} of {len(found)} predictions are the same; logits differ by {difference:.1e}")
    return same == len(found) and difference <= 1e-2


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("weights")
    parser.add_argument("name", nargs="?", default="net")
    parser.add_argument("--classes", type=int)
    parser.add_argument("--compare", metavar="FILE.npz")
    chosen = parser.parse_args()
    model, missing = load_weights(make(chosen.name, chosen.classes)[0], chosen.onnx)
    if missing:
        print("not in the file, left as they were: " + ", ".join(missing))
    torch.save(model.state_dict(), chosen.weights)
    sys.exit(0 if not chosen.compare or check_predictions(model, chosen.compare) else 1)
