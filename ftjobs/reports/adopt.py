"""What adopting came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftjobs.ledger.adopted import Adopted, Rescued
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import count, usd

_NAMED = 3
_LOOK = "see them with: ftjobs status --all"


def adopted_json(done: Adopted, rescued: Rescued | None = None, *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.adopt/1`; what nobody knows is null."""
    return envelope(
        "adopt",
        sandbox=sandbox,
        adopted=len(done.new),
        with_estimate=done.with_estimate,
        known=len(done.known),
        left_to_submissions=len(done.left),
        attached=dict(done.attached),
        of_other_accounts=len(done.elsewhere),
        unreadable=done.damaged,
        unsettled=done.under_way,
        settled=done.settled,
        billed_cost_usd=done.billed,
        unknown_billed_jobs=done.unknown_bills,
        job_ids=done.new,
        rescued=None if rescued is None else _rescued_json(rescued),
        notes=[*adopted_notes(done), *(rescued_notes(rescued) if rescued else [])],
    )


def adopted_text(done: Adopted) -> str:
    """Return what was adopted, settled and known before, and where to look at it."""
    if not done.job_ids:
        return "no jobs to adopt: the service has none of those"
    if done.attached:
        return "\n".join(f"submission {owner} has job {clean(job)} now" for job, owner in done.attached.items())
    parts = [f"adopted {count(len(done.new), 'job')}"]
    if done.new:
        parts[0] += f" ({f'{done.with_estimate:,}' if done.with_estimate else 'none'} with an estimate)"
    if done.settled:
        parts.append(f"settled {done.settled:,} for {usd(done.billed)}")
    if done.unknown_bills:
        parts.append(f"{done.unknown_bills:,} with an unknown bill")
    if done.under_way:
        parts.append(f"{done.under_way:,} still under way")
    if done.known:
        parts.append(f"{len(done.known):,} known already")
    return "\n".join([", ".join(parts), *([_LOOK] if done.new else [])])


def rescued_text(done: Rescued) -> str:
    """Return how many jobs were kept, and where."""
    part = f", {len(done.lost):,} as far as the service still has them" if done.lost else ""
    missing = len(done.unsaved) + done.skipped
    later = f", {missing:,} not kept whole yet" if missing else ""
    return f"kept {count(len(done.saved) + len(done.lost), 'job')} in {clean(str(done.directory))}{part}{later}"


def rescued_notes(done: Rescued) -> list[str]:
    """Return what was not kept, why, and whether running again helps."""
    notes = []
    if done.unsaved:
        why = clean(next(iter(done.unsaved.values())).message)
        notes.append(
            f"{count(len(done.unsaved), 'job')} could not be kept whole "
            f"({_some(list(map(clean, done.unsaved)))}): {why} "
            "Run the same command again: only what is missing is fetched"
        )
    if done.skipped:
        notes.append(f"{count(done.skipped, 'job')} more were not tried: the service does not answer")
    if done.lost:
        why = clean(next(iter(done.lost.values())))
        notes.append(
            f"the service no longer has everything of {count(len(done.lost), 'job')} "
            f"({_some(list(map(clean, done.lost)))}): {why}"
        )
    return notes


def _rescued_json(done: Rescued) -> dict[str, Any]:
    return {
        "directory": str(done.directory),
        "saved": len(done.saved),
        "lost_job_ids": list(done.lost),
        "unsaved_job_ids": list(done.unsaved),
        "skipped": done.skipped,
    }


def adopted_notes(done: Adopted) -> list[str]:
    """Return what a person may have to do about it, a sentence each."""
    notes = []
    if done.unpriced:
        notes.append(
            f"no price is known for {_some([clean(model) for model in done.unpriced])}, so "
            f"{count(done.unpriced.total(), 'bill')} {_is(done.unpriced.total())} unknown; "
            "add a [[price]] with training_usd_per_1m to the settings, then run `ftjobs status`"
        )
    if done.untold:
        notes.append(
            f"the service does not tell the trained tokens of {count(done.untold, 'job')} that ended: "
            "what they cost is unknown, and `ftjobs status` asks again"
        )
    if done.left:
        notes.append(
            f"{count(len(done.left), 'job')} {_is(len(done.left), 'belongs', 'belong')} to submissions that are "
            f"still open ({_some(sorted(set(done.left.values())))}): `ftjobs status`, or the same submit command "
            "again, takes them in"
        )
    if done.elsewhere:
        notes.append(
            f"{count(len(done.elsewhere), 'job')} {_is(len(done.elsewhere))} recorded for another account already "
            f"({_some([clean(job_id) for job_id in done.elsewhere])}), and left as they are"
        )
    if done.damaged:
        notes.append(f"{count(done.damaged, 'job')} on the lists could not be read, and not be adopted")
    return notes


def _is(number: int, one: str = "is", many: str = "are") -> str:
    return one if number == 1 else many


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
