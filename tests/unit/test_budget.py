"""The monthly budget: what it admits, when it warns, and what it says."""

from __future__ import annotations

import pytest

from ftjobs.errors import SpendRefusedError
from ftjobs.ledger.budget import BudgetState, Limit, admit
from ftjobs.money import Usd


def state(limit: str, billed: str = "0", committed: str = "0") -> BudgetState:
    return BudgetState(Limit(Usd.parse(limit)), Usd.parse(billed), Usd.parse(committed))


def test_headroom_is_what_neither_bills_nor_commitments_take() -> None:
    assert state("100", "30.5", "20").headroom == Usd.parse("49.50")


def test_a_month_that_is_overspent_has_a_negative_headroom() -> None:
    assert state("100", "90", "20").headroom == -Usd.parse("10")


@pytest.mark.parametrize(
    ("high_estimate", "fits"), [("9.999999999", True), ("10", True), ("10.000000001", False), ("0", True)]
)
def test_a_commitment_fits_up_to_the_limit_itself(high_estimate: str, fits: bool) -> None:
    before = state("100", "60", "30")
    if fits:
        after = admit(before, Usd.parse(high_estimate))
        assert (after.limit, after.billed) == (before.limit, before.billed)
        assert after.committed == before.committed + Usd.parse(high_estimate)
    else:
        with pytest.raises(SpendRefusedError):
            admit(before, Usd.parse(high_estimate))


def test_nothing_more_fits_into_an_overspent_month_not_even_a_free_job() -> None:
    with pytest.raises(SpendRefusedError):
        admit(state("10", "11"), Usd(0))


def test_a_limit_of_nothing_admits_only_what_costs_nothing() -> None:
    assert admit(state("0"), Usd(0)).headroom == Usd(0)
    with pytest.raises(SpendRefusedError):
        admit(state("0"), Usd(1))


@pytest.mark.parametrize(
    ("billed", "committed", "warns"),
    [("79.999999999", "0", False), ("80", "0", True), ("0", "80", True), ("50", "30", True), ("0", "0", False)],
)
def test_it_warns_from_80_percent_on(billed: str, committed: str, warns: bool) -> None:
    assert state("100", billed, committed).warns is warns


def test_a_refusal_names_every_amount_and_what_to_do() -> None:
    with pytest.raises(SpendRefusedError) as refused:
        admit(state("100", "60", "30"), Usd.parse("12.345678901"))
    error = refused.value
    assert (error.code, error.exit_code) == ("over_budget", 5)
    assert error.details == {
        "budget_usd": "100.00",
        "billed_usd": "60.00",
        "commitment_usd": "30.00",
        "headroom_usd": "10.00",
        "profile": None,
        "tag": None,
        "held_by": [],
        "high_estimate_usd": "12.345678901",
    }
    for words in ("$12.35", "$100.00", "$60.00 billed", "$30.00 committed", "$10.00 left"):
        assert words in error.message
    assert "budget.monthly_usd" in error.next_step


@pytest.mark.parametrize(
    ("limit", "name", "setting"),
    [
        (Limit(Usd(0)), "budget", "budget.monthly_usd"),
        (Limit(Usd(0), profile="azure-eu"), "budget of profile azure-eu", "budget.profiles.azure-eu"),
        (Limit(Usd(0), tag=("team", "a=b")), "budget of tag team=a=b", 'budget.tags."team=a=b"'),
    ],
)
def test_a_limit_is_called_by_what_it_is_on_and_says_where_it_is_set(
    limit: Limit, name: str, setting: str
) -> None:
    with pytest.raises(SpendRefusedError) as refused:
        admit(BudgetState(limit, Usd(0), Usd(0)), Usd(1))
    assert f": {name} $0.00 this month" in refused.value.message
    assert refused.value.next_step == f"Raise {setting}, or wait for the next month."
