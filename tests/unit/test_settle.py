"""The bill's price: of the day the job was created, from the list that was quoted, once and for all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ftjobs.config import RawTable
from ftjobs.jobs.job import Job
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import Entry
from ftjobs.ledger.store import Ledger
from ftjobs.models.catalog import load_catalog
from ftjobs.money import Usd
from ftjobs.pricing.prices import PriceBook, load_prices
from ftjobs.workflows.settle import settle
from tests.contract.conftest import MINI, NOW, a_job, a_quote, a_submission

CREATED = datetime(2027, 10, 15, 12, tzinfo=UTC)
MILLION = 1_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite3", stamp="real")


def book(*tables: dict[str, object]) -> PriceBook:
    return load_prices([RawTable(table, f"ftjobs.toml, price {n}") for n, table in enumerate(tables, start=1)])


def price(usd: str, start: date | None = None, **more: object) -> dict[str, object]:
    dated = {"effective_from": start} if start else {}
    return {"model": MINI, "training_usd_per_1m": usd, "source": "our contract"} | dated | more


def done(created: datetime = CREATED, tokens: int | None = MILLION, status: str = "succeeded") -> Job:
    return a_job(1, status, created=created, trained_tokens=tokens)


def recorded(
    ledger: Ledger,
    job: Job,
    *,
    quoted: tuple[str, str] | None = ("openai", "3.00"),
    profile: str = "openai",
    base_model: str | None = MINI,
) -> Submission:
    """Return a submission with this job; `quoted` is the price list and the price of its quote."""
    quote = a_quote(quoted[1], price_list=quoted[0]) if quoted else None
    spec = JobSpec(base_model, base_model, base_model, 3, "ab" * 32, 1000) if base_model else None
    submission = replace(
        a_submission(state="created", at=CREATED, job=job), quote=quote, profile=profile, spec=spec
    )
    ledger.adopt(submission, replaces=None, now=CREATED)
    return ledger.get(submission.id)


def settled(
    ledger: Ledger, submission: Submission, prices: PriceBook, *, price_list: str = "openai"
) -> Entry | None:
    return settle(submission, ledger=ledger, prices=prices, price_list=price_list, now=NOW)


def test_the_price_is_the_one_of_the_list_that_was_quoted_and_says_that_it_is_assumed(ledger: Ledger) -> None:
    entry = settled(ledger, recorded(ledger, done()), book(), price_list="guide-2026")
    assert entry is not None
    assert (entry.amount, entry.price_list) == (Usd.parse("3.00"), "openai")
    assert "2027-10-15" in entry.source
    assert "assumed" in entry.source


@pytest.mark.parametrize(
    ("created", "usd"),
    [
        (datetime(2027, 10, 31, 23, 59, 59, tzinfo=UTC), "2.00"),
        (datetime(2027, 11, 1, 0, 0, 0, tzinfo=UTC), "2.50"),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), "2.50"),
    ],
)
def test_the_price_is_the_one_in_force_on_the_utc_day_the_job_was_created(
    ledger: Ledger, created: datetime, usd: str
) -> None:
    prices = book(price("2.00", date(2027, 1, 1)), price("2.50", date(2027, 11, 1)))
    entry = settled(ledger, recorded(ledger, done(created), quoted=("user", "2.00")), prices)
    assert entry is not None
    assert (entry.amount, entry.price_list) == (Usd.parse(usd), "user")
    assert entry.effective_from == date(2027, 11 if usd == "2.50" else 1, 1)


def test_a_price_change_never_reprices_what_is_billed(ledger: Ledger) -> None:
    mine = recorded(ledger, done(), quoted=("user", "2.00"))
    settled(ledger, mine, book(price("2.00")))
    assert settled(ledger, mine, book(price("9.00"))) is None
    corrected = replace(mine, job=done(tokens=2 * MILLION))
    assert corrected.job is not None
    ledger.see(corrected.job, now=NOW)
    entry = settled(ledger, corrected, book(price("9.00")))
    assert entry is not None
    assert entry.amount == Usd.parse("2.00")
    (trail,) = ledger.trails()
    assert trail.billed == Usd.parse("4.00")


def test_a_table_that_the_user_wrote_after_the_quote_does_not_replace_the_quoted_list(ledger: Ledger) -> None:
    entry = settled(ledger, recorded(ledger, done()), book(price("0.01")))
    assert entry is not None
    assert (entry.amount, entry.price_list) == (Usd.parse("3.00"), "openai")
    assert "as estimated on" in entry.source


def test_a_quoted_list_that_is_gone_leaves_the_quote_itself(ledger: Ledger) -> None:
    mine = recorded(ledger, done(), quoted=("a-list-of-2026", "7.00"))
    entry = settled(ledger, mine, book())
    assert entry is not None
    assert (entry.amount, entry.price_list) == (Usd.parse("7.00"), "a-list-of-2026")
    assert "assumed" in entry.source


def test_a_users_table_that_is_gone_leaves_the_quote_itself(ledger: Ledger) -> None:
    entry = settled(ledger, recorded(ledger, done(), quoted=("user", "2.25")), book())
    assert entry is not None
    assert (entry.amount, entry.price_list) == (Usd.parse("2.25"), "user")


def test_a_users_table_that_begins_after_the_job_was_created_leaves_the_quote_itself(ledger: Ledger) -> None:
    prices = book(price("9.00", date(2027, 10, 16)))
    entry = settled(ledger, recorded(ledger, done(), quoted=("user", "2.25")), prices)
    assert entry is not None
    assert entry.amount == Usd.parse("2.25")


def test_a_price_of_another_profile_is_not_used(ledger: Ledger) -> None:
    prices = book(price("9.00", profile="azure-eu"), price("2.00"))
    entry = settled(ledger, recorded(ledger, done(), quoted=("user", "2.00")), prices)
    assert entry is not None
    assert entry.amount == Usd.parse("2.00")


@pytest.mark.parametrize(
    ("base_model", "sent"),
    [
        (MINI, "whatever"),
        (None, MINI),
        (None, "gpt-4o-mini"),
        (None, f"ft:{MINI}:acme::abc"),
        (None, f"ft:{MINI}:acme:suffix:abc:ckpt-step-5"),
    ],
)
def test_without_a_quote_the_price_is_that_of_the_base_model_in_the_list_in_use(
    ledger: Ledger, base_model: str | None, sent: str
) -> None:
    job = a_job(1, "succeeded", created=CREATED, trained_tokens=MILLION, model=sent)
    mine = recorded(ledger, job, quoted=None, base_model=base_model)
    entry = settled(ledger, mine, book())
    assert entry is not None
    assert (entry.amount, entry.price_list) == (Usd.parse("3.00"), "openai")


def test_without_a_quote_the_users_own_price_comes_first(ledger: Ledger) -> None:
    entry = settled(ledger, recorded(ledger, done(), quoted=None), book(price("2.00")))
    assert entry is not None
    assert (entry.amount, entry.price_list) == (Usd.parse("2.00"), "user")


@pytest.mark.parametrize(
    ("model", "price_list"),
    [
        ("a-model-of-2028", "openai"),
        ("o4-mini-2025-04-16", "openai"),  # priced per hour
        (MINI, "guide-2026"),  # illustrative
    ],
)
def test_where_no_price_is_known_nothing_is_billed_and_the_bill_stays_unknown(
    ledger: Ledger, model: str, price_list: str
) -> None:
    job = done()
    mine = recorded(ledger, job, quoted=None, base_model=model)
    assert settled(ledger, mine, book(), price_list=price_list) is None
    (trail,) = ledger.unsettled()
    assert (trail.billed, trail.settled) == (None, False)


def test_the_guide_is_known_to_be_illustrative_for_the_model_of_these_tests() -> None:
    found = book().find(MINI, profile="openai", on=CREATED.date(), price_list="guide-2026")
    assert found is not None
    assert found.illustrative
    assert found.training_usd_per_1m is not None
    assert load_catalog().find(MINI) is not None


@pytest.mark.parametrize(
    "job",
    [None, done(status="running"), done(tokens=None), done(tokens=None, status="failed")],
    ids=["no job", "running", "succeeded", "failed"],
)
def test_nothing_is_written_before_the_end_or_while_trained_tokens_are_unknown(
    ledger: Ledger, job: Job | None
) -> None:
    if job is None:
        mine = a_submission()
        ledger.record(mine)
    else:
        mine = recorded(ledger, job)
    assert settled(ledger, mine, book()) is None
    assert [entry.kind for trail in ledger.trails() for entry in trail.entries] == ["estimate"]
