"""Watching: a stream until all have ended, and an exit code that says how."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ftjobs.sandbox.serving import serve_in_background
from tests.conftest import Service
from tests.e2e.conftest import arrivals, until

if TYPE_CHECKING:
    from tests.conftest import Person, Run

MakeFile = Callable[[str, int], Path]
Inside = Callable[..., "Run"]


def stream(out: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in out.splitlines()]
    assert all(line["schema"] == "ftjobs.jobs/1" for line in lines)
    return lines


@pytest.fixture
def hurried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, person: Person) -> Iterator[Service]:
    """The person's service, at which time passes whenever it is asked: however slow this machine is."""
    ticks = count(time.time(), 0.4)
    with serve_in_background(tmp_path / "hurried", clock=lambda: next(ticks)) as base_url:
        served = Service(base_url)
        served.settings(job_seconds=60, file_seconds=0.1)
        monkeypatch.setitem(person.environ, "OPENAI_BASE_URL", base_url)
        monkeypatch.setitem(person.environ, "FTJOBS_POLL_INITIAL_S", "0.01")
        monkeypatch.setitem(person.environ, "FTJOBS_POLL_MAX_S", "0.01")
        yield served


def test_two_jobs_are_followed_until_both_have_ended(
    person: Person, service: Service, inside: Inside, make_training_file: MakeFile
) -> None:
    inside("submit", str(make_training_file("a.jsonl", 12)), "--model", "gpt-4o-mini")
    service.settings(job_seconds=1.2)
    inside("submit", str(make_training_file("b.jsonl", 13)), "--model", "gpt-4o-mini")
    told = person.run("watch", "--json")
    assert told.code == 0
    lines = [line["jobs"] for line in stream(told.out)]
    seen = [[job["status"] for job in line] for line in lines]
    assert seen[-1] == ["succeeded", "succeeded"]
    assert "succeeded" not in {statuses[1] for statuses in seen[:-1]}
    assert all(one != following for one, following in pairwise(lines)), "only changes are told"
    assert all(job["billed_cost_usd"] for job in stream(told.out)[-1]["jobs"])


