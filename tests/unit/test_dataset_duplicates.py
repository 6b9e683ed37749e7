"""A line that came before is known again, in one file and between two, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftjobs.dataset import duplicates
from ftjobs.dataset.duplicates import SeenLines, overlap
from ftjobs.errors import UsageError


def repeats(seen: SeenLines, *lines: bytes, first: int = 1) -> list[tuple[int, int]]:
    return list(seen.add_all(lines, first))


words = st.binary(min_size=1, max_size=2).filter(lambda line: line == line.strip())


@given(lines=st.lists(words, max_size=60), cut=st.integers(0, 60))
def test_each_line_is_told_from_the_first_like_it(lines: list[bytes], cut: int) -> None:
    seen = SeenLines()
    told = repeats(seen, *lines[:cut]) + repeats(seen, *lines[cut:], first=len(lines[:cut]) + 1)
    firsts = [(number, lines.index(line) + 1) for number, line in enumerate(lines, 1)]
    assert told == [(number, first) for number, first in firsts if first < number]
    for line in lines:
        assert seen.find(line) == lines.index(line) + 1
    assert seen.find(b"never added") is None


def test_lines_whose_hashes_fall_on_one_slot_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_SLOTS", 64)
    monkeypatch.setattr(duplicates, "_MOST_LINES", 42)
    lines = [str(number).encode() for number in range(42)]
    seen = SeenLines()
    assert repeats(seen, *lines) == []
    assert [seen.find(line) for line in lines] == list(range(1, 43))
    # It is full: what comes now is not kept, and is not mistaken for anything.
    assert repeats(seen, b"43", b"7", b"43", first=100) == [(101, 8)]
    assert seen.find(b"43") is None


def test_white_space_around_a_line_makes_it_no_other_and_blank_lines_are_none() -> None:
    seen = SeenLines()
    assert repeats(seen, b' {"a": 1}\r', b"", b" ", b"\t\r", b'{"a": 1}\t') == [(5, 1)]
    assert seen.find(b'{"a": 1}') == 1
    assert seen.find(b" \r") is None


def files(tmp_path: Path, training: bytes, validation: bytes) -> tuple[Path, Path]:
    paths = tmp_path / "training.jsonl", tmp_path / "validation.jsonl"
    for path, content in zip(paths, (training, validation), strict=True):
        path.write_bytes(content)
    return paths


def test_examples_of_both_files_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    problem = overlap(*files(tmp_path, b"a\nb\n\nc\nb\nd\nd", b"x\n\nd\r\nb\nb\ny\n"))
    assert problem is not None
    assert (problem.line, problem.code, problem.severity) == (3, "also_in_training", "warning")
    assert problem.message.startswith(
        "2 validation examples are in the training file too (this one is its line 6)"
    )


def test_files_that_share_only_blank_lines_share_nothing(tmp_path: Path) -> None:
    assert overlap(*files(tmp_path, b"a\n\n \n", b"\n\nb\n")) is None


def test_a_missing_validation_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        overlap(tmp_path / "nowhere", tmp_path / "nowhere")
