"""What is measured: knapsack with its models, and the monitors it is compared with."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from terminal import Terminal

REPOSITORY = Path(__file__).resolve().parents[2]
SIZES = [(80, 24), (120, 40), (200, 60)]


class Subjects:
    """Starts programs in terminals, each with folders of its own in place of the user's."""

    def __init__(self, knapsack, model=None, inputs=None):
        """`model` and `inputs`: what the goals that need a slower model run; None finds one."""
        self.knapsack = str(knapsack)
        self._folder = tempfile.TemporaryDirectory(prefix="monitor-goals-")
        self.folder = Path(self._folder.name)
        self.state = self.folder / "state"
        self.environment = {
            "XDG_STATE_HOME": str(self.state), "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"), "XDG_CACHE_HOME": None,
            "HTOPRC": str(self.folder / "htoprc"),
        }
        for name in ("state", "config/btop", "run"):
            (self.folder / name).mkdir(parents=True, mode=0o700)
        self._slow = (model, inputs)
        self._digits = None

    # Models.

    @property
    def digits(self):
        """The embedded default: model and inputs, as `make run` runs them."""
        if not self._digits:
            bundle = self.folder / "digits.knap"
            self._pack(REPOSITORY / "Bundles/digits", bundle)
            self._digits = [str(bundle), str(REPOSITORY / "Bundles/digits/test.safetensors")]
        return self._digits

    @property
    def slow(self):
        """A model of some milliseconds over texts, so that single latencies can be compared."""
        model, inputs = self._slow
        if not model:
            model = os.environ.get("KNAPSACK_MINILM")
            if not model:
                raise SystemExit("name a slower model with --model, or set KNAPSACK_MINILM")
        if not str(model).endswith(".knap"):
            bundle = self.folder / "slow.knap"
            self._pack(model, bundle)
            model = bundle
        if not inputs:
            inputs = self.folder / "texts.txt"
            inputs.write_text("two dogs play in the snow while a child looks on from the porch\n" * 20_000)
        self._slow = (model, inputs)
        return [str(model), str(inputs)]

    def _pack(self, model, bundle):
        done = subprocess.run(
            [self.knapsack, "pack", str(model), "--target", "host", "--output", str(bundle)],
            capture_output=True, text=True)
        if done.returncode:
            raise SystemExit("cannot pack %s: %s" % (model, done.stderr.strip()))

    # Programs in terminals.

    def run(self, size=(120, 40), arguments=("--loop", "--tui"), model=None, environment=None, **how):
        """knapsack run with its dashboard."""
        command = [self.knapsack, "run", *(model or self.digits), *arguments]
        return Terminal(command, *size, environment={**self.environment, **(environment or {})}, **how)

    def run_at(self, hertz, size=(120, 40), **how):
        """The same, filled and redrawn 1 or 10 times a second."""
        terminal = self.run(size, **how)
        terminal.wait_for_screen()
        time.sleep(0.5)
        # One key at a time, as a person would: more than there are rates.
        for _ in range(4):
            terminal.type(b"+" if hertz == 10 else b"-")
            time.sleep(0.05)
        return terminal

    def htop(self, size=(120, 40), tenths=1, environment=None):
        return Terminal(["htop", "-d", str(tenths)], *size,
                        environment={**self.environment, **(environment or {})})

    def btop(self, size=(120, 40), milliseconds=100, environment=None):
        # btop writes its settings when it ends: each run gets them anew.
        (self.folder / "config/btop/btop.conf").write_text(
            '#? Config for btop v. 1.2.13\nupdate_ms = %d\n' % milliseconds)
        return Terminal(["btop"], *size, environment={**self.environment, **(environment or {})})

    @property
    def anchors(self):
        return {"htop": self.htop, "btop": self.btop}


# What /proc says.

def processor_nanoseconds(pid, only_monitor):
    """Time on a processor so far; `only_monitor`: without the threads that infer."""
    total = 0
    for task in Path("/proc/%d/task" % pid).iterdir():
        try:
            infers = int(task.name) == pid or (task / "comm").read_text().strip() == "compute"
            if not (only_monitor and infers):
                total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            pass
    return total


def processor_percent(pid, seconds, only_monitor=False):
    """Of one core, over so many seconds from now on."""
    begin, before = time.monotonic(), processor_nanoseconds(pid, only_monitor)
    time.sleep(seconds)
    return (processor_nanoseconds(pid, only_monitor) - before) / (time.monotonic() - begin) / 1e7


def status_kib(pid, key):
    """A size of /proc/PID/status in KiB, such as VmRSS."""
    for line in Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return None


def threads(pid):
    """Ids of the threads: the one that infers, the others."""
    others = [int(name) for name in os.listdir("/proc/%d/task" % pid) if int(name) != pid]
    return pid, others
