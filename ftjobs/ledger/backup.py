"""Copies of a ledger: private, checked, whole or not there at all."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ftjobs.errors import LedgerError

_WAIT_S = 30.0


def back_up(path: Path, target: Path) -> None:
    """Copy the ledger at `path` to `target`, which only its owner can read; the copy is checked and on disk.

    LedgerError where the ledger is damaged; OSError and sqlite3.Error where it cannot be read or written, or
    `target` is there already. A copy that was cut short never bears the final name.
    """
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    unfinished = target.with_name(f"{target.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    make_private(unfinished)
    try:
        verdict = _copy(path, unfinished)
        if verdict != "ok":
            raise LedgerError(
                "ledger_damaged",
                f"{path} is damaged, so there is no copy of it (SQLite says: {verdict}).",
                next_step=f"Keep the file; restore a backup if there is one, or try: sqlite3 {path.name} .recover",
                ledger=str(path),
            )
        _name(unfinished, target)
    finally:
        _forget(unfinished)  # a full disk needs the room
    sync_folder(target.parent)


def _name(unfinished: Path, target: Path) -> None:
    try:
        os.link(unfinished, target)  # unlike a rename, it never takes another file's place
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        unfinished.replace(target)


def copies_of(path: Path) -> list[Path]:
    """Return the copies beside a ledger, the newest last."""
    found = [*path.parent.glob(f"{path.name}.backup-*"), *path.parent.glob(f"{path.name}.before-*")]
    return sorted((each for each in found if ".part" not in each.name), key=lambda each: each.stat().st_mtime)


def _forget(unfinished: Path) -> None:
    unfinished.unlink(missing_ok=True)
    unfinished.with_name(f"{unfinished.name}-journal").unlink(missing_ok=True)


def make_private(path: Path) -> bool:
    """Make an empty file that only its owner can read, and its folders; return False where one is there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Have the folder's new names survive a power cut, where folders can be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def integrity_of(path: Path) -> str:
    """Return what SQLite says of the integrity of a database that is there, "ok" where it is sound."""
    with _reading(path) as connection:
        return _verdict(connection)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    # Never makes a file, and waits for a writer, but not for ever.
    existing = f"{path.as_uri()}?mode=rw"
    with closing(sqlite3.connect(existing, uri=True, timeout=_WAIT_S, isolation_level=None)) as connection:
        yield connection


def _verdict(connection: sqlite3.Connection) -> str:
    ((verdict, *_), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    return str(verdict)


def _copy(path: Path, target: Path) -> str:
    """Copy a database into an empty file; return what SQLite says of the original, else of the copy."""
    with _reading(path) as source:
        if (verdict := _verdict(source)) != "ok":
            return verdict
        source.execute("VACUUM INTO ?", (str(target),))
    verdict = integrity_of(target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return verdict
