"""Entries of the cost trail: what was estimated, what was billed, and why it is believed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from ftjobs.jobs.job import Job
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.submission import Submission
from ftjobs.money import Usd, UsdPer1M, total
from ftjobs.ranges import Range

Kind = Literal["estimate", "void", "billed", "adjustment"]
# What settling wrote, as against what a person wrote.
SETTLED_BASIS = "trained_tokens"
_CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger, never changed once written.

    `tokens` are estimated tokens (expected) or trained tokens, by kind. `amount` is the expected estimate or the
    billed amount; `spread` are an estimate's bounds, what a commitment holds being its high one; a void carries
    all of them negated. `occurred_at` decides the month, `recorded_at` what was known when; `recorded_by` is the
    person who adjusted, None for what ftjobs works out.
    """

    submission_id: str
    kind: Kind
    seq: int
    amount: Usd
    occurred_at: datetime
    recorded_at: datetime
    tokens: int | None = None
    spread: Range[Usd] | None = None
    usd_per_1m: UsdPer1M | None = None
    price_list: str | None = None
    effective_from: date | None = None
    basis: str | None = None
    source: str = ""
    recorded_by: str | None = None


class Posting(NamedTuple):
    """As much of an `Entry` as a report reads, amounts in nano-dollars.

    `high_nano` is the high bound of an estimate, None where it has no bounds.
    """

    kind: str
    seq: int
    tokens: int | None
    nano: int
    high_nano: int | None
    nano_per_1m: int | None
    basis: str | None
    occurred_at: datetime


def posting(entry: Entry) -> Posting:
    """Return what a report reads of an entry."""
    return Posting(
        entry.kind,
        entry.seq,
        entry.tokens,
        entry.amount.nano,
        entry.spread.high.nano if entry.spread else None,
        entry.usd_per_1m.nano if entry.usd_per_1m else None,
        entry.basis,
        entry.occurred_at,
    )


@dataclass(frozen=True, slots=True)
class BillingPrice:
    """The unit price that a job is billed at, with where it comes from."""

    usd_per_1m: UsdPer1M
    price_list: str
    effective_from: date | None
    source: str


@dataclass(frozen=True, slots=True)
class Trail:
    """A submission with all its entries, oldest first."""

    submission: Submission
    entries: tuple[Entry, ...]

    @property
    def estimate(self) -> Entry | None:
        """The estimate entry, None where the job was adopted without one."""
        return next((entry for entry in self.entries if entry.kind == "estimate"), None)

    @property
    def voided(self) -> bool:
        """True where the estimate was taken back: nothing was created."""
        return any(entry.kind == "void" for entry in self.entries)

    @property
    def billed_entries(self) -> tuple[Entry, ...]:
        """The billed side: bills and adjustments."""
        return tuple(entry for entry in self.entries if entry.kind in {"billed", "adjustment"})

    @property
    def billed(self) -> Usd | None:
        """The billed total, None while it is unknown."""
        return total([entry.amount for entry in self.billed_entries]) if self.billed_entries else None

    @property
    def settled(self) -> bool:
        """True once it needs nothing more: billed, or voided."""
        return self.voided or bool(self.billed_entries)

    @property
    def commitment(self) -> Usd:
        """The high estimate that an unsettled submission holds against the budget; $0 once settled."""
        return Usd(0) if self.settled else self.high_estimate

    @property
    def high_estimate(self) -> Usd:
        """The high estimate, $0 where the job was adopted without an estimate."""
        if self.estimate is None:
            return Usd(0)
        return self.estimate.spread.high if self.estimate.spread else self.estimate.amount

    @property
    def billed_price(self) -> BillingPrice | None:
        """The price that the first bill used, which later corrections keep."""
        first = next((entry for entry in self.entries if entry.kind == "billed"), None)
        if first is None or first.usd_per_1m is None or first.price_list is None:
            return None
        return BillingPrice(first.usd_per_1m, first.price_list, first.effective_from, first.source)


def estimate_entry(submission_id: str, quote: Quote, *, occurred_at: datetime, recorded_at: datetime) -> Entry:
    """Return the entry that records a quote."""
    return Entry(
        submission_id,
        "estimate",
        0,
        quote.cost.expected,
        occurred_at,
        recorded_at,
        tokens=quote.estimated_tokens.expected,
        spread=quote.cost,
        usd_per_1m=quote.usd_per_1m,
        price_list=quote.price_list,
        effective_from=quote.effective_from,
        source=quote.price_source,
    )


def void_entry(trail: Trail, *, now: datetime, reason: str) -> Entry | None:
    """Return the entry that takes an estimate back, None where there is none or it was taken back already."""
    estimate = trail.estimate
    if estimate is None or trail.voided:
        return None
    spread = estimate.spread
    return Entry(
        estimate.submission_id,
        "void",
        0,
        -estimate.amount,
        now,
        now,
        tokens=-estimate.tokens if estimate.tokens is not None else None,
        spread=Range(-spread.high, -estimate.amount, -spread.low) if spread else None,
        source=reason,
    )


def _billed_at(trail: Trail, job: Job, now: datetime) -> datetime:
    """Return the provider's `finished_at`; now, where that lies ahead, or before the job was thought of.

    A bill that is dated elsewhere would escape its month and the month's budget.
    """
    begun = trail.estimate.occurred_at if trail.estimate else job.created_at
    if job.finished_at is None or not begun - _CLOCKS_DIFFER <= job.finished_at <= now:
        return now
    return job.finished_at


def billed_entry(trail: Trail, job: Job, price: BillingPrice, *, now: datetime) -> Entry | None:
    """Return the entry that brings the bill to trained tokens × price, None where nothing is missing.

    Target minus what settling wrote before, so settling twice writes nothing and an adjustment stands. A job
    that has not ended, or whose trained tokens are unknown, is not billed.
    """
    if not job.ended or job.trained_tokens is None:
        return None
    written = [entry for entry in trail.entries if entry.kind == "billed" and entry.basis == SETTLED_BASIS]
    written_tokens = sum(entry.tokens or 0 for entry in written)
    if written and written_tokens == job.trained_tokens:
        return None
    used = trail.billed_price or price
    amount = used.usd_per_1m.cost(job.trained_tokens) - total([entry.amount for entry in written])
    return Entry(
        trail.submission.id,
        "billed",
        len(written),
        amount,
        _billed_at(trail, job, now),
        now,
        tokens=job.trained_tokens - written_tokens,
        usd_per_1m=used.usd_per_1m,
        price_list=used.price_list,
        effective_from=used.effective_from,
        basis=SETTLED_BASIS,
        source=used.source,
    )
