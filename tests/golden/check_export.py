#!/usr/bin/python3
"""Checks exported models with onnx.checker and computes their logits in float64.

    tests/golden/check_export.py FOLDER

For each NAME.onnx in the folder, NAME.npz holds `input` and `logits`. Prints each difference and exits with 1
where a file is invalid or its logits differ by more than 1 %.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnx.checker
import onnx.shape_inference

from reference import Reference


def relative_error(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, strict_mode=True)
    expected = np.load(path.with_suffix(".npz"))
    reference = Reference(path, training=False)
    logits = reference.logits(reference.forward(expected["input"])).numpy()
    return np.linalg.norm(logits.reshape(expected["logits"].shape) - expected["logits"]) / np.linalg.norm(logits)


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    errors = {path.stem: relative_error(path) for path in paths}
    for name, error in errors.items():
        print(f"{name}: logits differ by {error:.2e}")
    return 0 if errors and max(errors.values()) <= 1e-2 else 1


if __name__ == "__main__":
    sys.exit(main())
