"""The process dies at a random moment, again and again: one job each, one estimate, one bill."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from tests.conftest import CREATE, Service
from tests.e2e.conftest import MODEL, until
from tests.faults.conftest import Desk


@pytest.mark.slow
@pytest.mark.parametrize("keeps_metadata", [True, False])
def test_killed_at_a_random_moment_the_same_command_pays_once(
    keeps_metadata: bool, service: Service, desk: Desk
) -> None:
    chance = random.Random(f"kill -9, {keeps_metadata}")
    # Lists that hide every job for now: what was sent must be remembered, not looked up.
    service.settings(keep_metadata=keeps_metadata, list_lag_s=600)
    rounds = [["submit", str(desk.data), "--model", MODEL, "--json", "--again", f"r{nth}"] for nth in range(10)]

    for command in rounds:
        service.faults({"on": CREATE, "do": "delay", "seconds": 0.3, "when": chance.choice(["before", "after"])})
        dying = desk.forks.start(desk.person, *command)
        time.sleep(chance.uniform(0, 0.9))
        dying.kill()
    service.faults()

    blind = desk.forks.run_all(desk.person, rounds, at_once=5)
    service.settings(list_lag_s=0)
    assert {run.code for run in blind} <= {0, 9}, [run.err for run in blind]
    in_doubt = [command for command, run in zip(rounds, blind, strict=True) if run.code == 9]
    seeing = desk.forks.run_all(desk.person, in_doubt, at_once=5)
    assert {run.code for run in seeing} <= {0, 9}, [run.err for run in seeing]
    unclear = [run.json["details"]["submission_id"] for run in seeing if run.code == 9]
    assert len(service.jobs()) == len(rounds) - len(unclear)
    resends = [["submit", "--resend", each, "--json"] for each in unclear]
    resent = desk.forks.run_all(desk.person, resends, at_once=5)
    assert [run.code for run in resent] == [0] * len(unclear), [run.err for run in resent]

    jobs = {job["id"] for job in service.jobs()}
    assert len(jobs) == len(rounds)
    answered = {run.json["job_id"] for run in [*blind, *seeing, *resent] if run.code == 0}
    book = desk.book
    assert answered == set(book.job_ids()) == jobs
    until(lambda: all(job["status"] == "succeeded" for job in service.jobs()))
    desk.run("status")
    owners = Counter(row["id"] for row in book.submissions() if row["job_id"])
    assert Counter(entry["submission_id"] for entry in book.standing_estimates()) == owners
    assert Counter(entry["submission_id"] for entry in book.entries("billed")) == owners
    assert book.entries("void") == []
