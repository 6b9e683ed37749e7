"""One job's whole trail: each part where it is known, nothing made up where it is not, in any width."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ftjobs.jobs.event import Checkpoint, Event
from ftjobs.jobs.story import Story
from ftjobs.ledger.month import Line
from ftjobs.reports.chart import ASCII
from ftjobs.reports.envelope import dumps
from ftjobs.reports.facts import fact_lines
from ftjobs.reports.timeline import duration
from ftjobs.reports.trail import trail_json, trail_text
from tests.faults.liar import WORST, acting
from tests.unit.test_reports import NOW, SUCCEEDED, billed, job, recorded, submission

START = datetime.fromtimestamp(1_795_000_000, UTC)  # when the job of test_reports was created
MODEL = "ft:gpt-4o-mini-2024-07-18:acme:support:AbCdEf01"


def event(second: int, message: str = "", **data: Any) -> Event:
    kind = "metrics" if data else "message"
    return Event(f"e{second}", START + timedelta(seconds=second), "info", kind, message, data)


STORY = Story(
    events=(
        event(0, "Took it in."),
        event(90, "Step 1.", step=1, total_steps=3, train_loss=2.0),
        event(120, "", step=2, train_loss=1.0, valid_loss=1.5),
        replace(event(600, "It broke."), level="error"),
    ),
    checkpoints=(
        Checkpoint("c1", START, 1, f"{MODEL}:ckpt-step-1", {"train_loss": 2.0}),
        Checkpoint("c2", START, None, MODEL, {"full_valid_loss": 0.5}),
    ),
    has_all_events=True,
)


def text(line: Line, story: Story = STORY, **more: Any) -> str:
    return trail_text(line, story, **{"width": None, "marks": ASCII, **more})


def part(told: str, heading: str) -> list[str]:
    """Return the lines of the part that begins with `heading`."""
    found = [part for part in told.split("\n\n") if part.startswith(heading)]
    return found[0].splitlines() if found else []


DONE = Line(billed(replace(SUCCEEDED, recorded_at=START - timedelta(seconds=5))))


def test_the_timeline_says_when_and_how_long() -> None:
    lines = [" ".join(line.split()) for line in part(text(DONE), "timeline")[1:]]
    assert [line.rpartition("Z ")[2] for line in lines] == [
        "recorded",
        "created +5 s",
        "first metrics +1 min 30 s",
        "succeeded +8 min 30 s",
        "in all 10 min 00 s",
    ]


def test_a_job_that_was_taken_in_later_has_its_moments_in_order() -> None:
    line = Line(recorded(replace(SUCCEEDED, recorded_at=START + timedelta(days=3))))
    told = part(text(line), "timeline")
    assert [each.split("  ")[1].strip() for each in told[1:-1]] == [
        "created",
        "first metrics",
        "succeeded",
        "adopted",
    ]
    assert told[-1].split() == ["in", "all", "10", "min", "00", "s"]


def test_when_training_began_is_unknown_where_older_events_are_missing() -> None:
    assert "first metrics" not in text(DONE, replace(STORY, has_all_events=False))


def test_what_is_expected_is_called_so() -> None:
    running = submission(job("running", estimated_finish=1_795_000_900), recorded_at=START)
    told = part(text(Line(recorded(running)), Story()), "timeline")
    assert told[-1].split("  ")[1].strip() == "expected to finish"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *((-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min 00 s"), (3_599, "59 min 59 s")),
        *((3_600, "1 h 00 min"), (86_399, "23 h 59 min"), (86_400, "1 d 0 h")),
    ],
)
def test_durations_are_told_in_two_units(seconds: int, told: str) -> None:
    assert duration(timedelta(seconds=seconds)) == told


def test_loss_checkpoints_and_bills_are_there() -> None:
    told = text(DONE)
    assert "training loss from " in told
    assert [line.split() for line in part(told, "STEP") or part(told, "   STEP")][1:] == [
        ["1", "2", "-", f"{MODEL}:ckpt-step-1"],
        ["unknown", "-", "0.5", MODEL],
    ]
    assert [line.split()[1] for line in part(told, "WHEN")[1:]] == ["estimate", "billed"]
    assert "price source      a page; as of 2026-11-22" in told
    assert "It broke" not in told


def test_events_are_listed_when_asked_for_the_newest_last() -> None:
    lines = text(DONE, with_events=True).splitlines()[-4:]
    assert [line.partition("Z  ")[2] for line in lines] == [
        "Took it in.",
        "Step 1.",
        "step 2, train_loss 1.0, valid_loss 1.5",
        "error: It broke.",
    ]


def test_without_a_service_the_ledgers_trail_stands_alone() -> None:
    told = text(DONE, Story(), with_events=True)
    assert ("STEP" in told, "training" in told.partition("timeline")[2]) == (False, False)
    value = trail_json(DONE, Story(), sandbox=False)
    assert [value[name] for name in ("events", "checkpoints", "curve")] == [None, None, None]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_a_trail_keeps_to_its_width(width: int) -> None:
    failed = submission(
        job("failed", error={"code": "daily_rate_limit_exceeded", "message": "Limit 12 per day. " * 9})
    )
    for line in (DONE, Line(recorded(failed))):
        told = text(line, width=width, with_events=True, now=NOW, created=[NOW])
        wide = [each for each in told.splitlines() if len(each) > width and MODEL not in each]
        assert wide == [], "and no name is cut"
        assert f"{MODEL}:ckpt-step-1" in told


def test_what_does_not_fit_goes_on_below_itself_and_an_id_is_never_cut() -> None:
    long_id = "ftjob-" + "x" * 70
    assert fact_lines([("job", long_id), ("a", f"b {'c ' * 30}d")], width=40) == [
        f"job  {long_id}",
        f"a    b {'c ' * 16}c",
        f"     {'c ' * 13}d",
    ]
    assert fact_lines([("job", "a b c d")], width=20) == ["job  a b c d"]


# What went wrong


def failure(code: str | None, **more: Any) -> list[str]:
    error = {"code": code, "message": "Line 7 of the file is bad.", **more}
    return part(text(Line(recorded(submission(job("failed", error=error))))), "error")


def test_an_error_is_quoted_explained_and_answered_with_the_next_step() -> None:
    told = failure("invalid_training_file", param="training_file", line=7)
    assert [line.split()[0] for line in told] == ["error", "about", "meaning", "next"]
    assert told[0].endswith("invalid_training_file: Line 7 of the file is bad.")
    assert told[1].endswith("training_file, line 7")
    assert "ftjobs check" in told[3]


def test_a_line_is_told_where_a_field_says_it_and_never_read_out_of_a_message() -> None:
    assert not any(line.startswith("about") for line in failure("invalid_file_format"))
    assert not any("line 7" in line for line in failure("invalid_file_format", line="7", param=None))


def test_an_error_without_a_code_is_none() -> None:
    assert failure(None) == []


def test_an_unknown_code_is_told_as_one() -> None:
    assert any("Nothing more is known" in line for line in failure("e_17"))


def test_a_daily_limit_says_when_a_slot_frees() -> None:
    line = Line(recorded(submission(job("failed", error={"code": "daily_rate_limit_exceeded", "message": "m"}))))
    told = part(text(line, now=NOW, created=[NOW - timedelta(hours=20)]), "error")
    assert "2026-11-22T16:00:00Z" in told[-1]


def test_a_refused_submission_is_explained_and_one_that_we_ended_is_not() -> None:
    refused = submission(state="rejected", error_code="exceeded_quota", error_message="No money.")
    ended = submission(state="abandoned", error_code="expired", error_message="it was not sent within a day")
    told = [part(text(Line(recorded(each)), Story()), "error") for each in (refused, ended)]
    assert [len(lines) for lines in told] == [3, 1]
    assert "billing settings" in told[0][2]
    assert told[1] == ["error  expired: it was not sent within a day"]


def test_json_has_every_part() -> None:
    value = json.loads(dumps(trail_json(DONE, STORY, sandbox=False)))
    assert [each["message"] for each in value["events"]] == ["Took it in.", "Step 1.", "", "It broke."]
    assert [(each["step"], each["train_loss"]) for each in value["checkpoints"]] == [(1, 2.0), (None, None)]
    assert (value["curve"]["total_steps"], len(value["curve"]["points"])) == (3, 2)
    assert [each["what"] for each in value["timeline"]] == ["recorded", "created", "first metrics", "succeeded"]
    assert value["failure"] is None


def test_hostile_text_is_shown_as_text() -> None:
    hostile = submission(
        job(
            "failed",
            id=f"j{WORST}",
            error={"code": WORST, "message": WORST, "param": WORST},
            fine_tuned_model=WORST,
        )
    )
    told = Story(
        (
            Event(WORST, START, WORST, WORST, WORST, {WORST: WORST}),
            Event(None, START, "info", "m", "", {WORST: 1}),
        ),
        (Checkpoint(WORST, START, 1, WORST, {}),),
    )
    assert acting(text(Line(recorded(hostile)), told, with_events=True)) == []
    narrow = acting(text(Line(recorded(hostile)), told, with_events=True, width=60))
    assert [line for line in narrow if not line.startswith(" " * 6)] == [], "what goes on stands under itself"
    assert acting(dumps(trail_json(Line(recorded(hostile)), told, sandbox=False)), hidden=False) == []
