"""Recording a submission: one key pays once, the budget is never overspent, and references find what they name."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import IntegrityError, StatementError

from ftjobs.errors import SpendRefusedError
from ftjobs.jobs.submission import State
from ftjobs.ledger.budget import Limit
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import month_of
from ftjobs.ranges import Range
from tests.contract.conftest import (
    NOW,
    PRICE,
    Crew,
    Place,
    a_job,
    a_submission,
    created,
    ended,
    trail_of,
)

KEY = f"{1:064x}"


def test_what_is_recorded_comes_back_the_same_from_a_ledger_opened_anew(ledger: Ledger, place: Place) -> None:
    submission = a_submission()
    recorded = ledger.record(submission)
    assert (recorded.is_new, recorded.submission, recorded.budgets) == (True, submission, ())
    assert place.open().get(submission.id) == submission


def test_the_estimate_is_recorded_with_its_bounds_and_its_price(ledger: Ledger) -> None:
    submission = a_submission(per_1m="3.00")
    ledger.record(submission)
    (entry,) = trail_of(ledger, submission).entries
    assert (entry.kind, entry.seq, entry.tokens) == ("estimate", 0, 800_000)
    assert entry.spread == Range(Usd.parse("1.50"), Usd.parse("2.40"), Usd.parse("3.00"))
    assert (entry.amount, entry.usd_per_1m) == (Usd.parse("2.40"), PRICE.usd_per_1m)
    assert (entry.price_list, entry.effective_from, entry.source) == ("openai", None, "a page")
    assert entry.occurred_at == entry.recorded_at == NOW


def test_a_submission_without_a_quote_is_not_recorded(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="quote"):
        ledger.record(a_submission(has_quote=False))
    assert ledger.trails() == []


def test_an_instant_without_a_zone_is_not_recorded(ledger: Ledger) -> None:
    naive = replace(a_submission(), recorded_at=NOW.replace(tzinfo=None))
    with pytest.raises(StatementError, match="aware"):
        ledger.record(naive)
    assert ledger.trails() == []


def test_instants_are_kept_to_the_microsecond_and_in_utc(ledger: Ledger) -> None:
    at = datetime(2027, 6, 1, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    ledger.record(a_submission(at=at))
    (trail,) = ledger.trails()
    assert trail.submission.recorded_at == at
    assert trail.submission.recorded_at.tzinfo is UTC


# One key, one job


def test_recording_a_live_key_again_answers_with_its_holder(ledger: Ledger) -> None:
    first, second = a_submission(1, key=KEY), a_submission(2, key=KEY)
    ledger.record(first)
    again = ledger.record(second)
    assert (again.is_new, again.submission) == (False, first)
    assert [trail.submission for trail in ledger.trails()] == [first]


@pytest.mark.parametrize("status", ["validating_files", "running", "paused", "a word of 2028", "succeeded"])
def test_a_live_or_succeeded_job_holds_its_key(ledger: Ledger, status: str) -> None:
    mine = created(ledger)
    ledger.see(a_job(status=status), now=NOW)
    answer = ledger.record(a_submission(2, key=mine.key))
    assert not answer.is_new
    assert answer.submission.job is not None
    assert (answer.submission.id, answer.submission.status) == (mine.id, status)


@pytest.mark.parametrize("status", ["failed", "cancelled", "canceled"])
def test_a_job_that_ended_without_a_model_frees_its_key(ledger: Ledger, status: str) -> None:
    mine = created(ledger)
    ledger.see(a_job(status=status), now=NOW)
    assert ledger.holder(mine.key) is None
    assert ledger.record(a_submission(2, key=mine.key)).is_new


@pytest.mark.parametrize("state", ["rejected", "abandoned"])
def test_a_submission_that_created_nothing_frees_its_key(ledger: Ledger, state: State) -> None:
    mine = a_submission()
    ledger.record(mine)
    ledger.close(mine.id, state, code="x", message="no", now=NOW)
    assert ledger.get(mine.id).state == state
    assert ledger.record(a_submission(2, key=mine.key)).is_new


@pytest.mark.parametrize("state", ["sending", "uncertain"])
def test_an_unanswered_submission_holds_its_key(ledger: Ledger, state: str) -> None:
    mine = a_submission()
    ledger.record(mine)
    ledger.begin_sending(mine.id, "recorded", now=NOW)
    if state == "uncertain":
        ledger.mark(mine.id, "uncertain", now=NOW, error="time-out")
    held = ledger.holder(mine.key)
    assert held is not None
    assert (held.id, held.state) == (mine.id, state)


INSERT_SUBMISSION = (
    "INSERT INTO submissions (id, key, holds_key, state, profile, account, recorded_at, tags)"
    " VALUES (:id, :key, :holds, 'recorded', 'openai', 'a', '2027-06-01T12:00:00.000000Z', '{}')"
)


def test_the_database_itself_refuses_a_second_live_submission_of_a_key(ledger: Ledger, place: Place) -> None:
    created(ledger)
    with pytest.raises(IntegrityError):
        place.sql(INSERT_SUBMISSION, id="second", key=KEY, holds=1)
    place.sql(INSERT_SUBMISSION, id="an old one", key=KEY, holds=0)
    place.sql(INSERT_SUBMISSION, id="another old one", key=KEY, holds=0)
    with pytest.raises(IntegrityError):
        place.sql("UPDATE submissions SET holds_key = 1 WHERE id = 'an old one'")


def test_the_database_itself_refuses_a_second_job_for_a_submission_and_a_job_without_one(
    ledger: Ledger, place: Place
) -> None:
    mine = created(ledger)
    insert = "INSERT INTO jobs (id, submission_id, raw, seen_at) VALUES (:id, :sub, '{}', '2027')"
    with pytest.raises(IntegrityError):
        place.sql(insert, id="ftjob-other", sub=mine.id)
    with pytest.raises(IntegrityError):
        place.sql(insert, id="ftjob-other", sub="nobody")


def test_of_many_processes_with_one_key_one_records_and_all_answer_with_it(place: Place, crew: Crew) -> None:
    place.open()
    told = crew.race(
        """
