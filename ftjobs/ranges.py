"""A quantity whose truth is a range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Range(Generic[T]):
    """low ≤ expected ≤ high, all inclusive, in one unit that the owner's name states."""

    low: T
    expected: T
    high: T

    def __post_init__(self) -> None:
        low: Any = self.low
        if not low <= self.expected <= self.high:  # type: ignore[operator]
            raise ValueError(f"a range must rise: {self.low} … {self.expected} … {self.high}")

    @classmethod
    def exactly(cls, value: T) -> Range[T]:
        """Return the range that holds one value."""
        return cls(value, value, value)

    def map(self, change: Callable[[T], U]) -> Range[U]:
        """Return the range of `change` at each bound; `change` must not fall."""
        return Range(change(self.low), change(self.expected), change(self.high))
