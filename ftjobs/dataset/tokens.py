"""How many tokens a text or an example has; estimates by published rules, as a range."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from threading import Lock

from ftjobs.ranges import Range

TOKENS_PER_MESSAGE = 3  # both rules: the marks around a message
TOKENS_PER_EXAMPLE = 3  # the cookbook's rule only: the primed reply
TOKENS_PER_NAME = 1  # the cookbook's rule only

_loading = Lock()  # two threads that begin at once would each load the vocabulary
STAND_IN = "o200k_base"  # counts for a tokenizer that is not known
_TEMPLATE_TOKENS = 64  # a template may bring a system message of its own, as Qwen's and Llama's do


@dataclass(frozen=True, slots=True)
class ExampleTexts:
    """What of one example is counted, by the first bound that counts it.

    `low` is counted in every bound, `expected` in expected and high, `high` in high alone. `fixed` are the
    dataset tokens that no text stands for. `speakers` names, for each text of `low`, whose it is: a role
    ("other" for an unknown one), "preferred_output", "non_preferred_output", "prompt" or "completion".
    """

    fixed: Range[int]
    low: tuple[str, ...]
    expected: tuple[str, ...] = ()
    high: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        """Return how much text is held."""
        return sum(map(len, self.low)) + sum(map(len, self.expected)) + sum(map(len, self.high))


def together(*parts: ExampleTexts) -> ExampleTexts:
    """Return the parts as one example, bound by bound."""
    return ExampleTexts(
        Range(
            sum(part.fixed.low for part in parts),
            sum(part.fixed.expected for part in parts),
            sum(part.fixed.high for part in parts),
        ),
        low=tuple(chain.from_iterable(part.low for part in parts)),
        expected=tuple(chain.from_iterable(part.expected for part in parts)),
        high=tuple(chain.from_iterable(part.high for part in parts)),
        speakers=tuple(chain.from_iterable(part.speakers for part in parts)),
    )


def only_high(part: ExampleTexts) -> ExampleTexts:
    """Return what `part` adds where it counts in the high bound alone."""
    return ExampleTexts(Range(0, 0, part.fixed.high), (), (), (*part.low, *part.expected, *part.high))


def uncertain(*values: object) -> ExampleTexts:
    """Return JSON values whose billing is not documented: their compact text, in the high bound alone.

    RecursionError where one is nested too deeply to be written as JSON.
    """
    return ExampleTexts(Range.exactly(0), (), (), tuple(map(as_json, values)))


def as_json(value: object) -> str:
    """Return the compact JSON text of a parsed value; RecursionError where it is nested too deeply."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def count_texts(texts: Sequence[str], encoding: str | None) -> list[int]:
    """Return each text's exact token count, in order, as `tiktoken` has it with disallowed_special=().

    `encoding` is "o200k_base" or "cl100k_base"; None, for an unknown tokenizer, counts with STAND_IN and is no
    more than that. Text that looks like a special token is ordinary text; a lone surrogate counts as U+FFFD.
    Linear in the texts' length. The first call of a process loads the vocabulary.
    """
    if not texts:
        return []
    import toktok

    name = encoding or STAND_IN
    with _loading:
        toktok.batch_count((" ",), name, threads=1)
    try:
        counts: list[int] = toktok.batch_count(texts, name, threads=1)
    except UnicodeEncodeError:
        counts = toktok.batch_count([_without_lone_surrogates(text) for text in texts], name, threads=1)
    return counts


def _without_lone_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def count_examples(examples: Sequence[ExampleTexts], encoding: str | None) -> list[Range[int]]:
    """Return the dataset tokens of each example, in order, not cut to any limit.

    Chat: low is the ChatML rule, 3 + role + content per message; expected is the rule of the cookbook's data
    preparation notebook, 3 per example and 3 per message + every string of the message + 1 for a name; high
    adds the JSON text of tools, functions and calls, whose billing is not documented. What else a format adds
    is said where its texts are made. A text that comes again in the batch is counted once.

    Where `encoding` is None the tokenizer is not known, and each bound is widened around STAND_IN: low is three
    quarters of it without any marks (tokenizers made for Chinese were measured at 0.87), expected 1.1 times
    (between those and 32,000-word vocabularies), high three times (numbers digit by digit) and a token more per
    byte beyond ASCII, but never above a token per UTF-8 byte: byte-level BPE has no more; the marks double, and
    the template may add a message of its own.
    """
    return count_spoken(examples, encoding)[0]


def count_spoken(
    examples: Sequence[ExampleTexts], encoding: str | None
) -> tuple[list[Range[int]], Mapping[str, int]]:
    """Return what `count_examples` does, and how many dataset tokens each speaker's texts have in all."""
    texts = list(dict.fromkeys(chain.from_iterable(chain(*_groups(example)) for example in examples)))
    counts = dict(zip(texts, count_texts(texts, encoding), strict=True))
    spoken: Counter[str] = Counter()
    for example in examples:
        for speaker, text in zip(example.speakers, example.low, strict=False):
            spoken[speaker] += counts[text]
    count = _stated if encoding else _widened
    return [count(example, counts) for example in examples], spoken


def _stated(example: ExampleTexts, counts: Mapping[str, int]) -> Range[int]:
    low, expected, high = (sum(map(counts.__getitem__, group)) for group in _groups(example))
    fixed = example.fixed
    return Range(fixed.low + low, fixed.expected + low + expected, fixed.high + low + expected + high)


def _groups(example: ExampleTexts) -> tuple[tuple[str, ...], ...]:
    return example.low, example.expected, example.high


def _widened(example: ExampleTexts, counts: Mapping[str, int]) -> Range[int]:
    low, stated, _ = (sum(map(counts.__getitem__, group)) for group in _groups(example))
    fixed = example.fixed
    expected = fixed.expected + -(-(low + stated) * 11 // 10)
    most = sum(_most_tokens(text, counts[text]) for text in chain(*_groups(example)))
    marks = 2 * fixed.high + _TEMPLATE_TOKENS if fixed.high else 0
    return Range(low * 3 // 4, expected, max(expected, marks + most))


def _most_tokens(text: str, count: int) -> int:
    if text.isascii():
        return min(len(text), 3 * count)
    size = len(text.encode("utf-8", "surrogatepass"))
    return min(size, 3 * count + size - len(text.encode("ascii", "ignore")))
