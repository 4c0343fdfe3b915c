"""What a terminal and a system do to programs: resizing (G13), signals (G14), hanging up (G15), no terminal (G17)."""

import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import time

from results import Row
from screen import Screen
from subjects import processor_nanoseconds, threads

SIGNALS = "INT TERM HUP QUIT SEGV ABRT BUS FPE ILL TRAP".split()
COLOR = re.compile(rb"\x1b\[[0-9;:]*?(?<![0-9])(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:[;:][0-9;:]*)?m")


def storm(terminal, seed=1):
    """250 random sizes in 5 s; processor time of it in % of a core, and bytes."""
    generator = random.Random(seed)
    begin, before = time.monotonic(), processor_nanoseconds(terminal.pid, False)
    for i in range(250):
        terminal.resize(generator.randint(1, 220), generator.randint(1, 70))
        time.sleep(max(0, begin + (i + 1) * 0.02 - time.monotonic()))
    if terminal.gone():
        return None
    used = processor_nanoseconds(terminal.pid, False) - before
    return used / (time.monotonic() - begin) / 1e7


def masked(lines):
    """Without what goes on changing in a frozen and paused view: clocks and rates in the header."""
    return [re.sub(r"[0-9]", "0", line) if i < 3 else line for i, line in enumerate(lines)]


def shown_after(terminal, size, act):
    """The screen that was full of dirt, after an act that draws it anew."""
    screen = Screen(*size, dirt="#")
    since = time.monotonic()
    act()
    time.sleep(1.5)
    screen.feed(terminal.output(since))
    return masked(screen.lines())


def g13(subjects, options):
    """A storm of sizes: survival, processor time, the final screen."""
    percents, differences, size = [], 0, (100, 30)
    for seed in range(1, 1 + max(2, options.repeats)):
        with subjects.run_at(1) as terminal:
            # Paused, the inference takes no time, and frozen, the panels hold still.
            terminal.type(b"P")
            time.sleep(0.3)
            terminal.type(b" ")
            time.sleep(0.3)
            percent = storm(terminal, seed)
            if percent is None:
                differences += 1000
                continue
            percents.append(percent)
            after = shown_after(terminal, size, lambda: terminal.resize(*size))
            anew = shown_after(terminal, size, lambda: terminal.type(b"\x0c"))
            differences += sum(a != b for a, b in zip(after, anew)) + any("#" * 20 in line for line in anew)
    anchors = {}
    for name, start in subjects.anchors.items():
        if shutil.which(name):
            with start(tenths=15) if name == "htop" else start(milliseconds=2000) as terminal:
                time.sleep(1)
                anchors[name] = storm(terminal)
    most = max(percents) if percents else 100.0
    return [
        Row("G13", "processor in a storm of 250 sizes", most, "% of a core", 5, 1, anchors,
            "run paused; most of %d" % len(percents)),
        Row("G13", "rows that differ from a fresh screen after it", float(differences), "", 0),
    ]


def died_well(terminal, number, limit=4):
    """What is wrong after a deadly signal, in words."""
    taken = terminal.seconds_to_end(limit)
    if taken is None:
        return ["alive after %d s" % limit]
    time.sleep(0.1)
    left = terminal.modes_left()
    if number is not None and not (os.WIFSIGNALED(terminal.status) and os.WTERMSIG(terminal.status) == number):
        left.append("status %d" % terminal.status)
    return left


def send(terminal, number, to):
    """A signal to the process, or to one thread of it."""
    if to == "process":
        return os.kill(terminal.pid, number)
    infers, others = threads(terminal.pid)
    tgkill = {"x86_64": 234, "aarch64": 131}[os.uname().machine]
    ctypes.CDLL(None).syscall(tgkill, terminal.pid, infers if to == "inference" else others[0], number)
    return None


def restored(start, limit=2):
    """Of all signals, those after which the terminal is as it was."""
    good = 0
    for name in SIGNALS:
        with start() as terminal:
            terminal.wait(lambda: len(terminal.output()) > 1500, 5)
            time.sleep(0.2)
            os.kill(terminal.pid, getattr(signal, "SIG" + name))
            # A program that lives on after a signal which it may ignore has broken nothing.
            terminal.seconds_to_end(limit)
            good += not terminal.modes_left() and terminal.gone()
    return good


def uncaught_error(subjects):
    """An error that ends the run while the dashboard is drawn: its output cannot be written."""
    arguments = ("--tui", "--repeat", "20000", "--output", "/proc/nothing/out.safetensors")
    with subjects.run(arguments=arguments) as terminal:
        terminal.wait_for_screen()
        terminal.type(b"q")
        faults = died_well(terminal, None)
        if terminal.gone() and os.waitstatus_to_exitcode(terminal.status) == 0:
            faults.append("no error")
        return faults


