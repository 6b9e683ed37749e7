"""The one place that retries, with tenacity: reads and uploads only, never the create call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

T = TypeVar("T")


class TryAgainError(Exception):
    """One attempt failed in a way that another can cure; `retry_after_s` is what the service asked for.

    `unusable` says that an answer came, and that nothing could be made of it.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None, *, unusable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.unusable = unusable


@dataclass(frozen=True, slots=True)
class Retry:
    """One wait between two attempts, as the hooks see it."""

    reason: str
    attempt: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` within `deadline_s`; waits are full jitter under base·2ⁿ, capped, or what was asked.

    A Retry-After is honoured at any length that the deadline leaves room for; one that does not fit ends the
    attempts at once rather than being shortened.
    """

    attempts: int = 6
    deadline_s: float = 600
    base_s: float = 0.5
    cap_s: float = 30


def call(
    attempt: Callable[[], T],
    *,
    policy: RetryPolicy,
    sleep: Callable[[float], None] = time.sleep,
    on_retry: Callable[[Retry], None] = lambda _: None,
) -> T:
    """Return what the first successful attempt returns; the last TryAgainError where none succeeds in time."""
    jitter = tenacity.wait_random_exponential(multiplier=policy.base_s, max=policy.cap_s)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, TryAgainError) else None
        return jitter(state) if asked is None else asked

    def announce(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        on_retry(Retry(str(error), state.attempt_number, state.upcoming_sleep))

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TryAgainError),
        wait=wait,
        stop=tenacity.stop_any(
            tenacity.stop_after_attempt(policy.attempts), tenacity.stop_before_delay(policy.deadline_s)
        ),
        sleep=sleep,
        before_sleep=announce,
        reraise=True,
    )
    return retrying(attempt)
