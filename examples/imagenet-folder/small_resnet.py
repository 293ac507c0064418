#!/usr/bin/python3
"""A small ResNet for colour pictures: on its way to Cairn, and back.

    small_resnet.py export model.onnx --classes 10        writes it, with fresh weights, for `cairn new --model`
    small_resnet.py test trained.pt photos/val            what the weights that `cairn export` wrote get right in PyTorch

The pictures of `test` lie in a folder for each class. They are brought to size and normalized as the recipe says.
"""

import argparse
import pathlib

import torch
from torch import nn

SIZE, RESIZE = 32, 36  # of `cairn data import --size 36`, and input.size of recipe.toml


class Block(nn.Module):
    def __init__(self, width, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.skip = nn.Sequential()
        if stride != 1 or width != outputs:
            self.skip = nn.Sequential(nn.Conv2d(width, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.skip(x))


class SmallResNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def export(options):
    torch.manual_seed(0)  # the project starts from exactly these weights
    torch.onnx.export(
        SmallResNet(options.classes), torch.randn(2, 3, SIZE, SIZE), options.file,
        input_names=["images"], output_names=["logits"], dynamic_axes={"images": {0: "batch"}}, opset_version=14,
        training=torch.onnx.TrainingMode.TRAINING,  # or batch normalization is folded away
        do_constant_folding=False)                  # or weights lose their names


def picture(path, mean, deviation):
    from PIL import Image
    image = Image.open(path).convert("RGB")
    scale = RESIZE / min(image.size)
    image = image.resize([max(RESIZE, round(side * scale)) for side in image.size], Image.BILINEAR)
    left, top = [(side - SIZE) // 2 for side in image.size]
    pixels = torch.tensor(list(image.crop((left, top, left + SIZE, top + SIZE)).getdata()), dtype=torch.float32)
    return ((pixels / 255 - mean) / deviation).T.reshape(3, SIZE, SIZE)


def test(options):
    folders = sorted(path for path in pathlib.Path(options.photos).iterdir() if path.is_dir())
    state = torch.load(options.file)
    model = SmallResNet(state["head.bias"].numel())
    model.load_state_dict(state)
    model.eval()
    mean, deviation = torch.tensor(options.mean), torch.tensor(options.deviation)
    right = count = 0
    for label, folder in enumerate(folders):
        paths = sorted(folder.iterdir())[:options.images]
        batch = torch.stack([picture(path, mean, deviation) for path in paths])
        with torch.no_grad():
            right += int((model(batch).argmax(1) == label).sum())
        count += len(paths)
    print(f"{right} of {count} pictures right: {right / count:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    exporting = commands.add_parser("export")
    exporting.add_argument("file")
    exporting.add_argument("--classes", type=int, required=True)
    exporting.set_defaults(action=export)
    testing = commands.add_parser("test")
    testing.add_argument("file")
    testing.add_argument("photos")
    testing.add_argument("--images", type=int, default=100, help="of each class")
    testing.add_argument("--mean", type=float, nargs=3, default=[0.485, 0.456, 0.406])
    testing.add_argument("--deviation", type=float, nargs=3, default=[0.229, 0.224, 0.225])
    testing.set_defaults(action=test)
    chosen = parser.parse_args()
    chosen.action(chosen)
