"""Somebody types `ftjobs show <TAB>`: the shell knows the jobs, and nothing else happens."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ftjobs.cli.completion import VARIABLE
from ftjobs.cli.main import main
from tests.bench.population import our_job, submission_id
from tests.bench.prepared import write_ledger
from tests.conftest import Person
from tests.e2e.conftest import Book

JOBS = 60
NEWEST = str(our_job(JOBS - 1, "running")["id"])
_TWO_WORDS = {"bash": "COMP_WORDS", "zsh": "_TYPER_COMPLETE_ARGS", "fish": "_TYPER_COMPLETE_ARGS"}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of sixty running jobs."""
    path = tmp_path_factory.mktemp("known") / "ledger.sqlite3"
    write_ledger(path, JOBS)
    return path


@pytest.fixture
def ledger(known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is this shell's ledger."""
    path = tmp_path / "ledger.sqlite3"
    shutil.copy(known, path)
    monkeypatch.setenv("FTJOBS_LEDGER_URL", f"sqlite:///{path}")
    return path


def tagged(ledger: Path, **tags: str) -> None:
    """Give the first job these tags."""
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE submissions SET tags = ? WHERE id = ?", [json.dumps(tags), submission_id(0)])


class Shell:
    """A shell as far as the command sees it: its variables, and what comes back on stdout."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def tab(self, line: str, shell: str = "bash") -> list[str]:
        """Return the lines that completing `line` brings; nothing may be told on stderr."""
        self._monkeypatch.setenv(VARIABLE, f"complete_{shell}")
        self._monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        self._monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        self._monkeypatch.setenv(_TWO_WORDS[shell], line)
        main([])
        out, err = self._capsys.readouterr()
        assert err == ""
        return out.strip().splitlines()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell in this very process."""
    return Shell(monkeypatch, capsys)


@pytest.fixture
def on_path(tmp_path: Path) -> Iterator[str]:
    """A PATH that has `ftjobs` on it."""
    command = tmp_path / "bin" / "ftjobs"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ftjobs "$@"\n')
    command.chmod(0o755)
    yield f"{command.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_real_bash_completes_verbs_jobs_and_options(person: Person, ledger: Path, on_path: str) -> None:
    lines = [
        "ftjobs s",
        "ftjobs show ",
        "ftjobs status --a",
        f"ftjobs --profile sandbox show --ledger {ledger} ftj",
        "ftjobs ledger --by tag : te",  # where bash breaks words
        "ftjobs tag last team = se",
        "ftjobs estimate data.jsonl --model = gpt-4.1-n",
    ]
    tagged(ledger, team="search", cc="4711")
    asks = "\n".join(
        f"COMP_WORDS=({line} {empty}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); _ftjobs_completion ftjobs\n"
        'printf "%s " "${COMPREPLY[@]}"; echo'
        for line in lines
        for empty in ["''" if line.endswith(" ") else ""]
    )
    script = f"source <({VARIABLE}=source_bash ftjobs)\ncomplete -p ftjobs\n{asks}\n"
    done = subprocess.run(
        ["bash", "--norc", "-i", "-c", script],
        cwd=person.home,
        env=person.env(PATH=on_path, FTJOBS_LEDGER_URL=f"sqlite:///{ledger}"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    declared, verbs, jobs, options, elsewhere, *behind_breaks = (line.split() for line in done.stdout.splitlines())
    assert declared[-1] == "ftjobs"
    assert {"submit", "status", "show", "sandbox"} <= set(verbs)
    assert jobs == [our_job(number, "running")["id"] for number in reversed(range(JOBS - 50, JOBS))]
    assert options == ["--all"]
    assert elsewhere == jobs
    assert behind_breaks == [["team"], ["search"], ["gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"]]
    assert "error" not in done.stderr


@pytest.mark.parametrize("line", ["status ", "status last ", "watch ", "show ", "cancel "])
def test_every_argument_that_is_a_job_completes(ledger: Path, shell: Shell, line: str) -> None:
    assert shell.tab(f"ftjobs {line}")[0] == NEWEST


def test_what_was_typed_chooses_jobs_or_submissions(ledger: Path, shell: Shell) -> None:
    oldest = submission_id(0)
    assert shell.tab(f"ftjobs show {NEWEST[:-1]}") == [NEWEST[:-1] + digit for digit in "9876543210"]
    assert shell.tab(f"ftjobs show {oldest}") == [oldest]
    assert shell.tab("ftjobs show nothing-like-it") == []


def test_the_profile_on_the_line_chooses_the_ledger(
    ledger: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FTJOBS_LEDGER_URL")
    home = Path(os.environ["XDG_DATA_HOME"]) / "ftjobs" / "sandbox"
    home.mkdir(parents=True)
    shutil.copy(ledger, home / "ledger.sqlite3")
    assert shell.tab("ftjobs show --profile sandbox ftj")[0] == NEWEST
    assert shell.tab("ftjobs show ftj") == []


def test_resend_completes_what_may_be_sent_again(ledger: Path, shell: Shell) -> None:
    lost = submission_id(JOBS + 1)
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute(
            "INSERT INTO submissions (id, key, holds_key, state, profile, account, recorded_at, tags)"
            " SELECT ?, 'k', 1, 'uncertain', profile, account, recorded_at, tags FROM submissions LIMIT 1",
            [lost],
        )
    assert shell.tab("ftjobs submit --resend ") == [lost]
    assert shell.tab("ftjobs show ")[0] == lost


def test_models_and_profiles_complete(ledger: Path, shell: Shell, tmp_path: Path) -> None:
    settings = tmp_path / "my.toml"
    settings.write_text('[profiles.mine]\nbase_url = "http://127.0.0.1/v1"\n')
    assert "gpt-4o-mini" in shell.tab("ftjobs estimate data.jsonl --model gpt-4o")
    assert shell.tab(f"ftjobs --config {settings} show --profile m") == ["mine"]


@pytest.mark.parametrize("name", ["zsh", "fish", "bash"])
def test_periods_and_tags_complete(ledger: Path, shell: Shell, name: str) -> None:
    tagged(ledger, team="search", cc="47 11")  # a value that a shell would split is left to the fingers
    month = Book(ledger).rows("SELECT substr(max(occurred_at), 1, 7) AS newest FROM entries")[0]["newest"]
    for line, found in {
        "ledger ": f"last {month}",
        "report 2": month,
        "reconcile l": "last",
        "ledger --by t": "tag tag:cc tag:team",
        "tag last t": "team=search",
        "submit data.jsonl --tag te": "team=search",
        "tag last --remove ": "cc team",
        "estimate data.jsonl --model gpt-4o,gpt-4.1-m": "gpt-4o,gpt-4.1-mini gpt-4o,gpt-4.1-mini-2025-04-14",
    }.items():
        told = "\n".join(shell.tab(f"ftjobs {line}", name)).replace("\\\\:", ":")
        words = re.sub(r"""^_arguments '\*: :\(\(|["')]""", "", told).split()
        assert words == found.split(), line


def test_zsh_and_fish_get_the_status_and_the_model_too(ledger: Path, shell: Shell) -> None:
    assert f'"{NEWEST}":"running, gpt-4o-mini-2024-07-18"' in shell.tab("ftjobs show ftj", "zsh")[0]
    assert shell.tab("ftjobs show ", "fish")[0] == f"{NEWEST}\trunning, gpt-4o-mini-2024-07-18"


@pytest.mark.parametrize("name", ["zsh", "fish", "bash"])
def test_what_a_strange_service_named_does_not_reach_the_shell(ledger: Path, shell: Shell, name: str) -> None:
    with closing(sqlite3.connect(ledger)) as connection, connection:
        rows = connection.execute("SELECT id FROM jobs ORDER BY id DESC LIMIT 6").fetchall()
        hostile = ["ftj\x1b]0;title\x07", "ftj$(reboot)", 'ftj"`reboot`"', "ftj\nother", "ftj'*", "-ftj"]
        for (job_id,), bad in zip(rows, hostile, strict=True):
            connection.execute("UPDATE jobs SET id = ? WHERE id = ?", [bad, job_id])
        status = "run\x1b[31mning'$(reboot)\u202e"
        connection.execute("UPDATE jobs SET raw = json_set(raw, '$.status', ?)", [status])
    found = "\n".join(shell.tab("ftjobs show ftj", name))
    assert "ftjob-our" in found
    assert not any(bad in found for bad in ("\x1b", "\x07", "$", "`", "other", "ftj'", "\u202e", "-ftj"))


@pytest.mark.parametrize("trouble", ["no ledger", "no database", "no tables", "locked", "bad settings"])
def test_trouble_completes_nothing_and_says_nothing(ledger: Path, shell: Shell, trouble: str) -> None:
    line, holder = "ftjobs show ", sqlite3.connect(":memory:")
    match trouble:
        case "no ledger":
            ledger.unlink()
        case "no database":
            ledger.write_bytes(b"no database\x00" * 400)
        case "no tables":
            ledger.write_bytes(b"")
        case "locked":
            holder.close()
            holder = sqlite3.connect(ledger)
            holder.execute("BEGIN EXCLUSIVE")
        case _:
            line = "ftjobs --config /nowhere.toml show "
    before = ledger.read_bytes() if ledger.exists() else None
    assert shell.tab(line) == []
    holder.close()
    assert (ledger.read_bytes() if ledger.exists() else None) == before
    assert [path.name for path in ledger.parent.glob("ledger*")] == ([ledger.name] if before is not None else [])


def test_it_imports_neither_the_service_nor_what_is_slow(person: Person, ledger: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ftjobs"],
        env=person.env(COMP_WORDS="ftjobs show ", COMP_CWORD="2", **{VARIABLE: "complete_bash"})
        | {"FTJOBS_LEDGER_URL": f"sqlite:///{ledger}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert NEWEST in done.stdout
    assert "sqlite3" in modules
    assert modules.isdisjoint({"openai", "sqlalchemy", "alembic", "pydantic", "rich", "structlog", "tenacity"})


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_is_printed_and_installed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shellingham", None)
    monkeypatch.setenv("SHELL", f"/usr/bin/{name}")
    assert main(["--show-completion"]) == 0
    script = capsys.readouterr().out
    assert f"{VARIABLE}=complete_{name}" in script
    assert main(["--install-completion"]) == 0
    out, _ = capsys.readouterr()
    installed = Path(out.partition(" is in ")[2].partition(";")[0])
    assert installed.is_relative_to(Path.home())
    assert installed.read_text().strip() == script.strip()


def test_a_shell_without_a_script_and_a_home_without_room_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "shellingham", None)
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert main(["--show-completion"]) == 2
    assert "this is tcsh" in capsys.readouterr().err
    monkeypatch.setenv("SHELL", "/bin/bash")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert main(["--install-completion"]) == 3
    assert "cannot be installed" in capsys.readouterr().err
