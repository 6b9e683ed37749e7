"""What earlier bills say about an estimate: how far their trained tokens lay from what was counted. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from ftjobs.jobs.quote import Bounds
from ftjobs.ranges import Range

MIN_JOBS = 5  # fewer say nothing
LAST_JOBS = 50
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What is counted alike: one account's model, trained by one method, on one kind of data.

    `is_documented` is False for data of which nobody documents how it is billed, such as tools.
    """

    account: str
    model: str
    method: str
    is_documented: bool

    @classmethod
    def of(cls, dataset_tokens: Range[int] | Bounds, *, account: str, model: str, method: str) -> Shape:
        """Return the shape of data with these dataset tokens: undocumented parts are counted in the high bound."""
        return cls(account, model, method, dataset_tokens.expected == dataset_tokens.high)


@dataclass(frozen=True, slots=True)
class Landed:
    """A job that succeeded; every number is above 0, but `trained_tokens` may be 0.

    `counted_tokens` are the expected dataset tokens times the epochs that it trained, `estimated_tokens` the
    expected ones of its estimate: they differ where the service chose the epochs.
    """

    shape: Shape
    counted_tokens: int
    estimated_tokens: int
    trained_tokens: int

    @property
    def ratio(self) -> Fraction:
        """Trained over counted tokens: what counting got wrong."""
        return Fraction(self.trained_tokens, self.counted_tokens)

    @property
    def variance_ppm(self) -> int:
        """Trained over estimated tokens in millionths, rounded down: counting and epochs together."""
        return self.trained_tokens * _MILLION // self.estimated_tokens


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where the last `jobs` of one shape landed: from `low` to `high` times what was counted."""

    jobs: int
    low: Fraction
    high: Fraction
    epochs_as_estimated: bool = True

    def landing(self, counted_tokens: int) -> tuple[int, int]:
        """Return the least and the most that jobs like these would come to, rounded outwards.

        The count itself stays as it is. Where the past was outside of an estimate's range, so is this.
        """
        return math.floor(counted_tokens * self.low), math.ceil(counted_tokens * self.high)

    @property
    def sentence_end(self) -> str:
        """What the jobs landed at; where the service chose other epochs than were estimated, that is left out."""
        of = "estimate" if self.epochs_as_estimated else "what was counted, other epochs aside"
        return f"{self.text} × {of}"

    @property
    def text(self) -> str:
        """The ratios in hundredths, rounded outwards ("0.98–1.01")."""
        return times_text(math.floor(self.low * _MILLION), math.ceil(self.high * _MILLION))


def calibrate(landed: Collection[Landed]) -> Calibration | None:
    """Return where these jobs of one shape landed; None for fewer than 5."""
    ratios = [each.ratio for each in landed]
    if len(ratios) < MIN_JOBS:
        return None
    as_estimated = all(each.counted_tokens == each.estimated_tokens for each in landed)
    return Calibration(len(ratios), min(ratios), max(ratios), as_estimated)


def times_text(low_ppm: int, high_ppm: int | None = None) -> str:
    """Return millionths in hundredths: a range rounded outwards ("0.98–1.01"), a single number down ("1.42")."""
    low = low_ppm * 100 // _MILLION
    high = low if high_ppm is None else -(-high_ppm * 100 // _MILLION)
    return _hundredths(low) if low == high else f"{_hundredths(low)}–{_hundredths(high)}"


def _hundredths(number: int) -> str:
    return f"{number // 100}.{number % 100:02d}"
