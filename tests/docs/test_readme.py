"""The README says what is so: its commands run, its exit codes are the program's."""

from __future__ import annotations

import inspect
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftjobs import errors
from ftjobs.cli.main import BUG
from ftjobs.cli.reconcile import DISCREPANCY
from ftjobs.cli.watch import JOB_FAILED
from tests.docs.manual import BEGIN, END, manual, with_table

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _console_commands() -> list[list[str]]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [shlex.split(line[2:]) for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_the_quick_start_runs_as_it_is_printed(tmp_path: Path, person: Any) -> None:
    commands, told = _console_commands(), ""
    assert commands
    (person.home / "ftjobs/sandbox").mkdir(parents=True)
    shutil.copy(ROOT / "ftjobs/sandbox/sample.jsonl", person.home / "ftjobs/sandbox")
    for command in commands:
        match command:
            case ["cp", source, target]:
                shutil.copy(person.home / source, person.home / target)
            case ["ftjobs", *args]:
                done = person.run(*args, OPENAI_BASE_URL="", OPENAI_API_KEY="")
                assert done.code == 0, (command, done)
                told += done.out
            case _:
                pytest.fail(f"the README shows a command that is not tested: {command}")
    assert "succeeded" in told
    assert told.count(" created (") == 1


def test_the_example_of_the_library_runs_as_it_is_printed(tmp_path: Path, person: Any) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    shutil.copy(ROOT / "ftjobs/sandbox/sample.jsonl", person.home / "support.jsonl")
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=person.home,
        env=person.env(OPENAI_BASE_URL="", OPENAI_API_KEY=""),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *looks, last_month, total = done.stdout.splitlines()
    assert first.startswith("$0.0")
    assert looks[-1].startswith("succeeded")
    assert last_month == "$0.00"
    assert re.fullmatch(r"\$0\.0[0-9]+", total)


def test_the_exit_codes_of_the_readme_are_those_of_the_errors() -> None:
    table = README.partition("## Exit codes")[2].partition("##")[0]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    raised = {
        error.exit_code
        for _name, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, errors.FtjobsError)
    }
    assert documented == raised | {0, BUG, JOB_FAILED, DISCREPANCY}


def test_the_table_of_commands_and_the_manual_are_what_the_help_says() -> None:
    assert with_table(README) == README, "run `make manual`"
    assert (ROOT / "MANUAL.md").read_text(encoding="utf-8") == manual(), "run `make manual`"
    assert README.count(BEGIN) == README.count(END) == 1


def test_make_targets_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z0-9-]+)`", README))
    assert {"demo", "test", "check", "constraints"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("name", ["constraints.txt", "tests/bench/peers.txt"])
def test_the_pins_hold_no_addresses(name: str) -> None:
    pins = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in pins
    assert " @ " not in pins
