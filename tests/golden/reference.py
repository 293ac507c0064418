"""A float64 reference for the ONNX models that Cairn imports: every node alone, forward and backward.

Written against the ONNX operator descriptions with torch's float64 functions, and independent of Cairn's code.
"""

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


def attributes_of(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def symmetric(pads):
    """(height, width) where padding is the same on both sides, which is all that torch's own padding knows."""
    top, left, bottom, right = pads
    assert (top, left) == (bottom, right), "asymmetric padding"
    return top, left


def conv(a, x, w, b=None):
    pads = a.get("pads", [0, 0, 0, 0])
    x = F.pad(x, (pads[1], pads[3], pads[0], pads[2]))
    return F.conv2d(x, w, b, a.get("strides", [1, 1]), 0, a.get("dilations", [1, 1]), a.get("group", 1))


def gemm(a, x, w, b=None):
    y = x @ (w.T if a.get("transB", 0) else w)
    return y if b is None else y + b


def batch_normalization(a, x, scale, bias, mean, variance, training):
    if training:
        dims = [0] + list(range(2, x.dim()))
        mean, variance = x.mean(dims), x.var(dims, unbiased=False)
    shape = [1, -1] + [1] * (x.dim() - 2)
    y = (x - mean.view(shape)) / torch.sqrt(variance.view(shape) + a.get("epsilon", 1e-5))
    return y * scale.view(shape) + bias.view(shape)


def max_pool(a, x):
    return F.max_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), symmetric(a.get("pads", [0, 0, 0, 0])),
                        ceil_mode=bool(a.get("ceil_mode", 0)))


def average_pool(a, x):
    return F.avg_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), symmetric(a.get("pads", [0, 0, 0, 0])),
                        bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)))


def pad(a, x, pads, value=None):
    pads = [int(p) for p in pads]
    rank = x.dim()
    flat = [p for d in reversed(range(rank)) for p in (pads[d], pads[d + rank])]
    return F.pad(x, flat)


def reduce_mean(a, x, axes=None):
    axes = a["axes"] if axes is None else [int(i) for i in axes]
    return x.mean(axes, keepdim=bool(a.get("keepdims", 1)))


def reshape(a, x, shape):
    shape = [int(s) for s in shape]
    return x.reshape([x.shape[i] if s == 0 else s for i, s in enumerate(shape)])


def gather(a, data, index):
    return data[int(index)] if index.dim() == 0 else data[index.long()]


OPERATORS = {
    "Conv": conv,
    "Gemm": gemm,
    "MatMul": lambda a, x, w: x @ w,
    "Add": lambda a, x, y: x + y,
    "Mul": lambda a, x, y: x * y,
    "Relu": lambda a, x: F.relu(x),
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "ReduceMean": reduce_mean,
    "Pad": pad,
    "Flatten": lambda a, x: x.flatten(1),
    "Reshape": reshape,
    "Transpose": lambda a, w: w.permute(a["perm"]),
    "Identity": lambda a, x: x,
    "Dropout": lambda a, x, *rest: x,
    "Shape": lambda a, x: torch.tensor(x.shape),
    "Gather": gather,
    "Unsqueeze": lambda a, x, axes=None: x.reshape(1),
    "Concat": lambda a, *parts: torch.cat(parts),
    "Constant": lambda a: torch.tensor(numpy_helper.to_array(a["value"])),
    # The loss takes the softmax upon itself, so the reference stops at the logits.
    "Softmax": lambda a, x: x,
    "LogSoftmax": lambda a, x: x,
}

PRODUCTS = {"Conv", "Gemm", "MatMul"}


def bfloat16(x):
    return x.to(torch.bfloat16).to(x.dtype)


class Reference:
    """One ONNX model; parameters and every computation in float64."""

    def __init__(self, path, training=True):
        self.model = onnx.load(path)
        self.training = training
        self.parameters = {}
        for tensor in self.model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            values = torch.tensor(array)
            self.parameters[tensor.name] = values.double() if array.dtype == np.float32 else values
        names = set(self.parameters)
        self.input_name = next(i.name for i in self.model.graph.input if i.name not in names)

    def evaluate(self, node, values):
        inputs = [values[name] for name in node.input]
        if node.op_type == "BatchNormalization":
            return batch_normalization(attributes_of(node), *inputs, self.training)
        return OPERATORS[node.op_type](attributes_of(node), *inputs)

    def forward(self, batch, given=None, rounding=None):
        """All values by name. Where `given` has a node's tensor, later nodes read that one. `rounding` is applied
        to the operands of products, and results are then kept in float32."""
        values = dict(self.parameters)
        values[self.input_name] = torch.tensor(batch, dtype=torch.float64)
        for node in self.model.graph.node:
            operands = values
            if rounding and node.op_type in PRODUCTS:
                operands = {**values, **{n: rounding(values[n]) for n in node.input[:2]}}
            y = self.evaluate(node, operands)
            if rounding and y.is_floating_point():
                y = y.float().double()
            if given and node.name in given:
                y = torch.tensor(given[node.name], dtype=torch.float64).reshape(y.shape)
            values[node.output[0]] = y
        return values

    def logits(self, values):
        return values[self.model.graph.output[0].name]

    def backward(self, values, labels, rounding=None):
        """Gradients of the mean cross-entropy with respect to the parameters, node by node from the end. Each
        node's derivative is taken at the tensors in `values`; only the gradients themselves are propagated."""
        gradients = {}

        def accumulate(name, gradient):
            gradients[name] = gradients[name] + gradient if name in gradients else gradient

        logits = self.logits(values).detach().requires_grad_()
        loss = F.cross_entropy(logits, torch.tensor(labels, dtype=torch.long))
        accumulate(self.model.graph.output[0].name, torch.autograd.grad(loss, logits)[0])
        for node in reversed(self.model.graph.node):
            if node.output[0] not in gradients:
                continue
            operands, upstream = dict(values), gradients[node.output[0]]
            names = [n for n in dict.fromkeys(node.input) if values[n].is_floating_point()]
            for name in names:
                round_it = rounding and node.op_type in PRODUCTS and name in node.input[:2]
                value = rounding(values[name]) if round_it else values[name]
                operands[name] = value.detach().clone().requires_grad_()
            if rounding and node.op_type in PRODUCTS:
                upstream = rounding(upstream)
            y = self.evaluate(node, operands)
            grads = torch.autograd.grad(y, [operands[n] for n in names], upstream, allow_unused=True)
            for name, gradient in zip(names, grads):
                if gradient is not None:
                    accumulate(name, gradient)
        return {name: g.numpy() for name, g in gradients.items() if name in self.parameters}


def relative_errors(found, expected):
    """For each tensor |found - expected| / max(|expected|, 1e-3 |all expected|): some true gradients are zero."""
    everything = np.sqrt(sum(float(np.sum(np.square(e))) for e in expected.values()))
    errors = {}
    for name, e in expected.items():
        scale = max(float(np.linalg.norm(e)), 1e-3 * everything)
        errors[name] = float(np.linalg.norm(np.asarray(found[name], dtype=np.float64).reshape(e.shape) - e)) / scale
    return errors
