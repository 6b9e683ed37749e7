"""What is compared with what, and which difference counts."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ftjobs.config import Settings
from ftjobs.jobs.invoice import InvoiceLine
from ftjobs.ledger.reconciliation import DayBill, Reconciliation, Terms, compare
from ftjobs.money import Usd
from ftjobs.periods import month

OCTOBER = month(2026, 10)
LATER = datetime(2026, 11, 20, tzinfo=UTC)
PATTERN = re.compile(Settings().reconcile_training_line_item, re.IGNORECASE)
TERMS = Terms(None, PATTERN, Usd.parse("0.01"))
MINI = "gpt-4o-mini-2024-07-18, training"


def on(day: int) -> date:
    return date(2026, 9, 30) + timedelta(days=day)


def line(
    day: int, amount: str, item: str = MINI, project: str = "proj_1", tokens: int | None = None
) -> InvoiceLine:
    sign, digits = (-1, amount[1:]) if amount.startswith("-") else (1, amount)
    quantity = None if tokens is None else Decimal(tokens)
    return InvoiceLine(on(day), project, item, Usd(sign * Usd.parse(digits).nano), quantity, "tokens")


def bill(day: int, amount: str, *tokens: int) -> DayBill:
    return DayBill(on(day), Usd.parse(amount), Usd(0), 1, frozenset(tokens))


def judged(lines: list[InvoiceLine], bills: list[DayBill], *, now: datetime = LATER) -> Reconciliation:
    return compare(lines, bills, OCTOBER, TERMS, now=now)


def states(found: Reconciliation) -> list[str]:
    return [f"{day.day.day} {day.state}{' shifted' if day.shifted else ''}" for day in found.days]


def test_each_day_gets_its_word() -> None:
    lines = [line(1, "1.00"), line(3, "2.00"), line(5, "3.00"), line(7, "4.00")]
    bills = [bill(1, "1.00"), bill(9, "2.00"), bill(5, "3.50"), bill(7, "4.009")]
    found = judged(lines, bills)
    assert states(found) == ["1 matched", "3 theirs_only", "5 differs", "7 matched", "9 ours_only"]
    assert [day.day.day for day in found.discrepant] == [3, 5, 9]
    assert [day.discrepancy.plain() for day in found.days] == ["0.00", "2.00", "-0.50", "-0.009", "-2.00"]


@pytest.mark.parametrize(("off_nano", "word"), [(0, "matched"), (10_000_000, "matched"), (10_000_001, "differs")])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_tolerance_is_met_to_the_nano_dollar(off_nano: int, word: str, sign: int) -> None:
    lines = [InvoiceLine(on(5), "p", MINI, Usd(5_000_000_000 + sign * off_nano))]
    assert judged(lines, [bill(5, "5.00")]).days[0].state == word


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (datetime(2026, 10, 8, 0, tzinfo=UTC) - timedelta(microseconds=1), "open"),
        (datetime(2026, 10, 8, 0, tzinfo=UTC), "ours_only"),
    ],
)
def test_a_day_is_open_until_two_days_after_its_end(now: datetime, word: str) -> None:
    found = judged([], [bill(5, "5.00")], now=now)
    assert states(found) == [f"5 {word}"]
    assert bool(found.discrepant) is (word != "open")


# Lines


@pytest.mark.parametrize(
    ("name", "is_training"),
    [
        ("gpt-4o-mini-2024-07-18, training", True),
        ("Fine-tuning models", True),
        ("finetuning gpt-4.1", True),
        ("FINE_TUNING", True),
        ("gpt-4o-mini fine-tuned, input", False),
        ("ft:gpt-4o-mini training, cached input", False),
        ("gpt-4o-mini fine-tuning, output_tokens", False),
        ("gpt-4o-mini, input", False),
        ("", False),
    ],
)
def test_the_usual_pattern_knows_training_from_uses_of_what_was_trained(name: str, is_training: bool) -> None:
    assert bool(PATTERN.search(name)) is is_training


def test_what_is_not_training_is_counted_summed_and_named() -> None:
    lines = [line(1, "9.00", "gpt-4o, input"), line(2, "0.50", "gpt-4o, output"), line(2, "9.00", "gpt-4o, input")]
    found = judged([*lines, line(2, "1.00"), line(0, "7.00", "x")], [bill(2, "1.00")])
    apart = found.not_training
    assert (apart.lines, apart.amount.plain(), apart.names) == (3, "18.50", ("gpt-4o, input", "gpt-4o, output"))
    assert not found.found_nothing


def test_a_line_that_counts_the_tokens_of_the_day_is_training_whatever_its_name() -> None:
    lines = [line(5, "3.00", "SKU 81", tokens=1_000_000), line(5, "2.00", "SKU 82", tokens=999_999)]
    found = judged(lines, [bill(5, "3.00", 1_000_000)])
    assert states(found) == ["5 matched"]
    assert [(each.line.line_item, each.found_by) for each in found.days[0].lines] == [("SKU 81", "quantity")]
    assert found.not_training.names == ("SKU 82",)


def test_where_the_pattern_finds_training_a_quantity_decides_nothing() -> None:
    lines = [line(5, "3.00"), line(5, "2.00", "gpt-4o, input", tokens=1_000_000)]
    found = judged(lines, [bill(5, "3.00", 1_000_000)])
    assert states(found) == ["5 matched"]
    assert found.not_training.lines == 1


def test_a_small_quantity_agrees_by_chance() -> None:
    found = judged([line(5, "3.00", "requests", tokens=999)], [bill(5, "3.00", 999)])
    assert states(found) == ["5 ours_only"]
    assert found.found_nothing
    assert found.not_training.names == ("requests",)


def test_the_lines_of_all_projects_are_a_day_unless_the_account_names_one() -> None:
    lines = [line(5, "1.00", project="proj_1"), line(5, "2.00", project="proj_2")]
    whole = judged(lines, [bill(5, "3.00")])
    assert states(whole) == ["5 matched"]
    assert [each.line.project_id for each in whole.days[0].lines] == ["proj_1", "proj_2"]
    one = compare(lines, [bill(5, "2.00")], OCTOBER, Terms("proj_2", PATTERN, Usd(0)), now=LATER)
    assert states(one) == ["5 matched"]
    assert (one.other_projects.lines, one.other_projects.amount.plain()) == (1, "1.00")
    assert one.not_training.lines == 0


def test_credits_lower_what_is_invoiced() -> None:
    found = judged([line(5, "3.00"), line(5, "-1.00", "training credit")], [bill(5, "2.00")])
    assert states(found) == ["5 matched"]


# Shifts


def test_a_job_at_midnight_is_shifted_not_a_discrepancy() -> None:
    found = judged([line(5, "1.00"), line(6, "5.00")], [bill(5, "3.00"), bill(6, "3.00")])
    assert states(found) == ["5 differs shifted", "6 differs shifted"]
    assert found.discrepant == ()


def test_a_shift_the_other_way_and_over_three_days() -> None:
    assert states(judged([line(5, "3.00")], [bill(6, "3.00")])) == ["5 theirs_only shifted", "6 ours_only shifted"]
    found = judged(
        [line(6, "1.00"), line(7, "2.00"), line(8, "3.00")], [bill(5, "1.00"), bill(6, "2.00"), bill(7, "3.00")]
    )
    assert len(found.days) == 4
    assert all(day.shifted for day in found.days)


def test_days_that_are_no_neighbours_do_not_make_up_for_each_other() -> None:
    found = judged([line(7, "3.00")], [bill(5, "3.00")])
    assert states(found) == ["5 ours_only", "7 theirs_only"]
    assert len(found.discrepant) == 2


def test_no_more_is_shifted_than_a_day_has() -> None:
    # 5 would have to hand on $3.00 by way of 6, which bills $1.00 only.
    found = judged([line(6, "1.00"), line(7, "3.00")], [bill(5, "3.00"), bill(6, "1.00")])
    assert states(found) == ["5 ours_only", "6 matched", "7 theirs_only"]
    # A neighbour's surplus of another size makes up for nothing.
    found = judged([line(6, "2.00")], [bill(5, "3.00")])
    assert len(found.discrepant) == 2


def test_what_is_left_after_a_shift_is_still_told() -> None:
    found = judged([line(9, "5.00"), line(6, "1.00")], [bill(5, "1.00")])
    assert states(found) == ["5 ours_only shifted", "6 theirs_only shifted", "9 theirs_only"]
    assert [day.day.day for day in found.discrepant] == [9]


def test_the_days_beside_the_period_take_part_and_are_not_listed() -> None:
    found = judged([line(1, "2.00"), line(32, "4.00")], [bill(0, "2.00"), bill(31, "4.00")])
    assert states(found) == ["1 theirs_only shifted", "31 ours_only shifted"]
    assert found.invoiced == Usd.parse("2")
    assert found.ledger == Usd.parse("4")


def test_many_days_within_the_tolerance_are_no_discrepancy() -> None:
    found = judged([line(day, "1.009") for day in range(1, 31)], [bill(day, "1.00") for day in range(1, 31)])
    assert found.discrepant == ()
    assert (found.invoiced - found.ledger).plain() == "0.27"
