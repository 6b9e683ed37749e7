"""A file too large for one request goes in parts: whole, once, and on from where a killed process stopped."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, Service
from tests.e2e.conftest import UPLOAD, Book, Shell, arrivals, creates, until

BEGIN = "POST /v1/uploads"
ANY_PART, ANY_COMPLETION = "POST /v1/uploads/*/parts", "POST /v1/uploads/*/complete"
LIMIT = 700
PARTS = 4


def sent(service: Service, ending: str) -> int:
    """Return how many requests arrived for the parts or the completion of any Upload."""
    return sum(each["method"] == "POST" and each["path"].endswith(f"/{ending}") for each in service.requests())


def stored(service: Service) -> list[bytes]:
    """Return the contents of the files that the service has, newest first."""
    ids = [file["id"] for file in service.call("GET", "/v1/files")["data"]]
    return [content_of(service, file_id) for file_id in ids]


def content_of(service: Service, file_id: str) -> bytes:
    request = urllib.request.Request(
        f"{service.base_url}/files/{file_id}/content", headers={"Authorization": "Bearer sk-test"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


@pytest.fixture
def shell(shell: Shell, service: Service) -> Shell:
    """A shell whose profile takes few bytes in a request, so that the training file needs four."""
    write_profile(shell, service, "uploads_api = true")
    assert LIMIT * (PARTS - 1) < shell.data.stat().st_size <= LIMIT * PARTS
    return shell


def write_profile(shell: Shell, service: Service, *more: str) -> None:
    lines = [
        'profile = "small"',
        "[profiles.small]",
        f'base_url = "{service.base_url}"',
        'api_key_env = "OPENAI_API_KEY"',
        f"max_file_bytes = {LIMIT}",
        *more,
    ]
    (shell.person.home / "ftjobs.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def killed_at(shell: Shell, service: Service, fault: dict[str, object]) -> None:
    """Kill a submission at the request that the fault holds up."""
    service.faults({"do": "delay", "seconds": 100, "when": "before", **fault})
    dying = shell.start_submit()
    until(lambda: service.call("GET", "/sandbox/faults") == [])
    shell.kill(dying)


def under_way(book: Book) -> list[dict[str, Any]]:
    return book.rows("SELECT * FROM uploads")


def test_it_arrives_whole_in_as_few_parts_as_it_takes(service: Service, shell: Shell, book: Book) -> None:
    done = shell.submit()
    assert done.code == 0, done.out + done.err
    assert stored(service) == [shell.data.read_bytes()]
    assert [sent(service, "parts"), sent(service, "complete")] == [PARTS, 1]
    assert arrivals(service, UPLOAD) == under_way(book) == []
    (job,) = service.jobs()
    (file,) = service.call("GET", "/v1/files")["data"]
    (submission,) = book.submissions()
    assert job["training_file"] == file["id"] == submission["training_file_id"]


def test_killed_in_the_middle_the_same_command_sends_the_missing_parts_only(
    service: Service, shell: Shell, book: Book
) -> None:
    killed_at(shell, service, {"on": ANY_PART, "skip": 2})
    (row,) = under_way(book)
    assert row["parts"].count("part_") == 2
    assert stored(service) == []
    before = sent(service, "parts")

    done = shell.submit()

    assert (done.code, done.json["reused"]) == (0, False), done.out + done.err
    assert sent(service, "parts") - before == PARTS - 2
    assert len(arrivals(service, BEGIN)) == sent(service, "complete") == creates(service) == 1
    assert stored(service) == [shell.data.read_bytes()]
    assert under_way(book) == []
    assert len(book.submissions()) == 1


def test_killed_before_the_answer_to_the_completion_came_nothing_is_sent_again(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults({"on": ANY_COMPLETION, "do": "delay", "seconds": 100, "when": "after"})
    dying = shell.start_submit()
    until(lambda: stored(service))
    shell.kill(dying)
    done = shell.submit()
    assert done.code == 0, done.out + done.err
    assert (len(arrivals(service, BEGIN)), sent(service, "parts"), creates(service)) == (1, PARTS, 1)
    assert len(stored(service)) == 1
    assert under_way(book) == []


def test_killed_between_the_file_and_the_ledger_nothing_is_sent_again(service: Service, shell: Shell) -> None:
    assert shell.submit(FTJOBS_FAILPOINT="upload.done:kill").code == -9
    assert shell.submit().code == 0
    assert (len(arrivals(service, BEGIN)), sent(service, "parts"), creates(service)) == (1, PARTS, 1)
    assert len(stored(service)) == 1


def test_an_answer_to_the_completion_that_is_lost_costs_nothing(service: Service, shell: Shell) -> None:
    service.faults({"on": ANY_COMPLETION, "do": "drop", "when": "after"})
    done = shell.submit()
    assert done.code == 0, done.out + done.err
    assert (len(arrivals(service, BEGIN)), sent(service, "parts"), len(stored(service))) == (1, PARTS, 1)


def test_after_its_hour_an_upload_is_begun_anew_and_nothing_is_sent_to_the_old_one(
    service: Service, shell: Shell, book: Book
) -> None:
    killed_at(shell, service, {"on": ANY_PART, "skip": 2})
    (old,) = under_way(book)
    book.run("UPDATE uploads SET expires_at = '2020-01-01T00:00:00.000000Z'")
    before = sent(service, "parts")
    done = shell.submit()
    assert done.code == 0, done.out + done.err
    assert len(arrivals(service, BEGIN)) == 2
    assert sent(service, "parts") - before == PARTS
    later = service.requests()[-20:]
    assert len([each for each in later if old["upload_id"] in each["path"]]) == before
    assert stored(service) == [shell.data.read_bytes()]


def test_an_upload_that_the_service_has_ended_is_begun_anew(service: Service, shell: Shell, book: Book) -> None:
    killed_at(shell, service, {"on": ANY_PART, "skip": 2})
    (old,) = under_way(book)
    service.call("POST", f"/v1/uploads/{old['upload_id']}/cancel")
    done = shell.submit()
    assert done.code == 0, done.out + done.err
    assert len(arrivals(service, BEGIN)) == 2
    assert stored(service) == [shell.data.read_bytes()]
    assert (under_way(book), creates(service)) == ([], 1)


def test_an_upload_too_slow_for_its_hour_says_so_and_creates_nothing(
    service: Service, shell: Shell, book: Book
) -> None:
    service.settings(upload_seconds=4)
    service.faults({"on": ANY_PART, "do": "delay", "seconds": 5, "when": "after"})
    stopped = shell.submit()
    assert (stopped.code, stopped.json["code"]) == (7, "upload_expired"), stopped.out + stopped.err
    assert f"{LIMIT:,} of {shell.data.stat().st_size:,} bytes" in stopped.json["message"]
    assert "faster connection" in stopped.json["next_step"]
    assert (stored(service), creates(service), under_way(book), book.standing_estimates()) == ([], 0, [], [])


# A file that does not stay as it was surveyed


def same_size(path: Path, *, at: int) -> None:
    """Change one letter of a message, so that all else stays as it was."""
    content = bytearray(path.read_bytes())
    place = content.index(b"order", at)
    content[place : place + 5] = b"ORDER"
    path.write_bytes(content)


def changed_after_the_first_part(service: Service, shell: Shell, *, at: int) -> Run:
    """Submit, change the file while the second part is held up, and return what that came to."""
    service.faults({"on": ANY_PART, "do": "delay", "seconds": 1, "skip": 1})
    submitting = shell.start_submit()
    until(lambda: sent(service, "parts") == 2)
    same_size(shell.data, at=at)
    return shell.end(submitting)


def test_a_file_that_changes_while_its_parts_leave_is_never_completed(
    service: Service, shell: Shell, book: Book
) -> None:
    stopped = changed_after_the_first_part(service, shell, at=LIMIT * (PARTS - 1))
    assert (stopped.code, stopped.json["code"]) == (4, "dataset_changed"), stopped.out + stopped.err
    assert (stored(service), sent(service, "complete"), creates(service)) == ([], 0, 0)
    assert (under_way(book), book.standing_estimates()) == ([], [])
    assert shell.submit().code == 0
    assert stored(service) == [shell.data.read_bytes()]


def test_a_change_behind_what_has_left_leaves_the_service_with_what_was_surveyed(
    service: Service, shell: Shell
) -> None:
    surveyed = shell.data.read_bytes()
    ended = changed_after_the_first_part(service, shell, at=0)
    assert ended.code == 0, ended.out + ended.err
    assert shell.data.read_bytes() != surveyed
    assert stored(service) == [surveyed]


@pytest.mark.parametrize("at", [0, LIMIT * (PARTS - 1)], ids=["in a part that left", "in one that has not"])
def test_a_file_that_changes_between_the_kill_and_the_last_part_is_never_completed(
    at: int, service: Service, shell: Shell, book: Book
) -> None:
    killed_at(shell, service, {"on": ANY_PART, "skip": 2})
    service.faults({"on": "GET /v1/fine_tuning/jobs", "do": "delay", "seconds": 1})
    lists = len(arrivals(service, "GET /v1/fine_tuning/jobs"))
    before = sent(service, "parts")
    resuming = shell.start_submit()
    until(lambda: len(arrivals(service, "GET /v1/fine_tuning/jobs")) > lists)  # surveyed, nothing more was sent
    same_size(shell.data, at=at)
    stopped = shell.end(resuming)
    assert (stopped.code, stopped.json["code"]) == (4, "dataset_changed"), stopped.out + stopped.err
    assert (sent(service, "parts") > before) is (at > 0)
    assert (stored(service), sent(service, "complete"), creates(service)) == ([], 0, 0)
    assert (sent(service, "cancel"), under_way(book), book.standing_estimates()) == (1, [], [])


def test_a_file_with_other_content_after_the_kill_is_another_submission(
    service: Service, shell: Shell, book: Book
) -> None:
    killed_at(shell, service, {"on": ANY_PART, "skip": 2})
    same_size(shell.data, at=0)
    done = shell.submit()
    assert done.code == 0, done.out + done.err
    assert stored(service) == [shell.data.read_bytes()]
    assert [row["state"] for row in book.submissions()] == ["recorded", "created"]


def test_another_submission_of_the_bytes_does_not_go_on_with_an_upload_that_bears_the_firsts_name(
    service: Service, shell: Shell
) -> None:
    """This host does not keep metadata, so the name of its file is what tells each submission's content."""
    service.settings(keep_metadata=False)
    service.faults({"on": ANY_PART, "do": "delay", "seconds": 60, "skip": 2})
    dying = shell.start_submit("--again", "first")
    until(lambda: sent(service, "parts") == 3)
    shell.kill(dying)
    service.faults()
    for name in ("second", "first"):
        done = shell.submit("--again", name)
        assert done.code == 0, done.out + done.err
    names = [each["filename"][:39] for each in service.call("GET", "/v1/files")["data"]]
    assert len({*names}) == len(names) == 2


