#!/usr/bin/env python3
"""Writes the node tests of PyPI onnx as folders that the importer's tests read.

    onnx-node-tests.py FOLDER
    KNAPSACK_NODE_TESTS=FOLDER swift test -c release --filter NodeTests

Each case becomes FOLDER/NAME/model.onnx and io.safetensors (keys input.NAME and output.NAME). Inputs that
shape the computation (axes, extents, bounds) become constants of the model, as exporters write them:
a program is planned before it sees data. Real numbers of other widths become f32, the type that
activations have. Cases with strings, sequences or types below 8 bits are left out.
"""

import sys
import warnings
from pathlib import Path

import numpy
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases
from safetensors.numpy import save_file

# Inputs, by operator, that the output's shape follows from.
SHAPING = {
    "CenterCropPad": [1], "ConstantOfShape": [0], "CumSum": [1], "Expand": [1], "OneHot": [1],
    "Pad": [1, 3], "Range": [0, 1, 2], "Reshape": [1], "Resize": [1, 2, 3], "Slice": [1, 2, 3, 4],
    "Split": [1], "Squeeze": [1], "Tile": [1], "TopK": [1], "Trilu": [1], "Unsqueeze": [1],
    "Upsample": [1], "BlackmanWindow": [0], "HammingWindow": [0], "HannWindow": [0],
}
KINDS = set("bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split())


def shaping(operator):
    return [1] if operator.startswith("Reduce") else SHAPING.get(operator, [])


def tensors(role, names, values):
    """{role.name: array}; None where a value is no tensor that is taken."""
    result = {}
    for name, value in zip(names, values):
        if value is None or isinstance(value, (list, tuple, dict)):
            return None
        array = numpy.asarray(value)
        if array.dtype.name not in KINDS:
            return None
        if array.dtype.kind == "f":
            array = array.astype(numpy.float32)
        result[f"{role}.{name}"] = numpy.ascontiguousarray(array).reshape(array.shape)
    return result


def write(case, operators, folder):
    graph = case.model.graph
    inputs, outputs = case.data_sets[0]
    names = [i.name for i in graph.input]
    given = tensors("input", names, inputs)
    wanted = tensors("output", [o.name for o in graph.output], outputs)
    if given is None or wanted is None:
        return False
    operator = operators[case.name.removesuffix("_expanded")]
    # A node may leave inputs out, which the graph's list does not have.
    single = not case.name.endswith("_expanded") and len(graph.node) == 1
    order = list(graph.node[0].input) if single else names
    baked = {order[i] for i in shaping(operator) if i < len(order) and order[i]}
    for name in sorted(baked):
        array = numpy.asarray(inputs[names.index(name)])
        graph.initializer.append(numpy_helper.from_array(array, name))
        del given[f"input.{name}"]
    kept = [i for i in graph.input if i.name not in baked]
    del graph.input[:]
    graph.input.extend(kept)
    path = folder / case.name
    path.mkdir(parents=True, exist_ok=True)
    (path / "model.onnx").write_bytes(case.model.SerializeToString())
    save_file(given | wanted, path / "io.safetensors")
    return True


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    warnings.simplefilter("ignore")
    cases = collect_testcases(None)
    operators = {
        c.name: c.model.graph.node[0].op_type for c in cases if not c.name.endswith("_expanded")}
    written = sum(write(case, operators, Path(sys.argv[1])) for case in cases)
    print(f"{written} of {len(cases)} cases written")


if __name__ == "__main__":
    main()
