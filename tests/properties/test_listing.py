"""A listing that is read as it is printed says what the whole trails say, to the byte, for any ledger."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from ftjobs.errors import LedgerError
from ftjobs.jobs.job import parse_job
from ftjobs.jobs.submission import new_id
from ftjobs.ledger import listing
from ftjobs.ledger.changes import Change, keep
from ftjobs.ledger.engine import open_engine
from ftjobs.ledger.entries import Entry, Trail, estimate_entry
from ftjobs.ledger.groups import grouped
from ftjobs.ledger.month import MonthReport
from ftjobs.ledger.rows import entry_row, submission_row
from ftjobs.ledger.store import Ledger
from ftjobs.ledger.tables import changes, entries, jobs, submissions
from ftjobs.money import Usd
from ftjobs.periods import Period, iso, month
from ftjobs.reports.envelope import clean, dumps
from ftjobs.reports.jobs import job_json
from ftjobs.reports.month import month_json, month_json_parts, month_lines, month_text
from ftjobs.reports.month_csv import JOB_COLUMNS, groups_csv, jobs_csv
from tests.contract.conftest import MINI, a_quote, a_submission, report_of

BEGAN = datetime(2027, 9, 20, tzinfo=UTC)
PERIODS = (None, month(2027, 9), month(2027, 10), Period(month(2027, 10).start, month(2027, 11).end))
BY = (None, "model", "tag", "tag:team", "day", "profile")
odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", 5, -1, 10**20, 1.5, True, [], {}, "x", "=1+1", "a\x1b\u202eb\n", "\ud800", "漢", " +5"]
)
hours = st.integers(0, 24 * 80)


@st.composite
def raw_jobs(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """Return a job object as a service may tell it."""
    raw: dict[str, Any] = {
        "object": "fine_tuning.job",
        "id": f"ftjob-{number}",
        "status": draw(st.sampled_from(["succeeded", "succeeded", "running", "failed", "cancelled", "paused"])),
        "model": MINI,
        "created_at": 1_800_000_000 + number,
        "finished_at": 1_800_000_900,
        "fine_tuned_model": "ft:x",
        "method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": draw(st.sampled_from([2, "auto", 0]))}}},
        "hyperparameters": {"n_epochs": draw(st.sampled_from([3, None, True]))},
    }
    names = ["model", "finished_at", "fine_tuned_model", "estimated_finish", "method", "hyperparameters", "error"]
    for name in draw(st.lists(st.sampled_from(names), max_size=3)):
        raw[name] = draw(odd)
    raw["error"] = raw.get("error", draw(st.none() | st.fixed_dictionaries({"code": odd, "message": odd})))
    raw["metadata"] = {"a": draw(odd), "n": draw(st.sampled_from([1, float("nan"), float("inf")]))}
    return raw


@st.composite
def rows_of(draw: st.DrawFn, number: int) -> list[tuple[Any, dict[str, Any]]]:
    """Return one submission's rows: with or without a spec, a quote, a job and any entries."""
    at = BEGAN + timedelta(hours=draw(hours))
    # the id may tell another time than the record
    own_id = new_id(at + timedelta(hours=draw(st.sampled_from([0, 0, 0, -100]))), number.to_bytes(10))
    mine = replace(
        a_submission(number, at=at, per_1m=draw(st.sampled_from(["3.00", "0.000000001", "0", "900"]))), id=own_id
    )
    row = submission_row(mine) | {
        "state": draw(st.sampled_from(["recorded", "uncertain", "created", "rejected"])),
        "profile": draw(st.sampled_from(["openai", "azure", "=x"])),
        "tags": json.dumps(
            draw(st.dictionaries(st.sampled_from(["team", "=a", "漢"]), st.text(max_size=2), max_size=2))
        ),
        "error_message": draw(st.none() | st.just("no\tway")),
        "holds_key": 0,
    }
    spec = json.loads(row["spec"]) | {"base_model": draw(st.sampled_from([MINI, "=m", "m\x07"]))}
    spec["n_epochs"] = draw(st.sampled_from([3, "auto", 1]))
    quotes = [row["quote"], row["quote"], None, "", "{bad", row["quote"].replace("[2,3,4]", "[0,0,4]")]
    row |= {
        "spec": draw(st.sampled_from([json.dumps(spec), json.dumps(spec), None])),
        "quote": draw(st.sampled_from(quotes)),
    }
    found = [(submissions, row)]
    if draw(st.integers(0, 4)):
        raw = draw(raw_jobs(number))
        seen = {"id": f"ftjob-{number}", "submission_id": own_id, "raw": json.dumps(raw), "seen_at": at}
        found.append((jobs, seen | {"missed": draw(st.integers(0, 2))}))
    return found + [(entries, entry_row(entry)) for entry in draw(entries_of(own_id, at))]


