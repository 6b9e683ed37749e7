"""What is compared with what, and what the figures are held to."""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.ledger import ledger
from tests.bench.measure import Command, Series, alternating, peak_bytes
from tests.bench.reconcile import reconcile
from tests.bench.startup import startup
from tests.bench.sync import sync
from tests.bench.text import ChatText
from tests.bench.vocabulary import write_vocabulary
from tests.bench.writers import writers

ROOT = Path(__file__).resolve().parents[2]
MODEL = "gpt-4o-mini"
FILE_BYTES = 100_000_000  # the size that the bounds are for
BIG = 5.12  # how much bigger the big file is
SMALL_BYTES = 150_000
_SMALL_ROUNDS = 3  # short runs vary more and cost less


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with what it is held to: `bound` must be kept, `aim` is hoped for.

    `at_most` says on which side of both it has to be. None as value: this system cannot tell.
    """

    name: str
    value: float | None
    unit: str
    bound: float | None = None
    aim: float | None = None
    at_most: bool = False

    @property
    def missed(self) -> bool:
        if self.value is None or self.bound is None:
            return False
        return self.value > self.bound if self.at_most else self.value < self.bound


@dataclass(slots=True)
class Bench:
    """A bench that fills itself: files are made when first needed, series and figures are what was found."""

    folder: Path
    size: int = FILE_BYTES
    repeats: int = 5
    say: Callable[[str], None] = lambda _text: None
    counts: tuple[int, ...] = ()
    series: dict[str, list[Series]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    peaks: dict[str, dict[str, int | None]] = field(default_factory=dict)
    requests: dict[str, dict[str, tuple[int, float]]] = field(default_factory=dict)

    def check(self) -> None:
        """100 MB through `ftjobs check`, against the notebook's script and against counting alone."""
        file = self._file(self.size)
        ours, full, counting = self._compared(
            "check",
            file,
            self._ours("check", file),
            self._script("cookbook", file),
            self._script("counting", file),
        )
        self.add(f"check, {_mb(file)}: the full script takes", full.wall_s / ours.wall_s, "× as long", 6, 8)
        self.add(f"check, {_mb(file)}: counting only takes", counting.wall_s / ours.wall_s, "× as long", 4.5, 6)

    def big(self) -> None:
        """512 MB, with the memory of all processes."""
        file = self._file(int(self.size * BIG))
        ours, full = self._compared("big", file, self._ours("check", file), self._script("cookbook", file))
        self.add(f"check, {_mb(file)}: the full script takes", full.wall_s / ours.wall_s, "× as long", 9)
        peak = self.peaks["big"][ours.name]
        self.add(f"check, {_mb(file)}: peak memory", peak and peak / 1e6, "MB", 256, 180, at_most=True)
        smaller = self.peaks.get("check", {}).get(ours.name)
        if peak and smaller:
            self.add(
                f"check, {_mb(file)}: peak memory is",
                peak / smaller,
                "× that of a fifth of it",
                1.25,
                1,
                at_most=True,
            )

    def estimate(self) -> None:
        """150 KB through `ftjobs estimate`, never seen before and seen before, against a short script."""
        file = self._file(SMALL_BYTES)
        known = self.folder / "known"
        cold = self._ours("estimate", file, name="ftjobs estimate, cold")
        warm = self._ours("estimate", file, name="ftjobs estimate, warm", cache=known)
        alternating([warm], 1)
        sides = (cold, warm, self._script("small", file))
        first, again, script = self._compared("estimate", file, *sides, rounds=_SMALL_ROUNDS)
        for series, what, bound in ((first, "cold", 1.5), (again, "warm", 1.0)):
            ratio = series.wall_s / script.wall_s
            self.add(f"estimate, {_mb(file)}, {what}: takes", ratio, "× the script's time", bound, at_most=True)

    def floors(self) -> None:
        """The same 100 MB decoded only and tokenized only."""
        file = self._file(self.size)
        floor = {
            threads: Command(
                f"floors, {threads} thread{'s' * (threads > 1)}",
                (sys.executable, str(Path(__file__).with_name("floors.py")), str(file), str(threads)),
            )
            for threads in (1, 2)
        }
        self.say("floors: timing")
        found = self.series["floors"] = alternating([self._ours("check", file), *floor.values()], self.repeats)
        ours, one, two = found
        seconds = {series.name: [json.loads(run.out) for run in series.runs] for series in (one, two)}

        def median(series: Series, what: str) -> float:
            return statistics.median(float(run[what]) for run in seconds[series.name])

        decoder = seconds[one.name][0]["decoder"]
        vocabulary = median(two, "vocabulary_s")
        self.add("floor: vocabulary load", vocabulary, "s")
        self.add(f"floor: decoding only ({decoder}, one thread)", median(one, "decode_s"), "s")
        self.add("floor: tokenizing only, one thread", median(one, "tokenize_s"), "s")
        self.add("floor: tokenizing only, two threads", median(two, "tokenize_s"), "s")
        whole = vocabulary + median(two, "tokenize_s")
        self.add("check takes", ours.wall_s / whole, "× vocabulary + tokenizing on two threads")

    @property
    def judged(self) -> bool:
        """Whether the files have the size that the bounds are for."""
        return self.size == FILE_BYTES

    def add(
        self,
        name: str,
        value: float | None,
        unit: str,
        bound: float | None = None,
        aim: float | None = None,
        *,
        at_most: bool = False,
    ) -> None:
        """Keep a number that was found, with what it is held to."""
        self.figures.append(Figure(name, value, unit, bound, aim, at_most))

    def _compared(self, case: str, file: Path, *sides: Command, rounds: int = 1) -> list[Series]:
        """Return the series of the sides, which have said the same; the runs for memory warm the page cache."""
        self.peaks[case] = {}
        told = set()
        for side in sides:
            self.say(f"{case}: memory of {side.name}")
            peak, out = peak_bytes(side)
            self.peaks[case][side.name] = peak
            told.add(dataset_tokens(out))
        if len(told) != 1:
            raise RuntimeError(f"the sides do not count alike in {case}: {sorted(told)}")
        self.say(f"{case}: timing {_mb(file)}, {told.pop():,} dataset tokens")
        self.series[case] = alternating(sides, self.repeats * rounds)
        return self.series[case]

    def _file(self, size: int) -> Path:
        path = self.folder / f"chat-{size}.jsonl"
        if not path.exists():
            self.say(f"writing {size / 1e6:.3g} MB of fresh text")
            ChatText(seed=size).write(path, size)
        return path

    def _ours(self, verb: str, file: Path, *, name: str | None = None, cache: Path | None = None) -> Command:
        args = (sys.executable, "-m", "ftjobs", verb, str(file), "--model", MODEL)
        return Command(name or f"ftjobs {verb}", args, {"PYTHONPATH": str(ROOT)}, cache)

    def _script(self, name: str, file: Path) -> Command:
        vocabulary = self.folder / "vocabulary"
        if not vocabulary.exists():
            write_vocabulary(vocabulary)
        path = Path(__file__).with_name(f"{name}.py")
        env = {"TIKTOKEN_CACHE_DIR": str(vocabulary)}
        return Command(f"{name}.py", (sys.executable, str(path), str(file)), env)


CASES: dict[str, Callable[[Bench], None]] = {
    "check": Bench.check,
    "big": Bench.big,
    "estimate": Bench.estimate,
    "floors": Bench.floors,
    "sync": sync,
    "reconcile": reconcile,
    "writers": writers,
    "ledger": ledger,
    "startup": startup,
}


def _mb(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.3g} MB"


def dataset_tokens(out: str) -> int:
    """Return the dataset tokens that a side printed; RuntimeError where it printed none."""
    found = re.search(r"Dataset tokens: (\d+)|([\d,]+)(?: \([\d,–]+\))? dataset tokens", out)
    if not found:
        raise RuntimeError(f"no dataset tokens in: {out[:500]}")
    return int((found[1] or found[2]).replace(",", ""))
