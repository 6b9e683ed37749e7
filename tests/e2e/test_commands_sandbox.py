"""The sandbox by itself: no server, no key, its own ledger, any year, and a plain word where it is missing."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ftjobs.sandbox.state import SandboxState
from tests.conftest import Person

ALONE = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
NO_NETWORK = """
import socket
_connect = socket.socket.connect
def connect(self, address):
    if address[0] not in ("127.0.0.1", "::1"):
        raise AssertionError(f"a command tried to reach {address}")
    return _connect(self, address)
def resolve(host, *args, **kwargs):
    raise AssertionError(f"a command tried to resolve {host}")
socket.socket.connect, socket.gethostbyname = connect, resolve
_resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *a, **k: _resolve(host, *a, **k) if host == "127.0.0.1" else resolve(host)
"""
JUNE_2027 = """
import datetime, time_machine
time_machine.travel(datetime.datetime(2027, 6, 1, 12, tzinfo=datetime.UTC)).start()
"""
WITHOUT_UVICORN = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "uvicorn":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def quick(person: Person) -> None:
    """Let the sandbox's jobs end within a second."""
    SandboxState(person.home / "data/ftjobs/sandbox").change_settings({"job_seconds": 0.4, "file_seconds": 0})


def beginning(person: Person, tmp_path: Path, *scripts: str) -> dict[str, str]:
    """Return an environment in which Python runs these scripts before anything else."""
    folder = tmp_path / "beginning"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("\n".join(scripts), encoding="utf-8")
    return {"PYTHONPATH": f"{folder}:{person.env()['PYTHONPATH']}"}


def test_it_needs_no_server_and_no_key_and_keeps_its_own_ledger(
    person: Person, training_file: Path, tmp_path: Path
) -> None:
    quick(person)
    env = {**ALONE, **beginning(person, tmp_path, NO_NETWORK)}
    submit = ["--profile", "sandbox", "submit", str(training_file), "--model", "gpt-4o-mini"]
    created = person.run(*submit, "--wait", **env)
    assert created.code == 0, created
    assert created.out.splitlines()[-1].partition(" ")[2].startswith("succeeded, billed $0.0")
    assert "watch it with: ftjobs --profile sandbox watch ftjob-" in created.out
    own = person.run("ledger", "--profile", "sandbox", "--json", **env).json
    assert [job["profile"] for job in own["jobs"]] == ["sandbox"]
    assert (person.home / "data/ftjobs/sandbox/ledger.sqlite3").exists()
    assert person.run("ledger", "--json", **env).json["jobs"] == []
    mixed = person.run("ledger", "--ledger", str(person.home / "data/ftjobs/sandbox/ledger.sqlite3"), **env)
    assert mixed.code == 12
    assert "is a sandbox ledger" in mixed.err


def test_in_june_2027_the_main_job_works_there_and_openai_is_refused(
    person: Person, training_file: Path, tmp_path: Path
) -> None:
    quick(person)
    env = {**ALONE, **beginning(person, tmp_path, JUNE_2027, NO_NETWORK)}
    submit = ["submit", str(training_file), "--model", "gpt-4o-mini", "--json"]
    created = person.run(*submit, "--profile", "sandbox", "--wait", **env)
    assert created.code == 0, created
    job = json.loads(created.out.splitlines()[-1])["jobs"][0]
    assert job["status"] == "succeeded"
    assert job["finished_at"].startswith("2027-06-01T12:0")
    month = person.run("ledger", "--month", "--profile", "sandbox", "--json", **env).json
    assert month["period"]["start"] == "2027-06-01T00:00:00Z"
    assert [each["job_id"] for each in month["jobs"]] == [job["job_id"]]
    refused = person.run(*submit, "--profile", "openai", **env)
    assert (refused.code, refused.json["code"]) == (5, "model_shut_down")
    assert "2027-01-14" in refused.json["message"]


def test_a_model_that_is_gone_is_refused_without_a_key_and_without_the_network(
    person: Person, training_file: Path, tmp_path: Path
) -> None:
    env = {**ALONE, **beginning(person, tmp_path, NO_NETWORK)}
    submit = ["submit", str(training_file), "--profile", "openai", "--model", "gpt-3.5-turbo"]
    refused = person.run(*submit, **env)
    message, next_step = refused.err.splitlines()
    assert (refused.code, refused.out) == (5, "")
    assert message.startswith("error: gpt-3.5-turbo-0125 ")
    assert "2026-10-23" in message
    assert "--model" in next_step
    assert person.run(*submit, "--json", **env).json["exit_code"] == 5
    assert not (person.home / "data").exists()


