"""What adopting came to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ftjobs.errors import FtjobsError, UnavailableError
from ftjobs.ledger.entries import Trail
from ftjobs.money import Usd


@dataclass(slots=True)
class Adopted:
    """What became of the jobs that the service told, as they come: ids, and what was written for the new ones.

    `left` are jobs, with their submission, that belong to submissions which are still open; `attached` are those
    of them that their user named, which their submissions have now; `elsewhere` are those recorded for another
    account. `billed` is the sum of the new bills, None without any. An ended job's bill is unknown where the
    service did not tell its trained tokens (`untold`), or no price is known (`unpriced`, by model). `damaged`
    counts what could not be read at all.
    """

    new: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    attached: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
    with_estimate: int = 0
    under_way: int = 0
    settled: int = 0
    billed: Usd | None = None
    untold: int = 0
    unpriced: Counter[str] = field(default_factory=Counter)
    damaged: int = 0

    @property
    def job_ids(self) -> list[str]:
        """Every job that was asked for, and could be read."""
        return [*self.new, *self.known, *self.left, *self.attached, *self.elsewhere]

    @property
    def unknown_bills(self) -> int:
        """How many of the new jobs have ended with a bill that nobody knows."""
        return self.untold + self.unpriced.total()

    def add(self, trails: Iterable[Trail]) -> None:
        """Count what was just recorded."""
        for trail in trails:
            job = trail.submission.job
            if job is None:
                raise ValueError("only a job can be adopted")
            self.new.append(job.id)
            self.with_estimate += trail.estimate is not None
            self.under_way += not job.ended
            if trail.billed is not None:
                self.settled += 1
                self.billed = trail.billed if self.billed is None else self.billed + trail.billed
            elif job.ended and job.trained_tokens is None:
                self.untold += 1
            elif job.ended:
                self.unpriced[job.model or "unknown model"] += 1


@dataclass(slots=True)
class Rescued:
    """Which jobs were kept whole in `directory`, and why others were not, by job id.

    `lost` are those of which the service has no more than was kept; `unsaved` those that a later run may complete,
    and `skipped` is how many more were not tried, since the service was away.
    """

    directory: Path
    saved: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    unsaved: dict[str, FtjobsError] = field(default_factory=dict)
    skipped: int = 0

    @property
    def tried(self) -> int:
        """How many jobs were dealt with."""
        return len(self.saved) + len(self.lost) + len(self.unsaved)

    @property
    def exit_code(self) -> int:
        """0 where a later run would keep no more, else the first trouble's exit code, an outage before others."""
        codes = [error.exit_code for error in self.unsaved.values()]
        return UnavailableError.exit_code if UnavailableError.exit_code in codes else next(iter(codes), 0)
