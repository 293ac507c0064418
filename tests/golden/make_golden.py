#!/usr/bin/python3
"""Makes the golden files: small PyTorch models as ONNX in training mode, and their float64 gradients as .npz.

    tests/golden/make_golden.py [FOLDER] [--seed N]

Needs Debian's python3-torch, python3-onnx and python3-numpy. An .npz holds
    input, labels           the batch (float32) and its labels (int32)
    parameter/NAME          float32, as in the ONNX file
    statistics/NAME         running means and variances, float32
    logits, loss            float64
    tensor/NODE             float64, what each node of the ONNX file gives
    gradient/NAME           float64, of the mean cross-entropy over the batch
    smooth                  1 where the model has no kinks (ReLU, max), so that gradients can be compared end to end
"""

import argparse
import pathlib
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from reference import Reference

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "parity"))
from plain import LanguageModel, SmallViT

BATCH = 8


class Mlp(nn.Module):
    shape, smooth = (1, 12, 12), False

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(144, 32), nn.Linear(32, 24, bias=False), nn.Linear(24, 10)

    def forward(self, x):
        x = torch.flatten(x, 1)
        return F.log_softmax(self.fc3(F.relu(self.fc2(F.relu(self.fc1(x))))), 1)


class Lenet(nn.Module):
    shape, smooth = (1, 16, 16), False

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 12, 2)
        self.fc1, self.fc2, self.drop = nn.Linear(192, 24), nn.Linear(24, 10), nn.Dropout(0.0)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2, ceil_mode=True)
        x = x.view(x.size(0), -1)
        return self.fc2(self.drop(F.relu(self.fc1(x))))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Resnet8(nn.Module):
    shape, smooth = (3, 12, 12), False

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.layers = nn.Sequential(Block(6, 6, 1), Block(6, 8, 2), Block(8, 12, 2))
        self.fc = nn.Linear(12, 10)

    def forward(self, x):
        x = self.layers(F.relu(self.bn(self.conv(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Linear(nn.Module):
    shape, smooth = (1, 12, 12), True

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(144, 10)

    def forward(self, x):
        return F.softmax(self.fc(x.view(-1, 144)), dim=1)


class AveragePool(nn.Module):
    shape, smooth = (3, 14, 14), True

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3)
        self.scale = nn.Parameter(torch.rand(12, 1, 1) + 0.5)
        self.fc = nn.Linear(12, 10)

    def forward(self, x):
        x = F.avg_pool2d(self.conv1(x), 3, 2, padding=1)
        x = F.avg_pool2d(self.conv2(x) * self.scale, 2, count_include_pad=False)
        return self.fc(x.mean((2, 3)))


class Convolutions(nn.Module):
    shape, smooth = (4, 15, 13), True

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, padding=1, groups=2)
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.strided = nn.Conv2d(8, 12, (5, 3), stride=(3, 2), padding=(2, 0))
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.pointwise = nn.Conv2d(12, 6, 1)
        self.fc = nn.Linear(6 * 5 * 6, 10)

    def forward(self, x):
        x = self.strided(self.dilated(self.grouped(x)))
        return self.fc(torch.flatten(self.pointwise(self.depthwise(x)), 1))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class Mobile(nn.Module):
    """Inverted residuals as in MobileNet-v2 and -v3."""
    shape, smooth = (3, 12, 12), False

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.Hardswish())
        self.first = nn.Sequential(nn.Conv2d(6, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6(),
                                   nn.Conv2d(12, 12, 3, 1, 1, groups=12, bias=False), nn.BatchNorm2d(12),
                                   nn.ReLU6(), nn.Conv2d(12, 6, 1, bias=False), nn.BatchNorm2d(6))
        self.second = nn.Sequential(nn.Conv2d(6, 12, 5, 2, 2, groups=6), nn.BatchNorm2d(12), nn.Hardswish(),
                                    nn.Conv2d(12, 12, 5, 2, 2, groups=12), SqueezeExcitation(12), nn.LeakyReLU(0.1))
        self.fc = nn.Linear(12, 10)

    def forward(self, x):
        x = self.stem(x)
        return self.fc(self.second(x + self.first(x)).mean([2, 3]))


class Branches(nn.Module):
    """What joins and cuts channels, as Inception and ShuffleNet do, and normalizes groups of them."""
    shape, smooth = (3, 9, 9), False

    def __init__(self):
        super().__init__()
        self.conv, self.group, self.instance = nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True)
        self.left, self.right = nn.Conv2d(4, 6, 1), nn.Conv2d(4, 6, 3, padding=1)
        self.prelu, self.fc = nn.PReLU(12), nn.Linear(24, 10)

    def forward(self, x):
        x = self.instance(F.elu(self.group(self.conv(x))))
        left, right = x.chunk(2, 1)
        x = torch.cat([self.left(left), self.right(right)], 1)
        n, c, h, w = x.shape
        x = self.prelu(x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))
        x = F.selu(F.max_pool2d(F.pad(x, (1, 0, 0, 1)), 2))[:, :, 1:, :-1]
        return self.fc(torch.cat([x.amax((2, 3)), torch.abs(x).clamp(0.1, 2).sum((2, 3)) / 4], 1))