# Two at once


def test_two_submissions_of_one_file_do_not_share_an_upload(service: Service, shell: Shell, book: Book) -> None:
    """This host does not keep metadata, so each job is known by a file of its own."""
    service.settings(keep_metadata=False)
    service.faults({"on": ANY_PART, "do": "delay", "seconds": 5, "skip": 2})
    first = shell.start_submit("--again", "first")
    until(lambda: sent(service, "parts") == 3)
    second = shell.start_submit("--again", "second")
    ends = [shell.end(each) for each in (first, second)]
    assert [each.code for each in ends] == [0, 0], [each.err for each in ends]
    assert sent(service, "parts") == 2 * PARTS
    assert len({row["training_file_id"] for row in book.submissions()}) == 2
    assert stored(service) == [shell.data.read_bytes()] * 2


def test_two_submissions_of_one_file_at_once_send_it_once(service: Service, shell: Shell, book: Book) -> None:
    """This host keeps metadata, as an earlier job has shown, so jobs may share a file."""
    earlier = shell.data.with_name("earlier.jsonl")
    earlier.write_text("".join(sorted(shell.data.read_text().splitlines(keepends=True), reverse=True)))
    assert shell.on(earlier).submit().code == 0
    before = sent(service, "parts")
    service.faults({"on": ANY_PART, "do": "delay", "seconds": 4, "skip": 2})
    first = shell.start_submit("--again", "first")
    until(lambda: sent(service, "parts") == before + 3)
    second = shell.start_submit("--again", "second")
    ends = [shell.end(each) for each in (first, second)]
    assert [each.code for each in ends] == [0, 0], [each.err for each in ends]
    assert sent(service, "parts") - before == PARTS
    assert len({row["training_file_id"] for row in book.submissions()}) == 2


# Limits


def test_above_the_limit_of_a_profile_without_the_api_it_is_refused_with_the_reason(
    service: Service, shell: Shell, book: Book
) -> None:
    write_profile(shell, service)
    refused = shell.submit()
    assert (refused.code, refused.json["code"]) == (4, "file_too_large"), refused.out + refused.err
    size = shell.data.stat().st_size
    assert f"{size:,} bytes" in refused.json["message"]
    assert f"at most {LIMIT:,} bytes" in refused.json["message"]
    assert "profile small" in refused.json["message"]
    assert "uploads_api = true" in refused.json["next_step"]
    assert [each["path"] for each in service.requests() if each["method"] == "POST"] == []
    assert book.submissions() == []
