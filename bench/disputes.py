"""What a dispute costs: the seconds that claiming and judging a false local step take, with and without a trace.

Runs the program on a project of its own in a temporary folder: one honest user, one whose unit has one false step.
"""

import argparse
import json
import os
import pathlib
import random
import struct
import subprocess
import tempfile
import time

BUILD = pathlib.Path(__file__).resolve().parent.parent / "build" / "release"


def write_idx(folder, images, side):
    """Images of noise and labels of ten classes, as MNIST's files have them."""
    folder.mkdir()
    draw = random.Random(1)
    for name, count in (("train", images), ("t10k", 64)):
        pixels = draw.randbytes(count * side * side)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, count, side, side) + pixels)
        labels = bytes(draw.randrange(10) for _ in range(count))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels)


class Study:
    def __init__(self, folder, options, trace):
        self.folder, self.options = folder, options
        self.environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data-home")}
        (folder / "recipe.toml").write_text(
            f"[training]\nbatch = {options.batch}\nlocal_steps = {options.steps}\ntrace = {trace}\n"
            f"[inner]\noptimizer = \"{options.optimizer}\"\n[trust]\nexam_entries = 1\n"
        )
        write_idx(folder / "data", options.images, 28)
        self.cairn("new", "study", "--model", options.model, "--data", "data", "--recipe", "recipe.toml")

    def run(self, program, *arguments):
        begun = time.perf_counter()
        done = subprocess.run(
            [BUILD / program, *map(str, arguments)], cwd=self.folder, env=self.environment, text=True, capture_output=True
        )
        if done.returncode != 0:
            raise SystemExit(f"{program} {' '.join(map(str, arguments))}: {done.stderr}")
        return time.perf_counter() - begun, done.stdout

    def cairn(self, *arguments):
        return self.run("cairn", *arguments)

    def contribute(self, user, step=None):
        """Seconds that computing took, and the number of the entry."""
        self.cairn("user", "study", user)
        unit = json.loads(self.cairn("unit", "study", "--user", user, "--json")[1])["unit"]
        seconds, _ = self.cairn("gradient", "study", "--unit", unit, "--user", user, "-o", user)
        if step is not None:
            self.run("cairn-forge", "file", "study", user, "-o", user, "--user", user, "--step", step)
        return seconds, json.loads(self.cairn("submit", "study", user, "--json")[1])["entry"]


def measure(options, trace):
    with tempfile.TemporaryDirectory() as folder:
        study = Study(pathlib.Path(folder), options, trace)
        compute, _ = study.contribute("ada")
        _, lie = study.contribute("mallory", options.step)
        study.cairn("close", "study")
        claim, said = study.cairn("claim", "study", "--entry", lie, "--user", "ada")
        judge, verdict = study.cairn("judge", "study", "--json")
        assert json.loads(verdict)[0]["verdict"] == "upheld", verdict
        return compute, claim, judge, said.splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lenet", help="built in: mlp, lenet, resnet8, …")
    parser.add_argument("--steps", type=int, default=256, help="local steps of a unit")
    parser.add_argument("--trace", type=int, default=16, help="steps between two digests")
    parser.add_argument("--step", type=int, default=128, help="which one is false")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--optimizer", default="adamw")
    options = parser.parse_args()
    print(f"{options.model}, {options.steps} steps of {options.batch} images; step {options.step} is false")
    print(f"{'trace':>6} {'compute':>9} {'claim':>9} {'judge':>9}   seconds, start of the program included")
    judges = {}
    for trace in (0, options.trace):
        compute, claim, judges[trace], said = measure(options, trace)
        print(f"{trace:>6} {compute:>9.2f} {claim:>9.2f} {judges[trace]:>9.2f}   {said}")
    print(f"judging takes 1/{judges[0] / judges[options.trace]:.1f} of the time")


if __name__ == "__main__":
    main()
