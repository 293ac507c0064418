#!/usr/bin/python3
"""The convolutions of ResNet-18 and ResNet-50 at 224 x 224, batches of 8, beside PyTorch's in binary32 (oneDNN).

    script/bench convolutions [--threads 1] [--turns 3] [--isa avx512-vnni] [--only 3x3]

By turns; the fastest of each counts, since whatever else runs on a machine only makes things slower. For each direction:
multiply-accumulates a second (10^9), how many per cent of the integer peak of the ports that is, measured in the same run, and
how much faster than PyTorch. Also writes build/bench/convolutions.json.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BATCH = 8
DIRECTIONS = ["forward", "input_gradient", "weight_gradient"]


def cairn(options):
    """{(direction, layer): [seconds, GMAC/s, percent of peak]}, of the fastest repetition."""
    command = [ROOT / "build/release/bench_kernels", "--benchmark_format=json", "--benchmark_min_time=0.1",
               "--benchmark_repetitions=3",
               f"--benchmark_filter=convolution_.*/{options.isa}/.*{options.only}.*threads:{options.threads}/"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    best = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] != "iteration":
            continue
        direction, _, layer = run["name"].split("/")[:3]
        key = direction.removeprefix("convolution_"), layer
        if key not in best or run["real_time"] / 1e3 < best[key][0]:
            best[key] = [run["real_time"] / 1e3, run["GMAC/s"], run["percent"]]
    return best


def parse(layer):
    kernel, stride, inputs, outputs, size = re.fullmatch(r"(\d)x\d(?:s(\d))?_(\d+)_(\d+)_(\d+)", layer).groups()
    return int(kernel), int(stride or 1), int(inputs), int(outputs), int(size)


def torch_seconds(layer, seconds=0.3):
    """{direction: seconds}"""
    import torch
    kernel, stride, inputs, outputs, size = parse(layer)
    pad = kernel // 2
    x, w = torch.rand(BATCH, inputs, size, size), torch.rand(outputs, inputs, kernel, kernel)
    dy = torch.rand_like(torch.nn.functional.conv2d(x, w, None, stride, pad))
    backward = lambda mask: torch.ops.aten.convolution_backward(
        dy, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1, mask)
    work = {"forward": lambda: torch.nn.functional.conv2d(x, w, None, stride, pad),
            "input_gradient": lambda: backward([True, False, False]),
            "weight_gradient": lambda: backward([False, True, False])}
    best = {}
    for direction, run in work.items():
        run()
        end, best[direction] = time.monotonic() + seconds, float("inf")
        while time.monotonic() < end:
            begin = time.perf_counter()
            run()
            best[direction] = min(best[direction], time.perf_counter() - begin)
    return best


def torch_process(layers, threads):
    code = (f"import sys, json; sys.path.insert(0, {str(ROOT / 'bench')!r}); import torch, convolutions; "
            f"torch.set_num_threads({threads}); "
            f"print(json.dumps({{layer: convolutions.torch_seconds(layer) for layer in {layers!r}}}))")
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--isa", default="avx512-vnni")
    parser.add_argument("--only", default="", help="a part of the names of the layers")
    options = parser.parse_args()
    ours, theirs = {}, {}
    for _ in range(options.turns):
        for key, figures in cairn(options).items():
            ours[key] = min(ours.get(key, figures), figures)
        layers = list(dict.fromkeys(layer for _, layer in ours))
        for layer, seconds in torch_process(layers, options.threads).items():
            for direction, value in seconds.items():
                theirs[direction, layer] = min(theirs.get((direction, layer), value), value)
    if not ours:
        sys.exit(f"convolutions: nothing was measured; does this processor run {options.isa}, is there a layer "
                 f"'{options.only}'?")
    report(ours, theirs, layers, options)


def report(ours, theirs, layers, options):
    print(f"{'':20}" + "".join(f"{d:>30}" for d in DIRECTIONS))
    figures = []
    for layer in layers:
        line = f"{layer:20}"
        for direction in DIRECTIONS:
            seconds, rate, percent = ours[direction, layer]
            ratio = theirs[direction, layer] / seconds
            line += f"{rate:14.0f} {percent:6.0f} % {ratio:6.2f}"
            figures.append({"layer": layer, "direction": direction, "threads": options.threads, "isa": options.isa,
                            "gmacs": rate, "percent_of_peak": percent, "ratio": ratio})
        print(line)
    for direction in DIRECTIONS:
        mine = [f for f in figures if f["direction"] == direction]
        mean = sum(f["percent_of_peak"] for f in mine) / len(mine)
        print(f"{direction}: {mean:.0f} % of the peak on average")
    path = ROOT / "build/bench/convolutions.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
