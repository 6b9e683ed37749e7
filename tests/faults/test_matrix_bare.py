"""The same grid before the barest service: no metadata, no seed, no status of a file; its name alone tells."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftjobs.cli.practice import practice_settings
from ftjobs.sandbox.personalities import PERSONALITIES
from ftjobs.sandbox.serving import serve_in_background
from tests.conftest import Service
from tests.faults.conftest import Desk
from tests.faults.grid import Cell, cells
from tests.faults.network import FAULTS, GRID
from tests.faults.test_matrix_network import _FAST, _IMPATIENT, Line, Street, forks, play, street

__all__ = ["forks", "street"]  # fixtures of the other file

# A bare service has no models to ask about, and never makes a file wait.
_ASKED = {"lookup", "upload", "create", "look-again", "resend", "sync-list", "sync-one", "revisit"}
_IN_THE_SUITE = {
    ("drop-after", "create"),
    ("500-after", "create"),
    ("drop-before", "look-again"),
    ("cut-after", "upload"),
    ("empty", "lookup"),
    ("empty", "resend"),
}


class BareLine(Line):
    """A line to the barest service."""

    def mend(self) -> str:
        """Serve; return the base URL."""
        bare = PERSONALITIES["bare"]
        return self._serving.enter_context(serve_in_background(self.folder, port=self.port, personality=bare))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        line = BareLine(tmp_path / "service", holder.getsockname()[1])
        yield line
        line.cut()


@pytest.fixture
def service(line: Line) -> Service:
    return Service(line.mend())


@pytest.fixture
def desk(desk: Desk, service: Service) -> Desk:
    service.settings(job_seconds=0)
    settings = desk.person.home / "bare.toml"
    settings.write_text(practice_settings("bare", service.base_url))
    kept = {name: value for name, value in desk.person.environ.items() if name != "OPENAI_BASE_URL"}
    profile = {"FTJOBS_CONFIG": str(settings), "FTJOBS_PROFILE": "practice-bare"}
    return replace(desk, person=replace(desk.person, environ={**kept, **_FAST, **profile}))


def bare_cells() -> Iterator[Any]:
    for cell in cells(GRID):
        if cell.is_possible and cell.fault in _ASKED:
            marks = () if (cell.point, cell.fault) in _IN_THE_SUITE else pytest.mark.soak
            yield pytest.param(cell, marks=marks, id=f"{cell.point}-{cell.fault}")


@pytest.mark.parametrize("cell", [*bare_cells()])
def test_before_a_bare_service_each_cell_ends_the_same(cell: Cell, street: Street) -> None:
    play(cell, street, **(_IMPATIENT if FAULTS[cell.point].is_mute else {}))
