"""What a job left is kept whole or not at all, under our names, and never in another file's place unasked."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from ftjobs.jobs.curve import Curve
from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.result_file import stem_of
from ftjobs.provider.api import Api
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.workflows import results as results_module
from ftjobs.workflows.drafts import put
from ftjobs.workflows.results import Saved, save_results, save_trail
from tests.wire.conftest import JOBS, URL, Accounts, job_object, page_of

TABLE = b"step,train_loss,valid_loss\n1,2.5,\n2,2.0,2.25\n"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def api(account: Accounts) -> Api:
    """An account whose requests are made once."""
    return account(policy=ONCE).api


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    made = tmp_path / "out"
    made.mkdir()
    return made


def job(job_id: str = "ftjob-1", **fields: object) -> Job:
    return parse_job(job_object(job_id, **{"status": "succeeded", "result_files": ["file-a"], **fields}))


def serve(mock: respx.MockRouter, **contents: bytes | int) -> None:
    """Answer for the contents of these files (a number is a status) by the letters of their ids."""
    for letter, content in contents.items():
        answer = httpx.Response(content) if isinstance(content, int) else httpx.Response(200, content=content)
        mock.get(f"{URL}/files/file-{letter}/content").mock(return_value=answer)


def told(saved: Saved) -> list[tuple[str, str, str]]:
    return [(each.path.name, each.kind, each.placed) for each in saved.files]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Result files


def test_a_result_file_is_kept_for_its_owner_alone(api: Api, httpx2_mock: respx.MockRouter, folder: Path) -> None:
    serve(httpx2_mock, a=TABLE)
    saved = save_results(job(), api, folder / "new" / "there")
    (path,) = saved.paths
    assert (path.name, path.read_bytes()) == ("ftjob-1-result-1.csv", TABLE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [(each.step, each.train_loss, each.valid_loss) for each in saved.curve.points] == [
        (1, 2.5, None),
        (2, 2.0, 2.25),
    ]
    assert (saved.failure, saved.notes) == (None, ())


def test_a_second_run_finds_the_same_and_writes_nothing(
    api: Api, httpx2_mock: respx.MockRouter, folder: Path
) -> None:
    serve(httpx2_mock, a=base64.b64encode(TABLE))
    save_results(job(), api, folder)
    before = (folder / "ftjob-1-result-1.csv").stat()
    again = save_results(job(), api, folder)
    assert told(again) == [("ftjob-1-result-1.csv", "csv", "there")]
    after = (folder / "ftjob-1-result-1.csv").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert (folder / "ftjob-1-result-1.csv").read_bytes() == TABLE


def test_what_is_something_else_is_left_alone_unless_forced(
    api: Api, httpx2_mock: respx.MockRouter, folder: Path
) -> None:
    serve(httpx2_mock, a=TABLE)
    target = folder / "ftjob-1-result-1.csv"
    target.write_bytes(b"mine")
    saved = save_results(job(), api, folder)
    assert saved.failure is not None
    assert (saved.failure.code, saved.failure.exit_code, target.read_bytes()) == ("output_exists", 2, b"mine")
    assert saved.curve.points, "it was fetched all the same, and can be shown"
    assert told(save_results(job(), api, folder, force=True)) == [(target.name, "csv", "written")]
    assert target.read_bytes() == TABLE
    assert names(folder) == [target.name]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("content", [b"precious", TABLE])
def test_a_link_in_its_place_is_never_followed(
    api: Api, httpx2_mock: respx.MockRouter, folder: Path, content: bytes, force: bool
) -> None:
    serve(httpx2_mock, a=TABLE)
    precious = folder.with_name("precious")
    precious.write_bytes(content)
    target = folder / "ftjob-1-result-1.csv"
    target.symlink_to(precious)
    saved = save_results(job(), api, folder, force=force)
    assert precious.read_bytes() == content
    assert target.is_symlink() is not force
    assert (saved.failure is None) is force


def test_a_file_that_is_gone_is_told_the_others_are_kept_and_an_outage_is_the_failure_that_counts(
    api: Api, httpx2_mock: respx.MockRouter, folder: Path
) -> None:
    serve(httpx2_mock, a=404, b=TABLE, c=500)
    saved = save_results(job(result_files=["file-a", "file-b", "file-c"]), api, folder)
    assert told(saved) == [("ftjob-1-result-2.csv", "csv", "written")]
    assert saved.failure is not None
    assert (saved.failure.code, saved.failure.exit_code) == ("unavailable", 8)
    assert ["file-a" in saved.notes[0], "file-c" in saved.notes[1]] == [True, True]
    assert len(saved.curve.points) == 2


def test_a_file_that_is_gone_for_good_is_the_failure(
    api: Api, httpx2_mock: respx.MockRouter, folder: Path
) -> None:
    serve(httpx2_mock, a=404, b=TABLE)
    saved = save_results(job(result_files=["file-a", "file-b"]), api, folder)
    assert saved.failure is not None
    assert (saved.failure.code, saved.failure.exit_code) == ("file_not_found", 7)


def test_what_nobody_can_read_is_kept_as_it_came_and_said(
    api: Api, httpx2_mock: respx.MockRouter, folder: Path
) -> None:
    serve(httpx2_mock, a=b"\x89PNG\r\n\x1a\n\x00")
    httpx2_mock.get(f"{JOBS}/ftjob-1/events").respond(json=page_of())
    saved = save_results(job(), api, folder)
    assert told(saved) == [("ftjob-1-result-1-unread.bin", "unknown", "written")]
    assert saved.paths[0].read_bytes() == b"\x89PNG\r\n\x1a\n\x00"
    assert "no table of steps" in saved.notes[0]


def test_without_a_file_the_events_tell_the_curve(api: Api, httpx2_mock: respx.MockRouter, folder: Path) -> None:
    httpx2_mock.get(f"{JOBS}/ftjob-1/events").respond(json=page_of(metrics(2), metrics(1)))
    saved = save_results(job(status="running", result_files=[]), api, folder / "none", draw=picture)
    assert [each.step for each in saved.curve.points] == [1, 2]
    assert not (folder / "none").exists(), "what goes on leaves nothing yet"
    httpx2_mock.get(f"{JOBS}/ftjob-1/events").respond(404)
    assert save_results(job(result_files=[]), api, folder).failure is None


def test_pictures_are_kept_beside_it(api: Api, httpx2_mock: respx.MockRouter, folder: Path) -> None:
    serve(httpx2_mock, a=TABLE)
    saved = save_results(job(), api, folder, draw=picture)
    assert told(saved)[1:] == [("ftjob-1-loss.svg", "picture", "written")]
    (folder / "ftjob-1-loss.svg").write_bytes(b"mine")
    again = save_results(job(), api, folder, draw=picture)
    assert (again.failure, (folder / "ftjob-1-loss.svg").read_bytes()) == (None, b"mine")
    assert "left alone" in again.notes[0]


@pytest.mark.parametrize(
    "job_id", ["../../etc/passwd", "a/b", "..", "a\x1b[2Jb", "CON?", "x" * 300, "ft job", "ü"]
)
def test_a_name_comes_from_safe_characters_only(
    api: Api, httpx2_mock: respx.MockRouter, folder: Path, job_id: str
) -> None:
    serve(httpx2_mock, a=TABLE)
    saved = save_results(job(job_id), api, folder / "in")
    assert [path.parent for path in saved.paths] == [folder / "in"]
    stem = stem_of(job_id)
    assert all(each.isascii() and (each.isalnum() or each in "_-") for each in stem)
    assert len(stem) <= 73
    assert stem != stem_of(f"{job_id}!")
    assert names(folder) == ["in"]


def test_a_folder_that_cannot_be_made_is_no_bug(api: Api, httpx2_mock: respx.MockRouter, folder: Path) -> None:
    serve(httpx2_mock, a=TABLE)
    (folder / "file").write_bytes(b"")
    saved = save_results(job(), api, folder / "file")
    assert saved.failure is not None
    assert saved.failure.code == "output_unwritable"


@pytest.mark.parametrize("nameless", [True, False])
@pytest.mark.parametrize("place", ["fsync", "link"])
def test_an_interruption_leaves_nothing_half_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool, place: str
) -> None:
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE")

    def interrupted(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, place, interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(folder / "a", TABLE)
    monkeypatch.undo()
    assert names(folder) == []


def test_a_file_system_without_links_keeps_the_promise_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError

    monkeypatch.delattr(os, "O_TMPFILE")
    monkeypatch.setattr(os, "link", refuse)
    assert [put(folder / "a", b"1"), put(folder / "a", b"1"), put(folder / "a", b"2")] == [
        "written",
        "there",
        "taken",
    ]
    assert put(folder / "a", b"2", force=True) == "written"
    assert ((folder / "a").read_bytes(), names(folder)) == (b"2", ["a"])


# The whole trail


def metrics(step: int) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.event",
        "id": f"ev-{step}",
        "created_at": 1_795_000_000 + step,
        "level": "info",
        "type": "metrics",
        "message": f"step {step}",
        "data": {"step": step, "train_loss": 3.0 - step},
    }


def checkpoint(step: int) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": f"ck-{step}",
        "created_at": 1_795_000_000 + step,
        "fine_tuning_job_id": "ftjob-1",
        "fine_tuned_model_checkpoint": f"ft:{step}",
        "step_number": step,
        "metrics": {"train_loss": 1.0},
    }


def picture(_curve: Curve) -> dict[str, bytes]:
    return {"svg": b"<svg/>"}


@pytest.fixture
def trail(httpx2_mock: respx.MockRouter) -> Callable[..., dict[str, respx.Route]]:
    """Serve everything that a job has, or another answer for a part of it."""

    def served(**answers: httpx.Response) -> dict[str, respx.Route]:
        parts = {
            "events": (f"{JOBS}/ftjob-1/events", httpx.Response(200, json=page_of(metrics(2), metrics(1)))),
            "checkpoints": (f"{JOBS}/ftjob-1/checkpoints", httpx.Response(200, json=page_of(checkpoint(2)))),
            "file": (f"{URL}/files/file-a/content", httpx.Response(200, content=TABLE)),
        }
        return {
            name: httpx2_mock.get(url).mock(return_value=answers.get(name, answer))
            for name, (url, answer) in parts.items()
        }

    return served


Trail = Callable[..., dict[str, respx.Route]]
EVERYTHING = ["checkpoints.json", "events.jsonl", "ftjob-1-result-1.csv", "job.json"]


def test_a_trail_is_kept_as_the_service_told_it(api: Api, trail: Trail, folder: Path) -> None:
    trail()
    saved = save_trail(job(), api, folder)
    kept = folder / "ftjob-1"
    assert (saved.directory, saved.failure, names(kept)) == (kept, None, EVERYTHING)
    assert json.loads((kept / "job.json").read_bytes()) == job().raw
    lines = (kept / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [metrics(1), metrics(2)]
    assert json.loads((kept / "checkpoints.json").read_bytes()) == [checkpoint(2)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}


def test_what_an_ended_job_left_is_not_fetched_again(api: Api, trail: Trail, folder: Path) -> None:
    routes = trail()
    save_trail(job(), api, folder)
    before = {name: route.call_count for name, route in routes.items()}
    again = save_trail(job(), api, folder)
    assert {name: route.call_count for name, route in routes.items()} == before
    assert sorted(placed for _, _, placed in told(again)) == ["there"] * 4


def test_what_a_job_told_while_it_ran_is_replaced_once_it_ended(api: Api, trail: Trail, folder: Path) -> None:
    trail(events=httpx.Response(200, json=page_of(metrics(1))), checkpoints=httpx.Response(200, json=page_of()))
    save_trail(job(status="running", result_files=[]), api, folder)
    trail()
    saved = save_trail(job(), api, folder)
    kept = folder / "ftjob-1"
    assert (saved.failure, names(kept)) == (None, EVERYTHING)
    assert (kept / "events.jsonl").read_text(encoding="utf-8").count("\n") == 2
    assert json.loads((kept / "job.json").read_bytes())["status"] == "succeeded"


def test_what_is_out_of_date_is_not_taken_for_final(api: Api, trail: Trail, folder: Path) -> None:
    trail(events=httpx.Response(200, json=page_of(metrics(1))))
    save_trail(job(status="running", result_files=[]), api, folder)
    trail(events=httpx.Response(500))
    failed = save_trail(job(), api, folder)
    assert failed.failure is not None
    kept = folder / "ftjob-1"
    assert json.loads((kept / "job.json").read_bytes())["status"] == "running"
    trail()
    save_trail(job(), api, folder)
    assert (kept / "events.jsonl").read_text(encoding="utf-8").count("\n") == 2


@pytest.mark.parametrize("part", ["events", "checkpoints", "file"])
def test_what_cannot_be_had_is_told_and_fetched_by_the_next_run(
    api: Api, trail: Trail, folder: Path, part: str
) -> None:
    trail(**{part: httpx.Response(503)})
    saved = save_trail(job(), api, folder)
    assert saved.failure is not None
    assert (saved.failure.exit_code, len(saved.notes), len(names(folder / "ftjob-1"))) == (8, 1, 3)
    trail()
    assert save_trail(job(), api, folder).failure is None
    assert names(folder / "ftjob-1") == EVERYTHING


def test_a_folder_that_holds_something_else_is_left_alone(api: Api, folder: Path) -> None:
    (folder / "ftjob-1").mkdir()
    (folder / "ftjob-1" / "job.json").write_bytes(b"{}")
    saved = save_trail(job(), api, folder)
    assert saved.failure is not None
    assert (saved.failure.code, names(folder / "ftjob-1")) == ("output_exists", ["job.json"])


def test_an_interrupted_trail_goes_on(
    api: Api, trail: Trail, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail()

    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(results_module, "checkpoints", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_trail(job(), api, folder)
    monkeypatch.undo()
    assert save_trail(job(), api, folder).failure is None
    assert names(folder / "ftjob-1") == EVERYTHING
