"""The root command: global options, lazy verbs, and the boundary where failures become two lines."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
import typer

from ftjobs import __version__
from ftjobs.cli import main as root
from ftjobs.cli.options import Family, Globals, Verb, globals_of, print_json
from ftjobs.errors import ConfigError, SpendRefusedError, UncertainError
from ftjobs.money import Usd, UsdPer1M
from ftjobs.reports.envelope import dumps, envelope

HEAVY = ("openai", "sqlalchemy", "alembic", "structlog", "toktok", "rich", "pydantic", "tenacity", "click")


def echo(
    ctx: typer.Context,
    word: Annotated[str, typer.Argument()] = "-",
    times: Annotated[int, typer.Option("--times", help="How often.")] = 1,
) -> None:
    """Print a word."""
    given = globals_of(ctx)
    print_json(
        {
            "word": word,
            "times": times,
            "profile": given.profile,
            "config": str(given.config) if given.config else None,
            "ledger": given.ledger_url,
            "json": given.json,
            "verbosity": given.verbosity,
            "flags": given.flags,
        }
    )


def fail(ctx: typer.Context, how: Annotated[str, typer.Argument()]) -> None:
    """Fail in the way that is asked for."""
    match how:
        case "refused":
            raise SpendRefusedError(
                "over\x1blimit", "too much\nof \x1b[31m sk-abcdefgh1", next_step="lower\rit", limit="5.00"
            )
        case "sandbox":
            globals_of(ctx).sandbox = True
            raise UncertainError("uncertain", "it may exist", next_step="look", submission_id="01J")
        case "bug":
            held_locally = "local" + "-value"
            raise KeyError(f"Bearer {held_locally} \x1b]0;title\x07")
        case "recursion":
            fail(ctx, how)
        case "memory":
            raise MemoryError
        case "interrupt":
            raise KeyboardInterrupt
        case "abort":
            raise typer.Abort
        case "exit":
            raise typer.Exit(6)
        case _:
            pass


def ends(code: int) -> int:
    """Return an exit code."""
    return code


family = typer.Typer(cls=Family, invoke_without_command=True)


@family.callback()
def tour(ctx: typer.Context) -> None:
    """Take the tour."""
    if ctx.invoked_subcommand is None:
        typer.echo("tour")


@family.command("serve", cls=Verb)
def serve(ctx: typer.Context) -> None:
    """Serve alone."""
    typer.echo(f"serve {globals_of(ctx).profile}")


@pytest.fixture(autouse=True)
def verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("verbs_for_tests")
    module.__dict__.update({"echo": echo, "fail": fail, "ends": ends, "family": family})
    monkeypatch.setitem(sys.modules, "verbs_for_tests", module)
    for name in ("echo", "fail", "ends", "family"):
        monkeypatch.setitem(root.VERBS, name, f"verbs_for_tests:{name}")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = root.main(args)
    out, err = capsys.readouterr()
    return code, out, err


def echoed(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    code, out, err = run(capsys, *args)
    assert (code, err) == (0, "")
    value: dict[str, Any] = json.loads(out)
    return value


def process(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args], capture_output=True, text=True, check=False, env={**os.environ, **environ}
    )


# Global options


@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize(
    ("options", "landed"),
    [
        (["--profile", "azure"], {"profile": "azure"}),
        (["--config=a.toml"], {"config": "a.toml"}),
        (["--ledger", "sqlite:///x"], {"ledger": "sqlite:///x"}),
        (["--json"], {"json": True}),
        (["-v"], {"verbosity": 1}),
        (["--verbose"], {"verbosity": 1}),
        (["-q"], {"verbosity": -1}),
        (["--quiet"], {"verbosity": -1}),
    ],
)
def test_a_global_option_means_the_same_before_and_after_the_verb(
    capsys: pytest.CaptureFixture[str], position: str, options: list[str], landed: dict[str, object]
) -> None:
    args = [*options, "echo", "hi"] if position == "before" else ["echo", *options, "hi"]
    said = echoed(capsys, *args)
    assert said["word"] == "hi"
    assert {key: said[key] for key in landed} == landed
    nothing = echoed(capsys, "echo")
    assert {key for key in said if said[key] != nothing[key]} <= {*landed, "word", "flags"}


def test_the_later_place_wins(capsys: pytest.CaptureFixture[str]) -> None:
    said = echoed(capsys, "--profile", "a", "-v", "--ledger", "x", "echo", "--profile", "b", "-q")
    assert (said["profile"], said["verbosity"], said["ledger"]) == ("b", -1, "x")
    assert said["flags"] == {"profile": "b", "ledger_url": "x"}
    assert echoed(capsys, "echo", "-q", "-v")["verbosity"] == 1
    assert echoed(capsys, "echo", "-v", "-q")["verbosity"] == -1


def test_one_command_line_leaves_nothing_for_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    echoed(capsys, "--json", "-v", "--profile", "a", "echo")
    said = echoed(capsys, "echo")
    assert (said["json"], said["verbosity"], said["profile"]) == (False, 0, None)


def test_a_value_that_looks_like_an_option_after_two_dashes_is_a_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = echoed(capsys, "echo", "--", "--json")
    assert (said["word"], said["json"]) == ("--json", False)


def test_help_lists_the_verbs_and_the_options_apart(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--help")
    assert (code, err) == (0, "")
    commands, global_options = out.split("\nOptions:")
    assert "Print a word." in commands
    for option in (
        "--profile",
        "--config",
        "--ledger",
        "--json",
        "--verbose",
        "--quiet",
        "--version",
        "--help",
    ):
        assert option in global_options
    assert run(capsys) == (code, out, err)


@pytest.mark.parametrize("args", [["echo", "--help"], ["--json", "echo", "--help"]])
def test_a_verbs_help_shows_its_own_options_first(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    code, out, _ = run(capsys, *args)
    own, global_options = out.split("Global options,")
    assert code == 0
    assert "Usage: ftjobs echo [OPTIONS]" in own
    assert "--times" in own
    assert "--profile" not in own
    assert "--profile NAME" in global_options


@pytest.mark.parametrize("args", [["--version"], ["echo", "--version"], ["family", "serve", "--version"]])
def test_the_version_is_told_anywhere(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    assert run(capsys, *args) == (0, f"ftjobs {__version__}\n", "")


def test_a_family_has_a_command_of_its_own_and_sub_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "family") == (0, "tour\n", "")
    assert run(capsys, "family", "--profile", "x", "serve") == (0, "serve x\n", "")
    assert run(capsys, "family", "serve", "--profile", "y") == (0, "serve y\n", "")
    _, out, _ = run(capsys, "family", "--help")
    assert "Serve alone." in out
    assert "completion" not in out


# The boundary


def test_a_failure_is_two_lines_on_stderr_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "fail", "refused")
    assert (code, out) == (5, "")
    assert err == "error: too much of [31m ***\n  → lower it\n"


@pytest.mark.parametrize("args", [["--json", "fail", "refused"], ["fail", "refused", "--json"]])
def test_with_json_a_failure_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    code, out, err = run(capsys, *args)
    assert (code, err, out.count("\n")) == (5, "", 1)
    assert json.loads(out) == {
        "schema": "ftjobs.error/1",
        "code": "over\x1blimit",
        "message": "too much of [31m ***",
        "next_step": "lower it",
        "exit_code": 5,
        "details": {"limit": "5.00"},
    }


def test_a_failure_in_the_sandbox_is_stamped(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "fail", "sandbox", "--json")
    assert code == 9
    assert json.loads(out)["sandbox"] is True
    assert json.loads(out)["details"] == {"submission_id": "01J"}


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["eco"], "unknown_command", ["'eco'", "Did you mean 'echo'?"]),
        (["xyzzy"], "unknown_command", ["'xyzzy'", "`ftjobs --help`"]),
        (["family", "serv"], "unknown_command", ["'serv'", "Did you mean 'serve'?"]),
        (["family", "xyzzy"], "unknown_command", ["`ftjobs family --help`"]),
        (["--profil", "x"], "unknown_option", ["--profil", "Did you mean --profile?"]),
        (["echo", "--tims", "3"], "unknown_option", ["--tims", "Did you mean --times?"]),
        (["echo", "-z"], "unknown_option", ["-z", "`ftjobs echo --help`"]),
        (["echo", "--times", "x"], "usage", ["--times", "`ftjobs echo --help`"]),
        (["echo", "--times"], "usage", ["--times", "Add --help"]),
        (["echo", "a", "b\x1b"], "usage", ["b", "`ftjobs echo --help`"]),
        (["fail"], "usage", ["how", "`ftjobs fail --help`"]),
        (["--profile"], "usage", ["--profile", "Add --help"]),
        (["-v"], "usage", ["Missing command", "`ftjobs --help`"]),
    ],
)
def test_a_command_line_that_means_nothing_exits_2_with_a_way_out(
    capsys: pytest.CaptureFixture[str], args: list[str], code: str, words: list[str]
) -> None:
    exit_code, out, err = run(capsys, *args)
    assert (exit_code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 2
    assert "\x1b" not in err
    for word in words:
        assert word in err
    exit_code, out, err = run(capsys, "--json", *args)
    assert (exit_code, err) == (2, "")
    assert json.loads(out)["code"] == code


def test_json_after_the_mistake_counts_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "echo", "--tims", "3", "--json")
    assert (code, err, json.loads(out)["details"]["nearest"]) == (2, "", "--times")


@pytest.mark.parametrize("how", ["interrupt", "abort"])
def test_an_interrupt_says_how_to_go_on(capsys: pytest.CaptureFixture[str], how: str) -> None:
    code, out, err = run(capsys, "fail", how)
    assert (code, out) == (130, "")
    assert "Run the same command again" in err


@pytest.mark.parametrize(
    ("how", "kind"), [("bug", "KeyError"), ("recursion", "RecursionError"), ("memory", "MemoryError")]
)
def test_a_bug_is_admitted_in_two_lines(capsys: pytest.CaptureFixture[str], how: str, kind: str) -> None:
    code, out, err = run(capsys, "fail", how)
    assert (code, out, err.count("\n")) == (1, "", 2)
    assert err.startswith(f"error: ftjobs has a bug: {kind}: ")
    assert "Run again with -v" in err
    assert "local-value" not in err


@pytest.mark.parametrize("args", [["-v", "fail", "bug"], ["fail", "bug", "-v"], ["fail", "bug", "-v", "--json"]])
def test_a_bug_shows_its_traceback_when_asked_without_secrets(
    capsys: pytest.CaptureFixture[str], args: list[str]
) -> None:
    code, _, err = run(capsys, *args)
    assert code == 1
    assert "Traceback (most recent call last):\n" in err
    assert "in fail\n" in err
    assert "local-value" not in err
    assert "\x1b" not in err


def test_a_verb_whose_module_cannot_be_imported_is_a_bug_like_any_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(root.VERBS, "gone", "ftjobs.cli.no_such_module:gone")
    code, _, err = run(capsys, "gone", "-v")
    assert code == 1
    assert "ModuleNotFoundError" in err
    assert "Traceback" in err


def test_exit_codes_pass_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "fail", "exit") == (6, "", "")
    assert run(capsys, "ends", "11") == (11, "", "")


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        encoding = "ascii"

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")

    def said() -> str:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        root.main(["eco"])
        return terminal.getvalue()

    assert said().startswith("\x1b[31merror\x1b[0m: ")
    assert "\n  -> Did you mean" in said()
    monkeypatch.setenv("NO_COLOR", "1")
    assert said().startswith("error: ")


# The process


def test_help_imports_nothing_heavy() -> None:
    done = process("-X", "importtime", "-m", "ftjobs", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ftjobs ")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint(HEAVY)


def test_every_registered_verb_exists() -> None:
    done = process("-c", "from ftjobs.cli import main; [main._load(name) for name in main.VERBS]")
    assert (done.returncode, done.stderr) == (0, "")


def test_python_m_ftjobs_exits_with_the_code() -> None:
    done = process("-m", "ftjobs", "no-such-verb")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: There is no command 'no-such-verb'.\n")


SCRIPT = """
import sys
from ftjobs.cli import main as root
sys.modules["probe"] = sys.modules["__main__"]
def probe():
    "Probe."
    {body}
