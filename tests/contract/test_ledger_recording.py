"""Recording a submission: one key pays once, the budget is never overspent, and references find what they name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import IntegrityError, StatementError

from ftjobs.errors import LedgerError, SpendRefusedError, UsageError
from ftjobs.jobs.submission import State
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
    recorded = ledger.record(submission, monthly_limit=None)
    assert (recorded.is_new, recorded.submission, recorded.budget) == (True, submission, None)
    assert place.open().get(submission.id) == submission


def test_the_estimate_is_recorded_with_its_bounds_and_its_price(ledger: Ledger) -> None:
    submission = a_submission(per_1m="3.00")
    ledger.record(submission, monthly_limit=None)
    (entry,) = trail_of(ledger, submission).entries
    assert (entry.kind, entry.seq, entry.tokens) == ("estimate", 0, 800_000)
    assert entry.spread == Range(Usd.parse("1.50"), Usd.parse("2.40"), Usd.parse("3.00"))
    assert (entry.amount, entry.usd_per_1m) == (Usd.parse("2.40"), PRICE.usd_per_1m)
    assert (entry.price_list, entry.effective_from, entry.source) == ("openai", None, "a page")
    assert entry.occurred_at == entry.recorded_at == NOW


def test_a_submission_without_a_quote_is_not_recorded(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="quote"):
        ledger.record(a_submission(has_quote=False), monthly_limit=None)
    assert ledger.trails() == []


def test_an_instant_without_a_zone_is_not_recorded(ledger: Ledger) -> None:
    naive = replace(a_submission(), recorded_at=NOW.replace(tzinfo=None))
    with pytest.raises(StatementError, match="aware"):
        ledger.record(naive, monthly_limit=None)
    assert ledger.trails() == []


def test_instants_are_kept_to_the_microsecond_and_in_utc(ledger: Ledger) -> None:
    at = datetime(2027, 6, 1, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    ledger.record(a_submission(at=at), monthly_limit=None)
    (trail,) = ledger.trails()
    assert trail.submission.recorded_at == at
    assert trail.submission.recorded_at.tzinfo is UTC


# One key, one job


def test_recording_a_live_key_again_answers_with_its_holder(ledger: Ledger) -> None:
    first, second = a_submission(1, key=KEY), a_submission(2, key=KEY)
    ledger.record(first, monthly_limit=None)
    again = ledger.record(second, monthly_limit=None)
    assert (again.is_new, again.submission) == (False, first)
    assert [trail.submission for trail in ledger.trails()] == [first]


@pytest.mark.parametrize("status", ["validating_files", "running", "paused", "a word of 2028", "succeeded"])
def test_a_live_or_succeeded_job_holds_its_key(ledger: Ledger, status: str) -> None:
    mine = created(ledger)
    ledger.see(a_job(status=status), now=NOW)
    answer = ledger.record(a_submission(2, key=mine.key), monthly_limit=None)
    assert not answer.is_new
    assert answer.submission.job is not None
    assert (answer.submission.id, answer.submission.status) == (mine.id, status)


@pytest.mark.parametrize("status", ["failed", "cancelled", "canceled"])
def test_a_job_that_ended_without_a_model_frees_its_key(ledger: Ledger, status: str) -> None:
    mine = created(ledger)
    ledger.see(a_job(status=status), now=NOW)
    assert ledger.holder(mine.key) is None
    assert ledger.record(a_submission(2, key=mine.key), monthly_limit=None).is_new


@pytest.mark.parametrize("state", ["rejected", "abandoned"])
def test_a_submission_that_created_nothing_frees_its_key(ledger: Ledger, state: State) -> None:
    mine = a_submission()
    ledger.record(mine, monthly_limit=None)
    ledger.close(mine.id, state, code="x", message="no", now=NOW)
    assert ledger.get(mine.id).state == state
    assert ledger.record(a_submission(2, key=mine.key), monthly_limit=None).is_new


@pytest.mark.parametrize("state", ["sending", "uncertain"])
def test_an_unanswered_submission_holds_its_key(ledger: Ledger, state: str) -> None:
    mine = a_submission()
    ledger.record(mine, monthly_limit=None)
    ledger.begin_sending(mine.id, "recorded")
    if state == "uncertain":
        ledger.mark(mine.id, "uncertain", error="time-out")
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
ledger = SqlitePlace(Path(sys.argv[1])).open()
ready()
recorded = ledger.record(a_submission(int(sys.argv[2]), key="ab" * 32), monthly_limit=None)
tell([recorded.is_new, recorded.submission.id])
""",
        times=8,
    )
    assert sum(is_new for is_new, _ in told) == 1
    assert len({submission_id for _, submission_id in told}) == 1
    assert len(place.open().trails()) == 1


