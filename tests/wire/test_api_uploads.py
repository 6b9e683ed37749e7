"""Uploads: streamed, hashed as they leave, and repeated from the first byte."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import IO, Any, BinaryIO, cast

import httpx
import httpx2
import pytest
import respx

from ftjobs.errors import DatasetError, RejectedError, UnavailableError, UsageError
from ftjobs.provider.objects import RemoteFile
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.provider.uploads import HashingReader
from tests.conftest import Service
from tests.wire.conftest import URL, Accounts, digest_of

UPLOAD = "POST /v1/files"
FILES = f"{URL}/files"
STORED = {"object": "file", "id": "file-1", "status": "uploaded"}
MEGABYTE = 1024 * 1024


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that takes several reads to send."""
    path = tmp_path / "large.jsonl"
    path.write_bytes(b"".join(b'{"n": %07d}\n' % number for number in range(40_000)))
    return path


def test_a_file_leaves_whole_with_its_name_and_purpose(
    account: Accounts, httpx2_mock: respx.MockRouter, training_file: Path
) -> None:
    route = httpx2_mock.post(FILES).respond(json=STORED)
    uploaded = account().api.upload(training_file, name="data-12ab.jsonl", sha256=digest_of(training_file))
    assert uploaded == RemoteFile("file-1", "uploaded", None)
    request = route.calls[0].request
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert request.headers["content-length"] == str(len(request.content)), "services refuse chunked uploads"
    assert b'name="purpose"\r\n\r\nfine-tune\r\n' in request.content
    assert b'name="file"; filename="data-12ab.jsonl"\r\n' in request.content
    assert b"\r\n\r\n" + training_file.read_bytes() + b"\r\n--" in request.content
    assert str(training_file.parent).encode() not in request.content


def test_the_service_stores_the_bytes_that_lie_here(account: Accounts, service: Service, large: Path) -> None:
    uploaded = account(service.base_url).api.upload(large, name="l.jsonl", sha256=digest_of(large))
    with httpx2.Client(trust_env=False, headers={"Authorization": "Bearer k"}) as http:
        stored = http.get(f"{service.base_url}/files/{uploaded.id}/content").content
    assert stored == large.read_bytes()


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(503),
        httpx.Response(429, headers={"retry-after": "3"}),
        httpx.Response(307, headers={"location": "https://elsewhere.test/v1/files"}),
        httpx.Response(200, json={}),
        httpx.Response(200, content=b"<html>"),
        httpx2.ReadTimeout("as told"),
        httpx2.WriteError("as told"),
        httpx2.ConnectError("as told"),
    ],
    ids=lambda trouble: str(getattr(trouble, "status_code", type(trouble).__name__)),
)
def test_a_repeated_upload_sends_the_whole_body_again(
    account: Accounts, httpx2_mock: respx.MockRouter, large: Path, trouble: Any
) -> None:
    route = httpx2_mock.post(FILES).mock(side_effect=[trouble, trouble, httpx.Response(200, json=STORED)])
    asked = account()
    assert asked.api.upload(large, name="l.jsonl", sha256=digest_of(large)).id == "file-1"
    contents = [call.request.content for call in route.calls]
    assert len(contents) == 3
    assert all(large.read_bytes() in content for content in contents)
    assert len(asked.waits) == 2


def test_a_real_service_that_fails_twice_gets_the_whole_file(
    account: Accounts, service: Service, large: Path
) -> None:
    service.faults(
        {"on": UPLOAD, "do": "status", "status": 503},
        {"on": UPLOAD, "do": "drop", "when": "after"},
    )
    uploaded = account(service.base_url).api.upload(large, name="l.jsonl", sha256=digest_of(large))
    assert service.call("GET", f"/v1/files/{uploaded.id}")["bytes"] == large.stat().st_size
    assert len([row for row in service.requests() if row["method"] == "POST"]) == 3


def test_progress_counts_the_bytes_of_each_attempt_from_the_start(
    account: Accounts, httpx2_mock: respx.MockRouter, large: Path
) -> None:
    httpx2_mock.post(FILES).mock(side_effect=[httpx.Response(503), httpx.Response(200, json=STORED)])
    seen: list[int] = []
    account().api.upload(large, name="l.jsonl", sha256=digest_of(large), on_progress=seen.append)
    size = large.stat().st_size
    restart = seen.index(size) + 1
    while seen[restart] == size:  # the read that finds the end
        restart += 1
    for attempt in (seen[:restart], seen[restart:]):
        assert attempt == sorted(attempt)
        assert 0 < attempt[0] < attempt[-1] == size


def test_a_body_that_the_client_sends_twice_is_hashed_once(large: Path) -> None:
    with large.open("rb") as source:
        reader = HashingReader(source, lambda _: None)
        request = httpx2.Request("POST", FILES, files={"file": ("l.jsonl", cast(IO[bytes], reader))})
        assert isinstance(request.stream, httpx2.SyncByteStream)
        first, second = b"".join(request.stream), b"".join(request.stream)
    assert first == second
    assert reader.hexdigest() == digest_of(large)


