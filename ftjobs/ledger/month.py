"""A period of the ledger: what was billed in it, and what was unsettled at its end. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from ftjobs.jobs.submission import Submission
from ftjobs.ledger.bridge import Bridge, bridge, summed
from ftjobs.ledger.entries import Entry, Trail
from ftjobs.money import Usd, total
from ftjobs.periods import Period, iso


@dataclass(frozen=True, slots=True)
class Line:
    """One job of a period, None for all time: its whole trail, seen as the period saw it."""

    trail: Trail
    period: Period | None = None

    @property
    def submission(self) -> Submission:
        """The submission behind the line."""
        return self.trail.submission

    @property
    def base_model(self) -> str | None:
        """The snapshot that is priced, else the job's own word; None where nobody says."""
        if self.submission.spec:
            return self.submission.spec.base_model
        return self.submission.job.model if self.submission.job else None

    @property
    def known(self) -> tuple[Entry, ...]:
        """The entries that occurred before the period's end."""
        return tuple(e for e in self.trail.entries if self.period is None or e.occurred_at < self.period.end)

    @property
    def billed_in(self) -> tuple[Entry, ...]:
        """The bills and adjustments that fall into the period."""
        return tuple(
            entry for entry in self.trail.billed_entries if self.period is None or entry.occurred_at in self.period
        )

    @property
    def billed(self) -> Usd | None:
        """What was billed within the period, None for nothing known."""
        return total([entry.amount for entry in self.billed_in]) if self.billed_in else None

    @property
    def trained_tokens(self) -> int | None:
        """The trained tokens billed within the period, None where none are known."""
        known = [entry.tokens for entry in self.billed_in if entry.tokens is not None]
        return sum(known) if known else None

    @property
    def settled_estimate(self) -> Usd | None:
        """The expected estimate that the bill of this period answers, None where it answers none."""
        answers = any(entry.kind == "billed" and entry.seq == 0 for entry in self.billed_in)
        return self.trail.estimate.amount if answers and self.trail.estimate else None

    @property
    def variance(self) -> Usd | None:
        """Billed minus expected estimate, None where one of them is unknown."""
        if self.settled_estimate is None or self.billed is None:
            return None
        return self.billed - self.settled_estimate

    @property
    def bridge(self) -> Bridge | None:
        """Why the variance is what it is, None where there is none."""
        if self.variance is None or self.trail.estimate is None:
            return None
        quote = self.submission.quote
        return bridge(
            self.trail.estimate,
            self.billed_in,
            quoted_epochs=quote.epochs.expected if quote else None,
            trained_epochs=self.submission.n_epochs,
        )

    @property
    def settled(self) -> bool:
        """True where it was billed or voided before the period's end."""
        return any(entry.kind != "estimate" for entry in self.known)

    @property
    def commitment(self) -> Usd:
        """The high estimate that it held at the period's end; $0 once settled."""
        return Usd(0) if self.settled else self.trail.high_estimate

    @property
    def bill_is_unknown(self) -> bool:
        """True for a job that ended without a bill until today: its high estimate stays committed."""
        job = self.submission.job
        return not self.trail.settled and job is not None and job.ended


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the lines; estimates of all lines, but variance only of what a bill has answered.

    `compared_billed` are the bills that answer an estimate: None, as what follows from them, where there is none.
    """

    jobs: int
    unsettled_jobs: int
    unknown_billed_jobs: int
    estimated_tokens: int
    estimated_cost: Usd
    trained_tokens: int
    billed: Usd
    compared_billed: Usd | None
    settled_estimate: Usd | None
    variance: Usd | None
    bridge: Bridge | None
    commitment: Usd

    @property
    def variance_pct(self) -> str | None:
        """The variance in percent of the estimates that it answers, one decimal; None without any."""
        if self.variance is None or self.settled_estimate is None:
            return None
        return percent(self.variance, self.settled_estimate)


@dataclass(frozen=True, slots=True)
class MonthReport:
    """The lines of a period (None: everything), oldest first; `digest` is over their ordered entries.

    `as_of` is the instant until which the trails were known, None for now.
    """

    period: Period | None
    lines: tuple[Line, ...]
    totals: Totals
    digest: str
    as_of: datetime | None = None


def report(trails: Sequence[Trail], period: Period | None, *, as_of: datetime | None = None) -> MonthReport:
    """Return the period's report from the trails that it lists, which are those of `as_of` where it is given."""
    lines = tuple(Line(trail, period) for trail in trails)
    return MonthReport(period, lines, totals_of(lines), _digest(lines), as_of)


def percent(part: Usd, whole: Usd) -> str | None:
    """Return part/whole in percent, rounded half-even to one decimal ("2.5", "-0.4"); None of nothing."""
    if whole.nano == 0:
        return None
    tenths = round(Fraction(part.nano * 1000, whole.nano))
    sign = "-" if tenths < 0 else ""
    return f"{sign}{abs(tenths) // 10}.{abs(tenths) % 10}"


def totals_of(lines: Sequence[Line]) -> Totals:
    """Return the sums over the lines."""
    estimates = [line.trail.estimate for line in lines if line.trail.estimate]
    compared = [line for line in lines if line.variance is not None]
    return Totals(
        jobs=len(lines),
        unsettled_jobs=sum(not line.settled for line in lines),
        unknown_billed_jobs=sum(line.bill_is_unknown for line in lines),
        estimated_tokens=sum(entry.tokens or 0 for entry in estimates),
        estimated_cost=total([entry.amount for entry in estimates]),
        trained_tokens=sum(line.trained_tokens or 0 for line in lines),
        billed=total([line.billed for line in lines if line.billed is not None]),
        compared_billed=total([line.billed for line in compared if line.billed is not None]) if compared else None,
        settled_estimate=total([line.settled_estimate for line in compared if line.settled_estimate is not None])
        if compared
        else None,
        variance=total([line.variance for line in compared if line.variance is not None]) if compared else None,
        bridge=summed([line.bridge for line in compared if line.bridge is not None]) if compared else None,
        commitment=total([line.commitment for line in lines]),
    )


def _digest(lines: Sequence[Line]) -> str:
    entries = sorted(
        (entry for line in lines for entry in line.known),
        key=lambda entry: (entry.recorded_at, entry.submission_id, entry.kind, entry.seq),
    )
    rows = [
        [
            entry.submission_id,
            entry.kind,
            entry.seq,
            entry.tokens,
            entry.amount.nano,
            entry.usd_per_1m.nano if entry.usd_per_1m else None,
            iso(entry.occurred_at),
            iso(entry.recorded_at),
        ]
        for entry in entries
    ]
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()
