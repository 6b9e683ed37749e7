"""The Uploads API: a file above the size of one request, in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox.bodies import json_of
from ftjobs.sandbox.progress import StoredUpload, upload_object
from ftjobs.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from ftjobs.sandbox.state import SandboxState

MAX_UPLOAD_BYTES = 8 * 1024**3
MAX_PART_BYTES = 64 * 1024 * 1024
_FORM_OVERHEAD = 64 * 1024
_FIELDS = {"bytes": int, "filename": str, "mime_type": str, "purpose": str}


def upload_routes(state: SandboxState) -> list[Route]:
    """Return the four endpoints over `state`."""
    api = _Uploads(state)
    return [
        Route("/v1/uploads", api.begin, methods=["POST"]),
        Route("/v1/uploads/{id}/parts", api.add_part, methods=["POST"]),
        Route("/v1/uploads/{id}/complete", api.complete, methods=["POST"]),
        Route("/v1/uploads/{id}/cancel", api.cancel, methods=["POST"]),
    ]


class _Uploads:
    """One method an endpoint."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def begin(self, request: Request) -> Response:
        body = await _object(request)
        for name, kind in _FIELDS.items():
            value = body.get(name)
            if value is None:
                raise Refusal(f"`{name}` is missing.", code="missing_required_parameter", param=name)
            if not isinstance(value, kind) or isinstance(value, bool) or not value:
                raise Refusal(f"`{name}` cannot be {value!r}.", code="invalid_value", param=name)
        if body["purpose"] != "fine-tune":
            raise Refusal("`purpose` must be fine-tune.", code="invalid_value", param="purpose")
        if not 0 < body["bytes"] <= MAX_UPLOAD_BYTES:
            message = f"An upload holds 1 to {MAX_UPLOAD_BYTES} bytes."
            raise Refusal(message, code="invalid_value", param="bytes")
        return self._shown(await run_in_threadpool(self._state.begin_upload, body["filename"], body["bytes"]))

    async def add_part(self, request: Request) -> Response:
        too_large = Refusal(f"A part holds at most {MAX_PART_BYTES} bytes.", status=413, param="data")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > MAX_PART_BYTES + _FORM_OVERHEAD:
            raise too_large
        upload = await run_in_threadpool(self._pending, request)
        try:
            async with request.form(max_files=1) as form:
                data = form.get("data")
                if not isinstance(data, UploadFile):
                    raise Refusal("`data` is missing.", code="missing_required_parameter", param="data")
                if (data.size or 0) > MAX_PART_BYTES:
                    raise too_large
                part_id, at = await run_in_threadpool(self._state.add_part, upload.id, data.file)
        except (MultiPartException, HTTPException) as error:
            raise Refusal(f"The form cannot be read: {error}") from None
        document = {"id": part_id, "object": "upload.part", "created_at": int(at), "upload_id": upload.id}
        return JSONResponse(document)

    async def complete(self, request: Request) -> Response:
        body = await _object(request)
        upload = await run_in_threadpool(self._pending, request)
        part_ids, md5 = body.get("part_ids"), body.get("md5")
        if not isinstance(part_ids, list) or not all(isinstance(part_id, str) for part_id in part_ids):
            raise Refusal("`part_ids` must be a list of ids.", code="invalid_value", param="part_ids")
        if md5 is not None and not isinstance(md5, str):
            raise Refusal("`md5` must be a string.", code="invalid_value", param="md5")
        return self._shown(await run_in_threadpool(self._state.complete_upload, upload, part_ids, md5))

    def cancel(self, request: Request) -> Response:
        upload = self._pending(request)
        return self._shown(self._state.cancel_upload(upload.id) or upload)

    def _pending(self, request: Request) -> StoredUpload:
        upload_id = request.path_params["id"]
        upload = self._state.upload(upload_id)
        if upload is None:
            raise Refusal(f"There is no upload {upload_id}.", status=404, param="upload_id")
        status = upload.status(self._state.clock())
        if status != "pending":
            raise Refusal(f"Upload {upload_id} is {status}.", code="invalid_state", param="upload_id")
        return upload

    def _shown(self, upload: StoredUpload) -> Response:
        file = self._state.file(upload.file_id) if upload.file_id else None
        return JSONResponse(upload_object(upload, file, self._state.clock()))


async def _object(request: Request) -> dict[str, Any]:
    body = await json_of(request)
    if not isinstance(body, dict):
        raise Refusal("The body must be a JSON object.")
    return body
