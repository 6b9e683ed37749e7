"""A screen of jobs, and lines of changes: they fit, they say what is unknown, and they have news or are silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from ftjobs.jobs.job import parse_job
from ftjobs.jobs.progress import Progress, Stall
from ftjobs.jobs.submission import State, Submission
from ftjobs.ledger.entries import Entry, Kind, Trail
from ftjobs.ledger.month import Line
from ftjobs.money import Usd
from ftjobs.reports.jobs import attention_note, job_json, jobs_json
from ftjobs.reports.numbers import duration
from ftjobs.reports.order import attention_first, open_first
from ftjobs.reports.watching import changed_line, screen, stall_note, told_of, watch_table

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=4, seconds=30)
HALFWAY = Progress(step=150, total_steps=300, fraction=0.5, losses=(2.0, 1.5, 1.0, 0.5), eta=SOON)


def trail(
    status: str | None = "running",
    *,
    number: int = 1,
    state: State = "created",
    billed: str | None = None,
    ended_after_s: int | None = None,
    estimated: bool = True,
) -> Trail:
    """Return a trail, submitted `number` minutes before now; ids differ in their first characters."""
    submission_id = f"{number:03}J00000000000000000000000"
    job = None
    if status is not None:
        created_at = int(NOW.timestamp()) - 60 * number
        raw: dict[str, Any] = {"object": "fine_tuning.job", "id": f"ftjob-{number:03}bcdefghijklmnopqrstu"}
        raw |= {"status": status, "created_at": created_at}
        if ended_after_s is not None:
            raw["finished_at"] = created_at + ended_after_s
        job = parse_job(raw)
    submission = Submission(
        id=submission_id,
        key="k",
        state=state,
        profile="openai",
        account="a",
        recorded_at=NOW - timedelta(minutes=number),
        spec=None,
        quote=None,
        tags={},
        job=job,
    )

    def entry(kind: Kind, amount: Usd) -> Entry:
        return Entry(submission_id, kind, 0, amount, NOW, NOW)

    estimate = Usd.parse("0.0936")
    entries = [entry("estimate", estimate)] if estimated else []
    if billed is not None:
        entries.append(entry("billed", Usd.parse(billed)))
    if state in {"rejected", "abandoned"}:
        entries.append(entry("void", -estimate))
    return Trail(submission, tuple(entries))


def lines(*seen: tuple[Trail, Progress], columns: int = 120, rows: int = 24, **more: Any) -> list[str]:
    found = screen(seen, now=NOW, columns=columns, rows=rows, footer="the footer", **more)
    assert len(found) <= rows
    assert all(cell_len(line) <= columns for line in found), found
    return found


def test_a_wide_screen_shows_all_there_is_to_know() -> None:
    heading, row, footer = lines((trail(), HALFWAY))
    assert heading.split() == ["JOB", "STATUS", "STEP", "PROGRESS", "DONE", "LOSS", "LEFT", "MONEY"]
    assert row.split("  ") == [
        "ftjob-001bcdefghijklmnopqrstu", "running", "150/300", "████░░░░", " 50%", "█▆▃▁ 0.5", "4 min",
        "est. $0.0936",
    ]  # fmt: skip
    assert footer == "the footer"


def test_what_is_unknown_is_a_dash_and_no_zero() -> None:
    _, row, _ = lines((trail("queued", estimated=False), Progress()))
    assert row.split()[1:] == ["queued", *["-"] * 5, "no", "estimate"]
    only_steps = Progress(step=150, losses=(1.0,))
    assert lines((trail(), only_steps))[1].split()[2:7] == ["150", "-", "-", "▁", "1"]


@pytest.mark.parametrize(
    ("shown", "money"),
    [
        (trail("running"), "est. $0.0936"),
        (trail("succeeded", billed="0.0828"), "billed $0.0828"),
        (trail("failed"), "bill unknown"),
        (trail("failed", billed="0"), "billed $0.00"),
        (trail(None, state="rejected"), "nothing due"),
        (trail(None, state="uncertain"), "est. $0.0936"),
    ],
)
def test_money_is_the_estimate_until_there_is_a_bill(shown: Trail, money: str) -> None:
    assert lines((shown, Progress()))[1].endswith(f"  {money}")


def test_sixty_cells_shorten_ids_before_a_column_gives_way() -> None:
    seen = [(trail(number=number), HALFWAY) for number in (1, 2)]
    heading, row, *_ = lines(*seen, columns=60)
    assert heading.split() == ["JOB", "STATUS", "PROGRESS", "DONE", "LEFT", "MONEY"]
    assert row.split() == ["ftjob-001bcdef", "running", "████░░░░", "50%", "4", "min", "est.", "$0.0936"]
    checking = (trail("validating_files", number=3), Progress())
    assert lines(*seen, checking, columns=60)[0].split() == ["JOB", "STATUS", "DONE", "LEFT", "MONEY"]
    assert lines(*seen, columns=30)[0].split() == ["JOB", "STATUS"]


def test_shortened_ids_still_differ() -> None:
    one = trail()
    assert one.submission.job
    twin_job = replace(one.submission.job, id=one.submission.job.id[:-1] + "X")
    twin = replace(one, submission=replace(one.submission, job=twin_job))
    text = watch_table([(one, Progress()), (twin, Progress())], now=NOW, width=60)
    names = [line.split()[0] for line in text.splitlines()[1:]]
    assert names == [one.submission.job.id, twin_job.id]


def test_where_rows_are_few_the_first_jobs_are_shown_and_the_rest_is_counted() -> None:
    seen = [(trail(number=nth), Progress()) for nth in range(1, 8)]
    seen += [(trail("succeeded", number=8, billed="1"), Progress(fraction=1.0))]
    assert len(lines(*seen, rows=10)) == 10, "all of them fit"
    shown = lines(*seen, rows=9)
    assert [line.split()[0] for line in shown[1:7]] == [
        f"ftjob-{nth:03}bcdefghijklmnopqrstu" for nth in range(1, 7)
    ]
    assert shown[-2:] == ["and 2 more, 1 of them under way", "the footer"]
    for rows in (1, 2, 3, 4):
        assert lines(*seen, rows=rows)[0].startswith("JOB")


def test_notes_are_wrapped_and_leave_the_jobs_their_room() -> None:
    note = " ".join(["words"] * 30)
    shown = lines((trail(), HALFWAY), columns=60, rows=24, notes=[note])
    assert [line.strip().split() for line in shown[2:-1]] == [["words"] * 9] * 3 + [["words"] * 3]
    crowded = lines(*[(trail(number=nth), HALFWAY) for nth in range(1, 30)], columns=60, rows=12, notes=[note] * 9)
    assert sum("ftjob-" in line for line in crowded) == 5


def test_ascii_is_enough_where_blocks_cannot_be_shown() -> None:
    assert "\n".join(lines((trail(), HALFWAY), ascii_only=True)).isascii()


def test_the_services_words_cannot_act_on_the_terminal() -> None:
    hostile = trail("run\x1b[2Jning\u202e\n")
    assert lines((hostile, HALFWAY))[1].split()[1] == "run[2Jning"
    assert changed_line(hostile, HALFWAY, now=NOW).split()[1] == "run[2Jning"


# Lines


@pytest.mark.parametrize(
    ("shown", "progress", "line"),
    [
        (trail("queued"), Progress(), "queued"),
        (trail(), Progress(step=3, losses=(1.0,)), "running"),
        (trail(), HALFWAY, "running 50% (step 150 of 300), loss 0.5, about 4 min left"),
        (trail(), replace(HALFWAY, losses=(), eta=None), "running 50% (step 150 of 300)"),
        (trail("succeeded", billed="0.0828"), replace(HALFWAY, fraction=1.0), "succeeded, billed $0.0828"),
        (trail("failed"), HALFWAY, "failed, its bill is unknown"),
    ],
)
def test_a_line_says_what_is_known(shown: Trail, progress: Progress, line: str) -> None:
    assert changed_line(shown, progress, now=NOW) == f"ftjob-001bcdefghijklmnopqrstu {line}"


def test_news_are_another_word_a_bill_and_each_further_tenth() -> None:
    before = told_of(trail(), HALFWAY)
    for same in (HALFWAY, replace(HALFWAY, step=160, fraction=0.58, losses=(0.1,), eta=None)):
        assert told_of(trail(), same) == before
    for news in (replace(HALFWAY, fraction=0.6), Progress()):
        assert told_of(trail(), news) != before
    assert told_of(trail("paused"), HALFWAY) != before
    assert told_of(trail(billed="1"), HALFWAY) != before
    ended = trail("failed")
    assert told_of(ended, HALFWAY) == told_of(ended, Progress())


@pytest.mark.parametrize(
    ("stall", "says"),
    [
        (Stall("validating_files", timedelta(hours=2)), "still validating_files 2 h after it was created"),
        (Stall("queued", timedelta(hours=7, minutes=5)), "still queued 7 h 05 min after it was created"),
        (Stall("no_step", timedelta(minutes=41)), "no step for 41 min"),
    ],
)
def test_a_stall_is_called_out_with_what_to_do_next(stall: Stall, says: str) -> None:
    note = stall_note(trail(), stall)
    assert note.startswith(f"ftjob-001bcdefghijklmnopqrstu: {says}, ")
    assert "`ftjobs cancel ftjob-001bcdefghijklmnopqrstu`" in note


def test_only_what_may_have_created_a_job_unseen_is_uncertain() -> None:
    uncertain = trail(None, state="uncertain")
    assert f"`ftjobs submit --resend {uncertain.submission.id}`" in (attention_note(uncertain) or "")
    assert attention_note(trail(None, state="sending")) is attention_note(trail()) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3900, "1 h 05 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d"),
        (86400 * 2 + 10800, "2 d 3 h"),
        (86400 * 5000, "5,000 d"),
    ],
)
def test_durations_are_cut_to_what_matters(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


# JSON


def test_known_progress_is_told_and_else_only_that_of_success() -> None:
    quarter = Progress(fraction=0.25)
    assert job_json(Line(trail()), progress=quarter)["progress"] == 0.25
    assert job_json(Line(trail("failed")), progress=quarter)["progress"] == 0.25
    assert job_json(Line(trail()))["progress"] is job_json(Line(trail()), progress=Progress())["progress"] is None
    assert job_json(Line(trail("succeeded")))["progress"] == 1
    two = [trail(number=1), trail(number=2)]
    told = jobs_json(two, progress={two[1].submission.id: quarter}, sandbox=False)
    assert [each["progress"] for each in told["jobs"]] == [None, 0.25]


# Order


def test_what_needs_a_hand_comes_first_then_what_runs_then_what_ended() -> None:
    jobs = {
        "ended long ago": trail("succeeded", number=90, billed="1", ended_after_s=60),
        "ended after a long time": trail("succeeded", number=91, billed="1", ended_after_s=80 * 60),
        "rejected": trail(None, state="rejected", number=50),
        "runs": trail("running", number=80),
        "a new word": trail("paused", number=2),
        "unknown bill": trail("failed", number=70),
        "unsent": trail(None, state="recorded", number=5),
        "uncertain": trail(None, state="uncertain", number=60),
    }
    names = {each.submission.id: name for name, each in jobs.items()}
    assert [names[each.submission.id] for each in attention_first(list(jobs.values()))] == [
        "unsent", "uncertain", "unknown bill", "a new word", "runs",
        "ended after a long time", "rejected", "ended long ago",
    ]  # fmt: skip


def test_while_watching_what_has_ended_goes_below_the_rest() -> None:
    first, second = trail(number=9), trail(number=8)
    early = trail("succeeded", number=70, billed="1", ended_after_s=60)
    late = trail("failed", number=71, ended_after_s=3600)
    assert open_first([early, first, late, second]) == [first, second, late, early]