class Transformer(nn.Module):
    shape, smooth = (3, 8, 8), True

    def __init__(self):
        super().__init__()
        self.patches, self.places = nn.Conv2d(3, 16, 2, 2), nn.Parameter(torch.randn(1, 16, 16) / 4)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(16), nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.up, self.down, self.fc = nn.Linear(16, 32), nn.Linear(32, 16), nn.Linear(32, 10)

    def attention(self, x):
        n, t, d = x.shape
        q, k, v = [part.reshape(n, t, 2, d // 2).transpose(1, 2) for part in self.qkv(x).chunk(3, -1)]
        weights = F.softmax(q @ k.transpose(-2, -1) / (d // 2) ** 0.5, -1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, t, d))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        x = x + self.attention(self.norm1(x))
        x = self.norm3(x + self.down(F.gelu(self.up(self.norm2(x)))))
        return self.fc(torch.cat([x[:, 0], F.softmax(x, 1).mean(1) + x.mean(1)], 1))


class Functions(nn.Module):
    shape, smooth = (1, 8, 8), True

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64 if i == 0 else 12, 12) for i in range(6))
        self.scale, self.fc = nn.Parameter(torch.rand(12) + 0.5), nn.Linear(12, 10)

    def forward(self, x):
        x = torch.flatten(x, 1)
        x = torch.tanh(self.layers[0](x))
        x = F.silu(self.layers[1](x)) + F.mish(x)
        x = F.softplus(self.layers[2](x)) - torch.sigmoid(x) * self.scale
        x = torch.exp(-(self.layers[3](x) ** 2)) / (2 + x ** 2)
        x = torch.sqrt(1 + torch.log(3 + torch.erf(self.layers[4](x)))) + 1 / (x ** 2 + 0.5)
        return self.fc(F.gelu(self.layers[5](x)) * x.pow(-0.5) - self.scale + (3 - x) ** 3)


class Language(LanguageModel):
    shape, smooth = ("tokens", 13, 6), True

    def __init__(self):
        super().__init__(tokens=13, positions=6, width=16, heads=2, layers=1)


class Permuted(SmallViT):
    """Queries, keys and values by a permutation that moves the batch, and a class token."""
    shape, smooth = (3, 8, 8), True

    def __init__(self):
        super().__init__(width=16, heads=2, positions=5)


MODELS = {"mlp": Mlp, "lenet": Lenet, "resnet8": Resnet8, "linear": Linear, "average_pool": AveragePool,
          "convolutions": Convolutions, "mobile": Mobile, "branches": Branches, "transformer": Transformer,
          "functions": Functions, "language": Language, "permuted": Permuted}
OPSETS = {"resnet8": 14, "mobile": 14, "branches": 16, "transformer": 17, "language": 14, "permuted": 14}  # 13 for the others
FIXED_BATCH = {"resnet8", "linear"}  # The others leave the batch size open.


def make_input(shape):
    if shape[0] == "tokens":
        return torch.randint(0, shape[1], (BATCH, shape[2]))
    return torch.randn(BATCH, *shape)


def export(model, name, path):
    axes = None if name in FIXED_BATCH else {"images": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, make_input(model.shape), str(path), input_names=["images"],
                          output_names=["classes"], dynamic_axes=axes, opset_version=OPSETS.get(name, 13),
                          training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)


def make(name, folder, seed):
    torch.manual_seed(seed)
    model = MODELS[name]().train()
    # Fresh layers have scale 1 and shift 0, where mistakes hide.
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    state = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    path = folder / f"{name}.onnx"
    export(model, name, path)

    batch = make_input(model.shape)
    reference = Reference(path)
    values = reference.forward(batch.numpy())
    logits = reference.logits(values).detach()
    labels = torch.randint(0, 10, (logits.numel() // logits.shape[-1],))
    arrays = {"input": batch.float().numpy(), "labels": labels.numpy().astype(np.int32), "logits": logits.numpy(),
              "smooth": np.uint8(model.smooth)}
    for node in reference.model.graph.node:
        value = values[node.output[0]]
        if len(node.output) == 1 and value.is_floating_point() and value.dim() > 1 and node.op_type not in ("Transpose", "Constant"):
            arrays[f"tensor/{node.name}"] = value.numpy()

    # PyTorch's own gradients, with the softmax that some models end in undone by taking the logits from it.
    model.double().load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    parameters = dict(model.named_parameters())
    output = model(batch if batch.dtype == torch.long else batch.double())
    if name == "linear":
        output = torch.log(output)
    output, logits = output.reshape(len(labels), -1), logits.reshape(len(labels), -1)
    loss = F.cross_entropy(output, labels)
    # ONNX keeps constants such as 1/6 in float32.
    assert abs(float(loss) - float(F.cross_entropy(logits, labels))) < 1e-6, "the ONNX file says something else"
    arrays["loss"] = np.float64(loss.item())
    for key, gradient in zip(parameters, torch.autograd.grad(loss, list(parameters.values()))):
        arrays[f"parameter/{key}"] = state[key]
        arrays[f"gradient/{key}"] = gradient.numpy()
    for key, value in state.items():
        if key.endswith(("running_mean", "running_var")):
            arrays[f"statistics/{key}"] = value
    np.savez(folder / f"{name}.npz", **{k: np.ascontiguousarray(v) for k, v in arrays.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name in MODELS:
        make(name, options.folder, options.seed)


if __name__ == "__main__":
    main()
