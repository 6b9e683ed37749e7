"""What a ledger's past says about the next job, and what does not look like it. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ftjobs.ledger.entries import Trail
from ftjobs.money import NANO, Usd
from ftjobs.pricing.calibration import LAST_JOBS, MIN_JOBS, Calibration, Landed, Shape, calibrate, times_text

# An estimate is unusual from so many times the median on, unless it is small change.
FAR_ABOVE = 10
SMALL_CHANGE = Usd(NANO)
# A bill is unusual so far outside of the past's range, in millionths of its estimate, or by that range once more.
_FAR_OUTSIDE_PPM = 50_000


@dataclass(slots=True)
class Past:
    """The last trails, as much of them as is compared with; `add` takes them from old to new."""

    estimates: deque[Usd] = field(default_factory=lambda: deque(maxlen=LAST_JOBS))
    landed: dict[Shape, deque[Landed]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=LAST_JOBS))
    )

    @classmethod
    def of(cls, trails: Iterable[Trail]) -> Past:
        """Return the past that these trails make, from old to new."""
        past = cls()
        for trail in trails:
            past.add(trail)
        return past

    def add(self, trail: Trail) -> None:
        """Count a trail in; one that created nothing is no past."""
        if trail.estimate is not None and not trail.voided:
            self.estimates.append(trail.estimate.amount)
        if (job := _landed(trail)) is not None:
            self.landed[job.shape].append(job)

    def calibration(self, shape: Shape) -> Calibration | None:
        """Return where the last jobs of this shape landed, None for too few of them."""
        return calibrate(self.landed.get(shape, ()))

    def unusual_estimate(self, expected: Usd) -> str | None:
        """Return the sentence about an estimate far above the median of the past, None for a usual one."""
        if len(self.estimates) < MIN_JOBS or expected < SMALL_CHANGE:
            return None
        median = sorted(self.estimates)[len(self.estimates) // 2]
        if expected.nano <= FAR_ABOVE * median.nano:
            return None
        return (
            f"unusual spending: an estimate of {expected.display()}, where the median of your last"
            f" {len(self.estimates)} submissions was {median.display()}"
        )

    def unusual_bill(self, trail: Trail) -> str | None:
        """Return the sentence about a variance far outside of what the shape's past had, None for a usual one."""
        mine = _landed(trail)
        if mine is None or len(self.landed.get(mine.shape, ())) < MIN_JOBS:
            return None
        earlier = [each.variance_ppm for each in self.landed[mine.shape]]
        low, high = min(earlier), max(earlier)
        distance = max(high - low, _FAR_OUTSIDE_PPM)
        if low - distance <= mine.variance_ppm <= high + distance:
            return None
        return (
            f"unusual bill: {mine.trained_tokens:,} trained tokens are {times_text(mine.variance_ppm)} × their"
            f" estimate; the last {len(earlier)} jobs like it landed at {times_text(low, high)}"
        )


def shape_of(trail: Trail) -> Shape | None:
    """Return what the submission's tokens are counted like, None where its spec or its quote is not known."""
    spec, quote = trail.submission.spec, trail.submission.quote
    if spec is None or quote is None:
        return None
    return Shape.of(
        quote.dataset_tokens, account=trail.submission.account, model=spec.base_model, method=spec.method
    )


def unusual(trails: Iterable[Trail]) -> Mapping[str, tuple[str, ...]]:
    """Return what is unusual about a trail, by submission id, against those before it; from old to new."""
    past, found = Past(), {}
    for trail in trails:
        estimate = None if trail.voided else trail.estimate
        said = (
            past.unusual_estimate(estimate.amount) if estimate else None,
            past.unusual_bill(trail),
        )
        if notes := tuple(filter(None, said)):
            found[trail.submission.id] = notes
        past.add(trail)
    return found


def _landed(trail: Trail) -> Landed | None:
    """Return where a job that succeeded landed, None where it did not, or where a number of it is unknown."""
    shape, quote, job = shape_of(trail), trail.submission.quote, trail.submission.job
    trained = [entry.tokens for entry in trail.billed_entries if entry.tokens is not None]
    if shape is None or quote is None or job is None or job.failed or not trained:
        return None
    counted, epochs = quote.dataset_tokens.expected, trail.submission.n_epochs
    if not counted or not epochs or not quote.estimated_tokens.expected:
        return None
    return Landed(shape, counted * epochs, quote.estimated_tokens.expected, sum(trained))
