"""How fast the monitor answers: first frame (G9), keys and leaving (G10), also over slow and dead lines."""

import random
import shutil
import time

from results import Row, median, quantile
from screen import Screen, first_screen
from terminal import Terminal

# 9600 baud, and what is left of 57 600 and 115 200.
SLOW_LINKS = [960, 5760, 11520]


def first_frames(start, count, size=(120, 40)):
    """Milliseconds from the start of a process to its first full screen, so many times."""
    values = []
    for _ in range(count):
        with start(size) as terminal:
            values.append((first_screen(terminal, size)[0] - terminal.started) * 1000)
    return values


def g9(subjects, options):
    """Milliseconds to the first screen, which waits for no bundle."""
    runs = max(9, options.repeats)
    anchors = {name: median(first_frames(start, runs)) for name, start in subjects.anchors.items()
               if shutil.which(name)}
    bare = []
    for _ in range(runs):
        with Terminal(["true"]) as terminal:
            terminal.wait(terminal.gone, 5)
            bare.append((time.monotonic() - terminal.started) * 1000)
    anchors["true, start to end"] = median(bare)
    rows = []
    for label, model in [("", None)] + ([(", a larger bundle", subjects.slow)] if options.model else []):
        values = first_frames(lambda size: subjects.run(size, model=model), runs)
        rows.append(Row("G9", "time to first screen" + label, median(values), "ms", 60, 30, anchors,
                        "least %.0f, most %.0f of %d" % (min(values), max(values), runs)))
    return rows


class Tabs:
    """Which tab is shown, read from the screen as the bytes come."""

    def __init__(self, terminal, size):
        self.terminal, self.screen, self.read = terminal, Screen(*size), 0

    def selected(self):
        """Number of the tab in brackets, and when the bytes that drew it came."""
        moment = None
        for moment, data in self.terminal.chunks[self.read:]:
            self.screen.feed(data)
            self.read += 1
        line = next((line for line in self.screen.lines()[:3] if "[" in line), "")
        return line.partition("[")[2][:1], moment


def key_times(subjects, count, seed=1):
    """Milliseconds from a key to the frame that obeys it."""
    generator = random.Random(seed)
    times = []
    with subjects.run_at(1, (80, 24)) as terminal:
        tabs = Tabs(terminal, (80, 24))
        terminal.wait(lambda: tabs.selected()[0] == "1", 5)
        for i in range(count):
            wanted = "2" if i % 2 == 0 else "1"
            time.sleep(generator.uniform(0.05, 0.25))
            tabs.selected()
            begin = time.monotonic()
            terminal.type(wanted.encode())
            if not terminal.wait(lambda: tabs.selected()[0] == wanted, 3):
                times.append(3000.0)
                continue
            times.append((terminal.last_arrival() - begin) * 1000)
    return times


def leave_times(subjects, count, prepare=lambda terminal: None, limit=15):
    """Milliseconds from `q` to the end of the process."""
    times = []
    for _ in range(count):
        with subjects.run_at(10) as terminal:
            time.sleep(0.3)
            prepare(terminal)
            terminal.type(b"q")
            taken = terminal.seconds_to_end(limit)
            times.append((limit if taken is None else taken) * 1000)
    return times


def stall(terminal):
    terminal.stalled.set()
    # Long enough for the line to fill up.
    time.sleep(4)


def slow(rate):
    def prepare(terminal):
        terminal.bytes_per_second = rate
        time.sleep(4)
    return prepare


def anchor_leave(start, rate, limit=10):
    with start() as terminal:
        time.sleep(1.5)
        if rate:
            slow(rate)(terminal)
        terminal.type(b"q")
        taken = terminal.seconds_to_end(limit)
        return (limit if taken is None else taken) * 1000


def keys(subjects):
    times = key_times(subjects, 60)
    return [Row("G10", "key to changed frame, p95", quantile(times, 0.95), "ms", 60, 30, {},
                "median %.1f, most %.1f of 60" % (median(times), max(times)))]


def leaving(subjects):
    times = leave_times(subjects, 12)
    anchors = {name: anchor_leave(start, None) for name, start in subjects.anchors.items()
               if shutil.which(name)}
    return [Row("G10", "q to the end, p95", quantile(times, 0.95), "ms", 300, 150, anchors,
                "median %.0f of 12" % median(times))]


def stalled(subjects):
    times = leave_times(subjects, 3, stall)
    return [Row("G10", "q to the end, terminal stalled", max(times), "ms", 1000, None, {}, "most of 3")]


def links(subjects):
    rows = []
    for rate in SLOW_LINKS:
        times = leave_times(subjects, 1, slow(rate))
        anchors = {name: anchor_leave(start, rate) for name, start in subjects.anchors.items()
                   if shutil.which(name)}
        rows.append(Row("G10", "q to the end, %d B/s" % rate, max(times), "ms", 1000, None, anchors))
    return rows


def g10(subjects, options):
    """Keys, leaving, leaving while nobody reads, leaving over slow links."""
    return [row for part in (keys, leaving, stalled, links) if options.setting in part.__name__
            for row in part(subjects)]
