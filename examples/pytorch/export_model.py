#!/usr/bin/python3
"""Writes a PyTorch model as the ONNX file that `cairn new --model` takes.

    examples/pytorch/export_model.py model.onnx                        the small network below
    examples/pytorch/export_model.py model.onnx resnet18 --size 64     a model of torchvision, by name
    examples/pytorch/export_model.py gpt.onnx gpt --size 128           a language model of bytes, of 128 at a time

To bring your own model, replace Net or GPT: the rest works for any model of the operators that Cairn supports.
"""

import argparse
import math

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


class Block(nn.Module):
    """Attention to what came before, then two layers; each is added to what it was given."""

    def __init__(self, width, heads, context):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.register_buffer("before", torch.tril(torch.ones(context, context)).view(1, 1, context, context))

    def attention(self, x):
        batch, context, width = x.shape
        q, k, v = [part.view(batch, context, self.heads, width // self.heads).transpose(1, 2)
                   for part in self.qkv(x).split(width, 2)]
        scores = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).masked_fill(self.before == 0, float("-inf"))
        mixed = torch.softmax(scores, -1) @ v
        return self.out(mixed.transpose(1, 2).contiguous().view(batch, context, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class GPT(nn.Module):
    """Predicts at each of `context` tokens the next one."""

    def __init__(self, tokens=256, context=128, width=128, heads=4, layers=4):
        super().__init__()
        self.token, self.place = nn.Embedding(tokens, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*[Block(width, heads, context) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, tokens, bias=False)
        for table in (self.token, self.place, self.head):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, tokens):
        x = self.token(tokens) + self.place(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def make(name, classes=None, size=None):
    """The model, and a batch of what it takes."""
    if name == "gpt":
        tokens, context = classes or 256, size or 128
        return GPT(tokens, context), torch.randint(tokens, (2, context))
    classes = classes or 10
    if name == "net":
        return Net(classes), torch.randn(2, *INPUT)
    import torchvision
    return getattr(torchvision.models, name)(num_classes=classes), torch.randn(2, 3, size or 224, size or 224)


def export(model, path, batch):
    torch.onnx.export(
        model, batch, path,
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
    parser.add_argument("--size", type=int, help="height and width of the images, or tokens of a text")
    parser.add_argument("--classes", type=int, help="or tokens that there are; default: 10, of a language model 256")
    chosen = parser.parse_args()
    torch.manual_seed(0)  # The project starts from exactly these weights.
    made, batch = make(chosen.name, chosen.classes, chosen.size)
    export(made, chosen.onnx, batch)