def test_piped_text_is_a_line_for_each_change_and_each_further_tenth(hurried: Service, inside: Inside) -> None:
    source = Path(__file__).resolve().parents[2] / "ftjobs/sandbox/sample.jsonl"
    inside("submit", str(source), "--model", "gpt-4o-mini")
    told = inside("watch")
    job_id = hurried.jobs()[0]["id"]
    *rest, last = told.out.splitlines()
    assert re.fullmatch(rf"{job_id} succeeded, billed \$\d\.\d+, model ft:\S+", last)
    running = rf"{job_id} running( (\d+)% \(step \d+ of \d+\), loss \d\.\d+(, about \d+ (s|min) left)?)?"
    found = [re.fullmatch(rf"{job_id} (validating_files|queued)|{running}", line) for line in rest]
    assert all(found), rest
    tenths = [int(each[3]) // 10 for each in found if each and each[3]]
    assert len(tenths) >= 4
    assert all(one < following for one, following in pairwise(tenths)), "a line for each tenth, not for each look"
    assert len([each for each in found if each and not each[3]]) <= 3


def test_progress_costs_a_request_a_look_and_running_job_and_status_none(
    hurried: Service, inside: Inside, training_file: Path
) -> None:
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    path = f"GET /v1/fine_tuning/jobs/{hurried.jobs()[0]['id']}"
    until(lambda: hurried.jobs()[0]["status"] == "running")
    assert inside("status").out.splitlines()[1].split()[1] == "running"
    assert not arrivals(hurried, f"{path}/events")
    looks = len(arrivals(hurried, path))
    lines = stream(inside("watch", "--json").out)
    asked = arrivals(hurried, f"{path}/events")
    assert 1 <= len(asked) <= len(arrivals(hurried, path)) - looks
    assert len({each["query"] for each in asked}) > 1, "all at first, then only as many as needed"
    known = [line["jobs"][0]["progress"] for line in lines if line["jobs"][0]["progress"] is not None]
    assert known == sorted(set(known)) and known[-1] == 1
    assert len(known) >= 3


def test_where_events_cannot_be_had_progress_is_unknown_and_the_watch_goes_on(
    service: Service, inside: Inside, training_file: Path
) -> None:
    service.faults({"on": "GET /v1/fine_tuning/jobs/*/events", "do": "status", "status": 404, "times": 99})
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    told = inside("watch", "--json")
    assert (told.code, told.err) == (0, "")
    assert [line["jobs"][0]["progress"] for line in stream(told.out)][:-1] == [None] * (len(stream(told.out)) - 1)


def test_a_network_that_goes_and_comes_back_is_told_of_twice_and_ends_nothing(
    service: Service, inside: Inside, training_file: Path
) -> None:
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    path = f"GET /v1/fine_tuning/jobs/{service.jobs()[0]['id']}"
    service.faults({"on": path, "do": "drop", "times": 6}, {"on": path, "do": "status", "status": 503, "times": 2})
    told = inside("watch")
    assert told.code == 0
    away, back = told.err.splitlines()
    assert re.fullmatch(
        r"note: The API at \S+ did not answer for job ftjob-\w+: .* Looking again until it does\.", away
    )
    assert re.fullmatch(r"note: The service answers again; it had not since \d\d:\d\d:\d\d UTC\.", back)
    assert len(arrivals(service, path)) >= 9


def test_a_service_that_asks_to_wait_is_left_alone_and_the_time_out_holds(
    service: Service, inside: Inside, training_file: Path
) -> None:
    service.settings(job_seconds=1000)
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    path = f"GET /v1/fine_tuning/jobs/{service.jobs()[0]['id']}"
    service.faults({"on": path, "do": "status", "status": 503, "headers": {"retry-after": "100"}, "times": 9})
    began = time.monotonic()
    told = inside("watch", "--timeout", "1s")
    assert told.code == 10
    assert time.monotonic() - began < 90
    assert len(arrivals(service, path)) == 1


def test_a_key_that_is_refused_ends_it(service: Service, inside: Inside, training_file: Path) -> None:
    service.settings(job_seconds=1000)
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    service.faults({"on": "GET /v1/fine_tuning/jobs/*", "do": "status", "status": 401})
    told = inside("watch")
    assert (told.code, told.out) == (7, "")


def test_what_is_settled_needs_no_service_to_be_shown_again(
    service: Service, inside: Inside, training_file: Path
) -> None:
    inside("submit", str(training_file), "--model", "gpt-4o-mini", "--wait")
    before = len(service.requests())
    told = inside("watch", "last")
    assert (told.code, told.out.count("succeeded, billed $")) == (0, 1)
    assert len(service.requests()) == before


def test_a_failed_job_is_exit_6_with_its_own_object(person: Person, service: Service, training_file: Path) -> None:
    service.settings(fail_jobs="server_error")
    told = person.run("submit", str(training_file), "--model", "gpt-4o-mini", "--wait", "--json")
    assert told.code == 6
    submitted, *watched = [json.loads(line) for line in told.out.splitlines()]
    assert submitted["schema"] == "ftjobs.submission/1"
    assert watched[-1]["schema"] == "ftjobs.jobs/1"
    (job,) = watched[-1]["jobs"]
    assert (job["status"], job["error"]["code"]) == ("failed", "server_error")
    assert (job["trained_tokens"], job["billed_cost_usd"]) == (None, None)
    assert f"{job['job_id']}: server_error: " in told.err
    again = person.run("watch", "last")
    assert (again.code, again.out) == (6, f"{job['job_id']} failed, its bill is unknown\n")


def test_at_the_time_out_the_jobs_go_on_and_the_line_to_go_on_is_told(
    person: Person, service: Service, inside: Inside, training_file: Path
) -> None:
    service.settings(job_seconds=1000)
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    told = person.run("watch", "--timeout", "0.5s")
    job_id = service.jobs()[0]["id"]
    assert told.code == 10
    assert told.out == f"{job_id} validating_files\n"
    message, next_step = told.err.splitlines()
    assert message == "error: After 0.5 s 1 of 1 jobs had not ended when last seen."
    assert f"`ftjobs watch {job_id}`" in next_step
    assert service.jobs()[0]["status"] == "validating_files"


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_exits_130_with_the_line_to_go_on(
    person: Person, service: Service, inside: Inside, training_file: Path, *, as_json: bool
) -> None:
    service.settings(job_seconds=1000)
    inside("submit", str(training_file), "--model", "gpt-4o-mini")
    watching = person.start("watch", *(["--json"] if as_json else []))
    assert watching.stdout is not None
    watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=120)
    assert watching.returncode == 130
    assert "Traceback" not in err
    told = json.loads(out)["next_step"] if as_json else err
    job_id = service.jobs()[0]["id"]
    assert f"`ftjobs watch {job_id}`" in told
    assert service.jobs()[0]["status"] == "validating_files"


