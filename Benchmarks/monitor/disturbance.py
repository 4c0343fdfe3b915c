"""What the monitor does to the run it watches: latency (G3, G4), throughput while nobody reads (G16)."""

import os
import random
import re
import signal
import time

from results import Row, median, quantile
from subjects import processor_percent, status_kib, threads

# Above this many involuntary switches a second without a dashboard, the machine is not quiet enough.
SWITCHES_PER_SECOND = 40.0
SPARE, ALONE = "a spare core", "one core"
SLICE_SECONDS = 0.25
PAIRS_NEEDED = 40
LATENCY = re.compile(rb'"latency_us":([0-9.e+-]+)')


CORES = sorted(os.sched_getaffinity(0))


def place(terminal, setting):
    """The inference on the last core; the monitor beside it or on the same one; we ourselves beside it."""
    infers, others = threads(terminal.pid)
    os.sched_setaffinity(infers, {CORES[-1]})
    for thread in others:
        os.sched_setaffinity(thread, {CORES[0] if setting == SPARE else CORES[-1]})


class Sliced:
    """A run that goes on only when it is told to, and what each of its slices gave."""

    def __init__(self, subjects, drawn, setting, is_read=True):
        """`is_read`: False lets the terminal stall for good, its line full."""
        self.path = subjects.folder / ("%d%d.ndjson" % (drawn, is_read))
        arguments = ("--format", "ndjson", "--tui" if drawn else "--no-tui")
        self.terminal = subjects.run(model=subjects.slow, arguments=arguments, standard_output=str(self.path))
        if not self.terminal.wait(lambda: self.path.exists() and self.path.stat().st_size > 0, 20):
            raise RuntimeError("no results within 20 s: %r" % self.terminal.output()[-300:])
        place(self.terminal, setting)
        if drawn:
            self.terminal.type(b"++++")
        if not is_read:
            self.terminal.stalled.set()
            for _ in range(6):
                # Whole screens fill the line.
                self.terminal.type(b"\x0c")
                time.sleep(0.15)
        time.sleep(1)
        self._signal(signal.SIGSTOP)

    def _signal(self, number):
        os.kill(self.terminal.pid, number)

    def _switches(self):
        with open("/proc/%d/task/%d/status" % (self.terminal.pid, self.terminal.pid)) as file:
            return int(file.read().partition("nonvoluntary_ctxt_switches:")[2].split()[0])

    def slice(self, seconds):
        """Latencies in microseconds and involuntary switches a second, of so long a slice."""
        begin, switches = self.path.stat().st_size, self._switches()
        self._signal(signal.SIGCONT)
        time.sleep(seconds)
        self._signal(signal.SIGSTOP)
        time.sleep(0.02)
        switches = (self._switches() - switches) / seconds
        with open(self.path, "rb") as file:
            file.seek(begin)
            lines = file.read().splitlines()[1:]
        values = [round(float(LATENCY.search(line)[1]), 1) for line in lines if LATENCY.search(line)]
        # The screen is drawn anew at first, and the caches are the other run's.
        return {"latency_us": values[len(values) // 6:], "switches_per_s": switches}

    def end(self):
        self._signal(signal.SIGCONT)
        self.terminal.kill()
        self.terminal.close()


def add(pairs, pair):
    """Keeps a pair where both slices hold enough to tell of."""
    if all(len(part["latency_us"]) >= 10 for part in pair.values()):
        pairs.append(pair)


def measure_pairs(subjects, options, samples):
    """Adds pairs of slices, drawn and plain, in the order ABBA: two processes of which one is stopped, so
    that the machine's own moods, which last for seconds, are the same for both."""
    # This process and all that it starts; `place` moves the runs.
    os.sched_setaffinity(0, {CORES[0]})
    for setting in (SPARE, ALONE):
        if options.setting not in setting:
            continue
        pairs = samples.setdefault("pairs, " + setting, [])
        runs = {drawn: Sliced(subjects, drawn, setting) for drawn in (True, False)}
        try:
            for _ in range(options.pairs):
                order = (True, False) if len(pairs) % 2 == 0 else (False, True)
                add(pairs, {("drawn" if drawn else "plain"): runs[drawn].slice(SLICE_SECONDS) for drawn in order})
        finally:
            for run in runs.values():
                run.end()


def bootstrap(differences, rounds=2000, seed=1):
    """The median of paired differences, and the bounds between which 95 % of resampled medians lie."""
    generator = random.Random(seed)
    medians = sorted(median(generator.choices(differences, k=len(differences))) for _ in range(rounds))
    return median(differences), medians[rounds // 40], medians[-rounds // 40]


def pooled(pairs, which, share):
    return quantile([value for pair in pairs for value in pair[which]["latency_us"]], share)


def paired_p50(pairs):
    """Pair by pair: a slow spell of the machine then counts for nothing."""
    return median([quantile(pair["drawn"]["latency_us"], 0.5) - quantile(pair["plain"]["latency_us"], 0.5)
                   for pair in pairs])


def pooled_p99(pairs):
    """Of all slices together: a slice alone is too short for it."""
    return pooled(pairs, "drawn", 0.99) - pooled(pairs, "plain", 0.99)


def judged(goal, share, statistic, pairs, setting, limits):
    """A row: by how much the dashboard moves a percentile, with the interval of the bootstrap over pairs."""
    generator = random.Random(1)
    must, want = limits
    plain = pooled(pairs, "plain", share)
    resampled = sorted(statistic(generator.choices(pairs, k=len(pairs))) for _ in range(400))
    low, high = resampled[10], resampled[-11]
    switches = median([pair["plain"]["switches_per_s"] for pair in pairs])
    drawn = median([pair["drawn"]["switches_per_s"] for pair in pairs])
    value = statistic(pairs)
    note = "plain %.0f us, %+.1f, 95 %% within %+.1f to %+.1f us; %d pairs; involuntary switches/s %.0f plain, %.0f drawn" % (
        plain, value, low, high, len(pairs), switches, drawn)
    if switches > SWITCHES_PER_SECOND:
        value, note = None, "machine not quiet: " + note
    elif len(pairs) < PAIRS_NEEDED:
        value, note = None, "fewer than %d pairs: %s" % (PAIRS_NEEDED, note)
    elif low < must(plain) < high:
        note = "the limit is inside of the interval; " + note
    return Row(goal, "p%d with the dashboard, %s" % (share * 100, setting), value, "us", must(plain), want(plain),
               {}, note)


def g3_g4(subjects, options, samples):
    """Percentiles of the inference with the dashboard at 10 Hz, against none."""
    measure_pairs(subjects, options, samples)
    rows = []
    for setting in (SPARE, ALONE):
        pairs = samples.get("pairs, " + setting, [])
        if not pairs:
            continue
        rows.append(judged("G3", 0.5, paired_p50, pairs, setting, (
            lambda plain: max(0.005 * plain, 20), lambda plain: 0.002 * plain)))
        rows.append(judged("G4", 0.99, pooled_p99, pairs, setting, (
            lambda plain: max(0.02 * plain, 100) if setting == SPARE else 600,
            lambda plain: 0.01 * plain)))
    return rows


def unread(subjects, seconds):
    """A run whose terminal is not read for so long: KiB of memory added, monitor's processor time in % of a
    core, seconds from SIGTERM to its end."""
    with subjects.run_at(10) as terminal:
        time.sleep(3)
        terminal.stalled.set()
        time.sleep(3)
        before = status_kib(terminal.pid, "RssAnon")
        percent = processor_percent(terminal.pid, seconds, only_monitor=True)
        growth = status_kib(terminal.pid, "RssAnon") - before
        os.kill(terminal.pid, signal.SIGTERM)
        end = terminal.seconds_to_end(10)
    return growth, percent, 10.0 if end is None else end


def slowdown(pairs):
    """By how many percent an inference is slower beside a terminal that is not read: throughput lost."""
    return median([(quantile(pair["unread"]["latency_us"], 0.5) / quantile(pair["read"]["latency_us"], 0.5) - 1)
                   * 100 for pair in pairs])


def g16(subjects, options, samples):
    """A terminal that is not read: throughput, memory, processor time, death on SIGTERM."""
    os.sched_setaffinity(0, {CORES[0]})
    pairs = samples.setdefault("unread", [])
    if options.pairs:
        runs = {is_read: Sliced(subjects, True, SPARE, is_read) for is_read in (True, False)}
        try:
            for _ in range(options.pairs):
                order = (True, False) if len(pairs) % 2 == 0 else (False, True)
                add(pairs, {("read" if is_read else "unread"): runs[is_read].slice(SLICE_SECONDS)
                            for is_read in order})
        finally:
            for run in runs.values():
                run.end()
    rows = []
    if len(pairs) >= PAIRS_NEEDED:
        generator = random.Random(1)
        resampled = sorted(slowdown(generator.choices(pairs, k=len(pairs))) for _ in range(400))
        rows.append(Row(
            "G16", "throughput lost while the terminal is not read", slowdown(pairs), "%", 0.5, None, {},
            "95 %% within %+.2f to %+.2f %%; %d pairs" % (resampled[10], resampled[-11], len(pairs))))
    if options.setting == "pairs":
        return rows
    growth, percent, end = unread(subjects, options.seconds)
    return rows + [
        Row("G16", "memory added while not read", max(0, growth), "KiB", 64, None, {},
            "%.0f s; monitor %.2f %% of a core" % (options.seconds, percent)),
        Row("G16", "SIGTERM to the end, not read", end * 1000, "ms", 1000),
    ]
