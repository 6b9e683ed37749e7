"""The main job and the protocol against services that differ: nothing but a profile makes them work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftjobs.cli.practice import practice_profile, practice_settings
from ftjobs.sandbox.personalities import PERSONALITIES
from ftjobs.sandbox.serving import serve_in_background
from tests.conftest import CREATE, Person, Service
from tests.e2e.conftest import UPLOAD, Book, Shell, arrivals, creates
from tests.forks import Forks

MODELS = {
    "azure": "gpt-4o-mini",
    "nebius": "meta-llama/Llama-3.1-8B-Instruct",
    "litellm": "gpt-4o-mini",
    "bare": "gpt-4o-mini",
}


@pytest.fixture(params=list(MODELS))
def played(request: pytest.FixtureRequest) -> str:
    """The name of the service that is played."""
    name: str = request.param
    return name


@pytest.fixture
def shell(played: str, service: Service, person: Person, training_file: Path, forks: Forks) -> Iterator[Shell]:
    """A shell with a settings file for the service, which the sandbox plays beside its plain self."""
    assert service.requests() == []
    with serve_in_background(person.home.parent / "service", personality=PERSONALITIES[played]) as base_url:
        (person.home / "service.toml").write_text(practice_settings(played, base_url))
        environ = {name: value for name, value in person.environ.items() if name != "OPENAI_BASE_URL"}
        environ["FTJOBS_CONFIG"] = str(person.home / "service.toml")
        environ["FTJOBS_PROFILE"] = practice_profile(played)
        shell = Shell(replace(person, environ=environ), training_file, forks)
        yield shell
        for process in shell.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def submit(played: str, *more: str) -> tuple[str, ...]:
    return ("--model", MODELS[played], *more)


def test_the_main_job(played: str, service: Service, shell: Shell, book: Book) -> None:
    done = shell.submit(*submit(played))
    assert done.code == 0, done.out + done.err
    watched = shell.run("watch", "--json")
    assert watched.code == 0, watched.out + watched.err
    shown = shell.run("ledger", "--month", "--json").json
    (job,) = shown["jobs"]
    assert (job["status"], job["job_id"]) == ("succeeded", done.json["job_id"])
    assert job["billed_cost_usd"] is not None
    again = shell.submit(*submit(played))
    assert (again.code, again.json["reused"]) == (0, True)
    assert creates(service) == len(service.jobs()) == len(book.entries("billed")) == 1
    assert "ftjobs_key" not in str(service.jobs()[0]["metadata"])


def test_a_lost_reply_costs_one_job(played: str, service: Service, shell: Shell, book: Book) -> None:
    service.faults({"on": CREATE, "do": "drop", "when": "after"})
    done = shell.submit(*submit(played))
    assert done.code == 0, done.out + done.err
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]]
    assert (creates(service), len(book.standing_estimates())) == (1, 1)


def test_a_reply_that_nobody_sees_stays_uncertain_until_it_is_listed(
    played: str, service: Service, shell: Shell, book: Book
) -> None:
    service.settings(list_lag_s=600)
    service.faults({"on": CREATE, "do": "drop", "when": "after"})
    uncertain = shell.submit(*submit(played))
    assert uncertain.code == 9, uncertain.out + uncertain.err
    assert shell.submit(*submit(played)).code == 9
    service.settings(list_lag_s=0)
    found = shell.submit(*submit(played))
    assert (found.code, found.json["reused"]) == (0, True)
    assert creates(service) == len(book.standing_estimates()) == 1


@pytest.mark.parametrize("place", ["create.sent", "create.sending", "upload.done"])
def test_a_kill_costs_one_job(played: str, place: str, service: Service, shell: Shell, book: Book) -> None:
    killed = shell.submit(*submit(played), FTJOBS_FAILPOINT=f"{place}:kill")
    assert killed.code == -9, killed.out + killed.err
    again = shell.submit(*submit(played))
    if place == "create.sending":  # nobody can tell this from a lost reply
        assert again.code == 9
        (submission,) = book.submissions()
        again = shell.resend(submission["id"])
    assert again.code == 0, again.out + again.err
    assert creates(service) == len(service.jobs()) == len(book.standing_estimates()) == 1


def test_an_empty_ledger_does_not_pay_twice(played: str, service: Service, shell: Shell, book: Book) -> None:
    assert shell.submit(*submit(played)).code == 0
    book.path.unlink()
    again = shell.submit(*submit(played))
    assert (again.code, again.json["reused"]) == (0, True), again.out + again.err
    assert creates(service) == len(service.jobs()) == len(book.job_ids()) == 1
    assert len(book.standing_estimates()) == 1


def test_another_content_is_another_job_with_a_file_of_its_own(
    played: str, service: Service, shell: Shell, book: Book
) -> None:
    assert shell.submit(*submit(played)).code == 0
    other = shell.submit(*submit(played, "--again", "second"))
    assert (other.code, other.json["reused"]) == (0, False), other.out + other.err
    assert creates(service) == len(arrivals(service, UPLOAD)) == len(book.job_ids()) == 2


@pytest.mark.parametrize("played", ["azure"], indirect=True)
def test_a_project_with_the_services_own_table_is_not_what_practice_pays_at(
    played: str, service: Service, shell: Shell
) -> None:
    real = '[profiles.azure]\nbase_url = "https://res.openai.azure.com/openai/v1/"\n'
    (shell.person.home / "ftjobs.toml").write_text(f'profile = "azure"\n{real}')
    done = shell.submit(*submit(played))
    assert done.code == 0, done.out + done.err
    assert creates(service) == 1


@pytest.mark.parametrize("played", ["bare"], indirect=True)
def test_a_user_may_say_that_none_of_the_jobs_is_theirs(service: Service, shell: Shell, book: Book) -> None:
    service.faults({"on": CREATE, "do": "drop", "when": "before"})
    assert shell.submit().code == 9
    (submission,) = book.submissions()
    asked = {"model": "gpt-4o-mini", "training_file": submission["training_file_id"]}
    for _ in range(2):  # somebody trains on our file
        service.call("POST", "/v1/fine_tuning/jobs", asked)
    held = shell.resend(submission["id"])
    assert (held.code, held.json["code"]) == (9, "several_jobs")
    theirs = held.json["details"]["job_ids"]
    others = shell.run("adopt", *theirs, "--for", "nobody", "--json")
    assert (others.code, others.json["adopted"]) == (0, 2), others.out + others.err
    made = shell.resend(submission["id"])
    assert made.code == 0, made.out + made.err
    assert made.json["job_id"] not in theirs
    assert len(service.jobs()) == 3


@pytest.mark.parametrize("played", ["bare"], indirect=True)
def test_a_job_is_given_to_its_submission_by_name(service: Service, shell: Shell, book: Book) -> None:
    service.settings(list_lag_s=600)
    service.faults({"on": CREATE, "do": "drop", "when": "after"})
    assert shell.submit().code == 9
    service.settings(list_lag_s=0)
    (submission,), (job,) = book.submissions(), [each["id"] for each in service.jobs()]
    service.settings(list_lag_s=600)
    kept = shell.person.home / "kept"
    given = shell.run("adopt", job, "--for", submission["id"], "--save-results", str(kept), "--json")
    assert (given.code, given.json["attached"]) == (0, {job: submission["id"]}), given.out + given.err
    assert (given.json["rescued"]["unsaved_job_ids"], (kept / job / "job.json").exists()) == ([], True)
    assert book.job_ids() == [job]
    again = shell.run("adopt", job, "--for", submission["id"], "--json")
    assert (again.code, again.json["attached"]) == (0, {job: submission["id"]}), "a rerun keeps what is missing"


@pytest.mark.parametrize("played", ["bare"], indirect=True)
@pytest.mark.parametrize(
    ("option", "value"), [("--seed", "7"), ("--suffix", "mine"), ("--learning-rate", "0.1"), ("--validation", "")]
)
def test_what_a_service_lacks_is_refused_before_anything_is_sent(
    option: str, value: str, service: Service, shell: Shell, book: Book
) -> None:
    held_out = shell.data.with_name("held-out.jsonl")
    held_out.write_text(shell.data.read_text().replace("order", "parcel"))
    refused = shell.submit(option, value or str(held_out))
    assert (refused.code, refused.json["code"]) == (2, "not_supported")
    assert refused.json["details"]["option"] == option
    assert (book.submissions(), service.requests()) == ([], [])


@pytest.mark.parametrize("played", ["mistral"], indirect=True)
def test_another_api_is_refused_by_name_before_anything_is_sent(
    played: str, service: Service, shell: Shell, book: Book
) -> None:
    refused = shell.submit()
    assert (refused.code, refused.json["code"]) == (7, "other_api"), refused.out + refused.err
    assert "Mistral" in refused.json["message"]
    assert arrivals(service, UPLOAD) == []
    assert [each["state"] for each in book.submissions()] in ([], ["rejected"])


@pytest.mark.parametrize("played", ["bare", "nebius"], indirect=True)
def test_doctor_prints_a_profile_that_fits(played: str, shell: Shell) -> None:
    for name in ("first", "second"):  # one job alone does not tell whether there are pages
        assert shell.submit(*submit(played, "--again", name)).code == 0
    told = shell.run("doctor", "--json").json
    seen = {"bare": ["checkpoints", "events", "metadata", "seed"], "nebius": ["cursor", "metadata"]}[played]
    unseen = {"bare": ["suffix", "validation_file"], "nebius": []}[played]  # as the profile says
    assert f"lacks = {json.dumps([*seen, *unseen])}" in told["profile_toml"]
    (features,) = [check for check in told["checks"] if check["name"] == "features"]
    assert (features["state"], "Nothing seen contradicts" in features["message"]) == ("ok", True)