def test_a_refused_upload_is_not_repeated(
    account: Accounts, httpx2_mock: respx.MockRouter, training_file: Path
) -> None:
    route = httpx2_mock.post(FILES).respond(400, json={"error": {"message": "no", "code": "bad_file"}})
    with pytest.raises(RejectedError, match="refused the upload"):
        account().api.upload(training_file, name="d.jsonl", sha256=digest_of(training_file))
    assert route.call_count == 1


def test_an_upload_that_never_succeeds_ends(
    account: Accounts, httpx2_mock: respx.MockRouter, training_file: Path
) -> None:
    route = httpx2_mock.post(FILES).respond(500)
    with pytest.raises(UnavailableError, match="the upload: HTTP 500"):
        account(policy=RetryPolicy(attempts=3)).api.upload(
            training_file, name="d.jsonl", sha256=digest_of(training_file)
        )
    assert route.call_count == 3


# A file that does not stay as it was surveyed


def refused(account: Accounts, service: Service, path: Path, sha256: str, **hooks: Any) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        account(service.base_url).api.upload(path, name="d.jsonl", sha256=sha256, **hooks)
    assert caught.value.code == "dataset_changed"
    assert caught.value.details["path"] == str(path)
    assert str(caught.value.details["file_id"]).startswith("file-")
    return caught.value


def test_a_file_of_other_bytes_than_surveyed_stops_after_one_upload(
    account: Accounts, service: Service, training_file: Path
) -> None:
    sha256 = digest_of(training_file)
    changed = training_file.read_bytes()
    training_file.write_bytes(changed.replace(b"order 1", b"order 2"))
    assert training_file.stat().st_size == len(changed)
    error = refused(account, service, training_file, sha256)
    assert len(service.requests()) == 1
    assert error.exit_code == 4
    assert "nothing was created" in error.message


def interfering(path: Path, change: Callable[[BinaryIO], object]) -> Callable[[int], None]:
    """Return a progress hook that changes the file once some of it has left."""
    done: list[bool] = []

    def on_progress(sent: int) -> None:
        if sent and not done:
            done.append(True)
            with path.open("r+b") as file:
                change(file)

    return on_progress


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.truncate(100_000),
        lambda file: file.truncate(0),
        lambda file: (file.seek(-4, 2), file.write(b"xx")),
    ],
    ids=["shrinks", "is emptied", "differs"],
)
def test_a_file_that_changes_while_it_is_sent_is_noticed(
    account: Accounts, service: Service, large: Path, change: Callable[[BinaryIO], object]
) -> None:
    refused(account, service, large, digest_of(large), on_progress=interfering(large, change))


def test_a_file_that_grows_while_it_is_sent_is_sent_as_surveyed(
    account: Accounts, service: Service, large: Path
) -> None:
    sha256, size = digest_of(large), large.stat().st_size
    grow = interfering(large, lambda file: (file.seek(0, 2), file.write(b"{}\n")))
    uploaded = account(service.base_url).api.upload(large, name="l.jsonl", sha256=sha256, on_progress=grow)
    assert large.stat().st_size == size + 3
    assert service.call("GET", f"/v1/files/{uploaded.id}")["bytes"] == size


def test_a_file_that_is_gone_is_told_without_a_request(
    account: Accounts, httpx2_mock: respx.MockRouter, tmp_path: Path
) -> None:
    for path in (tmp_path / "gone.jsonl", tmp_path):
        with pytest.raises(UsageError) as caught:
            account().api.upload(path, name="d.jsonl", sha256="0" * 64)
        assert (caught.value.code, caught.value.exit_code) == ("dataset_missing", 2)
    assert len(httpx2_mock.calls) == 0


def test_a_file_that_vanishes_between_two_attempts_is_told(
    account: Accounts, httpx2_mock: respx.MockRouter, training_file: Path
) -> None:
    sha256 = digest_of(training_file)

    def fail_and_remove(_: httpx.Request) -> httpx.Response:
        training_file.unlink()
        return httpx.Response(503)

    route = httpx2_mock.post(FILES).mock(side_effect=fail_and_remove)
    with pytest.raises(UsageError, match="cannot be read any more"):
        account().api.upload(training_file, name="d.jsonl", sha256=sha256)
    assert route.call_count == 1


# Memory


@contextmanager
def swallowing(body: bytes = b'{"object": "file", "id": "file-1"}') -> Iterator[str]:
    """Serve one answer per connection, once its whole body was read and forgotten; yields the base URL."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            left = 0
            while (line := self.rfile.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    left = int(line.partition(b":")[2])
            while left:
                left -= len(self.rfile.read(min(left, 64 * 1024)))
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def test_memory_stays_flat_however_large_the_file(account: Accounts, tmp_path: Path) -> None:
    path, size = tmp_path / "sparse.jsonl", 48 * MEGABYTE
    with path.open("wb") as file:
        file.truncate(size)
    sha256 = hashlib.sha256(bytes(size)).hexdigest()
    with swallowing() as base_url:
        api = account(base_url).api
        tracemalloc.start()
        try:
            api.upload(path, name="d.jsonl", sha256=sha256)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 4 * MEGABYTE
