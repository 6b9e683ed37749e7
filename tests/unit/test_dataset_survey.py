from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftjobs.dataset import findings as findings_module
from ftjobs.dataset import look as look_module
from ftjobs.dataset import reading as reading_module
from ftjobs.dataset import survey as survey_module
from ftjobs.dataset.lengths import Bin, Lengths
from ftjobs.dataset.problems import Problem
from ftjobs.dataset.survey import Survey, survey
from ftjobs.dataset.tokens import count_texts
from ftjobs.errors import UsageError
from ftjobs.ranges import Range

CHAT = json.dumps({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]})
NO_ANSWER = json.dumps({"messages": [{"role": "user", "content": "hi"}]})


def surveyed(tmp_path: Path, *lines: str, limit: int | None = None, encoding: str = "o200k_base") -> Survey:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return survey(path, encoding=encoding, max_example_tokens=limit)


def faults(seen: Survey) -> list[Problem]:
    """Its problems but for what these files of few and like examples are advised of."""
    return [problem for problem in seen.problems if problem.code not in {"few_examples", "duplicate_example"}]


def chat_of(words: int) -> str:
    """An example of `words` + 11 dataset tokens by the expected count."""
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": " a" * (words - 1)}]
    return json.dumps({"messages": messages})


def test_a_clean_file_is_surveyed_in_full(tmp_path: Path) -> None:
    seen = surveyed(tmp_path, *[CHAT] * 12)
    content = (CHAT + "\n").encode() * 12
    assert seen == Survey(
        path=str(tmp_path / "data.jsonl"),
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        examples=12,
        dataset_tokens=Range(12 * 10, 12 * 13, 12 * 13),
        truncated_examples=0,
        problems=seen.problems,
        problem_counts={"few_examples": 1, "duplicate_example": 11},
        lost_tokens=0,
        tokens_by_speaker={"user": 12 * 2, "assistant": 12 * 2},
        lengths=Lengths(13, 13, 13, 13, 13, 8, (Bin(13, 14, 12),)),
    )
    assert seen.errors == ()
    assert [(problem.line, problem.code) for problem in seen.problems] == [
        (None, "few_examples"),
        (2, "duplicate_example"),
    ]


def test_the_api_minimum_is_ten_examples(tmp_path: Path) -> None:
    (problem,) = faults(surveyed(tmp_path, *[CHAT] * 9))
    assert (problem.line, problem.code, problem.severity) == (None, "too_few_examples", "error")
    assert faults(surveyed(tmp_path, *[CHAT] * 10)) == []


@pytest.mark.parametrize(("examples", "advised"), [(9, False), (10, True), (99, True), (100, False)])
def test_below_a_hundred_examples_it_is_said_that_more_are_advised(
    tmp_path: Path, examples: int, advised: bool
) -> None:
    seen = surveyed(tmp_path, *[CHAT] * examples)
    assert [problem.severity for problem in seen.problems if problem.code == "few_examples"] == [
        "warning"
    ] * advised


def test_the_same_example_twice_is_told_once_with_the_line_that_it_repeats(tmp_path: Path) -> None:
    other = chat_of(5)
    seen = surveyed(tmp_path, CHAT, other, f" {CHAT}\t", "{", "{", "", "", other)
    (told,) = [problem for problem in seen.problems if problem.code == "duplicate_example"]
    assert (told.line, told.severity) == (3, "warning")
    assert "same as line 1:" in told.message
    assert seen.problem_counts["duplicate_example"] == 3


def test_a_few_long_examples_that_hold_most_tokens_are_told(tmp_path: Path) -> None:
    short = [chat_of(3 + index) for index in range(38)]
    assert "uneven_lengths" not in surveyed(tmp_path, *short, chat_of(300), chat_of(300)).problem_counts
    (told,) = [
        problem
        for problem in surveyed(tmp_path, *short, chat_of(3000), chat_of(3000)).problems
        if problem.code == "uneven_lengths"
    ]
    assert (told.line, told.severity) == (None, "warning")
    assert "hold 82% of" in told.message


def test_lines_that_cannot_be_read_count_as_examples_to_be_repaired(tmp_path: Path) -> None:
    seen = surveyed(tmp_path, *[CHAT] * 9, "{")
    assert seen.examples == 10
    assert [(problem.line, problem.code) for problem in faults(seen)] == [(10, "invalid_json")]


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_a_file_without_examples_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)
    seen = survey(path, encoding="o200k_base", max_example_tokens=None)
    assert [(problem.line, problem.code) for problem in seen.errors] == [(None, "empty_file")]
    assert (seen.examples, seen.dataset_tokens) == (0, Range.exactly(0))


