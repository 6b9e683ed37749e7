"""A training file surveyed in one pass: its hash, its dataset tokens and everything that is wrong with it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ftjobs.dataset.duplicates import SeenLines
from ftjobs.dataset.findings import Findings
from ftjobs.dataset.lengths import Lengths
from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.reading import Block, Reader
from ftjobs.dataset.rules import CHAT, Rules
from ftjobs.ranges import Range

if TYPE_CHECKING:
    from ftjobs.dataset.look import Part

MIN_EXAMPLES = 10  # the service refuses fewer: invalid_n_examples
ADVISED_EXAMPLES = 100  # the cost guide: 100 to 500 at least
_UNEVEN_PCT = 50
# So much of the file is held while it waits to be looked at.
_BYTES_AHEAD = 6 * 1024 * 1024


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
    from ftjobs.dataset.look import Look  # not needed where the survey is kept
    from ftjobs.dataset.workers import Workers

    reader, whole, seen = Reader(path), _Whole(), SeenLines()
    waiting: deque[tuple[int, Future[Part]]] = deque()
    ahead = 0
    with Workers(Look(rules, encoding, max_example_tokens), size=reader.size) as workers:
        for block in reader.blocks():
            whole.note_repeats(block, seen)
            waiting.append((len(block.content), workers.submit(block)))
            ahead += len(block.content)
            while ahead > _BYTES_AHEAD:
                size, part = waiting.popleft()
                whole.add(part.result())
                ahead -= size
            on_progress(reader.bytes, whole.examples)
        for _, part in waiting:
            whole.add(part.result())
            on_progress(reader.bytes, whole.examples)
    lengths = Lengths.of(whole.lengths)
    whole.findings.add(*_about_file(whole.examples, lengths, whole.findings.counts))
    return Survey(
        path=str(path),
        sha256=reader.sha256,
        bytes=reader.bytes,
        examples=whole.examples,
        dataset_tokens=Range(whole.low, whole.expected, whole.high),
        truncated_examples=whole.truncated,
        problems=whole.findings.in_order(),
        problem_counts=dict(whole.findings.counts),
        lost_tokens=whole.lost,
        tokens_by_speaker=dict(whole.by_speaker),
        lengths=lengths,
    )


class _Whole:
    """What the blocks say together, added in order."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.examples = self.low = self.expected = self.high = self.truncated = self.lost = 0
        self.lengths: Counter[int] = Counter()
        self.by_speaker: Counter[str] = Counter()

    def add(self, part: Part) -> None:
        self.findings.merge(part.findings)
        self.examples += part.examples
        self.low += part.low
        self.expected += part.expected
        self.high += part.high
        self.truncated += part.truncated
        self.lost += part.lost
        self.lengths.update(part.lengths)
        self.by_speaker.update(part.by_speaker)

    def note_repeats(self, block: Block, seen: SeenLines) -> None:
        for number, earlier in seen.add_all(block.content.split(b"\n"), block.first_line):
            self.findings.add(
                Place(number).warning(
                    "duplicate_example",
                    f"the example is the same as line {earlier}: remove one, unless it is to weigh more",
                )
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
