"""One block of lines looked at: what is wrong with them, and what they count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import add

from ftjobs.dataset.findings import Findings
from ftjobs.dataset.formats import check_example, example_texts
from ftjobs.dataset.plain import PlainBlock, plain_block
from ftjobs.dataset.problems import Place
from ftjobs.dataset.reading import Block, Parser, too_deep
from ftjobs.dataset.rules import CHAT, Rules
from ftjobs.dataset.tokens import (
    TOKENS_PER_EXAMPLE,
    TOKENS_PER_MESSAGE,
    ExampleTexts,
    count_spoken,
    count_texts,
)
from ftjobs.ranges import Range


@dataclass(slots=True)
class Part:
    """What a block says: its examples, what was found in them, and dataset tokens cut to the limit.

    `lengths` are how many examples have how many dataset tokens by the expected count, not cut; `truncated` of
    them lose `lost` tokens together. `by_speaker` are the dataset tokens of each role.
    """

    examples: int = 0
    findings: Findings = field(default_factory=Findings)
    low: int = 0
    expected: int = 0
    high: int = 0
    truncated: int = 0
    lost: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    by_speaker: Counter[str] = field(default_factory=Counter)

    def count(self, line: int, tokens: Range[int], limit: int | None) -> None:
        """Take in one example's dataset tokens."""
        self.lengths[tokens.expected] += 1
        if limit is not None and tokens.high > limit:
            if tokens.expected > limit:
                self._cut(line, tokens.expected, limit)
            tokens = tokens.map(lambda bound: min(bound, limit))
        self.low += tokens.low
        self.expected += tokens.expected
        self.high += tokens.high

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


@dataclass(frozen=True, slots=True)
class Look:
    """How blocks are looked at: by which rules, tokenizer (None: unknown) and limit per example (None: none)."""

    rules: Rules
    encoding: str | None
    limit: int | None

    def __call__(self, block: Block) -> Part:
        """Return what the block says."""
        if self.rules.format == CHAT.format and self.encoding is not None and block.unread is None:
            lines = block.content.removesuffix(b"\n").split(b"\n")
            if plain := plain_block(lines, block.content):
                return self._plain(plain, block.first_line)
        return self._closely(block)

    def _plain(self, block: PlainBlock, first_line: int) -> Part:
        part = Part(examples=len(block.messages))
        roles = sorted(set(block.speakers))
        counts = count_texts([*roles, *block.texts], self.encoding)
        of_role = dict(zip(roles, counts, strict=False))
        said = list(map(add, counts[len(roles) :], map(of_role.__getitem__, block.speakers)))
        part.by_speaker.update(_sums(block.speakers, said))
        upto = list(accumulate(said, initial=0))
        ends = pairwise(accumulate(block.messages, initial=0))
        lows = [upto[end] - upto[begin] + TOKENS_PER_MESSAGE * (end - begin) for begin, end in ends]
        if self.limit is not None and max(lows) + TOKENS_PER_EXAMPLE > self.limit:
            for line, low in enumerate(lows, first_line):
                expected = low + TOKENS_PER_EXAMPLE
                part.count(line, Range(low, expected, expected), self.limit)
        else:
            part.lengths.update([low + TOKENS_PER_EXAMPLE for low in lows])
            part.low = sum(lows)
            part.expected = part.high = part.low + TOKENS_PER_EXAMPLE * len(lows)
        return part

    def _closely(self, block: Block) -> Part:
        part = Part()
        lines: list[int] = []
        examples: list[ExampleTexts] = []
        for line in Parser().lines(block):
            part.findings.add(*line.problems)
            part.examples += not line.blank
            if line.example is None:
                continue
            for problem in check_example(line.example, line.number, self.rules):
                part.findings.add(problem)
            try:
                texts = example_texts(line.example, self.rules)
            except RecursionError:
                part.findings.add(too_deep(Place(line.number)))
                continue
            if texts is not None:
                lines.append(line.number)
                examples.append(texts)
        ranges, spoken = count_spoken(examples, self.encoding)
        part.by_speaker.update(spoken)
        for number, tokens in zip(lines, ranges, strict=True):
            part.count(number, tokens, self.limit)
        return part


def _sums(speakers: Sequence[str], tokens: Sequence[int]) -> Mapping[str, int]:
    sums = dict.fromkeys(speakers, 0)
    for speaker, number in zip(speakers, tokens, strict=True):
        sums[speaker] += number
    return sums
