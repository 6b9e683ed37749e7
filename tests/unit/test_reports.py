"""Values as text and as JSON: unknown is said, never $0, and what gives way on a narrow terminal is chosen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ftjobs.dataset.survey import Survey
from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.budget import BudgetState, Limit
from ftjobs.ledger.entries import BillingPrice, Trail, billed_entry, estimate_entry, void_entry
from ftjobs.ledger.month import Line, report
from ftjobs.models.catalog import load_catalog
from ftjobs.models.names import resolve
from ftjobs.money import Usd, UsdPer1M
from ftjobs.periods import Period, month, month_of, parse_period
from ftjobs.pricing.estimate import Estimate, choose_epochs, estimate
from ftjobs.pricing.prices import load_prices
from ftjobs.ranges import Range
from ftjobs.reports.estimate import epochs_text, estimates_json, estimates_text
from ftjobs.reports.jobs import job_json, job_row, jobs_text
from ftjobs.reports.month import month_json, month_text, period_text
from ftjobs.reports.numbers import count, token_range, usd, usd_range
from ftjobs.reports.submission import submission_json, submission_text
from ftjobs.reports.table import Column, table

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
THREE = UsdPer1M.parse("3.00")
SPEC = JobSpec("gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18", "gpt-4o-mini", 3, "a" * 64, 1)
QUOTE = Quote(
    dataset_tokens=Range(900, 1_000, 1_100),
    epochs=Range.exactly(3),
    estimated_tokens=Range(2_700, 3_000, 3_300),
    usd_per_1m=THREE,
    price_list="openai",
    price_source="a page",
    effective_from=None,
    estimated_on=NOW.date(),
    examples=100,
)


def job(status: str, **more: Any) -> Job:
    raw = {
        "object": "fine_tuning.job",
        "id": "ftjob-abcdefghijklmnopqrstuvwx",
        "status": status,
        "created_at": 1_795_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        **more,
    }
    return parse_job(raw)


def submission(of: Job | None = None, **more: Any) -> Submission:
    plain = Submission(
        id="01J00000000000000000000000",
        key="k",
        state="created",
        profile="openai",
        account="a",
        recorded_at=NOW,
        spec=SPEC,
        quote=QUOTE,
        tags={"team": "support"},
        job=of,
    )
    return replace(plain, **more)


def recorded(of: Submission) -> Trail:
    """Return its trail as recording left it."""
    if of.quote is None:
        return Trail(of, ())
    return Trail(of, (estimate_entry(of.id, of.quote, occurred_at=NOW, recorded_at=NOW),))


def billed(of: Submission) -> Trail:
    """Return its trail after the bill."""
    trail = recorded(of)
    assert of.job is not None
    entry = billed_entry(trail, of.job, BillingPrice(THREE, "openai", None, "a page"), now=NOW)
    return trail if entry is None else Trail(of, (*trail.entries, entry))


SUCCEEDED = submission(
    job("succeeded", trained_tokens=3_075, finished_at=1_795_000_600, fine_tuned_model="ft:gpt-4o-mini:o::1")
)


def row(trail: Trail) -> list[str]:
    """Return the cells of a trail's row."""
    heading, line = jobs_text([Line(trail)], width=None).splitlines()
    starts = [heading.index(title) for title in ("JOB", "STATUS", "MODEL")]
    return [line[starts[0] : starts[1]].strip(), line[starts[1] : starts[2]].strip(), *line[starts[2] :].split()]


# Numbers


def test_numbers_are_grouped_and_ranges_shown_where_they_are_ranges() -> None:
    assert (count(1, "job"), count(2_000, "job"), count(0, "job")) == ("1 job", "2,000 jobs", "0 jobs")
    assert token_range(Range(1_200, 1_234, 1_300)) == "1,234 (1,200–1,300)"
    assert token_range(Range.exactly(1_234)) == "1,234"
    assert usd_range(Range(Usd.parse("1"), Usd.parse("1.5"), Usd.parse("2000"))) == "$1.50 ($1.00–$2,000.00)"
    assert usd_range(Range.exactly(Usd.parse("0.0125"))) == "$0.0125"


