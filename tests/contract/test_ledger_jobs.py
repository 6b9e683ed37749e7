"""Jobs: attached once, adopted with what they bring, and found by what names them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ftjobs.errors import LedgerError, UsageError
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

# States


@pytest.mark.parametrize("state", ["rejected", "abandoned"])
def test_closing_voids_the_estimate_once(ledger: Ledger, state: State) -> None:
    mine = a_submission()
    ledger.record(mine)
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
    place.open().record(mine)
    told = crew.race(
        """
from ftjobs.errors import LedgerError
ledger = at(sys.argv[1]).open()
ready()
try:
    ledger.begin_sending(a_submission().id, "recorded", now=NOW)
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
    ledger.record(mine)
    if end == "created":
        ledger.attach(mine.id, a_job(), now=NOW)
    else:
        ledger.close(mine.id, end, code="x", message="no", now=NOW)
    before = ledger.trails()
    attempts: list[Callable[[], None]] = [
        lambda: ledger.begin_sending(mine.id, "recorded", now=NOW),
        lambda: ledger.mark(mine.id, "uncertain", now=NOW, error="late"),
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
    ledger.record(mine)
    ledger.mark(mine.id, "uncertain", now=NOW, error="time-out")
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
    ledger.record(other)
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
    ledger.files.remember("file-1", account="a", sha256="x", now=NOW)
    ledger.files.remember("file-2", account="a", sha256="x", now=NOW + timedelta(seconds=1))
    ledger.files.remember("file-1", account="a", sha256="x", now=NOW + timedelta(days=1))
    assert ledger.files.known("a", "x") == "file-2"
    assert ledger.files.known("b", "x") is None
    assert ledger.files.known("a", "y") is None


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
    answer = ledger.record(a_submission(3, key=mine.key))
    assert (answer.is_new, answer.submission.id) == (False, twin.id)
    ledger.see(a_job(2, "failed"), now=NOW)
    assert ledger.record(a_submission(3, key=mine.key)).is_new


def test_a_failed_job_that_is_seen_again_takes_the_key_from_nobody(ledger: Ledger) -> None:
    mine = created(ledger, 1)
    ledger.see(a_job(1, "failed"), now=NOW)
    holder = a_submission(2, key=mine.key)
    ledger.record(holder)
    ledger.adopt(a_submission(3, key=mine.key, state="created", job=a_job(3)), replaces=None, now=NOW)
    ledger.see(a_job(1, "failed", trained_tokens=7), now=NOW)
    assert ledger.holder(mine.key) == holder


def test_adopting_what_a_submission_would_have_created_replaces_it(ledger: Ledger) -> None:
    mine = a_submission(1)
    ledger.record(mine, limits=[Limit(Usd.parse("3.00"))])
    found = a_submission(2, key=mine.key, state="created", job=a_job(2))
    ledger.adopt(found, replaces=mine.id, now=NOW)
    assert (ledger.get(mine.id).state, trail_of(ledger, mine).voided) == ("abandoned", True)
    holder = ledger.holder(mine.key)
    assert holder is not None
    assert holder.id == found.id
    assert ledger.budgets([Limit(Usd.parse("3.00"))], month_of(NOW))[0].headroom == Usd(0)


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
