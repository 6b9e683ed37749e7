"""The sandbox takes files in parts as the API does, over real HTTP."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from ftjobs.sandbox.serving import serve_in_background
from tests.wire.test_sandbox_service import CHAT, NOW, Service, error, jsonl, service

__all__ = ["service"]

CONTENT = jsonl([CHAT] * 10)
HALF = len(CONTENT) // 2
BODY = {"bytes": len(CONTENT), "filename": "t.jsonl", "mime_type": "text/jsonl", "purpose": "fine-tune"}


def begin(service: Service, **fields: object) -> str:
    reply = service.http.post("/uploads", json={**BODY, **fields})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


def send(service: Service, upload_id: str, content: bytes) -> httpx2.Response:
    return service.http.post(f"/uploads/{upload_id}/parts", files={"data": ("part", content)})


def part(service: Service, upload_id: str, content: bytes) -> str:
    reply = send(service, upload_id, content)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


def complete(service: Service, upload_id: str, *part_ids: str, **fields: object) -> httpx2.Response:
    return service.http.post(f"/uploads/{upload_id}/complete", json={"part_ids": part_ids, **fields})


def test_an_upload_is_pending_for_an_hour(service: Service) -> None:
    reply = service.http.post("/uploads", json=BODY).json()
    assert reply.pop("id").startswith("upload_")
    assert reply == {
        "object": "upload",
        "bytes": len(CONTENT),
        "created_at": int(NOW),
        "filename": "t.jsonl",
        "purpose": "fine-tune",
        "status": "pending",
        "expires_at": int(NOW) + 3600,
        "file": None,
    }


def test_parts_become_a_file_in_the_order_of_the_completion(service: Service) -> None:
    upload_id = begin(service)
    last, first = part(service, upload_id, CONTENT[HALF:]), part(service, upload_id, CONTENT[:HALF])
    part(service, upload_id, b"a part that nobody names")
    done = complete(service, upload_id, first, last).json()
    assert done["status"] == "completed"
    assert done["file"]["bytes"] == len(CONTENT)
    service.clock.now += 0.3
    file = service.get(f"/files/{done['file']['id']}")
    assert (file["status"], file["filename"], file["purpose"]) == ("processed", "t.jsonl", "fine-tune")
    assert service.http.get(f"/files/{file['id']}/content").content == CONTENT
    assert [each["id"] for each in service.get("/files")["data"]] == [file["id"]]
    job = service.job(file["id"])
    assert job["training_file"] == file["id"]


def test_a_file_made_of_parts_is_looked_at_like_any_other(service: Service) -> None:
    upload_id = begin(service, bytes=9)
    file = complete(service, upload_id, part(service, upload_id, b"not JSON\n")).json()["file"]
    service.clock.now += 0.3
    assert service.get(f"/files/{file['id']}")["status"] == "error"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"bytes": 0}, "bytes"),
        ({"bytes": -1}, "bytes"),
        ({"bytes": True}, "bytes"),
        ({"bytes": 8 * 1024**3 + 1}, "bytes"),
        ({"filename": ""}, "filename"),
        ({"filename": None}, "filename"),
        ({"mime_type": 1}, "mime_type"),
        ({"purpose": "vision"}, "purpose"),
    ],
)
def test_an_upload_that_cannot_be_is_refused(service: Service, fields: dict[str, Any], param: str) -> None:
    refused = error(service.http.post("/uploads", json={**BODY, **fields}))
    assert (refused["status"], refused["param"]) == (400, param)


def test_eight_gigabytes_may_be_begun(service: Service) -> None:
    begin(service, bytes=8 * 1024**3)


@pytest.mark.parametrize("path", ["parts", "complete", "cancel"])
def test_an_unknown_upload_is_answered_404(service: Service, path: str) -> None:
    reply = service.http.post(f"/uploads/upload_none/{path}", json={"part_ids": []})
    assert error(reply)["status"] == 404


def test_after_its_hour_an_upload_takes_nothing_more(service: Service) -> None:
    upload_id = begin(service)
    part_id = part(service, upload_id, CONTENT)
    service.clock.now += 3599
    part(service, upload_id, b"in time")
    service.clock.now += 1
    for reply in (send(service, upload_id, b"late"), complete(service, upload_id, part_id)):
        assert (error(reply)["status"], error(reply)["code"]) == (400, "invalid_state")
        assert "expired" in error(reply)["message"]
    assert service.get("/files")["data"] == []


def test_a_cancelled_upload_takes_nothing_more(service: Service) -> None:
    upload_id = begin(service)
    part_id = part(service, upload_id, CONTENT)
    assert service.http.post(f"/uploads/{upload_id}/cancel").json()["status"] == "cancelled"
    for reply in (send(service, upload_id, b"late"), complete(service, upload_id, part_id)):
        assert "cancelled" in error(reply)["message"]


def test_a_completed_upload_is_not_completed_again(service: Service) -> None:
    upload_id = begin(service)
    part_id = part(service, upload_id, CONTENT)
    assert complete(service, upload_id, part_id).status_code == 200
    assert error(complete(service, upload_id, part_id))["code"] == "invalid_state"
    assert len(service.get("/files")["data"]) == 1


def test_a_completion_needs_its_own_parts_once_and_all_of_the_bytes(service: Service) -> None:
    upload_id, other = begin(service), begin(service)
    first, strange = part(service, upload_id, CONTENT[:HALF]), part(service, other, CONTENT[HALF:])
    assert "hold" in error(complete(service, upload_id, first))["message"]
    for part_ids in ((first, first), (first, strange), (first, "part_none")):
        assert error(complete(service, upload_id, *part_ids))["param"] == "part_ids"
    assert error(service.http.post(f"/uploads/{upload_id}/complete", json={}))["param"] == "part_ids"
    last = part(service, upload_id, CONTENT[HALF:])
    md5 = hashlib.md5(CONTENT).hexdigest()
    assert error(complete(service, upload_id, first, last, md5="0" * 32))["param"] == "md5"
    assert complete(service, upload_id, first, last, md5=md5).status_code == 200


def test_a_part_needs_data(service: Service) -> None:
    upload_id = begin(service)
    path = f"/uploads/{upload_id}/parts"
    assert error(service.http.post(path, files={"file": ("a", b"a")}))["param"] == "data"
    assert error(service.http.post(path, json={}))["status"] == 400


def test_a_part_above_64_megabytes_is_refused_before_it_is_read(service: Service) -> None:
    host, port = service.url.removeprefix("http://").removesuffix("/v1").split(":")
    lines = [
        f"POST /v1/uploads/{begin(service)}/parts HTTP/1.1",
        "Host: sandbox",
        "Authorization: Bearer sk-test",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Length: 68000000",
    ]
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_nothing_is_left_on_disk_but_the_file(tmp_path: Path) -> None:
    with (
        serve_in_background(tmp_path / "state") as url,
        openai.OpenAI(api_key="sk-test", base_url=url, max_retries=0) as client,
    ):
        done = client.uploads.upload_file_chunked(
            file=CONTENT,
            filename="t.jsonl",
            bytes=len(CONTENT),
            mime_type="text/jsonl",
            purpose="fine-tune",
            part_size=HALF,
        )
        assert done.file is not None
        assert client.files.content(done.file.id).read() == CONTENT
        cancelled = client.uploads.create(bytes=1, filename="t.jsonl", mime_type="text/jsonl", purpose="fine-tune")
        client.uploads.parts.create(cancelled.id, data=b"1")
        client.uploads.cancel(cancelled.id)
        assert [path.name for path in (tmp_path / "state" / "files").iterdir()] == [done.file.id]


def test_a_setting_says_how_long_new_uploads_live_and_a_reset_forgets_them(service: Service) -> None:
    service.settings(upload_seconds=5)
    upload_id = begin(service)
    service.settings(reset=True)
    assert error(send(service, upload_id, b"1"))["status"] == 404
    service.settings(upload_seconds=5)
    upload_id = begin(service)
    service.clock.now += 5
    assert "expired" in error(send(service, upload_id, b"1"))["message"]
