"""A period of the ledger: what was billed in it, and what was unsettled at its end. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ftjobs.jobs.submission import Submission, SubmissionGlance
from ftjobs.ledger.bridge import Bridge, bridge
from ftjobs.ledger.entries import Posting, Trail, posting
from ftjobs.ledger.hosting import NOTHING_HOSTED, HostingSum
from ftjobs.money import Usd, rounded
from ftjobs.periods import Period, iso

# submission_id, kind, seq, tokens, nano-dollars, nano-dollars per 1M, occurred_at, recorded_at
Digested = tuple[str, str, int, int | None, int, int | None, datetime, datetime]
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Line:
    """One job of a period, None for all time: its whole trail, seen as the period saw it.

    What it says of money is worked out once, in nano-dollars, whether it was made from a trail or from a glance.
    """

    __slots__ = (
        "_trail",
        "billed_basis",
        "billed_in",
        "billed_nano",
        "commitment_nano",
        "estimate",
        "period",
        "postings",
        "settled",
        "settled_estimate_nano",
        "settled_since",
        "subject",
        "trained_tokens",
        "variance_nano",
        "voided",
    )

    def __init__(self, trail: Trail, period: Period | None = None) -> None:
        self._read(trail.submission, [posting(entry) for entry in trail.entries], period)
        self._trail: Trail | None = trail

    @classmethod
    def of(
        cls, subject: Submission | SubmissionGlance, postings: Sequence[Posting], period: Period | None
    ) -> Line:
        """Return the line of a job whose trail nobody needs."""
        line = cls.__new__(cls)
        line._read(subject, postings, period)
        line._trail = None
        return line

    def _read(
        self, subject: Submission | SubmissionGlance, postings: Sequence[Posting], period: Period | None
    ) -> None:
        self.subject, self.postings, self.period = subject, postings, period
        estimate: Posting | None = None
        voided = settled = settled_since = answers = False
        billed_in: list[Posting] = []
        billed, tokens, basis = 0, None, None
        for each in postings:
            kind, occurred_at = each.kind, each.occurred_at
            if kind == "estimate":
                estimate = estimate or each
                continue
            settled_since = True
            if period is None or occurred_at < period.end:
                settled = True
            if kind == "void":
                voided = True
            elif period is None or period.start <= occurred_at < period.end:
                billed_in.append(each)
                billed += each.nano
                if each.tokens is not None:
                    tokens = (tokens or 0) + each.tokens
                basis = basis or each.basis or None
                answers = answers or (kind == "billed" and each.seq == 0)
        # The first estimate, None where the job was adopted without one; voided where it was taken back.
        self.estimate, self.voided = estimate, voided
        # Billed or voided before the period's end; and at any time.
        self.settled, self.settled_since = settled, settled_since
        # What was billed within the period, None for nothing known.
        self.billed_in, self.billed_basis, self.trained_tokens = billed_in, basis, tokens
        self.billed_nano = billed if billed_in else None
        # The expected estimate that the bill of this period answers, and the bill's difference to it.
        self.settled_estimate_nano = self.variance_nano = None
        if answers and estimate is not None:
            self.settled_estimate_nano = estimate.nano
            self.variance_nano = billed - estimate.nano
        high = 0 if estimate is None else estimate.nano if estimate.high_nano is None else estimate.high_nano
        self.commitment_nano = 0 if settled else high

    def within(self, period: Period) -> Line:
        """Return the same job as another period saw it."""
        return Line.of(self.subject, self.postings, period)

    @property
    def trail(self) -> Trail:
        """The trail that the line was made from; only one that was."""
        if self._trail is None:
            raise ValueError("this line was made from a glance")
        return self._trail

    @property
    def submission(self) -> Submission:
        """The submission behind a line that was made from a trail."""
        return self.trail.submission

    @property
    def base_model(self) -> str | None:
        """The snapshot that is priced, else the job's own word; None where nobody says."""
        if self.subject.spec:
            return self.subject.spec.base_model
        return self.subject.job.model if self.subject.job else None

    @property
    def billed(self) -> Usd | None:
        """What was billed within the period, None for nothing known."""
        return None if self.billed_nano is None else Usd(self.billed_nano)

    @property
    def settled_estimate(self) -> Usd | None:
        """The expected estimate that the bill of this period answers, None where it answers none."""
        return None if self.settled_estimate_nano is None else Usd(self.settled_estimate_nano)

    @property
    def variance(self) -> Usd | None:
        """Billed minus expected estimate, None where one of them is unknown."""
        return None if self.variance_nano is None else Usd(self.variance_nano)

    @property
    def variance_pct(self) -> str | None:
        """The variance in percent of the estimate, None where one of them is unknown or the estimate is $0."""
        if self.variance_nano is None or self.settled_estimate_nano is None:
            return None
        return _percent(self.variance_nano, self.settled_estimate_nano)

    @property
    def bridge(self) -> Bridge | None:
        """Why the variance is what it is, None where there is none."""
        if self.variance_nano is None or self.estimate is None:
            return None
        quote = self.subject.quote
        return bridge(
            self.estimate,
            self.billed_in,
            quoted_epochs=quote.epochs.expected if quote else None,
            trained_epochs=self.subject.n_epochs,
        )

    @property
    def commitment(self) -> Usd:
        """The high estimate that it held at the period's end; $0 once settled."""
        return Usd(self.commitment_nano)

    @property
    def bill_is_unknown(self) -> bool:
        """True for a job that ended without a bill until today: its high estimate stays committed."""
        job = self.subject.job
        return not self.settled_since and job is not None and job.ended


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

    `as_of` is the instant until which the trails were known, None for now. `hosting` is of the period's jobs and
    of any other.
    """

    period: Period | None
    lines: tuple[Line, ...]
    totals: Totals
    digest: str
    as_of: datetime | None = None
    hosting: HostingSum = NOTHING_HOSTED


def report(
    trails: Sequence[Trail],
    period: Period | None,
    *,
    as_of: datetime | None = None,
    hosting: HostingSum = NOTHING_HOSTED,
) -> MonthReport:
    """Return the period's report from the trails that it lists, which are those of `as_of` where it is given."""
    lines = tuple(Line(trail, period) for trail in trails)
    return MonthReport(period, lines, totals_of(lines), _digest(trails, period), as_of, hosting)


