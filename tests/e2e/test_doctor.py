"""`doctor` as its user sees it: it works with nothing there, tells all troubles at once, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from ftjobs.ambient import Ambient
from tests.conftest import CREATE, Person, Run, Service
from tests.e2e.conftest import Book, Shell

ALONE = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
GPT_4O = "gpt-4o-2024-08-06"
MINI = "gpt-4o-mini-2024-07-18"
ALWAYS = {"settings", "profile", "key", "ledger", "prices", "service", "models"}


def by_name(run: Run) -> dict[str, dict[str, Any]]:
    """Return the checks of a JSON answer by their names."""
    assert run.json["schema"] == "ftjobs.doctor/1"
    found = {each["name"]: each for each in run.json["checks"]}
    assert len(found) == len(run.json["checks"])
    assert set(found) >= ALWAYS, "no check hides another"
    assert all(each["next_step"] for each in found.values() if each["state"] == "problem")
    return found


def problems(run: Run) -> set[str]:
    """Return the names of the problems, which are what the exit code is about."""
    found = {name for name, each in by_name(run).items() if each["state"] == "problem"}
    assert run.code == (3 if found else 0)
    return found


def contents(folder: Path) -> dict[str, str]:
    """Return every file below a folder with its hash, every folder with ""."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


@pytest.fixture
def nobody() -> Iterator[str]:
    """A base URL on this machine at which nobody listens for as long as the test lasts."""
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))  # bound and not listening: refused, and no other process can take it
        yield f"http://127.0.0.1:{holder.getsockname()[1]}/v1"


# Nothing there


def test_in_an_empty_home_everything_is_looked_at_and_nothing_is_made(person: Person) -> None:
    told = person.run("doctor", "--json", **ALONE)
    assert problems(told) == {"key"}
    assert told.err == ""
    checks = by_name(told)
    assert "OPENAI_API_KEY is not set" in checks["key"]["message"]
    assert "There is none at" in checks["ledger"]["message"]
    assert checks["service"]["message"] == "Not asked for shutdown dates: no key."
    assert "submissions" not in checks
    assert list(person.home.iterdir()) == []
    closings = told.json["closings"]
    assert [each["date"] for each in closings] == ["2026-05-07", "2026-07-02", "2027-01-06"]
    today = datetime.now(UTC).date()
    for each in closings:
        assert abs(each["days_left"] - (date.fromisoformat(each["date"]) - today).days) <= 1, "around midnight"


def test_its_text_has_a_state_at_the_left_and_a_fix_for_the_problem(person: Person) -> None:
    told = person.run("doctor", **ALONE)
    assert (told.code, told.err) == (3, "")
    lines = told.out.splitlines()
    page = lines[: lines.index("")]
    assert {line[:9].strip() for line in page} == {"ok", "note", "problem", ""}
    key = next(number for number, line in enumerate(page) if line.startswith("problem  key: "))
    assert page[key + 1].startswith("         fix: Set it in this shell")
    assert "\x1b" not in told.out
    assert any(line.startswith(("From 2027-01-06", "Since 2027-01-06")) for line in lines)


# The sandbox


def test_the_sandboxs_dates_are_its_own_and_it_is_left_as_it_is(person: Person) -> None:
    told = person.run("doctor", "--profile", "sandbox", "--json", **ALONE)
    assert problems(told) == set()
    assert told.json["sandbox"] is True
    assert told.json["closings"] == []
    (known,) = told.json["shutdowns"]
    assert (known["model"], known["source"]) == (GPT_4O, "service")
    assert 364 <= known["days_left"] <= 366
    assert list(person.home.iterdir()) == []


