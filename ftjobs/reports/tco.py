"""Total cost of ownership: the models side by side, each with its verdict and a picture of what has been paid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ftjobs.money import Usd
from ftjobs.pricing.caveats import caveats
from ftjobs.pricing.ownership import Cumulative, Ownership
from ftjobs.pricing.verdict import verdict
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.estimate import price_lines
from ftjobs.reports.numbers import UNKNOWN, count, usd
from ftjobs.reports.table import Column, bar, table, wrapped

_WIDEST_BAR = 60
_WANTED_BAR = 12
_LEAST_BAR = 4
_MOST_MONTHS_SHOWN = 24
_NOTHING = "–"
_TUNED, _BASE, _LONGER = "fine-tuned", "base model", "base, longer prompt"
_EPOCHS_SOURCE = {"rule": " by rule", "pinned": "", "assumed": " assumed"}


def tco_json(owned: Sequence[Ownership], *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.tco/1`; null is unknown, and a longer prompt that was not given."""
    return envelope("tco", sandbox=sandbox, scenarios=[_scenario_json(each) for each in owned])


def _scenario_json(owned: Ownership) -> dict[str, Any]:
    return {
        "model": owned.model,
        "base_model": owned.base_model,
        "price_list": owned.price_list,
        "training": _training_json(owned),
        "use": _use_json(owned),
        "training_tokens": owned.training.training_tokens,
        "training_cost_usd": owned.training_cost,
        "monthly_cost_usd": owned.monthly,
        "base_model_monthly_usd": owned.base_monthly,
        "base_model_longer_prompt_monthly_usd": owned.base_longer_prompt_monthly,
        "total_cost_usd": owned.total,
        "months": owned.horizon.months_asked,
        "start": owned.horizon.start,
        "horizon_end": owned.horizon.end,
        "shutdown_date": owned.shutdown_date,
        "capped_by_shutdown": owned.horizon.capped_by_shutdown,
        "usd_per_remaining_day": owned.usd_per_remaining_day,
        "base_model_total_usd": owned.base_total,
        "base_model_longer_prompt_total_usd": owned.base_longer_prompt_total,
        "break_even_month": owned.break_even_month,
        "verdict": verdict(owned),
        "cumulative": [_cumulative_json(each) for each in owned.cumulative],
        "warnings": list(caveats(owned)),
    }


def _training_json(owned: Ownership) -> dict[str, object]:
    training = owned.training
    return {
        "dataset_tokens": training.dataset_tokens.expected,
        "holdout_pct": _pct(training.holdout),
        "examples": training.examples,
        "epochs": training.epochs,
        "epochs_source": training.epochs_source,
    }


def _use_json(owned: Ownership) -> dict[str, object]:
    use = owned.use
    return {
        "monthly_input_tokens": use.input_tokens,
        "monthly_output_tokens": use.output_tokens,
        "base_model_monthly_input_tokens": use.base_input_tokens,
        "cached_pct": _pct(use.cached),
        "retry_overhead_pct": _pct(use.retry_overhead),
        "growth_pct": _pct(use.growth),
        "batch": use.batch,
    }


def _cumulative_json(paid: Cumulative) -> dict[str, object]:
    return {
        "month": paid.month,
        "end": paid.end,
        "fine_tuned_usd": paid.fine_tuned,
        "base_model_usd": paid.base,
        "base_model_longer_prompt_usd": paid.base_longer_prompt,
    }


def _pct(share: Fraction) -> str:
    """Return the percentage as it was typed, which is a finite decimal."""
    percentage = share * 100
    return f"{(Decimal(percentage.numerator) / percentage.denominator).normalize():f}"


def tco_text(owned: Sequence[Ownership], *, width: int | None) -> str:
    """Return the models side by side where there are several, a block for each, the prices' sources, then notes.

    Within `width` cells as far as amounts allow; None is a pipe: verdicts in one line, pictures for 80 cells.
    """
    side_by_side = [_side_by_side(owned, width), ""] if len(owned) > 1 else []
    blocks = [line for each in owned for line in (*_block(each, width), "")]
    sources = [line for each in owned for line in price_lines(each.price)]
    notes = [f"note: {clean(caveat)}" for each in owned for caveat in caveats(each)]
    return "\n".join([*side_by_side, *blocks, *dict.fromkeys([*sources, *notes])])


def _side_by_side(owned: Sequence[Ownership], width: int | None) -> str:
    columns = [
        Column("MODEL"),
        Column("TRAINING", right=True, gives_way=3),
        Column("A MONTH", right=True, gives_way=1),
        Column("TOTAL", right=True),
        Column("BASE, LONGER PROMPT" if owned[0].has_longer_prompt else "BASE TOTAL", right=True),
        Column("BREAK-EVEN", gives_way=2),
        Column("WORTH IT", gives_way=4),
    ]
    rows = [
        [
            each.model,
            usd(each.training_cost),
            usd(each.monthly),
            usd(each.total),
            usd(each.compared_total),
            _break_even_cell(each),
            verdict(each).partition(":")[0].lower(),
        ]
        for each in owned
    ]
    return table(columns, rows, width=width)


def _break_even_cell(owned: Ownership) -> str:
    if owned.break_even_month is not None:
        return f"month {owned.break_even_month}"
    return UNKNOWN if _is_break_even_unknown(owned) else "none"


def _is_break_even_unknown(owned: Ownership) -> bool:
    return owned.total is None or owned.compared_total is None


