"""What a ledger's past says about the next job, and what does not look like it. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ftjobs.ledger.entries import Trail
from ftjobs.ledger.month import Line
from ftjobs.money import NANO, Usd
from ftjobs.pricing.calibration import LAST_JOBS, MIN_JOBS, Calibration, Landed, Shape, calibrate, times_text

# An estimate is unusual from so many times the median on, unless it is small change.
FAR_ABOVE = 10
SMALL_CHANGE = Usd(NANO)
# A bill is unusual so far outside of the past's range, in millionths of its estimate, or by that range once more.
_FAR_OUTSIDE_PPM = 50_000
_BILLED_SIDE = frozenset({"billed", "adjustment"})


@dataclass(slots=True)
class Past:
    """The last trails, as much of them as is compared with; `add` takes them from old to new."""

    estimates: deque[Usd] = field(default_factory=lambda: deque(maxlen=LAST_JOBS))
    landed: dict[Shape, deque[Landed]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=LAST_JOBS))
    )
    # `variance_ppm` of each that landed
    _variances: dict[Shape, deque[int]] = field(
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
        self._add(_told(Line(trail)))

    def notes(self, line: Line) -> tuple[str, ...]:
        """Return what is unusual about a line against those before it, and count it in."""
        told = _told(line)
        said = (
            None if told.estimate is None else self.unusual_estimate(told.estimate),
            None if told.landed is None else self._unusual_landing(told.landed),
        )
        self._add(told)
        return tuple(filter(None, said))

    def _add(self, told: _Told) -> None:
        if told.estimate is not None:
            self.estimates.append(told.estimate)
        if (job := told.landed) is not None:
            self.landed[job.shape].append(job)
            self._variances[job.shape].append(job.variance_ppm)

    def calibration(self, shape: Shape) -> Calibration | None:
        """Return where the last jobs of this shape landed, None for too few of them."""
        return calibrate(self.landed.get(shape, ()))

    def unusual_estimate(self, expected: Usd) -> str | None:
        """Return the sentence about an estimate far above the median of the past, None for a usual one."""
        if len(self.estimates) < MIN_JOBS or expected < SMALL_CHANGE:
            return None
        median = Usd(sorted([each.nano for each in self.estimates])[len(self.estimates) // 2])
        if expected.nano <= FAR_ABOVE * median.nano:
            return None
        return (
            f"unusual spending: an estimate of {expected.display()}, where the median of your last"
            f" {len(self.estimates)} submissions was {median.display()}"
        )

    def unusual_bill(self, trail: Trail) -> str | None:
        """Return the sentence about a variance far outside of what the shape's past had, None for a usual one."""
        mine = _told(Line(trail)).landed
        return None if mine is None else self._unusual_landing(mine)

    def _unusual_landing(self, mine: Landed) -> str | None:
        earlier = self._variances.get(mine.shape, ())
        if len(earlier) < MIN_JOBS:
            return None
        low, high = min(earlier), max(earlier)
        distance = max(high - low, _FAR_OUTSIDE_PPM)
        if low - distance <= mine.variance_ppm <= high + distance:
            return None
        return (
            f"unusual bill: {mine.trained_tokens:,} trained tokens are {times_text(mine.variance_ppm)} × their"
            f" estimate; the last {len(earlier)} jobs like it landed at {times_text(low, high)}"
        )


def shape_of(subject: Trail | Line) -> Shape | None:
    """Return what the submission's tokens are counted like, None where its spec or its quote is not known."""
    of = subject.submission if isinstance(subject, Trail) else subject.subject
    if of.spec is None or of.quote is None:
        return None
    return Shape.of(of.quote.dataset_tokens, account=of.account, model=of.spec.base_model, method=of.spec.method)


def unusual(trails: Iterable[Trail]) -> Mapping[str, tuple[str, ...]]:
    """Return what is unusual about a trail, by submission id, against those before it; from old to new."""
    past = Past()
    found = {trail.submission.id: past.notes(Line(trail)) for trail in trails}
    return {submission_id: notes for submission_id, notes in found.items() if notes}


class _Told(NamedTuple):
    """What a line adds to the past: its estimate unless it was taken back, and where it landed."""

    estimate: Usd | None
    landed: Landed | None


def _told(line: Line) -> _Told:
    estimate = None if line.estimate is None or line.voided else Usd(line.estimate.nano)
    return _Told(estimate, _landed(line))


def _landed(line: Line) -> Landed | None:
    """Return where a job that succeeded landed, None where it did not, or where a number of it is unknown."""
    quote, job = line.subject.quote, line.subject.job
    if quote is None or job is None or job.failed:
        return None
    trained = [each.tokens for each in line.postings if each.kind in _BILLED_SIDE and each.tokens is not None]
    shape, counted, epochs = shape_of(line), quote.dataset_tokens.expected, line.subject.n_epochs
    if shape is None or not trained or not counted or not epochs or not quote.estimated_tokens.expected:
        return None
    return Landed(shape, counted * epochs, quote.estimated_tokens.expected, sum(trained))
