"""Starting costs what a command needs: heavy packages are imported by those that use them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Person, Run


def imported(person: Person, *args: str) -> tuple[set[str], str]:
    """Return the modules that a command imported, and its stdout."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ftjobs", *args],
        cwd=person.home,
        env=person.env(OPENAI_BASE_URL="", OPENAI_API_KEY=""),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    times = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in times}, done.stdout


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["submit", "--help"]])
def test_help_imports_neither_the_service_nor_the_ledger(person: Person, args: list[str]) -> None:
    modules, out = imported(person, *args)
    assert "ftjobs" in out
    assert "typer" in modules
    assert modules.isdisjoint({"openai", "sqlalchemy", "alembic", "rich", "toktok", "structlog", "tenacity"})


@pytest.mark.parametrize("args", [["ledger"], ["ledger", "--month", "--json"]])
def test_an_existing_ledger_is_shown_without_what_only_others_need(person: Person, args: list[str]) -> None:
    made, _ = imported(person, "ledger")
    assert {"alembic", "sqlalchemy"} <= made, "the first opening migrates"
    modules, out = imported(person, *args)
    assert "sqlalchemy" in modules
    assert modules.isdisjoint(
        {"openai", "httpx2", "alembic", "rich.console", "toktok", "structlog", "tenacity", "pydantic"}
    )
    assert "sqlalchemy.dialects.postgresql" not in modules
    if "--json" in args:
        ledger = json.loads(out)
        assert (ledger["schema"], ledger["jobs"]) == ("ftjobs.ledger/1", [])
        assert ledger["period"]["start"].endswith("-01T00:00:00Z")


def test_a_summary_is_made_without_the_service_and_the_drawer(person: Person) -> None:
    imported(person, "ledger")
    modules, out = imported(person, "report", "--markdown")
    assert "No jobs." in out
    assert modules.isdisjoint({"openai", "httpx2", "alembic", "vl_convert", "structlog", "tenacity"})


def test_status_asks_nobody_where_nothing_is_unsettled(
    person: Person, inside: Callable[..., Run], training_file: Path
) -> None:
    inside("submit", str(training_file), "--model", "gpt-4o-mini", "--wait")
    modules, out = imported(person, "status")
    assert "succeeded" in out
    assert modules.isdisjoint(
        {"openai", "httpx2", "tenacity", "alembic", "rich.console", "rich.live", "structlog", "pydantic"}
    )


def test_words_that_are_text_are_taken_without_pydantic_and_others_as_typer_takes_them(person: Person) -> None:
    words = ["--json", "--ledger", "sqlite:///elsewhere.sqlite3", "ledger", "2026-10", "--by", "tag:équipe"]
    imported(person, *words)
    modules, _ = imported(person, *words)
    assert "pydantic" not in modules
    for args in (
        ["sandbox", "serve", "--port", "many"],
        ["check", "data.jsonl", "--model", "m", "--method", "magic"],
    ):
        refused = person.run(*args)
        assert (refused.code, args[-2] in refused.err) == (2, True), refused


@pytest.mark.parametrize("verb", ["check", "estimate"])
def test_a_file_is_checked_and_priced_without_the_service_and_the_ledger(
    person: Person, training_file: Path, verb: str
) -> None:
    modules, _ = imported(person, verb, str(training_file), "--model", "gpt-4o-mini")
    assert "toktok" in modules
    assert modules.isdisjoint(
        {"openai", "httpx2", "sqlalchemy", "alembic", "rich.console", "structlog", "pydantic"}
    )
