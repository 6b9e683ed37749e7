"""A training file surveyed and priced, offline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from ftjobs.dataset.survey import Survey, survey
from ftjobs.errors import DatasetError
from ftjobs.models.names import ModelName
from ftjobs.pricing.estimate import Estimate, choose_epochs, estimate
from ftjobs.pricing.prices import PriceBook
from ftjobs.provider.profiles import Profile


@dataclass(frozen=True, slots=True)
class Terms:
    """On what an estimate is made: the epochs asked for, the method, the profile, its prices and the day."""

    epochs: int | Literal["auto"] | None
    method: str
    profile: Profile
    prices: PriceBook
    price_list: str
    on: date


def survey_for(model: ModelName, path: Path, *, on_progress: Callable[[int], None] | None = None) -> Survey:
    """Return the survey of a file as `model` reads it."""
    return survey(
        path,
        encoding=model.base.encoding,
        max_example_tokens=model.base.max_example_tokens,
        on_progress=on_progress,
    )


def estimate_for(model: ModelName, found: Survey, terms: Terms, *, shutdown_date: date | None = None) -> Estimate:
    """Return the estimate of a valid file on `model`; `shutdown_date` is what a service said of it.

    On OpenAI's own service the catalog's date holds.
    """
    return estimate(
        found,
        model=model,
        method=terms.method,
        epochs=choose_epochs(terms.epochs, examples=found.examples),
        price=terms.prices.find(
            model.base.name, profile=terms.profile.name, on=terms.on, price_list=terms.price_list
        ),
        shutdown_date=model.base.shutdown_date if terms.profile.uses_catalog_dates else shutdown_date,
        on=terms.on,
        list_is_foreign=not (terms.profile.is_openai or terms.profile.is_sandbox),
    )


def require_valid(found: Survey, *, for_validation: bool = False) -> None:
    """Raise DatasetError that names the lines at fault, unless the file is valid.

    The least number of examples is a rule for training files only.
    """
    errors = [error for error in found.errors if not (for_validation and error.code == "too_few_examples")]
    if not errors:
        return
    number = sum(found.problem_counts[code] for code in {error.code for error in errors})
    first = next((error for error in errors if error.line), errors[0])
    where = f"line {first.line}: " if first.line else ""
    raise DatasetError(
        "dataset_invalid",
        f"{found.path} has {number:,} error{'' if number == 1 else 's'}; {where}{first.message}",
        next_step=f"Mend it; `ftjobs check {found.path} --model …` lists every problem.",
        path=found.path,
        line=first.line,
        lines=sorted({error.line for error in errors if error.line})[:100],
        problem_counts=dict(found.problem_counts),
    )
