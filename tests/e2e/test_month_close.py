"""Closing a month: groups, CSV, reprints, corrections, cost centres and copies, as typed."""

from __future__ import annotations

import csv
import io
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Person, Run, Service

MINI = "gpt-4o-mini"
Inside = Callable[..., Run]


@pytest.fixture
def jobs(service: Service, inside: Inside, training_file: Path) -> list[str]:
    """Return the ids of two jobs that were billed and one that goes on; teams search, ads and none."""
    service.settings(job_seconds=0.05)
    made = []
    for again, team in (("a", ["--tag", "team=search"]), ("b", ["--tag", "team=ads"])):
        done = inside("submit", str(training_file), "--model", MINI, "--again", again, *team, "--wait", "--json")
        made.append(done.out.splitlines()[-1].partition('"job_id": "')[2].partition('"')[0])
    service.settings(job_seconds=1000)
    made.append(inside("submit", str(training_file), "--model", MINI, "--again", "c", "--json").json["job_id"])
    return made


def read(run: Run) -> list[dict[str, str]]:
    assert (run.code, run.err) == (0, "")
    assert run.out.count("\r\n") == run.out.count("\n"), "lines end as RFC 4180 has them"
    return list(csv.DictReader(io.StringIO(run.out)))


def dollars(rows: list[Any], name: str = "billed_cost_usd") -> Decimal:
    return sum((Decimal(row[name]) for row in rows if row[name]), Decimal(0))


def test_groups_add_up_to_the_total_in_every_form(inside: Inside, jobs: list[str]) -> None:
    for by in ("model", "tag:team", "day", "profile"):
        check_groups(inside, jobs, by)


def check_groups(inside: Inside, jobs: list[str], by: str) -> None:
    told = inside("ledger", "--month", "--by", by, "--json").json
    assert len(told["jobs"]) == len(jobs)
    groups, totals = told["groups"], told["totals"]
    for name in ("billed_cost_usd", "commitment_usd"):
        assert dollars(groups, name) == Decimal(totals[name])
    assert sum(group["jobs"] for group in groups) == totals["jobs"] == 3
    rows = read(inside("ledger", "--month", "--by", by, "--csv"))
    assert [(row["name"], row["billed_cost_usd"]) for row in rows] == [
        (group["name"] or "", group["billed_cost_usd"]) for group in groups
    ]
    text = inside("ledger", "--month", "--by", by).out
    assert text.splitlines()[1].split()[0] == by.removeprefix("tag:").upper()


def test_groups_name_what_has_none_and_count_a_job_for_each_tag(inside: Inside, jobs: list[str]) -> None:
    assert inside("tag", jobs[0], "cost=4711").out.strip() == f"{jobs[0]}: cost=4711, team=search"
    by_tag = inside("ledger", "--by", "tag", "--json").json["groups"]
    assert [(group["name"], group["jobs"]) for group in by_tag] == [
        ("cost=4711", 1), ("team=ads", 1), ("team=search", 1), (None, 1),
    ]  # fmt: skip
    text = inside("ledger", "--by", "tag").out
    assert "no tag" in text
    assert "a job counts once for each of its tags" in text
    by_day = inside("ledger", "--by", "day").out
    assert "not billed" in by_day


def test_a_day_has_the_estimate_of_its_bill_alone(inside: Inside, jobs: list[str], person: Person) -> None:
    assert inside("adjust", jobs[0], "--add", "1", "--reason", "x").code == 0
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with closing(sqlite3.connect(person.home / "data/ftjobs/ledger.sqlite3")) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute(f"UPDATE entries SET occurred_at = '{tomorrow}' WHERE kind = 'adjustment'")
    told = inside("ledger", "--by", "day", "--json").json
    assert len(told["groups"]) == 3
    for name in ("billed_cost_usd", "estimated_cost_usd"):
        assert dollars(told["groups"], name) == Decimal(told["totals"][name])


def test_csv_has_stable_columns_and_nothing_that_a_spreadsheet_would_run(inside: Inside, jobs: list[str]) -> None:
    assert inside("tag", jobs[0], "@SUM(A1)=x", "b=1").code == 0
    rows = read(inside("ledger", "--csv"))
    assert ",".join(rows[0]) == (
        "submission_id,job_id,profile,status,base_model,fine_tuned_model,examples,epochs,estimated_tokens,"
        "estimated_cost_usd,trained_tokens,billed_cost_usd,billed_basis,variance_pct,created_at,finished_at,"
        "error_code,tags"
    )
    assert [row["job_id"] for row in rows] == jobs
    assert rows[0]["tags"].startswith("'@SUM(")
    assert (rows[2]["billed_cost_usd"], rows[2]["variance_pct"], rows[2]["status"]) == ("", "", "validating_files")
    assert dollars(rows) == Decimal(inside("ledger", "--json").json["totals"]["billed_cost_usd"])


