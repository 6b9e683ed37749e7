"""Copies on request: whole, private, and never in another file's place."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from ftjobs.errors import ConfigError, LedgerError
from ftjobs.ledger import backup
from ftjobs.ledger.backup import back_up, copies_of
from ftjobs.ledger.place import ledger_place
from ftjobs.ledger.store import Ledger
from tests.contract.conftest import created


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a job."""
    made = tmp_path / "ledger.sqlite3"
    created(Ledger(made, stamp="real"))
    return made


def test_a_copy_is_private_and_what_the_ledger_was(path: Path) -> None:
    target = path.with_name(f"{path.name}.backup-1")
    back_up(path, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert Ledger(target, stamp="real").trails() == Ledger(path, stamp="real").trails()
    assert copies_of(path) == [target]
    with pytest.raises(FileExistsError):
        back_up(path, target)


def test_two_copies_to_one_name_are_one_and_the_other_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = path.with_name("copy.sqlite3")
    real = backup._copy

    def meanwhile(source: Path, unfinished: Path) -> str:
        monkeypatch.setattr(backup, "_copy", real)
        back_up(path, target)
        return real(source, unfinished)

    monkeypatch.setattr(backup, "_copy", meanwhile)
    with pytest.raises(FileExistsError):
        back_up(path, target)
    assert Ledger(target, stamp="real").trails() == Ledger(path, stamp="real").trails()
    assert list(path.parent.glob("*.part*")) == []


def test_a_damaged_ledger_has_no_copy(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises((LedgerError, sqlite3.DatabaseError)):
        back_up(path, path.with_name("copy.sqlite3"))
    assert [each.name for each in path.parent.iterdir() if "copy" in each.name] == []


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hunt/er2secret@h/db",
        "postgresql+psycopg2://h/db?user=me&password=hunter2secret",
        "postgresql:/me:hunter2secret@h/db",
        "postgres:me:hunter2secret@h/db",
    ],
)
def test_a_ledger_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ledger_place(url)
    assert "secret" not in f"{refused.value.message} {refused.value.next_step} {refused.value.details}"
