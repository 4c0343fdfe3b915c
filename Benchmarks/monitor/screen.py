"""What a terminal shows after some bytes: enough of one for programs that use xterm's terminfo entry."""

import re
import time
import unicodedata

CONTROL = re.compile(r"\x1b\[([?>=]?)([0-9;:]*)([ !\"$]?)([@-~])")
STRING = re.compile(r"\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)")
CHARSET = re.compile(r"\x1b[()*+][A-Za-z0-9]")


class Screen:
    """A grid of characters. Colours are not kept; what is not understood is remembered in `unknown`."""

    def __init__(self, columns, rows, dirt=" "):
        self.columns, self.rows = columns, rows
        self.cells = [[dirt] * columns for _ in range(rows)]
        self.unknown = []
        self.x = self.y = 0
        self.is_wrapping = False
        self.top, self.bottom = 0, rows - 1
        self.saved = (0, 0)
        self.last = " "
        self.pending = b""

    def lines(self):
        return ["".join(row) for row in self.cells]

    def feed(self, data):
        """Obeys bytes; a character or a sequence that is cut at their end waits for the rest."""
        data = self.pending + data
        cut = re.search(rb"(\x1b(\[[^@-~]*)?|[\xc0-\xff][\x80-\xbf]*)$", data)
        self.pending = cut[0] if cut and self._is_cut(cut[0]) else b""
        text = data[:len(data) - len(self.pending)].decode("utf-8", "replace")
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                at = self._escape(text, at)
            else:
                self._character(text[at])
                at += 1

    @staticmethod
    def _is_cut(tail):
        if tail[0] == 0x1B:
            return True
        return len(tail) < (2 if tail[0] < 0xE0 else 3 if tail[0] < 0xF0 else 4)

    def _character(self, character):
        code = ord(character)
        if code >= 0x20 and code != 0x7F:
            return self._put(character)
        self.is_wrapping = False
        if character == "\r":
            self.x = 0
        elif character == "\n":
            self._feed_line()
        elif character == "\b":
            self.x = max(0, self.x - 1)
        elif character not in "\x07\x0e\x0f\x18":
            self.unknown.append("control %d" % code)

    def _feed_line(self):
        if self.y == self.bottom:
            self._scroll(1)
        else:
            self.y = min(self.rows - 1, self.y + 1)

    def _scroll(self, count):
        blank = [[" "] * self.columns for _ in range(min(abs(count), self.bottom - self.top + 1))]
        region = self.cells[self.top:self.bottom + 1]
        region = region[len(blank):] + blank if count > 0 else blank + region[:len(region) - len(blank)]
        self.cells[self.top:self.bottom + 1] = region

    def _put(self, character):
        if unicodedata.combining(character):
            return
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self.is_wrapping:
            self.x = 0
            self._feed_line()
            self.is_wrapping = False
        row = self.cells[self.y]
        row[self.x] = self.last = character
        if width == 2 and self.x + 1 < self.columns:
            row[self.x + 1] = ""
        self.x += width
        if self.x >= self.columns:
            self.x = self.columns - 1
            self.is_wrapping = True

    def _escape(self, text, at):
        for kind in (CONTROL, STRING, CHARSET):
            found = kind.match(text, at)
            if found:
                if kind is CONTROL:
                    self._control(*found.groups())
                return found.end()
        letter = text[at + 1:at + 2]
        if letter == "7":
            self.saved = (self.x, self.y)
        elif letter == "8":
            self.x, self.y = self.saved
        elif letter == "M":
            if self.y == self.top:
                self._scroll(-1)
            else:
                self.y = max(0, self.y - 1)
        elif letter not in ("=", ">", "\\"):
            self.unknown.append("ESC " + letter)
        return at + 2

    def _control(self, mark, body, between, final):
        if mark or between or final in "mhltnc":
            return
        numbers = [int(n) if n else 0 for n in re.split("[;:]", body)]
        first = numbers[0]
        count = max(1, first)
        if final != "b":
            self.is_wrapping = False
        row = self.cells[self.y]
        if final == "A":
            self.y = max(0, self.y - count)
        elif final == "B":
            self.y = min(self.rows - 1, self.y + count)
        elif final == "C":
            self.x = min(self.columns - 1, self.x + count)
        elif final == "D":
            self.x = max(0, self.x - count)
        elif final == "G":
            self.x = min(self.columns, count) - 1
        elif final == "d":
            self.y = min(self.rows, count) - 1
        elif final in "Hf":
            self.y = min(self.rows, count) - 1
            self.x = min(self.columns, max(1, numbers[1] if len(numbers) > 1 else 1)) - 1
        elif final == "J":
            here = self.y * self.columns + self.x
            everything = self.rows * self.columns
            self._erase(*((here, everything) if first == 0 else (0, here + 1) if first == 1 else (0, everything)))
        elif final == "K":
            row[:] = ([" "] * self.columns if first == 2 else
                      [" "] * (self.x + 1) + row[self.x + 1:] if first == 1 else
                      row[:self.x] + [" "] * (self.columns - self.x))
        elif final == "X":
            start = self.y * self.columns + self.x
            self._erase(start, min(start + count, (self.y + 1) * self.columns))
        elif final == "P":
            row[:] = (row[:self.x] + row[self.x + count:] + [" "] * count)[:self.columns]
        elif final == "@":
            row[:] = (row[:self.x] + [" "] * count + row[self.x:])[:self.columns]
        elif final in "LMST":
            top = self.top
            if final in "LM":
                self.top = self.y
            self._scroll(count if final in "MS" else -count)
            self.top = top
        elif final == "b":
            for _ in range(count):
                self._put(self.last)
        elif final == "r":
            self.top = max(1, first) - 1
            self.bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
            self.x = self.y = 0
        else:
            self.unknown.append("CSI " + body + final)

    def _erase(self, start, end):
        for i in range(start, end):
            self.cells[i // self.columns][i % self.columns] = " "


def first_screen(terminal, size, seconds=10):
    """When the screen was first filled, and the bytes up to then: (moment, count).

    Filled: something stands on a third of the rows, and 40 ms passed without a byte.
    """
    def found():
        screen, count = Screen(*size), 0
        frames = terminal.frames(gap=0.02)
        for i, frame in enumerate(frames):
            screen.feed(frame.data)
            count += len(frame.data)
            used = sum(1 for line in screen.lines() if line.strip())
            is_over = i + 1 < len(frames) or time.monotonic() - frame.end > 0.04
            if used * 3 >= size[1] and is_over:
                return frame.end, count
        return None
    if not terminal.wait(found, seconds):
        raise RuntimeError("no filled screen within %d s: %r" % (seconds, terminal.output()[-300:]))
    return found()
