"""The models of `script/bench train`, as PyTorch has them."""

import math
import warnings

import torch
import torchvision
from torch import nn

VOCABULARY = 256


class VisionTransformer(nn.Module):
    """A small ViT: patches of 4, four blocks of 192, three heads."""

    def __init__(self, size=32, patch=4, width=192, depth=4, heads=3, classes=10):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.places = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attention(self, x, mask):
        b, t, w = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / (w // self.heads) ** 0.5
        weights = torch.softmax(scores if mask is None else scores + mask, -1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, w))

    def forward(self, x, mask=None):
        x = x + self.attention(self.norm1(x), mask)
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    """A small language model over bytes: contexts of 128, four blocks of 192, three heads."""

    def __init__(self, context=128, width=192, depth=4, heads=3, vocabulary=VOCABULARY):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Parameter(0.02 * torch.randn(1, context, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)
        self.register_buffer("mask", torch.full((context, context), -math.inf).triu(1), persistent=False)

    def forward(self, x):
        x = self.tokens(x) + self.places
        for block in self.blocks:
            x = block(x, self.mask)
        return self.head(self.norm(x))


# Name: how it is made, and the size of its images (or the length of its contexts).
MODELS = {
    "resnet18": (lambda: torchvision.models.resnet18(weights=None), 224),
    "resnet18-32": (lambda: torchvision.models.resnet18(weights=None, num_classes=10), 32),
    "resnet50": (lambda: torchvision.models.resnet50(weights=None), 224),
    "mobilenet_v2": (lambda: torchvision.models.mobilenet_v2(weights=None, dropout=0.0), 224),
    "vit-small": (VisionTransformer, 32),
    "gpt-small": (Gpt, 128),
}
# Of which precision "fast" was shown to learn as well, see docs/internals/precision.md.
FAST = ["resnet18", "resnet18-32", "resnet50"]
# Measured where nobody names others; the others take a second and more a step.
USUAL = [name for name in MODELS if name != "resnet50"]


def make(name):
    build, size = MODELS[name]
    torch.manual_seed(0)
    return build().train(), size


def is_language_model(name):
    return MODELS[name][0] is Gpt


def batch(name, size):
    """Made-up inputs, and labels for every row of the logits."""
    length = MODELS[name][1]
    if is_language_model(name):
        return torch.randint(VOCABULARY, (size, length)), torch.arange(size * length) % VOCABULARY
    return torch.rand(size, 3, length, length) * 2 - 1, torch.arange(size) % 10


def loss(logits, labels):
    return nn.functional.cross_entropy(logits.reshape(len(labels), -1), labels)


def export(name, path):
    model, _ = make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a page of them for each batch normalization
        torch.onnx.export(model, batch(name, 2)[0], path, input_names=["input"], output_names=["logits"],
                          dynamic_axes={"input": {0: "batch"}}, training=torch.onnx.TrainingMode.TRAINING,
                          do_constant_folding=False)
