"""What a service tells of a job's way, beside the job itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ftjobs.jobs.curve import Curve, curve_of
from ftjobs.jobs.event import METRICS, Checkpoint, Event


@dataclass(frozen=True, slots=True)
class Story:
    """Events, oldest first, and checkpoints by step; None for what nobody could be asked about.

    `has_all_events` is False where older events were left at the service.
    """

    events: tuple[Event, ...] | None = None
    checkpoints: tuple[Checkpoint, ...] | None = None
    has_all_events: bool = False

    @property
    def curve(self) -> Curve:
        """The loss by step, without a point where no event told one."""
        return curve_of(self.events or ())

    @property
    def first_metrics_at(self) -> datetime | None:
        """When training was first seen to go on, None where no event says so or older ones are missing."""
        told = [event.at for event in self.events or () if event.type == METRICS]
        return min(told) if told and self.has_all_events else None
