"""The same grid before the barest service: no metadata, no seed, no status of a file; its name alone tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ftjobs.cli.practice import practice_settings
from ftjobs.sandbox.personalities import BARE, Personality
from tests.conftest import Service
from tests.faults.conftest import Desk
from tests.faults.grid import Cell, cells
from tests.faults.network import FAULTS, GRID
from tests.faults.test_matrix_network import _FAST, _IMPATIENT, Street, forks, line, play, service, street

__all__ = ["forks", "line", "service", "street"]  # fixtures of the other file

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


@pytest.fixture
def personality() -> Personality:
    return BARE


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
