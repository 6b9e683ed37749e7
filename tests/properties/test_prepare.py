"""Preparing loses nothing, changes nothing that may stay, leaks nothing and decides alike every time."""

from __future__ import annotations

import io
import json
import tempfile
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ftjobs.dataset.formats import check_example
from ftjobs.dataset.marks import MarkFinder
from ftjobs.dataset.prepare import Prepared, Request
from ftjobs.dataset.split import draw, hold_out, holdout_key, rounded_share
from ftjobs.errors import DatasetError
from ftjobs.workflows.prepare import Places, prepare

words = st.text(max_size=12) | st.sampled_from(
    ["", " ", "a ->", "b ###", "END", " END", "\n", "x\n\n###\n\n", "\ud800"]
)
endings = st.sampled_from(["", "\n\n###\n\n", " ->", "\n", " END", "###", "@@@", ".", " the end", "\nAgent:"])
line_ends = st.sampled_from([b"\n", b"\r\n", b" \n"])
shares = st.fractions(Fraction(1, 50), Fraction(1, 2), max_denominator=100)
seeds = st.integers(0, 2**64)


@st.composite
def pairs(draw_from: st.DrawFn) -> list[tuple[str, str]]:
    """Prompts and completions that may share an ending."""
    prompt_end, completion_end = draw_from(endings), draw_from(endings)
    start = draw_from(st.sampled_from(["", " ", "  "]))
    texts = draw_from(st.lists(st.tuples(words, words), min_size=1, max_size=8))
    return [(prompt + prompt_end, start + completion + completion_end) for prompt, completion in texts]


def chat(number: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"{number}"}, {"role": "assistant", "content": "é"}]}


@st.composite
def chat_files(draw_from: st.DrawFn, *, least: int = 0) -> list[bytes]:
    """Lines of chat data, some alike, in several spellings and with several line ends."""
    numbers = draw_from(st.lists(st.integers(0, 40), min_size=max(least, 1), max_size=60))
    lines = []
    for number in numbers:
        separators = draw_from(st.sampled_from([(",", ":"), (", ", ": ")]))
        text = json.dumps(chat(number), ensure_ascii=draw_from(st.booleans()), separators=separators)
        lines.append(text.encode() + draw_from(line_ends))
    if draw_from(st.booleans()):
        lines[-1] = lines[-1].rstrip()
    return lines


def run(raw: bytes, request: Request) -> tuple[bytes, bytes, Prepared]:
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "s.jsonl", Path(folder) / "o.jsonl"
        source.write_bytes(raw)
        places = Places(source, "s.jsonl", output)
        done = prepare(request, places, stream=io.BytesIO())
        held = places.validation
        assert held is not None
        return output.read_bytes(), held.read_bytes() if held.exists() else b"", done


def said(line: bytes) -> str:
    return json.dumps(json.loads(line), sort_keys=True)


@given(pairs())
def test_stripping_can_be_undone_and_empties_nothing(texts: list[tuple[str, str]]) -> None:
    finder = MarkFinder()
    for prompt, completion in texts:
        finder.add(prompt, completion)
    marks = finder.marks()
    for prompt, completion in texts:
        assert marks.strip_prompt(prompt) + marks.prompt_end == prompt
        bare = marks.strip_completion(completion)
        assert marks.completion_start + bare + marks.completion_end == completion
        assert bool(bare) == bool(completion)
        assert bool(marks.strip_prompt(prompt)) == bool(prompt)


@given(pairs(), st.none() | st.just("Be kind"))
def test_what_was_converted_is_valid_and_says_the_same(texts: list[tuple[str, str]], system: str | None) -> None:
    raw = b"".join(json.dumps({"prompt": p, "completion": c}).encode() + b"\n" for p, c in texts)
    written, _, done = run(raw, Request(system=system))
    lines = [json.loads(line) for line in written.splitlines()]
    assert len(lines) == len(texts) == done.changes.converted
    for (prompt, completion), line in zip(texts, lines, strict=True):
        *first, user, assistant = line["messages"]
        assert user["content"] + done.marks.prompt_end == prompt
        assert done.marks.completion_start + assistant["content"] + done.marks.completion_end == completion
        assert [message["content"] for message in first] == ([] if system is None else [system])
        assert [each for each in check_example(line, 1) if each.severity == "error"] == []


@given(chat_files())
def test_where_nothing_has_to_change_every_byte_stays(lines: list[bytes]) -> None:
    written, _, done = run(b"".join(lines), Request())
    assert written == b"".join(lines)
    assert done.is_unchanged


@settings(deadline=None)
@given(chat_files(least=12), shares, seeds, st.booleans(), st.none() | st.integers(10, 40))
def test_nothing_is_lost_and_nothing_leaks(
    lines: list[bytes], share: Fraction, seed: int, dedupe: bool, sample: int | None
) -> None:
    request = Request(holdout=share, split_seed=seed, dedupe=dedupe, sample=sample)
    try:
        training, held, done = run(b"".join(lines), request)
    except DatasetError as refused:
        assert refused.code in {"too_few_examples", "nothing_to_hold_out"}
        return
    train_lines, held_lines = training.splitlines(keepends=True), held.splitlines(keepends=True)
    assert len(train_lines) >= 10
    assert 0 < len(held_lines) <= rounded_share(share, len(train_lines) + len(held_lines))
    assert not {said(line) for line in train_lines} & {said(line) for line in held_lines}
    left = Counter(lines) - Counter(train_lines) - Counter(held_lines)
    assert left.total() + len(train_lines) + len(held_lines) == len(lines)
    distinct = len({said(line) for line in lines})
    assert done.duplicates_dropped == (len(lines) - distinct if dedupe else 0)
    if sample is None:
        assert left.total() == done.duplicates_dropped
    else:
        assert len(train_lines) + len(held_lines) == sample
    if dedupe:
        assert len(held_lines) == rounded_share(share, len(train_lines) + len(held_lines))
    for part in (train_lines, held_lines):
        rest = iter(lines)
        assert all(line in rest for line in part), "the order is kept"


@settings(deadline=None, max_examples=30)
@given(chat_files(least=30), seeds)
def test_the_same_seed_makes_the_same_files(lines: list[bytes], seed: int) -> None:
    request = Request(holdout=Fraction(15, 100), split_seed=seed, dedupe=True, sample=12)
    try:
        first = run(b"".join(lines), request)[:2]
    except DatasetError:
        return
    assert run(b"".join(lines), request)[:2] == first


@given(st.sets(st.binary(min_size=16, max_size=16), min_size=1, max_size=60), seeds, st.randoms())
def test_the_order_of_the_lines_decides_nothing_about_the_holdout(
    names: set[bytes], seed: int, random: Any
) -> None:
    one = sorted(names)
    other = list(one)
    random.shuffle(other)
    wanted = len(names) // 5
    held = []
    for order in (one, other):
        keys = [holdout_key(name, seed=seed) for name in order]
        held.append({order[place] for place in hold_out(keys, range(len(order)), wanted)})
    assert held[0] == held[1]
    assert len(held[0]) == wanted


@given(st.integers(0, 300), st.data(), seeds)
def test_a_sample_is_exactly_as_large_as_asked_for(examples: int, data: st.DataObject, seed: int) -> None:
    number = data.draw(st.integers(0, examples))
    drawn = draw(range(examples), number, seed=seed)
    assert len(set(drawn)) == number
    assert drawn == sorted(drawn)
    assert set(drawn) <= set(range(examples))
