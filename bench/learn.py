#!/usr/bin/python3
"""Trains small models with PyTorch in binary32 and with Cairn at each precision, and compares how well they learn.

    script/bench learn [--families resnet,gpt,lenet,mobile] [--jobs 2] [--seconds 150] [--write]

Every run of a seed begins with the same parameters and sees the same batches in the same order; one optimizer, here, takes the
gradients of all of them. `PyTorch, nudged` is PyTorch from parameters that differ in their last bits: what rounding alone does.
Runs go on where they stopped (build/bench/learn/); --seconds bounds one call. Results are in build/bench/learn.json, and
--write puts the tables into docs/internals/precision.md. All runs take about an hour and a half of one core.
"""

import argparse
import collections.abc
import concurrent.futures
import dataclasses
import json
import math
import pathlib
import statistics
import struct
import subprocess
import time

import numpy
import torch

import learn_models

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build/bench/learn"
DOCUMENT = ROOT / "docs/internals/precision.md"
# Bits of forward, input gradient and weight gradient products; None: PyTorch. No recipe can name the last one.
METHODS = {"PyTorch": None, "PyTorch, nudged": None, "standard": (13, 13, 13), "high": (14, 14, 14), "fast": (8, 8, 13),
           "8 bits everywhere": (8, 8, 8)}
EXACT, BEYOND = ["PyTorch", "PyTorch, nudged"], ["8 bits everywhere"]
TAIL = 0.1  # the last steps, whose mean is the final training loss


class Torch:
    """Gradients, statistics and logits by PyTorch. Vectors hold all parameters in the order of the model."""

    def __init__(self, model):
        self.model = model
        self.norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]

    def load(self, parameters):
        torch.nn.utils.vector_to_parameters(parameters, self.model.parameters())

    def gradient(self, parameters, images, labels, step):
        self.load(parameters)
        self.model.train().zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.model(images), labels)
        loss.backward()
        return loss.item(), torch.cat([p.grad.flatten() for p in self.model.parameters()])

    def take_statistics(self, parameters, batches):
        self.load(parameters)
        for norm in self.norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
        self.model.train()
        with torch.no_grad():
            for images, _ in batches:
                self.model(images)

    def logits(self, images):
        with torch.no_grad():
            return self.model.eval()(images)

    def close(self):
        pass


class Cairn:
    """The same by Cairn's own program."""

    def __init__(self, model, batch, bits, file, seed):
        command = [ROOT / "build/release/bench_learn", file, "--batch", batch, "--bits", *bits]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.facts = json.loads(self.process.stdout.readline())
        self.seed, self.places, begin = seed, {}, 0
        for name, parameter in model.named_parameters():
            self.places[name] = slice(begin, begin := begin + parameter.numel())
        self.count = begin
        shapes = {name: list(p.shape) for name, p in model.named_parameters()}
        assert shapes == {p["name"]: p["shape"] for p in self.facts["parameters"]}, "the importer knows other parameters"
        initial = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        assert torch.equal(self.ours(self.ask(b"p", [], self.count)), initial), "the importer changed the parameters"

    def theirs(self, vector):
        return torch.cat([vector[self.places[p["name"]]] for p in self.facts["parameters"]])

    def ours(self, values):
        vector = torch.empty(self.count)
        for p in self.facts["parameters"]:
            place = self.places[p["name"]]
            vector[place] = values[p["offset"]:p["offset"] + place.stop - place.start]
        return vector

    def ask(self, request, tensors, floats):
        self.process.stdin.write(request + b"".join(t.contiguous().numpy().tobytes() for t in tensors))
        self.process.stdin.flush()
        read = self.process.stdout.read
        if read(1) != b"\0":
            raise RuntimeError(read(struct.unpack("<I", read(4))[0]).decode())
        return torch.from_numpy(numpy.frombuffer(read(4 * floats), numpy.float32).copy())

    def gradient(self, parameters, images, labels, step):
        head = b"g" + struct.pack("<QI", self.seed, step)
        answer = self.ask(head, [self.theirs(parameters), images, labels.int()], 1 + self.count)
        return answer[0].item(), self.ours(answer[1:])

    def take_statistics(self, parameters, batches):
        self.parameters, count = self.theirs(parameters), self.facts["statistics_count"]
        taken = [self.ask(b"s", [self.parameters, images], count) for images, _ in batches]
        self.statistics = torch.stack(taken).mean(0)

    def logits(self, images):
        size = self.facts["batch"] * self.facts["classes"]
        return self.ask(b"l", [self.parameters, self.statistics, images], size).reshape(-1, self.facts["classes"])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def momentum_sgd(state, parameters, gradient, rate):
    """SGD with momentum 0.9 and weight decay 5e-4."""
    velocity = state.setdefault("velocity", torch.zeros_like(parameters))
    velocity.mul_(0.9).add_(gradient + 5e-4 * parameters)
    parameters.sub_(rate * velocity)


