"""The loss of a job from the result files that lie on this machine; no service is asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ftjobs.jobs.curve import Curve
from ftjobs.jobs.result_file import read_result_file, stem_of, table_name

_MOST_BYTES = 64 * 1024 * 1024
_MOST_FILES = 8  # of one job


def kept_curve(job_id: str, folder: Path) -> Curve | None:
    """Return the curve of a job that left a table of steps in `folder`; None where there is none.

    It lies where `results` and `adopt --save-results` put it: in JOB-results/ or JOB/ of this folder, or in it.
    What is no regular file, is larger than 64 MB or cannot be read is passed over.
    """
    for path in _places(job_id, folder):
        content = _content(path)
        if content is not None and (curve := read_result_file(content).curve).points:
            return curve
    return None


def _places(job_id: str, folder: Path) -> Iterator[Path]:
    stem = stem_of(job_id)
    for place in (folder / f"{stem}-results", folder / stem, folder):
        for number in range(1, _MOST_FILES + 1):
            yield place / table_name(job_id, number)


def _content(path: Path) -> bytes | None:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
            known = os.fstat(stream.fileno())
            if not stat.S_ISREG(known.st_mode) or known.st_size > _MOST_BYTES:
                return None
            return stream.read(_MOST_BYTES)
    except OSError:
        return None
