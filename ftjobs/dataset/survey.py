"""A training file surveyed in one pass: its hash, its dataset tokens and everything that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ftjobs.dataset.checks import check_example
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.reading import Reader, too_deep
from ftjobs.dataset.tokens import ExampleTexts, count_examples, example_texts
from ftjobs.ranges import Range

MIN_EXAMPLES = 10  # the service refuses fewer: invalid_n_examples
MAX_PROBLEMS_PER_CODE = 10_000
# Said once a file for each path, with how often: on every line they would bury the rest.
ONCE_PER_FILE = frozenset({"crlf", "blank_line", "deprecated_functions", "unknown_key"})

_BATCH_EXAMPLES = 256
_BATCH_CHARACTERS = 1_000_000
_PROGRESS_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known about a training file before anyone pays for it.

    `sha256` (hex) and `bytes` are of the raw file as it was read. `examples` are the lines that are not
    blank, valid or not. `dataset_tokens` is one pass over those that have messages, each cut to the model's
    limit in each bound; `truncated_examples` of them are longer by the expected count. `problems` are in line
    order, those of the whole file first, at most MAX_PROBLEMS_PER_CODE a code; `problem_counts` has no such
    bound.
    """

    path: str
    sha256: str
    bytes: int
    examples: int
    dataset_tokens: Range[int]
    truncated_examples: int
    problems: tuple[Problem, ...]
    problem_counts: Mapping[str, int]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the problems that make the file invalid."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def survey(
    path: Path,
    *,
    encoding: str,
    max_example_tokens: int | None,
    on_progress: Callable[[int], None] | None = None,
) -> Survey:
    """Return what one pass over a supervised chat file says; its memory is bounded by the longest line.

    `encoding` is "o200k_base" or "cl100k_base"; `max_example_tokens` the model's limit per example, None for
    none known. `on_progress` is told the bytes read so far, about every MiB and at the end. UsageError: the
    file is missing, not a regular file or unreadable; whatever is wrong inside it is a problem.
    """
    reader = Reader(path)
    found = _Found()
    count = _Count(encoding, max_example_tokens, found)
    examples = reported = 0
    for line in reader:
        found.add(*line.problems)
        examples += not line.blank
        if line.example is not None:
            for problem in check_example(line.example, line.number):
                found.add(problem)
            count.add(line.example, line.number)
        if on_progress and reader.bytes - reported >= _PROGRESS_BYTES:
            on_progress(reported := reader.bytes)
    count.flush()
    if on_progress:
        on_progress(reader.bytes)
    if examples:
        if examples < MIN_EXAMPLES:
            found.add(
                Place(None).error(
                    "too_few_examples",
                    f"the file has {examples} examples and the service needs {MIN_EXAMPLES}: "
                    f"add {MIN_EXAMPLES - examples} or more",
                )
            )
    elif not found.counts["wrong_encoding"]:
        found.add(Place(None).error("empty_file", "the file holds no examples: write one JSON object per line"))
    return Survey(
        path=str(path),
        sha256=reader.sha256,
        bytes=reader.bytes,
        examples=examples,
        dataset_tokens=count.total,
        truncated_examples=count.truncated,
        problems=found.in_order(),
        problem_counts=dict(found.counts),
    )


class _Found:
    """Problems as they turn up: counted, capped, and those of ONCE_PER_FILE folded into their first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._kept: list[Problem] = []
        self._kept_by_code: Counter[str] = Counter()
        self._folded: Counter[tuple[str, str]] = Counter()

    def add(self, *problems: Problem) -> None:
        for problem in problems:
            code = problem.code
            self.counts[code] += 1
            if code in ONCE_PER_FILE and self._folded[code, problem.path]:
                self._folded[code, problem.path] += 1
            elif self._kept_by_code[code] < MAX_PROBLEMS_PER_CODE:
                self._kept_by_code[code] += 1
                self._kept.append(problem)
                if code in ONCE_PER_FILE:
                    self._folded[code, problem.path] = 1

    def in_order(self) -> tuple[Problem, ...]:
        told = (self._with_count(problem) for problem in self._kept)
        return tuple(sorted(told, key=lambda problem: problem.line or 0))

    def _with_count(self, problem: Problem) -> Problem:
        times = self._folded[problem.code, problem.path]
        if times <= 1:
            return problem
        return replace(problem, message=f"{problem.message} ({times:,} times in the file, here first)")


class _Count:
    """The file's dataset tokens, counted in batches: one call into the tokenizer for many examples."""

    def __init__(self, encoding: str, limit: int | None, found: _Found) -> None:
        self.total = Range.exactly(0)
        self.truncated = 0
        self._encoding = encoding
        self._limit = limit
        self._found = found
        self._batch: list[tuple[int, ExampleTexts]] = []
        self._characters = 0

    def add(self, example: Mapping[str, object], line: int) -> None:
        try:
            texts = example_texts(example)
        except RecursionError:
            self._found.add(too_deep(Place(line)))
            return
        if texts is None:
            return
        self._batch.append((line, texts))
        self._characters += texts.characters
        if len(self._batch) >= _BATCH_EXAMPLES or self._characters >= _BATCH_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        counted = count_examples([texts for _, texts in self._batch], self._encoding)
        for (line, _), tokens in zip(self._batch, counted, strict=True):
            cut = tokens if self._limit is None else tokens.map(partial(min, self._limit))
            self.total = Range(
                self.total.low + cut.low, self.total.expected + cut.expected, self.total.high + cut.high
            )
            if lost := tokens.expected - cut.expected:
                self.truncated += 1
                self._found.add(
                    Place(line).warning(
                        "truncated",
                        f"the example has about {tokens.expected:,} dataset tokens; the model's limit "
                        f"cuts off the last {lost:,}: shorten or split it",
                    )
                )
        self._batch.clear()
        self._characters = 0
