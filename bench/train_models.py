"""The models of `script/bench train`, as PyTorch has them."""

import torch
import torchvision
from torch import nn


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

    def attention(self, x):
        b, t, w = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-1, -2) / (w // self.heads) ** 0.5, -1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, w))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


# Name: how it is made, and the size of its images.
MODELS = {
    "resnet18": (lambda: torchvision.models.resnet18(weights=None), 224),
    "resnet18-32": (lambda: torchvision.models.resnet18(weights=None, num_classes=10), 32),
    "mobilenet_v2": (lambda: torchvision.models.mobilenet_v2(weights=None, dropout=0.0), 224),
    "vit-small": (VisionTransformer, 32),
}


def make(name):
    build, size = MODELS[name]
    torch.manual_seed(0)
    return build().train(), size


def export(name, path):
    model, size = make(name)
    torch.onnx.export(model, torch.zeros(2, 3, size, size), path, input_names=["images"], output_names=["logits"],
                      dynamic_axes={"images": {0: "batch"}}, training=torch.onnx.TrainingMode.TRAINING,
                      do_constant_folding=False)
