"""Our recorded intent to create one job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from ftjobs.jobs.job import Job, JobGlance
from ftjobs.jobs.quote import Quote, QuoteGlance
from ftjobs.jobs.spec import JobSpec, SpecGlance, derive_seed

# recorded → sending → created | uncertain | rejected; recorded → abandoned; uncertain → sending | created.
State = Literal["recorded", "sending", "uncertain", "rejected", "abandoned", "created"]

# One "no such job" may be a list that lags or a gateway's slip; after so many in a row it is believed.
_MISSED_FOR_GOOD = 2

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH = 26


def new_id(now: datetime, entropy: bytes) -> str:
    """Return a ULID: 48 bits of Unix milliseconds, then 80 bits of `entropy` (10 bytes)."""
    number = int.from_bytes(int(now.timestamp() * 1000).to_bytes(6) + entropy[:10])
    digits = [_CROCKFORD[(number >> shift) & 31] for shift in range(5 * (_ULID_LENGTH - 1), -1, -5)]
    return "".join(digits)


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission with the last seen state of its job, if one is known.

    `spec` and `quote` are None only for what was adopted without their record. `account` names who pays
    (base URL, organization, project; never the key). `missed` is how often in a row the service said that it does
    not have the job.
    """

    id: str
    key: str
    state: State
    profile: str
    account: str
    recorded_at: datetime
    spec: JobSpec | None
    quote: Quote | None
    tags: Mapping[str, str]
    training_file_id: str | None = None
    validation_file_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    job: Job | None = None
    missed: int = 0

    @property
    def status(self) -> str:
        """The job's own word, ours until a job exists, and "missing" for one that the service lost under way."""
        return status_of(self.state, self.job, self.missed)

    @property
    def is_missing(self) -> bool:
        """True where the service said again and again that it does not have a job whose end nobody saw."""
        return _is_missing(self.job, self.missed)

    @property
    def is_over(self) -> bool:
        """True where nothing more will happen: the job ended or is missing, or there will be none."""
        if self.job is None:
            return self.state in {"rejected", "abandoned"}
        return self.job.ended or self.is_missing

    @property
    def n_epochs(self) -> int | None:
        """The service's number of epochs, else the pinned one; None while the service decides."""
        return epochs_of(self.spec, self.job)

    @property
    def seed(self) -> int:
        """The seed that this submission sends: the user's, else derived from the id."""
        return self.spec.seed if self.spec and self.spec.seed is not None else derive_seed(self.id)


class SubmissionGlance(NamedTuple):
    """As much of a `Submission` as a list shows, each as there, what it works out too; `job` is a glance at it."""

    id: str
    status: str
    profile: str
    account: str
    recorded_at: datetime
    spec: SpecGlance | None
    quote: QuoteGlance | Quote | None
    tags: Mapping[str, str]
    error_code: str | None
    error_message: str | None
    job: JobGlance | None
    n_epochs: int | None


def status_of(state: State, job: Job | JobGlance | None, missed: int) -> str:
    """Return a submission's status."""
    if _is_missing(job, missed):
        return "missing"
    return job.status if job else state


def epochs_of(spec: JobSpec | SpecGlance | None, job: Job | JobGlance | None) -> int | None:
    """Return the service's number of epochs, else the pinned one; None while the service decides."""
    if job and job.n_epochs is not None:
        return job.n_epochs
    return spec.n_epochs if spec and isinstance(spec.n_epochs, int) else None


def _is_missing(job: Job | JobGlance | None, missed: int) -> bool:
    return job is not None and missed >= _MISSED_FOR_GOOD and not job.ended
