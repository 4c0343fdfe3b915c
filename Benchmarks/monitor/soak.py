#!/usr/bin/env python3
"""Watches a long run (goal G12): growth of memory, change of processor time, lost samples.

    soak.py [--minutes 30] [--settle 5] [--knapsack PATH] [--json FILE]

The embedded model at 10 Hz in a terminal that is read. A sample every five seconds; after `--settle` minutes
the slope of the resident memory is taken by regression, and the monitor's processor time of the last
third is compared with that of the first. Rows go to the JSON file of goals.py. Exits 1 when a limit is missed.
"""

import argparse
import re
import statistics
import sys
import time

from cost import show
from results import Results, Row, machine
from subjects import REPOSITORY, Subjects, processor_nanoseconds, status_kib

INTERVAL = 5.0
LOST = re.compile(r"samples lost ([0-9 ]+)")


def slope(points):
    """Least squares: value per hour, and its standard error."""
    hours = [moment / 3600 for moment, _ in points]
    values = [value for _, value in points]
    line = statistics.linear_regression(hours, values)
    if len(points) < 3:
        return line.slope, float("inf")
    residuals = sum((value - line.intercept - line.slope * hour) ** 2 for hour, value in zip(hours, values))
    spread = sum((hour - statistics.fmean(hours)) ** 2 for hour in hours)
    return line.slope, (residuals / (len(points) - 2) / spread) ** 0.5


def watch(terminal, minutes, report):
    """(seconds, resident KiB, anonymous KiB, monitor's processor ns) every few seconds."""
    begin = time.monotonic()
    samples = []
    while time.monotonic() - begin < minutes * 60:
        time.sleep(INTERVAL)
        if terminal.gone():
            raise SystemExit("the run ended by itself: %r" % terminal.output()[-300:])
        samples.append((time.monotonic() - begin, status_kib(terminal.pid, "VmRSS"),
                        status_kib(terminal.pid, "RssAnon"), processor_nanoseconds(terminal.pid, True)))
        # What was drawn long ago is not needed.
        del terminal.chunks[:-20]
        if len(samples) % 24 == 0:
            report("%4.0f s  resident %d KiB  anonymous %d KiB" % samples[-1][:3])
    return samples


def percent(samples):
    """Of a core, from the first of these samples to the last."""
    return (samples[-1][3] - samples[0][3]) / (samples[-1][0] - samples[0][0]) / 1e7


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--settle", type=float, default=5, help="first minutes that do not count")
    parser.add_argument("--knapsack", default=str(REPOSITORY / ".build/release/knapsack"))
    parser.add_argument("--json", default=str(REPOSITORY / ".build/monitor-goals.json"))
    options = parser.parse_args()
    results = Results(options.json)
    subjects = Subjects(options.knapsack)
    size = (120, 40)
    with subjects.run_at(10, size) as terminal:
        samples = watch(terminal, options.minutes, lambda line: print(line, file=sys.stderr, flush=True))
        since = time.monotonic()
        terminal.type(b"1\x0c")
        time.sleep(1)
        terminal.chunks[:] = [chunk for chunk in terminal.chunks if chunk[0] >= since]
        lines = show(terminal, size)
        terminal.type(b"q")
        terminal.seconds_to_end(10)
    counted = [sample for sample in samples if sample[0] >= options.settle * 60]
    third = len(counted) // 3
    resident, error = slope([(sample[0], sample[1] * 1.024) for sample in counted])
    anonymous, _ = slope([(sample[0], sample[2] * 1.024) for sample in counted])
    first, last = percent(counted[:third]), percent(counted[-third:])
    lost = LOST.search("\n".join(lines))
    header = " ".join(lines[0].split())
    results.machine = results.machine or machine(options.knapsack)
    results.put(Row("G12", "growth of resident memory", round(max(0.0, resident), 2), "kB/h", 100, None, {},
                    "%+.1f, standard error %.1f, anonymous %+.1f, over %.0f min after %.0f" % (
                        resident, error, anonymous, options.minutes - options.settle, options.settle)))
    results.put(Row("G12", "change of the monitor's processor time", abs(last / first - 1) * 100, "%", 10, None, {},
                    "%.2f then %.2f %% of a core" % (first, last)))
    results.put(Row("G12", "screens without a header at the end", float("RUNNING" not in header), "", 0, None, {},
                    "samples lost, as the screen says: %s" % (lost[1].strip() if lost else "none")))
    results.samples["soak"] = samples
    results.write()
    print(results.table({"G12"}))
    return 1 if any(row.verdict == "MISSED" for row in results.sorted() if row.goal == "G12") else 0


if __name__ == "__main__":
    sys.exit(main())
