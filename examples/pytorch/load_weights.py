#!/usr/bin/python3
"""Loads a model that `cairn export` wrote back into PyTorch.

    examples/pytorch/load_weights.py trained.onnx model.pt
"""

import sys

import onnx
import torch
from onnx import numpy_helper

from export_model import Net


def load_weights(model, path):
    """Copies every parameter and running statistic by name: Cairn keeps the names of the state_dict."""
    stored = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in onnx.load(path).graph.initializer}
    state = model.state_dict()
    for name in state:
        if name.endswith("num_batches_tracked"):  # no weight: it counts batches, and inference ignores it
            continue
        state[name] = stored[name].reshape(state[name].shape)
    model.load_state_dict(state)
    return model.eval()


if __name__ == "__main__":
    torch.save(load_weights(Net(), sys.argv[1]).state_dict(), sys.argv[2])