def test_a_reprint_is_the_first_print_whatever_happened_since(inside: Inside, jobs: list[str]) -> None:
    until = datetime.now(UTC).isoformat()
    shapes = [["--json"], ["--csv"], [], ["--by", "tag"], ["--by", "day", "--json"]]
    first = [inside("ledger", "--month", "--as-of", until, *shape) for shape in shapes]
    assert {run.code for run in first} == {0}
    assert inside("adjust", jobs[0], "--add", "1.50", "--reason", "invoice 7").code == 0
    assert inside("tag", jobs[1], "team=ops").code == 0
    assert inside("cancel", jobs[2], "--yes").code == 0
    now = inside("ledger", "--month", "--json").json
    assert now["digest"] != first[0].json["digest"]
    again = [inside("ledger", "--month", "--as-of", until, *shape) for shape in shapes]
    assert [run.out for run in again] == [run.out for run in first]
    assert first[0].json["as_of"] == until.replace("+00:00", "Z")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    assert inside("ledger", "--as-of", yesterday, "--json").json["jobs"] == []
    ahead = inside("ledger", "--as-of", (datetime.now(UTC) + timedelta(days=1)).date().isoformat())
    assert "that time is hardly over" in ahead.err


def test_an_adjustment_says_what_it_did_and_shows_in_the_trail(inside: Inside, jobs: list[str]) -> None:
    before = Decimal(inside("ledger", "--json").json["jobs"][0]["billed_cost_usd"])
    told = inside("adjust", jobs[0], "--add", "-0.01", "--reason", "credit note 4", "--json").json
    assert (told["schema"], told["amount_usd"]) == ("ftjobs.adjustment/1", "-0.01")
    assert Decimal(told["billed_cost_usd"]) == before - Decimal("0.01")
    shown = inside("show", jobs[0], "--json").json["entries"][-1]
    assert (shown["kind"], shown["source"], shown["basis"]) == ("adjustment", "credit note 4", "manual")
    assert shown["recorded_by"] == told["recorded_by"] != ""
    assert f"credit note 4 ({told['recorded_by']})" in inside("show", jobs[0]).out


def test_hosting_is_recorded_at_the_price_of_its_day_beside_the_bill(
    inside: Inside, jobs: list[str], person: Person
) -> None:
    hosting = ("adjust", jobs[0], "--hosting", "1.1h", "--reason", "invoice 7")
    refused = inside(*hosting, "--json")
    assert (refused.code, refused.json["code"]) == (5, "no_price")
    pasted = refused.json["details"]["toml"]
    assert pasted in refused.json["next_step"]
    (person.home / "ftjobs.toml").write_text(pasted.replace("PRICE", "1.70"), encoding="utf-8")
    before = inside("ledger", "--month", "--json").json
    assert (before["totals"]["hosting_cost_usd"], before["totals"]["hosted_jobs"]) == ("0.00", 0)
    assert inside("show", jobs[0], "--json").json["hosting_cost_usd"] is None

    told = inside(*hosting, "--json").json
    assert (told["schema"], told["recorded"]["seconds"]) == ("ftjobs.hosting/1", 3960)
    assert (told["recorded"]["amount_usd"], told["hosting_cost_usd"]) == ("1.87", "1.87")
    assert inside(*hosting).code == 2, "once is enough"
    until = datetime.now(UTC).isoformat()
    first = inside("ledger", "--month", "--as-of", until).out
    assert "\nhosting $1.87 of 1 job\n" in first
    back = inside("adjust", jobs[0], "--hosting", "-6m", "--reason", "was off").out
    assert "taken back 6 min at $1.70/h, -$0.1700; hosting $1.70 for 1 h, beside the bill" in back
    assert inside("ledger", "--month", "--as-of", until).out == first

    after = inside("ledger", "--month", "--json").json
    assert {**after["totals"], "hosting_cost_usd": "0.00", "hosted_jobs": 0} == before["totals"]
    assert (after["digest"], after["totals"]["hosting_cost_usd"]) == (before["digest"], "1.70")
    shown = inside("show", jobs[0], "--json").json
    assert [entry["amount_usd"] for entry in shown["hosting"]] == ["1.87", "-0.17"]
    assert "hosting $1.70 for 1 h, beside the bill" in inside("show", jobs[0]).out
    csv_note = inside("ledger", "--csv")
    assert (csv_note.code, "hosting $1.70 of 1 job" in csv_note.err) == (0, True)
    assert inside("ledger", "copy", "--to", f"sqlite:///{person.home / 'copy.sqlite3'}").code == 0
    copied = inside("ledger", "--month", "--json", "--ledger", f"sqlite:///{person.home / 'copy.sqlite3'}").json
    assert copied["totals"] == after["totals"]


