#!/usr/bin/env python3
"""MiniLM in f32, batch 1: `knapsack bench` beside ONNX Runtime, interleaved in one run.

    bench.py --knapsack TOOL --bundle FILE.knap --onnx FILE.onnx [--threads 1] [--rounds 9]

The two take turns, so that both meet the same machine. Prints one JSON object: each engine's median
of its rounds' medians in microseconds, and their ratio (below 1: Knapsack is faster). Checks
before any timing that ONNX Runtime and the bundle give the same numbers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
from safetensors.numpy import load_file, save_file


def onnx_session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def onnx_round(session, inputs, repeat):
    microseconds = []
    for _ in range(repeat):
        began = time.perf_counter_ns()
        session.run(None, inputs)
        microseconds.append((time.perf_counter_ns() - began) / 1000)
    return median(microseconds)


def knapsack(tool, *arguments):
    done = subprocess.run([tool, *map(str, arguments)], text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"bench: {tool} {arguments[0]}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def check(tool, bundle, session, inputs, tokens, folder):
    """Both engines on the same tokens; the largest difference of any element."""
    output = folder / "output.safetensors"
    knapsack(tool, "run", bundle, "--input", tokens, "--output", output, "--no-tui")
    ours = {k.removeprefix("output."): v for k, v in load_file(output).items()}
    theirs = session.run(["last_hidden_state"], inputs)[0]
    if "last_hidden_state" not in ours:
        return None
    difference = float(np.abs(ours["last_hidden_state"].reshape(theirs.shape) - theirs).max())
    if not difference <= 1e-3:
        sys.exit(f"bench: the two engines differ by {difference}")
    return difference


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--knapsack", required=True)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--onnx", required=True)
    parser.add_argument("--sequence", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()

    random = np.random.default_rng(0)
    shape = (1, options.sequence)
    inputs = {
        "input_ids": random.integers(1000, 30000, shape),
        "attention_mask": np.ones(shape, np.int64),
        "token_type_ids": np.zeros(shape, np.int64),
    }
    session = onnx_session(options.onnx, options.threads)
    onnx_round(session, inputs, 10)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tokens = folder / "tokens.safetensors"
        save_file({f"input.{name}": value for name, value in inputs.items()}, tokens)
        difference = check(options.knapsack, options.bundle, session, inputs, tokens, folder)
        ours, theirs = [], []
        for _ in range(options.rounds):
            answer = knapsack(
                options.knapsack, "bench", options.bundle, "--input", tokens,
                "--threads", options.threads, "--repeat", options.repeat, "--format", "json",
            )
            ours.append(json.loads(answer)["latency_p50_us"])
            theirs.append(onnx_round(session, inputs, options.repeat))
    print(json.dumps({
        "model": "all-MiniLM-L6-v2",
        "sequence_tokens": options.sequence,
        "threads": options.threads,
        "rounds": options.rounds,
        "repeat_per_round": options.repeat,
        "knapsack_p50_us": round(median(ours), 1),
        "onnxruntime_p50_us": round(median(theirs), 1),
        "onnxruntime_version": onnxruntime.__version__,
        "ratio_of_medians": round(median(ours) / median(theirs), 3),
        "largest_difference": difference,
    }, indent=2))


if __name__ == "__main__":
    main()