def test_what_nobody_knows_is_unknown() -> None:
    assert (usd(None), usd_range(None)) == ("unknown", "unknown")
    assert usd(Usd(0)) == "$0.00"


# Tables


def test_a_table_is_aligned_by_cells_not_by_characters() -> None:
    text = table([Column("A"), Column("N", right=True)], [["漢字", "1"], ["abc", "23"]])
    assert text == "A      N\n漢字   1\nabc   23"


def test_columns_give_way_in_their_order_until_the_rest_fits() -> None:
    columns = [Column("KEEP"), Column("FIRST", gives_way=2), Column("SECOND", gives_way=1), Column("STAY")]
    rows = [["k", "f", "s", "y"]]

    def titles(width: int | None) -> list[str]:
        return table(columns, rows, width=width).splitlines()[0].split()

    assert titles(None) == titles(25) == ["KEEP", "FIRST", "SECOND", "STAY"]
    assert titles(24) == titles(18) == ["KEEP", "SECOND", "STAY"]
    assert titles(17) == titles(3) == ["KEEP", "STAY"]


def test_what_came_from_the_network_cannot_act_on_the_terminal() -> None:
    trail = recorded(submission(job("run\x1b[2Jning\u202e", model="m\x07"), spec=None))
    assert row(trail)[1] == "run[2Jning"
    assert row(trail)[2] == "m"


# Jobs


def test_a_billed_job_shows_its_tokens_its_bill_and_its_variance() -> None:
    cells = row(billed(SUCCEEDED))
    assert cells[1:] == [
        "succeeded", "gpt-4o-mini-2024-07-18", "100", "3", "$0.0090", "3,075", "$0.0092", "+2.5%"
    ]  # fmt: skip
    told = job_json(Line(billed(SUCCEEDED)))
    assert (told["trained_tokens"], told["billed_cost_usd"]) == (3_075, Usd.parse("0.009225"))
    assert (told["variance_pct"], told["billed_basis"], told["progress"]) == ("2.5", "trained_tokens", 1.0)


def test_a_cheaper_bill_is_a_variance_below_zero() -> None:
    cheap = submission(job("succeeded", trained_tokens=2_700, finished_at=1_795_000_600))
    assert row(billed(cheap))[-1] == "-10.0%"


def test_an_open_job_is_not_billed_yet() -> None:
    assert row(recorded(submission(job("running"))))[-4:] == ["yet", "not", "yet", "-"]


@pytest.mark.parametrize("status", ["failed", "cancelled", "succeeded"])
def test_an_ended_job_without_trained_tokens_is_unknown_and_never_free(status: str) -> None:
    trail = billed(submission(job(status, trained_tokens=None)))
    assert row(trail)[-3:] == ["unknown", "unknown", "-"]
    told = job_json(Line(trail))
    assert (told["trained_tokens"], told["billed_cost_usd"], told["variance_pct"]) == (None, None, None)


def test_a_bill_by_hand_promises_no_tokens() -> None:
    for of, told in ((submission(job("cancelled", trained_tokens=None)), "unknown"), (SUCCEEDED, "-")):
        trail = billed(of)
        later = NOW + timedelta(days=40)
        by_hand = replace(
            trail.entries[0], kind="adjustment", tokens=None, amount=Usd.parse("0.01"), occurred_at=later
        )
        line = Line(Trail(of, (*trail.entries, by_hand)), month_of(later))
        assert job_row(line)[-3:] == [told, "$0.0100", "-"]


def test_a_job_that_trained_nothing_is_billed_nothing_because_the_service_said_so() -> None:
    cells = row(billed(submission(job("cancelled", trained_tokens=0))))
    assert cells[-3:] == ["0", "$0.00", "-100.0%"]


def test_an_unknown_word_of_the_service_goes_on_and_is_shown() -> None:
    paused = recorded(submission(job("paused")))
    assert row(paused)[1] == "paused"
    assert row(paused)[-4:] == ["yet", "not", "yet", "-"]
    assert job_json(Line(paused))["status"] == "paused"


