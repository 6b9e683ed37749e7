"""A source read to its end twice, or three times, and its examples handed on as they are to be written."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from ftjobs.dataset.conversion import Changes, Kind, Rewritten, identity, kind_of, obstacle, rewrite
from ftjobs.dataset.marks import MarkFinder, Marks
from ftjobs.dataset.problems import Problem
from ftjobs.dataset.reading import Line, Reader
from ftjobs.dataset.split import DEFAULT_SPLIT_SEED, draw, hold_out, holdout_key, rounded_share
from ftjobs.dataset.survey import MIN_EXAMPLES
from ftjobs.errors import DatasetError

_KEPT_OBSTACLES = 100
_SHOWN_LINES = 10
_PROGRESS_BYTES = 1024 * 1024
_NOTHING_WRITTEN = "nothing was written."


class Fate(IntEnum):
    """Where an example goes; a byte for each is all that is kept of it."""

    TRAINING = 0
    VALIDATION = 1
    DUPLICATE = 2
    NOT_DRAWN = 3


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for. `sample` counts examples, `holdout` is a share of what is drawn, both None for none."""

    system: str | None = None
    holdout: Fraction | None = None
    sample: int | None = None
    split_seed: int = DEFAULT_SPLIT_SEED
    dedupe: bool = False


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file that was read or written whole: `path` as the user named it, "-" for a stream; `sha256` in hex."""

    path: str
    sha256: str
    bytes: int
    examples: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """What preparing a file came to.

    `held_out_wanted` is the rounded share; fewer are
    held out where identical examples stay together. `changes` counts the lines of both outputs.
    """

    request: Request
    source: FileFacts
    output: FileFacts
    validation: FileFacts | None
    held_out_wanted: int | None
    duplicates_dropped: int
    blank_lines: int
    bom_removed: bool
    marks: Marks
    changes: Changes

    @property
    def is_unchanged(self) -> bool:
        """Return whether the output is the source, byte for byte."""
        return self.source.sha256 == self.output.sha256


class Sink(Protocol):
    """Where examples go."""

    @property
    def facts(self) -> FileFacts:
        """Return what was written so far."""

    def write(self, line: bytes) -> None:
        """One example is written."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What the first pass found."""

    path: Path
    shown: str
    sha256: str
    bytes: int
    examples: int
    blank_lines: int
    begins_with_bom: bool
    marks: Marks


def prepare(
    source: Path,
    shown: str,
    request: Request,
    *,
    training: Sink,
    validation: Sink | None = None,
    on_progress: Callable[[int], None] = lambda _bytes: None,
) -> Prepared:
    """Every example of `source` has gone where it belongs, in order; return what was done.

    `shown` is the source's name for people. `training` and `validation` take the lines; nothing is written to
    them unless every line can be prepared, and nothing held out without `validation`. The source is read once
    to look, once more to tell identical examples apart where that matters, once to write; memory is bounded by
    its longest line and some hundred bytes an example. DatasetError: a line cannot be prepared, there are too
    few examples, or the source changed meanwhile; UsageError: it cannot be read.
    """
    told = _Told(on_progress)
    seen = _look(source, shown, request, told)
    fates = _fates(seen, request, told)
    changes = Changes()
    for index, done in _rewritten(seen, request, told):
        if fates[index] == Fate.TRAINING:
            training.write(done.raw)
        elif fates[index] == Fate.VALIDATION and validation is not None:
            validation.write(done.raw)
        else:
            continue
        changes.add(done)
    return Prepared(
        request=request,
        source=FileFacts(shown, seen.sha256, seen.bytes, seen.examples),
        output=training.facts,
        validation=None if validation is None else validation.facts,
        held_out_wanted=_wanted(request, fates),
        duplicates_dropped=fates.count(Fate.DUPLICATE),
        blank_lines=seen.blank_lines,
        bom_removed=seen.begins_with_bom,
        marks=seen.marks,
        changes=changes,
    )


class _Told:
    """Progress over all passes in one number of bytes."""

    def __init__(self, on_progress: Callable[[int], None]) -> None:
        self._on_progress = on_progress
        self._before = self._said = 0

    def reading(self, reader: Reader) -> Iterator[Line]:
        for line in reader:
            yield line
            if self._before + reader.bytes - self._said >= _PROGRESS_BYTES:
                self._said = self._before + reader.bytes
                self._on_progress(self._said)
        self._before += reader.bytes


def _look(source: Path, shown: str, request: Request, told: _Told) -> _Source:
    reader, finder = Reader(source), MarkFinder()
    obstacles: list[Problem] = []
    counts: Counter[str] = Counter()
    examples = blank_lines = 0
    begins_with_bom = False
    for line in told.reading(reader):
        begins_with_bom = begins_with_bom or any(problem.code == "bom" for problem in line.problems)
        if line.blank and not any(problem.severity == "error" for problem in line.problems):
            blank_lines += 1
            continue
        examples += 1
        problem = obstacle(line, request.system)
        if problem is not None:
            counts[problem.code] += 1
            if len(obstacles) < _KEPT_OBSTACLES:
                obstacles.append(problem)
        elif line.example is not None and kind_of(line.example) is Kind.PROMPT_COMPLETION:
            finder.add(line.example["prompt"], line.example["completion"])
    if obstacles:
        raise _cannot(shown, obstacles, counts)
    if not examples:
        raise DatasetError(
            "empty_file",
            f"{shown} holds no examples.",
            next_step=f"Write one JSON object per line; {_NOTHING_WRITTEN}",
            path=shown,
        )
    return _Source(
        source, shown, reader.sha256, reader.bytes, examples, blank_lines, begins_with_bom, finder.marks()
    )


