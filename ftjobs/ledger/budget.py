"""The monthly budget: a pure gate on what a submission could cost at most."""

from __future__ import annotations

from dataclasses import dataclass

from ftjobs.errors import SpendRefusedError
from ftjobs.money import Usd

WARN_AT_PERCENT = 80


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A month's limit, what was billed in it, and the commitments, all of which count against it."""

    limit: Usd
    billed: Usd
    committed: Usd

    @property
    def headroom(self) -> Usd:
        """What remains; negative where the month is overspent."""
        return self.limit - self.billed - self.committed

    @property
    def warns(self) -> bool:
        """True from 80% of the limit on."""
        return (self.billed + self.committed).nano * 100 >= self.limit.nano * WARN_AT_PERCENT

    def sentence(self) -> str:
        """Return the state in one line for people."""
        return (
            f"budget {self.limit.display()} this month: {self.billed.display()} billed, "
            f"{self.committed.display()} committed, {self.headroom.display()} left"
        )


def admit(state: BudgetState, high_estimate: Usd) -> BudgetState:
    """Return the state with the commitment added; SpendRefusedError where it does not fit."""
    after = BudgetState(state.limit, state.billed, state.committed + high_estimate)
    if after.headroom < Usd(0):
        raise SpendRefusedError(
            "over_budget",
            f"Up to {high_estimate.display()} does not fit: {state.sentence()}.",
            next_step="Wait for open jobs to settle (`ftjobs status`), or raise budget.monthly_usd.",
            budget_usd=state.limit.plain(),
            billed_usd=state.billed.plain(),
            commitment_usd=state.committed.plain(),
            high_estimate_usd=high_estimate.plain(),
        )
    return after
