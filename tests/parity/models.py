"""The models that Cairn must agree on with PyTorch, by name: torchvision's families, and language models in plain PyTorch.

An entry gives the model, its input, and whether it is smooth (no ReLU, no maximum), so that gradients can be compared
end to end. Images are as small as the architecture allows.
"""

import math

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


class CausalBlock(nn.Module):
    """Attention that looks back, in one of the ways in which people write the mask."""

    def __init__(self, width, heads, positions, mask, dropout):
        super().__init__()
        self.heads, self.how = heads, mask
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)
        self.register_buffer("mask", torch.tril(torch.ones(positions, positions)).view(1, 1, positions, positions))

    def masked(self, scores, t):
        lower = self.mask[:, :, :t, :t]
        if self.how == "masked_fill":
            return scores.masked_fill(lower == 0, float("-inf"))
        if self.how == "where":
            return torch.where(lower > 0, scores, torch.full_like(scores, -1e9))
        if self.how == "triu":
            return scores + torch.triu(torch.full((t, t), float("-inf")), 1)
        if self.how == "bool":
            return scores.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float("-inf"))
        return scores - (1 - lower) * 1e4

    def attention(self, x):
        b, t, w = x.shape
        q, k, v = [part.view(b, t, self.heads, w // self.heads).transpose(1, 2) for part in self.qkv(x).split(w, 2)]
        scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(w // self.heads))
        weights = self.drop(F.softmax(self.masked(scores, t), -1))
        return self.out((weights @ v).transpose(1, 2).contiguous().view(b, t, w))

    def forward(self, x):
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.drop(self.down(F.gelu(self.up(self.norm2(x)))))


class LanguageModel(nn.Module):
    """A GPT in plain PyTorch, with the embedding's weight as that of the head."""

    def __init__(self, tokens=61, positions=24, width=32, heads=4, layers=2, mask="masked_fill", dropout=0.0, tied=True,
                 flat=False):
        super().__init__()
        self.token, self.place = nn.Embedding(tokens, width), nn.Embedding(positions, width)
        nn.init.normal_(self.token.weight, std=0.3)
        self.blocks = nn.Sequential(*[CausalBlock(width, heads, positions, mask, dropout) for _ in range(layers)])
        self.norm, self.head, self.flat = nn.LayerNorm(width), nn.Linear(width, tokens, bias=False), flat
        if tied:
            self.head.weight = self.token.weight

    def forward(self, tokens):
        x = self.token(tokens) + self.place(torch.arange(tokens.shape[1]))
        x = self.head(self.norm(self.blocks(x)))
        return x.view(-1, x.shape[-1]) if self.flat else x


class EncoderLayers(nn.Module):
    """PyTorch's own transformer layers, which have the batch second."""

    def __init__(self, tokens=61, positions=20, width=32):
        super().__init__()
        self.token, self.place = nn.Embedding(tokens, width), nn.Parameter(torch.randn(positions, 1, width) / 4)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(width, tokens)
        self.register_buffer("mask", torch.triu(torch.full((positions, positions), float("-inf")), 1))

    def forward(self, tokens):
        x = self.token(tokens).transpose(0, 1) + self.place
        return self.head(self.layers(x, self.mask)).transpose(0, 1)


class GroupNormResidual(nn.Module):
    """Weight-free odds and ends that real models have: GroupNorm, PReLU, ceil-mode pools, Max and Min, steps."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.norm1, self.norm2, self.prelu = nn.GroupNorm(4, 16), nn.InstanceNorm2d(16, affine=True), nn.PReLU(16)
        self.scale, self.fc = nn.Parameter(torch.rand(16, 1, 1) + 0.5), nn.Linear(16 * 9, 10)

    def forward(self, x):
        x = self.prelu(self.norm1(self.conv1(x)))
        y = F.avg_pool2d(self.conv2(x), 3, 2, padding=1, ceil_mode=True)
        z = F.max_pool2d(x, 3, 2, padding=1, ceil_mode=True)
        x = torch.maximum(y, z) * self.scale + torch.minimum(y, z) / (1 + y.pow(-2).clamp(max=4))
        x = F.dropout(self.norm2(x), 0.25, self.training)[:, :, ::2, ::2]
        return self.fc(torch.flatten(x[:, :, :3, :3], 1))


class SmallViT(nn.Module):
    """Heads cut out by reshape and permute, with qkv first and the batch second."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.heads, self.patches = heads, nn.Conv2d(3, width, 4, 4)
        self.cls, self.places = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, 65, width) / 4)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down, self.fc = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), nn.Linear(width, 10)

    def attention(self, x):
        b, t, w = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-1, -2) / (w // self.heads) ** 0.5, -1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, w))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.places
        x = x + self.attention(self.norm1(x))
        return self.fc(self.norm3(x + self.down(F.gelu(self.up(self.norm2(x)))))[:, 0])


def vision(name, size, batch=8, smooth=False, **arguments):
    return lambda: (getattr(torchvision.models, name)(num_classes=10, **arguments), (3, size, size), batch, smooth)


def vit_small():
    return torchvision.models.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10, dropout=0.1)


