"""Uploads in parts: exact requests, retries that resend one part only, and answers that are not believed."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import respx

from ftjobs.config import RawTable, Settings
from ftjobs.errors import ConfigError, DatasetError, RejectedError, UnavailableError
from ftjobs.provider.objects import RemoteFile
from ftjobs.provider.parts import begin_upload, cancel_upload, complete_upload, find_file, send_part
from ftjobs.provider.profiles import OPENAI_URL, SANDBOX, Profile, choose_profile
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.provider.uploads import RemoteUpload
from ftjobs.workflows.upload import Source, refuse_oversize
from tests.wire.conftest import NOW, URL, Accounts
from tests.wire.test_api_uploads import MEGABYTE, swallowing

UPLOADS = f"{URL}/uploads"
SIZE = 480_000
EXPIRES = int(NOW.timestamp()) + 3600
PENDING = {"object": "upload", "id": "upload_1", "bytes": SIZE, "status": "pending", "expires_at": EXPIRES}
PART = {"object": "upload.part", "id": "part_1", "created_at": 1, "upload_id": "upload_1"}
FILE = {"object": "file", "id": "file-1", "bytes": SIZE, "status": "uploaded"}
COMPLETED = {**PENDING, "status": "completed", "file": FILE}
THREE = RetryPolicy(attempts=3)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of `SIZE` bytes."""
    path = tmp_path / "large.jsonl"
    path.write_bytes(b"".join(b'{"n":%05d}\n' % number for number in range(SIZE // 12)).ljust(SIZE, b"\n"))
    return path


def nothing() -> Any:
    return hashlib.sha256()


def test_an_upload_is_begun_with_all_that_it_will_hold(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.post(UPLOADS).respond(json=PENDING)
    begun = begin_upload(account().api, "data-12ab.jsonl", SIZE)
    assert begun == RemoteUpload("upload_1", datetime.fromtimestamp(EXPIRES, UTC))
    assert json.loads(route.calls[0].request.content) == {
        "bytes": SIZE,
        "filename": "data-12ab.jsonl",
        "mime_type": "text/jsonl",
        "purpose": "fine-tune",
    }


LIES: dict[str, object] = {
    "nothing": {},
    "a list": [],
    "a file": {**PENDING, "object": "file"},
    "no id": {**PENDING, "id": None},
    "an empty id": {**PENDING, "id": ""},
    "other bytes": {**PENDING, "bytes": SIZE + 1},
    "expired": {**PENDING, "status": "expired"},
    "no status": {**PENDING, "status": None},
    "no expiry": {**PENDING, "expires_at": None},
    "an expiry in words": {**PENDING, "expires_at": "soon"},
    "an expiry that is true": {**PENDING, "expires_at": True},
    "an expiry beyond time": {**PENDING, "expires_at": 1e300},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_beginning_that_lies_is_asked_for_again(
    account: Accounts, httpx2_mock: respx.MockRouter, lie: object
) -> None:
    route = httpx2_mock.post(UPLOADS).mock(
        side_effect=[httpx.Response(200, json=lie), httpx.Response(200, json=PENDING)]
    )
    assert begin_upload(account().api, "d.jsonl", SIZE).id == "upload_1"
    assert route.call_count == 2


def test_a_part_leaves_as_the_bytes_that_lie_there(
    account: Accounts, httpx2_mock: respx.MockRouter, large: Path
) -> None:
    route = httpx2_mock.post(f"{UPLOADS}/upload_1/parts").respond(json=PART)
    content, seen = large.read_bytes(), list[int]()
    before = hashlib.sha256(content[:1000])
    part_id, digest = send_part(
        account().api, "upload_1", large, start=1000, size=200_000, before=before, on_progress=seen.append
    )
    request = route.calls[0].request
    assert part_id == "part_1"
    assert digest.hexdigest() == hashlib.sha256(content[:201_000]).hexdigest()
    assert before.hexdigest() == hashlib.sha256(content[:1000]).hexdigest()
    assert b'name="data"; filename="part"\r\n' in request.content
    assert b"\r\n\r\n" + content[1000:201_000] + b"\r\n--" in request.content
    assert request.headers["content-length"] == str(len(request.content))
    assert seen == sorted(seen)
    assert 1000 < seen[0] < seen[-1] == 201_000


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(503),
        httpx.Response(307, headers={"location": "https://elsewhere.test/v1/uploads/upload_1/parts"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={**PART, "object": "upload"}),
        httpx.Response(200, json={**PART, "id": None}),
        httpx.Response(200, json={**PART, "id": "part_0"}),
        httpx.Response(200, json={**PART, "upload_id": "upload_2"}),
        httpx2.ReadTimeout("as told"),
        httpx2.WriteError("as told"),
    ],
    ids=lambda trouble: str(getattr(trouble, "content", type(trouble).__name__)),
)
def test_a_part_that_is_not_acknowledged_is_sent_again_whole_and_hashed_once(
    account: Accounts, httpx2_mock: respx.MockRouter, large: Path, trouble: Any
) -> None:
    route = httpx2_mock.post(f"{UPLOADS}/upload_1/parts").mock(
        side_effect=[trouble, httpx.Response(200, json=PART)]
    )
    part_id, digest = send_part(
        account().api, "upload_1", large, start=0, size=SIZE, before=nothing(), others=frozenset({"part_0"})
    )
    assert part_id == "part_1"
    assert digest.hexdigest() == hashlib.sha256(large.read_bytes()).hexdigest()
    assert [large.read_bytes() in call.request.content for call in route.calls] == [True, True]


def test_an_answer_before_all_bytes_left_is_none(
    account: Accounts, monkeypatch: pytest.MonkeyPatch, large: Path
) -> None:
    bodies: list[bytes] = []

    def answer(_: object, request: httpx2.Request) -> httpx2.Response:
        # The first time none is asked for, as where a service answers early and hangs up.
        bodies.append(b"" if not bodies else request.read())
        return httpx2.Response(200, json=PART, request=request)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", answer)
    part_id, digest = send_part(account().api, "upload_1", large, start=0, size=SIZE, before=nothing())
    assert (part_id, digest.hexdigest()) == ("part_1", hashlib.sha256(large.read_bytes()).hexdigest())
    assert [large.read_bytes() in body for body in bodies] == [False, True]


def test_a_part_that_the_file_has_no_bytes_for_is_not_sent(
    account: Accounts, httpx2_mock: respx.MockRouter, large: Path
) -> None:
    with pytest.raises(DatasetError, match="nothing was created"):
        send_part(account().api, "upload_1", large, start=1, size=SIZE, before=nothing())
    assert len(httpx2_mock.calls) == 0


def test_a_completion_names_the_parts_in_order(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.post(f"{UPLOADS}/upload_1/complete").respond(json=COMPLETED)
    made = complete_upload(account().api, "upload_1", ["part_b", "part_a"], size=SIZE)
    assert made == RemoteFile("file-1", "uploaded", None)
    assert json.loads(route.calls[0].request.content) == {"part_ids": ["part_b", "part_a"]}


UNTRUE: dict[str, object] = {
    "nothing": {},
    "still pending": PENDING,
    "another upload": {**COMPLETED, "id": "upload_2"},
    "no id": {**COMPLETED, "id": None},
    "other bytes": {**COMPLETED, "bytes": 1},
    "without a file": {**COMPLETED, "file": None},
    "a file without an id": {**COMPLETED, "file": {**FILE, "id": None}},
    "a file of another size": {**COMPLETED, "file": {**FILE, "bytes": SIZE - 1}},
    "no file object": {**COMPLETED, "file": {**FILE, "object": "upload"}},
}


@pytest.mark.parametrize("untrue", UNTRUE.values(), ids=UNTRUE)
def test_a_completion_without_its_file_is_not_believed(
    account: Accounts, httpx2_mock: respx.MockRouter, untrue: object
) -> None:
    route = httpx2_mock.post(f"{UPLOADS}/upload_1/complete").respond(json=untrue)
    with pytest.raises(UnavailableError, match="unusable"):
        complete_upload(account(policy=THREE).api, "upload_1", ["part_1"], size=SIZE)
    assert route.call_count == 3


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_an_upload_that_ended_otherwise_is_over(
    account: Accounts, httpx2_mock: respx.MockRouter, status: str
) -> None:
    route = httpx2_mock.post(f"{UPLOADS}/upload_1/complete").respond(json={**PENDING, "status": status})
    with pytest.raises(RejectedError, match=status) as caught:
        complete_upload(account().api, "upload_1", ["part_1"], size=SIZE)
    assert (caught.value.code, route.call_count) == ("upload_over", 1)


def test_a_completed_file_is_found_by_its_very_name_and_size(
    account: Accounts, httpx2_mock: respx.MockRouter
) -> None:
    ours = {**FILE, "id": "file-ours", "filename": "a-1.jsonl"}
    others = [
        "no file",
        {**ours, "id": "file-a", "filename": "a-10.jsonl"},
        {**ours, "id": "file-b", "bytes": SIZE + 1},
        {**ours, "id": "file-c", "bytes": None},
    ]
    page = {"object": "list", "data": [*others, ours, {**ours, "id": "file-older"}], "has_more": True}
    route = httpx2_mock.get(f"{URL}/files").respond(json=page)
    api = account().api
    found = find_file(api, "a-1.jsonl", size=SIZE)
    assert found is not None
    assert found.id == "file-ours"
    assert find_file(api, "b.jsonl", size=SIZE) is None
    assert dict(route.calls[0].request.url.params) == {"purpose": "fine-tune", "limit": "1000"}


@pytest.mark.parametrize("page", [{}, [], {"object": "list"}, {"object": "list", "data": None}])
def test_a_list_of_files_that_lies_is_no_answer(
    account: Accounts, httpx2_mock: respx.MockRouter, page: object
) -> None:
    httpx2_mock.get(f"{URL}/files").respond(json=page)
    with pytest.raises(UnavailableError, match="no list of files"):
        find_file(account(policy=THREE).api, "a.jsonl", size=SIZE)


def test_giving_an_upload_up_asks_once_and_never_fails(account: Accounts, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.post(f"{UPLOADS}/upload_1/cancel").mock(side_effect=httpx2.ReadTimeout("as told"))
    cancel_upload(account().api, "upload_1")
    assert route.call_count == 1


def test_memory_stays_flat_however_large_the_part(account: Accounts, tmp_path: Path) -> None:
    path, size = tmp_path / "sparse.jsonl", 48 * MEGABYTE
    with path.open("wb") as file:
        file.truncate(size)
    with swallowing(b'{"object": "upload.part", "id": "part_1"}') as base_url:
        api = account(base_url).api
        tracemalloc.start()
        try:
            send_part(api, "upload_1", path, start=MEGABYTE, size=size - MEGABYTE, before=nothing())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 4 * MEGABYTE


# What a service takes

GIGABYTE = 1024**3
OPENAI, GENERIC = Profile("openai", OPENAI_URL), Profile("generic", "https://api.test/v1")


def of_size(size: int) -> Source:
    return Source(Path("data.jsonl"), "0" * 64, size)


@pytest.mark.parametrize(
    ("profile", "most"),
    [
        (OPENAI, 8 * GIGABYTE),
        (SANDBOX, 8 * GIGABYTE),
        (GENERIC, 512 * MEGABYTE),
        (replace(GENERIC, uploads_api=True), 8 * GIGABYTE),
        (replace(OPENAI, uploads_api=False), 512 * MEGABYTE),
        (replace(GENERIC, max_file_bytes=1000), 1000),
    ],
    ids=["openai", "sandbox", "generic", "generic with the API", "openai without", "a lower limit"],
)
def test_a_service_takes_so_much_and_no_byte_more(profile: Profile, most: int) -> None:
    refuse_oversize(of_size(most), profile)
    with pytest.raises(DatasetError) as caught:
        refuse_oversize(of_size(most + 1), profile)
    assert caught.value.code == "file_too_large"
    assert f"{most + 1:,} bytes" in caught.value.message
    assert f"at most {most:,} bytes" in caught.value.message
    assert ("uploads_api" in caught.value.next_step) is not profile.has_uploads_api


def test_a_part_is_64_megabytes_and_never_more_than_one_request_carries() -> None:
    assert OPENAI.part_bytes == 64 * MEGABYTE
    assert replace(OPENAI, max_file_bytes=1000).part_bytes == 1000


def from_table(**values: object) -> Profile:
    table = {"base_url": "https://api.test/v1", "api_key_env": "K", **values}
    return choose_profile(Settings(profile_tables={"mine": RawTable(table, "the table")}), "mine")


def test_a_table_says_what_its_service_takes() -> None:
    own = from_table(max_file_bytes=1000, uploads_api=True)
    assert (own.max_file_bytes, own.has_uploads_api) == (1000, True)
    assert (from_table().max_file_bytes, from_table().has_uploads_api) == (512 * MEGABYTE, False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_file_bytes", 0),
        ("max_file_bytes", True),
        ("max_file_bytes", "1000"),
        ("max_file_bytes", 1e3),
        ("uploads_api", 1),
        ("uploads_api", "yes"),
    ],
)
def test_a_table_that_says_it_wrongly_is_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"the table: {key} must be") as caught:
        from_table(**{key: value})
    assert key in caught.value.next_step
