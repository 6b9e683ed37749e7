"""What the command line of `tco` says: the use of a month, and what is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ftjobs.cli.estimate import parsed_epochs
from ftjobs.dataset.split import parse_share
from ftjobs.errors import UsageError
from ftjobs.pricing.amounts import parse_percentage, parse_tokens
from ftjobs.pricing.estimate import choose_epochs
from ftjobs.pricing.ownership import Use

_MOST_GROWTH_PCT = 1000
_MOST_MONTHLY_TOKENS = 10**18


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the command line says of the dataset: a file's `path` or its dataset `tokens`; None is not given."""

    path: str | None
    tokens: int | None
    examples: int | None
    epochs: int | None
    holdout: Fraction


def read_use(
    *,
    monthly_input: str,
    monthly_output: str,
    base_input: str | None,
    cached: str,
    retry_overhead: str,
    growth: str,
    batch: bool,
) -> Use:
    """Return the use of the first month; UsageError for what is no amount, and for a shorter base input."""
    use = Use(
        input_tokens=parse_tokens(monthly_input, option="--monthly-input"),
        output_tokens=parse_tokens(monthly_output, option="--monthly-output"),
        base_input_tokens=None if base_input is None else parse_tokens(base_input, option="--base-input"),
        cached=parse_percentage(cached, option="--cached"),
        retry_overhead=parse_percentage(retry_overhead, option="--retry-overhead"),
        growth=parse_percentage(growth, option="--growth", most=_MOST_GROWTH_PCT),
        batch=batch,
    )
    if use.base_input_tokens is not None and use.base_input_tokens < use.input_tokens:
        raise UsageError(
            "bad_base_input",
            f"--base-input {base_input} is less than --monthly-input {monthly_input}, and so no longer prompt.",
            next_step="Give --base-input all the input that the base model needs in a month, or leave it out.",
            option="--base-input",
            value=base_input,
        )
    return use


def require_growth_in_bounds(use: Use, months: int) -> None:
    """Raise UsageError unless the last month stays below 10¹⁸ tokens: beyond that, growth is a slip."""
    largest = max(use.input_tokens, use.output_tokens, use.base_input_tokens or 0)
    if largest * (1 + use.growth) ** (months - 1) > _MOST_MONTHLY_TOKENS:
        raise UsageError(
            "too_much_growth",
            f"With that --growth, month {months} would use more than {_MOST_MONTHLY_TOKENS:,} tokens.",
            next_step="Give a smaller --growth, or fewer --months.",
            option="--growth",
        )


def read_dataset(
    data: str | None,
    training_tokens: str | None,
    *,
    examples: int | None,
    epochs: str | None,
    holdout: str | None,
    most_epochs: int,
) -> Dataset:
    """Return what to train on; UsageError unless it is a file or dataset tokens, and some are not held out."""
    if (data is None) == (training_tokens is None):
        raise UsageError(
            "bad_training",
            "There is nothing to train on: neither a training file nor --training-tokens."
            if data is None
            else "A training file and --training-tokens say the same thing twice.",
            next_step="Name a training file, or give --training-tokens its dataset tokens, such as 5M.",
        )
    if data is not None and examples is not None:
        raise UsageError(
            "bad_training",
            "The examples of a training file are counted, so --examples has nothing to say.",
            next_step="Leave --examples out, or give --training-tokens in place of the file.",
        )
    share = Fraction(0) if holdout is None else parse_share(holdout)
    tokens = (
        None if training_tokens is None else parse_tokens(training_tokens, option="--training-tokens", least=1)
    )
    return Dataset(data, tokens, examples, _pinned(epochs, most_epochs), share)


def _pinned(epochs: str | None, most: int) -> int | None:
    asked = parsed_epochs(epochs)
    if asked == "auto":
        raise UsageError(
            "epochs_out_of_range",
            "auto leaves the epochs to the service, and a total needs their number.",
            next_step=f"Give --epochs a number from 1 to {most}, or leave it out.",
            epochs=epochs,
        )
    return None if asked is None else choose_epochs(asked, examples=0, most=most).count.expected
