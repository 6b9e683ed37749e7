"""Whole processes measured as a user meets them: seconds from start to end, CPU, and the memory of all of them."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

_SAMPLE_S = 0.02
_PACKAGES = ("ftjobs", "tiktoken", "toktok-rs", "msgspec")


@dataclass(frozen=True, slots=True)
class Command:
    """One side of a comparison. `cache` is its user cache folder; None gives every run an empty one.

    `before` prepares each run, outside of what is measured.
    """

    name: str
    args: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    cache: Path | None = None
    before: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Timing:
    """One run: wall seconds, CPU seconds of the process and its children, and what it printed."""

    wall_s: float
    cpu_s: float
    out: str


@dataclass(frozen=True, slots=True)
class Series:
    """The runs of one command."""

    name: str
    runs: tuple[Timing, ...]

    @property
    def wall_s(self) -> float:
        return statistics.median(run.wall_s for run in self.runs)

    @property
    def cpu_s(self) -> float:
        return statistics.median(run.cpu_s for run in self.runs)

    @property
    def spread_s(self) -> tuple[float, float]:
        """The quickest and the slowest run."""
        seconds = [run.wall_s for run in self.runs]
        return min(seconds), max(seconds)


def alternating(commands: Sequence[Command], repeats: int) -> list[Series]:
    """Run the commands in turn, `repeats` rounds, and return their series in the order given."""
    runs: list[list[Timing]] = [[] for _ in commands]
    for _ in range(repeats):
        for command, its_runs in zip(commands, runs, strict=True):
            its_runs.append(timed(command))
    return [Series(command.name, tuple(its)) for command, its in zip(commands, runs, strict=True)]


def timed(command: Command) -> Timing:
    """Run a command to its end, with nothing else measured beside it; RuntimeError where it fails."""
    with _Running(command) as running:
        _, status, usage = os.wait4(running.pid, 0)
        wall_s = time.perf_counter() - running.began
        return Timing(wall_s, usage.ru_utime + usage.ru_stime, running.ended(status))


def peak_bytes(command: Command) -> tuple[int | None, str]:
    """Run a command; return the highest memory of all its processes together, and what it printed.

    The proportional set size (PSS) counts a page that processes share once; sampled every 20 ms, so in a run of
    its own. None where the system does not tell it (other than Linux). RuntimeError where the command fails.
    """
    highest = 0
    with _Running(command) as running:
        while True:
            ended, status, _ = os.wait4(running.pid, os.WNOHANG)
            if ended:
                return highest or None, running.ended(status)
            highest = max(highest, sum(map(_pss, _tree(running.pid))))
            time.sleep(_SAMPLE_S)


class _Running:
    """A command that runs in a place of its own, which goes with it."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def __enter__(self) -> _Running:
        self._place = tempfile.TemporaryDirectory(prefix="ftjobs-bench-run-")
        place = Path(self._place.name)
        self._out, self._err = (place / "out").open("w+"), (place / "err").open("w+")
        env = _environment(place, self._command)
        self._command.before()
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            self._command.args, cwd=place, env=env, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err
        )
        self.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:  # whoever measured was interrupted
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._err.close()
        self._place.cleanup()

    def ended(self, status: int) -> str:
        """Return what was printed, once the process has been waited for."""
        self._process.returncode = code = os.waitstatus_to_exitcode(status)
        if code:
            raise RuntimeError(f"{self._command.name} ended with {code}:\n{_read(self._out)}{_read(self._err)}")
        return _read(self._out)


def _environment(place: Path, command: Command) -> dict[str, str]:
    theirs = ("FTJOBS_", "OPENAI_", "XDG_", "PYTHON")  # the developer's own settings
    kept = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    cache = command.cache or place / "cache"
    homes = {
        "HOME": str(place),
        "XDG_DATA_HOME": str(place / "data"),
        "XDG_CONFIG_HOME": str(place / "config"),
        "XDG_CACHE_HOME": str(cache),
    }
    return {**kept, **homes, **command.env}


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for each in found:  # grows while it is walked
        try:
            for thread in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
        except OSError:  # it has just ended
            continue
    return found


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def machine() -> dict[str, object]:
    """Return what the seconds depend on."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "none"
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": versions,
        "load_1_min": round(os.getloadavg()[0], 2),
    }


def is_busy() -> bool:
    """Return whether others use this machine so much that wall seconds say little."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) / 2


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), sys.platform)
