"""Hosting is priced as the user's tables have it for the job's model, profile and day."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest

from ftjobs.config import RawTable
from ftjobs.errors import SpendRefusedError, UsageError
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.hosting import Hosting
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.pricing.prices import load_prices
from ftjobs.workflows.host import host
from tests.contract.conftest import MINI, NOW, created, ended

LATER = NOW + timedelta(days=40)
CHANGED = date(2027, 7, 1)
TABLES: list[dict[str, object]] = [
    {"hosting_usd_per_hour": "1.70", "source": "a page"},
    {"hosting_usd_per_hour": "2.00", "effective_from": CHANGED},
    {"hosting_usd_per_hour": "9.00", "profile": "azure"},
]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A new ledger."""
    return Ledger(tmp_path / "ledger.sqlite3", stamp="real")


def hosted(
    ledger: Ledger, of: Submission, hours: int, *, on: date, tables: list[dict[str, object]] = TABLES
) -> Hosting:
    prices = load_prices([RawTable({"model": MINI, **each}, "ftjobs.toml") for each in tables])
    given = {"on": on, "reason": f"{hours} on {on}", "by": "ann", "now": LATER}
    return host(of, hours * 3600, ledger=ledger, prices=prices, **given)[-1]  # type: ignore[arg-type]


def test_hours_cost_what_they_cost_on_their_day_for_the_profile_of_the_job(ledger: Ledger) -> None:
    mine = ended(ledger, trained_tokens=None)
    before = hosted(ledger, mine, 10, on=CHANGED - timedelta(days=1))
    after = hosted(ledger, mine, 10, on=CHANGED)
    assert (before.amount, before.source, before.effective_from) == (Usd.parse("17.00"), "a page", None)
    assert (after.amount, after.effective_from, after.price_list) == (Usd.parse("20.00"), CHANGED, "user")


def test_taking_back_needs_no_price(ledger: Ledger) -> None:
    mine = ended(ledger, trained_tokens=None)
    hosted(ledger, mine, 10, on=CHANGED)
    assert hosted(ledger, mine, -1, on=CHANGED, tables=[]).amount == -Usd.parse("2.00")


@pytest.mark.parametrize(
    ("tables", "begins"),
    [
        ([], f'price = [{{ model = "{MINI}", hosting_usd_per_hour = "PRICE"'),
        ([{"training_usd_per_1m": "3"}], 'hosting_usd_per_hour = "PRICE"'),
        ([{"hosting_usd_per_hour": "9.00", "profile": "azure"}], f'[[price]]\nmodel = "{MINI}"\nhosting_'),
    ],
    ids=["no table", "one without hosting", "another profile's"],
)
def test_without_a_price_nothing_is_recorded_and_what_to_paste_is_told(
    ledger: Ledger, tables: list[dict[str, object]], begins: str
) -> None:
    mine = ended(ledger, trained_tokens=None)
    with pytest.raises(SpendRefusedError) as refused:
        hosted(ledger, mine, 1, on=CHANGED, tables=tables)
    assert (refused.value.code, refused.value.exit_code) == ("no_price", 5)
    toml = str(refused.value.details["toml"])
    assert toml.startswith(begins)
    assert tomllib.loads(toml)
    assert 'hosting_usd_per_hour = "PRICE"' in refused.value.next_step
    assert ledger.hosting.of(mine.id) == ()


def test_a_job_that_goes_on_is_told_so_before_any_price_is_asked_for(ledger: Ledger) -> None:
    with pytest.raises(UsageError) as refused:
        hosted(ledger, created(ledger), 1, on=CHANGED, tables=[])
    assert refused.value.code == "not_ended"