def _fates(source: _Source, request: Request, told: _Told) -> bytearray:
    """Return one byte an example: its Fate."""
    fates = bytearray(source.examples)
    keys = array("Q")
    if request.dedupe or request.holdout is not None:
        seen: set[bytes] = set()
        for index, done in _rewritten(source, request, told):
            name = identity(done.example)
            keys.append(holdout_key(name, seed=request.split_seed))
            if request.dedupe:
                if name in seen:
                    fates[index] = Fate.DUPLICATE
                seen.add(name)
    left = [index for index, fate in enumerate(fates) if fate == Fate.TRAINING]
    if request.sample is not None:
        if request.sample > len(left):
            raise _too_few(source.shown, f"a sample of {request.sample:,} was asked for", "--sample", len(left))
        drawn = draw(left, request.sample, seed=request.split_seed)
        for index in left:
            fates[index] = Fate.NOT_DRAWN
        for index in drawn:
            fates[index] = Fate.TRAINING
        left = drawn
    if request.holdout is not None:
        _hold_out(source, request.holdout, fates, keys, left)
    return fates


def _hold_out(source: _Source, share: Fraction, fates: bytearray, keys: array[int], left: list[int]) -> None:
    wanted = rounded_share(share, len(left))
    if len(left) - wanted < MIN_EXAMPLES:
        asked = (
            f"holding out {wanted:,} would leave {len(left) - wanted:,} to train on, and {MIN_EXAMPLES} must stay"
        )
        raise _too_few(source.shown, asked, "--holdout", len(left))
    if not wanted:
        raise _too_few(source.shown, "the share to hold out comes to none of them", "--holdout", len(left))
    held = hold_out(keys, left, wanted)
    if not held:
        raise DatasetError(
            "nothing_to_hold_out",
            f"No group of identical examples in {source.shown} is small enough to be held out: "
            "they must stay on one side.",
            next_step=f"Add --dedupe to keep one of each, or leave --holdout out; {_NOTHING_WRITTEN}",
            path=source.shown,
        )
    for index in held:
        fates[index] = Fate.VALIDATION


def _wanted(request: Request, fates: bytearray) -> int | None:
    if request.holdout is None:
        return None
    return rounded_share(request.holdout, fates.count(Fate.TRAINING) + fates.count(Fate.VALIDATION))


def _rewritten(source: _Source, request: Request, told: _Told) -> Iterator[tuple[int, Rewritten]]:
    """Yield every example with its index, counted from 0; DatasetError where it is another file by now."""
    reader = Reader(source.path)
    index = 0
    for line in told.reading(reader):
        if line.blank:
            continue
        if index == source.examples or line.example is None:
            raise _changed(source.shown)
        yield index, rewrite(line, source.marks, request.system)
        index += 1
    if reader.sha256 != source.sha256:
        raise _changed(source.shown)


def _changed(shown: str) -> DatasetError:
    return DatasetError(
        "dataset_changed",
        f"{shown} changed while it was read.",
        next_step=f"Run the same command again when nobody writes to it; {_NOTHING_WRITTEN}",
        path=shown,
    )


def _too_few(shown: str, asked: str, option: str, examples: int) -> DatasetError:
    return DatasetError(
        "too_few_examples",
        f"{shown} has {examples:,} example{'' if examples == 1 else 's'} to choose from; {asked}.",
        next_step=f"Change {option} or leave it out, or add examples; {_NOTHING_WRITTEN}",
        path=shown,
        examples=examples,
    )


def _cannot(shown: str, obstacles: list[Problem], counts: Counter[str]) -> DatasetError:
    lines = [problem.line for problem in obstacles if problem.line]
    first, number = obstacles[0], counts.total()
    what = "cannot be prepared"
    if number > 1:
        more = f" and {number - _SHOWN_LINES:,} more" if number > _SHOWN_LINES else ""
        shown_lines = ", ".join(map(str, lines[:_SHOWN_LINES]))
        what = f"has {number:,} lines that cannot be prepared (lines {shown_lines}{more})"
    where = f"line {first.line}{f' ({first.path})' if first.path else ''}: " if first.line else ""
    return DatasetError(
        "dataset_invalid",
        f"{shown} {what}; {where}{first.message}.",
        next_step=f"Mend {'it' if number == 1 else 'them'} and run the same command again; {_NOTHING_WRITTEN}",
        path=shown,
        line=first.line,
        lines=lines,
        problem_counts=dict(counts),
    )
