#!/usr/bin/env python3
"""Runs the labelled data of the shared models through `knapsack run` and compares with the reference's figures.

    run_models.py KNAPSACK MODELS [--full] [--only PREFIX]

For every model: prepares tensors as meta.json says, runs them, computes the metric, and prints ours, the
reference's on the same items, and the difference. Exits 1 where one is more than half a point worse. Without
--full, at most some hundred items of each model are run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
from safetensors.numpy import load_file, save_file

import audio
import language
import pictures
import tables

# Points of a metric that may be lost: quantities of one item are allowed for besides.
TOLERANCE = 0.5


class Runner:
    """Runs models of one folder; `full` says whether all items are wanted."""

    def __init__(self, knapsack, models, full):
        self.knapsack, self.models, self.full = knapsack, Path(models), full

    def path(self, name):
        return self.models / name

    def first(self, items, count):
        """All items, or so many of them, spread evenly."""
        items = list(items)
        if self.full or len(items) <= count:
            return items
        return [items[i * len(items) // count] for i in range(count)]

    def run(self, model, inputs, *options):
        """Outputs by name for inputs by name; arrays both."""
        with tempfile.TemporaryDirectory() as folder:
            source, result = f"{folder}/in.safetensors", f"{folder}/out.safetensors"
            save_file({n: numpy.ascontiguousarray(a).reshape(a.shape) for n, a in inputs.items()}, source)
            command = [self.knapsack, "run", str(self.path(model)), "--input", source, "--output", result,
                       "--format", "json", "--no-tui", *map(str, options)]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "no message")
            return {n.removeprefix("output."): a for n, a in load_file(result).items()}

    def results(self, recipe, model, items, scheme="f32"):
        """What `run` says of files, in their order, for a recipe without its model's name."""
        with tempfile.TemporaryDirectory() as folder:
            file = self.path(model)
            Path(folder, file.name).symlink_to(file.resolve())
            Path(folder, "bundle.json5").write_text(json.dumps({"name": file.stem, "model": file.name, **recipe}))
            bundle = f"{folder}/bundle.knap"
            for command in ([self.knapsack, "pack", folder, "--scheme", scheme, "--output", bundle],
                            [self.knapsack, "run", bundle, *map(str, items), "--format", "ndjson", "--no-tui"]):
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                if done.returncode:
                    raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "no message")
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            return [line for line in lines if line["schema"] == "knapsack.result"]

    def labels(self, model, texts):
        """The first label of every text, for models that take text."""
        with tempfile.TemporaryDirectory() as folder:
            Path(f"{folder}/texts.txt").write_text("".join(t + "\n" for t in texts), encoding="utf-8")
            command = [self.knapsack, "run", str(self.path(model)), f"{folder}/texts.txt", "--format", "ndjson",
                       "--no-tui"]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "no message")
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            return [line["labels"][0]["label"] for line in lines if line["schema"] == "knapsack.result"]


class Result:
    """A metric in points: ours and the reference's on the same items, and how many those are."""

    def __init__(self, model, metric, ours, reference, items, higher=True):
        self.model, self.metric, self.items = model, metric, items
        self.ours, self.reference, self.higher = ours, reference, higher

    @property
    def loss(self):
        return self.reference - self.ours if self.higher else self.ours - self.reference


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("knapsack")
    parser.add_argument("models")
    parser.add_argument("--full", action="store_true", help="all items")
    parser.add_argument("--only", default="", help="evaluations whose name starts so")
    options = parser.parse_args()
    runner = Runner(options.knapsack, options.models, options.full)
    evaluations = [e for module in (pictures, audio, language, tables) for e in module.EVALUATIONS]
    misses = 0
    print(f"{'model':44} {'metric':22} {'items':>5} {'ours':>9} {'reference':>9} {'loss':>7} {'s':>5}")
    for evaluate in evaluations:
        if not evaluate.__name__.startswith(options.only):
            continue
        begin = time.monotonic()
        try:
            results = [Result(*r) for r in evaluate(runner)]
        except RuntimeError as error:
            print(f"{evaluate.__name__:44} FAILED: {error}")
            misses += 1
            continue
        seconds = (time.monotonic() - begin) / max(len(results), 1)
        for r in results:
            missed = r.loss > TOLERANCE
            misses += missed
            print(f"{r.model:44} {r.metric:22} {r.items:5} {r.ours:9.3f} {r.reference:9.3f} {r.loss:7.3f} "
                  f"{seconds:5.1f}{'  MISSED' if missed else ''}")
    sys.exit(1 if misses else 0)


if __name__ == "__main__":
    main()