root.VERBS["probe"] = "probe:probe"
from ftjobs.__main__ import main
main()
"""


def probe(tmp_path: Path, body: str) -> list[str]:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(body=body), encoding="utf-8")
    return [sys.executable, str(path), "probe"]


@pytest.mark.parametrize("body", ["print('x' * 10)", "[print('x' * 1000) for _ in range(10_000)]"])
def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path, body: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(probe(tmp_path, body), stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ftjobs", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: The output cannot be written: ")
    assert done.stderr.count("\n") == 2


def test_ctrl_c_exits_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    body = "print('ready', flush=True); import time; time.sleep(60)"
    running = subprocess.Popen(probe(tmp_path, body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "Run the same command again" in err


def test_an_old_code_page_fails_neither_text_nor_json(tmp_path: Path) -> None:
    body = (
        "from ftjobs.cli.options import print_json; print('→ é'); print_json({'k': '→ é'});"
        " from ftjobs.errors import UsageError; raise UsageError('c', 'no é', next_step='n')"
    )
    done = subprocess.run(
        probe(tmp_path, body),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    text, line = done.stdout.decode("ascii").splitlines()
    assert text == r"-> \xe9"
    assert json.loads(line) == {"k": "→ é"}
    assert done.returncode == 2
    assert b"  -> n" in done.stderr


# The envelope


def test_an_envelope_is_stamped_only_in_the_sandbox() -> None:
    assert envelope("jobs", jobs=[]) == {"schema": "ftjobs.jobs/1", "jobs": []}
    assert envelope("jobs", 2, sandbox=True) == {"schema": "ftjobs.jobs/2", "sandbox": True}


def test_money_and_time_have_one_form() -> None:
    value = {
        "usd": Usd.parse("0.10"),
        "rate": UsdPer1M.parse("3"),
        "at": datetime(2026, 10, 5, 12, tzinfo=UTC),
        "day": date(2026, 10, 5),
        "unknown": None,
    }
    assert json.loads(dumps(value)) == {
        "usd": "0.10",
        "rate": "3.00",
        "at": "2026-10-05T12:00:00Z",
        "day": "2026-10-05",
        "unknown": None,
    }


@pytest.mark.parametrize(
    "value",
    [Decimal("1.5"), datetime(2026, 1, 1), {1, 2}, Path("x"), b"x", object(), Globals()],  # noqa: DTZ001
)
def test_a_value_without_a_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        dumps({"value": value})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_no_number_that_is_none(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps({"deep": [number]})


def test_any_text_is_one_line_that_any_reader_takes() -> None:
    text = "é 漢 🎉 \n\r\t\x00\x1b[2J\x7f\x9b\u2028\u202e\ud800|\ud83c\udf89"
    line = dumps({"text": text})
    assert all(character.isprintable() for character in line)
    assert "é 漢 🎉" in line
    line.encode("utf-8")
    assert json.loads(line)["text"] == "é 漢 🎉 \n\r\t\x00\x1b[2J\x7f\x9b\u2028\u202e�|🎉"
    assert json.loads(dumps({"text": text}, ascii_only=True)) == json.loads(line)
    assert dumps({"text": text}, ascii_only=True).isascii()


def test_a_config_error_is_exit_3(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(ctx: typer.Context) -> None:
        raise ConfigError("no_api_key", "no key", next_step="set it", variable="K")

    monkeypatch.setattr(sys.modules["verbs_for_tests"], "echo", refuse)
    code, out, _ = run(capsys, "--json", "echo")
    assert (code, json.loads(out)["exit_code"], json.loads(out)["details"]) == (3, 3, {"variable": "K"})
