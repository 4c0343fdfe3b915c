"""What the monitor does to the run it watches: latency (G3, G4), throughput while nobody reads (G16)."""

import json
import os
import random
import signal
import time

from results import Row, median, quantile
from subjects import processor_percent, status_kib, threads

# Above this many involuntary switches a second without a dashboard, the machine is not quiet enough.
SWITCHES_PER_SECOND = 12.0
SPARE, ALONE = "a spare core", "one core"


def place(terminal, setting):
    """The inference on the last core; everything else beside it, or on the same core."""
    cores = sorted(os.sched_getaffinity(0))
    infers, others = threads(terminal.pid)
    os.sched_setaffinity(infers, {cores[-1]})
    for thread in others:
        os.sched_setaffinity(thread, {cores[0] if setting == SPARE else cores[-1]})


def latencies(subjects, drawn, setting, seconds):
    """Every latency of a run in microseconds, without the first tenth, and involuntary switches a second."""
    path = subjects.folder / "results.ndjson"
    arguments = ("--format", "ndjson", "--tui" if drawn else "--no-tui")
    with subjects.run(model=subjects.slow, arguments=arguments, standard_output=str(path)) as terminal:
        terminal.wait(lambda: path.exists() and path.stat().st_size > 0, 20)
        place(terminal, setting)
        if drawn:
            terminal.type(b"++++")
        time.sleep(seconds)
        status = open("/proc/%d/task/%d/status" % (terminal.pid, terminal.pid)).read()
        switches = int(status.partition("nonvoluntary_ctxt_switches:")[2].split()[0])
        os.kill(terminal.pid, signal.SIGTERM)
        terminal.wait(terminal.gone, 10)
    values = []
    for line in path.read_text().splitlines():
        try:
            values.append(json.loads(line)["latency_us"])
        except (ValueError, KeyError):
            pass
    return values[len(values) // 10:], switches / seconds


def measure_pairs(subjects, options, samples):
    """Adds pairs of runs, drawn and plain, in the order ABBA."""
    seconds = options.seconds
    for setting in (SPARE, ALONE):
        if options.setting and options.setting not in setting:
            continue
        pairs = samples.setdefault("pairs, " + setting, [])
        for i in range(options.pairs):
            order = (True, False) if len(pairs) % 2 == 0 else (False, True)
            pair = {}
            for drawn in order:
                values, switches = latencies(subjects, drawn, setting, seconds)
                pair["drawn" if drawn else "plain"] = {
                    "p50_us": quantile(values, 0.5), "p99_us": quantile(values, 0.99), "count": len(values),
                    "switches_per_s": switches}
            pairs.append(pair)


def bootstrap(differences, rounds=4000, seed=1):
    """The median of paired differences, and the bounds between which 95 % of resampled medians lie."""
    generator = random.Random(seed)
    medians = sorted(median(generator.choices(differences, k=len(differences))) for _ in range(rounds))
    return median(differences), medians[rounds // 40], medians[-rounds // 40]


def judged(goal, key, pairs, setting, limits, pairs_needed):
    """A row: by how much the dashboard moves a percentile, with the interval of the bootstrap."""
    must, want = limits
    plain = median([pair["plain"][key] for pair in pairs])
    middle, low, high = bootstrap([pair["drawn"][key] - pair["plain"][key] for pair in pairs])
    switches = median([pair["plain"]["switches_per_s"] for pair in pairs])
    drawn = median([pair["drawn"]["switches_per_s"] for pair in pairs])
    note = "plain %.0f us; 95 %% within %+.1f to %+.1f us; %d pairs; involuntary switches/s %.1f plain, %.1f drawn" % (
        plain, low, high, len(pairs), switches, drawn)
    value = middle
    if switches > SWITCHES_PER_SECOND:
        value, note = None, "machine not quiet: " + note
    elif len(pairs) < pairs_needed:
        value, note = None, "fewer than %d pairs: " % pairs_needed + note
    quantity = "%s with the dashboard, %s" % (key[:3], setting)
    return Row(goal, quantity, value, "us", must(plain), want and want(plain), {}, note)


def g3_g4(subjects, options, samples):
    """Percentiles of the inference with the dashboard at 10 Hz, against none."""
    measure_pairs(subjects, options, samples)
    rows = []
    for setting in (SPARE, ALONE):
        pairs = samples.get("pairs, " + setting, [])
        if not pairs:
            continue
        rows.append(judged("G3", "p50_us", pairs, setting, (
            lambda plain: max(0.005 * plain, 20), lambda plain: 0.002 * plain), 20))
        rows.append(judged("G4", "p99_us", pairs, setting, (
            lambda plain: max(0.02 * plain, 100) if setting == SPARE else 600,
            lambda plain: 0.01 * plain), 20))
    return rows


def throughput(subjects, stalled, seconds):
    """Inferences a second of one run with the dashboard, whose terminal is read or not."""
    path = subjects.folder / "throughput.json"
    arguments = ("--loop", "--tui", "--format", "json")
    with subjects.run(arguments=arguments, standard_output=str(path)) as terminal:
        terminal.wait_for_screen()
        place(terminal, SPARE)
        terminal.type(b"++++")
        time.sleep(0.5)
        if stalled:
            terminal.stalled.set()
            time.sleep(2)
        before = status_kib(terminal.pid, "RssAnon")
        percent = processor_percent(terminal.pid, seconds, only_monitor=True)
        growth = status_kib(terminal.pid, "RssAnon") - before
        os.kill(terminal.pid, signal.SIGTERM)
        end = terminal.seconds_to_end(10)
    return json.loads(path.read_text())["throughput_per_s"], growth, end, percent


def g16(subjects, options, samples):
    """A terminal that is not read: throughput, memory, processor time, death on SIGTERM."""
    runs = samples.setdefault("unread", [])
    for _ in range(options.pairs):
        order = (True, False) if len(runs) % 2 == 0 else (False, True)
        runs.append({("unread" if stalled else "read"): throughput(subjects, stalled, options.seconds)
                     for stalled in order})
    change = [(run["read"][0] / run["unread"][0] - 1) * 100 for run in runs]
    middle, low, high = bootstrap(change)
    longest = max(run["unread"][2] if run["unread"][2] is not None else 10 for run in runs)
    return [
        Row("G16", "throughput lost while the terminal is not read", middle, "%", 0.5, None, {},
            "95 %% within %+.2f to %+.2f %%; %d pairs of %d s" % (low, high, len(runs), options.seconds)),
        Row("G16", "memory added while not read, more than while read",
            max(0.0, median([run["unread"][1] - run["read"][1] for run in runs])), "KiB", 64, None, {},
            "unread %s, read %s" % ([run["unread"][1] for run in runs], [run["read"][1] for run in runs])),
        Row("G16", "SIGTERM to the end, not read", longest * 1000, "ms", 1000, None, {},
            "monitor %.2f %% of a core meanwhile" % median([run["unread"][3] for run in runs])),
    ]