def test_a_file_in_utf_16_has_that_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes((CHAT + "\n").encode("utf-16"))
    seen = survey(path, encoding="o200k_base", max_example_tokens=None)
    assert [problem.code for problem in seen.problems] == ["wrong_encoding"]


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        survey(tmp_path / "nowhere.jsonl", encoding="o200k_base", max_example_tokens=None)


def test_problems_come_in_line_order_with_the_whole_file_first(tmp_path: Path) -> None:
    seen = surveyed(tmp_path, chat_of(50), NO_ANSWER, "{", chat_of(51), limit=40)
    assert [(problem.line, problem.code) for problem in seen.problems] == [
        (None, "too_few_examples"),
        (1, "truncated"),
        (2, "no_assistant"),
        (3, "invalid_json"),
        (4, "truncated"),
    ]
    assert [problem.line for problem in seen.errors] == [None, 2, 3]


def test_what_fills_a_file_is_said_once_with_its_count(tmp_path: Path) -> None:
    odd = json.dumps({**json.loads(CHAT), "answer": 1, "source": 2})
    plain_odd = json.dumps({**json.loads(CHAT), "answer": 1})
    legacy = json.dumps({**json.loads(CHAT), "functions": []})
    seen = surveyed(
        tmp_path, *[CHAT] * 8, CHAT + "\r", odd + "\r", *[plain_odd + "\r"] * 1200, "", "", legacy, legacy
    )
    assert [(problem.line, problem.code, problem.path) for problem in seen.problems] == [
        (2, "duplicate_example", ""),
        (9, "crlf", ""),
        (10, "unknown_key", "answer"),
        (10, "unknown_key", "source"),
        (1211, "blank_line", ""),
        (1213, "deprecated_functions", ""),
    ]
    assert seen.problem_counts == {
        "duplicate_example": 7 + 1 + 1199 + 1,
        "crlf": 1202,
        "unknown_key": 1202,
        "blank_line": 2,
        "deprecated_functions": 2,
    }
    assert ["1,202 times" in problem.message for problem in seen.problems] == [False, True] + [False] * 4
    assert "1,201 times" in seen.problems[2].message
    assert "times" not in seen.problems[3].message


def test_errors_are_listed_line_by_line_to_a_cap_and_counted_beyond_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findings_module.MAX_PROBLEMS_PER_CODE == 10_000
    monkeypatch.setattr(findings_module, "MAX_PROBLEMS_PER_CODE", 3)
    odd = [json.dumps({**json.loads(CHAT), f"k{index}": 1}) for index in range(5)]
    seen = surveyed(tmp_path, *[NO_ANSWER] * 11, "{", *odd)
    assert [(problem.line, problem.code) for problem in faults(seen)] == [
        (1, "no_assistant"),
        (2, "no_assistant"),
        (3, "no_assistant"),
        (12, "invalid_json"),
        (13, "unknown_key"),
        (14, "unknown_key"),
        (15, "unknown_key"),
    ]
    assert {code: seen.problem_counts[code] for code in ("no_assistant", "invalid_json", "unknown_key")} == {
        "no_assistant": 11,
        "invalid_json": 1,
        "unknown_key": 5,
    }


def test_an_example_above_the_limit_loses_its_end_in_each_bound(tmp_path: Path) -> None:
    seen = surveyed(tmp_path, *[CHAT] * 9, chat_of(60), limit=68)
    assert seen.dataset_tokens == Range(9 * 10 + 68, 9 * 13 + 68, 9 * 13 + 68)
    (problem,) = faults(seen)
    assert (problem.line, problem.code, problem.severity) == (10, "truncated", "warning")
    assert "about 71 dataset tokens" in problem.message
    assert "the last 3:" in problem.message
    assert (seen.truncated_examples, seen.lost_tokens) == (1, 3)


def test_an_example_of_exactly_the_limit_is_whole(tmp_path: Path) -> None:
    seen = surveyed(tmp_path, *[chat_of(60)] * 10, limit=71)
    assert (seen.truncated_examples, faults(seen)) == (0, [])
    assert seen.dataset_tokens == Range(680, 710, 710)


def test_only_the_high_bound_is_cut_where_tools_alone_exceed_the_limit(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "word " * 100}}
    example = json.dumps({**json.loads(CHAT), "tools": [tool]})
    seen = surveyed(tmp_path, *[example] * 10, limit=50)
    assert seen.dataset_tokens == Range(100, 130, 500)
    assert seen.truncated_examples == 0


