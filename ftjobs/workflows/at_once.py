"""Calls that wait for the network at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from ftjobs.errors import FtjobsError

T = TypeVar("T")


class AtOnce:
    """At most `most` calls under way on threads, whose answers are dealt with by the one thread that asks.

    The threads are daemons: who interrupts the program does not wait for what is still under way.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._answered: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._threads = 0
        self._open = 0

    @property
    def is_idle(self) -> bool:
        """True where no answer is outstanding."""
        return self._open == 0

    def ask(self, call: Callable[[], T], then: Callable[[T | FtjobsError], None]) -> None:
        """Have `call` made as soon as a thread is free; `then` gets what it returned, or its FtjobsError."""

        def work() -> None:
            try:
                answer: T | FtjobsError = call()
            except FtjobsError as error:
                answer = error
            except BaseException as error:
                self._answered.put(partial(_raise, error))
                return
            self._answered.put(partial(then, answer))

        self._open += 1
        self._asked.put(work)
        if self._threads < min(self._most, self._open):
            try:
                Thread(target=self._work, daemon=True).start()
                self._threads += 1
            except RuntimeError:  # no more threads are to be had: those that there are do the work
                if not self._threads:
                    raise

    def take(self) -> None:
        """Wait for an answer, and deal with every one that is there; what is no FtjobsError is raised."""
        self._open -= 1
        self._answered.get()()
        for _ in range(self._open):
            try:
                answer = self._answered.get_nowait()
            except Empty:
                return
            self._open -= 1
            answer()

    def close(self) -> None:
        """Forget what was not begun; each thread ends with the call that it is at."""
        try:
            while True:
                self._asked.get_nowait()
        except Empty:
            for _ in range(self._threads):
                self._asked.put(None)

    def _work(self) -> None:
        while (work := self._asked.get()) is not None:
            work()


def _raise(error: BaseException) -> None:
    raise error
