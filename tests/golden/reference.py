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
    axis = a.get("axis", 0)
    if index.dim() > 1:
        return F.embedding(index.long(), data)
    return data.select(axis, int(index)) if index.dim() == 0 else data.index_select(axis, index.long() % data.shape[axis])


def slice_(a, x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else [int(i) for i in axes]
    if steps is not None and int(steps[0]) == -1:  # Of pads: the whole list.
        return x.flip(0)
    steps = [1] * len(starts) if steps is None else [int(s) for s in steps]
    for start, end, axis, step in zip(starts, ends, axes, steps):
        size = x.shape[axis]
        start, end = (min(max(int(p) + (size if p < 0 else 0), 0), size) for p in (start, end))
        x = x.narrow(axis, start, end - start)
        if step != 1:
            x = x.index_select(axis, torch.arange(0, end - start, step))
    return x


def split(a, x, sizes=None):
    return torch.split(x, [int(s) for s in (a["split"] if sizes is None else sizes)], a.get("axis", 0))


def squeeze(a, x, axes=None):
    for axis in sorted(int(i) for i in (a["axes"] if axes is None else axes)):
        x = x.squeeze(axis)
    return x


def unsqueeze(a, x, axes=None):
    for axis in sorted(int(i) for i in (a["axes"] if axes is None else axes)):
        x = x.unsqueeze(axis)
    return x


def layer_normalization(a, x, scale, bias=None):
    shape = x.shape[a.get("axis", -1):]
    return F.layer_norm(x, shape, scale, bias, a.get("epsilon", 1e-5))


def instance_normalization(a, x, scale, bias):
    return F.instance_norm(x, weight=scale, bias=bias, eps=a.get("epsilon", 1e-5))


def prelu(a, x, slope):
    return torch.where(x > 0, x, slope * x)


def selu(a, x):
    alpha, gamma = a.get("alpha", 1.67326319217681884765625), a.get("gamma", 1.05070102214813232421875)
    return gamma * torch.where(x > 0, x, alpha * (torch.exp(x) - 1))


def reduce(of):
    def reduced(a, x, axes=None):
        axes = a["axes"] if axes is None else [int(i) for i in axes]
        return of(x, axes, keepdim=bool(a.get("keepdims", 1)))
    return reduced


def divide(a, x, y):
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="floor")


def expand(a, x, shape):
    return x * torch.ones([int(s) for s in shape], dtype=x.dtype)


def where(a, condition, x, y):
    return torch.where(condition.bool(), x, y)


def trilu(a, x, diagonal=None):
    k = 0 if diagonal is None else int(diagonal)
    return torch.triu(x, k) if a.get("upper", 1) else torch.tril(x, k)


def constant(a):
    value = torch.tensor(numpy_helper.to_array(a["value"]))
    if value.is_floating_point():  # Infinities are finite in Cairn: the gradient of 0 times one is no number.
        value = value.clamp(-2.0 ** 120, 2.0 ** 120)
    return value.double() if value.is_floating_point() else value


CASTS = {onnx.TensorProto.FLOAT: torch.float64, onnx.TensorProto.DOUBLE: torch.float64, onnx.TensorProto.INT64: torch.int64,
         onnx.TensorProto.BOOL: torch.bool}

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
    "Expand": expand,
    "Where": where,
    "Trilu": trilu,
    "Range": lambda a, start, limit, step: torch.arange(int(start), int(limit), int(step)),
    "Equal": lambda a, x, y: x == y,
    "Greater": lambda a, x, y: x > y,
    "Less": lambda a, x, y: x < y,
    "Not": lambda a, x: ~x.bool(),
    "Max": lambda a, x, y: torch.maximum(x, y),
    "Min": lambda a, x, y: torch.minimum(x, y),
    "Shape": lambda a, x: torch.tensor(x.shape)[a.get("start", 0):a.get("end", x.dim())],
    "Gather": gather,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": lambda a, *parts: torch.cat(parts, a["axis"]),
    "Split": split,
    "Slice": slice_,
    "Constant": constant,
    "ConstantOfShape": lambda a, shape: constant(a).expand([int(s) for s in shape]),
    "Cast": lambda a, x: x.to(CASTS[a["to"]]),
    "ReduceSum": reduce(torch.sum),
    "ReduceMax": reduce(torch.amax),
    "Sub": lambda a, x, y: x - y,
    "Div": divide,
    "Pow": lambda a, x, y: x ** y,
    "Abs": lambda a, x: torch.abs(x),
    "Clip": lambda a, x, low=None, high=None: torch.clamp(x, low, high),
    "Elu": lambda a, x: F.elu(x, a.get("alpha", 1.0)),
    "Erf": lambda a, x: torch.erf(x),
    "Exp": lambda a, x: torch.exp(x),
    "HardSigmoid": lambda a, x: torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1),
    "HardSwish": lambda a, x: F.hardswish(x),
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
    "Log": lambda a, x: torch.log(x),
    "Neg": lambda a, x: -x,
    "PRelu": prelu,
    "Reciprocal": lambda a, x: 1 / x,
    "Selu": selu,
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Softplus": lambda a, x: F.softplus(x),
    "Sqrt": lambda a, x: torch.sqrt(x),
    "Tanh": lambda a, x: torch.tanh(x),
    "Softmax": lambda a, x: F.softmax(x, a.get("axis", -1)),
    "LogSoftmax": lambda a, x: F.log_softmax(x, a.get("axis", -1)),
}

PRODUCTS = {"Conv", "Gemm", "MatMul"}