def test_without_the_extra_it_says_which_line_installs_it(
    person: Person, training_file: Path, tmp_path: Path
) -> None:
    env = {**ALONE, **beginning(person, tmp_path, WITHOUT_UVICORN)}
    named = [str(training_file), "--model", "gpt-4o-mini"]
    told = person.run("submit", *named, "--profile", "sandbox", **env)
    assert (told.code, told.out) == (3, "")
    message, next_step = told.err.splitlines()
    assert message == "error: The sandbox is not installed (no module uvicorn)."
    assert next_step.endswith("pip install 'ftjobs[sandbox]'")
    told = person.run("sandbox", "serve", "--json", **env)
    assert (told.code, told.json["code"], told.json["sandbox"]) == (3, "no_sandbox", True)
    assert told.json["next_step"] in next_step
    assert person.run("sandbox", **env).err == f"{message}\n{next_step}\n"
    assert person.run("estimate", *named, **env).code == 0


def exported(serving: subprocess.Popen[str]) -> list[str]:
    """Return the four lines of a sandbox that has begun to serve."""
    assert serving.stdout is not None
    return [serving.stdout.readline() for _ in range(4)]


def interrupted(serving: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return how it ended after Ctrl-C, and what it printed since."""
    serving.send_signal(signal.SIGINT)
    out, err = serving.communicate(timeout=240)
    return serving.returncode, out, err


def test_the_lines_of_serve_work_in_another_shell(person: Person, training_file: Path, tmp_path: Path) -> None:
    quick_home = tmp_path / "a home with spaces"
    quick_home.mkdir()
    person = Person(quick_home, {"FTJOBS_POLL_INITIAL_S": "0.1"})
    quick(person)
    serving = person.start("sandbox", "serve", "--port", "0")
    try:
        lines = exported(serving)
        assert [line.partition("=")[0] for line in lines] == [
            f"export {name}"
            for name in ("OPENAI_BASE_URL", "FTJOBS_PROFILE", "OPENAI_API_KEY", "FTJOBS_LEDGER_URL")
        ]
        submit = person.command("submit", str(training_file), "--model", "gpt-4o-mini", "--wait")
        shell = subprocess.run(
            [
                "sh",
                "-ec",
                f"{''.join(lines)}{shlex.join(submit)}; {shlex.join(person.command('ledger', '--json'))}",
            ],
            cwd=quick_home,
            env=person.env(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert shell.returncode == 0, shell
        ledger = json.loads(shell.stdout.splitlines()[-1])
        assert [job["status"] for job in ledger["jobs"]] == ["succeeded"]
        assert (quick_home / "data/ftjobs/sandbox/served.sqlite3").exists()
    finally:
        code, out, err = interrupted(serving)
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "serving the sandbox; run these lines in a new shell, and close it after Ctrl-C here"
    ]
    base_url = lines[0].strip().partition("=")[2]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{base_url}/models", timeout=5)


def test_served_as_another_service_it_has_a_settings_file_with_its_profile(person: Person) -> None:
    serving = person.start("sandbox", "serve", "--port", "0", "--as", "azure")
    settings = exported(serving)[0].partition("=")[2].strip()
    profile = tomllib.loads(Path(settings).read_text())["profiles"]["practice-azure"]
    code, out, err = interrupted(serving)
    assert (code, out) == (0, "")
    assert profile["base_url"].endswith("/openai/v1")
    assert err.splitlines() == [
        "serving the sandbox as azure; run these lines in a new shell, and close it after Ctrl-C here",
    ]


def test_serve_with_json_prints_one_object_for_programs(person: Person) -> None:
    serving = person.start("sandbox", "serve", "--port", "0", "--json", "-q")
    assert serving.stdout is not None
    told: dict[str, Any] = json.loads(serving.stdout.readline())
    assert interrupted(serving) == (0, "", "")
    assert (told["schema"], told["sandbox"]) == ("ftjobs.sandbox/1", True)
    assert set(told["environment"]) == {"OPENAI_BASE_URL", "FTJOBS_PROFILE", "OPENAI_API_KEY", "FTJOBS_LEDGER_URL"}
    assert told["environment"]["OPENAI_BASE_URL"].startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_told_in_two_lines(person: Person) -> None:
    port = person.environ["OPENAI_BASE_URL"].split(":")[2].removesuffix("/v1")
    told = person.run("sandbox", "serve", "--port", port)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 2)
    assert f"port {port}" in told.err
    assert person.run("sandbox", "serve", "--port", port, "--json").json["code"] == "port_in_use"
