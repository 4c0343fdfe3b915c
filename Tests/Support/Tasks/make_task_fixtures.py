#!/usr/bin/env python3
"""Writes the safetensors and .npy files, the expected numbers of TasksTests and a detector, beside this script.

    pip install numpy==2.4.6 onnx==1.23.2 safetensors==0.8.0 && ./make_task_fixtures.py
"""

import json
import pathlib

import numpy
from numpy.lib import format as npy
from onnx import checker, helper, numpy_helper
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
TYPES = "float64 float32 float16 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool".split()


def tensors():
    """Every type, a scalar, an empty tensor; values that show byte order and sign."""
    found = {}
    for i, name in enumerate(TYPES):
        values = numpy.arange(6).reshape(2, 3) * 3 + i
        if name.startswith("int") or name.startswith("float"):
            values = values - 8
        found[f"t.{name}"] = values.astype(name)
    found["scalar"] = numpy.array(2.5, numpy.float32)
    found["empty"] = numpy.zeros((0, 4), numpy.int16)
    found["ünïcödé \"quoted\""] = numpy.array([1, 2, 3], numpy.uint8)
    return found


def detector():
    """Finds red and blue squares of 4x4 pixels on pictures of 8x12: rows of a grid with steps of 4."""
    weights = numpy.zeros((7, 3, 4, 4), numpy.float32)
    weights[4, [0, 2]] = 1 / 16  # There is something where the place is red or blue.
    weights[5, 0] = 1 / 16
    weights[6, 2] = 1 / 16
    bias = numpy.array([0.5, 0.5, 0, 0, 0, 0, 0], numpy.float32)  # In the middle, as large as a place.
    shape = numpy.array([1, 7, 6], numpy.int64)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "w", "b"], ["map"], strides=[4, 4]),
         helper.make_node("Reshape", ["map", "shape"], ["flat"]),
         helper.make_node("Transpose", ["flat"], ["rows"], perm=[0, 2, 1])],
        "detector", [helper.make_tensor_value_info("image", 1, [1, 3, 8, 12])],
        [helper.make_tensor_value_info("rows", 1, [1, 6, 7])],
        [numpy_helper.from_array(a, n) for n, a in (("w", weights), ("b", bias), ("shape", shape))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    (HERE / "detector.onnx").write_bytes(model.SerializeToString())


def pooling(dice):
    hidden = dice.normal(size=(7, 5)).astype(numpy.float32)
    mask = numpy.array([1, 1, 1, 1, 0, 1, 0])
    kept = hidden[mask == 1].astype(numpy.float64)
    raw = {"mean": kept.mean(0), "cls": hidden[0].astype(numpy.float64), "max": kept.max(0)}
    return {
        "hidden": hidden.flatten().tolist(), "mask": mask.tolist(),
        **{k: v.tolist() for k, v in raw.items()},
        **{k + "Unit": (v / numpy.linalg.norm(v)).tolist() for k, v in raw.items()},
    }


def softmaxes(dice):
    rows = [dice.normal(size=n, scale=s).astype(numpy.float32)
            for n, s in ((1, 1), (2, 5), (10, 1), (10, 30), (33, 200), (5, 1e-4))]
    result = []
    for row in rows:
        e = numpy.exp(row.astype(numpy.float64) - row.max())
        result.append({"logits": row.tolist(), "probabilities": (e / e.sum()).tolist()})
    return result


def main():
    detector()
    dice = numpy.random.default_rng(11)
    save_file(tensors(), HERE / "python.safetensors", metadata={"made by": "numpy", "b": "\n"})
    values = {k: [str(x) for x in v.flatten().tolist()] for k, v in tensors().items()}
    half = numpy.array([0, -0.0, 1, -2.5, 65504, 6e-8, 6.1e-5, numpy.inf, 0.333], numpy.float16)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(HERE / f"matrix-v{version[0]}.npy", "wb") as out:
            npy.write_array(out, numpy.arange(12, dtype=numpy.float32).reshape(3, 4) / 8, version)
    numpy.save(HERE / "vector.npy", numpy.array([-1, 2, 2**40], numpy.int64))
    numpy.save(HERE / "scalar.npy", numpy.array(-7, numpy.int8))
    numpy.save(HERE / "fortran.npy", numpy.asfortranarray(numpy.zeros((2, 3), numpy.float32)))
    numpy.save(HERE / "big-endian.npy", numpy.zeros(2, ">f4"))
    (HERE / "expected.json").write_text(json.dumps({
        "tensors": values, "pooling": pooling(dice), "softmax": softmaxes(dice),
        "halfBits": half.view(numpy.uint16).tolist(),
        "half": [str(x) for x in half.astype(numpy.float32)],
    }) + "\n")


main()
