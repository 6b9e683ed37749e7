"""`check` and `estimate`: a file before anyone pays for it, offline and without a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ftjobs.cli.context import local_file, open_app, progress_bar, size_of, width
from ftjobs.cli.options import print_json
from ftjobs.errors import UsageError

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.cli.options import Globals
    from ftjobs.dataset.survey import Survey
    from ftjobs.models.names import ModelName
    from ftjobs.pricing.estimate import Estimate
    from ftjobs.workflows.appraise import Terms

INVALID_DATASET = 4

Data = Annotated[str, typer.Argument(metavar="DATA", help="Training file (JSONL), or - for stdin.")]
Method = Annotated[
    Literal["supervised", "dpo", "reinforcement"],
    typer.Option("--method", metavar="T", help="How to train: supervised, dpo or reinforcement."),
]
Epochs = Annotated[
    str | None,
    typer.Option("--epochs", metavar="N|auto", help="Epochs; without it the published rule's number, pinned."),
]


def check(
    ctx: typer.Context,
    data: Data,
    *,
    model: Annotated[str, typer.Option("--model", metavar="M", help="Model to fine-tune.")],
    method: Method = "supervised",
    validation: Annotated[
        str | None, typer.Option("--validation", metavar="F", help="Validation file, checked beside it.")
    ] = None,
) -> int:
    """Find every problem of a training file. Each is told with its line; exits 4 if one is an error."""
    from ftjobs.reports.check import check_json, check_text
    from ftjobs.workflows.appraise import epoch_cost

    app, given = open_app(ctx)
    asked = app.model(model, method)
    terms = app.terms(method=method, epochs=None, looks_back=False)
    with local_file(data) as path:
        found = surveyed(str(path), asked, method, app, given, named=data)
        held_out = (
            None
            if validation is None
            else surveyed_validation(validation, asked, method, app, given, training=path)
        )
    cost = epoch_cost(asked, found, terms)
    if given.json:
        print_json(check_json(found, held_out, epoch_cost=cost, sandbox=given.sandbox))
    else:
        print(given.spelled(check_text(found, held_out, epoch_cost=cost, width=width(given))))
    is_invalid = found.errors or (held_out is not None and held_out.errors)
    return INVALID_DATASET if is_invalid else 0


def estimate(
    ctx: typer.Context,
    data: Data,
    *,
    model: Annotated[
        str, typer.Option("--model", metavar="M[,M…]", help="Model to fine-tune; several stand side by side.")
    ],
    epochs: Epochs = None,
    method: Method = "supervised",
    price_list: Annotated[
        str | None, typer.Option("--price-list", metavar="L", help="Price list: openai, guide-2026 or user.")
    ] = None,
) -> None:
    """Price a training file: tokens and dollars as a range. Works offline, without a key."""
    from ftjobs.reports.estimate import estimates_json, estimates_text
    from ftjobs.workflows.appraise import estimate_for

    app, given = open_app(ctx, price_list=price_list)
    models = [app.model(name.strip(), method) for name in model.split(",")]
    terms = app.terms(method=method, epochs=parsed_epochs(epochs))
    surveys = valid_surveys(data, models, method, app, given)
    estimates = [estimate_for(each, found, terms) for each, found in zip(models, surveys, strict=True)]
    found = surveys[0]
    if given.json:
        print_json(estimates_json(found, estimates, sandbox=given.sandbox))
    else:
        footnotes = _disagreements(estimates, terms)
        print(given.spelled(estimates_text(found, estimates, footnotes=footnotes, width=width(given))))


def _disagreements(estimates: Sequence[Estimate], terms: Terms) -> list[str]:
    from ftjobs.pricing.comparison import disagreement

    found = []
    for each in estimates:
        lists = terms.prices.by_list(each.model.base.name, profile=terms.profile.name, on=terms.on)
        if each.price is not None and (footnote := disagreement(each.price, lists)):
            found.append(footnote)
    return found


def valid_surveys(data: str, models: Sequence[ModelName], method: str, app: App, given: Globals) -> list[Survey]:
    """Return each model's survey of a valid file (DatasetError otherwise); those that count alike share a pass."""
    from ftjobs.workflows.appraise import require_valid

    by_shape: dict[object, Survey] = {}
    surveys = []
    with local_file(data) as path:
        for each in models:
            shape = (each.base.encoding, each.base.max_example_tokens, each.base.format, each.base.image_tokens)
            if shape not in by_shape:
                by_shape[shape] = surveyed(str(path), each, method, app, given, named=data)
                require_valid(by_shape[shape])
            surveys.append(by_shape[shape])
    return surveys


def surveyed(
    data: str, model: ModelName, method: str, app: App, given: Globals, *, named: str | None = None
) -> Survey:
    """Return the survey of a file, under the name that the user typed: a copy of stdin has none worth showing."""
    from ftjobs.workflows.appraise import survey_for

    with local_file(data) as path, progress_bar("counting", size_of(path), given) as show:
        found = survey_for(
            model,
            path,
            method=method,
            kept=app.surveys,
            on_progress=lambda done, examples: show(done, f"{examples:,} examples"),
        )
    return replace(found, path=named or data)


def surveyed_validation(
    validation: str, model: ModelName, method: str, app: App, given: Globals, *, training: Path
) -> Survey:
    """Return the survey of a validation file, with what it shares with the training file."""
    from ftjobs.workflows.appraise import beside

    return beside(training, Path(validation), surveyed(validation, model, method, app, given))


def parsed_epochs(text: str | None) -> int | Literal["auto"] | None:
    """Return the epochs that an option names; UsageError where it names none."""
    if text is None or text == "auto":
        return "auto" if text else None
    if text.isascii() and text.isdigit() and len(text) <= 4:
        return int(text)
    raise UsageError(
        "epochs_out_of_range",
        f"--epochs {text!r} is not possible.",
        next_step="Give --epochs a number from 1 to 50, or auto.",
        epochs=text,
    )
