#!/usr/bin/python3
"""Bytes that ten contributors send for each image that they train on, and what the model is worth in the end.

    script/bench traffic [--seconds 600] [--seeds 1,2,3] [--settings 4/128,8/32/10%] [--write]

Trains the built-in resnet8 on Fashion-MNIST with every setting and every seed, from the same parameters and on as many images.
Each run adds a line to build/bench/traffic/runs.jsonl, and a run that is there is not repeated: --seconds ends a call between two
runs, and the next call goes on. --write puts the table into docs/internals/traffic.md. All of it takes about an hour of one core.
"""

import argparse
import dataclasses
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build/bench/traffic"
RUNS = FOLDER / "runs.jsonl"
DOCUMENT = ROOT / "docs/internals/traffic.md"
BATCH, IMAGES = 16, 61_440  # images: a whole number of rounds in every setting
CONTRIBUTORS = 10


@dataclasses.dataclass(frozen=True)
class Setting:
    bits: int
    steps: int = 0       # local steps of a unit
    keep: int = 1_000_000  # parts per million

    @property
    def name(self):
        keep = "" if self.keep == 1_000_000 else f"/{self.keep / 10_000:g}%"
        return f"{self.bits}/{self.steps}{keep}"

    # Of 0.05, 0.1 and 0.2 for 16 local steps none was better than the others.
    @property
    def rate(self):
        return 0.1 if self.bits == 32 else 0.5 if self.steps == 0 else 0.05

    @property
    def momentum(self):
        return 0.9 if self.bits == 32 or self.steps > 0 else 0.0

    def arguments(self, seed):
        return {"bits": self.bits, "local-steps": self.steps, "keep": self.keep, "batch": BATCH, "images": IMAGES,
                "rate": self.rate, "momentum": self.momentum, "seed": seed}


BASELINE = Setting(32)
TENTH = 100_000
SETTINGS = [BASELINE, Setting(8), *(Setting(bits, 16) for bits in (16, 8, 4)), Setting(8, 16, TENTH),
            *(Setting(bits, 64) for bits in (8, 4))]


def project():
    """A project with the data and the model; each run takes its own recipe."""
    folder = FOLDER / "project"
    if not (folder / "ledger.sqlite").exists():
        shutil.rmtree(folder, ignore_errors=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run([ROOT / "build/release/cairn", "new", folder, "--data", "fashion-mnist", "--model", "resnet8",
                        "--keys", FOLDER / "keys"], check=True, stdout=subprocess.DEVNULL)
    return folder


def run(arguments):
    options = [f"--{name}={value}" for name, value in arguments.items()]
    output = subprocess.run([ROOT / "build/release/bench_traffic", project(), *options], check=True, capture_output=True)
    return json.loads(output.stdout)


def train(settings, seeds, seconds):
    """Runs that are left, the first seed of every setting first; how many there are still."""
    begun = time.monotonic()
    left = [arguments for seed in seeds for setting in settings
            if (arguments := setting.arguments(seed)) not in [line["arguments"] for line in results()]]
    while left and time.monotonic() - begun < seconds:
        result = run(left[0])
        with RUNS.open("a") as file:
            file.write(json.dumps({"arguments": left.pop(0), **result}) + "\n")
    return len(left)


def results():
    return [json.loads(line) for line in RUNS.read_text().splitlines()] if RUNS.exists() else []


def runs_of(setting):
    return [line for line in results() if line["arguments"] == setting.arguments(line["arguments"]["seed"])]


def mean(lines, of):
    return statistics.fmean(of(line) for line in lines)


def title(setting):
    if setting == BASELINE:
        return "binary32, each step"
    keep = "" if setting.keep == 1_000_000 else f", the largest {setting.keep / 10_000:g} %"
    return f"{setting.bits} bits{keep}"


def table(settings):
    lines = ["| what is sent | local steps | rounds | bytes an image | compressed | baseline ÷ this | accuracy, by seed | mean | from "
             "the baseline |", "|---|---|---|---|---|---|---|---|---|"]
    baseline = runs_of(BASELINE)
    for setting in settings:
        if not (lines_of := runs_of(setting)):
            continue
        plain, packed = (mean(lines_of, lambda line: line[what] / line["images"]) for what in ("bytes", "compressed"))
        accuracy = mean(lines_of, lambda line: line["accuracy"])
        shared = {line["arguments"]["seed"] for line in lines_of} & {line["arguments"]["seed"] for line in baseline}
        of = {line["arguments"]["seed"]: line["accuracy"] for line in baseline}
        away = [100 * (line["accuracy"] - of[line["arguments"]["seed"]]) for line in lines_of
                if line["arguments"]["seed"] in shared]
        error = f" ± {statistics.stdev(away) / math.sqrt(len(away)):.2f}" if len(away) > 1 else ""
        ratio = mean(baseline, lambda line: line["bytes"] / line["images"]) / packed if baseline else math.nan
        difference = "" if setting == BASELINE or not away else f"{statistics.fmean(away):+.2f}{error}"
        by_seed = ", ".join("%.2f" % (100 * line["accuracy"]) for line in lines_of)
        lines.append(f'| {title(setting)} | {setting.steps or "none"} | {lines_of[0]["rounds"]} | {plain:,.{0 if plain > 1000 else 1}f} | '
                     f"{packed:,.{0 if packed > 1000 else 1}f} | {ratio:,.{0 if ratio > 10 else 1}f} | {by_seed} | {100 * accuracy:.2f} | {difference} |")
    return lines


def write_table(lines):
    begin, end = "<!-- script/bench traffic -->\n", "<!-- end -->\n"
    head, rest = DOCUMENT.read_text().split(begin)
    _, tail = rest.split(end)
    DOCUMENT.write_text(head + begin + "\n".join(lines) + "\n" + end + tail)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--seeds", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2, 3])
    parser.add_argument("--settings", type=lambda text: text.split(","), help="by name: BITS/STEPS or BITS/STEPS/KEEP%%")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    settings = [one for one in SETTINGS if not options.settings or one.name in options.settings]
    left = train(settings, options.seeds, options.seconds)
    print("\n".join(table(settings)))
    print(f"{left} runs are left")
    if options.write:
        write_table(table(SETTINGS))


if __name__ == "__main__":
    main()
