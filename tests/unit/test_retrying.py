"""Attempts: how many, how far apart, and which failures they are for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from ftjobs.provider.retrying import Retry, RetryPolicy, TryAgainError, call


@dataclass
class Clock:
    """A monotonic clock that only waiting moves."""

    at: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.at)
    return clock


def failing(*errors: Exception, then: str = "done") -> Callable[[], str]:
    """Return an attempt that raises each error in turn and then succeeds."""
    left = iter(errors)

    def attempt() -> str:
        for error in left:
            raise error
        return then

    return attempt


def again(*asked_s: float | None) -> Iterable[TryAgainError]:
    return (TryAgainError(f"trouble {nth}", s) for nth, s in enumerate(asked_s, 1))


def test_what_succeeds_at_once_is_returned_without_waiting(clock: Clock) -> None:
    assert call(failing(), policy=RetryPolicy(), sleep=clock.sleep) == "done"
    assert clock.waits == []


def test_the_hook_sees_every_wait_before_it(clock: Clock) -> None:
    seen: list[Retry] = []

    def on_retry(retry: Retry) -> None:
        assert len(clock.waits) == len(seen), "told before waiting"
        seen.append(retry)

    assert call(failing(*again(None, 5)), policy=RetryPolicy(), sleep=clock.sleep, on_retry=on_retry) == "done"
    assert [(retry.reason, retry.attempt) for retry in seen] == [("trouble 1", 1), ("trouble 2", 2)]
    assert [retry.wait_s for retry in seen] == clock.waits
    assert clock.waits[1] == 5


def test_waits_are_full_jitter_under_a_doubling_bound_with_a_cap(clock: Clock) -> None:
    policy = RetryPolicy(attempts=9, deadline_s=10**9, base_s=0.5, cap_s=30)
    bounds = [0.5, 1, 2, 4, 8, 16, 30, 30]
    runs = []
    for _ in range(300):
        clock.waits.clear()
        with pytest.raises(TryAgainError):
            call(failing(*again(*[None] * 9)), policy=policy, sleep=clock.sleep)
        runs.append(list(clock.waits))
    for waits, bound in zip(zip(*runs, strict=True), bounds, strict=True):
        assert all(0 <= wait <= bound for wait in waits)
        assert min(waits) < 0.1 * bound, "full jitter starts at zero"
        assert max(waits) > 0.9 * bound
        assert 0.4 * bound < sum(waits) / len(waits) < 0.6 * bound


@pytest.mark.parametrize("attempts", [1, 2, 6])
def test_attempts_are_bounded_and_the_last_failure_is_raised(clock: Clock, attempts: int) -> None:
    with pytest.raises(TryAgainError, match=f"trouble {attempts}$"):
        call(failing(*again(*[0.0] * 20)), policy=RetryPolicy(attempts=attempts), sleep=clock.sleep)
    assert clock.waits == [0.0] * (attempts - 1)


@pytest.mark.parametrize("asked_s", [0.0, 0.25, 121.0, 599.0])
def test_what_was_asked_is_waited_exactly(clock: Clock, asked_s: float) -> None:
    assert call(failing(*again(asked_s)), policy=RetryPolicy(deadline_s=600), sleep=clock.sleep) == "done"
    assert clock.waits == [asked_s]


@pytest.mark.parametrize("asked_s", [600.0, 601.0, 86_400.0])
def test_what_does_not_fit_the_deadline_is_neither_waited_nor_shortened(clock: Clock, asked_s: float) -> None:
    with pytest.raises(TryAgainError) as caught:
        call(failing(*again(asked_s)), policy=RetryPolicy(deadline_s=600), sleep=clock.sleep)
    assert clock.waits == []
    assert caught.value.retry_after_s == asked_s


def test_the_deadline_counts_all_waits_together(clock: Clock) -> None:
    with pytest.raises(TryAgainError, match="trouble 3"):
        call(failing(*again(250, 250, 250)), policy=RetryPolicy(deadline_s=600), sleep=clock.sleep)
    assert clock.waits == [250, 250]


def test_the_deadline_counts_the_attempts_too(clock: Clock) -> None:
    def slow() -> str:
        clock.at += 400
        raise TryAgainError("slow", 1)

    with pytest.raises(TryAgainError):
        call(slow, policy=RetryPolicy(deadline_s=600), sleep=clock.sleep)
    assert clock.waits == [1]


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), OSError()])
def test_anything_else_is_raised_at_once(clock: Clock, error: BaseException) -> None:
    def attempt() -> str:
        raise error

    with pytest.raises(type(error)) as caught:
        call(attempt, policy=RetryPolicy(), sleep=clock.sleep)
    assert caught.value is error
    assert clock.waits == []


def test_patience_by_default_is_bounded_in_number_and_time() -> None:
    policy = RetryPolicy()
    assert 3 <= policy.attempts <= 10
    assert 120 < policy.deadline_s <= 3600
    assert 0 < policy.base_s < policy.cap_s < policy.deadline_s