def _block(owned: Ownership, width: int | None) -> Iterator[str]:
    yield f"{clean(owned.model)}: {horizon_text(owned)}"
    yield _costs(owned, width)
    yield from wrapped(_training_text(owned), width)
    yield from wrapped(use_text(owned), width)
    yield from wrapped(f"break-even: {break_even_text(owned)}", width)
    if owned.usd_per_remaining_day is not None:
        days = owned.horizon.days
        each_day = "for the 1 day left" if days == 1 else f"for each of the {days:,} days left"
        yield from wrapped(f"total: {owned.usd_per_remaining_day.display()} {each_day}", width)
    yield from wrapped(clean(verdict(owned)), width)
    yield from _picture(owned, width)


def horizon_text(owned: Ownership) -> str:
    """Return how long is counted, and until which shutdown."""
    horizon = owned.horizon
    if not horizon.capped_by_shutdown:
        return f"{count(horizon.months_asked, 'month')}, {horizon.start} to {horizon.end}"
    if not horizon.days:
        return f"no day left, shut down on {owned.shutdown_date}"
    return f"{count(horizon.days, 'day')}, {horizon.start} to the shutdown on {owned.shutdown_date}"


def _costs(owned: Ownership, width: int | None) -> str:
    columns = [
        Column(""),
        Column("TRAINING", right=True, gives_way=1),
        Column("FIRST MONTH" if owned.use.growth else "A MONTH", right=True),
        Column("TOTAL", right=True),
    ]
    rows = [
        [_TUNED, usd(owned.training_cost), usd(owned.monthly), usd(owned.total)],
        [_BASE, _NOTHING, usd(owned.base_monthly), usd(owned.base_total)],
    ]
    if owned.has_longer_prompt:
        amounts = usd(owned.base_longer_prompt_monthly), usd(owned.base_longer_prompt_total)
        rows.append([_LONGER, _NOTHING, *amounts])
    return table(columns, rows, width=width)


def _training_text(owned: Ownership) -> str:
    training = owned.training
    held = f", {_pct(training.holdout)}% held out" if training.holdout else ""
    return (
        f"training: {count(training.dataset_tokens.expected, 'dataset token')}{held},"
        f" {count(training.epochs, 'epoch')}{_EPOCHS_SOURCE[training.epochs_source]}:"
        f" {count(training.training_tokens, 'estimated training token')}"
    )


def use_text(owned: Ownership) -> str:
    """Return the use of a month as it was given."""
    use = owned.use
    cached = f" ({_pct(use.cached)}% of it cached)" if use.cached else ""
    base_input = None if use.base_input_tokens is None else count(use.base_input_tokens, "input token")
    parts = [
        f"use: {count(use.input_tokens, 'input token')}{cached}"
        f" and {count(use.output_tokens, 'output token')} a month",
        *([f"{base_input} with the longer prompt"] if base_input else []),
        *([f"{_pct(use.retry_overhead)}% more for retries"] if use.retry_overhead else []),
        *([f"growing by {_pct(use.growth)}% a month"] if use.growth else []),
        *(["at batch prices"] if use.batch else []),
    ]
    return ", ".join(parts)


def break_even_text(owned: Ownership) -> str:
    """Return by when the fine-tuned model has cost no more, unknown or none."""
    number = owned.break_even_month
    if number is not None:
        end = next(each.end for each in owned.cumulative if each.month == number)
        return f"month {number}, by {end}"
    if _is_break_even_unknown(owned):
        return UNKNOWN
    return f"none by {owned.horizon.end}"


def _picture(owned: Ownership, width: int | None) -> Iterator[str]:
    """Yield what has been paid by the end of each month, a bar for each model; nothing where nothing is known."""
    rows = [row for paid in _shown(owned) for row in _picture_rows(paid, has_longer=owned.has_longer_prompt)]
    most = max((amount.nano for _, _, _, amount in rows if amount), default=0)
    if not most:
        return
    yield ""
    if not width:
        yield _paid_by_month(owned, width)
        return
    columns = [
        Column("MONTH", right=True),
        Column("PAID BY", gives_way=1),
        Column(""),
        Column("CUMULATIVE COST", right=True),
    ]
    cells = [[month, end, label, usd(amount)] for month, end, label, amount in rows]
    head, *body = table(columns, cells, width=width - _WANTED_BAR - 2).splitlines()
    room = min(_WIDEST_BAR, width - max(map(len, [head, *body])) - 2)
    yield head
    for line, (_, _, _, amount) in zip(body, rows, strict=True):
        drawn = bar(amount.nano, most, room) if amount and room >= _LEAST_BAR else ""
        yield f"{line}  {drawn}".rstrip()


def _paid_by_month(owned: Ownership, width: int | None) -> str:
    """Return the picture's numbers, a row a month."""
    labels = [_TUNED, _BASE, *([_LONGER] if owned.has_longer_prompt else [])]
    columns = [
        Column("MONTH", right=True),
        Column("PAID BY"),
        *(Column(label.upper(), right=True) for label in labels),
    ]
    amounts = ((each, (each.fine_tuned, each.base, each.base_longer_prompt)) for each in _shown(owned))
    rows = [[str(each.month), str(each.end), *map(usd, paid[: len(labels)])] for each, paid in amounts]
    return table(columns, rows, width=width)


def _picture_rows(paid: Cumulative, *, has_longer: bool) -> Iterator[tuple[str, str, str, Usd | None]]:
    yield str(paid.month), str(paid.end), _TUNED, paid.fine_tuned
    yield "", "", _BASE, paid.base
    if has_longer:
        yield "", "", _LONGER, paid.base_longer_prompt


def _shown(owned: Ownership) -> list[Cumulative]:
    """Return the months to picture: all, or every so many, always with the break-even and the last."""
    paid = owned.cumulative
    step = -(-len(paid) // _MOST_MONTHS_SHOWN)
    kept = {owned.break_even_month, len(paid)}
    return [each for each in paid if each.month % step == 0 or each.month in kept]
