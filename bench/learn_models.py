"""The models and the data of `script/bench learn`."""

import gzip
import pathlib

import numpy
import torch
from torch import nn

IMAGES = pathlib.Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist
LICENSES = pathlib.Path("/usr/share/common-licenses")  # Debian's base-files, on every Debian
TEXTS = ["Apache-2.0", "Artistic", "CC0-1.0", "GFDL-1.3", "GPL-1", "GPL-3", "LGPL-2.1", "MPL-2.0"]


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """Three stages of one residual block each, 8, 16 and 32 channels wide."""

    def __init__(self):
        super().__init__()
        self.stem, self.bn = nn.Conv2d(1, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        self.blocks = nn.Sequential(ResidualBlock(8, 8, 1), ResidualBlock(8, 16, 2), ResidualBlock(16, 32, 2))
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(32, 10)

    def forward(self, x):
        x = self.blocks(torch.relu(self.bn(self.stem(x))))
        return self.head(self.pool(x).flatten(1))


def lenet():
    """Cairn's built-in lenet: no normalization anywhere."""
    return nn.Sequential(nn.Conv2d(1, 6, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        width = 4 * inputs
        self.adds = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6(),
            nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False), nn.BatchNorm2d(width), nn.ReLU6(),
            nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


def mobile():
    """Four blocks after MobileNet v2, with depthwise convolutions."""
    blocks = [(16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 32, 1)]
    return nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
                         *(InvertedResidual(*block) for block in blocks),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attention(self, x, mask):
        b, t, w = x.shape
        heads = lambda y: y.reshape(b, t, self.heads, w // self.heads).transpose(1, 2)
        q, k, v = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        weights = torch.softmax(q @ k.transpose(-1, -2) / (w // self.heads) ** 0.5 + mask, -1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, w))

    def forward(self, x, mask):
        x = x + self.attention(self.norm1(x), mask)
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    """Two pre-norm blocks, 64 wide, 4 heads, over characters as one-hot rows; logits of what follows the last one.

    The embedding is a product with the one-hot rows, the causal mask a parameter that never changes (FROZEN).
    """

    def __init__(self, vocabulary, context, width=64, depth=2, heads=4):
        super().__init__()
        self.embedding = nn.Parameter(0.02 * torch.randn(vocabulary, width))
        self.places = nn.Parameter(0.02 * torch.randn(context, width))
        self.mask = nn.Parameter(torch.full((context, context), -1e4).triu(1))
        self.blocks = nn.ModuleList(GptBlock(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, x):
        x = x @ self.embedding + self.places
        for block in self.blocks:
            x = block(x, self.mask)
        return self.head(self.norm(x)[:, -1])


FROZEN = {"mask"}


def read_idx(name, offset):
    with gzip.open(IMAGES / name) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=offset)


class FashionMnist:
    """60 000 images to learn from and 10 000 to test with; a batch is drawn by the permutation of its epoch."""

    input_shape = (1, 28, 28)

    def __init__(self):
        self.train = self.images("train-images-idx3-ubyte.gz"), self.labels("train-labels-idx1-ubyte.gz")
        self.test = self.images("t10k-images-idx3-ubyte.gz"), self.labels("t10k-labels-idx1-ubyte.gz")

    def images(self, name):
        pixels = read_idx(name, 16).reshape(-1, *self.input_shape).astype(numpy.float32)
        return torch.from_numpy((pixels / 255 - 0.286) / 0.353)

    def labels(self, name):
        return torch.from_numpy(read_idx(name, 8).astype(numpy.int64))

    def batch(self, seed, step, size):
        steps = len(self.train[0]) // size
        order = numpy.random.default_rng([seed, step // steps]).permutation(len(self.train[0]))
        chosen = torch.from_numpy(order[step % steps * size:][:size])
        return self.train[0][chosen], self.train[1][chosen]

    def test_batches(self, size):
        for begin in range(0, len(self.test[0]) - size + 1, size):
            yield self.test[0][begin:begin + size], self.test[1][begin:begin + size]


class Text:
    """Licences as characters. Every tenth run of 1000 characters is held out; no window crosses a run's border."""

    context = 32
    run = 1000

    def __init__(self):
        text = "".join((LICENSES / name).read_text("ascii", "replace") for name in TEXTS)
        text = " ".join(text.split())
        letters = sorted(set(text))
        self.vocabulary = len(letters)
        codes = torch.tensor([letters.index(letter) for letter in text])
        runs = codes[:len(codes) // self.run * self.run].reshape(-1, self.run)
        held_out = torch.arange(len(runs)) % 10 == 9
        self.train, self.test = runs[~held_out], runs[held_out]
        self.input_shape = (self.context, self.vocabulary)

    def windows(self, runs, rows, columns):
        window = runs[rows[:, None], columns[:, None] + torch.arange(self.context + 1)]
        return nn.functional.one_hot(window[:, :-1], self.vocabulary).float(), window[:, -1]

    def batch(self, seed, step, size):
        random = torch.Generator().manual_seed(seed << 32 | step)
        rows = torch.randint(len(self.train), (size,), generator=random)
        return self.windows(self.train, rows, torch.randint(self.run - self.context, (size,), generator=random))

    def test_batches(self, size):
        places = torch.cartesian_prod(torch.arange(len(self.test)), torch.arange(0, self.run - self.context, 3))
        for begin in range(0, len(places) - size + 1, size):
            yield self.windows(self.test, *places[begin:begin + size].T)
