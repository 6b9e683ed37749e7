"""Creating an uncertain submission's job again, once its absence was observed long enough."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ftjobs.errors import UnavailableError, UsageError
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.locks import submission_lock
from ftjobs.workflows.adoption import claim
from ftjobs.workflows.create import create
from ftjobs.workflows.lookup import Found, look_up
from ftjobs.workflows.session import Session
from ftjobs.workflows.submit import Hooks, Submitted, naming

LOOKUPS = 5


def resend(
    submission_id: str,
    session: Session,
    *,
    settle_s: float,
    hooks: Hooks | None = None,
    on_left: Callable[[float], None] = lambda _left_s: None,
    recheck: Callable[[Submission], None] = lambda _submission: None,
) -> Submitted:
    """Return the submission with the job that was found after all, or that was created now.

    First five valid, empty lookups, filtered and unfiltered, over at least `settle_s` monotonic seconds;
    `on_left` is told the seconds that are left. Interrupted or without an answer of the service, it starts over
    the next time. `recheck` is called before anything is created; it raises SpendRefusedError to stop.
    UsageError where nothing is uncertain.
    """
    hooks = hooks or Hooks()
    follow = partial(hooks.on_follow, submission_id)
    with submission_lock(session.ledger.place, submission_id, on_wait=follow), naming(submission_id):
        submission = session.ledger.get(submission_id)
        if submission.state == "created":
            return Submitted(submission, reused=True)
        if submission.state not in {"sending", "uncertain"}:
            raise UsageError(
                "not_uncertain",
                f"Submission {submission.id} is {submission.state}: there is nothing to resend.",
                next_step="Run `ftjobs submit` with its file instead.",
                submission_id=submission.id,
            )
        if submission.state == "sending":
            session.ledger.mark(
                submission.id, "uncertain", now=session.now(), error="the process ended during the create call"
            )
        try:
            found = _observe(submission, session, settle_s, on_left)
        except UnavailableError as error:
            error.next_step = (
                f"Run `ftjobs submit --resend {submission.id}` again later; it watches from the start."
            )
            raise
        if claimed := claim(submission, found, session):
            return Submitted(claimed, reused=True)
        recheck(submission)
        made = create(submission, session, on_signal=hooks.on_signal)
        return Submitted(made, reused=made.id != submission.id)


def _observe(submission: Submission, session: Session, settle_s: float, on_left: Callable[[float], None]) -> Found:
    """Watch the service for `settle_s` seconds; return what turned up, empty where nothing did.

    A job that was accepted but lags behind in the lists shows up within that time.
    """
    ambient = session.ambient
    started = ambient.monotonic()
    found = Found((), ())
    for nth in range(LOOKUPS):
        due = started + settle_s * nth / (LOOKUPS - 1)
        while (left := due - ambient.monotonic()) > 0:
            on_left(started + settle_s - ambient.monotonic())
            ambient.sleep(min(left, 1.0))
        seen = look_up(submission, session, everywhere=True)
        # What showed once exists: a later list that lacks it is behind.
        found = Found(seen.own, seen.same_content or found.same_content, seen.unseen)
        if found.own:
            break
    return found
