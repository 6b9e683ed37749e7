"""What is recorded of an estimate, and its form in a job's metadata.

Under the key `ftjobs_estimate` travels one JSON object of ASCII characters without spaces, version 1:

    {"v":1,"examples":100,"dataset_tokens":[L,E,H],"epochs":[L,E,H],"estimated_tokens":[L,E,H],
     "usd_per_1m":"3.00","list":"openai","from":"2026-11-01","on":"2026-11-22","source":"…"}

[L,E,H] is low, expected, high. `from` is the first day of the price, or null where unknown; `on` is the day
of the estimate. `source` says where the price is from; it is cut so that the whole stays within 512
characters, the API's limit of a metadata value. Readers skip keys they do not know; a change of meaning takes
a new version.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from ftjobs.money import Usd, UsdPer1M
from ftjobs.ranges import Range

MAX_CHARACTERS = 512
_VERSION = 1
_LARGEST = 2**63 - 1  # what an integer of the ledger holds: a stranger's metadata must not overflow it
# As dear as a price may be at all: times the tokens of any job it still fits the ledger.
_DEAREST = UsdPer1M.parse("10000")
# As `encode` writes it, with a source that needs no escapes and numbers that fit.
_BOUNDS = r"\[(N),(N),(N)\]".replace("N", "0|[1-9][0-9]{0,17}")
_AS_WRITTEN = re.compile(
    r'\{"v":1,"examples":(0|[1-9][0-9]{0,17})'
    rf',"dataset_tokens":{_BOUNDS},"epochs":{_BOUNDS},"estimated_tokens":{_BOUNDS}'
    r',"usd_per_1m":"([^"\\]*)","list":"([^"\\]*)","from":(null|"[^"\\]*"),"on":"([^"\\]*)"'
    r',"source":"[ !#-\[\]-~]*"\}'
)
_LIST_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")


@dataclass(frozen=True, slots=True)
class Quote:
    """An estimate and its price, as of `estimated_on`; `effective_from` None is a first day that is unknown.

    ValueError unless every number is at least 0 and, like the estimated cost in nano-dollars, below 2⁶³, the
    price at most $10,000 per 1M tokens, and `price_list` 1 to 40 of letters, digits, dot, dash and underscore.
    """

    dataset_tokens: Range[int]
    epochs: Range[int]
    estimated_tokens: Range[int]
    usd_per_1m: UsdPer1M
    price_list: str
    price_source: str
    effective_from: date | None
    estimated_on: date
    examples: int

    def __post_init__(self) -> None:
        dataset, epochs, estimated, rate = self.dataset_tokens, self.epochs, self.estimated_tokens, self.usd_per_1m
        least = min(self.examples, rate.nano, dataset.low, epochs.low, estimated.low)
        high_cost = rate.cost(estimated.high)
        most = max(self.examples, rate.nano, high_cost.nano, dataset.high, epochs.high, estimated.high)
        if least < 0 or most > _LARGEST or rate.nano > _DEAREST.nano:
            raise ValueError("a quote's numbers must be at least 0 and fit 63 bits, in a bill too")
        if not _LIST_NAME.fullmatch(self.price_list):
            raise ValueError(f"{self.price_list!r} is not the name of a price list")

    @property
    def cost(self) -> Range[Usd]:
        """The estimated cost, each bound rounded once."""
        return self.estimated_tokens.map(self.usd_per_1m.cost)

    def encode(self) -> str:
        """Return the quote as in this module's head: ASCII, at most 512 characters."""
        row = {
            "v": _VERSION,
            "examples": self.examples,
            "dataset_tokens": _bounds(self.dataset_tokens),
            "epochs": _bounds(self.epochs),
            "estimated_tokens": _bounds(self.estimated_tokens),
            "usd_per_1m": self.usd_per_1m.plain(),
            "list": self.price_list,
            "from": self.effective_from.isoformat() if self.effective_from else None,
            "on": self.estimated_on.isoformat(),
        }
        room = MAX_CHARACTERS - len(_compact(row | {"source": ""}))
        source = self.price_source[:room]
        while len(_compact(source)) - len('""') > room:
            source = source[:-1]
        return _compact(row | {"source": source})

    @classmethod
    def decode(cls, text: object) -> Quote | None:
        """Return the quote that `encode` wrote, its source without unprintable characters.

        None for anything else; never raises, since anybody with the account's key can write metadata.
        """
        if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
            return None
        try:
            row = json.loads(text)
            if _int(row["v"]) != _VERSION:
                return None
            return cls(
                dataset_tokens=_range(row["dataset_tokens"]),
                epochs=_range(row["epochs"]),
                estimated_tokens=_range(row["estimated_tokens"]),
                usd_per_1m=UsdPer1M.parse(row["usd_per_1m"]),
                price_list=row["list"],
                price_source=_printable(_str(row.get("source", ""))),
                effective_from=None if row["from"] is None else date.fromisoformat(row["from"]),
                estimated_on=date.fromisoformat(row["on"]),
                examples=_int(row["examples"]),
            )
        except (KeyError, TypeError, ValueError, RecursionError):
            return None


class Bounds(NamedTuple):
    """The numbers of a `Range`."""

    low: int
    expected: int
    high: int


class QuoteGlance(NamedTuple):
    """As much of a `Quote` as a list shows, each field as there."""

    examples: int
    dataset_tokens: Bounds
    epochs: Bounds
    estimated_tokens: Bounds


def glance_at_quote(text: str) -> QuoteGlance | Quote | None:
    """Return what a list shows of the quote that `decode` would return, None where it would."""
    written = _AS_WRITTEN.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if written is None:
        return Quote.decode(text)
    *numbers, price, price_list, first, on = written.groups()
    examples, *bounds = map(int, numbers)
    dataset, epochs, estimated = Bounds(*bounds[:3]), Bounds(*bounds[3:6]), Bounds(*bounds[6:])
    most = _most_tokens(price, price_list, first, on)
    if (
        most is None
        or estimated.high > most
        or not all(b.low <= b.expected <= b.high for b in (dataset, epochs, estimated))
    ):
        return Quote.decode(text)
    return QuoteGlance(examples, dataset, epochs, estimated)


@lru_cache(1024)
def _most_tokens(price: str, price_list: str, first: str, on: str) -> int | None:
    """Return up to how many tokens a quote of this price may have for certain, None where `decode` must look."""
    try:
        nano = UsdPer1M.parse(price).nano
        date.fromisoformat(on)
        if first != "null":
            date.fromisoformat(first.strip('"'))
    except ValueError:
        return None
    if nano > _DEAREST.nano or not _LIST_NAME.fullmatch(price_list):
        return None
    return _LARGEST // max(nano, 1)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _bounds(of: Range[int]) -> list[int]:
    return [of.low, of.expected, of.high]


def _int(value: object) -> int:
    if type(value) is not int:  # True is an int to isinstance
        raise TypeError
    return value


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(filter(str.isprintable, text))


def _range(value: object) -> Range[int]:
    if not isinstance(value, list):
        raise TypeError
    low, expected, high = map(_int, value)
    return Range(low, expected, high)
