#!/usr/bin/python3
"""Exports models of PyTorch, computes them with Cairn, and compares.

    tests/parity/check_parity.py PARITY-COMPUTE FOLDER NAME...

NAME is one of tests/parity/models.py, `fast` or `all`. For each:

  export      the float64 reference of the ONNX file gives the logits of the PyTorch model (1e-5)
  logits      Cairn's, in training mode, against that reference: at most 1e-2. With random weights a deep stack of
              batch norms magnifies every rounding error, so some models first take a few steps of SGD in PyTorch
  operators   each node alone, from Cairn's own tensors, against float64: at most 1e-3
  backward    the gradients, from Cairn's own forward tensors: at most 1e-2, and no worse than bfloat16 operands
  end to end  of smooth models, the gradients without any tensor of Cairn's: at most 5e-3

Exits with 1 where a check fails.
"""

import copy
import pathlib
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "golden"))
import check_backward
from models import FAST, MODELS, OPSET, OPSETS, TRAINED, make_input
from reference import Reference, relative_errors

LOGITS_LIMIT, SMOOTH_LIMIT, EXPORT_LIMIT = 1e-2, 5e-3, 1e-5
STEPS, RATE = 8, 0.02


def make(name):
    torch.manual_seed(1)
    model, shape, batch, smooth = MODELS[name]()
    model.train()
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():  # A head of zeros passes no gradient on.
            nn.init.normal_(parameter, std=0.1)
    return model, make_input(shape, batch), smooth


def train(model, inputs):
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    for _ in range(STEPS):
        optimizer.zero_grad()
        output = model(inputs)
        output = output[0] if isinstance(output, tuple) else output
        F.cross_entropy(output, torch.arange(len(inputs)) % output.shape[-1]).backward()
        optimizer.step()


def export(name, model, inputs, folder):
    path = folder / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, inputs[:2], str(path), input_names=["input"], output_names=["logits"],
                          dynamic_axes={"input": {0: "batch"}}, opset_version=OPSETS.get(name, OPSET),
                          training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)
    return path


def torch_logits(model, inputs):
    """Without dropout, which draws other numbers, and not as the file was traced: batch statistics, float64."""
    for module in model.modules():
        if isinstance(module, (nn.Dropout, nn.BatchNorm2d)):
            module.train(isinstance(module, nn.BatchNorm2d))
            module.p = 0.0
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    dropout, F.dropout = F.dropout, lambda x, *rest, **named: x
    try:
        with torch.no_grad():
            model.double()
            logits = model(inputs if inputs.dtype == torch.long else inputs.double())
    finally:
        F.dropout = dropout
    return logits[0] if isinstance(logits, tuple) else logits


def difference(found, expected):
    expected = np.asarray(expected, dtype=np.float64)
    found = np.asarray(found, dtype=np.float64).reshape(expected.shape)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def computed_by_cairn(name, compute, folder, inputs, logits):
    """What Cairn dumps for this batch and made-up labels."""
    rows, classes = logits.numel() // logits.shape[-1], logits.shape[-1]
    labels = torch.randint(0, classes, (rows,), dtype=torch.int32).numpy()
    np.savez(folder / f"{name}.batch.npz", input=inputs.float().numpy(), labels=labels)
    ran = subprocess.run([compute, str(folder), name], capture_output=True, text=True)
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr.strip())
    return np.load(folder / f"{name}.npz")


def logits_of(name, compute, folder, model, inputs):
    """How far the file is from PyTorch, and Cairn from the file; with the dump and the reference for more."""
    path = export(name, model, inputs, folder)
    reference = Reference(path)
    with torch.no_grad():
        logits = reference.logits(reference.forward(inputs.numpy()))
        exported = difference(logits, torch_logits(copy.deepcopy(model), inputs))
        dump = computed_by_cairn(name, compute, folder, inputs, logits)
        # The same values are dropped as in Cairn's.
        reference.forward(dump["input"], given=check_backward.dumped_tensors(dump))
        computed = difference(dump["logits"], reference.logits(reference.forward(dump["input"])))
    return exported, computed, dump, reference


def end_to_end(dump, reference):
    expected = reference.backward(reference.forward(dump["input"]), dump["labels"])
    expected = {key: e for key, e in expected.items() if "gradient/" + key in dump.files}
    return check_backward.worst(relative_errors({key: dump["gradient/" + key] for key in expected}, expected))


def check(name, compute, folder):
    started = time.time()
    model, inputs, smooth = make(name)
    try:
        exported, computed, dump, reference = logits_of(name, compute, folder, model, inputs)
        passed = check_backward.check(folder / f"{name}.onnx")
        whole, worst = end_to_end(dump, reference) if smooth else (0.0, "")
        if name in TRAINED:
            train(model, inputs)
            exported, computed, *_ = logits_of(name, compute, folder, model, inputs)
    except RuntimeError as error:
        print(f"{name}: {error}")
        return False
    print(f"{name}: the file differs from PyTorch by {exported:.1e}, Cairn's logits from the file by {computed:.1e}"
          + (f" after {STEPS} steps" if name in TRAINED else "")
          + (f", gradients end to end by {whole:.1e} ({worst})" if smooth else "")
          + f"; {time.time() - started:.0f} s", flush=True)
    return passed and exported <= EXPORT_LIMIT and computed <= LOGITS_LIMIT and whole <= SMOOTH_LIMIT


def main():
    torch.set_num_threads(1)
    compute, folder, *names = sys.argv[1:]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = list(FAST) if names == ["fast"] else list(MODELS) if names == ["all"] else names
    failed = []
    for name in names:
        if not check(name, compute, folder):
            failed.append(name)
        for file in folder.glob(f"{name}.*"):
            file.unlink()
    print(f"parity: {len(names) - len(failed)} of {len(names)} models agree with PyTorch"
          + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
