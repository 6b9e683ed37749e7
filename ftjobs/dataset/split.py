"""Which examples are drawn and which are held out: decided by hashes, so alike on every machine."""

from __future__ import annotations

import heapq
import re
from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from hashlib import blake2b
from itertools import groupby

from ftjobs.errors import UsageError

DEFAULT_SPLIT_SEED = 0
ADVISED_HOLDOUT = (Fraction(10, 100), Fraction(20, 100))

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%|(0?\.\d{1,8})", re.ASCII)


def parse_share(text: str) -> Fraction:
    """Return the share that "15%" or "0.15" means, above 0 and below 1; UsageError for anything else."""
    found = _SHARE.fullmatch(text.strip())
    share = Fraction(0) if found is None else Fraction(found[1]) / 100 if found[1] else Fraction(found[2])
    if not 0 < share < 1:
        raise UsageError(
            "bad_holdout",
            f"{text!r} is not a share that can be held out.",
            next_step="Give --holdout a percentage above 0% and below 100%, such as 15%.",
            holdout=text,
        )
    return share


def rounded_share(share: Fraction, examples: int) -> int:
    """Return the share as a whole number of examples, halves rounded up."""
    return int(share * examples + Fraction(1, 2))


def draw(places: Sequence[int], number: int, *, seed: int) -> list[int]:
    """Return exactly `number` of `places`, in their order; ValueError where there are fewer.

    Those with the smallest BLAKE2b hash (8 bytes, personalization "ftjobs.sample") of the text "SEED:PLACE":
    the same on every machine and Python version. A larger number keeps all that a smaller one drew.
    """
    if number > len(places):
        raise ValueError("more examples wanted than there are")
    ranked = heapq.nsmallest(
        number, places, key=lambda place: (_rank(f"{seed}:{place}".encode(), b"sample"), place)
    )
    return sorted(ranked)


def holdout_key(identity: bytes, *, seed: int) -> int:
    """Return the rank of an example in the holdout: equal for identical examples, 64 bits.

    BLAKE2b (8 bytes, personalization "ftjobs.holdout") of the seed's decimal digits, a colon and `identity`.
    """
    return _rank(b"%d:%b" % (seed, identity), b"holdout")


def hold_out(keys: Sequence[int], places: Iterable[int], wanted: int) -> list[int]:
    """Return at most `wanted` of `places`, in their order: those with the smallest keys.

    `keys[place]` is a place's `holdout_key`. Places of one key come together or not at all, so no identical
    examples end on both sides; a group that does not fit any more is passed over. The number is exactly
    `wanted` unless what is left are larger groups.
    """
    held = array("Q")
    ranked = sorted(places, key=lambda place: (keys[place], place))
    for _, group in groupby(ranked, key=lambda place: keys[place]):
        together = list(group)
        if len(held) + len(together) <= wanted:
            held.extend(together)
        if len(held) == wanted:
            break
    return sorted(held)


def _rank(value: bytes, purpose: bytes) -> int:
    return int.from_bytes(blake2b(value, digest_size=8, person=b"ftjobs." + purpose).digest(), "big")
