#!/usr/bin/env python3
"""Predicted against measured, step by step: where the cost model is wrong, by how much, and in what.

    steps.py KNAPSACK MODELS [--schemes f32,int8] [--threads 1,2] [--only PREFIX] [--rounds 3] [--top 8] [--json FILE]

For each case the steps with the largest difference, then all cases together by kind of step: what the differences
of a kind add up to, as a share of the measured time of the cases it stands in. Times are medians of the quickest round,
with a clock read of some 30 ns behind each step. A step's kind and extents are those of the table that `knapsack probe` wrote.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

from run import bench, call, models


def differences(predicted, rounds):
    """(kind, extents, predicted, measured) of every step that runs, in microseconds."""
    times = defaultdict(list)
    for measured in rounds:
        for step in measured["steps"]:
            times[step["step"]].append(step["latency_p50_us"])
    return [(step["kind"], step["extents"], step["predicted_latency_us"], min(times[step["step"]]))
            for step in predicted if step["step"] in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("knapsack")
    parser.add_argument("models")
    parser.add_argument("--schemes", default="f32,int8")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--top", type=int, default=8)
    parser.add_argument("--json")
    options = parser.parse_args()
    everything, kinds = [], defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for path in models(options.models, options.only):
        for scheme in options.schemes.split(","):
            for threads in options.threads.split(","):
                case = compare(options, path, scheme, threads)
                if not case:
                    continue
                everything.append(case)
                total = case["measured_us"]
                for kind, _, predicted, measured in case["steps"]:
                    sums = kinds[f"{kind}, {threads} thr"]
                    sums[0] += 1
                    sums[1] += (predicted - measured) / total
                    sums[2] += abs(predicted - measured) / total
                    sums[3] += measured / total
    print("\nshares of a case's time, added up over all cases")
    print(f"{'kind':44} {'steps':>6} {'difference':>10} {'absolute':>9} {'measured':>9}")
    for kind, (count, signed, absolute, share) in sorted(kinds.items(), key=lambda k: -k[1][2])[:40]:
        print(f"{kind:44} {count:6} {signed:+10.2f} {absolute:9.2f} {share:9.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(everything))


def compare(options, path, scheme, threads):
    """One case, printed and returned; None where it cannot be packed."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = f"{folder}/model.knap"
        packed = call(options.knapsack, "pack", path, "--target", "host", "--scheme", scheme, "--threads", threads,
                      "--output", bundle, "--format", "json")
        if not packed:
            return None
        inspected = call(options.knapsack, "inspect", path, "--scheme", scheme, "--threads", threads, "--format", "json")
        rounds = [bench(options.knapsack, bundle, threads, 20)[0] for _ in range(options.rounds)]
    rounds = [r for r in rounds if r]
    if not inspected or not rounds:
        return None
    steps = differences(inspected["program"], rounds)
    total = min(r["latency_p50_us"] for r in rounds)
    name = f"{path.parent.name}/{path.name}"
    case = {"model": name, "scheme": scheme, "threads": int(threads), "predicted_us": packed["predicted_latency_us"],
            "measured_us": total, "steps": steps}
    print(f"\n{name} {scheme} {threads} thr: predicted {packed['predicted_latency_us']:.1f} us, measured {total:.1f}, "
          f"ratio {packed['predicted_latency_us'] / total:.2f}; steps one by one {sum(s[3] for s in steps):.1f}")
    for kind, extents, predicted, measured in sorted(steps, key=lambda s: -abs(s[2] - s[3]))[:options.top]:
        print(f"  {(predicted - measured) / total:+7.1%}  {predicted:9.2f} {measured:9.2f}  {kind} {extents}")
    return case


if __name__ == "__main__":
    main()
