"""What is wrong with a training file, and where."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

KEY_LENGTH = 40  # of a stranger's key or word, as much is shown
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a training file, and what to do about it.

    `line` counts from 1; None means the whole file. `path` is the place inside the line's JSON, such as
    "messages[2].content", "" for the whole line. `message` never quotes training text.
    """

    line: int | None
    code: str
    severity: Severity
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file a problem is: a line (None for the whole file) and a JSON path inside it."""

    line: int | None
    path: str = ""

    def key(self, name: str) -> Place:
        """Return the place of an object's member; an odd name is shortened and escaped to plain ASCII."""
        if not _PLAIN_KEY.fullmatch(name):
            return Place(self.line, f"{self.path}[{json.dumps(name[:KEY_LENGTH])}]")
        return Place(self.line, f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> Place:
        """Return the place of a list's element, counted from 0."""
        return Place(self.line, f"{self.path}[{index}]")

    def error(self, code: str, message: str) -> Problem:
        """Return the problem that makes the file invalid at this place."""
        return Problem(self.line, code, "error", message, self.path)

    def warning(self, code: str, message: str) -> Problem:
        """Return the problem that the service may accept at this place, but that is likely not meant."""
        return Problem(self.line, code, "warning", message, self.path)
