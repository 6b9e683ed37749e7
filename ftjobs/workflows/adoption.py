"""What travels in a job's metadata, and what can be rebuilt from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from ftjobs.errors import UsageError
from ftjobs.jobs.job import Job
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.submission import Submission, new_id
from ftjobs.logs import get_logger
from ftjobs.workflows.lookup import CONTENT_KEY, ESTIMATE, KEY, MARK, SUBMISSION, Found
from ftjobs.workflows.session import Session

log = get_logger(__name__)

# The API takes 16 pairs, 64 and 512 characters; four pairs are ours.
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 12, 64, 512
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise UsageError for the tag that cannot travel with a job."""
    for key, value in tags.items():
        if not key or len(key) > MAX_TAG_KEY or len(value) > MAX_TAG_VALUE:
            raise UsageError(
                "bad_tag",
                f"The tag {key!r} is empty or too long.",
                next_step=f"Keep names within {MAX_TAG_KEY} characters and values within {MAX_TAG_VALUE}.",
                key=key,
            )
        if key != key.strip() or value != value.strip():
            raise UsageError(
                "bad_tag",
                f"The tag {f'{key}={value}'!r} has spaces around its name or its value.",
                next_step=f"Write it like --tag {key.strip()}={value.strip()}.",
                key=key,
            )
        if key.startswith("ftjobs"):
            raise UsageError(
                "reserved_tag",
                f"The tag name {key!r} is reserved.",
                next_step="Choose a name that does not start with ftjobs.",
                key=key,
            )
    if len(tags) > MAX_TAGS:
        raise UsageError(
            "too_many_tags",
            f"{len(tags)} tags do not fit into a job's metadata.",
            next_step=f"Give at most {MAX_TAGS}.",
        )


def metadata_of(submission: Submission) -> dict[str, str]:
    """Return the metadata that makes the service the second copy of the trail."""
    ours = {**MARK, SUBMISSION: submission.id, KEY: submission.key}
    if submission.quote is not None:
        ours[ESTIMATE] = submission.quote.encode()
    return {**submission.tags, **ours}


def attach(submission: Submission, own: Sequence[Job], session: Session) -> Submission:
    """Record the first of a submission's own jobs as its job and any further ones as twins; return it anew.

    Twins are paid for like any job, so each gets a submission of its own; they are never cancelled by us.
    """
    session.ledger.attach(submission.id, own[0], now=session.now())
    log.info("job.found", submission_id=submission.id, job_id=own[0].id)
    _adopt_twins(own[1:], submission, session)
    return session.ledger.get(submission.id)


def claim(submission: Submission, found: Found, session: Session) -> Submission | None:
    """Return the submission whose job makes creating one needless, None where nothing was found.

    A job of ours is attached; a job of the same content is adopted, and then ours creates nothing.
    """
    if found.own:
        return attach(submission, found.own, session)
    if not found.same_content:
        if found.unseen:
            log.warning(
                "files.unseen",
                files=found.unseen,
                reason="the service shows no names of files that jobs trained on: perhaps on this content",
            )
        return None
    adopted = adopt(found.same_content[0], like=submission, session=session, replaces=submission.id)
    _adopt_twins(found.same_content[1:], submission, session)
    return adopted


def _adopt_twins(twins: Sequence[Job], submission: Submission, session: Session) -> None:
    for twin in twins:
        log.warning("job.twin_found", job_id=twin.id, submission_id=submission.id)
        adopt(twin, like=submission, session=session)


def adopt(job: Job, *, like: Submission, session: Session, replaces: str | None = None) -> Submission:
    """Record a job that the ledger does not know with a submission of its own; return that submission.

    `like` has the same content. `replaces` is a submission that thereby creates nothing.
    """
    is_free = not session.ledger.knows_submission(told_submission(job) or "")
    adopted = rebuilt(job, like=like, keeps_id=is_free, session=session, recorded_at=session.now())
    session.ledger.adopt(adopted, replaces=replaces, now=session.now())
    log.info("job.adopted", submission_id=adopted.id, job_id=job.id)
    return session.ledger.get(session.ledger.owner_of(job.id) or adopted.id)


def rebuilt(
    job: Job, *, like: Submission | None, keeps_id: bool, session: Session, recorded_at: datetime
) -> Submission:
    """Return the submission that stands for a job, from its metadata as far as that tells.

    What it does not tell is taken from `like`, which has the same content. Without that, and without our whole
    metadata, the job is a stranger's: its tags and estimate are believed, its key is not. `keeps_id` says whether
    the id in the metadata may be its own.
    """
    told, key, quote = told_submission(job), told_key(job), Quote.decode(job.metadata.get(ESTIMATE))
    is_ours = like is not None or (keeps_id and all([told, key, quote]))
    if like is not None:
        key = key or like.key
    return Submission(
        id=told if told and keeps_id and is_ours else new_id(job.created_at, session.ambient.entropy(10)),
        key=key if key and is_ours else strangers_key(session.account, job.id),
        state="created",
        profile=session.api.profile.name,
        account=session.account,
        recorded_at=recorded_at,
        spec=like.spec if like else None,
        quote=quote or (like.quote if like else None),
        tags=like.tags if like and SUBMISSION not in job.metadata else _tags_of(job),
        training_file_id=job.training_file,
        job=job,
    )


def told_submission(job: Job) -> str | None:
    """Return the submission id that the job's metadata tells, None where it tells none of our form."""
    told = job.metadata.get(SUBMISSION, "")
    return told if _ULID.fullmatch(told) else None


def told_key(job: Job) -> str | None:
    """Return the content key that the job's metadata tells, None where it tells none of our form."""
    told = job.metadata.get(KEY, "")
    return told if CONTENT_KEY.fullmatch(told) else None


def strangers_key(account: str, job_id: str) -> str:
    """Return the key of a job whose content nobody knows: its own for good, and no content's.

    A content key is 64 hexadecimal digits, which this can never be, so such a job neither answers nor frees what a
    submission asks for.
    """
    return "job:" + hashlib.sha256(json.dumps([account, job_id]).encode()).hexdigest()


def _tags_of(job: Job) -> Mapping[str, str]:
    return {name: value for name, value in job.metadata.items() if not name.startswith("ftjobs")}
