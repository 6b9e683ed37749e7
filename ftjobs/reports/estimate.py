"""Estimates, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftjobs.dataset.survey import Survey
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.submission import Submission
from ftjobs.pricing.estimate import Epochs, Estimate
from ftjobs.pricing.prices import Price
from ftjobs.reports.check import dataset_json, problem_lines, size_text
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import UNKNOWN, range_json, token_range, usd, usd_range
from ftjobs.reports.table import Column, table


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """Return one element of `estimates[]`."""
    return {
        "model": estimate.model.requested,
        "base_model": estimate.model.base.name,
        "method": estimate.method,
        "epochs": {**(range_json(estimate.epochs.count) or {}), "source": estimate.epochs.source},
        "estimated_tokens": range_json(estimate.estimated_tokens),
        "estimated_cost_usd": range_json(estimate.cost),
        "cost_per_epoch_usd": range_json(estimate.cost_per_epoch),
        "bounds": dict(estimate.bounds),
        "calibration": _calibration_json(estimate),
        "price": _price_json(estimate.price),
        "shutdown_date": estimate.shutdown_date,
        "warnings": list(estimate.warnings),
    }


def _calibration_json(estimate: Estimate) -> dict[str, Any] | None:
    known = estimate.calibration
    if known is None:
        return None
    return {
        "jobs": known.jobs,
        "landed_at": known.text,
        "estimated_tokens": _bounds_json(estimate.likely_tokens),
        "estimated_cost_usd": _bounds_json(estimate.likely_cost),
    }


def _bounds_json(bounds: tuple[Any, Any] | None) -> dict[str, Any] | None:
    return None if bounds is None else {"low": bounds[0], "high": bounds[1]}


def recorded_estimate_json(submission: Submission) -> dict[str, Any] | None:
    """Return the same element for what a submission recorded, null where it recorded none."""
    quote, spec = submission.quote, submission.spec
    if quote is None:
        return None
    return {
        "model": spec.requested_model if spec else None,
        "base_model": spec.base_model if spec else None,
        "method": spec.method if spec else None,
        "epochs": {
            **(range_json(quote.epochs) or {}),
            "source": None if spec is None else _epochs_source(submission),
        },
        "estimated_tokens": range_json(quote.estimated_tokens),
        "estimated_cost_usd": range_json(quote.cost),
        "cost_per_epoch_usd": range_json(quote.dataset_tokens.map(quote.usd_per_1m.cost)),
        "bounds": None,
        "calibration": None,
        "price": {
            "usd_per_1m": quote.usd_per_1m,
            "usd_per_hour": None,
            "list": quote.price_list,
            "effective_from": quote.effective_from,
            "source": quote.price_source,
        },
        "shutdown_date": None,
        "warnings": [],
    }


def _epochs_source(submission: Submission) -> str:
    return "auto" if submission.spec and submission.spec.n_epochs == "auto" else "pinned"


def _price_json(price: Price | None) -> dict[str, Any] | None:
    if price is None:
        return None
    return {
        "usd_per_1m": price.training_usd_per_1m,
        "usd_per_hour": price.training_usd_per_hour,
        "list": price.price_list,
        "effective_from": price.effective_from,
        "source": price.source,
    }


def estimates_json(survey: Survey, estimates: Sequence[Estimate], *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.estimate/1`."""
    return envelope(
        "estimate",
        sandbox=sandbox,
        dataset=dataset_json(survey),
        estimates=[estimate_json(estimate) for estimate in estimates],
    )


def estimates_text(
    survey: Survey, estimates: Sequence[Estimate], *, footnotes: Sequence[str] = (), width: int | None
) -> str:
    """Return the dataset in a line, the models in a table, whence the range and the prices, then what to mind."""
    columns = [
        Column("MODEL"),
        Column("EPOCHS", right=True, gives_way=1),
        Column("ESTIMATED TOKENS", right=True, gives_way=3),
        Column("USD/1M", right=True, gives_way=2),
        Column("EACH EPOCH", right=True, gives_way=4),
        Column("ESTIMATED COST", right=True),
    ]
    rows = [
        [
            estimate.model.base.name,
            epochs_text(estimate.epochs),
            token_range(estimate.estimated_tokens),
            _rate_text(estimate.price),
            usd(estimate.cost_per_epoch.expected if estimate.cost_per_epoch else None),
            usd_range(estimate.cost),
        ]
        for estimate in estimates
    ]
    notes = [
        *(line for estimate in estimates for line in price_lines(estimate.price)),
        *footnotes,
        *(line for estimate in estimates for line in _bounds_lines(estimate)),
        *(line for estimate in estimates for line in calibration_lines(estimate)),
    ]
    warnings = [f"note: {warning}" for estimate in estimates for warning in estimate.warnings]
    return "\n".join(
        [
            size_text(survey),
            *problem_lines(survey, width),
            "",
            table(columns, rows, width=width),
            *_unique([*notes, *warnings]),
        ]
    )


def _rate_text(price: Price | None) -> str:
    if price is None:
        return UNKNOWN
    if price.training_usd_per_1m is None and price.training_usd_per_hour is not None:
        return f"{price.training_usd_per_hour.plain()}/h"
    return price.training_usd_per_1m.plain() if price.training_usd_per_1m else UNKNOWN


def _bounds_lines(estimate: Estimate) -> list[str]:
    if estimate.dataset_tokens.low == estimate.dataset_tokens.high:
        return []
    return [
        "the range of dataset tokens: "
        + ", ".join(f"{bound} is {what}" for bound, what in estimate.bounds.items())
    ]


def calibration_lines(estimate: Estimate) -> list[str]:
    """Return what earlier jobs of this kind came to, in a line; nothing without enough of them."""
    if estimate.calibration is None:
        return []
    cost = estimate.likely_cost
    shown = list(dict.fromkeys(amount.display() for amount in cost or ()))
    likely = f": {'–'.join(shown)}" if shown else ""
    return [
        f"your last {estimate.calibration.jobs} jobs on {estimate.model.base.name} landed at"
        f" {estimate.calibration.sentence_end}{likely}"
    ]


def epochs_text(epochs: Epochs, noun: str = "") -> str:
    """Return the number and where it comes from ("3 by rule", "1–50 auto"), with a noun "3 epochs by rule"."""
    spread = epochs.count
    number = str(spread.expected) if spread.low == spread.high else f"{spread.low}–{spread.high}"
    unit = f" {noun}{'' if number == '1' else 's'}" if noun else ""
    return f"{number}{unit} {'by rule' if epochs.source == 'rule' else epochs.source}"


def price_lines(price: Price | None) -> list[str]:
    """Return where a price comes from, in a line."""
    if price is None:
        return []
    since = f", from {price.effective_from}" if price.effective_from else ""
    read = f", read {price.read_on}" if price.read_on else ""
    return [f"price list {price.price_list}{since}{read}: {clean(price.source)}"]


def quote_text(quote: Quote | None) -> str:
    """Return a recorded estimate in a line."""
    if quote is None:
        return "no estimate"
    tokens = token_range(quote.estimated_tokens)
    return (
        f"{usd_range(quote.cost)} for {tokens} estimated tokens "
        f"at ${quote.usd_per_1m.plain()}/1M (price list {quote.price_list})"
    )


def _unique(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(lines))