# The budget


def test_the_budget_admits_to_the_last_nano_dollar_and_not_beyond(ledger: Ledger) -> None:
    limit = Usd.parse("6.00")
    first = ledger.record(a_submission(1, per_1m="3.00"), monthly_limit=limit)
    second = ledger.record(a_submission(2, per_1m="3.00"), monthly_limit=limit)
    assert first.budget is not None
    assert second.budget is not None
    assert (first.budget.headroom, second.budget.headroom) == (Usd.parse("3.00"), Usd(0))
    with pytest.raises(SpendRefusedError) as refused:
        ledger.record(a_submission(3, per_1m="0.000000001"), monthly_limit=limit)
    assert refused.value.code == "over_budget"
    assert [trail.submission.key for trail in ledger.trails()] == [f"{1:064x}", f"{2:064x}"]


def test_a_key_that_is_held_is_answered_even_where_the_budget_is_used_up(ledger: Ledger) -> None:
    limit = Usd.parse("3.00")
    mine = ledger.record(a_submission(1, key=KEY), monthly_limit=limit).submission
    again = ledger.record(a_submission(2, key=KEY), monthly_limit=limit)
    assert (again.is_new, again.submission.id) == (False, mine.id)


def test_a_bill_replaces_its_commitment_and_a_void_gives_it_back(ledger: Ledger) -> None:
    billed, voided = ended(ledger, 1, trained_tokens=100_000), a_submission(2)
    ledger.record(voided, monthly_limit=None)
    month, limit = month_of(NOW), Usd.parse("10.00")
    before = ledger.budget(limit, month)
    ledger.settle(billed.id, PRICE, now=NOW)
    ledger.close(voided.id, "rejected", code="x", message="no", now=NOW)
    after = ledger.budget(limit, month)
    assert (before.billed, before.committed) == (Usd(0), Usd.parse("6.00"))
    assert (after.billed, after.committed) == (Usd.parse("0.30"), Usd(0))


def test_every_commitment_counts_against_this_month_but_only_its_own_bills(ledger: Ledger) -> None:
    october = datetime(2027, 10, 31, 23, 59, 59, tzinfo=UTC)
    november = october + timedelta(seconds=1)
    for number, finished in ((1, october), (2, november)):
        mine = ended(ledger, number, at=october - timedelta(days=1), finished=finished, trained_tokens=number)
        ledger.settle(mine.id, PRICE, now=november)
    created(ledger, 3, at=october - timedelta(days=60), per_1m="5.00")
    state = ledger.budget(Usd.parse("10.00"), month_of(november))
    assert (state.billed, state.committed) == (PRICE.usd_per_1m.cost(2), Usd.parse("5.00"))


