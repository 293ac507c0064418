#!/usr/bin/python3
"""Writes a PyTorch model as the ONNX file that `cairn new --model` takes.

    examples/pytorch/export_model.py model.onnx

To bring your own model, replace Net: the rest works for any model of the operators that Cairn supports.
"""

import sys

import torch
from torch import nn

INPUT = (1, 28, 28)  # channels, height, width: Fashion-MNIST


class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Linear(32 * 7 * 7, classes)

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


def export(model, path):
    torch.onnx.export(
        model, torch.zeros(2, *INPUT), path,
        input_names=["images"], output_names=["logits"], dynamic_axes={"images": {0: "batch"}},
        training=torch.onnx.TrainingMode.TRAINING,  # or batch normalization is folded away
        do_constant_folding=False)                  # or weights lose their names


if __name__ == "__main__":
    torch.manual_seed(0)  # The project starts from exactly these weights.
    export(Net(), sys.argv[1])