def test_a_submission_that_created_nothing_owes_nothing() -> None:
    rejected = submission(state="rejected", error_code="model_not_found", error_message="no such model")
    trail = recorded(rejected)
    void = void_entry(trail, now=NOW, reason="rejected")
    assert void is not None
    trail = Trail(rejected, (*trail.entries, void))
    assert row(trail)[0] == rejected.id
    assert row(trail)[-3:] == ["none", "none", "-"]
    told = job_json(Line(trail))
    assert (told["job_id"], told["status"], told["billed_cost_usd"]) == (None, "rejected", None)
    assert told["error"] == {"code": "model_not_found", "message": "no such model"}


def test_an_adopted_job_without_an_estimate_says_so() -> None:
    adopted = recorded(submission(job("running"), spec=None, quote=None))
    assert "no estimate" in jobs_text([Line(adopted)], width=None)
    told = job_json(Line(adopted))
    assert [told[name] for name in ("examples", "epochs", "estimated_tokens", "estimated_cost_usd")] == [None] * 4


def test_an_error_without_a_code_is_no_error() -> None:
    fine = submission(job("running", error={"code": None, "message": None, "param": None}))
    assert job_json(Line(recorded(fine)))["error"] is None


def test_sixty_cells_hold_the_job_its_status_and_its_bill() -> None:
    lines = [Line(recorded(submission(job("validating_files")))), Line(billed(SUCCEEDED))]
    text = jobs_text(lines, width=60)
    assert text.splitlines()[0].split() == ["JOB", "STATUS", "BILLED"]
    assert max(map(len, text.splitlines())) <= 60
    assert jobs_text(lines, width=69).splitlines()[0].split() == ["JOB", "STATUS", "ESTIMATED", "BILLED"]


# Estimates


def survey(**more: Any) -> Survey:
    return replace(Survey("d.jsonl", "0" * 64, 1, 100, Range(900, 1_000, 1_100), 0, (), {}), **more)


def estimated(name: str, epochs: Any = None) -> Estimate:
    model = resolve(name, load_catalog())
    return estimate(
        survey(),
        model=model,
        method="supervised",
        epochs=choose_epochs(epochs, examples=100),
        price=load_prices([]).find(model.base.name, profile="openai", on=NOW.date()),
        shutdown_date=model.base.shutdown_date,
        on=NOW.date(),
    )


@pytest.mark.parametrize(
    ("epochs", "cell", "words"),
    [
        (None, "3 by rule", "3 epochs by rule"),
        (1, "1 pinned", "1 epoch pinned"),
        ("auto", "1–50 auto", "1–50 epochs auto"),
    ],
)
def test_epochs_say_where_they_come_from(epochs: Any, cell: str, words: str) -> None:
    chosen = choose_epochs(epochs, examples=100)
    assert (epochs_text(chosen), epochs_text(chosen, "epoch")) == (cell, words)


def test_models_stand_side_by_side_and_shared_lines_are_said_once() -> None:
    text = estimates_text(survey(), [estimated("gpt-4o-mini"), estimated("gpt-4.1")], width=None)
    assert text.startswith("d.jsonl: 100 examples, 1,000 (900–1,100) dataset tokens\n")
    assert text.count("price list openai") == 1
    assert "3.00     $0.0030  $0.0090 ($0.0081–$0.0099)" in text
    assert text.count("shut down on 2027-01-14") == 2
    assert "a day until then" in text


def test_an_unknown_price_is_a_word_in_the_table_and_null_in_json() -> None:
    text = estimates_text(survey(), [estimated("gpt-4")], width=None)
    assert text.splitlines()[3].split()[-2:] == ["unknown", "unknown"]
    (told,) = estimates_json(survey(), [estimated("gpt-4")], sandbox=False)["estimates"]
    assert (told["estimated_cost_usd"], told["price"]) == (None, None)
    assert told["estimated_tokens"] == {"low": 2_700, "expected": 3_000, "high": 3_300}


def test_a_narrow_estimate_keeps_the_model_and_the_money() -> None:
    def titles(width: int) -> str:
        return estimates_text(survey(), [estimated("gpt-4o-mini")], width=width).splitlines()[2]

    assert titles(200).split("  ")[0] == "MODEL"
    for width in (80, 60, 50):
        assert titles(width).endswith("ESTIMATED COST")
        assert len(titles(width)) <= width


# Submissions


