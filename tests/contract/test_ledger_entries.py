"""Entries are written once: the database refuses to change them, and settling writes only what is missing."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from ftjobs.ledger.budget import Limit
from ftjobs.ledger.entries import BillingPrice
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd, UsdPer1M
from ftjobs.periods import month_of
from tests.contract.conftest import (
    ENTRY_COLUMNS,
    INSERT_ENTRY,
    NOW,
    PRICE,
    Crew,
    Place,
    SqlitePlace,
    a_job,
    a_submission,
    add_entry,
    created,
    ended,
    report_of,
    trail_of,
)

# Append-only


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET amount_nano_usd = 0",
        "UPDATE entries SET source = source",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE kind = 'estimate'",
        "INSERT INTO entries SELECT * FROM entries WHERE true ON CONFLICT (id) DO UPDATE SET amount_nano_usd = 0",
        "DELETE FROM submissions",
        "DELETE FROM jobs",
    ],
)
def test_the_database_refuses_to_change_what_is_written(place: Place, statement: str) -> None:
    refuses(place, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE OR REPLACE entries SET seq = 1",
        "INSERT OR REPLACE INTO entries SELECT * FROM entries",
        "REPLACE INTO entries SELECT * FROM entries",
        f"INSERT OR REPLACE INTO entries ({ENTRY_COLUMNS}) SELECT {ENTRY_COLUMNS} FROM entries",
        "INSERT INTO entries SELECT * FROM entries WHERE true ON CONFLICT DO UPDATE SET amount_nano_usd = 0",
    ],
)
def test_sqlite_replaces_nothing_either(tmp_path: Path, statement: str) -> None:
    refuses(SqlitePlace(tmp_path / "ledger.sqlite3"), statement)


@pytest.mark.parametrize("tables", ["entries", "jobs", "submissions, entries, jobs, changes, hosting", "changes"])
def test_postgresql_empties_no_table_either(postgresql: Place, tables: str) -> None:
    refuses(postgresql, f"TRUNCATE {tables}")


def refuses(place: Place, statement: str) -> None:
    ledger = place.open()
    mine = created(ledger)
    before = place.sql("SELECT * FROM entries")
    with pytest.raises(DBAPIError, match=r"append-only|never deleted"):
        place.sql(statement)
    assert place.sql("SELECT * FROM entries") == before
    assert len(before) == 1
    assert ledger.get(mine.id) == mine


@pytest.mark.parametrize("kind", ["estimate", "void", "billed", "adjustment"])
def test_a_sequence_number_is_given_once_a_kind(ledger: Ledger, place: Place, kind: str) -> None:
    mine, other = created(ledger, 1), created(ledger, 2)
    add_entry(place, mine.id, Usd(1), kind=kind, seq=7)
    with pytest.raises(IntegrityError):
        add_entry(place, mine.id, Usd(1), kind=kind, seq=7)
    add_entry(place, mine.id, Usd(1), kind=kind, seq=8)
    add_entry(place, other.id, Usd(1), kind=kind, seq=7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "refund"},
        {"id": "nobody"},
        {"amount": None},
        {"amount": "1.5"},
        {"seq": None},
        {"at": None},
    ],
    ids=str,
)
def test_an_entry_of_an_unknown_kind_submission_or_type_is_refused(
    ledger: Ledger, place: Place, wrong: dict[str, object]
) -> None:
    mine = created(ledger)
    right: dict[str, object] = {
        "id": mine.id, "kind": "adjustment", "seq": 0, "amount": 1, "basis": "manual", "at": "2027",
    }  # fmt: skip
    with pytest.raises(DBAPIError):
        place.sql(f"INSERT {INSERT_ENTRY}", **(right | wrong))
    assert len(trail_of(ledger, mine).entries) == 1


def test_sqlite_keeps_no_fraction_of_a_nano_dollar(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path / "ledger.sqlite3")
    mine = created(place.open())
    values = {"id": mine.id, "kind": "adjustment", "seq": 0, "amount": 1.5, "basis": "manual", "at": "2027"}
    with pytest.raises(DBAPIError):
        place.sql(f"INSERT {INSERT_ENTRY}", **values)


# Settling


def test_settling_writes_trained_tokens_times_price_and_where_they_come_from(ledger: Ledger) -> None:
    finished = NOW + timedelta(hours=5)
    mine = ended(ledger, finished=finished, trained_tokens=790_001)
    price = BillingPrice(UsdPer1M.parse("3.00"), "openai", NOW.date(), "a page; assumed")
    entry = ledger.settle(mine.id, price, now=NOW + timedelta(days=1))
    assert entry is not None
    assert (entry.kind, entry.seq, entry.tokens, entry.amount) == ("billed", 0, 790_001, Usd.parse("2.370003"))
    assert (entry.usd_per_1m, entry.price_list, entry.effective_from) == (price.usd_per_1m, "openai", NOW.date())
    assert (entry.basis, entry.source) == ("trained_tokens", "a page; assumed")
    assert (entry.occurred_at, entry.recorded_at) == (finished, NOW + timedelta(days=1))
    trail = trail_of(ledger, mine)
    assert trail.entries[1:] == (entry,)
    assert (trail.billed, trail.commitment, trail.settled) == (entry.amount, Usd(0), True)


def test_settling_twice_writes_nothing_even_at_another_price(ledger: Ledger, place: Place) -> None:
    mine = ended(ledger, trained_tokens=790_001)
    ledger.settle(mine.id, PRICE, now=NOW)
    before = place.sql("SELECT * FROM entries")
    dearer = BillingPrice(UsdPer1M.parse("9.00"), "openai", None, "a newer page")
    assert ledger.settle(mine.id, PRICE, now=NOW + timedelta(days=1)) is None
    assert place.open().settle(mine.id, dearer, now=NOW + timedelta(days=1)) is None
    assert place.sql("SELECT * FROM entries") == before


def test_processes_that_settle_at_once_bill_once(place: Place, crew: Crew) -> None:
    mine = ended(place.open(), trained_tokens=1_000_000)
    told = crew.race(
        """
