"""Budgets of a profile and of a tag: each gates alone, in the transaction that records, and says what holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ftjobs.errors import SpendRefusedError
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.budget import Limit
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import month_of
from tests.contract.conftest import NOW, PRICE, Crew, Place, a_job, a_submission

SEARCH = ("team", "search")


def submission_of(
    number: int, dollars: str, *, profile: str = "openai", tags: Mapping[str, str] | None = None
) -> Submission:
    return replace(a_submission(number, per_1m=dollars), profile=profile, tags=tags or {})


def usd(text: str) -> Usd:
    return Usd.parse(text)


def refusal(ledger: Ledger, submission: Submission, *limits: Limit) -> SpendRefusedError:
    with pytest.raises(SpendRefusedError) as refused:
        ledger.record(submission, limits=limits)
    return refused.value


def test_the_budget_of_a_tag_counts_the_submissions_with_that_tag_alone(ledger: Ledger) -> None:
    limit = Limit(usd("5.00"), tag=SEARCH)
    ledger.record(submission_of(1, "4.00", tags={"team": "ads"}), limits=[limit])
    ledger.record(submission_of(2, "3.00", tags={"team": "search", "x": "y"}), limits=[limit])
    ledger.record(submission_of(3, "9.00"), limits=[limit])
    assert ledger.budgets([limit], month_of(NOW))[0].committed == usd("3.00")
    refused = refusal(ledger, submission_of(4, "2.01", tags={"team": "search"}), limit)
    assert (refused.code, refused.exit_code) == ("over_budget", 5)
    ledger.record(submission_of(5, "2.00", tags={"team": "search"}), limits=[limit])


def test_the_budget_of_a_profile_counts_its_submissions_alone(ledger: Ledger) -> None:
    limit = Limit(usd("5.00"), profile="azure-eu")
    ledger.record(submission_of(1, "9.00"), limits=[limit])
    ledger.record(submission_of(2, "5.00", profile="azure-eu"), limits=[limit])
    assert refusal(ledger, submission_of(3, "0.01", profile="azure-eu"), limit).details["profile"] == "azure-eu"


def test_every_budget_that_covers_a_submission_must_have_room_for_it(ledger: Ledger) -> None:
    limits = [Limit(usd("9.00")), Limit(usd("5.00"), profile="openai"), Limit(usd("2.00"), tag=SEARCH)]
    tagged = submission_of(1, "2.50", tags={"team": "search"})
    assert refusal(ledger, tagged, *limits).details["tag"] == "team=search"
    assert ledger.trails() == []
    recorded = ledger.record(replace(tagged, tags={}), limits=limits)
    assert [(each.limit.usd, each.headroom) for each in recorded.budgets] == [
        (usd("9.00"), usd("6.50")),
        (usd("5.00"), usd("2.50")),
    ]


def test_bills_count_against_the_budgets_that_cover_their_submission(ledger: Ledger) -> None:
    mine = submission_of(1, "3.00", tags={"team": "search"})
    ledger.record(mine)
    ledger.attach(mine.id, a_job(1, "succeeded", trained_tokens=100_000), now=NOW)
    ledger.settle(mine.id, PRICE, now=NOW)
    for limit, billed in (
        (Limit(usd("5.00"), tag=SEARCH), "0.30"),
        (Limit(usd("5.00"), tag=("team", "ads")), "0"),
        (Limit(usd("5.00"), profile="openai"), "0.30"),
        (Limit(usd("5.00"), profile="azure-eu"), "0"),
        (Limit(usd("5.00")), "0.30"),
    ):
        state = ledger.budgets([limit], month_of(NOW))[0]
        assert (state.billed, state.committed, state.held_by) == (usd(billed), Usd(0), ())


def test_a_refusal_names_what_holds_the_budget_the_largest_first(ledger: Ledger) -> None:
    limit = Limit(usd("10.00"))
    for number in range(1, 9):
        ledger.record(submission_of(number, f"{number}.10" if number < 4 else "0.50"))
    refused = refusal(ledger, submission_of(9, "5.00"), limit)
    held_by = refused.details["held_by"]
    assert isinstance(held_by, list)
    assert [each["commitment_usd"] for each in held_by] == ["3.10", "2.10", "1.10", "0.50", "0.50"]
    assert {"submission_id", "job_id", "status"} < set(held_by[0])
    assert held_by[0]["submission_id"] in refused.message
    assert "3 more" in refused.message


def test_submitting_at_once_never_exceeds_the_budget_of_a_tag(place: Place, crew: Crew) -> None:
    """8 × 4 submissions of up to $1 each, half of them tagged: ten of those meet their limit of $10.50."""
    ledger = place.open()
    told = crew.race(
        """
from dataclasses import replace
from ftjobs.errors import FtjobsError
from ftjobs.ledger.budget import Limit
from ftjobs.money import Usd
ledger, answers = at(sys.argv[1]).open(), []
ready()
for n in range(4):
    tags = {"team": "search"} if n % 2 else {}
    submission = replace(a_submission(10 * int(sys.argv[2]) + n, per_1m="1.00"), tags=tags)
    try:
        ledger.record(submission, limits=[Limit(Usd.parse("10.50"), tag=("team", "search"))])
        answers.append([bool(tags), "recorded"])
    except FtjobsError as error:
        answers.append([bool(tags), error.code])
tell(answers)
""",
        times=8,
    )
    answers = [tuple(answer) for one in told for answer in one]
    assert answers.count((False, "recorded")) == 16
    assert answers.count((True, "recorded")) == 10
    assert answers.count((True, "over_budget")) == 6
    assert ledger.budgets([Limit(usd("10.50"), tag=SEARCH)], month_of(NOW))[0].committed == usd("10.00")