def adamw(state, parameters, gradient, rate):
    """AdamW, betas 0.9 and 0.99, weight decay 0.01."""
    first = state.setdefault("first", torch.zeros_like(parameters))
    second = state.setdefault("second", torch.zeros_like(parameters))
    state["t"] = t = state.get("t", 0) + 1
    first.mul_(0.9).add_(0.1 * gradient)
    second.mul_(0.99).addcmul_(gradient, gradient, value=0.01)
    direction = first / (1 - 0.9**t) / ((second / (1 - 0.99**t)).sqrt() + 1e-8)
    parameters.mul_(1 - rate * 0.01).sub_(rate * direction)


IMAGE_MEASURES = {"training_loss": "training loss", "accuracy": "test accuracy"}
TEXT_MEASURES = {"training_loss": "training loss", "test_loss": "validation loss"}


@dataclasses.dataclass
class Family:
    title: str
    measures: dict
    data: type
    model: collections.abc.Callable  # from the data
    batch: int
    steps: int
    optimizer: collections.abc.Callable
    peak: float
    seeds: int = 3
    every_method: bool = False  # or those that decide about `fast`

    def runs(self):
        """Pairs of method and seed."""
        wanted = list(METHODS) if self.every_method else [*EXACT, "standard", "fast"]
        return [(method, seed) for seed in range(1, 1 + self.seeds) for method in wanted
                if seed <= 3 or method not in BEYOND]

    def rate(self, step):
        """Grows over 50 steps, then falls to 0 along a line."""
        return self.peak * min(1, (step + 1) / 50) * (1 - step / self.steps)


FAMILIES = {
    "resnet": Family("ResNet, Fashion-MNIST", IMAGE_MEASURES, learn_models.FashionMnist, lambda data: learn_models.ResNet(),
                     100, 1200, momentum_sgd, 0.1, seeds=6, every_method=True),
    "gpt": Family("GPT, text", TEXT_MEASURES, learn_models.Text, lambda data: learn_models.Gpt(data.vocabulary, data.context),
                  64, 1000, adamw, 2e-3, every_method=True),
    "lenet": Family("LeNet, Fashion-MNIST", IMAGE_MEASURES, learn_models.FashionMnist, lambda data: learn_models.lenet(),
                    100, 1200, momentum_sgd, 0.02, seeds=7),
    "mobile": Family("MobileNet, Fashion-MNIST", IMAGE_MEASURES, learn_models.FashionMnist, lambda data: learn_models.mobile(),
                     100, 600, momentum_sgd, 0.1),
}


def export(model, data, file):
    torch.onnx.export(model.train(), torch.zeros(2, *data.input_shape), str(file), input_names=["input"],
                      output_names=["logits"], dynamic_axes={"input": {0: "batch"}},
                      training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)


class Run:
    """One training run, which can be left and taken up again."""

    def __init__(self, family, method, seed):
        self.family, self.method, self.seed = FAMILIES[family], method, seed
        self.file = FOLDER / f"{family}-{method.replace(' ', '-')}-{seed}.pt"
        self.key = {"family": family, "method": method, "seed": seed}

    def initial(self):
        parameters = torch.nn.utils.parameters_to_vector(self.model.parameters()).detach().clone()
        if self.method == "PyTorch, nudged":
            random = torch.Generator().manual_seed(self.seed)
            parameters *= 1 + 2**-22 * torch.randn(len(parameters), generator=random)
        return parameters

    def engine(self):
        bits = METHODS[self.method]
        if bits is None:
            return Torch(self.model)
        file = self.file.with_suffix(".onnx")
        export(self.model, self.data, file)
        return Cairn(self.model, self.family.batch, bits, file, self.seed)

    def advance(self, deadline):
        """Trains until it is done or the deadline has passed. Returns the result, or None."""
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        self.data = self.family.data()
        torch.manual_seed(self.seed)
        self.model = self.family.model(self.data)
        self.frozen = torch.cat([torch.full((p.numel(),), name in learn_models.FROZEN)
                                 for name, p in self.model.named_parameters()])
        state = torch.load(self.file) if self.file.exists() else {"parameters": self.initial(), "losses": [], "optimizer": {}}
        engine = self.engine()
        while len(state["losses"]) < self.family.steps and time.monotonic() < deadline:
            self.step(engine, state)
        torch.save(state, self.file)
        done = len(state["losses"]) == self.family.steps
        result = self.evaluate(engine, state) if done else None
        engine.close()
        return result

    def step(self, engine, state):
        step, parameters = len(state["losses"]), state["parameters"]
        loss, gradient = engine.gradient(parameters, *self.data.batch(self.seed, step, self.family.batch), step)
        kept = parameters[self.frozen].clone()
        self.family.optimizer(state["optimizer"], parameters, gradient, self.family.rate(step))
        parameters[self.frozen] = kept
        state["losses"].append(loss)

    def test(self, engine, parameters):
        """Loss and accuracy over the held-out data."""
        engine.take_statistics(parameters, (self.data.batch(0, step, self.family.batch) for step in range(20)))
        right, total, loss = 0, 0, 0.0
        for images, labels in self.data.test_batches(self.family.batch):
            logits = engine.logits(images)
            loss += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(1) == labels).sum().item()
            total += len(labels)
        return loss / total, right / total

    def evaluate(self, engine, state):
        losses = state["losses"]
        test_loss, accuracy = self.test(engine, state["parameters"])
        exported_loss, exported_accuracy = self.test(Torch(self.model), state["parameters"])
        return {**self.key, "training_loss": statistics.fmean(losses[-int(TAIL * len(losses)):]),
                "test_loss": test_loss, "accuracy": accuracy,
                "test_loss_exported": exported_loss, "accuracy_exported": exported_accuracy,
                "curve": [round(statistics.fmean(losses[i:i + 50]), 5) for i in range(0, len(losses), 50)]}


