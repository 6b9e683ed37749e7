"""Time and randomness, as arguments."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Ambient:
    """The time of day (aware, UTC), a monotonic time in seconds, waiting, and n random bytes."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    entropy: Callable[[int], bytes] = os.urandom
