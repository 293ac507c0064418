#!/usr/bin/python3
"""Compares Cairn's gradients with float64 gradients that run from Cairn's own forward tensors.

    tests/golden/check_backward.py FOLDER

For each NAME.onnx (in training mode) in the folder, NAME.npz is what `cairn gradient --dump NAME.npz --all` writes:
input, labels, tensor/NODE and gradient/NAME. Two things are checked:

  operators   each node alone: its dumped output against float64 from its dumped inputs, at most 1e-3
  backward    each parameter's gradient against a float64 backward pass that takes masks, choices of the maximum and
              normalized values from the dumped tensors, at most 1e-2, and the worst of a model no worse than what
              bfloat16 operands give when they are measured in the same way
  vanishing   gradients that are exactly 0 in truth (an offset that the next batch norm takes away again): at most
              1e-3 of the model's whole gradient

Whole-network gradients are not compared, because a ReLU near zero flips under any forward error. Exits with 1 where
a check fails.
"""

import pathlib
import sys

import numpy as np
import torch

from reference import Reference, arranged, bfloat16, relative_errors

OPERATOR_LIMIT = 1e-3
BACKWARD_LIMIT = 1e-2
VANISHING_LIMIT = 1e-3
VANISHES = 1e-10  # Of the whole gradient: what float64 leaves of an exact 0.


def dumped_tensors(dump):
    return {key.removeprefix("tensor/"): dump[key] for key in dump.files if key.startswith("tensor/")}


def operator_errors(reference, values, tensors):
    """Each node that Cairn dumped, computed in float64 from what Cairn dumped of its inputs."""
    errors = {}
    for node in reference.model.graph.node:
        if node.name in tensors:
            expected = reference.evaluate(node, values).detach()
            found = arranged(tensors[node.name], expected).numpy()
            errors.update(relative_errors({node.name: found}, {node.name: expected.numpy()}))
    return errors


def bfloat16_errors(reference, dump):
    """What products of bfloat16 operands would give, against float64 from that network's own tensors."""
    values = reference.forward(dump["input"], rounding=bfloat16)
    exact = reference.backward(values, dump["labels"])
    return relative_errors(reference.backward(values, dump["labels"], rounding=bfloat16), exact)


def size_of(arrays):
    return np.sqrt(sum(float(np.sum(np.square(np.asarray(a, dtype=np.float64)))) for a in arrays))


def split_vanishing(expected):
    """The names of gradients that are something, and of those that are 0 in truth."""
    whole = size_of(expected.values())
    vanishing = [name for name, e in expected.items() if size_of([e]) < VANISHES * whole]
    return [name for name in expected if name not in vanishing], vanishing


def worst(errors):
    if not errors:
        return 0.0, "none"
    name = max(errors, key=errors.get)
    return errors[name], name


def check(path):
    dump = np.load(path.with_suffix(".npz"))
    tensors = dumped_tensors(dump)
    reference = Reference(path)
    values = reference.forward(dump["input"], given=tensors)
    expected = reference.backward(values, dump["labels"])
    found = {name: dump["gradient/" + name] for name in expected if "gradient/" + name in dump.files}
    expected = {name: expected[name] for name in found}
    if not found or not tensors:
        print(f"{path.stem}: the dump holds no gradients or no tensors (--all)")
        return False

    operator, operator_name = worst(operator_errors(reference, values, tensors))
    something, vanishing = split_vanishing(expected)
    errors, errors_of_bf16 = relative_errors(found, expected), bfloat16_errors(reference, dump)
    backward, backward_name = worst({name: errors[name] for name in something})
    bf16, _ = worst({name: errors_of_bf16[name] for name in something})
    remainder = max([size_of([found[name]]) / size_of(expected.values()) for name in vanishing], default=0.0)
    print(f"{path.stem}: {len(tensors)} operators, worst {operator:.1e} ({operator_name}); {len(something)} gradients, "
          f"worst {backward:.1e} ({backward_name}); with bfloat16 {bf16:.1e}"
          + (f"; {len(vanishing)} that vanish, largest {remainder:.1e}" if vanishing else ""))
    return (operator <= OPERATOR_LIMIT and backward <= min(BACKWARD_LIMIT, bf16)
            and remainder <= VANISHING_LIMIT)


def main():
    torch.set_num_threads(1)
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    results = [check(path) for path in paths]
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
