"""The rows a goal is judged by: kept in one JSON file, printed as one table."""

import json
import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Row:
    """One figure of one goal. Smaller is better; `must` and `want` are the largest values that will do."""

    goal: str
    quantity: str
    value: float | None
    unit: str
    must: float
    want: float | None = None
    anchors: dict = field(default_factory=dict)
    note: str = ""

    @property
    def verdict(self):
        if self.value is None:
            return "no verdict"
        if self.value > self.must:
            return "MISSED"
        return "must" if self.want is None or self.value > self.want else "want"


def text(value):
    """Three digits that matter."""
    if value is None:
        return "-"
    return "%.0f" % value if abs(value) >= 100 or value == int(value) else "%.3g" % value


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def quantile(values, share):
    """By nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered), -int(-share * len(ordered) // 1)) - 1)]


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def machine(knapsack):
    """What was measured, on what."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
        "architecture": platform.machine(),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        "htop": first_line(["htop", "--version"]), "btop": first_line(["btop", "--version"]),
        "knapsack": first_line([knapsack, "--version"]), "knapsack_bytes": os.path.getsize(knapsack),
        "commit": first_line(["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]),
        "measured": time.strftime("%Y-%m-%d %H:%M"), "load": os.getloadavg(),
    }


class Results:
    """A file of rows and samples. Samples of goals that take many runs add up from call to call."""

    def __init__(self, path):
        self.path = Path(path)
        self.rows, self.samples, self.machine = {}, {}, {}
        if self.path.exists():
            kept = json.loads(self.path.read_text())
            self.samples, self.machine = kept["samples"], kept["machine"]
            for values in kept["rows"]:
                values.pop("verdict")
                self.put(Row(**values))

    def put(self, row):
        self.rows[(row.goal, row.quantity)] = row

    def write(self):
        rows = [dict(asdict(row), verdict=row.verdict) for row in self.sorted()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(
            {"schema": "knapsack.monitor-goals", "version": 1, "machine": self.machine, "rows": rows,
             "samples": self.samples}, indent=1))

    def sorted(self):
        return sorted(self.rows.values(), key=lambda row: (int(row.goal[1:]), row.quantity))

    def table(self, goals=None):
        """The rows as a Markdown table."""
        lines = ["| goal | quantity | value | must | want | verdict | beside |",
                 "|---|---|---|---|---|---|---|"]
        for row in self.sorted():
            if goals and row.goal not in goals:
                continue
            beside = ", ".join("%s %s" % (name, text(value)) for name, value in row.anchors.items())
            lines.append("| %s | %s | %s %s | %s | %s | %s | %s |" % (
                row.goal, row.quantity, text(row.value), row.unit, text(row.must), text(row.want),
                row.verdict, "; ".join(part for part in (beside, row.note) if part)))
        return "\n".join(lines)