@st.composite
def entries_of(draw: st.DrawFn, own_id: str, at: datetime) -> list[Entry]:
    """Return a trail's entries as they may be written, one after the other, by any version."""

    def later() -> dict[str, Any]:
        when = at + timedelta(hours=draw(hours))
        return {"occurred_at": when, "recorded_at": when + timedelta(hours=draw(st.sampled_from([0, 0, 30])))}

    found = []
    if draw(st.integers(0, 5)):
        quoted = estimate_entry(own_id, a_quote(), occurred_at=at, recorded_at=at)
        changed: dict[str, Any] = draw(
            st.sampled_from([{}, {}, {"usd_per_1m": None}, {"spread": None}, {"amount": Usd(0), "spread": None}])
        )
        found.append(replace(quoted, **changed, tokens=draw(st.sampled_from([800_000, 800_001, None]))))
    for seq in range(draw(st.integers(0, 2))):
        amount = Usd(draw(st.integers(-(10**9), 10**10)))
        tokens = draw(st.none() | st.integers(-1000, 10**7))
        basis = draw(st.sampled_from(["trained_tokens", None, "=b"]))
        found.append(Entry(own_id, "billed", seq, amount, **later(), tokens=tokens, basis=basis, source="x"))
    if draw(st.integers(0, 3)) == 0:
        found.append(
            Entry(own_id, "adjustment", 0, Usd(draw(st.integers(-(10**9), 10**9))), **later(), source="x")
        )
    if draw(st.integers(0, 5)) == 0:
        found.append(Entry(own_id, "void", 0, Usd(-5), **later(), source="x"))
    return draw(st.permutations(found))


@st.composite
def ledgers(draw: st.DrawFn) -> list[tuple[Any, dict[str, Any]]]:
    """Return the rows of a whole ledger."""
    return [row for number in range(draw(st.integers(0, 9))) for row in draw(rows_of(number))]


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    """A ledger without a row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite3"
        Ledger(path, stamp="real")
        yield path


@contextmanager
def filled(empty: Path, rows: Sequence[tuple[Any, dict[str, Any]]], *, changed: bool = False) -> Iterator[Ledger]:
    """Yield a ledger of these rows, some jobs of which were others before; it reads two jobs at a time."""
    with tempfile.TemporaryDirectory() as folder, patch.object(listing, "_A_TIME", 2):
        path = Path(folder) / "ledger.sqlite3"
        shutil.copyfile(empty, path)
        with open_engine(path, stamp="real").connect().execution_options(writes=True) as connection:
            for table in (submissions, jobs, entries, changes):
                for of, row in rows:
                    if of is table:
                        connection.execute(insert(table), row)
            for number, (of, row) in enumerate(rows if changed else ()):
                if of is jobs and number % 2:
                    was = Change(row["submission_id"], "job", _before(row) if number % 3 else None)
                    keep(connection, [was], now=BEGAN + timedelta(days=40))
            connection.commit()
        yield Ledger(path, stamp="real")


def _before(row: dict[str, Any]) -> str:
    return json.dumps({"job": {**parse_job(json.loads(row["raw"])).raw, "status": "queued"}, "missed": 0})


def csv_of(found: MonthReport) -> str:
    """Return the CSV that the jobs' JSON amounts to."""
    out = io.StringIO()
    write = csv.writer(out).writerow
    write(JOB_COLUMNS)
    for line in found.lines:
        row = job_json(line)
        row["error_code"] = row["error"]["code"] if row["error"] else None
        pairs = (f"{name}={value}" for name, value in sorted(row["tags"].items()))
        row["tags"] = ";".join(_cell(pair, is_number=False) for pair in pairs)
        write([_cell(row[name], is_number=name.endswith("_pct")) for name in JOB_COLUMNS])
    return out.getvalue()


def _cell(value: object, *, is_number: bool) -> str:
    match value:
        case None:
            return ""
        case Usd():
            return value.plain()
        case datetime():
            return iso(value)
        case str() if not is_number:
            text = clean(value)
            return f"'{text}" if text.lstrip()[:1] in {*"=+-@|%\uff1d\uff0b\uff0d\uff20"} else text
        case _:
            return str(value)


