"""Does the service already hold a job of this submission, or of this content?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ftjobs.errors import LedgerError, UncertainError
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.logs import get_logger
from ftjobs.models.catalog import load_catalog
from ftjobs.provider.api import Api
from ftjobs.provider.file_names import file_names
from ftjobs.provider.objects import JobPage
from ftjobs.provider.pages import walk
from ftjobs.workflows.session import Session

log = get_logger(__name__)

# Metadata that every job of ours carries; the module that reads it back is `adoption`.
MARK = {"ftjobs": "1"}
SUBMISSION, KEY, ESTIMATE = "ftjobs_submission", "ftjobs_key", "ftjobs_estimate"
CONTENT_KEY = re.compile(r"[0-9a-f]{64}")
# The key of a job that its user calls somebody else's begins so: it is never taken for a submission's again.
DISOWNED = "other:"
_CLOCKS_DIFFER = timedelta(hours=1)
_MOST_ASKED = 20


@dataclass(frozen=True, slots=True)
class Found:
    """`own` are jobs that this submission created (more than one: twins); `same_content` are live or succeeded
    jobs of other submissions with the same content key. The best to go on with comes first. `unseen` counts the
    files of others that might be of this content, and are shown by nothing.
    """

    own: tuple[Job, ...]
    same_content: tuple[Job, ...]
    unseen: int = 0


def look_up(submission: Submission, session: Session, *, everywhere: bool = False) -> Found:
    """Return what the service holds, over every page.

    Filtered by the service where metadata is trusted, and not (or not only, with `everywhere`) where it is not.
    Each hit is re-checked here, since a service may ignore the filter. Raises UnavailableError rather than
    believe a page that lies, and UncertainError rather than guess which of several jobs is the submission's.
    """
    jobs: dict[str, Job] = {}
    shares_files, owner_of = session.trusts_metadata, session.ledger.owner_of
    if shares_files:
        jobs.update((job.id, job) for job in _listed(session.api, {KEY: submission.key}))
    if everywhere or not shares_files:
        jobs.update((job.id, job) for job in _listed(session.api, None))
    claimed = [
        job
        for job in jobs.values()
        if is_own(job, submission, shares_files=shares_files) and owner_of(job.id) in {None, submission.id}
    ]
    own = _only_own(claimed, submission, session, shares_files=shares_files)
    others = [job for job in jobs.values() if job not in own]
    for job in others:
        _refuse_taken(job, submission, session)
    # Where the key travels in no metadata, it does in the name of the file: asked for where that may decide.
    asks = not own and not shares_files
    alike = [job for job in others if _trains_alike(job, submission)] if asks else []
    named, unseen = _files_of_content(alike, session, submission.key)
    hits = [
        job
        for job in others
        if not job.failed and (job.metadata.get(KEY) == submission.key or job.training_file in named)
    ]
    same = [job for job in hits if _may_share(owner_of(job.id), submission, session)]
    return Found(tuple(sorted(own, key=_best_first)), tuple(sorted(same, key=_best_first)), unseen)


def _refuse_taken(job: Job, submission: Submission, session: Session) -> None:
    """Raise LedgerError for this submission's job whose id the ledger has from another account."""
    owner_id = session.ledger.owner_of(job.id) if job.metadata.get(SUBMISSION) == submission.id else None
    if owner_id is not None and session.ledger.get(owner_id).account != session.account:
        raise LedgerError(
            "job_id_taken",
            f"Job {job.id} is this submission's, and the ledger has another account's job of that id.",
            next_step="Use a ledger of its own for this service, with --ledger, and adopt the job there.",
            submission_id=submission.id,
            job_id=job.id,
        )


def _files_of_content(jobs: Sequence[Job], session: Session, key: str) -> tuple[frozenset[str], int]:
    """Return the files among these jobs' whose names tell the key, and how many have no name that can be seen.

    A list of files may be cut short or leave out what is old, so the newest that it does not show are asked for by
    their ids.
    """
    silent = [job for job in jobs if not job.metadata.keys() & {KEY, SUBMISSION}]
    untold = [job for job in silent if job.training_file and not job.failed]
    if not untold:
        return frozenset(), 0
    newest = sorted(untold, key=lambda job: job.created_at, reverse=True)
    wanted = list(dict.fromkeys(job.training_file for job in newest if job.training_file))
    listed, mark = file_names(session.api), mark_of(key)
    for file_id in [each for each in wanted if each not in listed][:_MOST_ASKED]:
        remote = session.api.retrieve_file(file_id)
        if remote is not None and remote.name is not None:
            listed[file_id] = remote.name
    of_content = frozenset(file_id for file_id in wanted if mark in listed.get(file_id, ""))
    return of_content, sum(file_id not in listed for file_id in wanted)