def test_a_submission_names_the_line_to_go_on_with() -> None:
    text = submission_text(submission(job("running")), reused=False).splitlines()
    assert text[0] == "job ftjob-abcdefghijklmnopqrstuvwx created (running, gpt-4o-mini-2024-07-18)"
    assert text[1] == (
        "estimate $0.0090 ($0.0081–$0.0099) for 3,000 (2,700–3,300) estimated tokens "
        "at $3.00/1M (price list openai)"
    )
    assert text[2] == "watch it with: ftjobs watch ftjob-abcdefghijklmnopqrstuvwx"
    over = submission_text(SUCCEEDED, reused=True).splitlines()
    assert " exists already (succeeded, " in over[0]
    assert over[2].startswith("see it with: ftjobs status ftjob-")


def test_the_recorded_estimate_travels_in_the_answer() -> None:
    told = submission_json(submission(job("running")), reused=True, sandbox=True)
    assert (told["sandbox"], told["reused"], told["status"]) == (True, True, "running")
    assert told["estimate"]["estimated_cost_usd"]["high"] == Usd.parse("0.0099")
    assert told["estimate"]["epochs"] == {"low": 3, "expected": 3, "high": 3, "source": "pinned"}
    adopted = submission_json(submission(job("running"), quote=None), reused=True, sandbox=False)
    assert adopted["estimate"] is None


# Months


@pytest.mark.parametrize("name", ["2026-10", "2026-12", "2026-10-05", "2026-12-31", "2026"])
def test_a_period_is_called_as_it_is_typed(name: str) -> None:
    assert period_text(parse_period(name, now=NOW)) == name


def test_other_periods_are_called_by_their_bounds() -> None:
    assert period_text(None) == "of all time"
    assert period_text(Period(month(2026, 1).start, month(2026, 2).end)) == "2026-01-01 to 2026-03-01"


def test_the_ledger_totals_what_is_billed_and_counts_what_is_not() -> None:
    unknown = billed(submission(job("failed", id="ftjob-2"), id="01J2"))
    found = report([billed(SUCCEEDED), unknown], None)
    text = month_text(found, width=None)
    same = "estimated $0.0090 for the same jobs, variance $0.0002 (+2.5%)"
    assert f"\nbilled $0.0092 for 3,075 trained tokens; {same}\n" in text
    assert "\n1 job unsettled, 1 with an unknown bill, up to $0.0099 committed; `ftjobs status` asks" in text
    assert "\nwhat an invoice says of a job is recorded with: ftjobs adjust JOB --total USD" in text
    totals = month_json(found, sandbox=False)["totals"]
    assert (totals["unsettled_jobs"], totals["unknown_billed_jobs"]) == (1, 1)
    assert totals["estimated_cost_usd"] == Usd.parse("0.018")
    assert totals["settled_estimated_cost_usd"] == Usd.parse("0.009")


def test_where_nothing_is_billed_no_amount_is_shown() -> None:
    text = month_text(report([billed(submission(job("failed")))], None), width=None)
    assert "nothing is billed\n" in text
    assert "$0.00 " not in text
    empty = month_text(report([], month(2026, 10)), width=None)
    assert empty.splitlines()[:4] == ["Ledger 2026-10 (UTC)", "no jobs", "", "nothing is billed"]


def test_the_budget_is_a_line_of_its_own() -> None:
    budget = BudgetState(Limit(Usd.parse("10")), Usd.parse("2"), Usd.parse("7"))
    text = month_text(report([], month(2026, 11)), budgets=[budget], width=None)
    assert "\nbudget $10.00 this month: $2.00 billed, $7.00 committed, $1.00 left (90% taken)\n" in text


def test_a_bill_counts_in_the_month_of_its_end_and_not_before() -> None:
    finished = datetime.fromtimestamp(1_795_000_600, UTC)
    before = month(finished.year, finished.month - 1)
    (line,) = month_json(report([billed(SUCCEEDED)], before), sandbox=False)["jobs"]
    assert line["billed_cost_usd"] is None
    (line,) = month_json(report([billed(SUCCEEDED)], month(finished.year, finished.month)), sandbox=False)["jobs"]
    assert line["billed_cost_usd"] == Usd.parse("0.009225")
