"""A training file surveyed and priced, offline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Literal

from ftjobs.dataset.cache import SurveyCache
from ftjobs.dataset.duplicates import overlap
from ftjobs.dataset.rules import rules_for
from ftjobs.dataset.survey import Survey, survey
from ftjobs.errors import DatasetError
from ftjobs.ledger.history import Past
from ftjobs.models.catalog import load_catalog
from ftjobs.models.names import ModelName
from ftjobs.models.shutdowns import newest
from ftjobs.money import Usd
from ftjobs.pricing.calibration import Shape
from ftjobs.pricing.estimate import Epochs, Estimate, choose_epochs, estimate
from ftjobs.pricing.prices import Price, PriceBook
from ftjobs.provider.profiles import Profile
from ftjobs.ranges import Range

_OF_TRAINING_FILES = frozenset({"too_few_examples", "few_examples"})


@dataclass(frozen=True, slots=True)
class Terms:
    """On what an estimate is made: epochs asked for, method, profile, its prices, the day and the past."""

    epochs: int | Literal["auto"] | None
    method: str
    profile: Profile
    prices: PriceBook
    price_list: str
    on: date
    past: Past = field(default_factory=Past)


def survey_for(
    model: ModelName,
    path: Path,
    *,
    method: str,
    kept: SurveyCache,
    on_progress: Callable[[int, int], None],
) -> Survey:
    """Return the survey of a file as training `model` by `method` reads it, made now or `kept`."""
    rules = rules_for(model.base, method)
    encoding, limit = model.base.encoding, model.base.max_example_tokens
    return kept.survey(
        path,
        f"{encoding} {limit} {rules}",
        lambda: survey(path, encoding=encoding, max_example_tokens=limit, rules=rules, on_progress=on_progress),
    )


def beside(training: Path, validation: Path, found: Survey) -> Survey:
    """Return the survey of a validation file: no least number of examples, but nothing from the training file.

    UsageError where one of them cannot be read.
    """
    own = [problem for problem in found.problems if problem.code not in _OF_TRAINING_FILES]
    shared = overlap(training, validation)
    problems = sorted([*own, *([shared] if shared else [])], key=lambda problem: problem.line or 0)
    counts = {code: times for code, times in found.problem_counts.items() if code not in _OF_TRAINING_FILES}
    return replace(found, problems=tuple(problems), problem_counts=counts | ({shared.code: 1} if shared else {}))


def epoch_cost(model: ModelName, found: Survey, terms: Terms) -> Range[Usd] | None:
    """Return what one epoch over the file costs, None where there is no price per token."""
    price = _price(model, terms)
    rate = price.training_usd_per_1m if price else None
    return None if rate is None else found.dataset_tokens.map(rate.cost)


def _price(model: ModelName, terms: Terms) -> Price | None:
    return terms.prices.find(model.base.name, profile=terms.profile.name, on=terms.on, price_list=terms.price_list)


def epochs_for(found: Survey, terms: Terms) -> Epochs:
    """Return the epochs that these terms send for a file; UsageError where they are out of range."""
    return choose_epochs(terms.epochs, examples=found.examples, most=terms.profile.max_epochs)


def estimate_for(model: ModelName, found: Survey, terms: Terms, *, shutdown_date: date | None = None) -> Estimate:
    """Return the estimate of a valid file on `model`; `shutdown_date` is what the service said, if anything."""
    account = terms.profile.account
    shape = Shape.of(found.dataset_tokens, account=account, model=model.base.name, method=terms.method)
    return estimate(
        found,
        model=model,
        method=terms.method,
        epochs=epochs_for(found, terms),
        price=_price(model, terms),
        shutdown_date=newest(
            model.base if terms.profile.uses_catalog_dates else None, told=shutdown_date, on=terms.on
        ),
        on=terms.on,
        list_is_foreign=not (terms.profile.is_openai or terms.profile.is_sandbox),
        calibration=terms.past.calibration(shape),
        creation_ends_on=load_catalog().creation_ends_on if terms.profile.uses_catalog_dates else None,
    )


def require_valid(found: Survey) -> None:
    """Raise DatasetError that names the lines at fault, unless the file is valid."""
    errors = found.errors
    if not errors:
        return
    number = sum(found.problem_counts[code] for code in {error.code for error in errors})
    first = next((error for error in errors if error.line), errors[0])
    where = f"line {first.line}: " if first.line else ""
    raise DatasetError(
        "dataset_invalid",
        f"{found.path} has {number:,} error{'' if number == 1 else 's'}; {where}{first.message}",
        next_step=f"Fix it; `ftjobs check {found.path} --model …` lists every problem.",
        path=found.path,
        line=first.line,
        lines=sorted({error.line for error in errors if error.line})[:100],
        problem_counts=dict(found.problem_counts),
    )