def test_the_models_of_the_ledger_are_the_ones_asked_about(person: Person, training_file: Path) -> None:
    sandbox = ("--profile", "sandbox")
    submitted = person.run(*sandbox, "submit", str(training_file), "--model", "gpt-4o-mini", **ALONE)
    assert submitted.code == 0, submitted
    told = person.run(*sandbox, "doctor", "--json", **ALONE)
    assert problems(told) == set()
    assert told.json["shutdowns"] == [
        {"model": MINI, "shutdown_date": None, "days_left": None, "source": None, "read_on": None}
    ]
    assert by_name(told)["submissions"]["state"] == "note"
    assert by_name(told)["submissions"]["message"] == "1 unsettled."
    said = person.run(*sandbox, "doctor", **ALONE).out
    assert "next: Run `ftjobs --profile sandbox status`" in said
    assert f"No shutdown date is known of {MINI}." in said


def test_another_accounts_models_are_not_asked_about(shell: Shell, service: Service) -> None:
    assert shell.submit().code == 0
    own = shell.run("doctor", "--json").json["shutdowns"]
    assert [each["model"] for each in own] == [MINI]
    elsewhere = shell.run("doctor", "--json", OPENAI_ORG_ID="org-other").json["shutdowns"]
    assert [each["model"] for each in elsewhere] == [GPT_4O], "only what the service names a date for"
    assert {"/v1/models/" + MINI, "/v1/models/" + GPT_4O} <= {each["path"] for each in service.requests()}


# Ledgers


def test_an_uncertain_submission_is_a_problem_with_its_command(service: Service, shell: Shell, book: Book) -> None:
    service.faults({"on": CREATE, "do": "status", "status": 504, "when": "before"})
    assert shell.submit().code == 9
    (submission,) = book.submissions()
    before = contents(book.path.parent)
    told = shell.run("doctor", "--json")
    assert problems(told) == {"submissions"}
    check = by_name(told)["submissions"]
    assert check["message"].startswith("1 unsettled, 1 of them uncertain")
    assert f"ftjobs submit --resend {submission['id']}" in check["next_step"]
    assert contents(book.path.parent) == before


@pytest.fixture
def ledger(inside: Callable[..., Run], person: Person) -> Path:
    """A ledger of this program with nothing in it."""
    assert inside("ledger").code == 0
    return person.home / "data/ftjobs/ledger.sqlite3"


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "state", "says"),
    [
        ("SELECT 1", "ok", "is sound: a real ledger with schema"),
        ("UPDATE alembic_version SET version_num = '0001'", "note", "has schema 0001: the next command"),
        ("UPDATE alembic_version SET version_num = '9999'", "problem", "has schema 9999, of a newer ftjobs"),
        ("UPDATE stamps SET stamp = 'sandbox'", "problem", "is a sandbox ledger"),
        ("DELETE FROM stamps", "ok", "is empty"),
        ("DROP TABLE entries", "problem", "is a database, but not a ledger"),
    ],
)
def test_a_ledger_is_looked_at_and_left_alone(
    inside: Callable[..., Run], ledger: Path, statement: str, state: str, says: str
) -> None:
    change(ledger, statement)
    before = contents(ledger.parent)
    told = inside("doctor", "--json")
    check = by_name(told)["ledger"]
    assert (check["state"], says in check["message"]) == (state, True), check
    assert str(ledger) in check["message"]
    assert problems(told) == ({"ledger"} if state == "problem" else set())
    assert contents(ledger.parent) == before


def test_a_damaged_ledger_is_a_problem_and_the_newest_copy_is_named(
    inside: Callable[..., Run], ledger: Path
) -> None:
    copy = Path(inside("ledger", "backup", "--json").json["file"])
    with closing(sqlite3.connect(ledger)) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_entries_occurred_at'")
        ((size,),) = connection.execute("PRAGMA page_size")
    content = bytearray(ledger.read_bytes())
    content[(root - 1) * size : root * size] = b"\xff" * size
    ledger.write_bytes(content)
    check = by_name(inside("doctor", "--json"))["ledger"]
    assert check["state"] == "problem"
    assert "damaged" in check["message"]
    assert check["next_step"] == f"Keep the file, and copy {copy.name} to its place."


