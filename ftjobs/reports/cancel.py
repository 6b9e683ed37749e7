"""What cancelling came to."""

from __future__ import annotations

from ftjobs.ledger.entries import Trail
from ftjobs.reports.envelope import clean
from ftjobs.reports.numbers import usd

_CANCELLED = frozenset({"cancelled", "canceled"})
MAY_BE_BILLED = "work done until then may be billed"


def cancel_text(trail: Trail, *, acted: bool) -> str:
    """Return what became of the job or submission, and of its bill; `acted` where it was this command's doing."""
    submission = trail.submission
    job = submission.job
    if job is None:
        if acted:
            return f"submission {submission.id} abandoned; it was never sent, so nothing is billed"
        return f"submission {submission.id} is {submission.status} already; it created no job, nothing was sent"
    name, status = clean(job.id), clean(job.status)
    if not acted:
        return f"job {name} has ended already ({status}), nothing was sent\n{_bill(trail)}"
    if job.status in _CANCELLED:
        return f"job {name} {status}\n{_bill(trail)}"
    if job.ended:
        return f"job {name} ended before it could be cancelled ({status})\n{_bill(trail)}"
    return (
        f"the service took the request to cancel job {name}; it is {status} until it stops\n"
        f"{_bill(trail)}\nwatch it with: ftjobs watch {name}"
    )


def _bill(trail: Trail) -> str:
    if trail.billed is not None:
        return f"billed {usd(trail.billed)}"
    job = trail.submission.job
    if job is not None and job.status == "succeeded":
        return "its bill is unknown until the service tells"
    return f"{MAY_BE_BILLED}: the bill is unknown until the service tells"