def notes_of(ledger: Ledger, trails: list[Trail], found: MonthReport) -> list[tuple[Any, Sequence[str]]]:
    told = ledger.unusual(trails)
    return [(line, told.get(line.subject.id, ())) for line in found.lines]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    ledgers(),
    st.sampled_from(PERIODS),
    st.sampled_from(BY),
    st.none() | hours.map(lambda number: BEGAN + timedelta(hours=number)),
)
def test_a_listing_prints_what_the_trails_say(
    empty: Path,
    rows: list[tuple[Any, dict[str, Any]]],
    period: Period | None,
    by: str | None,
    as_of: datetime | None,
) -> None:
    width = 60 if len(rows) % 2 else None
    with filled(empty, rows, changed=True) as ledger:
        whole = report_of(ledger, period, as_of=as_of)
        noted = notes_of(ledger, [line.trail for line in whole.lines], whole) if as_of is None else None
        with ledger.listing(period, as_of=as_of) as found:

            def notes() -> Any:
                return found.noted() if as_of is None else None

            assert found.digest == whole.digest
            assert "".join(month_json_parts(found, notes(), by=by, sandbox=False)) == dumps(
                month_json(whole, noted, by=by, sandbox=False)
            )
            assert "\n".join(month_lines(found, notes(), by=by, width=width, kept=[])) == month_text(
                whole, noted, by=by, width=width
            )
            assert "".join(jobs_csv(found.lines)) == csv_of(whole)
            if by:
                assert list(groups_csv(grouped(found.lines, by), by)) == list(
                    groups_csv(grouped(whole.lines, by), by)
                )


def test_what_is_unusual_is_found_in_the_order_of_the_ids(empty: Path) -> None:
    rows: list[tuple[Any, dict[str, Any]]] = []
    for number in range(12):
        at = BEGAN + timedelta(hours=number)
        # The seventh's clock was wrong: it is recorded last and has an early id.
        mine = replace(
            a_submission(number, at=at, per_1m="900" if number in {6, 9} else "3"),
            recorded_at=at + timedelta(hours=60 * (number == 6)),
        )
        assert mine.quote is not None
        rows.append((submissions, submission_row(mine)))
        rows.append((entries, entry_row(estimate_entry(mine.id, mine.quote, occurred_at=at, recorded_at=at))))
    with filled(empty, rows) as ledger:
        whole = report_of(ledger, None)
        trails = [line.trail for line in whole.lines]
        assert len(ledger.unusual(trails)) == 2
        expected = notes_of(ledger, trails, whole)
        with ledger.listing(None) as found:
            assert [notes for _, notes in found.noted()] == [notes for _, notes in expected]
        with ledger.listing(Period(BEGAN, BEGAN + timedelta(hours=8))) as found:
            assert [notes for _, notes in found.noted()].count(()) == 7


DAMAGES = {
    "a spec that is a list": (submissions, {"spec": "[]"}),
    "a spec without its fields": (submissions, {"spec": "{}"}),
    "a spec of another version": (submissions, {"spec": '{"more": 1}'}),
    "tags that are numbers": (submissions, {"tags": '{"team": 1}'}),
    "tags that are deep": (submissions, {"tags": "[" * 100_000}),
    "a job that is none": (jobs, {"raw": "{}"}),
    "a job that is a text": (jobs, {"raw": '"x"'}),
    "a job with a bad escape where nobody looks": (jobs, {"raw": '{"x": "\\q"}'}),
}


@pytest.mark.parametrize(("table", "damage"), DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("place", [0, 3], ids=["read by json", "read by msgspec"])
def test_a_damaged_row_is_named(empty: Path, table: Any, damage: dict[str, str], place: int) -> None:
    rows: list[tuple[Any, dict[str, Any]]] = []
    for number in range(4):
        mine = a_submission(number, at=BEGAN + timedelta(hours=number))
        raw = {"object": "fine_tuning.job", "id": f"ftjob-{number}", "status": "running", "created_at": 5}
        seen = {"id": f"ftjob-{number}", "submission_id": mine.id, "raw": json.dumps(raw), "seen_at": BEGAN}
        for of, row in ((submissions, submission_row(mine)), (jobs, seen)):
            rows.append((of, row | damage if (of, number) == (table, place) else row))
    with filled(empty, rows) as ledger, ledger.listing(None) as found:
        with pytest.raises(LedgerError) as caught:
            list(found.lines)
        assert caught.value.code == "ledger_damaged"
        assert a_submission(place, at=BEGAN + timedelta(hours=place)).id in caught.value.message