ledger = at(sys.argv[1]).open()
ready()
recorded = ledger.record(a_submission(int(sys.argv[2]), key="ab" * 32))
tell([recorded.is_new, recorded.submission.id])
""",
        times=8,
    )
    assert sum(is_new for is_new, _ in told) == 1
    assert len({submission_id for _, submission_id in told}) == 1
    assert len(place.open().trails()) == 1


# The budget


def test_the_budget_admits_to_the_last_nano_dollar_and_not_beyond(ledger: Ledger) -> None:
    limit = Limit(Usd.parse("6.00"))
    first = ledger.record(a_submission(1, per_1m="3.00"), limits=[limit])
    second = ledger.record(a_submission(2, per_1m="3.00"), limits=[limit])
    assert [state.headroom for state in (*first.budgets, *second.budgets)] == [Usd.parse("3.00"), Usd(0)]
    with pytest.raises(SpendRefusedError) as refused:
        ledger.record(a_submission(3, per_1m="0.000000001"), limits=[limit])
    assert refused.value.code == "over_budget"
    assert [trail.submission.key for trail in ledger.trails()] == [f"{1:064x}", f"{2:064x}"]


def test_a_key_that_is_held_is_answered_even_where_the_budget_is_used_up(ledger: Ledger) -> None:
    limit = Limit(Usd.parse("3.00"))
    mine = ledger.record(a_submission(1, key=KEY), limits=[limit]).submission
    again = ledger.record(a_submission(2, key=KEY), limits=[limit])
    assert (again.is_new, again.submission.id) == (False, mine.id)


def test_a_bill_replaces_its_commitment_and_a_void_gives_it_back(ledger: Ledger) -> None:
    billed, voided = ended(ledger, 1, trained_tokens=100_000), a_submission(2)
    ledger.record(voided)
    month, limit = month_of(NOW), Limit(Usd.parse("10.00"))
    before = ledger.budgets([limit], month)[0]
    ledger.settle(billed.id, PRICE, now=NOW)
    ledger.close(voided.id, "rejected", code="x", message="no", now=NOW)
    after = ledger.budgets([limit], month)[0]
    assert (before.billed, before.committed) == (Usd(0), Usd.parse("6.00"))
    assert (after.billed, after.committed) == (Usd.parse("0.30"), Usd(0))


def test_every_commitment_counts_against_this_month_but_only_its_own_bills(ledger: Ledger) -> None:
    october = datetime(2027, 10, 31, 23, 59, 59, tzinfo=UTC)
    november = october + timedelta(seconds=1)
    for number, finished in ((1, october), (2, november)):
        mine = ended(ledger, number, at=october - timedelta(days=1), finished=finished, trained_tokens=number)
        ledger.settle(mine.id, PRICE, now=november)
    created(ledger, 3, at=october - timedelta(days=60), per_1m="5.00")
    for instant, number in ((october, 1), (november, 2)):
        state = ledger.budgets([Limit(Usd.parse("10.00"))], month_of(instant))[0]
        assert (state.billed, state.committed) == (PRICE.usd_per_1m.cost(number), Usd.parse("5.00"))


@pytest.mark.parametrize("with_processes", [False, True], ids=["threads", "processes"])
def test_recording_at_once_never_exceeds_the_limit(place: Place, crew: Crew, with_processes: bool) -> None:
    """8 × 4 submissions of up to $1 meet a limit of $10.50: ten fit, and the rest are told why not."""
    ledger = place.open()
    if with_processes:
        told = crew.race(
            """
ledger, answers = at(sys.argv[1]).open(), []
from ftjobs.errors import FtjobsError
from ftjobs.ledger.budget import Limit
from ftjobs.money import Usd
ready()
for n in range(4):
    try:
        submission = a_submission(10 * int(sys.argv[2]) + n, per_1m="1.00")
        ledger.record(submission, limits=[Limit(Usd.parse("10.50"))])
        answers.append("recorded")
    except FtjobsError as error:
        answers.append(error.code)
tell(answers)
""",
            times=8,
        )
        answers = [answer for one in told for answer in one]
    else:
        start = threading.Barrier(8)

        def record(worker: int) -> list[str]:
            start.wait()
            found = []
            for n in range(4):
                try:
                    ledger.record(a_submission(10 * worker + n, per_1m="1.00"), limits=[Limit(Usd.parse("10.50"))])
                    found.append("recorded")
                except SpendRefusedError as error:
                    found.append(error.code)
            return found

        with ThreadPoolExecutor(8) as pool:
            answers = [answer for one in pool.map(record, range(8)) for answer in one]
    assert sorted(answers) == ["over_budget"] * 22 + ["recorded"] * 10
    state = ledger.budgets([Limit(Usd.parse("10.50"))], month_of(NOW))[0]
    assert (state.committed, state.headroom) == (Usd.parse("10.00"), Usd.parse("0.50"))