def bfloat16(x):
    return x.to(torch.bfloat16).to(x.dtype)


def arrangements(shape, batch):
    """(before, outer, inner, after) for every place that the batch may have in a shape."""
    for axis, size in enumerate(shape):
        if size % batch == 0:
            for outer in range(1, size // batch + 1):
                if size // batch % outer == 0:
                    yield list(shape[:axis]), outer, size // batch // outer, list(shape[axis + 1:])


def arranged(found, like):
    """Cairn's tensor, which has the batch first, in the file's shape. The file may have the batch elsewhere, even in one
    dimension with its neighbours: of the possible arrangements it is the one that fits."""
    found = torch.tensor(found, dtype=torch.float64)
    like = like.detach()
    if found.shape == like.shape or found.dim() < 2:
        first = found.reshape(like.shape)
        if like.dim() < 2 or torch.linalg.norm(first - like) <= 0.1 * torch.linalg.norm(like):
            return first
    best = None
    for before, outer, inner, after in arrangements(like.shape, found.shape[0]):
        if found.numel() != like.numel():
            break
        part = found.reshape([found.shape[0]] + before + [outer, inner] + after)
        part = part.movedim(0, len(before) + 1).reshape(like.shape)
        distance = torch.linalg.norm(part - like)
        if best is None or distance < best[0]:
            best = distance, part
    return found.reshape(like.shape) if best is None else best[1]


class Reference:
    """One ONNX model; parameters and every computation in float64."""

    def __init__(self, path, training=True):
        self.model = onnx.load(path)
        self.training = training
        self.kept = {}  # What a Dropout's values are multiplied by, as far as it is known from Cairn's tensors.
        self.parameters = {}
        for tensor in self.model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            values = torch.tensor(array)
            if values.is_floating_point():
                values = values.clamp(-2.0 ** 120, 2.0 ** 120)
            self.parameters[tensor.name] = values.double() if array.dtype == np.float32 else values
        names = set(self.parameters)
        self.input_name = next(i.name for i in self.model.graph.input if i.name not in names)
        types = {i.name: i.type.tensor_type.elem_type for i in self.model.graph.input}
        self.takes_tokens = types[self.input_name] == onnx.TensorProto.INT64

    def evaluate(self, node, values):
        inputs = [values[name] if name else None for name in node.input]
        # The loss takes the final softmax upon itself, so the reference stops at the logits.
        if node.op_type in ("Softmax", "LogSoftmax") and node.output[0] == self.model.graph.output[0].name:
            return inputs[0]
        if node.op_type == "Dropout":
            return inputs[0] * self.kept[node.name] if node.name in self.kept else inputs[0]
        if node.op_type == "BatchNormalization":
            return batch_normalization(attributes_of(node), *inputs, self.training)
        return OPERATORS[node.op_type](attributes_of(node), *inputs)

    def forward(self, batch, given=None, rounding=None):
        """All values by name. Where `given` has a node's tensor, later nodes read that one. `rounding` is applied
        to the operands of products, and results are then kept in float32."""
        values = dict(self.parameters)
        values[self.input_name] = torch.tensor(batch, dtype=torch.int64 if self.takes_tokens else torch.float64)
        for node in self.model.graph.node:
            operands = values
            if rounding and node.op_type in PRODUCTS:
                operands = {**values, **{n: rounding(values[n]) for n in node.input[:2]}}
            y = self.evaluate(node, operands)
            if given and node.op_type == "Dropout" and node.name in given:
                y = self.dropped(node, values, given)
            if isinstance(y, tuple):
                values.update(zip(node.output, y))
                continue
            if rounding and y.is_floating_point():
                y = y.float().double()
            if given and node.name in given:
                y = arranged(given[node.name], y)
            values[node.output[0]] = y
        return values

    def dropped(self, node, values, given):
        """Learns from Cairn's tensor which values were dropped. Where the input is 0 nobody knows or cares."""
        x, ratio = values[node.input[0]], float(values[node.input[1]])
        self.kept[node.name] = (arranged(given[node.name], x) != 0).double() / (1 - ratio)
        return x * self.kept[node.name]

    def logits(self, values):
        return values[self.model.graph.output[0].name]

    def backward(self, values, labels, rounding=None):
        """Gradients of the mean cross-entropy with respect to the parameters, node by node from the end. Each
        node's derivative is taken at the tensors in `values`; only the gradients themselves are propagated."""
        gradients = {}

        def accumulate(name, gradient):
            gradients[name] = gradients[name] + gradient if name in gradients else gradient

        logits = self.logits(values).detach().requires_grad_()
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), torch.tensor(labels, dtype=torch.long))
        accumulate(self.model.graph.output[0].name, torch.autograd.grad(loss, logits)[0])
        for node in reversed(self.model.graph.node):
            outputs = [i for i, name in enumerate(node.output) if name in gradients]
            if not outputs:
                continue
            operands, upstream = dict(values), [gradients[node.output[i]] for i in outputs]
            names = [n for n in dict.fromkeys(node.input) if n and values[n].is_floating_point()]
            if not names:
                continue
            for name in names:
                round_it = rounding and node.op_type in PRODUCTS and name in node.input[:2]
                value = rounding(values[name]) if round_it else values[name]
                operands[name] = value.detach().clone().requires_grad_()
            if rounding and node.op_type in PRODUCTS:
                upstream = [rounding(u) for u in upstream]
            y = self.evaluate(node, operands)
            y = [y[i] for i in outputs] if isinstance(y, tuple) else [y]
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