ledger = at(sys.argv[1]).open()
ready()
tell([ledger.settle(trail.submission.id, PRICE, now=NOW) is not None for trail in ledger.trails()])
""",
        times=6,
    )
    assert sorted(told) == [[False]] * 5 + [[True]]
    assert trail_of(place.open(), mine).billed == Usd.parse("3.00")


def test_trained_tokens_that_are_corrected_later_write_the_difference_at_the_first_price(ledger: Ledger) -> None:
    mine = ended(ledger, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=NOW)
    dearer = BillingPrice(UsdPer1M.parse("9.00"), "elsewhere", None, "a newer page")
    for seq, (told, difference, amount) in enumerate(
        [(900_000, -100_000, -Usd.parse("0.30")), (1_200_000, 300_000, Usd.parse("0.90"))], start=1
    ):
        ledger.see(a_job(1, "succeeded", trained_tokens=told), now=NOW)
        entry = ledger.settle(mine.id, dearer, now=NOW)
        assert entry is not None
        assert (entry.kind, entry.seq, entry.tokens, entry.amount) == ("billed", seq, difference, amount)
        assert (entry.usd_per_1m, entry.price_list, entry.source) == (PRICE.usd_per_1m, "openai", "a page")
    assert trail_of(ledger, mine).billed == Usd.parse("3.60")


def test_an_adjustment_stands_beside_the_bill(ledger: Ledger, place: Place) -> None:
    mine = ended(ledger, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=NOW)
    add_entry(place, mine.id, -Usd.parse("1.00"))
    assert ledger.settle(mine.id, PRICE, now=NOW) is None
    assert trail_of(ledger, mine).billed == Usd.parse("2.00")
    ledger.see(a_job(1, "succeeded", trained_tokens=2_000_000), now=NOW)
    assert ledger.settle(mine.id, PRICE, now=NOW) is not None
    assert trail_of(ledger, mine).billed == Usd.parse("5.00")


def test_an_adjustment_settles_a_job_whose_bill_the_service_never_tells(ledger: Ledger, place: Place) -> None:
    mine = ended(ledger, trained_tokens=None)
    assert [trail.submission.id for trail in ledger.unsettled()] == [mine.id]
    add_entry(place, mine.id, Usd.parse("1.25"))
    assert ledger.unsettled() == []
    state = ledger.budgets([Limit(Usd.parse("10.00"))], month_of(NOW))[0]
    assert (state.billed, state.committed) == (Usd.parse("1.25"), Usd(0))


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_unknown_trained_tokens_bill_nothing_and_hold_the_commitment(ledger: Ledger, status: str) -> None:
    mine = ended(ledger, trained_tokens=None, status=status)
    assert ledger.settle(mine.id, PRICE, now=NOW) is None
    trail = trail_of(ledger, mine)
    assert (trail.billed, trail.settled, trail.commitment) == (None, False, Usd.parse("3.00"))
    assert [each.submission.id for each in ledger.unsettled()] == [mine.id]
    (line,) = report_of(ledger, None).lines
    assert (line.billed, line.bill_is_unknown) == (None, True)


def test_a_failed_job_with_no_trained_tokens_is_billed_zero_which_is_known(ledger: Ledger) -> None:
    mine = ended(ledger, trained_tokens=0, status="failed")
    entry = ledger.settle(mine.id, PRICE, now=NOW)
    assert entry is not None
    assert (entry.amount, entry.tokens) == (Usd(0), 0)
    assert ledger.settle(mine.id, PRICE, now=NOW) is None
    trail = trail_of(ledger, mine)
    assert (trail.billed, trail.settled, trail.commitment) == (Usd(0), True, Usd(0))
    assert ledger.unsettled() == []
    (line,) = report_of(ledger, None).lines
    assert (line.billed, line.bill_is_unknown) == (Usd(0), False)


@pytest.mark.parametrize("status", ["running", "paused", "a word of 2028"])
def test_a_job_that_goes_on_is_not_billed_whatever_it_counts(ledger: Ledger, status: str) -> None:
    mine = created(ledger)
    ledger.see(a_job(1, status, trained_tokens=500_000), now=NOW)
    assert ledger.settle(mine.id, PRICE, now=NOW) is None
    assert trail_of(ledger, mine).billed is None


def test_a_submission_without_a_job_is_not_billed(ledger: Ledger) -> None:
    mine = a_submission()
    ledger.record(mine)
    assert ledger.settle(mine.id, PRICE, now=NOW) is None


def test_a_bill_without_a_finishing_time_is_dated_when_it_was_learnt(ledger: Ledger) -> None:
    mine = created(ledger)
    later = NOW + timedelta(days=40)
    ledger.see(a_job(1, "succeeded", trained_tokens=1, finished_at=None), now=later)
    entry = ledger.settle(mine.id, PRICE, now=later)
    assert entry is not None
    assert entry.occurred_at == later


# Nothing is half-written


@pytest.mark.parametrize("statement", [1, 2, 3], ids=["budget", "submission", "estimate"])
def test_a_process_that_is_killed_while_recording_leaves_nothing_or_all(
    place: Place, crew: Crew, statement: int
) -> None:
    """The child kills itself at a step inside the transaction of `record`."""
    place.open()
    child = crew.start(
        """