def percent(part: Usd, whole: Usd) -> str | None:
    """Return part/whole in percent, rounded half-even to one decimal ("2.5", "-0.4"); None of nothing."""
    return _percent(part.nano, whole.nano)


def _percent(part: int, whole: int) -> str | None:
    if whole == 0:
        return None
    tenths = rounded(part * 1000 if whole > 0 else -part * 1000, abs(whole))
    sign = "-" if tenths < 0 else ""
    return f"{sign}{abs(tenths) // 10}.{abs(tenths) % 10}"


class Sums:
    """The totals of the lines so far."""

    __slots__ = ("_billed", "_bridges", "_compared", "_counts", "_estimated")

    def __init__(self) -> None:
        self._counts = [0, 0, 0]  # jobs, unsettled ones, ones with an unknown bill
        self._estimated = [0, 0, 0]  # tokens, cost, commitment
        self._billed = [0, 0, 0]  # trained tokens, billed, lines with a bill
        self._compared = [0, 0, 0]  # jobs, billed, settled estimate
        self._bridges = [0, 0, 0, 0, 0]

    def add(self, line: Line) -> None:
        """Count a line in."""
        counts, estimated, billed, compared = self._counts, self._estimated, self._billed, self._compared
        counts[0] += 1
        if not line.settled:
            counts[1] += 1
            counts[2] += line.bill_is_unknown
            estimated[2] += line.commitment_nano
        if line.estimate is not None:
            estimated[0] += line.estimate.tokens or 0
            estimated[1] += line.estimate.nano
        if line.billed_nano is None:
            return
        billed[0] += line.trained_tokens or 0
        billed[1] += line.billed_nano
        billed[2] += 1
        if line.settled_estimate_nano is not None:
            compared[0] += 1
            compared[1] += line.billed_nano
            compared[2] += line.settled_estimate_nano
            if found := line.bridge:
                steps = self._bridges
                steps[0] += found.epochs.nano
                steps[1] += found.token_count.nano
                steps[2] += found.price.nano
                steps[3] += found.other.nano
                steps[4] += found.jobs_without_epochs

    @property
    def bills(self) -> int:
        """How many lines had anything billed."""
        return self._billed[2]

    def totals(self) -> Totals:
        """Return the sums."""
        jobs, billed, settled_estimate = self._compared
        epochs, token_count, price, other, untold = self._bridges
        return Totals(
            jobs=self._counts[0],
            unsettled_jobs=self._counts[1],
            unknown_billed_jobs=self._counts[2],
            estimated_tokens=self._estimated[0],
            estimated_cost=Usd(self._estimated[1]),
            trained_tokens=self._billed[0],
            billed=Usd(self._billed[1]),
            compared_billed=Usd(billed) if jobs else None,
            settled_estimate=Usd(settled_estimate) if jobs else None,
            variance=Usd(billed - settled_estimate) if jobs else None,
            bridge=Bridge(Usd(epochs), Usd(token_count), Usd(price), Usd(other), untold) if jobs else None,
            commitment=Usd(self._estimated[2]),
        )


def totals_of(lines: Iterable[Line]) -> Totals:
    """Return the sums over the lines."""
    sums = Sums()
    for line in lines:
        sums.add(line)
    return sums.totals()


def _digest(trails: Sequence[Trail], period: Period | None) -> str:
    known = sorted(
        (entry for trail in trails for entry in trail.entries if period is None or entry.occurred_at < period.end),
        key=lambda entry: (entry.recorded_at, entry.submission_id, entry.kind, entry.seq),
    )
    return digest_of(
        (
            entry.submission_id,
            entry.kind,
            entry.seq,
            entry.tokens,
            entry.amount.nano,
            entry.usd_per_1m.nano if entry.usd_per_1m else None,
            entry.occurred_at,
            entry.recorded_at,
        )
        for entry in known
    )


def digest_of(entries: Iterable[Digested]) -> str:
    """Return SHA-256 over the JSON list of entries that come by recorded_at, submission_id, kind and seq."""
    digest, encode, comma = hashlib.sha256(b"["), _ENCODER.encode, ""
    for *what, occurred_at, recorded_at in entries:
        digest.update(f"{comma}{encode([*what, iso(occurred_at), iso(recorded_at)])}".encode())
        comma = ","
    digest.update(b"]")
    return digest.hexdigest()
