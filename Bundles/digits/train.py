#!/usr/bin/env python3
"""Trains the digits CNN and writes digits.onnx and test.safetensors beside this file.

Data: the 1,797 scanned 8x8 digits that scikit-learn ships (UCI "Optical Recognition of
Handwritten Digits"). A quarter is held out, stratified by digit, and never seen in training; no
choice was made by looking at it. The network is small enough to train in NumPy in a minute or two.

    pip install numpy scikit-learn onnx safetensors && python3 Bundles/digits/train.py

The same versions on the same kind of CPU give the same bytes.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")  # one order of summation

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 20240229
EPOCHS = 80
BATCH = 64
PEAK_RATE = 2e-3
WEIGHT_DECAY = 2e-3
DROPOUT = 0.25
FOLDER = Path(__file__).resolve().parent


def augment(images, rng):
    """Each 8x8 image turned, scaled and shifted a little, resampled bilinearly: [n, 8, 8]."""
    n = len(images)
    angle = np.radians(rng.uniform(-12, 12, n))
    scale = rng.uniform(0.9, 1.12, (2, n))
    shift = rng.uniform(-0.8, 0.8, (2, n))
    row, column = np.mgrid[0:8, 0:8] - 3.5
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    y = (cos * row - sin * column) / scale[0][:, None, None] + 3.5 + shift[0][:, None, None]
    x = (sin * row + cos * column) / scale[1][:, None, None] + 3.5 + shift[1][:, None, None]
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    y, x = np.clip(y + 2, 0, 10.999), np.clip(x + 2, 0, 10.999)
    top, left = y.astype(int), x.astype(int)
    down, right = (y - top), (x - left)
    which = np.arange(n)[:, None, None]
    return (
        padded[which, top, left] * (1 - down) * (1 - right)
        + padded[which, top, left + 1] * (1 - down) * right
        + padded[which, top + 1, left] * down * (1 - right)
        + padded[which, top + 1, left + 1] * down * right
    ).astype(np.float32)


class Convolution:
    """3x3, one pixel of zero padding. x: [n, in, h, w] -> [n, out, h, w]."""

    def __init__(self, inputs, outputs, rng):
        deviation = np.sqrt(2 / (9 * inputs))
        self.weight = rng.normal(0, deviation, (outputs, inputs, 3, 3)).astype(np.float32)
        self.bias = np.zeros(outputs, np.float32)

    def forward(self, x, training):
        n, c, h, w = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        self.columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * 9)
        y = self.columns @ self.weight.reshape(len(self.weight), -1).T + self.bias
        return y.reshape(n, h, w, -1).transpose(0, 3, 1, 2)

    def backward(self, gradient):
        n, out, h, w = gradient.shape
        rows = gradient.transpose(0, 2, 3, 1).reshape(-1, out)
        self.gradients = ((rows.T @ self.columns).reshape(self.weight.shape), rows.sum(0))
        columns = (rows @ self.weight.reshape(out, -1)).reshape(n, h, w, -1, 3, 3)
        padded = np.zeros((n, columns.shape[3], h + 2, w + 2), np.float32)
        for i in range(3):
            for j in range(3):
                padded[:, :, i : i + h, j : j + w] += columns[..., i, j].transpose(0, 3, 1, 2)
        return padded[:, :, 1:-1, 1:-1]


class Dense:
    """x: [n, in] -> [n, out]; the weight is [out, in], as Gemm with transB reads it."""

    def __init__(self, inputs, outputs, rng):
        self.weight = rng.normal(0, np.sqrt(1 / inputs), (outputs, inputs)).astype(np.float32)
        self.bias = np.zeros(outputs, np.float32)

    def forward(self, x, training):
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, gradient):
        self.gradients = (gradient.T @ self.x, gradient.sum(0))
        return gradient @ self.weight


class Relu:
    def forward(self, x, training):
        self.positive = x > 0
        return x * self.positive

    def backward(self, gradient):
        return gradient * self.positive


class MaxPool:
    """2x2, stride 2. A tie passes its gradient to the first of the equals."""

    def forward(self, x, training):
        n, c, h, w = x.shape
        self.shape = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5)
        blocks = blocks.reshape(n, c, h // 2, w // 2, 4)
        self.winner = blocks.argmax(-1)[..., None]
        return np.take_along_axis(blocks, self.winner, -1)[..., 0]

    def backward(self, gradient):
        n, c, h, w = self.shape
        blocks = np.zeros((n, c, h // 2, w // 2, 4), np.float32)
        np.put_along_axis(blocks, self.winner, gradient[..., None], -1)
        blocks = blocks.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5)
        return blocks.reshape(self.shape)


class Flatten:
    def forward(self, x, training):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, gradient):
        return gradient.reshape(self.shape)


class Dropout:
    def __init__(self, rng):
        self.rng = rng

    def forward(self, x, training):
        if not training:
            return x
        keep = self.rng.random(x.shape, np.float32) >= DROPOUT
        self.mask = keep.astype(np.float32) / (1 - DROPOUT)
        return x * self.mask

    def backward(self, gradient):
        return gradient * self.mask


def forward(layers, x, training=False):
    for layer in layers:
        x = layer.forward(x, training)
    return x


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def train(layers, images, labels, rng):
    """AdamW with a cosine rate after a short warm-up; cross-entropy with smoothed labels."""
    learned = [layer for layer in layers if hasattr(layer, "weight")]
    moments = [[np.zeros_like(p) for p in (l.weight, l.bias) for _ in range(2)] for l in learned]
    goal = (np.eye(10, dtype=np.float32) * 0.95 + 0.005)[labels]
    batches = len(images) // BATCH
    total = EPOCHS * batches
    step = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        loss = 0.0
        for b in range(batches):
            chosen = order[b * BATCH : (b + 1) * BATCH]
            x = augment(images[chosen], rng)[:, None] / np.float32(16)
            probabilities = softmax(forward(layers, x, training=True))
            loss -= (goal[chosen] * np.log(probabilities + 1e-9)).sum() / BATCH / batches
            gradient = (probabilities - goal[chosen]) / np.float32(BATCH)
            for layer in reversed(layers):
                gradient = layer.backward(gradient)
            step += 1
            warm = min(1, step / batches)
            rate = PEAK_RATE * warm * 0.5 * (1 + np.cos(np.pi * step / total))
            for layer, state in zip(learned, moments):
                for i, name in enumerate(("weight", "bias")):
                    value, g = getattr(layer, name), layer.gradients[i]
                    mean, square = state[2 * i], state[2 * i + 1]
                    mean += np.float32(0.1) * (g - mean)
                    square += np.float32(0.001) * (g * g - square)
                    change = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
                    if name == "weight":
                        change = change + WEIGHT_DECAY * 10 * value
                    setattr(layer, name, (value - rate * change).astype(np.float32))
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:3d}  loss {loss:.4f}")


def onnx_model(convolutions, dense):
    """image [batch, 1, 8, 8] with pixels 0...16 -> probabilities [batch, 10]."""
    tensors = [numpy_helper.from_array(np.array(1 / 16, np.float32), "pixel_scale")]
    nodes = [helper.make_node("Mul", ["image", "pixel_scale"], ["scaled"], "scale")]
    value = "scaled"
    for i, layer in enumerate(convolutions, 1):
        tensors.append(numpy_helper.from_array(layer.weight, f"conv{i}.weight"))
        tensors.append(numpy_helper.from_array(layer.bias, f"conv{i}.bias"))
        inputs = [value, f"conv{i}.weight", f"conv{i}.bias"]
        nodes.append(
            helper.make_node(
                "Conv", inputs, [f"conv{i}"], f"conv{i}", kernel_shape=[3, 3], pads=[1, 1, 1, 1]
            )
        )
        nodes.append(helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"], f"relu{i}"))
        value = f"relu{i}"
        if i == 2:
            nodes.append(
                helper.make_node(
                    "MaxPool", [value], ["pool"], "pool", kernel_shape=[2, 2], strides=[2, 2]
                )
            )
            value = "pool"
    tensors.append(numpy_helper.from_array(dense.weight, "dense.weight"))
    tensors.append(numpy_helper.from_array(dense.bias, "dense.bias"))
    nodes += [
        helper.make_node("Flatten", [value], ["flat"], "flatten", axis=1),
        helper.make_node(
            "Gemm", ["flat", "dense.weight", "dense.bias"], ["logits"], "dense", transB=1
        ),
        helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])
    out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "digits", [image], [out], tensors)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="knapsack-digits",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    digits = load_digits()
    images, labels = digits.images.astype(np.float32), digits.target.astype(np.int64)
    images, held_images, labels, held_labels = train_test_split(
        images, labels, test_size=450, stratify=labels, random_state=SEED
    )
    rng = np.random.default_rng(SEED)
    convolutions = [Convolution(a, b, rng) for a, b in ((1, 16), (16, 32), (32, 32))]
    dense = Dense(32 * 4 * 4, 10, rng)
    c = convolutions
    layers = [c[0], Relu(), c[1], Relu(), MaxPool(), c[2], Relu(), Flatten(), Dropout(rng), dense]
    train(layers, images, labels, rng)

    predicted = forward(layers, held_images[:, None] / np.float32(16)).argmax(1)
    right = int((predicted == held_labels).sum())
    print(f"held out: {right} of {len(held_labels)} right, accuracy {right / len(held_labels):.4f}")
    model = onnx_model(convolutions, dense)
    (FOLDER / "digits.onnx").write_bytes(model.SerializeToString(deterministic=True))
    data = FOLDER / "test.safetensors"
    save_file(
        {"input.image": held_images[:, None].copy(), "labels": held_labels},
        data,
    )
    data.chmod(0o644)


main()