def _trains_alike(job: Job, submission: Submission) -> bool:
    """Return whether nothing that the job tells contradicts what the submission asks: somebody may retry our file.

    A model contradicts only where the catalog knows both: services spell names in ways of their own.
    """
    spec, catalog = submission.spec, load_catalog()
    if spec is None:
        return True
    told, asked = catalog.find(job.model or ""), catalog.find(spec.base_model)
    return (told is None or asked is None or told == asked) and (
        spec.n_epochs == "auto" or job.n_epochs in (None, spec.n_epochs)
    )


def is_own(job: Job, submission: Submission, *, shares_files: bool) -> bool:
    """Return whether this submission created the job: by our metadata, else by its training file.

    Where metadata is not trusted no other submission uses the file, so the file alone tells. Where files are
    shared the seed must agree too, which differs by submission. Neither a clock nor the model's spelling is asked.
    """
    if SUBMISSION in job.metadata:
        return job.metadata[SUBMISSION] == submission.id
    return (
        submission.training_file_id is not None
        and job.training_file == submission.training_file_id
        and (not shares_files or job.seed in (None, submission.seed))
    )


def _only_own(found: Sequence[Job], submission: Submission, session: Session, *, shares_files: bool) -> list[Job]:
    """Return the jobs of those that `is_own` names which are certainly the submission's.

    Where nothing but the file tells, somebody else may have trained on it too: then model, seed and time of
    creation decide between several. UncertainError where they do not, where the only one is of another model, or
    where the service answered the upload with a file of another name, which others may have.
    Jobs of one file and of our very seed are all the submission's: a request that something repeated.
    """
    proven = [job for job in found if SUBMISSION in job.metadata or shares_files or job.seed == submission.seed]
    told_by_file = [job for job in found if job not in proven]
    if proven or not told_by_file:
        return proven
    fitting = [job for job in told_by_file if _fits(job, submission)]
    if not fitting and len(told_by_file) == 1 and _is_of_model(told_by_file[0], submission):
        fitting = told_by_file  # some services choose the seed, and clocks differ
    if len(fitting) == 1 and _has_own_file(submission, session):
        return fitting
    ids = ", ".join(job.id for job in told_by_file)
    raise UncertainError(
        "several_jobs",
        f"Nobody can tell which job submission {submission.id} created: {ids} trained on its file.",
        next_step=f"Find out which one is yours: `ftjobs adopt JOB --for {submission.id}` gives it the job; "
        "`ftjobs adopt JOB… --for nobody` says that these are not.",
        submission_id=submission.id,
        job_ids=[job.id for job in told_by_file],
    )


def _has_own_file(submission: Submission, session: Session) -> bool:
    """Return whether the submission's training file bears its mark, as far as the service tells names."""
    remote = session.api.retrieve_file(submission.training_file_id or "")
    return remote is None or remote.name is None or mark_of(submission.key) in remote.name


def _fits(job: Job, submission: Submission) -> bool:
    """Return whether a job has the submission's model and seed, and was made after it was recorded."""
    return (
        _is_of_model(job, submission)
        and job.seed is None
        and job.created_at >= submission.recorded_at - _CLOCKS_DIFFER
    )


def _is_of_model(job: Job, submission: Submission) -> bool:
    """Return whether the job's model may be the submission's; services spell names longer or shorter."""
    spec = submission.spec
    if spec is None or job.model is None:
        return True
    told = job.model.casefold()
    names = [name.casefold() for name in (spec.model, spec.base_model, spec.requested_model)]
    return any(name in told or told in name for name in names)


def mark_of(key: str) -> str:
    """Return what the name of a training file holds of its content key, where metadata cannot tell it."""
    return f"ftjobs-{key[:32]}"


def _may_share(owner_id: str | None, submission: Submission, session: Session) -> bool:
    """Return whether a job of our content is news: what the ledger gives to a submission of other content is none.

    A twin, or what was adopted beside us, is: it was recorded with our key, or with one that is no content's.
    """
    if owner_id in {None, submission.id}:
        return True
    key = session.ledger.get(str(owner_id)).key
    return key == submission.key or not (CONTENT_KEY.fullmatch(key) or key.startswith(DISOWNED))


def _listed(api: Api, metadata: Mapping[str, str] | None) -> Iterator[Job]:
    for page in pages(api, metadata):
        yield from page.jobs


def pages(
    api: Api, metadata: Mapping[str, str] | None = None, *, skips_damaged: bool = False
) -> Iterator[JobPage]:
    """Return the pages of the account's jobs, newest first; UnavailableError rather than believe one that lies."""

    def ask(after: str | None) -> JobPage:
        return api.list_jobs(metadata=metadata, after=after, skips_damaged=skips_damaged)

    return walk(ask, base_url=api.profile.base_url, what="its jobs")


def _best_first(job: Job) -> tuple[bool, datetime]:
    return job.failed, job.created_at
