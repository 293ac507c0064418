#!/usr/bin/python3
"""Writes a PyTorch model as the ONNX file that `cairn new --model` takes.

    examples/pytorch/export_model.py model.onnx                        the small network below
    examples/pytorch/export_model.py model.onnx resnet18 --size 64     a model of torchvision, by name

To bring your own model, replace Net: the rest works for any model of the operators that Cairn supports.
"""

import argparse

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


def make(name, classes):
    """The model, and the channels of its images."""
    if name == "net":
        return Net(classes), 1
    import torchvision
    return getattr(torchvision.models, name)(num_classes=classes), 3


def export(model, path, shape, batch=2):
    torch.onnx.export(
        model, torch.randn(batch, *shape), path,
        input_names=["images"], output_names=["logits"], dynamic_axes={"images": {0: "batch"}}, opset_version=14,
        training=torch.onnx.TrainingMode.TRAINING,  # or batch normalization is folded away
        do_constant_folding=False)                  # or weights lose their names


def options(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("onnx")
    return parser


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("name", nargs="?", default="net")
    parser.add_argument("--size", type=int, default=0, help="height and width of the images")
    parser.add_argument("--classes", type=int, default=10)
    chosen = parser.parse_args()
    torch.manual_seed(0)  # The project starts from exactly these weights.
    made, channels = make(chosen.name, chosen.classes)
    size = chosen.size or (INPUT[1] if chosen.name == "net" else 224)
    export(made, chosen.onnx, (channels, size, size))
