#!/usr/bin/env python3
"""Exports models as int8 QDQ ONNX and compares what ONNX Runtime makes of the files with what Knapsack does.

    qdq-tests.py KNAPSACK MODELS        MODELS: the folder of the model set

Needs onnx, onnxruntime, numpy, safetensors and pillow. Prints a table and leaves with 1 where an output is off by
more than one step of 1/255 of its range. Activations are signed bytes, which ONNX Runtime computes as real numbers on
x86, and unsigned ones, which it computes with integers as we do.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
from PIL import Image
from safetensors.numpy import load_file, save_file

# Models, how their labelled data is read, and whether what real arithmetic rounds another way stays small: in
# yolox_nano one such code in 173,056 grows through 240 layers until most are others.
MODELS = [
    ("cls-mobilenet-v1-025/mobilenet_v1_025_224.onnx", None, True),
    ("cls-resnet8-cifar10/resnet8_float32.tflite", "cifar", True),
    ("cls-mnist-cnn/mnist.onnx", "mnist", True),
    ("face-ultraface-320/ultraface_rfb_320.onnx", None, True),
    ("ocr-lprnet-plates/lprnet.onnx", None, True),
    ("det-yolox-nano/yolox_nano.onnx", None, False),
]


def cifar(folder, name):
    """Labelled pictures, one tensor of raw values."""
    rows = [line.split("\t") for line in (folder / "eval/labels.tsv").read_text().splitlines()[1:]]
    x = [numpy.asarray(Image.open(folder / "eval" / path).convert("RGB"), numpy.float32) for path, *_ in rows]
    return {f"input.{name}": numpy.stack(x), "labels": numpy.array([int(r[1]) for r in rows], numpy.int64)}


def mnist(folder, name):
    data = load_file(folder / "eval/mnist_2000.safetensors")
    x = data["images"].astype(numpy.float32).reshape(-1, 1, 28, 28)
    return {f"input.{name}": x, "labels": data["labels"]}


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def lines(text):
    return {l.split()[0]: " ".join(l.split()[1:]) for l in text.splitlines() if l.strip()}


def main(knapsack, models):
    missed = 0
    print("model | int8 nodes | bytes, of float | difference | accuracy | steps, signed | steps, unsigned")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for path, labelled, is_stable in MODELS:
            model = Path(models) / path
            io = load_file(model.parent / "io.safetensors")
            calibration = model.parent / "io.safetensors"
            if labelled:
                name = next(k for k in io if k.startswith("input."))[6:]
                calibration = folder / "data.safetensors"
                save_file(globals()[labelled](model.parent, name), calibration)
            steps, said = [], {}
            for flags in ([], ["--unsigned"]):
                out = folder / "int8.onnx"
                said = lines(run(knapsack, "export", model, "--qdq", out, "--calibration", calibration, *flags))
                onnx.checker.check_model(onnx.load(out), full_check=True)
                session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
                given = {i.name: numpy.ascontiguousarray(io["input." + i.name][: i.shape[0]])
                         for i in session.get_inputs()}
                save_file({"input." + k: v for k, v in given.items()}, folder / "in.safetensors")
                wanted = session.run(None, given)
                run(knapsack, "run", out, "--input", folder / "in.safetensors", "--output", folder / "out.safetensors")
                found = load_file(folder / "out.safetensors")
                worst = 0.0
                for output, w in zip(session.get_outputs(), wanted):
                    step = (max(w.max(), 0) - min(w.min(), 0)) / 255
                    worst = max(worst, float(numpy.abs(found["output." + output.name] - w).max() / step))
                steps.append(worst)
            is_missed = steps[1] > 1 or is_stable and steps[0] > 1
            missed += is_missed
            print(" | ".join([
                model.stem, said["int8"].removesuffix(" nodes"), f"{out.stat().st_size / model.stat().st_size:.2f}",
                said["difference"].split()[0] + " %", said.get("accuracy", "-"), f"{steps[0]:.4f}",
                f"{steps[1]:.4f}" + (" MISSED" if is_missed else "")]), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