def advance(key, deadline):
    return Run(**key).advance(deadline) if time.monotonic() < deadline else None


def train(keys, results, options):
    """Advances what is not done, some at a time, and writes down what gets done. Returns how many."""
    deadline, before = time.monotonic() + options.seconds, len(results)
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for done in concurrent.futures.as_completed(pool.submit(advance, key, deadline) for key in keys):
            if done.result() is None:
                continue
            results.append(done.result())
            (FOLDER.parent / "learn.json").write_text(json.dumps(results, indent=1) + "\n")
            show(done.result())
    return len(results) - before


def show(result):
    print(f'{result["family"]:7} {result["method"]:17} seed {result["seed"]}: training loss {result["training_loss"]:.4f}, '
          f'test loss {result["test_loss"]:.4f}, accuracy {result["accuracy"]:.4f}', flush=True)


def noise_of(runs):
    """The standard deviation of a run, after what its method and what its seed do is taken out."""
    methods = [method for method in runs if method not in BEYOND]
    seeds = sorted(set.intersection(*(set(runs[method]) for method in methods)))
    values = numpy.array([[runs[method][seed] for seed in seeds] for method in methods])
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    return math.sqrt((rest**2).sum() / ((len(methods) - 1) * (len(seeds) - 1)))


def table(family, measure, results):
    """A row for each method: what the seeds gave, their mean, how far that is from binary32 with the same seeds, and how many
    standard errors that is."""
    found = {method: {r["seed"]: r[measure] for r in results if (r["family"], r["method"]) == (family, method)}
             for method in METHODS}
    compared = set.intersection(set(range(1, 1 + FAMILIES[family].seeds)), *(found[method] for method in EXACT))
    runs = {method: {seed: by_seed[seed] for seed in sorted(compared & set(by_seed))} for method, by_seed in found.items()}
    runs = {method: by_seed for method, by_seed in runs.items() if by_seed}
    if len(runs) < 3 or min(len(by_seed) for method, by_seed in runs.items() if method not in BEYOND) < 2:
        return []
    noise = noise_of(runs)
    lines = [f"**{FAMILIES[family].title}: {FAMILIES[family].measures[measure]}.** Noise of a run: {noise:.4f}", "",
             "| | by seed | mean | from binary32 | standard errors |", "|---|---|---|---|---|"]
    for method, by_seed in runs.items():
        away = statistics.fmean(v - statistics.fmean(runs[m][seed] for m in EXACT) for seed, v in by_seed.items())
        error = noise * math.sqrt(1.5 / len(by_seed))  # binary32 has two runs for each seed
        last = "" if method in EXACT else f"{away / error:+.1f}"
        lines.append(f'| {method} | {", ".join(f"{v:.4f}" for v in by_seed.values())} | '
                     f"{statistics.fmean(by_seed.values()):.4f} | {away:+.4f} | {last} |")
    return lines + [""]


def write_tables(lines):
    text = DOCUMENT.read_text()
    head, rest = text.split("<!-- script/bench learn -->\n")
    _, tail = rest.split("<!-- end -->\n")
    DOCUMENT.write_text(head + "<!-- script/bench learn -->\n" + "\n".join(lines) + "<!-- end -->\n" + tail)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = lambda text: text.split(",")
    parser.add_argument("--families", type=words, default=list(FAMILIES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER.parent / "learn.json"
    results = json.loads(file.read_text()) if file.exists() else []
    done = [{name: result[name] for name in ("family", "method", "seed")} for result in results]
    keys = [{"family": family, "method": method, "seed": seed} for family in options.families
            for method, seed in FAMILIES[family].runs()]
    keys = [key for key in keys if key not in done]
    left = len(keys) - train(keys, results, options)
    lines = [line for family in options.families for measure in FAMILIES[family].measures
             for line in table(family, measure, results)]
    print("\n".join(lines))
    print(f"{left} runs are left")
    if options.write:
        write_tables(lines)


if __name__ == "__main__":
    main()
