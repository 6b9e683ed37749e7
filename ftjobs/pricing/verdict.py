"""Whether fine-tuning is worth it, in one sentence: enough examples, a saving that pays, before it is too late."""

from __future__ import annotations

from ftjobs.dataset.survey import ADVISED_EXAMPLES
from ftjobs.money import Usd
from ftjobs.pricing.ownership import Ownership

BETTER_EXAMPLES = 500  # the cost guide: 100 to 500 at least


def verdict(owned: Ownership) -> str:
    """Return "Worth it: …", "Not worth it: …", "Only if it does the task better: …" or "Unknown: …".

    It says the first of these that holds: the model is shut down; there are too few examples; a month's cost is
    unknown; a month costs no less than on the base model, which no use can pay for; what training costs is
    unknown; the saving pays it back within the horizon, or does not. An unknown number of examples is said to be.
    """
    if not owned.horizon.days:
        return (
            f"Not worth it: {owned.base_model} and every model tuned from it shut down on {owned.shutdown_date}."
        )
    examples, saving = owned.training.trained_examples, owned.saving
    if examples is not None and examples < ADVISED_EXAMPLES:
        return (
            f"Not worth it: {_examples(examples)} {'is' if examples == 1 else 'are'} too few to train on"
            f" ({ADVISED_EXAMPLES} at least, better {BETTER_EXAMPLES})."
        )
    if saving is None:
        return (
            f"Unknown: what {_unknown_models(owned)} a month is unknown, so nothing says whether it saves money."
        )
    if saving.nano <= 0:
        return (
            f"Only if it does the task better: {_dearer(owned, saving)}, so its use never pays the"
            f" {_training(owned)} back."
        )
    if owned.training_cost is None:
        return f"Unknown: it saves {_saving(owned, saving)}, but what training costs is unknown."
    if owned.break_even_month is None:
        return (
            f"Not worth it: saving {_saving(owned, saving)} does not pay the {_training(owned)} back"
            f" {_in_time(owned)}."
        )
    return (
        f"Worth it: saving {_saving(owned, saving)} pays the {_training(owned)} back in month"
        f" {owned.break_even_month}{_while_it_lasts(owned)}, {_enough(examples)}; test it against the base model"
        " before deploying."
    )


def _examples(number: int) -> str:
    return f"{number:,} example{'' if number == 1 else 's'}"


def _enough(examples: int | None) -> str:
    if examples is None:
        return (
            f"if there are enough examples ({ADVISED_EXAMPLES} at least, better {BETTER_EXAMPLES}; their number is"
            " unknown)"
        )
    if examples < BETTER_EXAMPLES:
        return f"and {_examples(examples)} are enough, though {BETTER_EXAMPLES} are better"
    return f"and {_examples(examples)} are plenty"


def _unknown_models(owned: Ownership) -> str:
    if owned.monthly is None and owned.compared_monthly is None:
        return "either model costs"
    return f"the {'fine-tuned' if owned.monthly is None else 'base'} model costs"


def _dearer(owned: Ownership, saving: Usd) -> str:
    than = "the base model with its longer prompt" if owned.has_longer_prompt else "the base model"
    if not saving.nano:
        return f"a month costs the same as on {than}"
    return f"a month costs {(-saving).display()} more than on {than}"


def _saving(owned: Ownership, saving: Usd) -> str:
    against = " over the base model's longer prompt" if owned.has_longer_prompt else ""
    return f"{saving.display()} {'in the first month and more later' if owned.use.growth else 'a month'}{against}"


def _training(owned: Ownership) -> str:
    return "cost of training" if owned.training_cost is None else f"{owned.training_cost.display()} of training"


def _in_time(owned: Ownership) -> str:
    if owned.horizon.capped_by_shutdown:
        days = owned.horizon.days
        return f"before the shutdown on {owned.horizon.end}, in {days} day{'' if days == 1 else 's'}"
    months = owned.horizon.months_asked
    return f"within {months} month{'' if months == 1 else 's'}"


def _while_it_lasts(owned: Ownership) -> str:
    return f", before the shutdown on {owned.horizon.end}" if owned.horizon.capped_by_shutdown else ""
