"""Surveys kept by what was surveyed, so that the next command need not count again."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from ftjobs.dataset.lengths import Bin, Lengths
from ftjobs.dataset.problems import Problem
from ftjobs.dataset.survey import Survey
from ftjobs.ranges import Range

_MOST_PROBLEMS = 200  # a file with more is mended before it is surveyed again
_MOST_SURVEYS = 100


@dataclass(frozen=True, slots=True)
class SurveyCache:
    """Surveys in `folder`: one small private file each, safe to delete at any time.

    They are found by the file's bytes, by how it was surveyed and by the code that did it, never by name or date.
    They hold a file's name, counts and problems, and no training text. Whatever is wrong with the folder, the
    survey is made anew.
    """

    folder: Path

    def survey(self, path: Path, how: str, make: Callable[[], Survey]) -> Survey:
        """Return the survey of these bytes made in this way: the kept one, else what `make` returns, kept.

        `how` names everything beside the bytes that the survey depends on.
        """
        kind = hashlib.sha256(f"{_rules()} {how}".encode()).hexdigest()[:16]
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            size = path.stat().st_size
            # Only where a file of this size was surveyed is it worth reading this one to compare.
            if any(kept.name.startswith(f"{kind}-{size}-") for kept in self.folder.iterdir()):
                kept = self._name(kind, size, _sha256(path))
                found = _survey(json.loads(kept.read_text("utf-8")) | {"path": str(path)})
                kept.touch()
                return found
        made = make()
        if len(made.problems) <= _MOST_PROBLEMS:
            with suppress(OSError):
                self._keep(self._name(kind, made.bytes, made.sha256), made)
        return made

    def _name(self, kind: str, size: int, sha256: str) -> Path:
        return self.folder / f"{kind}-{size}-{sha256}.json"

    def _keep(self, name: Path, made: Survey) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(asdict(made), stream)
            Path(draft).replace(name)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        kept = sorted(self.folder.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for oldest in kept[:-_MOST_SURVEYS]:
            oldest.unlink(missing_ok=True)


def _survey(values: dict[str, Any]) -> Survey:
    lengths = values.pop("lengths")
    return Survey(
        **{
            **values,
            "dataset_tokens": Range(**values["dataset_tokens"]),
            "problems": tuple(Problem(**problem) for problem in values["problems"]),
            "lengths": lengths and Lengths(**{**lengths, "bins": tuple(Bin(*each) for each in lengths["bins"])}),
        }
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def _rules() -> str:
    """Return what changes whenever this code, its tokenizer or its interpreter does."""
    code = hashlib.sha256(f"{version('toktok-rs')} {sys.version}".encode())
    for source in sorted(files("ftjobs.dataset").iterdir(), key=lambda each: each.name):
        if source.name.endswith(".py"):
            code.update(source.read_bytes())
    return code.hexdigest()
