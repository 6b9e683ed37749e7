"""Jobs that could not be recorded are kept beside the ledger, and taken in once."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ftjobs.jobs.job import Job
from ftjobs.ledger.orphans import keep_orphan, orphans_path, take_in_orphans
from ftjobs.ledger.place import own_files
from ftjobs.ledger.store import Ledger
from tests.contract.conftest import NOW, Crew, Place, a_job, a_submission, created


def take_in(ledger: Ledger) -> list[str]:
    """Return the job ids that were taken in."""
    taken: list[str] = []

    def note(_submission_id: str, job: Job) -> None:
        taken.append(job.id)

    take_in_orphans(ledger, now=NOW, on_taken=note)
    return taken


def sent(ledger: Ledger, number: int = 1) -> str:
    """Return the id of a submission whose create call is under way."""
    submission = a_submission(number)
    ledger.record(submission)
    ledger.begin_sending(submission.id, "recorded", now=NOW)
    return submission.id


def test_an_orphan_becomes_its_submissions_job_and_its_file_is_gone(ledger: Ledger) -> None:
    mine = sent(ledger)
    job = a_job(1, "queued", metadata={"ftjobs_submission": mine, "team": "Straße"})
    kept = keep_orphan(ledger.place, mine, job)
    assert kept == orphans_path(ledger.place)
    assert take_in(ledger) == ["ftjob-0001"]
    now = ledger.get(mine)
    assert (now.state, now.job) == ("created", job)
    assert not kept.exists()
    assert take_in(ledger) == []


def test_without_orphans_nothing_is_written_beside_the_ledger(ledger: Ledger) -> None:
    beside = own_files(ledger.place).parent
    before = sorted(beside.glob("*"))
    assert take_in(ledger) == []
    assert sorted(beside.glob("*")) == before


def test_an_orphan_is_whole_on_disk_before_it_counts_as_kept(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []

    def fsync(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            synced.append(Path(f"/proc/self/fd/{handle}").resolve().read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    keep_orphan(ledger.place, "01MINE", a_job())
    assert [json.loads(each)["job"]["id"] for each in synced] == ["ftjob-0001"]
    assert synced[-1] == orphans_path(ledger.place).read_bytes()


@pytest.mark.usefixtures("usual_umask")
def test_the_orphans_file_is_private_from_its_first_line_to_its_last(ledger: Ledger) -> None:
    mine = sent(ledger)
    path = keep_orphan(ledger.place, "01SOMEBODY", a_job(2))
    keep_orphan(ledger.place, mine, a_job(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert take_in(ledger) == ["ftjob-0001"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


DAMAGED = [
    b"",
    b"not json",
    b'{"submission_id": "01',
    b"\xff\xfe",
    b"[]",
    b"7",
    b"null",
    b"{}",
    b'{"submission_id": 5, "job": {}}',
    b"[" * 100_000,
]


def test_lines_that_cannot_be_taken_in_stay_for_a_person_and_hide_no_other(ledger: Ledger) -> None:
    mine = sent(ledger)
    of_another_ledger = json.dumps({"submission_id": "01NOBODY", "job": dict(a_job(9).raw)}).encode()
    no_job = json.dumps({"submission_id": mine, "job": {"object": "error"}}).encode()
    good = json.dumps({"submission_id": mine, "job": dict(a_job(1).raw)}).encode()
    bad = [*DAMAGED, of_another_ledger, no_job]
    path = orphans_path(ledger.place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join([*bad, good]) + b"\n")
    assert take_in(ledger) == ["ftjob-0001"]
    assert path.read_bytes().split() == b"\n".join(bad).split()
    left = path.read_bytes()
    assert take_in(ledger) == []
    assert path.read_bytes() == left


def test_an_orphan_of_another_ledger_is_taken_in_by_it_later(ledger: Ledger) -> None:
    submission = a_submission()
    keep_orphan(ledger.place, submission.id, a_job())
    assert take_in(ledger) == []
    ledger.record(submission)
    assert take_in(ledger) == ["ftjob-0001"]


def test_an_orphan_whose_job_was_recorded_meanwhile_changes_nothing_but_its_state(ledger: Ledger) -> None:
    mine = created(ledger)
    keep_orphan(ledger.place, mine.id, a_job(1, "succeeded"))
    take_in(ledger)
    assert len(ledger.trails()) == 1
    assert len(ledger.trails()[0].entries) == 1


def test_an_orphan_that_contradicts_the_ledger_keeps_nobody_from_opening_it(ledger: Ledger) -> None:
    """Its submission has another job, or its job another submission."""
    mine, other = created(ledger, 1), sent(ledger, 2)
    keep_orphan(ledger.place, mine.id, a_job(7))
    keep_orphan(ledger.place, other, a_job(1))
    assert take_in(ledger) == []
    assert ledger.get(mine.id) == mine
    assert ledger.get(other).job is None


def test_a_line_that_was_cut_short_does_not_swallow_the_next_one(ledger: Ledger) -> None:
    mine = sent(ledger)
    path = orphans_path(ledger.place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'{"submission_id": "01CUT", "job": {"object": "fine_t')
    keep_orphan(ledger.place, mine, a_job())
    assert take_in(ledger) == ["ftjob-0001"]
    assert b"01CUT" in path.read_bytes()


def test_an_orphan_for_which_the_disk_has_no_room_is_an_error_and_not_half_a_line(
    ledger: Ledger, crew: Crew
) -> None:
    child = crew.start(
        """
import resource
from ftjobs.ledger.orphans import keep_orphan
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    keep_orphan(at(sys.argv[1]).where, "01MINE", a_job())
except OSError as error:
    tell(type(error).__name__)
else:
    tell("kept")
"""
    )
    assert json.loads(child.communicate()[0]) == "OSError"
    mine = sent(ledger)
    keep_orphan(ledger.place, mine, a_job())
    assert take_in(ledger) == ["ftjob-0001"]


def test_processes_that_take_orphans_in_at_once_take_each_in_once(place: Place, crew: Crew) -> None:
    ledger = place.open()
    for number in range(6):
        keep_orphan(ledger.place, sent(ledger, number), a_job(number))
    told = crew.race(
        """
from ftjobs.ledger.orphans import take_in_orphans
ledger, taken = at(sys.argv[1]).open(), []
ready()
take_in_orphans(ledger, now=NOW, on_taken=lambda submission_id, job: taken.append(job.id))
tell(taken)
""",
        times=4,
    )
    assert sorted(job_id for taken in told for job_id in taken) == [f"ftjob-{number:04d}" for number in range(6)]
    assert all(trail.submission.job for trail in ledger.trails())
    assert not orphans_path(ledger.place).exists()


def test_an_orphan_kept_while_others_are_taken_in_is_not_lost(place: Place, crew: Crew) -> None:
    """Two processes keep 20 each, two take in meanwhile; what is left over is taken in afterwards."""
    ledger = place.open()
    for number in range(40):
        sent(ledger, number)
    told = crew.race(
        """
from ftjobs.ledger.orphans import keep_orphan, take_in_orphans
me, taken = int(sys.argv[2]), []
ledger = at(sys.argv[1]).open()
ready()
for n in range(20):
    if me < 2:
        keep_orphan(ledger.place, a_submission(20 * me + n).id, a_job(20 * me + n))
    else:
        take_in_orphans(ledger, now=NOW, on_taken=lambda submission_id, job: taken.append(job.id))
tell(taken)
""",
        times=4,
    )
    taken = [job_id for each in told for job_id in each] + take_in(ledger)
    assert sorted(taken) == [f"ftjob-{number:04d}" for number in range(40)]