@pytest.mark.parametrize("block_bytes", [1, 700, 5_000])
def test_counts_do_not_depend_on_how_the_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    lines = [chat_of(5 + index % 90) for index in range(700)]
    whole = surveyed(tmp_path, *lines, limit=60)
    monkeypatch.setattr(reading_module, "_CHUNK_BYTES", block_bytes)
    monkeypatch.setattr(survey_module, "_BYTES_AHEAD", 10_000)
    assert surveyed(tmp_path, *lines, limit=60) == whole
    expected = [5 + index % 90 + 11 for index in range(700)]
    assert whole.dataset_tokens.expected == sum(min(tokens, 60) for tokens in expected)
    assert whole.truncated_examples == sum(tokens > 60 for tokens in expected)


def test_encodings_differ(tmp_path: Path) -> None:
    line = json.dumps(
        {
            "messages": [
                {"role": "user", "content": "안녕하세요 여러분"},
                {"role": "assistant", "content": "네"},
            ]
        }
    )
    new, old = (surveyed(tmp_path, line, encoding=name) for name in ("o200k_base", "cl100k_base"))
    assert new.dataset_tokens.expected < old.dataset_tokens.expected


def test_an_unknown_tokenizer_makes_a_wide_range(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(f"{CHAT}\n" * 10, encoding="utf-8")
    known, unknown = (
        survey(path, encoding=encoding, max_example_tokens=None).dataset_tokens
        for encoding in ("o200k_base", None)
    )
    assert unknown.low < known.low <= known.high < unknown.high


def test_threads_that_count_at_once_load_the_vocabulary_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together, loaded = threading.Barrier(2), threading.Event()
    met: list[str] = []

    def load(texts: Sequence[str], name: str, *, threads: int) -> list[int]:
        if not loaded.is_set():
            try:
                together.wait(0.2)
                met.append(name)
            except threading.BrokenBarrierError:
                loaded.set()
        return [threads] * len(texts)

    monkeypatch.setattr("toktok.batch_count", load)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda text: count_texts([text], "o200k_base"), "ab")) == [[1], [1]]
    assert met == []


def test_examples_with_errors_are_counted_where_they_can_be(tmp_path: Path) -> None:
    faulty = json.dumps(
        {"messages": [{"role": "user", "content": 3}, "ho", {"role": "assistant", "content": "ho"}]}
    )
    seen = surveyed(tmp_path, faulty, json.dumps({"prompt": "p", "completion": "c"}), "{")
    assert seen.dataset_tokens.low == 3 + 1 + 3 + 1 + 1
    assert seen.examples == 3


def test_progress_is_told_in_bytes_and_ends_at_the_size(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text((chat_of(2000) + "\n") * 800, encoding="utf-8")
    told: list[tuple[int, int]] = []
    seen = survey(
        path, encoding="o200k_base", max_example_tokens=None, on_progress=lambda *done: told.append(done)
    )
    assert told == sorted(told)
    assert told[-1] == (seen.bytes, 800) == (path.stat().st_size, 800)
    assert len({done for done, _ in told}) == 4


@pytest.mark.parametrize(("lines", "words"), [(8_000, 500), (80, 50_000)])
def test_memory_is_bounded_by_what_is_read_ahead_and_not_by_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int, words: int
) -> None:
    monkeypatch.setattr(reading_module, "_CHUNK_BYTES", 200_000)
    monkeypatch.setattr(survey_module, "_BYTES_AHEAD", 500_000)
    path = tmp_path / "data.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(chat_of(words) + "\n" for _ in range(lines))
    survey(path, encoding="o200k_base", max_example_tokens=None)  # the vocabulary is not the file's memory
    tracemalloc.start()
    try:
        seen = survey(path, encoding="o200k_base", max_example_tokens=None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen.bytes > 8_000_000
    assert peak < 4_000_000


def test_deep_tools_are_counted_or_a_problem_at_any_depth(tmp_path: Path) -> None:
    depths = [*range(700, 1100), 20_000]  # where a Python gives up reading differs by its version
    tools = ["[" * depth + "]" * depth for depth in depths]
    seen = surveyed(tmp_path, *[f'{CHAT[:-1]}, "tools": {deep}}}' for deep in tools])
    assert {problem.code for problem in seen.errors} == {"bad_tools", "too_deep"}
    assert {problem.line for problem in seen.errors} == set(range(1, len(depths) + 1))


def test_json_that_can_be_read_but_not_written_again_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # At which depth that happens, if at all, hangs on the interpreter.
    def give_up(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(look_module, "example_texts", give_up)
    seen = surveyed(tmp_path, *[json.dumps({**json.loads(CHAT), "tools": []})] * 10)
    assert [(problem.line, problem.code) for problem in seen.errors] == [(n, "too_deep") for n in range(1, 11)]


def test_the_tokenizer_is_not_loaded_before_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("{\n", encoding="utf-8")
    program = (
        "import sys, pathlib; from ftjobs.dataset.survey import survey; "
        f"survey(pathlib.Path({str(path)!r}), encoding='o200k_base', max_example_tokens=None); "
        "sys.exit('toktok' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
