#!/usr/bin/env python3
"""Measures the monitor's goals, beside htop and btop where they are the anchor.

    goals.py [G1 G6 …] [--knapsack PATH] [--seconds N] [--repeats N] [--pairs N] [--json FILE] …

All goals without names. Prints a table of figure, limits, verdict, anchors; writes it with the machine's
description and the samples to --json, where the rows of other goals and the pairs of G3, G4 and G16 are
kept: those need twenty pairs, which may come from several calls at quiet moments. Exits 1 when a limit is missed.

Needs a release build and, for anchors and G8, `apt install htop btop strace`. G3 and G4 run a model of some
milliseconds: --model, or a MiniLM folder in KNAPSACK_MINILM. G12 is soak.py; G18, G19 and G20 are tests.
"""

import argparse
import re
import subprocess
import sys

import cost
import disturbance
import response
import torture
from results import Results, Row, machine
from subjects import REPOSITORY, Subjects


def g5(subjects, options):
    """What recording costs, by the benchmark written in Swift (scripts/monitor-benchmark.sh)."""
    done = subprocess.run([REPOSITORY / "scripts/monitor-benchmark.sh"], capture_output=True, text=True)
    figures = dict(re.findall(r"^(.*?)\s{2,}([0-9.]+) ns", done.stdout, re.M))
    whole = figures.get("an inference: two clock readings, record")
    if not whole:
        return [Row("G5", "recording an inference", None, "ns", 1000, None, {}, done.stderr.strip()[-200:])]
    step = float(figures["a step: one clock reading, record"])
    return [Row("G5", "recording an inference", float(whole), "ns", 1000),
            Row("G5", "timing a step, of which 1:N sampling allows 200 ns", step, "ns", 200)]


# Every goal and the function that measures it; those of the second kind keep samples.
GOALS = {
    "G1": cost.g1, "G2": cost.g2, "G5": g5, "G6": cost.g6, "G7": cost.g7, "G8": cost.g8, "G9": response.g9,
    "G10": response.g10, "G11": cost.g11, "G13": torture.g13, "G14": torture.g14, "G15": torture.g15,
    "G17": torture.g17,
}
SAMPLED = {"G3": disturbance.g3_g4, "G4": disturbance.g3_g4, "G16": disturbance.g16}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("goals", nargs="*", metavar="GOAL", help="G1 … G17; all without")
    parser.add_argument("--knapsack", default=str(REPOSITORY / ".build/release/knapsack"))
    parser.add_argument("--seconds", type=float, default=10, help="length of a measurement")
    parser.add_argument("--repeats", type=int, default=3, help="runs whose median counts")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of runs to add (G3, G4, G16)")
    parser.add_argument("--setting", default="", 
                        help="G3, G4: only 'spare' or 'one' core; G10: only keys, leaving, stalled or links;"
                             " G16: only 'pairs'")
    parser.add_argument("--model", help="a slower model: a bundle, or what pack takes")
    parser.add_argument("--inputs", help="its inputs, some thousand")
    parser.add_argument("--json", default=str(REPOSITORY / ".build/monitor-goals.json"))
    parser.add_argument("--fresh", action="store_true", help="forget what the JSON file holds")
    options = parser.parse_args()
    for goal in options.goals:
        if goal not in GOALS and goal not in SAMPLED:
            parser.error("no goal %s here: %s" % (goal, " ".join([*GOALS, *SAMPLED])))
    return options


def main():
    options = arguments()
    results = Results(options.json)
    if options.fresh:
        results.rows, results.samples = {}, {}
    subjects = Subjects(options.knapsack, options.model, options.inputs)
    chosen = options.goals or [*GOALS, *SAMPLED]
    results.machine = machine(options.knapsack)
    functions = []
    for goal in chosen:
        function = GOALS.get(goal) or SAMPLED[goal]
        if function not in functions:
            functions.append(function)
    for function in functions:
        keeps = function in SAMPLED.values()
        for row in function(subjects, options, *([results.samples] if keeps else [])):
            results.put(row)
        results.write()
    measured = set(chosen) | ({"G3", "G4"} if {"G3", "G4"} & set(chosen) else set())
    print(results.table(measured))
    missed = [row for row in results.sorted() if row.goal in measured and row.verdict == "MISSED"]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
