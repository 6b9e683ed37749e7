"""The metrics file that a job leaves: a table of steps, plain or in base64."""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ftjobs.jobs.curve import Curve, Point, count, point

Kind = Literal["csv", "unknown"]
STEP = "step"
_MOST_CELLS = 1_000
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_STEM = 64


@dataclass(frozen=True, slots=True)
class ResultFile:
    """Content that is a table of steps (`csv`), or as it came where nobody knows what it is (`unknown`)."""

    content: bytes
    kind: Kind

    @property
    def curve(self) -> Curve:
        """The curve that it tells, without a point where it is no table."""
        return curve_of_csv(self.content) if self.kind == "csv" else Curve()


def stem_of(job_id: str) -> str:
    """Return the job's name as a file may have it: letters, digits, `_` and `-` only, another for another id."""
    safe = _UNSAFE.sub("_", job_id)[:_LONGEST_STEM]
    return safe if safe == job_id else f"{safe}-{hashlib.sha256(job_id.encode()).hexdigest()[:8]}"


def table_name(job_id: str, number: int) -> str:
    """Return the name that the job's `number`-th result file is kept by where it is a table."""
    return f"{stem_of(job_id)}-result-{number}.csv"


def read_result_file(content: bytes) -> ResultFile:
    """Return the table that a result file holds, taken out of base64 where it came so; else the bytes unread.

    Source: API reference, the fine-tuning job's `result_files`; some services send them in base64 (seen, not
    documented).
    """
    if _has_steps(content):
        return ResultFile(content, "csv")
    try:
        decoded = base64.b64decode(b"".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return ResultFile(content, "unknown")
    return ResultFile(decoded, "csv") if _has_steps(decoded) else ResultFile(content, "unknown")


def curve_of_csv(content: bytes) -> Curve:
    """Return the curve of a table with a `step` column; the last row of a step counts.

    A row without a step is no point, a cell that is no finite number was not measured, and what follows a row that
    no table can hold is left out.
    """
    rows = _rows(content)
    heading = next(rows, [])
    if STEP not in heading:
        return Curve()
    points: dict[int, Point] = {}
    for row in rows:
        measured = dict(zip(heading, row, strict=False))
        step = count(measured.get(STEP))
        if step is not None:
            points[step] = point(measured, step=step)
    return Curve(tuple(points[step] for step in sorted(points)))


def _has_steps(content: bytes) -> bool:
    return STEP in next(_rows(content[: 64 * 1024]), [])


def _rows(content: bytes) -> Iterator[list[str]]:
    """Yield the rows that hold something, their cells without spaces around them; the first in lower case."""
    lines = content.decode("utf-8-sig", "replace").splitlines()
    reader = csv.reader(line.replace("\0", "") for line in lines)
    first = True
    while True:
        try:
            row = [cell.strip() for cell in next(reader)[:_MOST_CELLS]]
        except (StopIteration, csv.Error):
            return
        if any(row):
            yield [cell.lower() for cell in row] if first else row
            first = False
