"""A terminal that is painted anew: on demand, when its size changes, and when a stopped command goes on."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Final

_ENTER: Final = "\x1b[?1049h"  # the alternate screen: what stood there before comes back
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HIDE_CURSOR: Final = "\x1b[?25l"
_HOME: Final = "\x1b[H"
_END_OF_LINE: Final = "\x1b[K"
_END_OF_SCREEN: Final = "\x1b[J"
_SIGNALS: Final = ("SIGWINCH", "SIGCONT", "SIGTSTP", "SIGTERM", "SIGHUP")


class Live:
    """The whole terminal on stdout, from `with` to its end, however that comes.

    `paint` returns the lines for so many columns and rows, none wider. Ctrl-Z gives the terminal back for as long
    as the command is stopped, or goes on behind the shell.
    """

    def __init__(self, paint: Callable[[int, int], Sequence[str]]) -> None:
        self._paint = paint
        self._fd = sys.stdout.fileno()
        self._encoding = sys.stdout.encoding or "utf-8"
        self._earlier: dict[int, Any] = {}
        self._has_entered = False
        self._is_busy = False
        self._waiting: list[int] = []

    def __enter__(self) -> Live:
        sys.stdout.flush()
        if threading.current_thread() is threading.main_thread():
            for name in _SIGNALS:
                self._listen(name)
        self.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        self._leave()

    @property
    def rows(self) -> int:
        """How many rows the terminal has."""
        return _size(self._fd).lines

    def refresh(self) -> None:
        """The screen shows what is so now; nothing is written while the terminal is another program's."""
        if not _is_in_front(self._fd):
            return
        with self._undisturbed():
            size = _size(self._fd)
            rows = f"{_END_OF_LINE}\r\n".join(self._paint(size.columns, size.lines))
            start = "" if self._has_entered else _ENTER
            self._has_entered = True
            self._write(f"{start}{_HIDE_CURSOR}{_HOME}{rows}{_END_OF_LINE}{_END_OF_SCREEN}")

    def _leave(self) -> None:
        if self._has_entered:
            self._has_entered = False
            with suppress(OSError):  # a terminal that is gone needs no tidying
                self._write(_LEAVE)

    def _listen(self, name: str) -> None:
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:  # as nohup asks for
            return
        self._earlier[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._is_busy:
            self._waiting.append(number)  # else half a screen, or half an escape sequence, would stay
        elif signal.Signals(number).name in {"SIGWINCH", "SIGCONT"}:
            self.refresh()
        else:
            self._give_way(number)

    def _give_way(self, number: int) -> None:
        """Do as the signal does by default, with the terminal as it was before; then go on."""
        self._leave()
        with self._undisturbed():
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_kill(threading.get_ident(), number)  # to this thread: it acts before the next line
            signal.signal(number, self._on_signal)
        self.refresh()

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Signals wait until the end of the block."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False
        while self._waiting:
            self._on_signal(self._waiting.pop(0), None)

    def _write(self, text: str) -> None:
        left = text.encode(self._encoding, errors="replace")
        while left:
            left = left[os.write(self._fd, left) :]


def _is_in_front(fd: int) -> bool:
    """Return whether the terminal is this command's to write on: not while it runs behind a shell."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # a terminal that controls nobody
        return True


def _size(fd: int) -> os.terminal_size:
    """Return the terminal's size; where it tells none, what the environment says."""
    try:
        size = os.get_terminal_size(fd)
    except OSError:
        size = os.terminal_size((0, 0))
    return size if size.columns > 0 and size.lines > 0 else shutil.get_terminal_size()