def language(mask, **arguments):
    return lambda: (LanguageModel(mask=mask, **arguments), ("tokens", 61, 24), 4, True)


# Name: (model, shape of a sample, batch, smooth).
FAST = {
    "mobilenet_v3_small": vision("mobilenet_v3_small", 64),
    "mnasnet0_5": vision("mnasnet0_5", 64),
    "vit_small": lambda: (vit_small(), (3, 32, 32), 4, True),
    "vit_permuted": lambda: (SmallViT(), (3, 32, 32), 4, True),
    "gpt": language("masked_fill"),
    "gpt_where_dropout": language("where", dropout=0.2, tied=False, flat=True),
    "gpt_triu": language("triu"),
    "gpt_bool": language("bool", tied=False),
    "gpt_additive": language("additive", flat=True),
    "encoder_layers": lambda: (EncoderLayers(), ("tokens", 61, 20), 4, True),
    "odds_and_ends": lambda: (GroupNormResidual(), (3, 11, 11), 8, False),
}
SLOW = {
    "resnet18": vision("resnet18", 64),
    "resnet50": vision("resnet50", 64),
    "mobilenet_v2": vision("mobilenet_v2", 64),
    "vgg11_bn": vision("vgg11_bn", 224, batch=2),
    "regnet_y_400mf": vision("regnet_y_400mf", 64),
    "inception_v3": vision("inception_v3", 299, batch=4, init_weights=False),
    "inception_v3_alone": vision("inception_v3", 96, init_weights=False, aux_logits=False),
    "vit_b_16": vision("vit_b_16", 224, batch=2, smooth=True),
}
MODELS = {**FAST, **SLOW}
TRAINED = {"mnasnet0_5", "mobilenet_v2", "regnet_y_400mf", "resnet50", "inception_v3", "inception_v3_alone"}
OPSETS = {"vit_small": 17, "gpt": 13, "gpt_where_dropout": 16, "encoder_layers": 14, "resnet50": 11, "regnet_y_400mf": 15}
OPSET = 14


def make_input(shape, batch):
    """Whole numbers, or images that differ as photographs do: shapes, colours and contrast besides noise. Of plain noise
    all images look alike to a network, and batch normalization then magnifies what little they differ by."""
    if shape[0] == "tokens":
        return torch.randint(0, shape[1], (batch, shape[2]))
    channels, height, width = shape
    shapes = F.interpolate(torch.randn(batch, channels, 5, 5), (height, width), mode="bilinear", align_corners=True)
    return shapes * (0.2 + torch.rand(batch, 1, 1, 1)) + torch.randn(batch, channels, 1, 1) / 2 + torch.randn(batch, *shape) / 5