def test_a_file_that_is_no_ledger_is_one_problem_among_all_checks(person: Person) -> None:
    broken = person.home / "broken.sqlite3"
    broken.write_text("no ledger at all\n" * 100, encoding="utf-8")
    told = person.run("doctor", "--ledger", "broken.sqlite3", "--json")
    assert problems(told) == {"ledger"}
    assert f"{broken} is not a ledger" in by_name(told)["ledger"]["message"]
    assert [each["model"] for each in told.json["shutdowns"]] == [GPT_4O], "the service was asked all the same"
    assert broken.read_text(encoding="utf-8").startswith("no ledger")


@pytest.mark.parametrize(
    ("ledger_url", "says"),
    [
        (".", "is a folder"),
        ("here.txt/ledger.sqlite3", "lets nobody make one"),
        ("mysql://me:hunter2@host/db", "names no SQLite file"),
    ],
)
def test_a_ledger_that_cannot_be_is_a_problem(
    inside: Callable[..., Run], person: Person, ledger_url: str, says: str
) -> None:
    (person.home / "here.txt").touch(0o777)
    told = inside("doctor", "--ledger", ledger_url, "--json")
    assert problems(told) == {"ledger"}
    assert says in by_name(told)["ledger"]["message"]
    assert "hunter2" not in told.out + told.err


def test_a_folder_that_cannot_be_written_is_a_problem(
    inside: Callable[..., Run], person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != person.home)
    told = inside("doctor", "--ledger", "new/ledger.sqlite3", "--json")
    assert problems(told) == {"ledger"}
    assert f"{person.home} lets nobody make one" in by_name(told)["ledger"]["message"]


# Settings


def test_with_a_broken_settings_file_all_else_is_still_told_and_no_key_leaves(
    person: Person, service: Service
) -> None:
    (person.home / "ftjobs.toml").write_text("settle_s 3\n", encoding="utf-8")
    told = person.run("doctor", "--json")
    assert problems(told) == {"settings"}
    checks = by_name(told)
    assert "./ftjobs.toml is not valid TOML" in checks["settings"]["message"]
    assert "leave out the settings files" in checks["settings"]["message"]
    assert checks["service"]["message"] == "Not asked for shutdown dates: not all settings are known."
    assert service.requests() == [], "the file might have named another service"
    assert checks["key"]["state"] == checks["ledger"]["state"] == "ok"
    assert person.run("doctor").code == 3


@pytest.mark.parametrize(
    ("text", "env", "args", "broken", "says"),
    [
        ("setle_s = 3\n", {}, (), {"settings"}, "settle_s"),
        ("", {"FTJOBS_SETLE_S": "3"}, (), {"settings"}, "the FTJOBS_ variables"),
        ("x\n", {"FTJOBS_SETLE_S": "3"}, (), {"settings"}, "the settings files and the FTJOBS_ variables"),
        ("", {}, ("--config", "gone.toml"), {"settings"}, "gone.toml"),
        ("", {"FTJOBS_CONFIG": "gone.toml"}, (), {"settings"}, "gone.toml"),
        ("", {}, ("--profile", " "), {"settings"}, "all settings"),
        ('[budget.profiles]\nopnai = "5"\n', {}, (), {"settings"}, "budget.profiles.opnai"),
        ("", {}, ("--profile", "opnai"), {"profile"}, "'opnai'"),
        ("", {"OPENAI_BASE_URL": "example.com"}, (), {"profile"}, "base URL"),
        ('profile = "mine"\n[profiles.mine]\napi_key_env = "X"\n', {}, (), {"profile"}, "base_url"),
        ('price_list = "opnai"\n', {}, (), {"prices"}, "'opnai'"),
        ('[[price]]\nmodel = "m"\n', {}, (), {"prices"}, "training_usd_per_1m"),
        ("", {"OPENAI_API_KEY": "hunter 2"}, (), {"key"}, "OPENAI_API_KEY"),
        ("", {"OPENAI_API_KEY": "sk-wrong"}, (), {"service"}, "HTTP 401"),
    ],
)
def test_each_slip_is_one_problem_that_names_it(
    inside: Callable[..., Run],
    person: Person,
    *,
    text: str,
    env: dict[str, str],
    args: tuple[str, ...],
    broken: set[str],
    says: str,
) -> None:
    (person.home / "ftjobs.toml").write_text(text, encoding="utf-8")
    told = inside("doctor", *args, "--json", **env)
    assert problems(told) == broken
    (name,) = broken
    check = by_name(told)[name]
    assert says in f"{check['message']} {check['next_step']}"
    assert not {"hunter", "sk-wrong"} & set(told.out.split())


