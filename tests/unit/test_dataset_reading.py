from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from pathlib import Path

import pytest

from ftjobs.dataset import reading
from ftjobs.dataset.problems import Problem
from ftjobs.dataset.reading import Reader
from ftjobs.errors import UsageError

GOOD = json.dumps({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]})


def read(path: Path) -> tuple[Reader, list[Problem], list[bool]]:
    """The reader after its pass, its problems, and for each line whether it holds an example."""
    reader = Reader(path)
    lines = list(reader)
    return (
        reader,
        [problem for line in lines for problem in line.problems],
        [bool(ln.example) for ln in lines],
    )


def file_of(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)
    return path


def only_problem(tmp_path: Path, content: bytes) -> Problem:
    _, problems, _ = read(file_of(tmp_path, content))
    (problem,) = problems
    return problem


def lines_of(*lines: str | bytes) -> bytes:
    return b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)


def test_the_hash_and_size_are_of_the_raw_bytes(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\r\n\xff\n{" + GOOD.encode()
    reader, _, _ = read(file_of(tmp_path, content))
    assert (reader.bytes, reader.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_missing_file_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        list(Reader(tmp_path / "nowhere.jsonl"))
    assert raised.value.code == "dataset_missing"
    assert raised.value.details["path"] == str(tmp_path / "nowhere.jsonl")


def test_a_file_below_a_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        list(Reader(file_of(tmp_path, b"") / "data.jsonl"))
    assert raised.value.code == "dataset_missing"


def test_a_directory_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        list(Reader(tmp_path))
    assert raised.value.code == "dataset_is_directory"


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError) as raised:
        list(Reader(tmp_path / "pipe"))
    assert raised.value.code == "dataset_not_a_file"


def test_an_unreadable_file_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    path = file_of(tmp_path, b"")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError) as raised:
        list(Reader(path))
    assert raised.value.code == "dataset_unreadable"
    assert "Permission denied" in raised.value.message


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-16", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-16-le", "UTF-16LE"),
        ("utf-16-be", "UTF-16BE"),
        ("utf-32-le", "UTF-32LE"),
        ("utf-32-be", "UTF-32BE"),
    ],
)
def test_utf_16_and_32_are_one_problem_that_says_how_to_convert(tmp_path: Path, encoding: str, named: str) -> None:
    content = f"{GOOD}\n{GOOD}\n".encode(encoding)
    reader, (problem,), _ = read(file_of(tmp_path, content))
    assert (problem.line, problem.code, problem.severity) == (None, "wrong_encoding", "error")
    assert f"iconv -f {named} -t UTF-8" in problem.message
    assert reader.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"])
def test_a_wide_byte_order_mark_is_recognised_in_either_order(tmp_path: Path, mark: bytes) -> None:
    assert only_problem(tmp_path, mark + b"\x00{\x00}").code == "wrong_encoding"


def test_a_byte_order_mark_is_a_warning_and_its_line_still_counts(tmp_path: Path) -> None:
    _, (problem,), examples = read(file_of(tmp_path, b"\xef\xbb\xbf" + lines_of(GOOD, GOOD)))
    assert (problem.line, problem.code, problem.severity) == (1, "bom", "warning")
    assert examples == [True, True]


def test_a_byte_order_mark_further_down_is_not_json(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD, b"\xef\xbb\xbf" + GOOD.encode()))
    assert (problem.line, problem.code) == (2, "invalid_json")


def test_windows_line_ends_and_blank_lines_are_warnings(tmp_path: Path) -> None:
    _, problems, examples = read(file_of(tmp_path, GOOD.encode() + b"\r\n \t\n" + GOOD.encode() + b"\n\n"))
    assert [(p.line, p.code, p.severity) for p in problems] == [
        (1, "crlf", "warning"),
        (2, "blank_line", "warning"),
        (4, "blank_line", "warning"),
    ]
    assert examples == [True, False, True, False]


def test_a_last_line_without_newline_is_fine(tmp_path: Path) -> None:
    assert read(file_of(tmp_path, f"{GOOD}\n{GOOD}".encode()))[1:] == ([], [True, True])