def g14(subjects, options):
    """The terminal after every kind of death."""
    cases, faults = 0, []
    for name in SIGNALS:
        number = getattr(signal, "SIG" + name)
        for to in ("process", "inference", "monitor"):
            with subjects.run() as terminal:
                terminal.wait_for_screen()
                time.sleep(0.2)
                send(terminal, number, to)
                wrong = died_well(terminal, number)
            cases += 1
            faults += ["%s to %s: %s" % (name, to, ", ".join(wrong))] if wrong else []
    wrong = uncaught_error(subjects)
    cases += 1
    faults += ["uncaught error: " + ", ".join(wrong)] if wrong else []
    anchors = {name + " restored of 10": restored(start) for name, start in subjects.anchors.items()
               if shutil.which(name)}
    return [Row("G14", "deaths that leave the terminal broken", float(len(faults)), "", 0, None, anchors,
                "; ".join(faults) or "%d deaths, by signal to process, inference, monitor, and by an error" % cases)]


def g15(subjects, options):
    """The terminal dies: the program too, with its report, and does not spin."""
    with subjects.run() as terminal:
        terminal.wait_for_screen()
        time.sleep(11)
        before = processor_nanoseconds(terminal.pid, True)
        closed = time.monotonic()
        terminal.close()
        taken = None if terminal.seconds_to_end(10) is None else time.monotonic() - closed
        spun = 0 if terminal.gone() else processor_nanoseconds(terminal.pid, True) - before
    reports = list(subjects.state.rglob("*.json"))
    anchors = {}
    for name, start in subjects.anchors.items():
        if shutil.which(name):
            with start() as other:
                time.sleep(1.5)
                closed = time.monotonic()
                other.close()
                other.seconds_to_end(10)
                anchors[name] = time.monotonic() - closed
    rows = [
        Row("G15", "terminal closed to the end", 10.0 if taken is None else taken, "s", 2, None, anchors,
            "monitor spun %.0f ms" % (spun / 1e6) if spun else ""),
        Row("G15", "reports missing after that", float(not reports), "", 0),
    ]
    help_text = subprocess.run([subjects.knapsack, "run", "--help"], capture_output=True, text=True).stdout
    if "--on-hangup" not in help_text:
        return rows + [Row("G15", "runs that do not go on with --on-hangup continue", None, "", 0, None, {},
                           "no such option in this build")]
    with subjects.run(arguments=("--loop", "--tui", "--on-hangup", "continue")) as terminal:
        terminal.wait_for_screen()
        time.sleep(1)
        terminal.close()
        died = terminal.seconds_to_end(4) is not None
        before = 0 if died else processor_nanoseconds(terminal.pid, True)
        time.sleep(5)
        percent = 100.0 if died else (processor_nanoseconds(terminal.pid, True) - before) / 5e7
        os.kill(terminal.pid, signal.SIGTERM)
        ended = terminal.seconds_to_end(4)
    return rows + [
        Row("G15", "runs that do not go on with --on-hangup continue", float(died or ended is None), "", 0),
        Row("G15", "monitor's processor without its terminal", percent, "% of a core", 1.5)]


def g17(subjects, options):
    """Escapes where none belong, colours where none are wanted."""
    command = [subjects.knapsack, "run", *subjects.digits, "--loop"]
    environment = {**os.environ, **{k: v for k, v in subjects.environment.items() if v}}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=environment)
    time.sleep(2)
    process.terminate()
    piped = process.communicate(timeout=10)[0].count(b"\x1b")

    def output(**how):
        with subjects.run(arguments=("--loop",), **how) as terminal:
            time.sleep(3)
            terminal.type(b"\x03")
            terminal.seconds_to_end(5)
            return terminal.output()

    dumb = output(type_name="dumb")
    plain = output(environment={"NO_COLOR": "1"})
    anchors = {}
    for name, start in subjects.anchors.items():
        if shutil.which(name):
            with start(environment={"NO_COLOR": "1"}) as terminal:
                time.sleep(3)
                anchors[name] = len(COLOR.findall(terminal.output()))
    return [
        Row("G17", "escapes into a pipe", float(piped), "", 0),
        Row("G17", "escapes with TERM=dumb", float(dumb.count(b"\x1b")), "", 0, None, {},
            "%d bytes of lines" % len(dumb)),
        Row("G17", "colours with NO_COLOR", float(len(COLOR.findall(plain))), "", 0, None, anchors,
            "full screen" if b"\x1b[?1049h" in plain else "no full screen"),
    ]
