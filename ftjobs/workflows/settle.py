"""The bill of a job that has ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ftjobs.failpoints import reach
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import BillingPrice, Entry
from ftjobs.ledger.store import Ledger
from ftjobs.logs import get_logger
from ftjobs.models.catalog import load_catalog
from ftjobs.pricing.prices import PriceBook

log = get_logger(__name__)


def settle(
    submission: Submission, *, ledger: Ledger, prices: PriceBook, price_list: str, now: datetime
) -> Entry | None:
    """Write what the job's trained tokens add to its bill; return it, None where there is nothing to write.

    The price is the one in force on the day the service created the job, of the list that the estimate used: an
    assumption, and recorded as one. Nothing is written while the trained tokens or the price are unknown.
    """
    job = submission.job
    if job is None or not job.ended or job.trained_tokens is None:
        return None
    price = price_in_force(submission, prices, price_list)
    if price is None:
        tell_unpriced([submission], prices)
        return None
    entry = ledger.settle(submission.id, price, now=now)
    if entry is not None:
        tell_settled(submission, entry)
    return entry


def tell_settled(submission: Submission, entry: Entry) -> None:
    """The log has the bill, which is committed."""
    reach("bill.settled")
    job = submission.job
    log.info(
        "bill.settled", submission_id=submission.id, job_id=job and job.id,
        trained_tokens=job and job.trained_tokens, billed_usd=entry.amount.plain(),
    )  # fmt: skip


def tell_unpriced(submissions: Sequence[Submission], prices: PriceBook) -> None:
    """The log says, once for each reason, whose bills stay unknown."""
    by_hand = [each for each in submissions if each.profile in prices.manual]
    unpriced = [each for each in submissions if each.profile not in prices.manual]
    for reason, some in (
        ("no price is known: add a [[price]], or see `ftjobs adjust`", unpriced),
        ("the profile's billing is manual: see `ftjobs adjust`", by_hand),
    ):
        if some:
            models = sorted({str(base_model(each)) for each in some})
            log.warning("bills.unknown", jobs=len(some), models=models, reason=reason)


def price_in_force(submission: Submission, prices: PriceBook, price_list: str) -> BillingPrice | None:
    """Return the price that the submission's job is billed at, None where none is known or makes its bill."""
    quote, job = submission.quote, submission.job
    model = base_model(submission)
    if job is None or model is None or submission.profile in prices.manual:
        return None
    price = prices.find(
        model,
        profile=submission.profile,
        on=job.created_at.date(),
        price_list=quote.price_list if quote and quote.price_list in prices.price_lists else price_list,
    )
    is_quoted_list = price is not None and (quote is None or price.price_list == quote.price_list)
    if price is not None and price.training_usd_per_1m is not None and is_quoted_list and not price.illustrative:
        source = f"{price.source}; the price of {job.created_at.date()}, when the job was created (assumed)"
        return BillingPrice(price.training_usd_per_1m, price.price_list, price.effective_from, source)
    if quote is None:
        return None
    # The list that was quoted is gone or has changed its name: what was promised then is the best that is known.
    return BillingPrice(
        quote.usd_per_1m,
        quote.price_list,
        quote.effective_from,
        f"{quote.price_source}; as estimated on {quote.estimated_on} (assumed)",
    )


def base_model(submission: Submission) -> str | None:
    """Return the name under which the price of the submission's model is found, None where nobody tells it."""
    if submission.spec is not None:
        return submission.spec.base_model
    sent = submission.job.model if submission.job else None
    if sent is None:
        return None
    name = sent.split(":")[1] if sent.startswith("ft:") else sent
    known = load_catalog().find(name)
    return known.name if known else name