REFUSED = [
    (["adjust", "{job}", "--add", "1"], "needs a reason"),
    (["adjust", "{job}", "--reason", "x"], "either --add or --total"),
    (["adjust", "{job}", "--add", "1", "--total", "1", "--reason", "x"], "either --add or --total"),
    (["adjust", "{job}", "--add", "1e3", "--reason", "x"], "--add takes an amount in USD"),
    (["adjust", "{job}", "--total", "-1", "--reason", "x"], "The bill would be -$1.00"),
    (["adjust", "{job}", "--add", "1", "--reason", "a\nb"], "printable"),
    (
        ["adjust", "{job}", "--hosting", "1h", "--add", "1", "--reason", "x"],
        "either --add or --total, or --hosting",
    ),
    (["adjust", "{job}", "--hosting", "1h"], "needs a reason"),
    (["adjust", "{job}", "--hosting", "0h", "--reason", "x"], "nothing to record"),
    (["adjust", "{job}", "--hosting", "0.5s", "--reason", "x"], "no whole number of seconds"),
    (["adjust", "{job}", "--hosting", "1h", "--on", "2020-01-01", "--reason", "x"], "when the job ended"),
    (["adjust", "{job}", "--hosting", "-1h", "--reason", "x"], "that could be taken back"),
    (["adjust", "{job}", "--total", "1", "--on", "2026-10-05", "--reason", "x"], "--on is the day of --hosting"),
    (["adjust", "{open}", "--hosting", "1h", "--reason", "x"], "no model to host yet"),
    (["adjust", "{open}", "--total", "1", "--reason", "x"], "its own bill is yet to come"),
    (["adjust", "nobody", "--total", "1", "--reason", "x"], "names no job"),
    (["tag", "{job}"], "nothing to set or"),
    (["tag", "{job}", "team"], "is not a tag"),
    (["tag", "{job}", "ftjobs_key=x"], "is reserved"),
    (["tag", "{job}", "--remove", "owner"], "has no tag 'owner'"),
    (["ledger", "--by", "colour"], "nothing to group by"),
    (["ledger", "--as-of", "yesterday"], "--as-of takes a day or a time"),
    (["ledger", "--as-of", "9999-12-31"], "too far away"),
    (["ledger", "--csv", "--json"], "exclude each other"),
    (["ledger", "backup", "{ledger}"], "is there already"),
]


def test_bad_input_is_a_usage_error_and_changes_nothing(inside: Inside, jobs: list[str], person: Person) -> None:
    ledger = person.home / "data/ftjobs/ledger.sqlite3"
    before = ledger.read_bytes()
    for args, says in REFUSED:
        refused = inside(*(arg.format(job=jobs[0], open=jobs[2], ledger=ledger) for arg in args))
        assert (refused.code, says in refused.err + refused.out) == (2, True), (args, refused)
    assert ledger.read_bytes() == before


def test_a_copy_is_private_whole_and_a_ledger(inside: Inside, jobs: list[str], person: Person) -> None:
    told = inside("ledger", "backup", "--json").json
    copy = Path(told["file"])
    assert copy.parent == person.home / "data/ftjobs"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert copy.stat().st_size == told["bytes"]
    assert inside("ledger", "--json", "--ledger", str(copy)).json == inside("ledger", "--json").json
    assert len(inside("ledger", "--json").json["jobs"]) == len(jobs)
    assert f"its newest backup is {copy.name}" in inside("doctor").out
    assert list(copy.parent.glob("*.part")) == []
    named = person.home / "elsewhere.sqlite3"
    assert "use it with: ftjobs ledger --ledger" in inside("ledger", "backup", str(named)).out
