"""`reconcile` holds the service's cost report against the ledger, and says what to do about each difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ftjobs.ambient import Ambient
from tests.conftest import Person, Run, Service
from tests.e2e.conftest import Book, arrivals

Inside = Callable[..., Run]
COSTS = "GET /v1/organization/costs"
ADMIN = "sk-admin-0123456789abcdef"
EMPTY = json.dumps({"object": "page", "data": [], "has_more": False, "next_page": None})


@pytest.fixture
def book(person: Person) -> Book:
    """The person's ledger."""
    return Book(person.home / "data" / "ftjobs" / "ledger.sqlite3")


@pytest.fixture
def priced(person: Person, request: pytest.FixtureRequest) -> None:
    """The admin key, and the price that the test's parameter names."""
    person.environ["OPENAI_ADMIN_KEY"] = ADMIN
    if price := getattr(request, "param", None):
        settings = f'[[price]]\nmodel = "gpt-4o-mini"\ntraining_usd_per_1m = "{price}"\nsource = "wrong"\n'
        (person.home / "ftjobs.toml").write_text(settings, encoding="utf-8")


@pytest.fixture
def made(priced: None, inside: Inside, service: Service, make_training_file: Callable[[str, int], Path]) -> None:
    """A job that was billed."""
    service.settings(job_seconds=0, file_seconds=0)
    data = make_training_file("data.jsonl", 60)
    assert inside("submit", str(data), "--model", "gpt-4o-mini").code == 0
    assert inside("status").code == 0


@pytest.fixture
def billed(made: None, book: Book, monkeypatch: pytest.MonkeyPatch) -> str:
    """The day on which the job was billed, five days ago as every command's clock shows."""
    monkeypatch.setattr("ftjobs.app.Ambient", lambda: Ambient(now=lambda: datetime.now(UTC) + timedelta(days=5)))
    (entry,) = book.entries("billed")
    return str(entry["occurred_at"])[:10]


def test_what_agrees_is_matched_recorded_once_and_changes_no_entry(
    inside: Inside, service: Service, book: Book, billed: str
) -> None:
    before = book.entries()
    told = inside("reconcile", billed, "--json")
    assert (told.code, told.err) == (0, "recorded beside the entries: 1 new invoice line, and this result\n")
    found = told.json
    assert found["schema"] == "ftjobs.reconcile/1"
    (day,) = found["days"]
    assert (day["date"], day["state"], day["discrepancy_usd"]) == (billed, "matched", "0.00")
    assert day["line_item"] == "gpt-4o-mini-2024-07-18, training"
    assert day["invoiced_usd"] == day["ledger_usd"] == found["totals"]["ledger_usd"] != "0.00"
    assert arrivals(service, COSTS)[0]["query"].count("group_by") == 2
    rows = [book.rows("SELECT * FROM invoices"), book.rows("SELECT result FROM reconciliations")]
    assert [len(each) for each in rows] == [1, 1]
    assert json.loads(rows[1][0]["result"]) == found
    again = inside("reconcile", billed, "--json", "-q")
    assert (again.code, again.err, again.json) == (0, "", found)
    assert book.rows("SELECT * FROM invoices") == rows[0]
    assert len(book.rows("SELECT * FROM reconciliations")) == 2
    assert book.entries() == before
    assert ADMIN not in told.out + told.err


@pytest.mark.parametrize("priced", ["300"], indirect=True)
def test_another_price_differs_and_exits_11(inside: Inside, billed: str) -> None:
    told = inside("reconcile", billed)
    assert told.code == 11, told.err
    row = told.out.splitlines()[2].split()
    assert (row[0], row[-1]) == (billed, "differs")
    assert row[-2].startswith("-$")
    assert "1 day with a discrepancy above $0.01" in told.out
    assert "`ftjobs adjust JOB --total USD --reason TEXT` corrects a bill" in told.out
    printed = inside("reconcile", billed, "--json")
    assert (printed.code, printed.json["days"][0]["state"]) == (11, "differs")
    assert printed.json["totals"]["discrepant_days"] == 1
    assert inside("reconcile", billed, FTJOBS_RECONCILE__TOLERANCE_USD="5").code == 0


def test_a_report_without_our_jobs_is_ours_only_and_its_lines_then_count_as_nothing(
    inside: Inside, service: Service, book: Book, billed: str
) -> None:
    assert inside("reconcile", billed).code == 0
    service.faults({"on": COSTS, "do": "garbage", "body": EMPTY})
    told = inside("reconcile", billed, FTJOBS_RECONCILE__TOLERANCE_USD="0")
    assert told.code == 11
    assert "ours only" in told.out
    assert [row["amount_nano_usd"] > 0 for row in book.rows("SELECT * FROM invoices ORDER BY id")] == [True, False]


