"""What the ledger gives of its past: the last trails before a submission, and what is unusual against them."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ftjobs.ledger.glance import last_trails
from ftjobs.ledger.store import Ledger
from tests.contract.conftest import NOW, PRICE, Place, SqlitePlace, a_submission, ended


def record(ledger: Ledger, numbers: range, dollars: str = "1.00") -> list[str]:
    """Record a submission a minute of so many dollars; return their ids."""
    made = [a_submission(number, at=NOW + timedelta(minutes=number), per_1m=dollars) for number in numbers]
    for submission in made:
        ledger.record(submission)
    return [submission.id for submission in made]


def ids_of(ledger: Ledger, *, before: str | None = None) -> list[str]:
    return [trail.submission.id for trail in ledger.history(before=before)]


def test_the_past_runs_from_old_to_new_up_to_a_submission(ledger: Ledger) -> None:
    ids = record(ledger, range(1, 6))
    assert ids_of(ledger) == ids
    assert ids_of(ledger, before=ids[3]) == ids[:3]
    assert ids_of(ledger, before=ids[0]) == []


def test_of_a_long_past_the_last_200_are_told(ledger: Ledger) -> None:
    ids = record(ledger, range(1, 206))
    assert ids_of(ledger) == ids[5:]
    assert ids_of(ledger, before=ids[204]) == ids[4:204]


def test_what_created_nothing_is_no_past(ledger: Ledger) -> None:
    ids = record(ledger, range(1, 4))
    ledger.close(ids[1], "rejected", code="x", message="no", now=NOW)
    assert ids_of(ledger) == [ids[0], ids[2]]


def test_one_trail_is_compared_with_what_came_before_it_wherever_it_stands(ledger: Ledger) -> None:
    cheap = record(ledger, range(1, 6))
    (dear,) = record(ledger, range(6, 7), "900.00")
    later = record(ledger, range(7, 9))
    assert list(ledger.unusual(ledger.trails([dear]))) == [dear]
    assert list(ledger.unusual(ledger.trails([cheap[0], dear, later[1]]))) == [dear]
    assert ledger.unusual(ledger.trails([cheap[0], later[0]])) == {}
    assert ledger.unusual([]) == {}


def test_a_glance_sees_what_the_ledger_tells_of_its_past(place: Place) -> None:
    ledger = place.open()
    record(ledger, range(1, 204))
    done = ended(ledger, 300, at=NOW + timedelta(days=1), trained_tokens=900_000)
    ledger.settle(done.id, PRICE, now=NOW + timedelta(days=1))
    dated = replace(PRICE, effective_from=NOW.date())
    other = ended(ledger, 301, at=NOW + timedelta(days=2), trained_tokens=800_000)
    ledger.settle(other.id, dated, now=NOW + timedelta(days=2))
    voided = a_submission(302, at=NOW + timedelta(days=3))
    ledger.record(voided)
    ledger.close(voided.id, "rejected", code="x", message="no", now=NOW)
    assert len(ledger.history()) == 200
    if isinstance(place, SqlitePlace):
        assert last_trails(place.path) == ledger.history()


def test_a_glance_makes_nothing_and_waits_for_nobody(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        last_trails(tmp_path / "none.sqlite3")
    assert not (tmp_path / "none.sqlite3").exists()
    (tmp_path / "text.sqlite3").write_text("no ledger")
    with pytest.raises(sqlite3.Error):
        last_trails(tmp_path / "text.sqlite3")


def test_what_matters_now_is_what_is_open_and_the_newest_of_the_rest(ledger: Ledger) -> None:
    old_and_open = record(ledger, range(1, 2))
    settled = [
        ended(ledger, number, at=NOW + timedelta(minutes=number), trained_tokens=5) for number in range(2, 7)
    ]
    for submission in settled:
        ledger.settle(submission.id, PRICE, now=NOW + timedelta(hours=2))
    voided = record(ledger, range(7, 8))
    ledger.close(voided[0], "rejected", code="x", message="no", now=NOW)
    trails, more = ledger.current(recent=3)
    assert [trail.submission.id for trail in trails] == [
        *old_and_open,
        settled[3].id,
        settled[4].id,
        *voided,
    ]
    assert more == 3
    assert ledger.current(recent=50) == (ledger.trails(), 0)
