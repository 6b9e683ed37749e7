"""A ledger of today, and a migration of tomorrow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftjobs.ledger import engine

ROOT = Path(__file__).resolve().parents[2]
TOMORROW = "0007"
MIGRATION = f'''"""Note things beside submissions."""

import sqlalchemy as sa
from alembic import op

revision = "{TOMORROW}"
down_revision = "{engine.SCHEMA_REVISION}"


def upgrade() -> None:
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))
    op.add_column("submissions", sa.Column("note", sa.Text))
    op.execute("UPDATE submissions SET note = 'was here before'")
    op.execute("INSERT INTO notes VALUES (1, 'made by the migration')")
'''


@dataclass(frozen=True)
class Tomorrow:
    """The next version of ftjobs: today's, with one more migration."""

    folder: Path

    # What a child process runs before anything else to be that version.
    @property
    def script(self) -> str:
        folder = f"lambda: Path({str(self.folder)!r})"
        return (
            "from ftjobs.ledger import engine\n"
            f"engine.SCHEMA_REVISION, engine._migrations_folder = {TOMORROW!r}, {folder}\n"
        )

    def begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process be that version."""
        monkeypatch.setattr(engine, "SCHEMA_REVISION", TOMORROW)
        monkeypatch.setattr(engine, "_migrations_folder", lambda: self.folder)


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """Let new files be readable by everybody, unless somebody takes care."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def tomorrow(tmp_path: Path) -> Tomorrow:
    """The next version."""
    folder = tmp_path / "migrations of tomorrow"
    shutil.copytree(ROOT / "migrations", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"{TOMORROW}_notes.py").write_text(MIGRATION)
    return Tomorrow(folder)