def test_jobs_of_nobody_here_are_theirs_only_and_adopting_them_heals_it(
    inside: Inside, tmp_path: Path, billed: str
) -> None:
    there = ("--ledger", str(tmp_path / "other.sqlite3"))
    told = inside("reconcile", billed, *there, FTJOBS_RECONCILE__TOLERANCE_USD="0")
    assert told.code == 11
    assert f"`ftjobs --ledger {there[1]} adopt --since {billed}`" in told.out
    assert inside("adopt", "--since", billed, *there).code == 0
    assert inside("reconcile", billed, *there, FTJOBS_RECONCILE__TOLERANCE_USD="0").code == 0


def test_an_unknown_spelling_is_found_by_its_quantity_or_named(
    inside: Inside, service: Service, book: Book, billed: str
) -> None:
    told = inside("reconcile", billed, FTJOBS_RECONCILE__TRAINING_LINE_ITEM="^Tuning$")
    assert told.code == 0
    assert "taken for training by its quantity alone: gpt-4o-mini-2024-07-18, training" in told.out
    start = int(datetime.fromisoformat(f"{billed}T00:00:00Z").timestamp())
    cost: dict[str, Any] = {
        "object": "organization.costs.result",
        "amount": {"value": 0.5, "currency": "usd"},
        "line_item": "\x1b[31mSKU 81",
        "project_id": None,
    }
    bucket = {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": [cost]}
    body = json.dumps({**json.loads(EMPTY), "data": [bucket]})
    service.faults({"on": COSTS, "do": "garbage", "body": body, "times": 2})
    told = inside("reconcile", billed, FTJOBS_RECONCILE__TOLERANCE_USD="0")
    assert told.code == 11
    assert "not training: $0.5000 in 1 line item, not compared" in told.out
    assert "the report has:\n  [31mSKU 81\n" in told.out
    printed = inside("reconcile", billed, "--json", FTJOBS_RECONCILE__TOLERANCE_USD="0").json
    assert (printed["totals"]["other_usd"], printed["totals"]["other_lines"]) == ("0.50", 1)


def test_today_is_open_and_judged_by_nobody(inside: Inside, person: Person, service: Service) -> None:
    told = inside("--profile", "sandbox", "reconcile", OPENAI_BASE_URL="", OPENAI_API_KEY="")
    assert told.code == 0, told.err
    assert "neither an invoice for training nor a bill in the ledger" in told.out


def test_open_days_are_listed_and_jobs_without_a_bill_told(
    inside: Inside, person: Person, service: Service, training_file: Path
) -> None:
    person.environ["OPENAI_ADMIN_KEY"] = ADMIN
    service.settings(job_seconds=0, file_seconds=0)
    assert inside("submit", str(training_file), "--model", "gpt-4o-mini").code == 0
    year = str(datetime.now(UTC).year)
    told = inside("reconcile", year, FTJOBS_RECONCILE__TOLERANCE_USD="0")
    assert told.code == 0
    assert "open, not judged: " in told.out
    assert "1 job of this period has no bill yet: run `ftjobs status`" in told.out
    assert inside("status").code == 0
    told = inside("reconcile", year, "--json")
    assert [day["state"] for day in told.json["days"]] == ["open"]
    assert told.json["totals"]["unbilled_jobs"] == 0


@pytest.mark.parametrize(
    ("args", "env", "code", "says"),
    [
        (("2026-13",), {}, 2, "is not a period"),
        (("9998",), {}, 2, "has not begun"),
        (("0001-01",), {}, 2, "too long ago"),
        ((), {"OPENAI_ADMIN_KEY": ""}, 3, "OPENAI_ADMIN_KEY is not set"),
        ((), {"OPENAI_ADMIN_KEY": "sk-\n"}, 3, "cannot be used"),
        ((), {"OPENAI_ADMIN_KEY": "sk-wrong"}, 7, "makes at https://platform.openai.com/"),
        ((), {"OPENAI_BASE_URL": "https://elsewhere.test/v1"}, 3, "OPENAI_ADMIN_KEY is OpenAI's alone"),
        ((), {"FTJOBS_RECONCILE__TRAINING_LINE_ITEM": "("}, 3, "reconcile.training_line_item"),
        ((), {"FTJOBS_RECONCILE__TOLERANCE_USD": "-1"}, 3, "reconcile.tolerance_usd"),
    ],
)
def test_what_cannot_be_done_is_two_lines(
    inside: Inside, args: tuple[str, ...], env: dict[str, str], code: int, says: str
) -> None:
    told = inside("reconcile", *args, **{"OPENAI_ADMIN_KEY": ADMIN, **env})
    assert (told.code, told.out) == (code, "")
    assert says in told.err
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 2


def test_a_service_without_the_report_says_so(inside: Inside, service: Service) -> None:
    service.faults({"on": COSTS, "do": "status", "status": 404})
    told = inside("reconcile", "--json", OPENAI_ADMIN_KEY=ADMIN)
    assert (told.code, told.json["code"]) == (7, "no_cost_report")
