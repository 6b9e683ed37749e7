"""The variance bridge: why a bill differs from its expected estimate, split without a remainder. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftjobs.ledger.entries import Posting
from ftjobs.money import ZERO, Usd, UsdPer1M, rounded, total


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
    estimate: Posting, billed: Sequence[Posting], *, quoted_epochs: int | None, trained_epochs: int | None
) -> Bridge:
    """Return the bridge from an estimate to the entries that answer it.

    `quoted_epochs` are those of the expected estimate, `trained_epochs` those of the job; None is unknown.
    """
    other = with_price = tokens = 0
    by_tokens = False
    for entry in billed:
        if entry.tokens is None:
            other += entry.nano
        else:
            by_tokens = True
            tokens += entry.tokens
            with_price += entry.nano
    rate = estimate.nano_per_1m
    if not by_tokens or rate is None:
        return Bridge(ZERO, ZERO, ZERO, Usd(other + with_price - estimate.nano))
    if not quoted_epochs or trained_epochs is None or estimate.tokens is None:
        with_epochs, untold = estimate.nano, 1
    else:
        counted = rounded(estimate.tokens * trained_epochs, quoted_epochs)
        with_epochs, untold = UsdPer1M(rate).cost(counted).nano, 0
    with_count = UsdPer1M(rate).cost(tokens).nano
    return Bridge(
        epochs=Usd(with_epochs - estimate.nano),
        token_count=Usd(with_count - with_epochs),
        price=Usd(with_price - with_count),
        other=Usd(other),
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
