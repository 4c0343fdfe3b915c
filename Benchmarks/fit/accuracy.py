#!/usr/bin/env python3
"""What tasks lose where `pack --loss` chooses precisions: metrics on labelled data, in f32 and packed.

    accuracy.py KNAPSACK MODELS INPUTS [--loss 0.01] [--only PREFIX]

MODELS: the shared model folder; INPUTS: the folder that inputs.py wrote, whose inputs calibrate. The metrics are
those of Tests/Support/models, whose packages it needs. Prints Markdown.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "Tests/Support/models"))

import audio
import language
import pictures
import tables
from run_models import Runner

# By the evaluation: the model, the inputs that calibrate it, and what its result's name holds where there are others.
MODELS = {
    language.minilm: (os.environ.get("KNAPSACK_MINILM", ""), "minilm"),
    language.sentiment: ("text-sentiment-minilm-l3/hf", "sentiment"),
    language.ner: ("ner-minilm-l3/model.onnx", "ner"),
    tables.magika: ("filetype-magika-v3_3/model.onnx", "magika"),
    tables.nbeats: ("ts-nbeats-m4-hourly/model.onnx", "nbeats"),
    tables.twotower: ("rec-twotower-movietweetings/user_tower.onnx", "twotower"),
    pictures.plates: ("ocr-lprnet-plates/lprnet.onnx", "lprnet"),
    pictures.text_lines: ("ocr-ppocr-en/en_number_mobile_v2.0_rec.onnx", "ppocr-rec"),
    audio.asr: ("asr-digits-ctc/model.onnx", "asr"),
    pictures.mobilenet: ("cls-mobilenet-v1-025/mobilenet_v1_025_224.onnx", "mobilenet", "224.onnx"),
    pictures.cifar: ("cls-resnet8-cifar10/resnet8_float32.tflite", "resnet8", "float32"),
    pictures.mnist: ("cls-mnist-cnn/mnist.onnx", "mnist"),
    pictures.yolox: ("det-yolox-nano/yolox_nano.onnx", "yolox"),
    pictures.faces: ("face-ultraface-320/ultraface_rfb_320.onnx", "ultraface", "rfb"),
}


class Packed(Runner):
    """Runs a bundle in place of one model."""

    def __init__(self, knapsack, models, model, bundle):
        super().__init__(knapsack, models, full=False)
        self.model, self.bundle = model, bundle

    def path(self, name):
        return Path(self.bundle) if str(name) == self.model else super().path(name)


def pack(knapsack, model, bundle, *options):
    """Packs a model; the bytes of the bundle."""
    done = subprocess.run([knapsack, "pack", str(model), "--output", bundle, "--format", "json", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "no message")
    return os.path.getsize(bundle)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knapsack")
    parser.add_argument("models")
    parser.add_argument("inputs")
    parser.add_argument("--loss", default="0.01")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print(f"| model | metric | items | f32 | loss {options.loss} | bundle |\n|---|---|---:|---:|---:|---:|", flush=True)
    for evaluate, (model, inputs, *part) in MODELS.items():
        if not model or not evaluate.__name__.startswith(options.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            bundle, plain = f"{folder}/bundle.knap", f"{folder}/f32.knap"
            file = Path(options.models) / model
            try:
                large = pack(options.knapsack, file, plain, "--scheme", "f32")
                small = pack(options.knapsack, file, bundle, "--loss", options.loss, "--calibration",
                             f"{options.inputs}/{inputs}.safetensors", "--best-effort")
                # An evaluation may have other forms of the model beside it: only this one is packed.
                before, after = ([r for r in evaluate(Packed(options.knapsack, options.models, model, b))]
                                 for b in (plain, bundle))
            except RuntimeError as error:
                print(f"{evaluate.__name__}: {error}", file=sys.stderr)
                continue
            for (name, metric, ours, _, items, *_), (_, _, packed, *_) in zip(before, after):
                if all(word in name for word in part):
                    print(f"| {name} | {metric} | {items} | {ours:.2f} | {packed:.2f} | {small / large:.3f} |",
                          flush=True)


if __name__ == "__main__":
    main()