def test_a_job_that_the_service_lost_is_said_to_be_missing_and_hides_no_other(
    service: Service, inside: Inside, make_training_file: MakeFile
) -> None:
    service.settings(job_seconds=60, list_lag_s=3600)
    lost = inside("submit", str(make_training_file("a.jsonl", 12)), "--model", "gpt-4o-mini", "--json").json
    service.settings(job_seconds=0.6)
    other = inside("submit", str(make_training_file("b.jsonl", 13)), "--model", "gpt-4o-mini", "--json").json
    service.faults(
        {"on": f"GET /v1/fine_tuning/jobs/{lost['job_id']}", "do": "status", "status": 404, "times": 1000}
    )
    told = inside("watch")
    assert told.code == 7
    assert f"{lost['job_id']} missing" in told.out
    assert f"{other['job_id']} succeeded, billed $" in told.out
    assert "error: The service does not know job" in told.err
    shown = inside("status")
    assert shown.code == 0
    assert [line.split()[:2] for line in shown.out.splitlines()[1:]] == [
        [lost["job_id"], "missing"],
        [other["job_id"], "succeeded"],
    ]
    assert "check the account and project of the API key" in shown.err


def test_one_broken_service_does_not_hide_another(
    person: Person, service: Service, make_training_file: MakeFile, inside: Inside, tmp_path: Path
) -> None:
    with serve_in_background(tmp_path / "second") as second_url:
        (person.home / "ftjobs.toml").write_text(
            f'[profiles.works]\nbase_url = "{service.base_url}"\napi_key_env = "OPENAI_API_KEY"\n'
            f'[profiles.breaks]\nbase_url = "{second_url}"\napi_key_env = "OPENAI_API_KEY"\n'
        )
        inside("submit", str(make_training_file("a.jsonl", 12)), "--model", "gpt-4o-mini", "--profile", "breaks")
        inside("submit", str(make_training_file("b.jsonl", 13)), "--model", "gpt-4o-mini", "--profile", "works")
        deadline = time.monotonic() + 120
        while service.jobs()[0]["status"] != "succeeded":
            assert time.monotonic() < deadline
    patient = tmp_path / "no-waits"
    patient.mkdir()
    (patient / "sitecustomize.py").write_text("import time\ntime.sleep = lambda _seconds: None\n")
    told = person.run("status", PYTHONPATH=f"{patient}:{person.env()['PYTHONPATH']}")
    assert told.code == 8
    _, unreachable, reachable = told.out.splitlines()
    assert "validating_files" in unreachable
    assert re.search(r"succeeded .* \$0\.\d{4} ", reachable)
    assert f"error: The API at {second_url} did not answer" in told.err
