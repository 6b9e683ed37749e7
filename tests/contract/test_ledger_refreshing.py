"""Many jobs at once come to what each by itself comes to: states, bills, keys; whole or not at all."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import BillingPrice
from ftjobs.ledger.store import Ledger
from tests.contract.conftest import NOW, PRICE, Crew, Place, a_job, a_submission, created, ended, trail_of

LATER = NOW + timedelta(hours=2)


def priced(_: Submission) -> BillingPrice:
    return PRICE


def unpriced(_: Submission) -> None:
    return None


def several(ledger: Ledger) -> list[Job]:
    """Return the newest states of five jobs that the ledger has as running."""
    for number in range(1, 6):
        created(ledger, number)
    return [
        a_job(1, "succeeded", trained_tokens=2_000_000),
        a_job(2, "failed"),
        a_job(3, "running", trained_tokens=7),
        a_job(4, "cancelled", trained_tokens=1_000),
        a_job(5, "paused by somebody"),
    ]


def test_a_batch_comes_to_what_each_by_itself_comes_to(ledger: Ledger, tmp_path: Path) -> None:
    one_by_one = Ledger(tmp_path / "another.sqlite3", stamp="real")
    found = several(ledger)
    seen = ledger.refresh(found, price_of=priced, now=LATER)
    several(one_by_one)
    for job in found:
        one_by_one.see(job, now=LATER)
        owner = one_by_one.owner_of(job.id)
        assert owner is not None
        one_by_one.settle(owner, PRICE, now=LATER)
    assert ledger.trails() == one_by_one.trails()
    assert [each.submission.status for each in seen] == [job.status for job in found]
    assert [each.was for each in seen] == ["running"] * 5
    assert [each.billed.tokens if each.billed else None for each in seen] == [2_000_000, None, None, 1_000, None]


def test_again_it_changes_nothing(ledger: Ledger) -> None:
    found = several(ledger)
    ledger.refresh(found, price_of=priced, now=LATER)
    before = ledger.trails()
    again = ledger.refresh(found, price_of=priced, now=LATER)
    assert [each.billed for each in again if each.billed] == []
    assert ledger.trails() == before


def test_a_job_that_is_as_it_was_is_not_written(ledger: Ledger, place: Place) -> None:
    created(ledger, 1)
    before = place.sql("SELECT * FROM jobs")
    assert ledger.refresh([a_job(1, "running")], price_of=priced, now=LATER) == []
    assert place.sql("SELECT * FROM jobs") == before


def test_an_answer_that_an_end_overtook_changes_nothing(ledger: Ledger) -> None:
    mine = ended(ledger, 1, trained_tokens=5)
    assert ledger.refresh([a_job(1, "running")], price_of=priced, now=LATER) == []
    assert ledger.get(mine.id) == mine


def test_an_ended_job_whose_price_becomes_known_is_billed_though_it_is_as_it_was(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    end = a_job(1, "succeeded", trained_tokens=5)
    ledger.refresh([end], price_of=unpriced, now=LATER)
    assert not trail_of(ledger, mine).settled
    ledger.refresh([end], price_of=priced, now=LATER)
    assert trail_of(ledger, mine).settled


def test_jobs_that_the_ledger_does_not_know_are_passed_by(ledger: Ledger) -> None:
    created(ledger, 1)
    seen = ledger.refresh([a_job(9), a_job(1, "succeeded", trained_tokens=5)], price_of=priced, now=LATER)
    assert [each.submission.job.id for each in seen if each.submission.job] == ["ftjob-0001"]
    assert ledger.refresh([], price_of=priced, now=LATER) == []


def test_a_job_that_failed_frees_its_key(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    ledger.refresh([a_job(1, "failed")], price_of=priced, now=LATER)
    assert ledger.holder(mine.key) is None


def test_a_job_is_missing_after_two_misses_in_a_row_and_never_once_it_has_ended(ledger: Ledger) -> None:
    mine, done = created(ledger, 1), ended(ledger, 2, trained_tokens=None)
    for words in (("running", "succeeded"), ("missing", "succeeded")):
        ledger.miss(["ftjob-0001", "ftjob-0002"], now=NOW)
        assert (ledger.get(mine.id).status, ledger.get(done.id).status) == words
    assert (ledger.get(mine.id).is_over, ledger.holder(mine.key)) == (True, ledger.get(mine.id))
    ledger.refresh([a_job(1, "running")], price_of=priced, now=LATER)
    assert (ledger.get(mine.id).status, ledger.get(mine.id).missed) == ("running", 0)


def test_a_look_by_itself_ends_the_misses_too(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    ledger.miss(["ftjob-0001"], now=NOW)
    ledger.see(a_job(1, "running"), now=LATER)
    ledger.miss(["ftjob-0001"], now=NOW)
    assert ledger.get(mine.id).status == "running"


def test_processes_that_refresh_at_once_bill_once(ledger: Ledger, crew: Crew) -> None:
    found = several(ledger)
    told = crew.race(
        """
ledger = at(sys.argv[1]).open()
ready()
found = [
    a_job(1, "succeeded", trained_tokens=2_000_000), a_job(4, "cancelled", trained_tokens=1_000),
    a_job(2, "failed"),
]
tell(sum(bool(each.billed) for each in ledger.refresh(found, price_of=lambda _: PRICE, now=NOW)))
""",
        4,
    )
    assert sum(told) == 2
    assert sum(trail.settled for trail in ledger.trails()) == 2
    assert len(found) == 5


def test_a_process_that_is_killed_while_it_bills_leaves_nothing_of_the_batch(ledger: Ledger, crew: Crew) -> None:
    several(ledger)
    before = ledger.trails()
    process = crew.start(
        """
import os
os.environ["FTJOBS_FAILPOINT"] = "bill.settling:kill"
ledger = at(sys.argv[1]).open()
ledger.refresh([a_job(1, "succeeded", trained_tokens=5), a_job(2, "failed")], price_of=lambda _: PRICE, now=NOW)
"""
    )
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert ledger.trails() == before


def test_a_voided_submission_is_no_trouble(ledger: Ledger) -> None:
    ledger.record(a_submission(7))
    ledger.close(a_submission(7).id, "rejected", code="no", message="no", now=NOW)
    ledger.attach(a_submission(7).id, a_job(7), now=NOW)
    (seen,) = ledger.refresh([a_job(7, "succeeded", trained_tokens=5)], price_of=priced, now=LATER)
    assert seen.billed is not None
