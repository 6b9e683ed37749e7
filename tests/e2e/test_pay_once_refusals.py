"""The service says no, or not now: what ends a submission, and what leaves it to be resumed."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.conftest import CREATE, Service
from tests.e2e.conftest import LISTS, UPLOAD, Book, Shell, arrivals, creates, until


def refusal(status: int, code: str, *, message: str = "No.", **more: object) -> dict[str, object]:
    envelope = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return {"on": CREATE, "do": "status", "status": status, "body": json.dumps(envelope), **more}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_value"),
        (401, "invalid_api_key"),
        (403, "training_not_available"),
        (429, "insufficient_quota"),
    ],
)
def test_a_refusal_voids_the_submission_and_a_rerun_makes_a_new_one(
    status: int, code: str, service: Service, shell: Shell, book: Book
) -> None:
    key = shell.person.environ["OPENAI_API_KEY"]
    service.faults(refusal(status, code, message=f"No, not with {key}."))

    refused = shell.submit()

    assert refused.code == 7, refused.out + refused.err
    assert refused.json["code"] == code
    (first,) = book.submissions()
    assert refused.json["details"]["submission_id"] == first["id"]
    assert (first["state"], first["holds_key"]) == ("rejected", 0)
    assert book.standing_estimates() == []
    (estimate,), (void,) = book.entries("estimate"), book.entries("void")
    assert void["amount_nano_usd"] == -estimate["amount_nano_usd"]
    assert service.jobs() == []
    if status == 429:
        return  # the same road from here

    done = shell.submit()

    assert (done.code, done.json["reused"]) == (0, False)
    assert done.json["submission_id"] != first["id"]
    (job,) = service.jobs()
    assert [row["job_id"] for row in book.submissions()] == [None, job["id"]]
    assert [entry["submission_id"] for entry in book.standing_estimates()] == [done.json["submission_id"]]


def test_a_rate_limit_that_says_how_long_is_waited_for(service: Service, shell: Shell, book: Book) -> None:
    service.faults(refusal(429, "rate_limit_exceeded", headers={"retry-after": "1"}))

    done = shell.submit()

    assert done.code == 0, done.out + done.err
    first, second = arrivals(service, CREATE)
    assert second["at"] - first["at"] >= 0.95
    assert [first["at"] < look["at"] < second["at"] for look in arrivals(service, LISTS)][-1]
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]] == [done.json["job_id"]]
    assert len(book.entries()) == 1


def test_a_rate_limit_that_lied_is_found_out_before_the_next_attempt(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults(refusal(429, "rate_limit_exceeded", headers={"retry-after": "0"}, when="after"))
    done = shell.submit()
    assert done.code == 0, done.out + done.err
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]]
    assert creates(service) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_daily_limit_ends_the_command_and_a_rerun_resumes_the_submission(
    when: str, service: Service, shell: Shell, book: Book
) -> None:
    service.faults(refusal(429, "daily_rate_limit_exceeded", message="5 jobs a day.", when=when))

    refused = shell.submit()

    assert refused.code == 8, refused.out + refused.err
    (submission,) = book.submissions()
    assert submission["state"] == "recorded"
    assert refused.json["details"]["submission_id"] == submission["id"]
    uploads = len(arrivals(service, UPLOAD))

    done = shell.submit()

    assert done.code == 0, done.out + done.err
    assert done.json["submission_id"] == submission["id"]
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]] == [done.json["job_id"]]
    assert len(book.entries()) == 1
    assert len(arrivals(service, UPLOAD)) == uploads == 1
    # A limit that lied ("after") had made the job: it is found, not made again.
    assert creates(service) == (2 if when == "before" else 1)


def test_an_outage_of_the_lists_stops_before_paying_and_a_rerun_resumes(
    service: Service, shell: Shell, book: Book
) -> None:
    service.faults({"on": LISTS, "do": "status", "status": 503, "headers": {"retry-after": "0"}, "times": 30})
    stopped = shell.submit()
    assert stopped.code == 8
    (submission,) = book.submissions()
    assert stopped.json["details"]["submission_id"] == submission["id"]
    assert creates(service) == 0

    service.faults()
    done = shell.submit()

    assert (done.code, done.json["submission_id"]) == (0, submission["id"])
    assert len(service.jobs()) == len(book.entries()) == creates(service) == 1


@dataclass
class Door:
    """A TCP relay to a service that can be shut: what is connected stays so, what knocks is refused."""

    upstream: tuple[str, int]
    port: int = 0
    _listener: socket.socket | None = None
    _ends: list[socket.socket] = field(default_factory=list)

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port, self._listener = listener.getsockname()[1], listener
        threading.Thread(target=self._admit, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._listener.close()
            self._listener = None

    def close(self) -> None:
        self.shut()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _admit(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                caller, _ = listener.accept()
                callee = socket.create_connection(self.upstream)
                self._ends += [caller, callee]
                for source, target in ((caller, callee), (callee, caller)):
                    threading.Thread(target=self._relay, args=(source, target), daemon=True).start()

    @staticmethod
    def _relay(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def door(service: Service) -> Iterator[Door]:
    address = urlsplit(service.base_url)
    with closing(Door((address.hostname or "", address.port or 0))) as door:
        door.open()
        yield door


def test_a_host_that_refuses_the_create_connection_is_tried_again_and_then_resumed(
    service: Service, shell: Shell, book: Book, door: Door
) -> None:
    url = f"http://127.0.0.1:{door.port}/v1"
    service.faults({"on": UPLOAD, "do": "delay", "seconds": 1})
    submitting = shell.start_submit(OPENAI_BASE_URL=url)
    until(lambda: arrivals(service, UPLOAD))
    door.shut()  # the connection of the upload lives on, the create call wants one of its own

    stopped = shell.end(submitting)

    assert stopped.code == 8, stopped.out + stopped.err
    assert creates(service) == 0
    (submission,) = book.submissions()
    assert submission["state"] == "recorded"
    assert stopped.json["details"]["submission_id"] == submission["id"]

    door.open()
    done = shell.submit(OPENAI_BASE_URL=url)

    assert done.code == 0, done.out + done.err
    assert (done.json["submission_id"], done.json["reused"]) == (submission["id"], False)
    (job,) = service.jobs()
    assert book.job_ids() == [job["id"]]
    assert len(book.entries()) == creates(service) == 1
    assert len(arrivals(service, UPLOAD)) == 1


@pytest.mark.slow
def test_a_host_that_is_not_there_costs_nothing_and_records_nothing(shell: Shell, book: Book) -> None:
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))  # bound and not listening: refused, and no other process can take it
        stopped = shell.submit(OPENAI_BASE_URL=f"http://127.0.0.1:{holder.getsockname()[1]}/v1")
    assert stopped.code == 8, stopped.out + stopped.err
    assert stopped.json["next_step"]
    assert book.submissions() == []
