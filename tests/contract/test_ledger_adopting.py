"""Jobs that others created, taken in many at a time: once, with their bills, and with nobody's key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ftjobs.jobs.submission import Submission
from ftjobs.ledger.adopting import Asked, Known
from ftjobs.ledger.entries import Trail
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import month
from tests.contract.conftest import NOW, PRICE, Place, a_job, a_submission, created, ended, report_of, trail_of

ACCOUNT = a_submission().account
MILLION = 1_000_000
BORN = datetime(2027, 3, 31, 23, 30, tzinfo=UTC)  # it ends half an hour into April


def a_stray(
    number: int, *, has_quote: bool = True, key: str | None = None, status: str = "succeeded"
) -> Submission:
    """Return the submission that stands for a job of March, which ended in April."""
    job = a_job(number, status, created=BORN, trained_tokens=MILLION if status == "succeeded" else None)
    return a_submission(number, key=key, state="created", has_quote=has_quote, job=job)


def adopt(ledger: Ledger, *adopted: Submission) -> list[Trail]:
    asked = Asked(ACCOUNT, [each.job.id for each in adopted if each.job], [])
    return ledger.adopt_many(asked, lambda _: adopted, price_of=lambda _: PRICE, now=NOW)


def test_many_are_recorded_with_their_estimates_and_bills(ledger: Ledger) -> None:
    told = adopt(ledger, a_stray(1), a_stray(2, has_quote=False), a_stray(3, status="running"))
    assert ledger.trails() == told
    kinds = [[entry.kind for entry in trail.entries] for trail in told]
    assert kinds == [["estimate", "billed"], ["billed"], ["estimate"]]
    assert [trail.billed for trail in told] == [Usd.parse("3.00"), Usd.parse("3.00"), None]
    assert [trail.submission.id for trail in ledger.unsettled()] == [a_stray(3).id]


@pytest.mark.parametrize("has_quote", [True, False])
def test_a_bill_belongs_to_the_month_in_which_the_service_ended_the_job(ledger: Ledger, has_quote: bool) -> None:
    (trail,) = adopt(ledger, a_stray(1, has_quote=has_quote))
    bill = trail.entries[-1]
    assert (bill.occurred_at, bill.recorded_at) == (BORN + timedelta(hours=1), NOW)
    billed = [report_of(ledger, each).totals.billed for each in (month(2027, 3), month(2027, 4))]
    assert billed == [Usd(0), Usd.parse("3.00")]
    assert [line.trail for line in report_of(ledger, month(2027, 4)).lines] == [trail]
    assert report_of(ledger, month(2027, 6)).lines == ()


def test_without_a_price_there_is_no_bill_rather_than_one_of_nothing(ledger: Ledger) -> None:
    asked = Asked(ACCOUNT, [], [])
    (trail,) = ledger.adopt_many(asked, lambda _: [a_stray(1)], price_of=lambda _: None, now=NOW)
    assert (trail.billed, trail.settled) == (None, False)
    assert ledger.trails() == [trail]


def test_again_and_twice_at_once_it_changes_nothing(ledger: Ledger, place: Place) -> None:
    adopt(ledger, a_stray(1), replace(a_stray(1), id=a_stray(9).id))
    before = ledger.trails()
    assert len(before) == 1
    assert adopt(ledger, replace(a_stray(1), id=a_stray(8).id)) == []
    assert ledger.trails() == before
    assert place.sql("SELECT count(*) FROM entries") == [(2,)]


def test_what_is_adopted_is_settled_once_like_any_other(ledger: Ledger) -> None:
    (trail,) = adopt(ledger, a_stray(1))
    assert ledger.settle(trail.submission.id, PRICE, now=NOW) is None
    assert trail_of(ledger, trail.submission).billed == Usd.parse("3.00")


def test_a_key_is_held_once_whoever_comes_with_it(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    adopt(ledger, a_stray(2, key=mine.key), a_stray(3, key="e" * 64), a_stray(4, key="e" * 64))
    assert [getattr(ledger.holder(key), "id", None) for key in (mine.key, "e" * 64)] == [mine.id, a_stray(3).id]


def test_a_failed_job_holds_no_key(ledger: Ledger) -> None:
    adopt(ledger, a_stray(1, key="e" * 64, status="failed"), a_stray(2, key="e" * 64))
    holder = ledger.holder("e" * 64)
    assert holder is not None
    assert holder.id == a_stray(2).id


def test_whoever_rebuilds_is_told_what_the_ledger_knows(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    waiting, sent = a_submission(2), a_submission(3)
    elsewhere = replace(a_submission(4), account="another account")
    for each in (waiting, sent, elsewhere):
        ledger.record(each)
    ledger.begin_sending(sent.id, "recorded", now=NOW)
    told: list[Known] = []

    def rebuild(known: Known) -> Sequence[Submission]:
        told.append(known)
        return []

    asked = Asked(ACCOUNT, ["ftjob-0001", "ftjob-0009"], [mine.id, elsewhere.id, "01NOBODY"])
    ledger.adopt_many(asked, rebuild, price_of=lambda _: None, now=NOW)
    (known,) = told
    assert known.accounts == {"ftjob-0001": ACCOUNT}
    assert known.named == {mine.id: mine, elsewhere.id: elsewhere}
    assert [each.id for each in known.open] == [waiting.id, sent.id]


def test_trouble_on_the_way_leaves_the_ledger_as_it_was(ledger: Ledger) -> None:
    def no_price(_: Submission) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.adopt_many(Asked(ACCOUNT, [], []), lambda _: [a_stray(1)], price_of=no_price, now=NOW)
    assert ledger.trails() == []


def test_a_job_that_is_known_takes_over_the_key_of_what_it_replaces(ledger: Ledger) -> None:
    mine = a_submission(1)
    ledger.record(mine)
    adopt(ledger, a_stray(2, key=mine.key))
    ledger.adopt(a_stray(2, key=mine.key), replaces=mine.id, now=NOW)
    holder = ledger.holder(mine.key)
    assert holder is not None
    assert (holder.id, ledger.get(mine.id).state) == (a_stray(2).id, "abandoned")


OURS = a_submission(1).id
ECHOES = {
    "its own id": ({"metadata": {"ftjobs_submission": OURS}}, True),
    "another id": ({"metadata": {"ftjobs_submission": a_submission(2).id}}, False),
    "in another text": ({"user_provided_suffix": f'"metadata": {{"ftjobs_submission": "{OURS}"}}'}, False),
    "in another field": ({"method": {"ftjobs_submission": OURS}, "metadata": {"team": "search"}}, False),
    "as a value": ({"metadata": {"team": "ftjobs_submission"}}, False),
    "in no object": ({"metadata": ["ftjobs_submission", OURS]}, False),
}


@pytest.mark.parametrize(("fields", "is_kept"), ECHOES.values(), ids=ECHOES)
def test_an_account_keeps_metadata_only_where_a_job_echoes_its_own_submission(
    ledger: Ledger, fields: dict[str, Any], is_kept: bool
) -> None:
    ended(ledger, 2, trained_tokens=5)
    job = a_job(1, "succeeded", trained_tokens=5, **fields)
    adopt(ledger, a_submission(1, state="created", job=job))
    assert ledger.metadata_kept(ACCOUNT) is is_kept
    assert not ledger.metadata_kept("another account")


@pytest.mark.parametrize("raw", ["{bad", "[]", '"text"', "null", '{"metadata": ' + "[" * 100_000])
def test_a_damaged_row_echoes_nothing(ledger: Ledger, place: Place, raw: str) -> None:
    created(ledger, 1)
    place.sql("UPDATE jobs SET raw = :raw", raw=raw + '"ftjobs_submission"')
    assert not ledger.metadata_kept(ACCOUNT)
