"""The process dies without a word: the same command again ends with one job, or says that it cannot know."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import CREATE, Person, Run, Service
from tests.e2e.conftest import LISTS, MODEL, UPLOAD, Book, Shell, creates, until


def delayed(on: str, when: str) -> dict[str, object]:
    return {"on": on, "do": "delay", "seconds": 2, "when": when}


@pytest.mark.parametrize(
    ("on", "when"),
    [(LISTS, "before"), (UPLOAD, "after"), ("GET /v1/files/*", "after")],
    ids=["looking", "uploaded without a reply", "waiting for the file"],
)
def test_killed_before_the_create_call_the_same_command_goes_on_with_the_submission(
    on: str, when: str, service: Service, shell: Shell, book: Book
) -> None:
    service.faults(delayed(on, when))
    dying = shell.start_submit()
    until(lambda: service.call("GET", "/sandbox/faults") == [])  # the fault has struck
    shell.kill(dying)
    (submission,) = book.submissions()
    assert submission["state"] == "recorded"

    done = shell.submit()

    assert (done.code, done.json["reused"]) == (0, False), done.out + done.err
    assert done.json["submission_id"] == submission["id"]
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]]
    assert len(book.entries()) == len(book.submissions()) == creates(service) == 1


def test_killed_after_the_service_made_the_job_the_same_command_takes_it_in(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults(delayed(CREATE, "after"))
    dying = shell.start_submit()
    until(service.jobs)
    shell.kill(dying)
    assert [row["state"] for row in book.submissions()] == ["sending"]

    done = shell.submit()

    assert (done.code, done.json["reused"]) == (0, True), done.out + done.err
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]] == [done.json["job_id"]]
    assert len(book.entries()) == creates(service) == 1


def test_killed_while_the_request_is_on_its_way_only_resend_creates(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults(delayed(CREATE, "before"))  # a request whose sender is gone by then is not processed
    dying = shell.start_submit()
    until(lambda: creates(service))
    shell.kill(dying)
    (submission,) = book.submissions()
    assert submission["state"] == "sending"

    (listed,) = shell.status()
    assert (listed["status"], listed["job_id"]) == ("uncertain", None)
    again = shell.submit()
    assert (again.code, again.json["details"]["submission_id"]) == (9, submission["id"])
    assert creates(service) == 1

    done = shell.resend(submission["id"])
    assert done.code == 0, done.out + done.err
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]] == [done.json["job_id"]]
    assert len(book.entries()) == 1


# Starting Python and importing takes longer than the protocol. A process that has done so once and forks for each
# command leaves the random kills nothing to hit but the protocol.
FORKING = """
import json, os, sys, time
import openai, structlog, tenacity, toktok
import ftjobs.app, ftjobs.cli.status, ftjobs.cli.submit, ftjobs.dataset.survey, ftjobs.ledger.store
import ftjobs.provider.api, ftjobs.reports.submission, ftjobs.workflows.plan, ftjobs.workflows.resend
from ftjobs.cli.main import main

toktok.batch_count(["warm"], "o200k_base", threads=1)


def fork(command):
    pid = os.fork()
    if pid:
        return pid
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(command[name], os.O_WRONLY), number)
    code = main(command["args"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


for line in sys.stdin:
    codes = []
    for pid, command in [(fork(command), command) for command in json.loads(line)]:
        if command["kill_after_s"] is not None:
            time.sleep(command["kill_after_s"])
            os.kill(pid, 9)  # unreaped, so the number is still its own
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print(json.dumps(codes), flush=True)
"""


@dataclass
class Forks:
    """Commands as real processes, forked from one that has imported everything."""

    server: subprocess.Popen[str]
    folder: Path
    number: int = 0

    def run(self, *commands: Sequence[str], kill_after_s: float | None = None) -> list[Run]:
        """Run commands side by side to their end, or to their death."""
        orders = []
        for args in commands:
            self.number += 1
            out, err = (self.folder / f"{self.number}.{name}" for name in ("out", "err"))
            for printed in (out, err):
                printed.touch()  # what dies at once prints nothing
            orders.append({"args": list(args), "out": str(out), "err": str(err), "kill_after_s": kill_after_s})
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps(orders) + "\n")
        self.server.stdin.flush()
        codes = json.loads(self.server.stdout.readline())
        return [
            Run(code, Path(str(order["out"])).read_text(), Path(str(order["err"])).read_text())
            for code, order in zip(codes, orders, strict=True)
        ]

    def run_all(self, commands: Sequence[Sequence[str]], *, at_once: int) -> list[Run]:
        """Run commands to their end, a few at a time; return them in order."""
        batches = [commands[start : start + at_once] for start in range(0, len(commands), at_once)]
        return [run for batch in batches for run in self.run(*batch)]


@pytest.fixture
def forks(person: Person, tmp_path: Path) -> Iterator[Forks]:
    folder = tmp_path / "printed"
    folder.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-c", FORKING],
        cwd=person.home,
        env=person.env(FTJOBS_SETTLE_S="0.2"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        yield Forks(server, folder)


@pytest.mark.slow
@pytest.mark.parametrize("keeps_metadata", [True, False])
def test_killed_at_a_random_moment_the_same_command_pays_once(
    keeps_metadata: bool, service: Service, shell: Shell, book: Book, forks: Forks
) -> None:
    chance = random.Random(f"kill -9, {keeps_metadata}")
    # Lists that hide every job for now: what was sent must be remembered, not looked up.
    service.settings(keep_metadata=keeps_metadata, list_lag_s=600)
    rounds = [["submit", str(shell.data), "--model", MODEL, "--json", "--again", f"r{nth}"] for nth in range(25)]

    for command in rounds:
        service.faults({"on": CREATE, "do": "delay", "seconds": 0.3, "when": chance.choice(["before", "after"])})
        (ran,) = forks.run(command, kill_after_s=chance.uniform(0, 0.9))
        assert ran.code in {-9, 0}, ran.out + ran.err
    service.faults()

    blind = forks.run_all(rounds, at_once=5)
    service.settings(list_lag_s=0)
    assert {run.code for run in blind} <= {0, 9}, [run.err for run in blind]
    in_doubt = [command for command, run in zip(rounds, blind, strict=True) if run.code == 9]
    seeing = forks.run_all(in_doubt, at_once=5)
    assert {run.code for run in seeing} <= {0, 9}, [run.err for run in seeing]
    unclear = [run.json["details"]["submission_id"] for run in seeing if run.code == 9]
    assert len(service.jobs()) == len(rounds) - len(unclear)
    resent = forks.run_all([["submit", "--resend", each, "--json"] for each in unclear], at_once=5)
    assert [run.code for run in resent] == [0] * len(unclear), [run.err for run in resent]

    jobs = {job["id"] for job in service.jobs()}
    assert len(jobs) == len(rounds)
    answered = {run.json["job_id"] for run in [*blind, *seeing, *resent] if run.code == 0}
    assert answered == set(book.job_ids()) == jobs
    until(lambda: all(job["status"] == "succeeded" for job in service.jobs()))
    shell.status()
    owners = Counter(row["id"] for row in book.submissions() if row["job_id"])
    assert Counter(entry["submission_id"] for entry in book.standing_estimates()) == owners
    assert Counter(entry["submission_id"] for entry in book.entries("billed")) == owners
    assert book.entries("void") == []
