"""What watching prints where nobody looks at a table, and which jobs it lets go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from ftjobs.ambient import Ambient
from ftjobs.app import App
from ftjobs.cli.options import Globals
from ftjobs.cli.screens import open_screen
from ftjobs.jobs.job import parse_job
from ftjobs.jobs.progress import Progress, Stall
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import Trail
from ftjobs.workflows.observe import Snapshot

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def trail(job_id: str, status: str = "running") -> Trail:
    raw = {"object": "fine_tuning.job", "id": job_id, "status": status, "created_at": 1_795_000_000}
    submission = Submission(
        id=f"01J{job_id}",
        key="k",
        state="created",
        profile="openai",
        account="a",
        recorded_at=NOW,
        spec=None,
        quote=None,
        tags={},
        job=parse_job(raw),
    )
    return Trail(submission, ())


def shown(given: Globals, *looks: Sequence[Progress]) -> None:
    with open_screen(cast(App, SimpleNamespace(ambient=Ambient())), given) as screen:
        for look in looks:
            snapshots = [Snapshot(trail(f"ftjob-{nth}"), progress) for nth, progress in enumerate(look)]
            screen.show(snapshots, looked_at=NOW)


STUCK = Progress(fraction=0.5, step=1, total_steps=2, stalled=Stall("no_step", timedelta(hours=1)))


def test_a_stall_is_called_out_once(capsys: pytest.CaptureFixture[str]) -> None:
    longer = Progress(fraction=0.5, step=1, total_steps=2, stalled=Stall("no_step", timedelta(hours=2)))
    shown(Globals(profile="mine"), [STUCK], [STUCK], [longer])
    out, err = capsys.readouterr()
    assert out == "ftjob-0 running 50% (step 1 of 2)\n"
    assert err.count("\n") == 1
    assert err.startswith("note: ftjob-0: no step for 1 h, longer than usual. ")
    assert "`ftjobs --profile mine cancel ftjob-0`" in err


def test_json_is_a_line_a_change_with_all_jobs_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    half, more = Progress(fraction=0.5), Progress(fraction=0.55)
    shown(Globals(json=True, verbosity=-1), [Progress(), half], [half, half], [more, more], [more, STUCK])
    out, err = capsys.readouterr()
    told = [[job["progress"] for job in json.loads(line)["jobs"]] for line in out.splitlines()]
    assert (told, err) == ([[None, 0.5], [0.5, 0.5]], "")
