"""The migrations alone make the schema, and it is the schema of the tables."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, Text, create_engine
from sqlalchemy.pool import NullPool

from ftjobs.ledger.engine import SCHEMA_REVISION, open_engine
from ftjobs.ledger.tables import metadata
from tests.migrations.conftest import ROOT


def migrated(tmp_path: Path) -> Path:
    path = tmp_path / "migrated.sqlite3"
    open_engine(path, stamp="real")
    return path


def differences(path: Path, tables: MetaData) -> list[object]:
    with create_engine(f"sqlite:///{path}", poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        found: list[object] = compare_metadata(context, tables)
    return found


def statements(path: Path) -> dict[str, list[str]]:
    """Return what makes each object: its beginning, its clauses in the order of the alphabet, its end."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
        ).fetchall()
    return {name: clauses(" ".join(sql.replace('"', "").split())) for name, sql in rows}


def clauses(sql: str) -> list[str]:
    """Return the parts between the commas of the outermost brackets, sorted, and what stands around them."""
    depth, parts = 0, [""]
    for character in sql:
        depth -= character == ")"
        if (character, depth) in {("(", 0), (")", 0), (",", 1)}:
            parts.append("")
        else:
            parts[-1] += character
        depth += character == "("
    return sorted(part.strip() for part in parts)


def test_the_newest_migration_is_the_revision_that_opening_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [SCHEMA_REVISION]
    assert len(script.get_bases()) == 1


def test_nothing_is_left_to_generate(tmp_path: Path) -> None:
    assert differences(migrated(tmp_path), metadata) == []


def test_the_comparison_sees_a_column_a_table_and_an_index_that_are_missing(tmp_path: Path) -> None:
    path = migrated(tmp_path)
    more = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(more)
    more.tables["submissions"].append_column(Column("of_2028", Text))
    assert len(differences(path, more)) == 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP INDEX uq_submissions_live_key")
        connection.execute("DROP TABLE files")
    assert len(differences(path, metadata)) >= 2


def test_constraints_and_strictness_are_those_of_the_tables_too(tmp_path: Path) -> None:
    """What autogenerate does not compare: checks, their names, partial indexes, strictness."""
    direct = tmp_path / "direct.sqlite3"
    metadata.create_all(create_engine(f"sqlite:///{direct}", poolclass=NullPool))
    ours, theirs = statements(migrated(tmp_path)), statements(direct)
    triggers = {name for name in ours if "_no_" in name}
    append_only = ("entries", "hosting", "changes", "invoices", "reconciliations")
    assert triggers == {
        *(f"{table}_no_{verb}" for table in append_only for verb in ("update", "delete", "replace")),
        "submissions_no_delete",
        "jobs_no_delete",
    }
    views = {"job_costs", "ledger_month"}
    assert {name: ours[name] for name in ours.keys() - triggers - views} == theirs


@pytest.mark.slow
@pytest.mark.parametrize("complete", [True, False])
def test_a_developer_can_run_alembic_check(tmp_path: Path, complete: bool) -> None:
    """As the documentation says it: the settings are in pyproject.toml, the ledger in the environment."""
    path = migrated(tmp_path)
    if not complete:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("ALTER TABLE submissions DROP COLUMN validation_file_id")
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "check"],
        cwd=ROOT,
        env={**os.environ, "FTJOBS_LEDGER_URL": f"sqlite:///{path}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode == 0) is complete, done.stdout + done.stderr
    assert complete or "validation_file_id" in done.stdout + done.stderr
