"""Time, randomness and who is at work, as arguments."""

from __future__ import annotations

import getpass
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _who() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = f"uid {os.getuid()}"
    return f"{name}@{platform.node() or 'unknown host'}"


@dataclass(frozen=True, slots=True)
class Ambient:
    """The time of day (aware, UTC), a monotonic time in seconds, waiting, n random bytes, and user@host."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    entropy: Callable[[int], bytes] = os.urandom
    who: Callable[[], str] = _who
