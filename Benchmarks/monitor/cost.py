"""What the monitor costs: processor time (G1, G2), bytes (G6, G7), system calls (G8), memory (G11)."""

import os
import re
import shutil
import signal
import subprocess
import time

from results import Row, median, quantile
from screen import Screen, first_screen
from subjects import SIZES, processor_percent, status_kib

OWN_COST = re.compile(r"monitor\s+([0-9.]+) %")


def show(terminal, size):
    screen = Screen(*size)
    screen.feed(terminal.output())
    return screen.lines()


def anchors_percent(subjects, seconds):
    """What htop and btop take at the same size and rate, all threads."""
    figures = {}
    for name, start in subjects.anchors.items():
        if shutil.which(name):
            with start() as terminal:
                time.sleep(2)
                figures[name] = processor_percent(terminal.pid, seconds)
    return figures


def g1(subjects, options):
    """Processor time of the monitor's threads at 10 Hz."""
    figures = []
    for label, model in [("", None)] + ([(", slow model", subjects.slow)] if options.model else []):
        values, said = [], None
        for _ in range(options.repeats):
            with subjects.run_at(10, model=model) as terminal:
                time.sleep(3)
                values.append(processor_percent(terminal.pid, options.seconds, only_monitor=True))
                found = OWN_COST.search("\n".join(show(terminal, (120, 40))))
                said = found and found[1]
        figures.append((label, values, said))
    anchors = anchors_percent(subjects, options.seconds)
    return [Row("G1", "processor at 10 Hz, 120x40" + label, median(values), "% of a core", 1.5, 1.0, anchors,
                "says itself %s %%; runs %s" % (said, ", ".join("%.2f" % value for value in values)))
            for label, values, said in figures]


def g2(subjects, options):
    """The same, at 1 Hz and with the view frozen."""
    values = {"at 1 Hz": [], "frozen": []}
    for _ in range(options.repeats):
        for label, hertz in (("at 1 Hz", 1), ("frozen", 10)):
            with subjects.run_at(hertz) as terminal:
                if label == "frozen":
                    terminal.type(b" ")
                time.sleep(2)
                values[label].append(processor_percent(terminal.pid, options.seconds, only_monitor=True))
    return [Row("G2", "processor " + label, median(figures), "% of a core", 0.3, 0.1, {},
                "runs " + ", ".join("%.2f" % figure for figure in figures))
            for label, figures in values.items()]


def steady(terminal, seconds):
    """Sizes of the frames in so many seconds from now on."""
    since = time.monotonic()
    time.sleep(seconds)
    return [len(frame.data) for frame in terminal.frames(since)]


def g6(subjects, options):
    """Bytes of a frame, steadily redrawn."""
    rows = []
    seconds = options.seconds
    for size, must, want in zip(SIZES, (700, 1000, 1600), (400, 600, 900)):
        anchors = {}
        for name, start in subjects.anchors.items():
            if shutil.which(name):
                with start(size) as terminal:
                    time.sleep(2)
                    frames = steady(terminal, seconds)
                    anchors[name] = sum(frames) / max(1, len(frames))
        with subjects.run_at(10, size) as terminal:
            time.sleep(3)
            frames = steady(terminal, seconds)
        where = "%dx%d" % size
        rows.append(Row("G6", "bytes per frame " + where, sum(frames) / max(1, len(frames)), "B", must, want,
                        anchors, "%.1f frames/s" % (len(frames) / seconds)))
        rows.append(Row("G6", "p99 of a frame " + where, quantile(frames, 0.99), "B", 4000, None, {},
                        "largest %d" % max(frames)))
    return rows


def g7(subjects, options):
    """Bytes of the first screen, and of a screen with everything on it that is drawn anew."""
    rows = []
    for size, must in zip(SIZES, (5000, 9000, 16000)):
        with subjects.run(size) as terminal:
            _, first = first_screen(terminal, size)
            time.sleep(3)
            terminal.type(b"----")
            time.sleep(0.3)
            largest = 0
            for _ in range(3):
                since = time.monotonic()
                terminal.type(b"\x0c")
                time.sleep(0.4)
                largest = max([largest] + [len(frame.data) for frame in terminal.frames(since)])
        anchors = {}
        for name, start in subjects.anchors.items():
            if shutil.which(name):
                with start(size) as terminal:
                    anchors[name] = first_screen(terminal, size)[1]
        rows.append(Row("G7", "first screen %dx%d" % size, max(first, largest), "B", must, None, anchors,
                        "skeleton %d, all panels filled %d" % (first, largest)))
    return rows


def traced(command_pid, seconds, path):
    """System calls of a running process, by strace, as lines."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-e", "trace=write,writev", "-o", path, "-p", str(command_pid)],
        stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    with open(path, errors="replace") as file:
        return file.readlines()


def writes_per_frame(terminal, seconds, path):
    since = time.monotonic()
    lines = traced(terminal.pid, seconds, path)
    frames = len(terminal.frames(since))
    writes = sum(1 for line in lines if re.search(r"writev?\(\d+</dev/(pts|tty)", line) and "resumed" not in line)
    return writes / max(1, frames), frames


def g8(subjects, options):
    """Writes to the terminal for each frame."""
    if not shutil.which("strace"):
        return [Row("G8", "writes per frame", None, "", 1, 1, {}, "strace is not installed")]
    path = str(subjects.folder / "strace.txt")
    with subjects.run_at(10) as terminal:
        time.sleep(1)
        value, frames = writes_per_frame(terminal, options.seconds, path)
    anchors = {}
    for name, start in subjects.anchors.items():
        if shutil.which(name):
            with start() as terminal:
                time.sleep(1)
                anchors[name], _ = writes_per_frame(terminal, min(5, options.seconds), path)
    # Two frames may arrive within 20 ms of each other, and count as one here.
    return [Row("G8", "writes per frame", round(value, 2), "", 1, 1, anchors, "%d frames" % frames)]


def resident(subjects, arguments, seconds):
    with subjects.run(arguments=arguments) as terminal:
        time.sleep(seconds)
        return status_kib(terminal.pid, "VmRSS") / 1024


def g11(subjects, options):
    """Resident memory with the dashboard, less that without."""
    seconds = max(10, options.seconds)
    differences, totals = [], []
    for _ in range(options.repeats):
        drawn = resident(subjects, ("--loop", "--tui"), seconds)
        plain = resident(subjects, ("--loop", "--no-tui"), seconds)
        differences.append(drawn - plain)
        totals.append(drawn)
    anchors = {}
    for name, start in subjects.anchors.items():
        if shutil.which(name):
            with start() as terminal:
                time.sleep(3)
                anchors[name + " in all"] = status_kib(terminal.pid, "VmRSS") / 1024
    return [Row("G11", "added resident memory", median(differences), "MiB", 6, 3, anchors,
                "%.1f MiB in all" % median(totals))]
