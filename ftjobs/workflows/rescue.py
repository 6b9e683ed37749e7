"""What many jobs left at their service, kept on this machine before the service is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from ftjobs.errors import FtjobsError, RejectedError, UnavailableError, UsageError
from ftjobs.ledger.adopted import Rescued
from ftjobs.provider.api import Api
from ftjobs.provider.objects import JobPage
from ftjobs.workflows.at_once import AtOnce
from ftjobs.workflows.results import Saved, save_trail

_AT_ONCE = 8
# So many jobs in a row without an answer: the service is away, and the rest would wait in vain.
_AWAY_AFTER = 2 * _AT_ONCE
# What the service says of something that it does not have (any more).
_GONE_CODE, _GONE_STATUSES = "file_not_found", frozenset({404, 410})


def rescue(
    told: Iterable[JobPage],
    api: Api,
    directory: Path,
    *,
    jobs: int,
    on_kept: Callable[[int], None] = lambda _kept: None,
) -> Rescued:
    """Return what was kept of these jobs (`jobs` of them), each in a folder of its own, at most eight at once.

    Again with the same folder, only what is missing there is fetched. Trouble with one job hides no other; where
    the service is away, the rest is left for a later run.
    """
    done, requests = Rescued(directory), AtOnce(_AT_ONCE)
    away = 0

    def count(job_id: str, saved: Saved | FtjobsError) -> None:
        nonlocal away
        failure = saved.failure if isinstance(saved, Saved) else saved
        away = away + 1 if isinstance(failure, UnavailableError) else 0
        if failure is None:
            done.saved.append(job_id)
        elif _is_gone(failure):
            done.lost[job_id] = failure.message
        else:
            done.unsaved[job_id] = failure
        on_kept(done.tried)

    try:
        for page in told:
            for job in page.jobs:
                requests.ask(partial(save_trail, job, api, directory), partial(count, job.id))
            while not requests.is_idle:
                requests.take()
                if away >= _AWAY_AFTER:
                    done.skipped = max(0, jobs - done.tried)
                    return done
    finally:
        requests.close()
    return done


def _is_gone(failure: FtjobsError) -> bool:
    is_refusal = isinstance(failure, RejectedError)
    return is_refusal and (failure.code == _GONE_CODE or failure.details.get("http_status") in _GONE_STATUSES)


def make_folder(directory: Path) -> None:
    """The folder for what is kept is there, its owner's alone if it is new; UsageError where it cannot be."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            "output_unwritable",
            f"The folder {directory} cannot be made: {error.strerror}.",
            next_step="Name another one with --save-results.",
            path=str(directory),
        ) from None
