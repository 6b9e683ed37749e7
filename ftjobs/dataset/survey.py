"""A training file surveyed in one pass: its hash, its dataset tokens and everything that is wrong with it."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from ftjobs.dataset.duplicates import SeenLines
from ftjobs.dataset.findings import Findings
from ftjobs.dataset.formats import check_example, example_texts
from ftjobs.dataset.lengths import Lengths
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.reading import Block, Reader, too_deep
from ftjobs.dataset.rules import CHAT, Rules
from ftjobs.dataset.tokens import (
    TOKENS_PER_EXAMPLE,
    TOKENS_PER_MESSAGE,
    ExampleTexts,
    count_spoken,
    count_texts,
)
from ftjobs.ranges import Range

if TYPE_CHECKING:
    from ftjobs.dataset.plain import PlainBlock

MIN_EXAMPLES = 10  # the service refuses fewer: invalid_n_examples
ADVISED_EXAMPLES = 100  # the cost guide: 100 to 500 at least
_UNEVEN_PCT = 50
# Counting holds no interpreter lock, so it runs beside the reading, which goes on while the vocabulary is loaded.
_COUNTERS = max(1, min(4, os.cpu_count() or 1) - 1)
_BYTES_AHEAD = 12 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known about a training file before anyone pays for it.

    `sha256` (hex) and `bytes` are of the raw file as it was read. `examples` are the lines that are not
    blank, valid or not. `dataset_tokens` is one pass over those that can be counted, each cut to the model's
    limit in each bound; `truncated_examples` of them are longer by the expected count and lose `lost_tokens`
    together. `tokens_by_speaker` are the dataset tokens of what each role says, its name included, not cut;
    `lengths` how long the examples are, None where none could be counted. `problems` are in line order, those of
    the whole file first, capped a code as `findings` says; `problem_counts` has no such bound.
    """

    path: str
    sha256: str
    bytes: int
    examples: int
    dataset_tokens: Range[int]
    truncated_examples: int
    problems: tuple[Problem, ...]
    problem_counts: Mapping[str, int]
    lost_tokens: int = 0
    tokens_by_speaker: Mapping[str, int] = field(default_factory=dict)
    lengths: Lengths | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the problems that make the file invalid."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def survey(
    path: Path,
    *,
    encoding: str | None,
    max_example_tokens: int | None,
    rules: Rules = CHAT,
    on_progress: Callable[[int, int], None] = lambda _bytes, _examples: None,
) -> Survey:
    """Return what one pass over a training file says; its memory is bounded by the longest line.

    `encoding` is "o200k_base" or "cl100k_base", None for a tokenizer that is not known; `max_example_tokens` the
    model's limit per example, None for none known. `on_progress` is told the bytes and examples read so far, after
    each block of lines. UsageError: the file is missing, not a regular file or unreadable; whatever is wrong
    inside it is a problem.
    """
    reader = Reader(path)
    tally = _Tally(max_example_tokens)
    look = _Look(reader, tally, rules, may_be_plain=rules.format == CHAT.format and encoding is not None)
    with _Counters(encoding, tally) as counters:
        for block in reader.blocks():
            counters.give(look.at(block), len(block.content))
            on_progress(reader.bytes, look.examples)
    lengths = Lengths.of(tally.lengths)
    tally.findings.add(*_about_file(look.examples, lengths, tally.findings.counts))
    return Survey(
        path=str(path),
        sha256=reader.sha256,
        bytes=reader.bytes,
        examples=look.examples,
        dataset_tokens=tally.total,
        truncated_examples=tally.truncated,
        problems=tally.findings.in_order(),
        problem_counts=dict(tally.findings.counts),
        lost_tokens=tally.lost,
        tokens_by_speaker=dict(tally.by_speaker),
        lengths=lengths,
    )


def _about_file(examples: int, lengths: Lengths | None, counts: Mapping[str, int]) -> list[Problem]:
    whole = Place(None)
    if not examples:
        if counts.get("wrong_encoding"):
            return []
        return [whole.error("empty_file", "the file holds no examples: write one JSON object per line")]
    if examples < MIN_EXAMPLES:
        return [
            whole.error(
                "too_few_examples",
                f"the file has {examples} examples and the service needs {MIN_EXAMPLES}: "
                f"add {MIN_EXAMPLES - examples} or more",
            )
        ]
    problems = []
    if examples < ADVISED_EXAMPLES:
        problems.append(
            whole.warning(
                "few_examples",
                f"the file has {examples} examples; tuning is seldom worth it below {ADVISED_EXAMPLES} to 500: "
                "add more, or compare the tuned model with its base before you rely on it",
            )
        )
    if lengths and lengths.longest_5pct_share_pct > _UNEVEN_PCT:
        problems.append(
            whole.warning(
                "uneven_lengths",
                f"the longest 5% of the examples hold {lengths.longest_5pct_share_pct}% of the dataset tokens "
                f"(median {lengths.median:,}, longest {lengths.longest:,}): "
                "see whether the long ones are meant, you pay for them",
            )
        )
    return problems


