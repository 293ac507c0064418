#!/usr/bin/python3
"""Trains models in Cairn and in PyTorch, in turns, and says which is faster.

    script/bench train [--models resnet18,mobilenet_v2] [--batches 8,32] [--threads 1,2] [--seconds 10] [--turns 3]

Each turn measures training steps (forward, loss, backward) of both, in processes of their own; medians count: of images, or of
tokens, in a second. Also writes build/bench/train.json.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import train_models

ROOT = pathlib.Path(__file__).resolve().parent.parent
CAIRN = ROOT / "build/release/cairn"
FOLDER = ROOT / "build/bench"


def torch_steps(name, batch, threads, seconds):
    """In a process of its own: memory is that of its largest moment, and OpenBLAS starts no more threads. At its best."""
    code = f"""
import json, re, sys, time
sys.path.insert(0, {str(ROOT / "bench")!r})
import torch, train_models
torch.set_num_threads({threads}); torch.set_flush_denormal(True)
model, _ = train_models.make({name!r})
inputs, labels = train_models.batch({name!r}, {batch})
def step():
    model.zero_grad(set_to_none=True)
    train_models.loss(model(inputs), labels).backward()
step()
begin, steps = time.monotonic(), []
while len(steps) < 3 or time.monotonic() - begin < {seconds}:
    start = time.monotonic(); step(); steps.append(time.monotonic() - start)
steps.sort()
most = int(re.search(r"VmHWM: *(\\d+)", open("/proc/self/status").read().replace(chr(9), " "))[1]) / 1024
print(json.dumps([{batch} / steps[len(steps) // 2], most]))
"""
    # glibc gives large tensors back after each step, and takes fresh pages for the next: twice as slow in a virtual machine.
    keep_memory = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)} | keep_memory
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
    return json.loads(done.stdout)


def cairn_steps(path, batch, threads, precision, seconds):
    command = [CAIRN, "bench", path, "--batch", batch, "--threads", threads, "--precision", precision,
               "--seconds", seconds, "--json"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def measure(name, path, batch, threads, options):
    """One figure for each precision, all from the same turns."""
    precisions = [p for p in options.precisions if p == "standard" or name in train_models.FAST]
    answers = {precision: [] for precision in precisions}
    torch = []
    for _ in range(options.turns):
        for precision in precisions:
            answers[precision].append(cairn_steps(path, batch, threads, precision, options.seconds))
        torch.append(torch_steps(name, batch, threads, options.seconds))
    size = train_models.MODELS[name][1]
    unit = size if train_models.is_language_model(name) else 1  # tokens of a context
    theirs = unit * statistics.median(speed for speed, _ in torch)
    for precision in precisions:
        ours = unit * statistics.median(a["images_per_second"] for a in answers[precision])
        yield {"model": name, "size": size, "batch": batch, "threads": threads, "precision": precision,
               "cairn": ours, "torch": theirs, "ratio": ours / theirs,
               "cairn_mib": max(a["resident_mib"] for a in answers[precision]),
               "torch_mib": max(mib for _, mib in torch), "shares": answers[precision][-1]["shares"]}


def show(figure):
    print(f'{figure["model"]:14} batch {figure["batch"]:3} threads {figure["threads"]} {figure["precision"]:8} '
          f'cairn {figure["cairn"]:8.2f}/s  torch {figure["torch"]:8.2f}/s  ratio {figure["ratio"]:5.2f}  '
          f'memory {figure["cairn_mib"]:6.0f} and {figure["torch_mib"]:6.0f} MiB', flush=True)
    top = figure["shares"][:6]
    print("               " + ", ".join(f'{s["operator"]} {100 * s["share"]:.0f} %' for s in top), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(n) for n in text.split(",")]
    parser.add_argument("--models", type=lambda t: t.split(","), default=train_models.USUAL)
    parser.add_argument("--batches", type=numbers, default=[8, 32])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--precisions", type=lambda t: t.split(","), default=["standard", "fast"])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    (FOLDER / "models").mkdir(parents=True, exist_ok=True)
    figures = []
    for name in options.models:
        path = FOLDER / "models" / f"{name}.onnx"
        train_models.export(name, str(path))
        for batch in options.batches:
            for threads in options.threads:
                try:
                    measured = list(measure(name, path, batch, threads, options))
                except RuntimeError as error:
                    print(f"{name:14} not measured: {error}", flush=True)
                    break
                figures += measured
                for figure in measured:
                    show(figure)
    (FOLDER / "train.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(f"written to {FOLDER / 'train.json'}")


if __name__ == "__main__":
    main()
