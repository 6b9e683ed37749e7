"""What `tco` shows: models side by side, what has been paid as a picture, and the same as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from ftjobs.pricing.caveats import caveats
from ftjobs.pricing.ownership import Ownership
from ftjobs.pricing.verdict import verdict
from ftjobs.reports.envelope import dumps
from ftjobs.reports.tco import tco_json, tco_text
from tests.unit.owning import PRICE, owned, rates, saving

SHUTDOWN = date(2027, 1, 14)


def text(*of: Ownership, width: int | None = None) -> str:
    return tco_text(of or [owned(months=2)], width=width)


def told(found: Ownership, *, sandbox: bool = False) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(dumps(tco_json([found], sandbox=sandbox)))
    return decoded


def scenario(found: Ownership) -> dict[str, Any]:
    (only,) = told(found)["scenarios"]
    assert isinstance(only, dict)
    return only


def cells(line: str) -> list[str]:
    return re.split("  +", line)


def months(shown: str) -> list[int]:
    """Return the months that the picture shows."""
    rows = shown[shown.index("MONTH") :].splitlines()[1:]
    return [int(words[0]) for row in rows if (words := row.split()) and words[0].isdigit()]


def test_one_model_is_told_in_a_block_and_on_a_pipe_nothing_is_drawn() -> None:
    assert text().splitlines() == [
        "m: 2 months, 2026-11-24 to 2027-01-24",
        "            TRAINING  A MONTH   TOTAL",
        "fine-tuned    $10.00   $12.00  $34.00",
        "base model         –    $6.00  $12.00",
        "  training: 1,000,000 dataset tokens, 1 epoch: 1,000,000 estimated training tokens",
        "  use: 1,000,000 input tokens and 1,000,000 output tokens a month",
        "  break-even: none by 2027-01-24",
        "  Only if it does the task better: a month costs $6.00 more than on the base model, so its use never pays"
        " the $10.00 of training back.",
        "",
        "MONTH  PAID BY     FINE-TUNED  BASE MODEL",
        "    1  2026-12-24      $22.00       $6.00",
        "    2  2027-01-24      $34.00      $12.00",
        "",
        "price list openai, read 2026-11-24: a page",
    ]


def test_a_terminal_pictures_what_has_been_paid() -> None:
    lines = text(width=80).splitlines()
    assert lines[lines.index("") + 1 : -2] == [
        "MONTH  PAID BY                 CUMULATIVE COST",
        f"    1  2026-12-24  fine-tuned           $22.00  {'█' * 20}▊",
        f"                   base model            $6.00  {'█' * 5}▋",
        f"    2  2027-01-24  fine-tuned           $34.00  {'█' * 32}",
        f"                   base model           $12.00  {'█' * 11}▎",
    ]


def test_a_longer_prompt_has_a_row_of_its_own_everywhere() -> None:
    lines = text(saving(months=2), width=120).splitlines()
    assert lines[4] == "base, longer prompt         –   $22.00  $44.00"
    assert "  break-even: month 1, by 2026-12-24" in lines
    assert sum("base, longer prompt" in line for line in lines) == 3


def test_what_was_held_out_and_where_epochs_come_from_is_said() -> None:
    shown = text(owned(months=1, holdout=Fraction(15, 100), epochs=3, epochs_source="rule"))
    assert "1,000,000 dataset tokens, 15% held out, 3 epochs by rule: 2,550,000 estimated training" in shown
    assert "1 epoch assumed:" in text(owned(epochs_source="assumed"))


def test_what_was_asked_of_a_month_is_repeated() -> None:
    more = {"cached": Fraction(2, 5), "retry_overhead": Fraction(5, 100), "growth": Fraction(1, 40)}
    assert (
        "  use: 1,000,000 input tokens (40% of it cached) and 1 output token a month, 9,000,000 input tokens with"
        " the longer prompt, 5% more for retries, growing by 2.5% a month, at batch prices\n"
    ) in text(saving(output_tokens=1, batch=True, **more))


def test_growing_use_tells_the_first_month() -> None:
    assert "FIRST MONTH" in text(owned(growth=Fraction(1, 10)))
    assert "FIRST MONTH" not in text()


def test_a_cap_tells_the_shutdown_and_what_each_day_costs() -> None:
    shown = text(owned(shutdown=date(2026, 12, 4)))
    assert shown.startswith("m: 10 days, 2026-11-24 to the shutdown on 2026-12-04\n")
    assert "  total: $1.40 for each of the 10 days left\n" in shown
    assert "for the 1 day left" in text(owned(shutdown=date(2026, 11, 25)))


def test_a_model_that_is_shut_down_has_no_picture() -> None:
    shown = text(owned(shutdown=date(2026, 10, 23)))
    assert shown.startswith("m: no day left, shut down on 2026-10-23\n")
    assert "CUMULATIVE" not in shown
    assert "days left" not in shown


def test_unknown_is_told_as_unknown_and_never_as_nothing() -> None:
    shown = text(owned(price=replace(PRICE, base=rates(None, "1", "4")), months=1), width=120)
    assert "base model         –  unknown  unknown" in shown
    assert "base model          unknown\n" in shown
    assert "break-even: unknown" in shown
    assert "$0.00" not in shown
    nothing_known = text(owned(price=None, months=1))
    assert "CUMULATIVE" not in nothing_known
    assert "$" not in nothing_known


def test_several_models_stand_side_by_side_before_their_blocks() -> None:
    shown = text(owned(), replace(saving(), model="other"), owned(price=None)).splitlines()
    assert shown[0].split("  ")[0] == "MODEL"
    assert cells(shown[1]) == [
        *("m", "$10.00", "$12.00", "$154.00", "$72.00", "none", "only if it does the task better"),
    ]
    assert cells(shown[2]) == ["other", "$10.00", "$12.00", "$154.00", "$264.00", "month 1", "worth it"]
    assert shown[3].split() == ["m", "unknown", "unknown", "unknown", "unknown", "unknown", "unknown"]
    assert [line.partition(":")[0] for line in shown if ": 12 months" in line] == ["m", "other", "m"]


def test_sources_and_notes_come_last_and_once() -> None:
    third = owned(price=replace(PRICE, base_source="third parties"))
    lines = text(third, third).splitlines()
    assert lines[-2:] == [
        "price list openai, read 2026-11-24: a page",
        "note: The base model's prices are from third parties.",
    ]
    assert sum(line.startswith(("price list", "note:")) for line in lines) == 2


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("found", [owned(months=36), saving(months=36), saving(shutdown=SHUTDOWN)])
def test_the_picture_has_bars_and_fits_at_every_width(found: Ownership, width: int) -> None:
    shown = text(found, width=width)
    block = shown[: shown.index("price list")].splitlines()
    picture = block[block.index("") :]
    assert all(set(line) & set("█▉▊▋▌▍▎▏") for line in picture[2:-1])
    assert max(map(len, block)) <= width
    longest = max(line.count("█") for line in picture)
    assert longest >= 12
    if width == 120:
        assert longest > max(line.count("█") for line in text(found, width=80).splitlines())


def test_a_very_narrow_terminal_keeps_the_amounts_and_drops_the_bars() -> None:
    shown = text(width=34)
    assert "█" not in shown
    assert "    2  fine-tuned           $34.00" in shown.splitlines()


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (1, [1]),
        (24, list(range(1, 25))),
        (25, [*range(2, 25, 2), 25]),
        (49, [*range(3, 49, 3), 49]),
        (120, list(range(5, 121, 5))),
    ],
)
def test_more_than_24_months_are_thinned_and_the_last_stays(asked: int, shown: list[int]) -> None:
    assert months(text(owned(months=asked))) == shown


def test_the_month_of_the_break_even_is_never_thinned_away() -> None:
    found = saving(months=120, epochs=7)
    assert found.break_even_month == 7
    assert months(text(found))[:3] == [5, 7, 10]


def test_escape_sequences_from_a_price_table_do_not_reach_the_terminal() -> None:
    evil = "gpt\x1b[31m\x1b]0;x\x07\u202e"
    found = replace(owned(price=replace(PRICE, source=evil, base_source=evil)), model=evil, base_model=evil)
    shown = text(found, found)
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}


def test_the_json_names_every_figure() -> None:
    found = saving(months=2, growth=Fraction(5, 100), cached=Fraction(125, 1000), holdout=Fraction(1, 10))
    only = scenario(found)
    assert told(found)["schema"] == "ftjobs.tco/1"
    amounts = {
        "training_cost_usd": found.training_cost,
        "monthly_cost_usd": found.monthly,
        "total_cost_usd": found.total,
        "base_model_total_usd": found.base_total,
        "base_model_longer_prompt_total_usd": found.base_longer_prompt_total,
        "base_model_monthly_usd": found.base_monthly,
        "base_model_longer_prompt_monthly_usd": found.base_longer_prompt_monthly,
    }
    assert {name: only[name] for name in amounts} == {
        name: amount.plain() if amount else None for name, amount in amounts.items()
    }
    assert {name: only[name] for name in ("model", "base_model", "price_list", "training_tokens", "months")} == {
        "model": "m",
        "base_model": "m-2026-01-01",
        "price_list": "openai",
        "training_tokens": 900_000,
        "months": 2,
    }
    assert (only["start"], only["horizon_end"]) == ("2026-11-24", "2027-01-24")
    assert (only["capped_by_shutdown"], only["usd_per_remaining_day"], only["shutdown_date"]) == (
        False,
        None,
        None,
    )
    assert (only["verdict"], only["warnings"]) == (verdict(found), list(caveats(found)))
    assert only["break_even_month"] == found.break_even_month == 2


def test_the_json_repeats_what_was_asked() -> None:
    found = saving(cached=Fraction(125, 1000), holdout=Fraction(1, 10), retry_overhead=Fraction(1))
    assert scenario(found)["use"] == {
        "monthly_input_tokens": 1_000_000,
        "monthly_output_tokens": 1_000_000,
        "base_model_monthly_input_tokens": 9_000_000,
        "cached_pct": "12.5",
        "retry_overhead_pct": "100",
        "growth_pct": "0",
        "batch": False,
    }
    assert scenario(found)["training"] == {
        "dataset_tokens": 1_000_000,
        "holdout_pct": "10",
        "examples": 500,
        "epochs": 1,
        "epochs_source": "pinned",
    }


def test_the_json_has_every_month_though_the_picture_is_thinned() -> None:
    only = scenario(saving(months=36))
    assert [each["month"] for each in only["cumulative"]] == list(range(1, 37))
    assert only["cumulative"][0] == {
        "month": 1,
        "end": "2026-12-24",
        "fine_tuned_usd": "22.00",
        "base_model_usd": "6.00",
        "base_model_longer_prompt_usd": "22.00",
    }
    assert only["cumulative"][-1]["fine_tuned_usd"] == only["total_cost_usd"]


def test_the_json_tells_the_cap() -> None:
    only = scenario(owned(shutdown=date(2026, 12, 4)))
    assert (only["capped_by_shutdown"], only["horizon_end"], only["shutdown_date"]) == (
        True,
        "2026-12-04",
        "2026-12-04",
    )
    assert (only["usd_per_remaining_day"], only["months"]) == ("1.40", 12)


def test_unknown_is_null() -> None:
    only = scenario(owned(price=None))
    for name in (
        *("training_cost_usd", "monthly_cost_usd", "total_cost_usd", "base_model_total_usd"),
        *("break_even_month", "usd_per_remaining_day", "base_model_longer_prompt_total_usd"),
    ):
        assert only[name] is None
    assert only["cumulative"][0]["fine_tuned_usd"] is None


def test_the_sandbox_stamps_what_it_says() -> None:
    assert told(owned(), sandbox=True)["sandbox"] is True
    assert "sandbox" not in told(owned())
