"""The variance bridge: why a bill differs from its expected estimate, split without a remainder. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ftjobs.ledger.entries import Entry
from ftjobs.money import Usd, total


@dataclass(frozen=True, slots=True)
class Bridge:
    """Billed minus expected estimate in four steps, taken in this order, whose sum it is to the nano-dollar.

    `epochs`: the service trained on the dataset more or less often; `token_count`: it counted other tokens than we
    did; `price`: it was billed at another price than quoted; `other`: adjustments and bills not by tokens.
    `jobs_without_epochs` did not tell how often they trained: their epochs are part of `token_count`.
    """

    epochs: Usd
    token_count: Usd
    price: Usd
    other: Usd
    jobs_without_epochs: int = 0

    @property
    def variance(self) -> Usd:
        """Billed minus expected estimate."""
        return total([self.epochs, self.token_count, self.price, self.other])


def bridge(
    estimate: Entry, billed: Sequence[Entry], *, quoted_epochs: int | None, trained_epochs: int | None
) -> Bridge:
    """Return the bridge from an estimate to the entries that answer it.

    `quoted_epochs` are those of the expected estimate, `trained_epochs` those of the job; None is unknown.
    """
    by_tokens = [entry for entry in billed if entry.tokens is not None]
    other = total([entry.amount for entry in billed if entry not in by_tokens])
    rate = estimate.usd_per_1m
    if not by_tokens or rate is None:
        return Bridge(Usd(0), Usd(0), Usd(0), total([entry.amount for entry in billed]) - estimate.amount)
    if not quoted_epochs or trained_epochs is None or estimate.tokens is None:
        with_epochs, untold = estimate.amount, 1
    else:
        with_epochs, untold = rate.cost(round(Fraction(estimate.tokens * trained_epochs, quoted_epochs))), 0
    with_count = rate.cost(sum(entry.tokens or 0 for entry in by_tokens))
    with_price = total([entry.amount for entry in by_tokens])
    return Bridge(
        epochs=with_epochs - estimate.amount,
        token_count=with_count - with_epochs,
        price=with_price - with_count,
        other=other,
        jobs_without_epochs=untold,
    )


def summed(bridges: Sequence[Bridge]) -> Bridge:
    """Return the sum of bridges, step by step; nothing for none."""
    return Bridge(
        epochs=total([each.epochs for each in bridges]),
        token_count=total([each.token_count for each in bridges]),
        price=total([each.price for each in bridges]),
        other=total([each.other for each in bridges]),
        jobs_without_epochs=sum(each.jobs_without_epochs for each in bridges),
    )
