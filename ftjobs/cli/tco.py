"""`tco`: what a fine-tuned model costs over its life, offline and without a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import open_app, width
from ftjobs.cli.estimate import valid_surveys
from ftjobs.cli.options import print_json
from ftjobs.errors import UsageError

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.cli.options import Globals
    from ftjobs.cli.tco_input import Dataset
    from ftjobs.cli.tco_model import Candidate
    from ftjobs.dataset.survey import Survey
    from ftjobs.models.names import ModelName
    from ftjobs.pricing.ownership import Training

_METHOD = "supervised"
_MOST_MONTHS = 120


def tco(
    ctx: typer.Context,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Training file (JSONL), or - for stdin.")
    ] = None,
    *,
    model: Annotated[
        str, typer.Option("--model", metavar="M[,M…]", help="Model to fine-tune; several stand side by side.")
    ],
    monthly_input: Annotated[
        str, typer.Option("--monthly-input", metavar="N", help="Input tokens a month, such as 150M.")
    ],
    monthly_output: Annotated[
        str, typer.Option("--monthly-output", metavar="N", help="Output tokens a month, such as 0.3M.")
    ],
    training_tokens: Annotated[
        str | None, typer.Option("--training-tokens", metavar="N", help="Dataset tokens, where there is no DATA.")
    ] = None,
    examples: Annotated[
        int | None, typer.Option("--examples", metavar="N", min=1, help="Examples, where there is no DATA.")
    ] = None,
    epochs: Annotated[
        str | None, typer.Option("--epochs", metavar="N", help="Epochs; by rule for DATA, else 1, without it.")
    ] = None,
    months: Annotated[
        int, typer.Option("--months", metavar="N", min=1, max=_MOST_MONTHS, help="Months to count.")
    ] = 12,
    cached: Annotated[
        str,
        typer.Option("--cached", metavar="P", show_default=False, help="Share of the input that is cached (40%)."),
    ] = "0%",
    batch: Annotated[bool, typer.Option("--batch", help="Use both models at batch prices.")] = False,
    retry_overhead: Annotated[
        str,
        typer.Option(
            "--retry-overhead", metavar="P", show_default=False, help="What retries add to each month (5%)."
        ),
    ] = "0%",
    holdout: Annotated[
        str | None,
        typer.Option("--holdout", metavar="P", help="Share held out for validation (15%), for free."),
    ] = None,
    growth: Annotated[
        str,
        typer.Option(
            "--growth", metavar="P", show_default=False, help="How the use grows from month to month (5%)."
        ),
    ] = "0%",
    base_input: Annotated[
        str | None,
        typer.Option("--base-input", metavar="N", help="Input a month of the base model with a longer prompt."),
    ] = None,
    price_list: Annotated[
        str | None, typer.Option("--price-list", metavar="L", help="Price list: openai, guide-2026 or user.")
    ] = None,
) -> None:
    """Weigh training and use against the base model. Total cost of ownership, break-even, verdict; offline."""
    from ftjobs.cli.tco_input import read_dataset, read_use, require_growth_in_bounds
    from ftjobs.cli.tco_model import candidate, owned_by
    from ftjobs.reports.tco import tco_json, tco_text

    app, given = open_app(ctx, price_list=price_list)
    use = read_use(
        monthly_input=monthly_input,
        monthly_output=monthly_output,
        base_input=base_input,
        cached=cached,
        retry_overhead=retry_overhead,
        growth=growth,
        batch=batch,
    )
    require_growth_in_bounds(use, months)
    dataset = read_dataset(
        data,
        training_tokens,
        examples=examples,
        epochs=epochs,
        holdout=holdout,
        most_epochs=app.profile.max_epochs,
    )
    today = app.ambient.now().date()
    models = [candidate(name, app, today) for name in dict.fromkeys(each.strip() for each in model.split(","))]
    trainings = _trainings(dataset, models, app, given)
    owned = [
        owned_by(each, training, use, app, today=today, months=months)
        for each, training in zip(models, trainings, strict=True)
    ]
    if given.json:
        print_json(tco_json(owned, sandbox=given.sandbox))
    else:
        print(tco_text(owned, width=width(given)))


def _trainings(dataset: Dataset, models: Sequence[Candidate], app: App, given: Globals) -> list[Training]:
    from ftjobs.pricing.estimate import epochs_by_rule
    from ftjobs.pricing.ownership import Training, examples_left
    from ftjobs.ranges import Range

    if dataset.path is not None:
        surveys = valid_surveys(dataset.path, [_countable(each) for each in models], _METHOD, app, given)
        return [_surveyed_training(dataset, found, app.profile.max_epochs) for found in surveys]
    known = dataset.examples and examples_left(dataset.examples, dataset.holdout)
    by_rule = min(epochs_by_rule(known), app.profile.max_epochs) if known else None
    return [
        Training(
            dataset_tokens=Range.exactly(dataset.tokens or 0),
            epochs=dataset.epochs or by_rule or 1,
            epochs_source="pinned" if dataset.epochs else "rule" if by_rule else "assumed",
            examples=dataset.examples,
            holdout=dataset.holdout,
        )
        for _ in models
    ]


def _surveyed_training(dataset: Dataset, found: Survey, most_epochs: int) -> Training:
    from ftjobs.pricing.estimate import epochs_by_rule
    from ftjobs.pricing.ownership import Training, examples_left

    return Training(
        dataset_tokens=found.dataset_tokens,
        epochs=dataset.epochs or min(epochs_by_rule(examples_left(found.examples, dataset.holdout)), most_epochs),
        epochs_source="pinned" if dataset.epochs else "rule",
        examples=found.examples,
        holdout=dataset.holdout,
    )


def _countable(candidate: Candidate) -> ModelName:
    if candidate.known is None:
        raise UsageError(
            "uncountable_model",
            f"How {candidate.name} counts tokens is unknown, so a training file cannot be counted for it.",
            next_step="Give --training-tokens in place of the file.",
            model=candidate.requested,
        )
    if _METHOD not in candidate.known.base.methods:
        raise UsageError(
            "unknown_method",
            f"{candidate.name} cannot be trained with --method {_METHOD}, and a file is counted for that.",
            next_step="Give --training-tokens in place of the file, or name another model.",
            model=candidate.requested,
            method=_METHOD,
        )
    return candidate.known
