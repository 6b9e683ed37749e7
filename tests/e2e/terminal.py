"""A terminal with a shell that knows job control, as far as watching needs it: typed keys, sizes, what is seen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# Runs argv in front of the terminal; when it stops, any line that is typed brings it back.
_SHELL = """
import fcntl, os, signal, sys, termios

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
command = os.fork()
if command == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(command, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        os.write(1, f"[ended {os.waitstatus_to_exitcode(status)}]".encode())
        break
    os.write(1, b"[stopped]")
    os.read(0, 100)
    os.tcsetpgrp(0, command)
    os.kill(command, signal.SIGCONT)
"""

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """What somebody sees and types; `seen` is all that was written since the start."""

    def __init__(self, ours: int) -> None:
        self._ours = ours
        self.seen = ""

    def resize(self, columns: int, rows: int) -> None:
        """Drag the corner of the window."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def until(self, holds: Callable[[], object], *, within_s: float = 120) -> None:
        """Read until `holds` is true; AssertionError with what was seen after `within_s` seconds."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain; seen: …{self.seen[-2000:]!r}"
            if select.select([self._ours], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self._ours, 65536).decode()
                except OSError:  # how Linux says that nobody holds the other end any more
                    time.sleep(0.05)

    @property
    def screen(self) -> list[str]:
        """The lines that were painted last, [] where that is not complete."""
        if "\x1b[J" not in self.seen:
            return []
        painted = self.seen[: self.seen.rindex("\x1b[J")].rpartition("\x1b[H")[2]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", painted).replace("\r", "").split("\n")

    @property
    def is_live(self) -> bool:
        """Whether the alternate screen is shown."""
        return self.seen.rfind(ENTER) > self.seen.rfind(LEAVE)

    @property
    def has_cursor(self) -> bool:
        """Whether the cursor is visible."""
        return self.seen.rfind(SHOW) >= self.seen.rfind(HIDE)

    @property
    def exit_code(self) -> int | None:
        """How the command ended, None while it has not."""
        ended = re.search(r"\[ended (-?\d+)\]", self.seen)
        return int(ended[1]) if ended else None


@contextmanager
def terminal(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, columns: int = 100, rows: int = 20
) -> Iterator[Terminal]:
    """Run the command on a terminal; what is left of it at the end of the block is killed."""
    ours, theirs = pty.openpty()
    shown = Terminal(ours)
    shown.resize(columns, rows)
    shell = subprocess.Popen(
        [sys.executable, "-c", _SHELL, *command],
        cwd=cwd,
        env={**env, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield shown
    finally:
        os.close(ours)  # which hangs up on everything that runs there
        shell.kill()
        shell.wait()