def test_settings_in_force_are_told_with_their_origin(inside: Callable[..., Run], person: Person) -> None:
    (person.home / "ftjobs.toml").write_text('confirm_above_usd = "7.50"\n', encoding="utf-8")
    message = by_name(inside("doctor", "--json", FTJOBS_SETTLE_S="2"))["settings"]["message"]
    assert "settle_s 2 (FTJOBS_SETTLE_S); " in message
    assert "confirm_above_usd $7.50 (./ftjobs.toml); " in message
    assert message.endswith("everything else has its default.")
    assert "price_list" not in message


# The service


def test_a_service_that_nobody_reaches_is_a_line_and_costs_no_time(
    inside: Callable[..., Run], nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("ftjobs.app.Ambient", lambda: Ambient(sleep=naps.append))
    told = inside("--profile", "generic", "doctor", OPENAI_BASE_URL=nobody, OPENAI_API_KEY="sk-fake-0123456789")
    assert naps == []
    assert (told.code, told.err) == (0, "")
    (line,) = [line for line in told.out.splitlines() if line.startswith("note     service: ")]
    assert f"Not reached. The API at {nobody} did not answer" in line
    assert "sk-fake" not in told.out


def test_a_service_that_is_down_is_asked_once(inside: Callable[..., Run], service: Service) -> None:
    service.faults({"on": "GET /v1/models/*", "do": "status", "status": 503, "times": 50})
    told = inside("doctor", "--json")
    assert problems(told) == set()
    assert "HTTP 503" in by_name(told)["service"]["message"]
    assert len(service.requests()) == 1


def test_the_key_is_never_shown(person: Person) -> None:
    key = person.environ["OPENAI_API_KEY"]
    for args in (["doctor"], ["doctor", "--json"], ["-v", "doctor"]):
        told = person.run(*args, OPENAI_PROJECT_ID=key)
        assert key not in told.out + told.err
        assert "OPENAI_API_KEY is set." in told.out


def test_in_june_2027_the_closed_platform_is_noted_and_the_sandbox_goes_on(person: Person, tmp_path: Path) -> None:
    begin = tmp_path / "begin"
    begin.mkdir()
    (begin / "sitecustomize.py").write_text(
        "import datetime, time_machine\n"
        "time_machine.travel(datetime.datetime(2027, 6, 1, 12, tzinfo=datetime.UTC)).start()\n",
        encoding="utf-8",
    )
    env = {**ALONE, "PYTHONPATH": f"{begin}:{person.env()['PYTHONPATH']}"}
    told = person.run("doctor", "--json", **env)
    assert problems(told) == {"key"}
    platform = by_name(told)["platform"]
    assert platform["message"] == "OpenAI takes no new fine-tuning jobs since 2027-01-06."
    assert "--profile" in platform["next_step"]
    assert told.json["shutdowns"] == []
    assert by_name(told)["prices"]["state"] == "note"
    sandbox = person.run("doctor", "--profile", "sandbox", "--json", **env)
    assert [each["shutdown_date"] for each in sandbox.json["shutdowns"]] == ["2028-05-31"]
    assert json.loads(sandbox.out)["closings"] == []


@pytest.mark.parametrize(
    "url", ["https://SECRETTOKEN12345@host.test/v1", "https://host.test/v1?api-key=SECRETTOKEN12345"]
)
def test_what_may_be_a_secret_in_an_address_is_not_shown(person: Person, url: str) -> None:
    for more in ((), ("--json",)):
        told = person.run("doctor", *more, OPENAI_BASE_URL=url, FTJOBS_PROFILE="generic", OPENAI_API_KEY="")
        assert told.code == 3
        assert "host.test" in told.out
        assert "SECRETTOKEN" not in told.out + told.err
