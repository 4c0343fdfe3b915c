"""Bytes at equal loss against ggml's formats, on the shared models: prints a table, writes JSON lines.

    run.py MODELS INPUTS FIT_BENCHMARK LIBRARY [NAME…]

MODELS: the shared model folder; INPUTS: the folder that inputs.py wrote; FIT_BENCHMARK: the built
executable; LIBRARY: a shared library with llama.cpp's ggml (`ggml_quantize_chunk`), such as the one in the
Python package llama-cpp-cffi. ggml quantizes every tensor as one long row, so that no format falls back
for rows that its blocks do not divide: that favours it.
"""
import ctypes
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

models, inputs, tool, library = sys.argv[1:5]
wanted = sys.argv[5:]
ggml = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
    ctypes.c_void_p,
]


class Memory(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


# Its tables of half precision are made by the first context.
ggml.ggml_init.restype = ctypes.c_void_p
ggml.ggml_init.argtypes = [Memory]
assert ggml.ggml_init(Memory(1 << 20, None, False))

# Name, ggml's type, bits per weight, decoder.
FORMATS = [
    ("Q8_0", 8, 8.5, "dequantize_row_q8_0"),
    ("Q6_K", 14, 6.5625, "dequantize_row_q6_K"),
    ("Q5_K", 13, 5.5, "dequantize_row_q5_K"),
    ("Q4_K", 12, 4.5, "dequantize_row_q4_K"),
    ("Q4_0", 2, 4.5, "dequantize_row_q4_0"),
]
MODELS = {
    "minilm": os.environ.get("KNAPSACK_MINILM", ""),
    "sentiment": "text-sentiment-minilm-l3/hf",
    "ner": "ner-minilm-l3/model.onnx",
    "magika": "filetype-magika-v3_3/model.onnx",
    "nbeats": "ts-nbeats-m4-hourly/model.onnx",
    "twotower": "rec-twotower-movietweetings/user_tower.onnx",
    "lprnet": "ocr-lprnet-plates/lprnet.onnx",
    "ppocr-rec": "ocr-ppocr-en/en_number_mobile_v2.0_rec.onnx",
    "asr": "asr-digits-ctc/model.onnx",
    "mobilenet": "cls-mobilenet-v1-025/mobilenet_v1_025_224.onnx",
    "resnet8": "cls-resnet8-cifar10/resnet8_float32.tflite",
    "mnist": "cls-mnist-cnn/mnist.onnx",
    "yolox": "det-yolox-nano/yolox_nano.onnx",
    "ultraface": "face-ultraface-320/ultraface_rfb_320.onnx",
}
COUNTS = {
    "minilm": 96, "yolox": 16, "ppocr-rec": 32, "lprnet": 96, "ultraface": 22, "mobilenet": 23,
    "sentiment": 256, "ner": 256, "magika": 400,
}


def quantized(values, kind, decoder):
    count = values.size
    padded = np.zeros((count + 255) // 256 * 256, np.float32)
    padded[:count] = values.reshape(-1)
    target = np.zeros(padded.size * 2 + 4096, np.uint8)
    ggml.ggml_quantize_chunk(
        kind, padded.ctypes.data, target.ctypes.data, 0, 1, padded.size, None)
    back = np.zeros_like(padded)
    function = getattr(ggml, decoder)
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    function.restype = None
    function(target.ctypes.data, back.ctypes.data, padded.size)
    error = np.square(back[:count] - values.reshape(-1)).mean() / np.square(values).mean()
    assert error < 0.05, f"{decoder}: relative error {error}"
    return back[:count].reshape(values.shape)


def measure(name, folder):
    model = MODELS[name] if name == "minilm" else f"{models}/{MODELS[name]}"
    weights = f"{folder}/weights.safetensors"
    subprocess.run([tool, "export", model, weights], check=True)
    tensors = load_file(weights)
    anchors = []
    for label, kind, bits, decoder in FORMATS:
        path = f"{folder}/{label}.safetensors"
        save_file({k: quantized(v, kind, decoder) for k, v in tensors.items()}, path)
        anchors.append(f"{label}:{bits}:{path}")
    count = str(COUNTS.get(name, 1000))
    result = subprocess.run(
        [tool, "measure", model, f"{inputs}/{name}.safetensors", count, *anchors], check=True,
        stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


ratios = {label: [] for label, *_ in FORMATS}
kept = total = 0
for name in wanted or MODELS:
    if not MODELS[name]:
        continue
    with tempfile.TemporaryDirectory() as folder:
        head, *lines = measure(name, folder)
    print(json.dumps(head), file=sys.stderr)
    for line in lines:
        print(json.dumps(line), file=sys.stderr)
        ratios[line["anchor"]].append(line["ratio"])
        if line["our_loss"] <= 0.1:
            total += 1
            kept += abs(line["our_predicted_loss"] / max(line["our_loss"], 1e-300) - 1) <= 0.15
    cells = " ".join(f"{l['anchor']} {l['ratio']:.3f}" for l in lines)
    print(f"{name:10} {head['weights']:>9} weights  {cells}", flush=True)
for label, values in ratios.items():
    if values:
        mean = math.exp(sum(map(math.log, values)) / len(values))
        print(f"{label:5} geometric mean {mean:.3f}, most {max(values):.3f} of {len(values)}")
print(f"prediction within 15 %: {kept} of {total}")
