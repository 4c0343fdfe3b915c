#!/usr/bin/env python3
"""Writes the tests of PyPI onnx as folders that the importer's tests read.

    onnx-node-tests.py FOLDER
    KNAPSACK_NODE_TESTS=FOLDER swift test -c release --filter NodeTests

Node tests become FOLDER/node/NAME, the package's ready ones FOLDER/{simple,pytorch-operator,pytorch-converted,
light}/NAME, all in ONNX's own layout: model.onnx and test_data_set_0/{input,output}_N.pb. Models and data are what the
package gives, unchanged; tolerances.txt holds a case's rtol and atol.
"""

import shutil
import sys
import warnings
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

DATA = Path(onnx.__file__).parent / "backend/test/data"


def proto(value, kind, name):
    """The message that holds `value` as an input or output of type `kind` does."""
    if kind.HasField("optional_type"):
        return numpy_helper.from_optional(value, name)
    if kind.HasField("sequence_type"):
        return numpy_helper.from_list(value, name)
    if isinstance(value, TensorProto):
        message = TensorProto()
        message.CopyFrom(value)
        message.name = name
        return message
    return numpy_helper.from_array(numpy.asarray(value), name)


def write(case, folder):
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    (folder / "tolerances.txt").write_text(f"{case.rtol} {case.atol}\n")
    graph = case.model.graph
    inputs, outputs = case.data_sets[0]
    for role, infos, values in ("input", graph.input, inputs), ("output", graph.output, outputs):
        for i, (info, value) in enumerate(zip(infos, values, strict=True)):
            message = proto(value, info.type, info.name)
            (data / f"{role}_{i}.pb").write_bytes(message.SerializeToString())


def write_light(case, folder):
    """These models make their weights themselves; the package has their outputs for inputs of a rule."""
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    source = DATA / "light" / Path(case.url).name
    shutil.copy(source, folder / "model.onnx")
    graph = onnx.load(source).graph
    made = {i.name for i in graph.initializer}
    inputs = [i for i in graph.input if i.name not in made]
    for i, info in enumerate(inputs):
        value = Runner.generate_dummy_data(info, seed=0, name=case.model_name, random=False)
        (data / f"input_{i}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())
    for i in range(len(graph.output)):
        shutil.copy(source.with_name(f"{source.stem}_output_{i}.pb"), data / f"output_{i}.pb")
    (folder / "tolerances.txt").write_text(f"{case.rtol} {case.atol}\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    warnings.simplefilter("ignore")
    # In place only once it is whole.
    target, folder = Path(sys.argv[1]), Path(sys.argv[1] + ".part")
    for old in target, folder:
        shutil.rmtree(old, ignore_errors=True)
    cases = collect_testcases(None)
    for case in cases:
        write(case, folder / "node" / case.name)
    ready = 0
    for kind in "simple", "pytorch-operator", "pytorch-converted":
        for case in load_model_tests(kind=kind):
            copy = folder / kind / case.name
            shutil.copytree(case.model_dir, copy)
            (copy / "tolerances.txt").write_text(f"{case.rtol} {case.atol}\n")
            ready += 1
    for case in load_model_tests(kind="real"):
        write_light(case, folder / "light" / case.name)
        ready += 1
    folder.rename(target)
    print(f"{len(cases)} node tests and {ready} ready ones written")


if __name__ == "__main__":
    main()
