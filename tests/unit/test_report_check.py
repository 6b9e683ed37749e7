"""What `check` shows: problems by kind, lengths as a picture, who speaks, what an epoch costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftjobs.dataset.lengths import Bin, Lengths
from ftjobs.dataset.problems import Place
from ftjobs.dataset.survey import Survey
from ftjobs.money import Usd
from ftjobs.ranges import Range
from ftjobs.reports.check import check_json, check_text
from ftjobs.reports.envelope import dumps
from ftjobs.reports.table import bar

SURVEY = Survey("d.jsonl", "0" * 64, 1, 100, Range(900, 1_000, 1_100), 0, (), {})
LENGTHS = Lengths(5, 6, 15, 28, 29, 12, (Bin(0, 10, 25), Bin(10, 20, 0), Bin(20, 30, 75)))
COST = Range(Usd.parse("0.90"), Usd.parse("1"), Usd.parse("1.10"))


def text(
    validation: Survey | None = None, *, cost: Range[Usd] | None = None, width: int | None = None, **more: Any
) -> str:
    return check_text(replace(SURVEY, **more), validation, epoch_cost=cost, width=width)


def test_problems_are_told_by_kind_errors_first_with_their_places_and_meaning() -> None:
    problems = (
        *(Place(line, "messages[0].role").error("bad_role", "use user?") for line in range(1, 13)),
        Place(None).error("too_few_examples", "add 1"),
        *(Place(line, f"messages[{line}]").warning("no_user", "add the request") for line in (3, 1_004)),
    )
    counts = {"bad_role": 12, "too_few_examples": 1, "no_user": 2}
    assert text(problems=problems, problem_counts=counts).splitlines() == [
        "error    bad_role          12×  lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more (messages[0].role)",
        "  use user?",
        "error    too_few_examples   1×  the file",
        "  add 1",
        "warning  no_user            2×  lines 3 (messages[3]), 1,004 (messages[1004])",
        "  add the request",
        "",
        "d.jsonl: 100 examples, 1,000 (900–1,100) dataset tokens, 13 errors",
    ]


def test_a_long_meaning_is_wrapped_in_a_narrow_terminal_only() -> None:
    problems = (Place(1).warning("bom", "save it " * 20),)
    narrow = text(problems=problems, problem_counts={"bom": 1}, width=40).splitlines()
    assert max(map(len, narrow[:-1])) <= 40
    assert all(line.startswith(("  save", "  it")) for line in narrow[1:-2])
    assert len(text(problems=problems, problem_counts={"bom": 1}).splitlines()) == 4


def test_warnings_alone_leave_a_file_valid_and_priced() -> None:
    found: dict[str, Any] = {"problems": (Place(1).warning("bom", "save it"),), "problem_counts": {"bom": 1}}
    assert text(cost=COST, **found).splitlines()[-2:] == [
        "d.jsonl: 100 examples, 1,000 (900–1,100) dataset tokens, valid",
        "one epoch of training: $1.00 ($0.9000–$1.10)",
    ]


def test_a_file_with_an_error_has_no_price_and_one_without_a_price_none_either() -> None:
    found: dict[str, Any] = {
        "problems": (Place(1).error("bad_role", "set it"),),
        "problem_counts": {"bad_role": 1},
    }
    assert "$" not in text(cost=COST, **found)
    assert "epoch" not in text(cost=None)


def test_lengths_are_numbers_with_a_picture_beside_them() -> None:
    lines = text(lengths=LENGTHS, width=60).splitlines()
    assert lines[:5] == [
        "TOKENS AN EXAMPLE  EXAMPLES",
        f"              0–9        25  {'█' * 10}▍",
        "            10–19         0",
        f"            20–29        75  {'█' * 31}",
        "shortest 5, median 15, 95% up to 28, longest 29",
    ]


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_the_picture_keeps_within_the_terminal(width: int) -> None:
    assert max(map(len, text(lengths=LENGTHS, width=width).splitlines()[:4])) <= max(width, 29)


def test_who_speaks_is_told_with_shares_most_first() -> None:
    lines = text(tokens_by_speaker={"user": 25, "assistant": 75}).splitlines()
    assert lines[:3] == [
        "ROLE       DATASET TOKENS  SHARE",
        "assistant              75    75%",
        "user                   25    25%",
    ]


def test_a_validation_file_is_told_after_the_training_file() -> None:
    held_out = replace(
        SURVEY, path="v.jsonl", problems=(Place(2).error("bad_role", "set it"),), problem_counts={"bad_role": 1}
    )
    assert text(held_out).splitlines()[-3:] == [
        "error  bad_role  1×  line 2",
        "  set it",
        "v.jsonl: 100 examples, 1,000 (900–1,100) dataset tokens, 1 error",
    ]
    told = check_json(SURVEY, held_out, epoch_cost=None, sandbox=False)
    assert told["validation"]["path"] == "v.jsonl"
    assert told["dataset"]["path"] == "d.jsonl"


def test_the_json_says_all_that_the_text_says_and_unknown_is_null() -> None:
    found = replace(
        SURVEY, lengths=LENGTHS, tokens_by_speaker={"user": 25}, problem_counts={"bom": 2}, lost_tokens=7
    )
    told = check_json(found, epoch_cost=COST, sandbox=False)
    assert told["epoch_cost_usd"] == {"low": COST.low, "expected": COST.expected, "high": COST.high}
    dataset = told["dataset"]
    assert (dataset["tokens_by_role"], dataset["problem_counts"], dataset["lost_tokens"]) == (
        {"user": 25},
        {"bom": 2},
        7,
    )
    assert dataset["lengths"]["bins"][2] == {"start": 20, "stop": 30, "examples": 75}
    assert (dataset["lengths"]["median"], dataset["lengths"]["longest_5pct_share_pct"]) == (15, "12")
    bare = check_json(SURVEY, epoch_cost=None, sandbox=False)
    assert (bare["epoch_cost_usd"], bare["validation"], bare["dataset"]["lengths"]) == (None, None, None)
    assert '"0.90"' in dumps(told)


@given(value=st.integers(0, 10**9), most=st.integers(0, 10**9), width=st.integers(0, 200))
def test_a_bar_is_never_longer_than_its_room_and_shows_whatever_is_there(
    value: int, most: int, width: int
) -> None:
    value = min(value, most)
    drawn = bar(value, most, width)
    assert len(drawn) <= max(width, 1)
    assert bool(drawn) == bool(value)
    if value == most and value:
        assert drawn == ("█" * width or "▏")
