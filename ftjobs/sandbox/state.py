"""The sandbox's memory: one directory that any number of processes may serve at the same time."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sqlite3
import string
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any, BinaryIO

from ftjobs.sandbox.counting import jsonl_problem
from ftjobs.sandbox.faults import Fault
from ftjobs.sandbox.progress import TERMINAL, Job, StoredFile, StoredUpload
from ftjobs.sandbox.refusals import Refusal
from ftjobs.sandbox.settings import Settings

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS files (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, filename TEXT NOT NULL,
        size INTEGER NOT NULL, created_at REAL NOT NULL, ready_at REAL NOT NULL, problem TEXT)""",
    """CREATE TABLE IF NOT EXISTS uploads (
        id TEXT PRIMARY KEY, filename TEXT NOT NULL, size INTEGER NOT NULL, created_at REAL NOT NULL,
        expires_at REAL NOT NULL, cancelled INTEGER NOT NULL, file_id TEXT)""",
    "CREATE TABLE IF NOT EXISTS parts (id TEXT PRIMARY KEY, upload_id TEXT NOT NULL, size INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, created_at REAL NOT NULL,
        metadata TEXT NOT NULL, document TEXT NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS faults (seq INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS requests (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, method TEXT NOT NULL, path TEXT NOT NULL,
        query TEXT NOT NULL, at REAL NOT NULL)""",
)
_UPLOAD = "id, filename, size, created_at, expires_at, cancelled, file_id"
_FILE = "id, filename, size, created_at, ready_at, problem"
_ALPHABET = string.ascii_letters + string.digits
_NEWEST = 2**63 - 1


class SandboxState:
    """Files, jobs, settings, faults and the log of requests, under `directory` (0700, database 0600).

    Several states over one directory see the same things; every method may be called from any thread.
    `clock` gives Unix seconds, `randomness` makes ids and seeds. OSError or sqlite3.Error where the directory
    cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        clock: Callable[[], float] = time.time,
        randomness: random.Random | None = None,
    ) -> None:
        self.clock = clock
        self._randomness = randomness or random.SystemRandom()
        self._contents = directory / "files"
        self._database = directory / "sandbox.sqlite3"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._contents.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(self._database, os.O_CREAT | os.O_RDWR, 0o600))
        with self._transaction() as connection:
            for statement in _SCHEMA:
                connection.execute(statement)

    def new_id(self, prefix: str) -> str:
        """Return an unused id like "ftjob-…": the prefix and 24 letters and digits."""
        return prefix + "".join(self._randomness.choices(_ALPHABET, k=24))

    def new_seed(self) -> int:
        """Return a seed for a job that brings none: 0 to 2³¹ - 1."""
        return self._randomness.randrange(2**31)

    # Settings, faults, requests

    def settings(self) -> Settings:
        """Return the settings in force."""
        with self._connection() as connection:
            return _settings(connection)

    def change_settings(self, changes: Mapping[str, Any], *, reset: bool = False) -> Settings:
        """Put `changes` in force and return all settings; `reset` first forgets everything stored.

        ValueError for an unknown name or a wrong value, and then nothing has changed.
        """
        with self._transaction() as connection:
            settings = (Settings() if reset else _settings(connection)).changed(changes)
            if reset:
                for table in ("files", "uploads", "parts", "jobs", "settings", "faults", "requests"):
                    connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
                for content in self._contents.iterdir():
                    content.unlink(missing_ok=True)
            rows = [(name, json.dumps(value)) for name, value in asdict(settings).items()]
            connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)
        return settings

    def faults(self) -> list[Fault]:
        """Return what is left of the fault rules, in order."""
        with self._connection() as connection:
            return [fault for _, fault in _faults(connection)]

    def set_faults(self, faults: list[Fault]) -> None:
        """Replace all fault rules."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM faults")
            rules = [(json.dumps(asdict(fault)),) for fault in faults]
            connection.executemany("INSERT INTO faults (rule) VALUES (?)", rules)

    def arrived(self, method: str, path: str, query: str) -> Fault | None:
        """Log a request and use up the fault that strikes it, if one does."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO requests (method, path, query, at) VALUES (?, ?, ?, ?)",
                (method, path, query, self.clock()),
            )
            for seq, fault in _faults(connection):
                if not fault.fits(method, path):
                    continue
                left = replace(fault, skip=fault.skip - 1) if fault.skip else replace(fault, times=fault.times - 1)
                if left.times:
                    connection.execute("UPDATE faults SET rule = ? WHERE seq = ?", (json.dumps(asdict(left)), seq))
                else:
                    connection.execute("DELETE FROM faults WHERE seq = ?", (seq,))
                return None if fault.skip else fault
        return None

    def requests(self) -> list[dict[str, object]]:
        """Return every API request so far, oldest first: method, path, query and at (Unix seconds)."""
        with self._connection() as connection:
            rows = connection.execute("SELECT method, path, query, at FROM requests ORDER BY seq")
            return [dict(row) for row in rows]

    # Files

    def add_file(self, source: BinaryIO, filename: str) -> StoredFile:
        """Store what is left to read of `source`, look at its form, and return it."""
        file_id, size = self._store("file-", source)
        file = self._checked_file(file_id, filename, size)
        with self._transaction() as connection:
            _insert_file(connection, file)
        return file

    def _store(self, prefix: str, source: BinaryIO) -> tuple[str, int]:
        """Keep what is left to read of `source` under a new id; return that and its size."""
        new_id = self.new_id(prefix)
        with self.content(new_id).open("xb") as target:
            shutil.copyfileobj(source, target, 1024 * 1024)
            return new_id, target.tell()

    def _checked_file(self, file_id: str, filename: str, size: int) -> StoredFile:
        problem = jsonl_problem(self.content(file_id))
        now, wait = self.clock(), self.settings().file_seconds
        return StoredFile(file_id, filename, size, now, now + wait, problem)

    def content(self, file_id: str) -> Path:
        """Return where the content of a stored file lies."""
        return self._contents / file_id

    def file(self, file_id: str) -> StoredFile | None:
        """Return an uploaded file, None if there is none."""
        with self._connection() as connection:
            row = connection.execute(f"SELECT {_FILE} FROM files WHERE id = ?", (file_id,)).fetchone()  # noqa: S608
        return StoredFile(*row) if row else None

    def files(self, *, after: str | None, limit: int) -> tuple[list[StoredFile], bool]:
        """Return at most `limit` files older than `after`, newest first, and whether more follow.

        KeyError where `after` is unknown.
        """
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT {_FILE} FROM files WHERE seq < ? ORDER BY seq DESC LIMIT ?",  # noqa: S608
                (_seq(connection, "files", after), limit + 1),
            ).fetchall()
        return [StoredFile(*row) for row in rows[:limit]], len(rows) > limit

    def delete_file(self, file_id: str) -> bool:
        """Forget a file; False if there is none."""
        with self._transaction() as connection:
            gone = connection.execute("DELETE FROM files WHERE id = ?", (file_id,)).rowcount == 1
            if gone:
                self.content(file_id).unlink(missing_ok=True)
        return gone

    # Uploads in parts

    def begin_upload(self, filename: str, size: int) -> StoredUpload:
        """Store a new Upload, which takes parts until it expires, and return it."""
        now = self.clock()
        upload = StoredUpload(self.new_id("upload_"), filename, size, now, now + self.settings().upload_seconds)
        with self._transaction() as connection:
            connection.execute(f"INSERT INTO uploads ({_UPLOAD}) VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(upload))  # noqa: S608
        return upload

    def upload(self, upload_id: str) -> StoredUpload | None:
        """Return an Upload, None if there is none."""
        with self._connection() as connection:
            return _upload(connection, upload_id)

    def add_part(self, upload_id: str, source: BinaryIO) -> tuple[str, float]:
        """Store what is left to read of `source` as a part; return its id and when that was."""
        part_id, size = self._store("part_", source)
        with self._transaction() as connection:
            connection.execute("INSERT INTO parts VALUES (?, ?, ?)", (part_id, upload_id, size))
        return part_id, self.clock()

    def complete_upload(self, upload: StoredUpload, part_ids: list[str], md5: str | None) -> StoredUpload:
        """Make one file of these parts, in this order, and return the completed Upload; parts go.

        Refusal where they are not its parts, not as long as it was to be, or of another MD5 (in hexadecimal), or
        where somebody completed it meanwhile.
        """
        with self._connection() as connection:
            rows = connection.execute("SELECT id, size FROM parts WHERE upload_id = ?", (upload.id,))
            sizes = {row["id"]: int(row["size"]) for row in rows}
        if len(set(part_ids)) != len(part_ids) or not set(part_ids) <= sizes.keys():
            raise Refusal(
                "`part_ids` names a part that is none, or twice.", code="invalid_value", param="part_ids"
            )
        size = sum(sizes[part_id] for part_id in part_ids)
        if size != upload.size:
            message = f"The parts hold {size} bytes and the upload was to hold {upload.size}."
            raise Refusal(message, code="invalid_value", param="part_ids")
        file_id, digest = self.new_id("file-"), hashlib.md5(usedforsecurity=False)
        with self.content(file_id).open("xb") as target:
            for part_id in part_ids:
                with self.content(part_id).open("rb") as part:
                    while chunk := part.read(1024 * 1024):
                        digest.update(chunk)
                        target.write(chunk)
        if md5 is not None and md5 != digest.hexdigest():
            self.content(file_id).unlink()
            raise Refusal("The parts have another MD5.", code="invalid_value", param="md5")
        file = self._checked_file(file_id, upload.filename, size)
        with self._transaction() as connection:
            found = _upload(connection, upload.id)
            if found is None or found.file_id is not None or found.cancelled:
                self.content(file_id).unlink()
                raise Refusal(f"Upload {upload.id} is over.", code="invalid_state", param="upload_id")
            _insert_file(connection, file)
            connection.execute("UPDATE uploads SET file_id = ? WHERE id = ?", (file_id, upload.id))
        self._drop_parts(upload.id)
        return replace(upload, file_id=file_id)

    def cancel_upload(self, upload_id: str) -> StoredUpload | None:
        """Cancel an Upload and return it, without its parts; None if there is none."""
        with self._transaction() as connection:
            connection.execute("UPDATE uploads SET cancelled = 1 WHERE id = ?", (upload_id,))
        self._drop_parts(upload_id)
        return self.upload(upload_id)

    def _drop_parts(self, upload_id: str) -> None:
        with self._transaction() as connection:
            rows = connection.execute(
                "DELETE FROM parts WHERE upload_id = ? RETURNING id", (upload_id,)
            ).fetchall()
        for row in rows:
            self.content(row["id"]).unlink(missing_ok=True)

    # Jobs

    def add_job(self, job: Job) -> None:
        """Store a new job."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO jobs (id, created_at, metadata, document) VALUES (?, ?, ?, ?)",
                (job.id, job.created_at, json.dumps(job.metadata or {}), json.dumps(asdict(job))),
            )

    def job(self, job_id: str) -> Job | None:
        """Return a job, None if there is none."""
        with self._connection() as connection:
            return _job(connection, job_id)

    def jobs(
        self, *, after: str | None = None, limit: int = 100, metadata: Mapping[str, str] | None = None
    ) -> tuple[list[Job], bool]:
        """Return at most `limit` jobs older than `after`, newest first, and whether more follow.

        Jobs younger than the lag of lists are missing; `metadata` holds what each must carry, unless metadata
        is not kept. KeyError where `after` is unknown.
        """
        settings = self.settings()
        wanted = (metadata or {}) if settings.keep_metadata else {}
        query = "SELECT document FROM jobs WHERE seq < ?"
        query += " AND EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = ? AND value = ?)" * len(wanted)
        values: list[object] = [part for pair in wanted.items() for part in pair]
        if settings.list_lag_s:
            query += " AND created_at <= ?"
            values.append(self.clock() - settings.list_lag_s)
        with self._connection() as connection:
            rows = connection.execute(
                f"{query} ORDER BY seq DESC LIMIT ?",
                (_seq(connection, "jobs", after), *values, limit + 1),
            ).fetchall()
        return [Job(**json.loads(row["document"])) for row in rows[:limit]], len(rows) > limit

    def cancel_job(self, job_id: str) -> Job | None:
        """Cancel a job that has not ended and return it; None where there is no such job."""
        with self._transaction() as connection:
            job, now = _job(connection, job_id), self.clock()
            if job is None or job.status(now) in TERMINAL:
                return None
            cancelled = replace(job, cancelled_at=now)
            connection.execute(
                "UPDATE jobs SET document = ? WHERE id = ?", (json.dumps(asdict(cancelled)), job_id)
            )
            return cancelled

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._database, timeout=30, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            # A killed process loses nothing by this, and a power cut may: it is a sandbox.
            connection.execute("PRAGMA synchronous = OFF")
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")  # an exception before it closes the connection, which rolls back


def _settings(connection: sqlite3.Connection) -> Settings:
    rows = connection.execute("SELECT name, value FROM settings")
    return Settings(**{row["name"]: json.loads(row["value"]) for row in rows})


def _faults(connection: sqlite3.Connection) -> list[tuple[int, Fault]]:
    rows = connection.execute("SELECT seq, rule FROM faults ORDER BY seq")
    return [(row["seq"], Fault(**json.loads(row["rule"]))) for row in rows]


def _insert_file(connection: sqlite3.Connection, file: StoredFile) -> None:
    connection.execute(f"INSERT INTO files ({_FILE}) VALUES (?, ?, ?, ?, ?, ?)", astuple(file))  # noqa: S608


def _upload(connection: sqlite3.Connection, upload_id: str) -> StoredUpload | None:
    row = connection.execute(f"SELECT {_UPLOAD} FROM uploads WHERE id = ?", (upload_id,)).fetchone()  # noqa: S608
    return StoredUpload(**{**row, "cancelled": bool(row["cancelled"])}) if row else None


def _job(connection: sqlite3.Connection, job_id: str) -> Job | None:
    row = connection.execute("SELECT document FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return Job(**json.loads(row["document"])) if row else None


def _seq(connection: sqlite3.Connection, table: str, after: str | None) -> int:
    if after is None:
        return _NEWEST
    row = connection.execute(f"SELECT seq FROM {table} WHERE id = ?", (after,)).fetchone()  # noqa: S608
    if row is None:
        raise KeyError(after)
    return int(row["seq"])