def test_escaped_and_unicode_line_ends_inside_a_string_end_no_line(tmp_path: Path) -> None:
    example = json.dumps({"messages": "a\r\nb\u2028c\u0085d"}, ensure_ascii=False)
    assert read(file_of(tmp_path, lines_of(example)))[1:] == ([], [True])


def test_invalid_json_is_named_with_line_and_column(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD, '{"é": }', GOOD))
    assert (problem.line, problem.code, problem.severity) == (2, "invalid_json", "error")
    assert "column 7 " in problem.message
    assert "cut off" not in problem.message


def test_a_cut_off_last_line_says_so(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD) + GOOD.encode()[:-9])
    assert (problem.line, problem.code) == (2, "invalid_json")
    assert "may be cut off" in problem.message


def test_a_file_cut_inside_a_character_says_so(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD) + '{"a": "é'.encode()[:-1])
    assert (problem.line, problem.code) == (2, "not_utf8")
    assert "may be cut off" in problem.message


def test_bytes_that_are_not_utf_8_are_named_by_line_and_byte(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD, b'{"a": "caf\xe9"}', GOOD))
    assert (problem.line, problem.code, problem.severity) == (2, "not_utf8", "error")
    assert "byte 11 " in problem.message


def test_a_nul_byte_is_named_by_line_and_byte(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD, b'{"a": "\0"}'))
    assert (problem.line, problem.code, problem.severity) == (2, "nul_byte", "error")
    assert "byte 8 " in problem.message


@pytest.mark.parametrize("value", ["[]", "1", '"text"', "null", "true", "[" + GOOD + "]"])
def test_a_line_that_is_no_object_is_an_error(tmp_path: Path, value: str) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD, value))
    assert (problem.line, problem.code, problem.severity) == (2, "not_an_object", "error")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_json_has_not_are_errors(tmp_path: Path, constant: str) -> None:
    problem = only_problem(tmp_path, lines_of(f'{{"a": {constant}}}'))
    assert (problem.line, problem.code, problem.severity) == (1, "not_json_number", "error")


def test_an_integer_of_thousands_of_digits_is_a_problem(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD, '{"a": ' + "9" * 5000 + "}"))
    assert (problem.line, problem.code, problem.severity) == (2, "number_too_long", "error")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_hundred_thousand_nested_brackets_are_a_problem(tmp_path: Path, opening: str) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD, opening * 100_000, GOOD))
    assert (problem.line, problem.code, problem.severity) == (2, "too_deep", "error")


def test_a_known_key_given_twice_is_named(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of(GOOD, '{"messages": [{"role": "user", "role": "tool"}]}', GOOD))
    assert (problem.line, problem.code, problem.severity) == (2, "duplicate_key", "warning")
    assert "the key role" in problem.message


def test_any_other_key_given_twice_is_not_quoted(tmp_path: Path) -> None:
    problem = only_problem(tmp_path, lines_of('{"private": 1, "private": 2}'))
    assert problem.code == "duplicate_key"
    assert "private" not in problem.message


def test_an_empty_key_given_twice_is_noticed(tmp_path: Path) -> None:
    assert only_problem(tmp_path, lines_of('{"": 1, "": 2}')).code == "duplicate_key"


def test_a_line_above_the_bound_is_a_problem_and_never_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 100_000)
    path = tmp_path / "data.jsonl"
    with path.open("wb") as stream:
        stream.write(lines_of(GOOD) + b'{"')
        stream.seek(40_000_000, os.SEEK_CUR)  # a hole: no disk is used
        stream.write(b"\n" + lines_of(GOOD))
    tracemalloc.start()
    try:
        reader, (problem,), examples = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (problem.line, problem.code, problem.severity) == (2, "line_too_long", "error")
    assert examples == [True, False, True]
    assert reader.bytes == path.stat().st_size
    assert peak < 5_000_000


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_of_exactly_the_bound_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", len(GOOD))
    assert read(file_of(tmp_path, GOOD.encode() + end))[1:] == ([], [True])
    assert only_problem(tmp_path, GOOD.encode() + b" " + end).code == "line_too_long"