import os, signal
from sqlalchemy import Engine, event
from ftjobs.money import Usd
ledger, wanted, seen = at(sys.argv[1]).open(), int(sys.argv[2]), []
prefixes = ["SELECT submissions.profile", "INSERT INTO submissions", "INSERT INTO entries"]

@event.listens_for(Engine, "after_cursor_execute")
def watch(conn, cursor, statement, parameters, context, executemany):
    if statement.startswith(prefixes[wanted - 1]):
        os.kill(os.getpid(), signal.SIGKILL)

from ftjobs.ledger.budget import Limit
ledger.record(a_submission(), limits=[Limit(Usd.parse("10.00"))])
""",
        statement,
    )
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    ledger = place.open()
    assert ledger.trails() == []
    assert ledger.record(a_submission(), limits=[Limit(Usd.parse("3.00"))]).is_new


def test_readers_and_writers_in_many_processes_never_meet_a_locked_database(place: Place, crew: Crew) -> None:
    place.open()
    told = crew.race(
        """
ledger, mine = at(sys.argv[1]).open(), int(sys.argv[2])
ready()
for n in range(6):
    done = ended(ledger, 100 * mine + n, trained_tokens=n)
    ledger.settle(done.id, PRICE, now=NOW)
    report_of(at(sys.argv[1]).open(), None)
    ledger.unsettled()
tell("done")
""",
        times=8,
    )
    assert told == ["done"] * 8
    assert len(place.open().trails()) == 48
    assert place.open().unsettled() == []
