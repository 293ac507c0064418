"""The models that Cairn must agree on with PyTorch, by name: torchvision's families, and language models in plain PyTorch.

An entry gives the model, its input, and whether it is smooth (no ReLU, no maximum), so that gradients can be compared
end to end. Images are as small as the architecture allows.
"""

import torch
import torch.nn.functional as F
import torchvision

from plain import EncoderLayers, LanguageModel, OddsAndEnds, SmallViT


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
    "odds_and_ends": lambda: (OddsAndEnds(), (3, 11, 11), 8, False),
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
