"""A program in a pseudo-terminal, driven and read as a real terminal would.

The master is read without pause by a thread of its own (a program that nobody reads blocks), unless the
terminal is told to stall or to be a slow link. Queries that a terminal answers are answered.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import threading
import time

# Queries of a program, and what a terminal of today says to them.
ANSWERS = [
    (re.compile(rb"\x1b\[\?(\d+)\$p"),
     lambda found: b"\x1b[?%s;%d$y" % (found[1], 2 if found[1] in (b"2026", b"2004", b"1006") else 0)),
    (re.compile(rb"\x1b\[0?c"), lambda found: b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[>0?c"), lambda found: b"\x1b[>0;276;0c"),
    (re.compile(rb"\x1b\[>0?q"), lambda found: b"\x1bP>|goals 1\x1b\\"),
    (re.compile(rb"\x1b\[5n"), lambda found: b"\x1b[0n"),
    (re.compile(rb"\x1b\[6n"), lambda found: b"\x1b[1;1R"),
    (re.compile(rb"\x1b\]1([01]);\?(?:\x07|\x1b\\)"),
     lambda found: b"\x1b]1%s;rgb:%s\x1b\\" % (found[1], b"ffff/ffff/ffff" if found[1] == b"0" else b"0/0/0")),
]
BLOCK_END = b"\x1b[?2026l"
MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")


class Frame:
    """Bytes that arrived together."""

    def __init__(self, moment, data):
        self.begin = self.end = moment
        self.data = data


class Terminal:
    """A terminal with one program in it. Use as a context: the program is killed at its end."""

    def __init__(self, command, columns=120, rows=40, environment=None, standard_output=None,
                 type_name="xterm-256color", cores=None):
        """`environment`: variables over ours, None removes one. `standard_output`: a file in place of
        the terminal. `cores`: the program may run on these alone."""
        variables = {name: value for name, value in os.environ.items()
                     if name not in ("TMUX", "COLORTERM", "NO_COLOR", "CI", "COLUMNS", "LINES")}
        variables.update(TERM=type_name, LC_ALL="C.UTF-8")
        for name, value in (environment or {}).items():
            variables.pop(name, None) if value is None else variables.update({name: value})
        self.chunks = []
        self.status = None
        self.usage = None
        self.stalled = threading.Event()
        self.bytes_per_second = None
        self.is_open = True
        self.started = time.monotonic()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            self._become(command, columns, rows, variables, standard_output, cores)
        self.resize(columns, rows)
        self.closing, self._close = os.pipe()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @staticmethod
    def _become(command, columns, rows, variables, standard_output, cores):
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            if cores:
                os.sched_setaffinity(0, cores)
            if standard_output:
                file = os.open(standard_output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                os.dup2(file, 1)
                os.close(file)
            os.execvpe(command[0], command, variables)
        finally:
            os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.close()

    # What the terminal does.

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys)

    def local_modes(self):
        """The terminal's c_lflag: the master shares it."""
        return termios.tcgetattr(self.master)[3]

    def close(self):
        """As if the terminal had been killed."""
        if not self.is_open:
            return
        self.is_open = False
        os.write(self._close, b".")
        self.reader.join(5)
        for descriptor in (self.master, self.closing, self._close):
            os.close(descriptor)

    def _read(self):
        unanswered = b""
        while True:
            if self.stalled.is_set():
                ready, _, _ = select.select([self.closing], [], [], 0.02)
            else:
                ready, _, _ = select.select([self.master, self.closing], [], [], 0.2)
            if self.closing in ready:
                return
            if self.master not in ready:
                continue
            rate = self.bytes_per_second
            try:
                data = os.read(self.master, max(1, rate // 50) if rate else 65536)
            except OSError:
                # The other side has closed; the master stays for its modes.
                if self.gone():
                    return
                time.sleep(0.002)
                continue
            self.chunks.append((time.monotonic(), data))
            if rate:
                time.sleep(len(data) / rate)
            unanswered = self._answer(unanswered + data)

    def _answer(self, data):
        done = 0
        for query, answer in ANSWERS:
            for found in query.finditer(data):
                os.write(self.master, answer(found))
                done = max(done, found.end())
        return data[max(done, len(data) - 32):]

    # What came of it.

    def output(self, since=0.0):
        return b"".join(data for moment, data in list(self.chunks) if moment >= since)

    def frames(self, since=0.0, until=float("inf"), gap=0.02):
        """Bursts of bytes with `gap` seconds of silence between them, or that end a synchronized block."""
        frames = []
        for moment, data in list(self.chunks):
            if not since <= moment <= until:
                continue
            if frames and moment - frames[-1].end < gap and not frames[-1].data.endswith(BLOCK_END):
                frames[-1].end = moment
                frames[-1].data += data
            else:
                frames.append(Frame(moment, data))
        return frames

    def last_arrival(self):
        return self.chunks[-1][0] if self.chunks else None

    def wait(self, condition, seconds):
        """Whether the condition came true in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.002)
        return bool(condition())

    def wait_for_screen(self, seconds=20, bytes=1000):
        """Waits until a full screen has been entered and filled."""
        def is_there():
            output = self.output()
            return len(output) > bytes and b"\x1b[?1049h" in output
        if not self.wait(is_there, seconds):
            raise RuntimeError("no full screen within %d s: %r" % (seconds, self.output()[-300:]))

    def wait_for_silence(self, silence=0.04, seconds=5):
        return self.wait(
            lambda: self.chunks and time.monotonic() - self.last_arrival() > silence, seconds)

    def modes_left(self):
        """What a dead program left behind, in words; empty when the terminal is as it was."""
        left = []
        local = self.local_modes()
        if not (local & termios.ICANON and local & termios.ECHO):
            left.append("raw mode")
        modes = {}
        for names, letter in MODE.findall(self.output()):
            for name in names.split(b";"):
                modes[name] = letter
        if modes.get(b"1049") == b"h":
            left.append("alternate screen")
        if modes.get(b"25") == b"l":
            left.append("no cursor")
        left += ["mode " + name.decode() for name in
                 (b"1000", b"1002", b"1003", b"1006", b"1015", b"2004", b"2026") if modes.get(name) == b"h"]
        return left

    # The program.

    def gone(self):
        if self.status is None:
            try:
                pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid:
                self.status, self.usage = status, usage
        return self.status is not None

    def seconds_to_end(self, limit):
        """How long the program takes to end from now on; None when it lives on."""
        begin = time.monotonic()
        return time.monotonic() - begin if self.wait(self.gone, limit) else None

    def kill(self):
        if not self.gone():
            os.kill(self.pid, signal.SIGKILL)
            self.wait(self.gone, 5)
