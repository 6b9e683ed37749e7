"""Signals wait while money is between our hands and the service's."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def undisturbed(on_signal: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold SIGINT, SIGTERM and SIGHUP back until the block is done, then deliver them.

    `on_signal` is called when the first arrives; a second one is not held any more. Outside the main thread,
    where Python delivers no signals, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)
        if len(held) > 1:
            signal.signal(number, previous[number])
            signal.raise_signal(number)
        with suppress(Exception):  # a terminal that is gone must not end the call either
            on_signal()

    previous = {
        number: signal.signal(number, hold)
        for number in _SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    for number in held:
        signal.raise_signal(number)
