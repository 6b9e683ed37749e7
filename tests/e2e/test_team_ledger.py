"""Two machines with homes of their own, one service and one ledger between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftjobs.ledger.place import ledger_place
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from tests.conftest import CREATE, Person, Run, Service
from tests.e2e.conftest import MODEL, UPLOAD, Shell, arrivals, creates
from tests.postgres import Databases

PASSWORD = "tr0ub4dor"


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """The team's database, in which somebody has made the tables."""
    with databases.fresh() as found:
        yield found


@pytest.fixture
def machines(shell: Shell, url: str, tmp_path: Path) -> list[Shell]:
    """Two shells on two machines: what they share is the service, the bytes of the file and the ledger."""
    found = []
    for name in ("one", "other"):
        home = tmp_path / name
        home.mkdir()
        data = home / "mine.jsonl"
        data.write_bytes(shell.data.read_bytes())
        person = Person(home, {**shell.person.environ, "FTJOBS_LEDGER_URL": url})
        found.append(replace(shell, person=person, data=data))
    return found


def book(url: str) -> Ledger:
    return Ledger(ledger_place(url), stamp="real")


def test_the_same_file_at_the_same_time_from_two_machines_makes_one_job(
    service: Service, machines: list[Shell], url: str
) -> None:
    service.faults({"on": CREATE, "do": "delay", "seconds": 3, "when": "after"})
    started = [(shell, shell.start_submit()) for shell in machines]
    ended = [shell.end(process) for shell, process in started]

    assert [ran.code for ran in ended] == [0, 0], [ran.err for ran in ended]
    assert Counter(ran.json["reused"] for ran in ended) == {False: 1, True: 1}
    (job,) = service.jobs()
    assert {ran.json["job_id"] for ran in ended} == {job["id"]}
    assert len(arrivals(service, UPLOAD)) == creates(service) == len(book(url).trails()) == 1
    assert any("another process" in ran.err for ran in ended)


def test_a_machine_that_died_in_the_create_call_is_made_up_for_by_the_other(
    service: Service, machines: list[Shell], url: str
) -> None:
    died = machines[0].submit(FTJOBS_FAILPOINT="create.sent:kill")
    assert died.code == -9
    again = machines[1].submit()
    assert again.code == 0, again.err
    assert [job["id"] for job in service.jobs()] == [again.json["job_id"]]
    assert len(book(url).trails()) == creates(service) == 1


def test_two_machines_do_not_overspend_together(
    machines: list[Shell], url: str, make_training_file: Callable[[str, int], Path]
) -> None:
    told = machines[0].run("estimate", str(machines[0].data), "--model", MODEL, "--json").json
    high = Usd.parse(told["estimates"][0]["estimated_cost_usd"]["high"])
    budget = {"FTJOBS_BUDGET__MONTHLY_USD": Usd(high.nano * 3 // 2).plain()}
    started = []
    for number, shell in enumerate(machines):
        mine = shell.on(make_training_file(f"{number}.jsonl", 12))
        mine.data.write_text(mine.data.read_text().replace("order 3", f"order 3{number}"))
        started.append((mine, mine.start(*mine._submit(), **budget)))
    ended = [shell.end(process) for shell, process in started]
    assert sorted(ran.code for ran in ended) == [0, 5], [ran.err for ran in ended]
    assert len(book(url).trails()) == 1


# The commands


@pytest.fixture
def at_url(inside: Callable[..., Run], databases: Databases) -> Iterator[tuple[Callable[..., Run], str]]:
    """Commands, and a database without a table."""
    with databases.fresh(migrated=False) as empty:
        yield (lambda *args, **env: inside(*args, FTJOBS_LEDGER_URL=empty, **env)), empty


def ledger_check(run: Run) -> dict[str, Any]:
    (found,) = (check for check in run.json["checks"] if check["name"] == "ledger")
    assert isinstance(found, dict)
    return found


def test_a_persons_way_into_a_database_and_back(
    at_url: tuple[Callable[..., Run], str], inside: Callable[..., Run], training_file: Path, person: Person
) -> None:
    team, url = at_url
    name = str(ledger_place(url))
    refused = team("status")
    assert (refused.code, refused.out) == (3, "")
    assert "ftjobs doctor --migrate" in refused.err

    said = team("doctor", "--json")
    assert said.code == 3
    assert ledger_check(said)["state"] == "problem"
    assert "no ledger yet" in ledger_check(said)["message"]

    made = team("doctor", "--migrate")
    assert (made.code, made.out) == (0, f"Made a real ledger in {name}.\n")
    assert team("doctor", "--migrate", "--json").json["schema"] == "ftjobs.migrate/1"
    assert "Nothing to do" in team("doctor", "--migrate").out
    assert ledger_check(team("doctor", "--json"))["message"].startswith(f"{name} opens: a real ledger")

    submitted = inside("submit", str(training_file), "--model", MODEL, "--json")  # into a file
    assert submitted.code == 0, submitted.err
    copied = inside("ledger", "copy", "--to", url, "--json")
    assert copied.code == 0, copied.err
    assert copied.json["schema"] == "ftjobs.copy/1"
    assert (copied.json["target"], copied.json["rows"]["submissions"]) == (name, 1)
    mine, theirs = inside("ledger", "--json").json, team("ledger", "--json").json
    assert mine["digest"] == theirs["digest"] == copied.json["ledger_digest"]

    again = team("submit", str(training_file), "--model", MODEL, "--json")
    assert (again.json["reused"], again.json["job_id"]) == (True, submitted.json["job_id"])

    refused = inside("ledger", "copy", "--to", url)
    assert refused.code == 2
    assert "holds a ledger already" in refused.err

    back = team("ledger", "copy", "--to", str(person.home / "back.sqlite3"))
    assert back.code == 0, back.err
    assert "Set ledger_url" in back.out
    from_file = inside("ledger", "--json", "--ledger", str(person.home / "back.sqlite3"))
    assert from_file.json["digest"] == team("ledger", "--json").json["digest"]


@pytest.mark.parametrize("args", [("status",), ("doctor", "--migrate"), ("ledger", "copy", "--to", "x.sqlite3")])
def test_a_database_that_cannot_be_reached_is_two_lines_without_the_password(
    inside: Callable[..., Run], args: tuple[str, ...]
) -> None:
    url = f"postgresql://me:{PASSWORD}@127.0.0.1:1/ledger"
    for told in (inside(*args, FTJOBS_LEDGER_URL=url), inside(*args, "--ledger", url, "-v")):
        assert told.code == 12
        assert "postgresql://127.0.0.1:1/ledger cannot be used" in told.err
        assert PASSWORD not in told.out + told.err
    said = inside("doctor", "--json", FTJOBS_LEDGER_URL=url)
    assert "cannot be used" in ledger_check(said)["message"]
    assert PASSWORD not in said.out + said.err


def test_doctor_migrate_makes_a_ledger_of_a_file_too(inside: Callable[..., Run]) -> None:
    made = inside("doctor", "--migrate", "--ledger", "here.sqlite3")
    assert made.code == 0
    assert made.out.startswith("Made a real ledger in ")
    assert "Nothing to do" in inside("doctor", "--migrate", "--ledger", "here.sqlite3").out


def test_the_ledger_of_a_period_is_no_verb_of_two_words(inside: Callable[..., Run]) -> None:
    assert inside("ledger", "2027-06").code == 0
    assert inside("ledger", "cpoy").code == 2
