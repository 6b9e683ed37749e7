"""What the service tells of a job's way."""

from __future__ import annotations

from itertools import islice

from ftjobs.errors import FtjobsError
from ftjobs.jobs.event import Checkpoint, Event
from ftjobs.jobs.story import Story
from ftjobs.logs import get_logger
from ftjobs.provider.api import Api
from ftjobs.provider.following import checkpoints, events

log = get_logger(__name__)

NEWEST_EVENTS = 1_000
"""As many events as a look at a job asks for: ten requests, and far more than a curve shows."""

# What a service answers that does not have this part; anything else would be said of every part.
_OF_THIS_PART = frozenset({404, 405})


def read_story(job_id: str, api: Api, *, every_event: bool) -> tuple[Story, tuple[str, ...]]:
    """Return what the service tells of the job, and a sentence for each part that it does not tell.

    All events where `every_event`, else the newest 1,000. A service that is away is asked only once.
    """
    told: tuple[Event, ...] | None = None
    left: tuple[Checkpoint, ...] | None = None
    has_all, troubles = False, []
    try:
        if every_event:
            newest_first = list(events(api, job_id))
        else:
            newest_first = list(islice(events(api, job_id, newest=NEWEST_EVENTS + 1), NEWEST_EVENTS + 1))
        has_all = every_event or len(newest_first) <= NEWEST_EVENTS
        told = tuple(reversed(newest_first if has_all else newest_first[:NEWEST_EVENTS]))
    except FtjobsError as error:
        troubles.append(error.message)
        if error.details.get("http_status") not in _OF_THIS_PART:
            return Story(), tuple(troubles)
    try:
        left = tuple(sorted(checkpoints(api, job_id), key=lambda each: (each.step or 0, each.at)))
    except FtjobsError as error:
        troubles.append(error.message)
    log.info("job.story_read", job_id=job_id, events=len(told or ()), checkpoints=len(left or ()))
    return Story(told, left, has_all), tuple(troubles)
