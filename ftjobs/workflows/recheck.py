"""Whether a submission of the past may still spend: today's price, budgets and dates decide."""

from __future__ import annotations

from collections.abc import Sequence

from ftjobs.errors import SpendRefusedError
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.budget import Limit
from ftjobs.models.catalog import load_catalog
from ftjobs.models.names import resolve
from ftjobs.models.shutdowns import newest
from ftjobs.pricing.prices import PriceBook
from ftjobs.workflows.gate import refuse_gone
from ftjobs.workflows.session import Session


def recheck(
    submission: Submission, session: Session, *, prices: PriceBook, price_list: str, limits: Sequence[Limit]
) -> None:
    """Return where what was estimated still covers what would be spent; SpendRefusedError where not.

    Whoever asks for it by name consents to the estimate that was recorded, and to no more.
    """
    _refuse_what_is_gone(submission, session)
    _refuse_dearer(submission, session, prices=prices, price_list=price_list)
    session.ledger.readmit(submission, limits=limits, now=session.now())


def _refuse_what_is_gone(submission: Submission, session: Session) -> None:
    if submission.spec is None or not session.api.profile.uses_catalog_dates:
        return
    catalog, today = load_catalog(), session.now().date()
    model = resolve(submission.spec.model, catalog, any_model=True)
    refuse_gone(
        model,
        shutdown_date=newest(model.base, told=None, on=today),
        creation_ends_on=catalog.creation_ends_on,
        on=today,
    )


def _refuse_dearer(submission: Submission, session: Session, *, prices: PriceBook, price_list: str) -> None:
    spec, quote = submission.spec, submission.quote
    if spec is None or quote is None:
        return
    price = prices.find(
        spec.base_model,
        profile=submission.profile,
        on=session.now().date(),
        price_list=quote.price_list if quote.price_list in prices.price_lists else price_list,
    )
    rate = None if price is None else price.training_usd_per_1m
    if rate is not None and rate <= quote.usd_per_1m:
        return
    now = "is unknown today" if rate is None else f"is ${rate.plain()}/1M today"
    raise SpendRefusedError(
        "no_price" if rate is None else "price_rose",
        f"The price of training {spec.base_model} {now}; submission {submission.id} was estimated at"
        f" ${quote.usd_per_1m.plain()}/1M.",
        next_step="`ftjobs status` still looks for its job; to train at today's price, submit its file with"
        " --again NAME.",
        submission_id=submission.id,
    )
