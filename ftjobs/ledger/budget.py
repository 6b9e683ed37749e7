"""Monthly budgets: pure gates on what a submission could cost at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftjobs.errors import SpendRefusedError
from ftjobs.ledger.entries import Trail
from ftjobs.money import Usd, total

WARN_AT_PERCENT = 80
_NAMED_HOLDERS = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a UTC month may cost: everything, or what has one profile or one tag (name, value)."""

    usd: Usd
    profile: str | None = None
    tag: tuple[str, str] | None = None

    def covers(self, profile: str, tags: Mapping[str, str]) -> bool:
        """Return whether what a submission of this profile with these tags costs counts against this limit."""
        if self.tag is not None and tags.get(self.tag[0]) != self.tag[1]:
            return False
        return self.profile is None or profile == self.profile

    @property
    def tag_text(self) -> str | None:
        """The tag as it is typed ("team=search")."""
        return None if self.tag is None else "=".join(self.tag)

    @property
    def name(self) -> str:
        """What people call it: "budget", "budget of profile azure-eu", "budget of tag team=search"."""
        if self.tag_text is not None:
            return f"budget of tag {self.tag_text}"
        return "budget" if self.profile is None else f"budget of profile {self.profile}"

    @property
    def setting(self) -> str:
        """Where it is set, as TOML names it."""
        if self.tag_text is not None:
            return f'budget.tags."{self.tag_text}"'
        return "budget.monthly_usd" if self.profile is None else f"budget.profiles.{self.profile}"


def covering(limits: Sequence[Limit], profile: str, tags: Mapping[str, str]) -> list[Limit]:
    """Return the limits that a submission of this profile with these tags counts against."""
    return [limit for limit in limits if limit.covers(profile, tags)]


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A month's limit, what was billed in it, and the commitments, all of which count against it.

    `held_by` are the unsettled trails behind the commitments.
    """

    limit: Limit
    billed: Usd
    committed: Usd
    held_by: tuple[Trail, ...] = ()

    @property
    def headroom(self) -> Usd:
        """What remains; negative where the month is overspent."""
        return self.limit.usd - self.billed - self.committed

    @property
    def warns(self) -> bool:
        """True from 80% of the limit on."""
        return (self.billed + self.committed).nano * 100 >= self.limit.usd.nano * WARN_AT_PERCENT

    def without(self, trail: Trail) -> BudgetState:
        """Return the state as it would be if this trail held nothing."""
        if trail not in self.held_by:
            return self
        held_by = tuple(each for each in self.held_by if each != trail)
        return BudgetState(self.limit, self.billed, self.committed - trail.commitment, held_by)

    def sentence(self) -> str:
        """Return the state in one line for people."""
        taken = self.billed + self.committed
        share = (
            f" ({taken.nano * 100 // self.limit.usd.nano}% taken)" if self.warns and self.limit.usd.nano else ""
        )
        room = (
            f"over by {(-self.headroom).display()}"
            if self.headroom < Usd(0)
            else f"{self.headroom.display()} left"
        )
        return (
            f"{self.limit.name} {self.limit.usd.display()} this month: {self.billed.display()} billed, "
            f"{self.committed.display()} committed, {room}{share}"
        )


def state_of(limit: Limit, billed: Usd, unsettled: Sequence[Trail]) -> BudgetState:
    """Return the state of a limit that what is unsettled holds a part of, the largest commitment first."""
    holding = [
        trail
        for trail in unsettled
        if trail.commitment > Usd(0) and limit.covers(trail.submission.profile, trail.submission.tags)
    ]
    holding.sort(key=lambda trail: trail.commitment, reverse=True)
    return BudgetState(limit, billed, total([trail.commitment for trail in holding]), tuple(holding))


def _next_step(state: BudgetState) -> str:
    """Return how room is made: by the jobs that hold some, an ended one only once somebody knows its bill."""
    if not state.held_by:
        return f"Raise {state.limit.setting}, or wait for the next month."
    has_ended = any(trail.submission.job and trail.submission.job.ended for trail in state.held_by)
    known = ", record the bill of one that ended (`ftjobs adjust JOB --total USD --reason TEXT`)"
    waiting = f"Wait for open jobs to settle (`ftjobs status`){known if has_ended else ''}"
    return f"{waiting}, or raise {state.limit.setting}."


def admit(state: BudgetState, high_estimate: Usd) -> BudgetState:
    """Return the state with the commitment added; SpendRefusedError where it does not fit."""
    after = BudgetState(state.limit, state.billed, state.committed + high_estimate, state.held_by)
    if after.headroom < Usd(0):
        raise SpendRefusedError(
            "over_budget",
            f"Up to {high_estimate.display()} does not fit: {state.sentence()}{_holders_text(state.held_by)}.",
            next_step=_next_step(state),
            budget_usd=state.limit.usd.plain(),
            billed_usd=state.billed.plain(),
            commitment_usd=state.committed.plain(),
            headroom_usd=state.headroom.plain(),
            high_estimate_usd=high_estimate.plain(),
            profile=state.limit.profile,
            tag=state.limit.tag_text,
            held_by=[
                {
                    "submission_id": trail.submission.id,
                    "job_id": trail.submission.job.id if trail.submission.job else None,
                    "status": trail.submission.status,
                    "commitment_usd": trail.commitment.plain(),
                }
                for trail in state.held_by[:_NAMED_HOLDERS]
            ],
        )
    return after


def _holders_text(held_by: Sequence[Trail]) -> str:
    if not held_by:
        return ""
    named = [
        f"{trail.submission.job.id if trail.submission.job else trail.submission.id} ({trail.submission.status}) "
        f"{trail.commitment.display()}"
        for trail in held_by[:_NAMED_HOLDERS]
    ]
    more = len(held_by) - len(named)
    return f"; held by {', '.join(named)}{f' and {more} more' if more else ''}"
