#!/usr/bin/env python3
"""Kills a full-screen program in every way and looks whether the terminal came back.

    terminal-guard.py COMMAND [ARGUMENT...]

The command is started anew in a pseudo-terminal for each case; it should run for at least ten
seconds by itself. Prints a line per case; exits 1 when one failed.
"""
import fcntl
import os
import pty
import random
import re
import select
import signal
import struct
import sys
import termios
import time

ENTERED = b"\x1b[?1049h"


class Run:
    """The command in a pseudo-terminal of its own."""

    def __init__(self, command, columns=80, rows=24):
        self.output = b""
        self.status = None
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            for name in ("TMUX", "COLORTERM", "NO_COLOR", "CI"):
                os.environ.pop(name, None)
            os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
            os.execvp(command[0], command)
        self.resize(columns, rows)
        if not self.until(lambda: ENTERED in self.output and len(self.output) > 1500, 20):
            raise RuntimeError("no full screen within 20 s: %r" % self.output[-300:])

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            try:
                self.output += os.read(self.master, 65536)
            except OSError:
                time.sleep(seconds)

    def until(self, condition, seconds):
        end = time.time() + seconds
        while time.time() < end:
            self.read(0.02)
            if condition():
                return True
        return False

    def gone(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is not None

    def ends(self, seconds):
        return self.until(self.gone, seconds)

    def kill(self):
        if not self.gone():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def faults(self, mode=True):
        """What is wrong with the terminal now."""
        self.read(0.1)
        faults = []
        local = termios.tcgetattr(self.master)[3]
        if mode and not (local & termios.ICANON and local & termios.ECHO):
            faults.append("raw mode left on")
        modes = {}
        for names, letter in re.findall(rb"\x1b\[\?([0-9;]+)([hl])", self.output):
            for name in names.split(b";"):
                modes[name] = letter
        if modes.get(b"1049") != b"l":
            faults.append("full screen left on")
        if modes.get(b"25") != b"h":
            faults.append("cursor left off")
        for name in (b"1000", b"1002", b"1003", b"1006", b"2004", b"2026"):
            if modes.get(name) == b"h":
                faults.append("mode %s left on" % name.decode())
        return faults


def by_signal(command, number):
    run = Run(command)
    os.kill(run.pid, number)
    if not run.ends(4):
        run.kill()
        return ["still alive after 4 s"]
    faults = run.faults()
    if not os.WIFSIGNALED(run.status) or os.WTERMSIG(run.status) != number:
        faults.append("ended with status %d, not by the signal" % run.status)
    return faults


def by_keys(command, keys, expected):
    run = Run(command)
    for key in keys:
        os.write(run.master, key)
        run.read(0.3)
    if not run.ends(4):
        run.kill()
        return ["still alive after 4 s"]
    faults = run.faults()
    if run.status != expected:
        faults.append("status %d, expected %d" % (run.status, expected))
    if b"latency" not in run.output.split(b"\x1b[?1049l")[-1]:
        faults.append("no summary")
    return faults


def hangup(command):
    run = Run(command)
    os.close(run.master)
    end = time.time() + 4
    while time.time() < end and not run.gone():
        time.sleep(0.05)
    if run.gone():
        return []
    run.kill()
    return ["still alive 4 s after the terminal was closed"]


def stalled(command):
    run = Run(command)
    time.sleep(12)
    os.kill(run.pid, signal.SIGTERM)
    end = time.time() + 4
    while time.time() < end and not run.gone():
        time.sleep(0.05)
    alive = not run.gone()
    run.kill()
    return ["still alive 4 s after SIGTERM"] if alive else []


def storm(command):
    run = Run(command)
    generator = random.Random(1)
    for _ in range(250):
        run.resize(generator.randint(1, 220), generator.randint(1, 70))
        run.read(0.02)
    if run.gone():
        return ["died of it"]
    run.resize(80, 24)
    run.read(0.5)
    os.write(run.master, b"q")
    if not run.ends(4):
        run.kill()
        return ["deaf to q afterwards"]
    return run.faults()


def stop_and_go(command):
    run = Run(command)
    os.kill(run.pid, signal.SIGSTOP)
    time.sleep(0.3)
    before = len(run.output)
    os.kill(run.pid, signal.SIGCONT)
    if not run.until(lambda: len(run.output) - before > 1500, 4):
        run.kill()
        return ["not drawn anew after SIGCONT"]
    os.write(run.master, b"q")
    if not run.ends(4):
        run.kill()
        return ["deaf to q afterwards"]
    return run.faults()


def main():
    command = sys.argv[1:]
    if not command:
        sys.exit(__doc__)
    cases = []
    for name in "INT TERM HUP QUIT SEGV ABRT BUS FPE ILL TRAP SYS PIPE".split():
        number = getattr(signal, "SIG" + name)
        cases.append(("SIG" + name, lambda number=number: by_signal(command, number)))
    cases += [
        ("q", lambda: by_keys(command, [b"q"], 0)),
        ("Ctrl-C", lambda: by_keys(command, [b"\x03"], signal.SIGINT)),
        ("Ctrl-C twice", lambda: by_keys(command, [b"\x03\x03"], signal.SIGINT)),
        ("noise, then q", lambda: by_keys(command, [b"\x1b[<0;3;4M\x1b]0;x\x07?5 P \x1b[A", b"q"], 0)),
        ("terminal closed", lambda: hangup(command)),
        ("terminal not read", lambda: stalled(command)),
        ("resize storm", lambda: storm(command)),
        ("SIGSTOP, SIGCONT", lambda: stop_and_go(command)),
    ]
    failed = 0
    for name, case in cases:
        faults = case()
        failed += bool(faults)
        print("%-18s %s" % (name, "; ".join(faults) or "ok"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