class _Tally:
    """What is counted and found so far."""

    def __init__(self, limit: int | None) -> None:
        self.findings = Findings()
        self.truncated = self.lost = 0
        self.lengths: Counter[int] = Counter()
        self.by_speaker: Counter[str] = Counter()
        self._limit = limit
        self._low = self._expected = self._high = 0

    @property
    def total(self) -> Range[int]:
        return Range(self._low, self._expected, self._high)

    def add(self, line: int, low: int, expected: int, high: int) -> None:
        """Take in one example's dataset tokens, cut to the limit."""
        self.lengths[expected] += 1
        limit = self._limit
        if limit is not None and high > limit:
            if expected > limit:
                self._cut(line, expected, limit)
            low, expected, high = min(low, limit), min(expected, limit), limit
        self._low += low
        self._expected += expected
        self._high += high

    def add_plain(self, first_line: int, lows: list[int]) -> None:
        """Take in consecutive examples of which each bound is the low one, or that and the example's own marks."""
        if self._limit is not None and max(lows) + TOKENS_PER_EXAMPLE > self._limit:
            for line, low in enumerate(lows, first_line):
                self.add(line, low, low + TOKENS_PER_EXAMPLE, low + TOKENS_PER_EXAMPLE)
            return
        expected = sum(lows) + TOKENS_PER_EXAMPLE * len(lows)
        self.lengths.update([low + TOKENS_PER_EXAMPLE for low in lows])
        self._low += sum(lows)
        self._expected += expected
        self._high += expected

    def _cut(self, line: int, expected: int, limit: int) -> None:
        self.truncated += 1
        self.lost += expected - limit
        self.findings.add(
            Place(line).warning(
                "truncated",
                f"the example has about {expected:,} dataset tokens; the model's limit "
                f"cuts off the last {expected - limit:,}: shorten or split it",
            )
        )


class _Batch(Protocol):
    """Examples of one block: counted in another thread, then added in order."""

    def count(self, encoding: str | None) -> Any: ...
    def add_to(self, tally: _Tally, counted: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class _PlainBatch:
    first_line: int
    block: PlainBlock

    def count(self, encoding: str | None) -> tuple[list[int], dict[str, int]]:
        roles = sorted(set(self.block.speakers))
        return count_texts(self.block.texts, encoding), dict(zip(roles, count_texts(roles, encoding), strict=True))

    def add_to(self, tally: _Tally, counted: tuple[list[int], dict[str, int]]) -> None:
        counts, roles = counted
        speakers = self.block.speakers
        said = list(map(add, counts, map(roles.__getitem__, speakers)))
        spoken = dict.fromkeys(roles, 0)
        for speaker, tokens in zip(speakers, said, strict=True):
            spoken[speaker] += tokens
        tally.by_speaker.update(spoken)
        upto = list(accumulate(said, initial=0))
        ends = pairwise(accumulate(self.block.messages, initial=0))
        tally.add_plain(
            self.first_line,
            [upto[end] - upto[begin] + TOKENS_PER_MESSAGE * (end - begin) for begin, end in ends],
        )


@dataclass(frozen=True, slots=True)
class _ExampleBatch:
    lines: list[int]
    examples: list[ExampleTexts]

    def count(self, encoding: str | None) -> tuple[list[Range[int]], Mapping[str, int]]:
        return count_spoken(self.examples, encoding)

    def add_to(self, tally: _Tally, counted: tuple[list[Range[int]], Mapping[str, int]]) -> None:
        ranges, spoken = counted
        tally.by_speaker.update(spoken)
        for line, tokens in zip(self.lines, ranges, strict=True):
            tally.add(line, tokens.low, tokens.expected, tokens.high)


class _Counters:
    """Threads that count batches while the next blocks are read; what they counted is added in order."""

    def __init__(self, encoding: str | None, tally: _Tally) -> None:
        self._encoding = encoding
        self._tally = tally
        self._pool = ThreadPoolExecutor(_COUNTERS)
        self._waiting: deque[tuple[_Batch, int, Future[Any]]] = deque()
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            while self._waiting and kind is None:
                self._take_in_first()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def give(self, batch: _Batch, size: int) -> None:
        """Let a batch of `size` bytes be counted; waits where too much of the file is held already."""
        self._waiting.append((batch, size, self._pool.submit(batch.count, self._encoding)))
        self._bytes += size
        while self._bytes > _BYTES_AHEAD:
            self._take_in_first()

    def _take_in_first(self) -> None:
        batch, size, counted = self._waiting.popleft()
        self._bytes -= size
        batch.add_to(self._tally, counted.result())


class _Look:
    """One block at a time: what is wrong with its lines, and what of them is to be counted."""

    def __init__(self, reader: Reader, tally: _Tally, rules: Rules, *, may_be_plain: bool) -> None:
        from ftjobs.dataset.plain import plain_block  # msgspec: not needed where the counts are cached

        self.examples = 0
        self._plain_block = plain_block if may_be_plain else None
        self._rules = rules
        self._reader = reader
        self._findings = tally.findings
        self._seen = SeenLines()

    def at(self, block: Block) -> _Batch:
        lines = block.content.split(b"\n")
        if not lines[-1]:
            lines.pop()
        self._note_repeats(lines, block.first_line)
        if lines and self._plain_block and (plain := self._plain_block(lines, block.content)):
            self.examples += len(lines)
            return _PlainBatch(block.first_line, plain)
        return self._closely(block)

    def _note_repeats(self, lines: list[bytes], first_line: int) -> None:
        for number, earlier in self._seen.add_all(lines, first_line):
            self._findings.add(
                Place(number).warning(
                    "duplicate_example",
                    f"the example is the same as line {earlier}: remove one, unless it is to weigh more",
                )
            )

    def _closely(self, block: Block) -> _ExampleBatch:
        batch = _ExampleBatch([], [])
        for line in self._reader.lines(block):
            self._findings.add(*line.problems)
            self.examples += not line.blank
            if line.example is None:
                continue
            for problem in check_example(line.example, line.number, self._rules):
                self._findings.add(problem)
            try:
                texts = example_texts(line.example, self._rules)
            except RecursionError:
                self._findings.add(too_deep(Place(line.number)))
                continue
            if texts is not None:
                batch.lines.append(line.number)
                batch.examples.append(texts)
        return batch
