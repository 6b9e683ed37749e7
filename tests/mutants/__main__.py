"""Take each step out of a copy of the product and see the tests go red: `python -m tests.mutants [NAME…]`.

`--table` prints what is removed and what notices, as Markdown. A test that errs, cannot be collected or hangs has
noticed nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.mutant import Mutant, flaws, table
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("ftjobs", "migrations", "tests", "pyproject.toml", "README.md", "config.example.toml")
_WORKERS = 2
_PATIENCE_S = 180
_FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: `killed`, or why it was not."""

    mutant: Mutant
    killed: bool
    reason: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the product and its tests."""

    folder: Path

    def tests(self, *args: str, within_s: float = _PATIENCE_S) -> tuple[int | None, str]:
        """Run pytest here; return its exit code, None where it hung, and what it printed."""
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *args],
            cwd=self.folder,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            with suppress(ProcessLookupError):  # commands that a red test left behind
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode, printed

    def is_what_tests_import(self) -> bool:
        """Return whether `import ftjobs` means this copy, from anywhere."""
        found = subprocess.run(
            [sys.executable, "-c", "import ftjobs; print(ftjobs.__file__)"],
            cwd=self.folder.parent,
            env=self._env(),
            capture_output=True,
            text=True,
            check=True,
        )
        return Path(found.stdout.strip()) == self.folder / "ftjobs" / "__init__.py"

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Break the copy for a while."""
        path = self.folder / mutant.file
        whole, compiled = path.read_bytes(), Path(importlib.util.cache_from_source(path))
        mutant.apply(self.folder)
        # Compiled code is told apart by second and size, which a mutant can share.
        compiled.unlink(missing_ok=True)
        try:
            yield
        finally:
            path.write_bytes(whole)
            compiled.unlink(missing_ok=True)

    def _env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder)}


def copy_into(folder: Path) -> Copy:
    """Return a copy of the product in `folder`, which is made."""
    folder.mkdir()
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder)
    copy = Copy(folder)
    if not copy.is_what_tests_import():
        raise RuntimeError(f"tests in {folder} would import another ftjobs")
    return copy


def judge(mutant: Mutant, copy: Copy) -> Verdict:
    """Return whether each test that must notice the mutant fails, rather than errs or hangs."""
    began = time.monotonic()
    killed, reason = True, "killed"
    with copy.mutated(mutant):
        for node in mutant.red:
            code, printed = copy.tests(node)
            if code == 1 and _FAILED.search(printed):
                continue
            killed = False
            if code == 0:
                reason = f"LIVES through {node}"
            else:
                what = "hung" if code is None else f"exit code {code} without a failed test"
                reason = f"BROKEN, {what}: {node}\n{printed[-2000:]}"
            break
    return Verdict(mutant, killed, reason, time.monotonic() - began)


def main(args: Sequence[str] | None = None) -> int:
    """Judge the named mutants, all where none is named; return 1 if any lives or proves nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants to judge (default: all)")
    parser.add_argument("--table", action="store_true", help="print the table for tests/README.md")
    asked = parser.parse_args(args)
    if asked.table:
        _print(table(MUTANTS).rstrip())
        return 0
    by_name = {mutant.name: mutant for mutant in MUTANTS}
    if unknown := set(asked.names) - set(by_name):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if found := flaws(MUTANTS, ROOT):
        _print("\n".join(found))
        return 1
    chosen = [by_name[name] for name in asked.names] or list(MUTANTS)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ftjobs-mutants-") as place:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(min(_WORKERS, len(chosen))):
            copies.put(copy_into(Path(place).resolve() / str(number)))
        if not _are_green_unmutated(chosen, copies):
            return 1
        verdicts = _judge_all(chosen, copies)
    killed = sum(verdict.killed for verdict in verdicts)
    _print(f"{killed} of {len(chosen)} killed in {time.monotonic() - began:.0f} s")
    return 0 if killed == len(chosen) else 1


def _are_green_unmutated(mutants: Sequence[Mutant], copies: SimpleQueue[Copy]) -> bool:
    nodes = list(dict.fromkeys(node for mutant in mutants for node in mutant.red))
    copy = copies.get()
    code, printed = copy.tests("-n", str(_WORKERS), *nodes, within_s=_PATIENCE_S * 5)
    copies.put(copy)
    if code != 0:
        _print(f"The tests are not green without any mutant (exit code {code}):\n{printed[-4000:]}")
    return code == 0


def _judge_all(mutants: Sequence[Mutant], copies: SimpleQueue[Copy]) -> list[Verdict]:
    def judged(mutant: Mutant) -> Verdict:
        copy = copies.get()
        try:
            verdict = judge(mutant, copy)
        finally:
            copies.put(copy)
        _print(f"{mutant.name}: {verdict.reason} ({verdict.took_s:.1f} s)")
        return verdict

    with ThreadPoolExecutor(_WORKERS) as workers:
        return list(workers.map(judged, mutants))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
