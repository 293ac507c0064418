"""Models in plain PyTorch, without torchvision: language models, transformers, odds and ends."""

import math

import torch
import torch.nn.functional as F
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


class OddsAndEnds(nn.Module):
    """What real models have besides: GroupNorm, PReLU, ceil-mode pools, Max and Min, steps."""

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

    def __init__(self, width=32, heads=4, positions=65):
        super().__init__()
        self.heads, self.patches = heads, nn.Conv2d(3, width, 4, 4)
        self.cls, self.places = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, positions, width) / 4)
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
