"""Blocks looked at beside the reading: by forked processes for a larger file, by a thread for any other."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NoReturn, Self

from ftjobs.dataset.look import Look, Part
from ftjobs.dataset.reading import Block
from ftjobs.dataset.tokens import count_texts

# Below it, what more processes save is less than what it takes to have them.
_WORTHWHILE_BYTES = 8 * 1024 * 1024
_MOST_PROCESSES = 16
_SIZE = struct.Struct("<Q")


class Workers:
    """Whoever looks at the blocks of one file of `size` bytes; gone when this is left."""

    def __init__(self, look: Look, *, size: int) -> None:
        number = _processes(size)
        if number:
            count_texts((" ",), look.encoding)  # the vocabulary is loaded once, and shared
        self._forked = [_Forked(look) for _ in range(number)]
        self._idle: SimpleQueue[Callable[[Block], Part]] = SimpleQueue()
        for worker in self._forked:
            self._idle.put(worker)
        if not self._forked:
            self._idle.put(look)
        self._threads = ThreadPoolExecutor(max(1, number))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        # The last first: each has inherited our ends of those before it, and keeps them open until it is gone.
        for worker in reversed(self._forked):
            worker.close()

    def submit(self, block: Block) -> Future[Part]:
        """Return what the block will be found to say."""
        return self._threads.submit(self._look, block)

    def _look(self, block: Block) -> Part:
        worker = self._idle.get()
        try:
            return worker(block)
        finally:
            self._idle.put(worker)


def _processes(size: int) -> int:
    cores = os.cpu_count() or 1
    return (
        min(cores, _MOST_PROCESSES) if size >= _WORTHWHILE_BYTES and cores > 1 and sys.platform == "linux" else 0
    )


class _Forked:
    """A process that looks at one block after the other until its owner closes it or is gone, however that came.

    Should it die before its time, this process looks in its place: slower, and the same.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        ours, theirs = socket.socketpair()
        # Ctrl-C in the middle of a fork would be told by the hooks that run there, with a traceback, and be lost.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._pid = os.fork()
            if self._pid == 0:
                ours.close()
                _serve(look, theirs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._stream = ours.makefile("rwb")
        ours.close()

    def __call__(self, block: Block) -> Part:
        try:
            _send(self._stream, block)
            part: Part = _receive(self._stream)
        except (OSError, EOFError, ValueError):
            return self._look(block)
        return part

    def close(self) -> None:
        with suppress(OSError):  # it died with something unsent
            self._stream.close()
        os.waitpid(self._pid, 0)


def _serve(look: Look, owner: socket.socket) -> NoReturn:
    """Answer until the owner is gone; what the owner has open is not flushed or cleaned up here."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner's to act on
        stream = owner.makefile("rwb")
        while True:
            _send(stream, look(_receive(stream)))
    except BaseException:
        os._exit(1)


def _send(stream: Any, value: object) -> None:
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    stream.write(_SIZE.pack(len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: Any) -> Any:
    head = stream.read(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError
    return pickle.loads(stream.read(_SIZE.unpack(head)[0]))  # noqa: S301 - both ends are this program
