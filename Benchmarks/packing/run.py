#!/usr/bin/env python3
"""What packing takes: peak memory (VmHWM) and seconds, for random BERTs of MiniLM's size and of a gigabyte.

    run.py KNAPSACK [--folder TMP] [--only minilm|large] [--calibration FILE] [MODEL…]

Models that are named are measured too, with --calibration also the search for a loss on its inputs. The random ones are written to a folder that is removed at the end; f32, and
once f16. Fails where a pack takes more than one and a half model files, or more than 400 MB for those of 1 GB.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

# hidden width, layers, inner width; the vocabulary is BERT's.
SHAPES = {"minilm": (384, 6, 1536), "large": (1024, 18, 4096)}
WORDS = 30522
OPTIONS = [["--scheme", "int8"], ["--scheme", "int8", "--weights", "mapped"], ["--scheme", "int8", "--weights",
           "smallest"], ["--scheme", "f32"], ["--scheme", "iq4_nl"]]


def tensors(width, layers, inner):
    """Names and shapes of a BERT's weights."""
    def linear(name, outer, inner):
        return [(name + ".weight", (outer, inner)), (name + ".bias", (outer,))]

    def norm(name):
        return [(name + ".weight", (width,)), (name + ".bias", (width,))]

    yield from [(f"embeddings.{name}_embeddings.weight", (count, width))
                for name, count in (("word", WORDS), ("position", 512), ("token_type", 2))]
    yield from norm("embeddings.LayerNorm")
    for layer in range(layers):
        base = f"encoder.layer.{layer}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            yield from linear(f"{base}attention.{name}", width, width)
        yield from norm(base + "attention.output.LayerNorm")
        yield from linear(base + "intermediate.dense", inner, width)
        yield from linear(base + "output.dense", width, inner)
        yield from norm(base + "output.LayerNorm")
    yield from linear("pooler.dense", width, width)


def write_model(folder, width, layers, inner, element_type):
    """A Hugging Face folder of normal random weights."""
    folder.mkdir()
    config = {"model_type": "bert", "hidden_size": width, "num_hidden_layers": layers,
              "num_attention_heads": width // 64, "intermediate_size": inner, "vocab_size": WORDS,
              "max_position_embeddings": 512, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
              "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join(special + [f"w{i}" for i in range(len(special), WORDS)]))
    size = 2 if element_type == "F16" else 4
    header, end = {}, 0
    for name, shape in tensors(width, layers, inner):
        count = size * int(numpy.prod(shape))
        header[name] = {"dtype": element_type, "shape": list(shape), "data_offsets": [end, end + count]}
        end += count
    text = json.dumps(header).encode()
    random = numpy.random.default_rng(1)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        left = end // size
        while left:
            count = min(left, 1 << 22)
            values = random.standard_normal(count, dtype=numpy.float32) * numpy.float32(0.05)
            file.write(values.astype(numpy.float16 if size == 2 else numpy.float32).tobytes())
            left -= count


def peak_bytes(process):
    """The largest resident size so far; 0 where the process has ended."""
    try:
        with open(f"/proc/{process}/status") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def measure(knapsack, model, options, output):
    """Peak memory and seconds of one pack, and the bundle's bytes; None where it is refused."""
    begin, peak = time.time(), 0
    process = subprocess.Popen([knapsack, "pack", model, "--target", "vps-2gb", "--output", output, *options],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        peak = max(peak, peak_bytes(process.pid))
        time.sleep(0.005)
    if process.returncode:
        print(f"{model}: {process.stderr.read().strip()}", file=sys.stderr)
        return None
    seconds, size = time.time() - begin, os.path.getsize(output)
    os.remove(output)
    return peak, seconds, size


def model_bytes(path):
    """Bytes of the model file, or of the weights in a folder."""
    path = Path(path)
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.glob("*.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knapsack")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--folder", help="where models and bundles are put")
    parser.add_argument("--only", choices=SHAPES)
    parser.add_argument("--calibration", help="inputs of the models that are named")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        models = list(arguments.models)
        for name, shape in SHAPES.items():
            if arguments.only in (None, name):
                for element_type in ("F32", "F16"):
                    models.append(Path(folder) / f"{name}-{element_type.lower()}")
                    write_model(models[-1], *shape, element_type)
        print("| model | file | options | VmHWM | of the file | seconds | bundle |\n|---|--:|---|--:|--:|--:|--:|")
        for model in models:
            size = model_bytes(model)
            search = [["--loss", "0.005", "--calibration", arguments.calibration]]
            searches = arguments.calibration and str(model) in arguments.models
            for options in OPTIONS + (search if searches else []):
                found = measure(arguments.knapsack, model, options, os.path.join(folder, "packed.knap"))
                if found is None:
                    failed += 1
                    continue
                peak, seconds, stored = found
                # The tool itself takes about 40 MB, which small models do not outweigh.
                limit = max(400e6 if size > 9e8 else 1.5 * size, 64e6)
                failed += peak > limit
                words = " ".join(Path(o).name for o in options if not o.startswith("--"))
                print(f"| {Path(model).name} | {size / 1e6:.0f} MB | {words} | {peak / 1e6:.0f} MB | {peak / size:.2f} | "
                      f"{seconds:.1f} | {stored / 1e6:.0f} MB |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
