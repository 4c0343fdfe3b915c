#!/usr/bin/env python3
"""Predicted against measured: latency and peak memory of real models on this machine.

    run.py KNAPSACK MODELS [--schemes f32,int8] [--threads 1,2] [--rounds 5] [--only PREFIX] [--probe] [--cpu]
                           [--quickest]

Packs every model of the folder for this machine, once for each scheme and number of threads, and measures the
bundles in rounds, one case after the other, so that what disturbs the machine for a while disturbs all alike.
A case's latency is the median of its rounds. Prints the table, and how many cases are within 15 % (latency) and
5 % (VmHWM). With --probe the machine is measured first. With --cpu processor time is compared instead of
wall time, of one thread, for machines that have other work. Fails where fewer than nine in ten are.

On a machine whose speed changes under its neighbours the probe takes what it finds at the machine's full pace. So does
--quickest: a case's latency is that of the shortest inference of all rounds instead of the middle round's median; of
inferences of less than 100 us, of which a round has hundreds, the shortest round's median. Rounds are short then: such
a machine changes within a second, and only many looks find it undisturbed (--rounds 16).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# What a model folder may hold beside models.
FORMATS = {".onnx", ".tflite", ".ftz", ".bin", ".gguf"}
NAMED = {"hf", "lgbm.txt", "xgb.json", "xgb_multi.json"}


def models(folder, only):
    """Model files and folders, two levels down."""
    for path in sorted(Path(folder).glob("*/*")):
        if path.suffix in FORMATS or path.name in NAMED:
            if str(path.relative_to(folder)).startswith(only):
                yield path


def call(*command):
    """The JSON that a command prints; None and a line where it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"skipped: {line[:150]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def bench(knapsack, bundle, threads, repeat):
    """What bench prints, and the processor seconds it took."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([knapsack, "bench", bundle, "--threads", threads, "--repeat", str(repeat), "--format",
                                    "json"], stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        return (json.loads(out.read()) if status == 0 else None), usage.ru_utime + usage.ru_stime


def runs(measured):
    """All runs of a bench: to warm up, measured, and step by step."""
    return measured["warm_up_runs"] + measured["runs"] + max(3, min(measured["runs"], 50))


def cpu_microseconds(knapsack, bundle, predicted):
    """Processor time of one inference: that of a long bench less that of a short one."""
    more = 20 + int(min(max(0.5e6 / max(predicted, 1), 50), 200000))
    small, short = bench(knapsack, bundle, "1", 20)
    measured, long = bench(knapsack, bundle, "1", more)
    if measured:
        measured["latency_p50_us"] = (long - short) * 1e6 / (runs(measured) - runs(small))
    return measured


def repeat(packed, quickest):
    """Runs of a case: a tenth of a second of them, 20 at least; a fifth of that where many short looks are wanted."""
    share = 5 if quickest else 1
    return int(min(max(1e5 / share / max(packed.get("predicted_latency_us") or 1000, 1), 20 / share), 5000))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knapsack")
    parser.add_argument("models")
    parser.add_argument("--schemes", default="f32,int8")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--quickest", action="store_true")
    options = parser.parse_args()
    if options.cpu:
        options.threads = "1"
    with tempfile.TemporaryDirectory() as folder:
        if options.probe:
            subprocess.run([options.knapsack, "probe"], check=True)
        cases = []
        for path in models(options.models, options.only):
            for scheme in options.schemes.split(","):
                for threads in options.threads.split(","):
                    bundle = f"{folder}/{len(cases)}.knap"
                    packed = call(options.knapsack, "pack", path, "--target", "host", "--scheme", scheme, "--threads",
                                  threads, "--output", bundle, "--format", "json")
                    if packed:
                        name = f"{path.parent.name}/{path.name}"
                        cases.append((name, scheme, threads, bundle, packed, [], []))
        for _ in range(options.rounds):
            for name, scheme, threads, bundle, packed, times, peaks in cases:
                if options.cpu:
                    measured = cpu_microseconds(options.knapsack, bundle, packed["predicted_latency_us"] or 1000)
                else:
                    measured, _ = bench(options.knapsack, bundle, threads, repeat(packed, options.quickest))
                if measured:
                    is_long = (packed["predicted_latency_us"] or 0) > 100
                    shortest = options.quickest and is_long and not options.cpu
                    times.append(measured["latency_min_us" if shortest else "latency_p50_us"])
                    peaks.append(measured["peak_memory_bytes"])
    report(cases, min if options.quickest else statistics.median)


def report(cases, middle):
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'model':54} {'scheme':6} {'thr':>3} {'predicted ms':>12} {'interval':>19} {'measured':>9} {'ratio':>6}"
          f" {'MiB':>7} {'measured':>8} {'ratio':>6}")
    latency, memory, inside = [], [], 0
    for name, scheme, threads, _, packed, times, peaks in cases:
        if not times:
            continue
        taken, peak = middle(times), statistics.median(peaks)
        ram = packed["predicted_peak_memory_bytes"]
        memory.append(ram / peak)
        predicted = packed.get("predicted_latency_us")
        if predicted is None:
            sys.exit("no latency is predicted: run knapsack probe first")
        low, high = packed["predicted_latency_low_us"], packed["predicted_latency_high_us"]
        latency.append(predicted / taken)
        inside += low <= taken <= high
        interval = f"[{low / 1e3:.3f}, {high / 1e3:.3f}]"
        print(f"{name[:54]:54} {scheme:6} {threads:>3} {predicted / 1e3:12.3f} {interval:>19} {taken / 1e3:9.3f}"
              f" {latency[-1]:6.2f} {ram / 2**20:7.1f} {peak / 2**20:8.1f} {memory[-1]:6.2f}")
    count = len(latency)
    near = sum(1 / 1.15 <= r <= 1.15 for r in latency) / count
    exact = sum(abs(r - 1) <= 0.05 for r in memory) / count
    print(f"{count} cases: latency within 15 %: {near:.0%}, inside the interval: {inside / count:.0%}, "
          f"median ratio {statistics.median(latency):.2f}; memory within 5 %: {exact:.0%}, "
          f"median ratio {statistics.median(memory):.2f}")
    sys.exit(0 if near >= 0.9 and exact >= 0.9 else 1)


if __name__ == "__main__":
    main()