@pytest.mark.parametrize("with_processes", [False, True], ids=["threads", "processes"])
def test_recording_at_once_never_exceeds_the_limit(place: Place, crew: Crew, with_processes: bool) -> None:
    """8 × 4 submissions of up to $1 meet a limit of $10.50: ten fit, and the rest are told why not."""
    ledger = place.open()
    if with_processes:
        told = crew.race(
            """
ledger, answers = SqlitePlace(Path(sys.argv[1])).open(), []
from ftjobs.errors import FtjobsError
from ftjobs.money import Usd
ready()
for n in range(4):
    try:
        submission = a_submission(10 * int(sys.argv[2]) + n, per_1m="1.00")
        ledger.record(submission, monthly_limit=Usd.parse("10.50"))
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
                    ledger.record(a_submission(10 * worker + n, per_1m="1.00"), monthly_limit=Usd.parse("10.50"))
                    found.append("recorded")
                except SpendRefusedError as error:
                    found.append(error.code)
            return found

        with ThreadPoolExecutor(8) as pool:
            answers = [answer for one in pool.map(record, range(8)) for answer in one]
    assert sorted(answers) == ["over_budget"] * 22 + ["recorded"] * 10
    state = ledger.budget(Usd.parse("10.50"), month_of(NOW))
    assert (state.committed, state.headroom) == (Usd.parse("10.00"), Usd.parse("0.50"))


# States


@pytest.mark.parametrize("state", ["rejected", "abandoned"])
def test_closing_voids_the_estimate_once(ledger: Ledger, state: State) -> None:
    mine = a_submission()
    ledger.record(mine, monthly_limit=None)
    later = NOW + timedelta(minutes=1)
    ledger.close(mine.id, state, code="no_access", message="no", now=later)
    with pytest.raises(LedgerError):
        ledger.close(mine.id, state, code="no_access", message="no", now=later)
    trail = trail_of(ledger, mine)
    estimate, void = trail.entries
    assert (void.kind, void.amount, void.tokens) == ("void", -estimate.amount, -800_000)
    assert void.spread == Range(-Usd.parse("3.00"), -Usd.parse("2.40"), -Usd.parse("1.50"))
    assert (void.occurred_at, void.recorded_at, void.source) == (later, later, f"{state}: no_access")
    assert (trail.voided, trail.settled, trail.commitment, trail.billed) == (True, True, Usd(0), None)
    assert (trail.submission.error_code, trail.submission.error_message) == ("no_access", "no")


def test_only_one_process_can_commit_to_sending(place: Place, crew: Crew) -> None:
    mine = a_submission()
    place.open().record(mine, monthly_limit=None)
    told = crew.race(
        """
from ftjobs.errors import LedgerError
ledger = SqlitePlace(Path(sys.argv[1])).open()
ready()
try:
    ledger.begin_sending(a_submission().id, "recorded")
    tell("sends")
except LedgerError as error:
    tell(error.code)
""",
        times=4,
    )
    assert sorted(told) == ["sends", *["submission_changed"] * 3]


@pytest.mark.parametrize("end", ["created", "rejected", "abandoned"])
def test_what_was_completed_is_not_sent_marked_or_closed_any_more(ledger: Ledger, end: State) -> None:
    mine = a_submission()
    ledger.record(mine, monthly_limit=None)
    if end == "created":
        ledger.attach(mine.id, a_job(), now=NOW)
    else:
        ledger.close(mine.id, end, code="x", message="no", now=NOW)
    before = ledger.trails()
    attempts: list[Callable[[], None]] = [
        lambda: ledger.begin_sending(mine.id, "recorded"),
        lambda: ledger.mark(mine.id, "uncertain", error="late"),
        lambda: ledger.set_files(mine.id, training="file-2", validation=None),
        lambda: ledger.close(mine.id, "rejected", code="x", message="late", now=NOW),
    ]
    for attempt in attempts:
        with pytest.raises(LedgerError) as refused:
            attempt()
        assert refused.value.code == "submission_changed"
    assert ledger.trails() == before


def test_an_answer_that_was_overtaken_does_not_bring_an_ended_job_back(ledger: Ledger) -> None:
    mine = ended(ledger, trained_tokens=5)
    ledger.see(a_job(1, "running"), now=NOW)
    ledger.attach(mine.id, a_job(1, "queued"), now=NOW)
    assert ledger.get(mine.id) == mine


def test_a_job_is_attached_once_and_then_only_refreshed(ledger: Ledger) -> None:
    mine = a_submission()
    ledger.record(mine, monthly_limit=None)
    ledger.mark(mine.id, "uncertain", error="time-out")
    ledger.attach(mine.id, a_job(1, "queued"), now=NOW)
    ledger.attach(mine.id, a_job(1, "running"), now=NOW)
    now = ledger.get(mine.id)
    assert (now.state, now.status, now.error_message) == ("created", "running", None)
    with pytest.raises(ValueError, match="ftjob-0001"):
        ledger.attach(mine.id, a_job(2), now=NOW)
    assert ledger.get(mine.id) == now


def test_a_job_that_a_submission_has_cannot_become_anothers(ledger: Ledger) -> None:
    created(ledger, 1)
    other = a_submission(2)
    ledger.record(other, monthly_limit=None)
    with pytest.raises((LedgerError, ValueError)):
        ledger.attach(other.id, a_job(1), now=NOW)
    assert ledger.get(other.id) == other


def test_a_recorded_job_tells_its_submission(ledger: Ledger) -> None:
    mine = created(ledger)
    assert (ledger.owner_of("ftjob-0001"), ledger.owner_of("ftjob-000")) == (mine.id, None)


def test_the_whole_job_object_is_kept(ledger: Ledger) -> None:
    mine = created(ledger)
    ledger.see(a_job(hyperparameters={"n_epochs": 4}, a_field_of_2028=[1, None, "ü"]), now=NOW)
    job = ledger.get(mine.id).job
    assert job is not None
    assert (job.n_epochs, job.raw["a_field_of_2028"]) == (4, [1, None, "ü"])


def test_files_are_remembered_by_account_and_bytes_the_newest_first(ledger: Ledger) -> None:
    ledger.remember_file("file-1", account="a", sha256="x", now=NOW)
    ledger.remember_file("file-2", account="a", sha256="x", now=NOW + timedelta(seconds=1))
    ledger.remember_file("file-1", account="a", sha256="x", now=NOW + timedelta(days=1))
    assert ledger.known_file("a", "x") == "file-2"
    assert ledger.known_file("b", "x") is None
    assert ledger.known_file("a", "y") is None


def test_an_account_is_known_to_keep_metadata_once_a_job_came_back_with_ours(ledger: Ledger) -> None:
    mine = created(ledger)
    assert not ledger.metadata_kept(mine.account)
    ledger.see(a_job(metadata={"ftjobs_submission": mine.id}), now=NOW)
    assert ledger.metadata_kept(mine.account)
    assert not ledger.metadata_kept("another account")


# Adopting


def test_an_adopted_job_with_a_quote_brings_its_estimate_dated_at_its_creation(ledger: Ledger) -> None:
    born = datetime(2027, 5, 31, 23, 59, 59, tzinfo=UTC)
    adopted = a_submission(state="created", job=a_job(created=born))
    ledger.adopt(adopted, replaces=None, now=NOW)
    (entry,) = trail_of(ledger, adopted).entries
    assert (entry.kind, entry.occurred_at, entry.recorded_at) == ("estimate", born, NOW)
    assert ledger.get(adopted.id) == adopted
    assert ledger.holder(adopted.key) == adopted


def test_an_adopted_job_without_a_quote_has_no_estimate_and_is_billed_all_the_same(ledger: Ledger) -> None:
    job = a_job(status="succeeded", trained_tokens=1_000_000)
    adopted = a_submission(state="created", has_quote=False, job=job)
    ledger.adopt(adopted, replaces=None, now=NOW)
    before = trail_of(ledger, adopted)
    assert (before.estimate, before.commitment, before.settled) == (None, Usd(0), False)
    assert ledger.settle(adopted.id, PRICE, now=NOW) is not None
    assert trail_of(ledger, adopted).billed == Usd.parse("3.00")


def test_a_twin_has_a_submission_of_its_own_and_is_paid_for(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    twin = a_submission(2, key=mine.key, state="created", job=a_job(2))
    ledger.adopt(twin, replaces=None, now=NOW)
    assert [trail.commitment for trail in ledger.trails()] == [Usd.parse("3.00")] * 2
    holder = ledger.holder(mine.key)
    assert holder is not None
    assert holder.id == mine.id


def test_a_twin_that_lives_on_holds_the_key_when_the_first_job_fails(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    twin = a_submission(2, key=mine.key, state="created", job=a_job(2))
    ledger.adopt(twin, replaces=None, now=NOW)
    ledger.see(a_job(1, "failed"), now=NOW)
    answer = ledger.record(a_submission(3, key=mine.key), monthly_limit=None)
    assert (answer.is_new, answer.submission.id) == (False, twin.id)
    ledger.see(a_job(2, "failed"), now=NOW)
    assert ledger.record(a_submission(3, key=mine.key), monthly_limit=None).is_new


def test_a_failed_job_that_is_seen_again_takes_the_key_from_nobody(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    ledger.see(a_job(1, "failed"), now=NOW)
    holder = a_submission(2, key=mine.key)
    ledger.record(holder, monthly_limit=None)
    ledger.adopt(a_submission(3, key=mine.key, state="created", job=a_job(3)), replaces=None, now=NOW)
    ledger.see(a_job(1, "failed", trained_tokens=7), now=NOW)
    assert ledger.holder(mine.key) == holder


def test_adopting_what_a_submission_would_have_created_replaces_it(ledger: Ledger) -> None:
    mine = a_submission(1)
    ledger.record(mine, monthly_limit=Usd.parse("3.00"))
    found = a_submission(2, key=mine.key, state="created", job=a_job(2))
    ledger.adopt(found, replaces=mine.id, now=NOW)
    assert (ledger.get(mine.id).state, trail_of(ledger, mine).voided) == ("abandoned", True)
    holder = ledger.holder(mine.key)
    assert holder is not None
    assert holder.id == found.id
    assert ledger.budget(Usd.parse("3.00"), month_of(NOW)).headroom == Usd(0)


def test_adopting_a_known_job_again_changes_nothing(ledger: Ledger) -> None:
    created(ledger, 1)
    before = ledger.trails()
    ledger.adopt(a_submission(2, state="created", job=a_job(1, "queued")), replaces=None, now=NOW)
    assert ledger.trails() == before


def test_a_failed_job_is_adopted_without_holding_its_key(ledger: Ledger) -> None:
    adopted = a_submission(state="created", job=a_job(status="failed"))
    ledger.adopt(adopted, replaces=None, now=NOW)
    assert ledger.holder(adopted.key) is None


def test_only_a_job_can_be_adopted(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="job"):
        ledger.adopt(a_submission(state="created"), replaces=None, now=NOW)


# References


def test_a_job_is_found_by_either_id_by_a_prefix_of_either_and_as_last(ledger: Ledger) -> None:
    old = created(ledger, 1, at=NOW - timedelta(days=400))
    new = created(ledger, 2)
    for reference in (old.id, "ftjob-0001", old.id[:3].lower(), old.id[:-1]):
        assert ledger.find(reference) == old, reference
    for reference in (new.id, "ftjob-0002", new.id[:3], "last"):
        assert ledger.find(reference) == new, reference


def test_last_is_the_newest_of_several_recorded_at_one_instant(ledger: Ledger) -> None:
    for number in (2, 3, 1):
        created(ledger, number)
    assert ledger.find("last").id == a_submission(3).id


def test_an_id_that_is_the_beginning_of_another_names_its_own_job(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    longer = a_submission(2, state="created", job=a_job(2, id="ftjob-00011"))
    ledger.adopt(longer, replaces=None, now=NOW)
    assert ledger.find("ftjob-0001").id == mine.id


def test_a_prefix_of_several_is_refused_with_their_number(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        created(ledger, number)
    with pytest.raises(UsageError) as refused:
        ledger.find("ftjob-")
    assert refused.value.code == "ambiguous_job"
    assert "3 jobs" in refused.value.message


NO_REFERENCES = ["%", "_", "ftjob-%", "ftjob_0001", "ftjob-000_", "/", "\\", "", "nobody", "\udcff", "\0"]


@pytest.mark.parametrize("reference", NO_REFERENCES)
def test_a_reference_is_no_pattern(ledger: Ledger, reference: str) -> None:
    created(ledger, 1)
    with pytest.raises(UsageError) as refused:
        ledger.find(reference)
    assert refused.value.code == "unknown_job"


@pytest.mark.parametrize("job_id", ["ft%job-1", "ft_job-1", "ft/job-1"])
def test_characters_that_a_pattern_gives_meaning_to_are_found_as_themselves(ledger: Ledger, job_id: str) -> None:
    created(ledger, 1)
    odd = a_submission(2, state="created", job=a_job(2, id=job_id))
    ledger.adopt(odd, replaces=None, now=NOW)
    assert ledger.find(job_id[:3]).id == odd.id


def test_last_of_an_empty_ledger_is_nobody(ledger: Ledger) -> None:
    with pytest.raises(UsageError) as refused:
        ledger.find("last")
    assert refused.value.code == "unknown_job"


def test_a_submission_that_is_not_there_is_an_error_that_names_it(ledger: Ledger) -> None:
    with pytest.raises(LedgerError) as missing:
        ledger.get("01NOBODY")
    assert missing.value.details == {"submission_id": "01NOBODY"}
    assert not ledger.knows_submission("01NOBODY")
