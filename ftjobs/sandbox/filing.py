"""Files that were uploaded in one request, and the result files of jobs.

Lists hold uploads only; the result file of a job is reached by its id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox import progress
from ftjobs.sandbox.paging import bad_cursor, listed, page_asked
from ftjobs.sandbox.personalities import Personality
from ftjobs.sandbox.refusals import Refusal
from ftjobs.sandbox.showing import file_shown

if TYPE_CHECKING:
    from starlette.requests import Request

    from ftjobs.sandbox.state import SandboxState

MAX_FILE_BYTES = 512 * 1024 * 1024
_FORM_OVERHEAD = 64 * 1024


def file_routes(state: SandboxState, personality: Personality) -> list[Route]:
    """Return the five endpoints over `state`."""
    api = _Files(state, personality)
    return [
        Route("/v1/files", api.add_file, methods=["POST"]),
        Route("/v1/files", api.list_files),
        Route("/v1/files/{id}", api.get_file),
        Route("/v1/files/{id}", api.delete_file, methods=["DELETE"]),
        Route("/v1/files/{id}/content", api.get_content),
    ]


class _Files:
    """One method an endpoint. Plain methods run in threads, so that no request waits for another's disk."""

    def __init__(self, state: SandboxState, personality: Personality) -> None:
        self._state, self._personality = state, personality

    async def add_file(self, request: Request) -> Response:
        too_large = Refusal(f"A file holds at most {MAX_FILE_BYTES} bytes.", status=413, param="file")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > MAX_FILE_BYTES + _FORM_OVERHEAD:
            raise too_large
        try:
            async with request.form(max_files=1) as form:
                file = form.get("file")
                if form.get("purpose") != "fine-tune":
                    raise Refusal("`purpose` must be fine-tune.", code="invalid_value", param="purpose")
                if not isinstance(file, UploadFile):
                    raise Refusal("`file` is missing.", code="missing_required_parameter", param="file")
                if (file.size or 0) > MAX_FILE_BYTES:
                    raise too_large
                stored = await run_in_threadpool(self._state.add_file, file.file, file.filename or "upload.jsonl")
        except (MultiPartException, HTTPException) as error:
            raise Refusal(f"The form cannot be read: {error}") from None
        return JSONResponse(self._object(stored))

    def list_files(self, request: Request) -> Response:
        limit, after = page_asked(request, self._personality, default=10_000, most=10_000)
        try:
            files, more = self._state.files(after=after, limit=limit)
        except KeyError:
            raise bad_cursor(after) from None
        return listed([self._object(file) for file in files], more, self._personality)

    def get_file(self, request: Request) -> Response:
        return JSONResponse(self._file(request.path_params["id"])[0])

    def get_content(self, request: Request) -> Response:
        _, content = self._file(request.path_params["id"])
        return content()

    def delete_file(self, request: Request) -> Response:
        file_id = request.path_params["id"]
        if not self._state.delete_file(file_id):
            raise _no_file(file_id)
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    def _file(self, file_id: str) -> tuple[dict[str, object], Callable[[], Response]]:
        """Return the object of an uploaded or result file and what makes its content."""
        if file := self._state.file(file_id):
            return self._object(file), lambda: FileResponse(self._state.content(file_id))
        job = self._state.job(file_id.replace("file-result-", "ftjob-", 1))
        if job is None or job.result_file != file_id or job.status(self._state.clock()) != "succeeded":
            raise _no_file(file_id)
        shown = file_shown(progress.result_file_object(job), self._personality)
        return shown, lambda: Response(progress.result_csv(job), media_type="text/csv")

    def _object(self, file: progress.StoredFile) -> dict[str, object]:
        return file_shown(progress.file_object(file, self._state.clock()), self._personality)


def _no_file(file_id: str) -> Refusal:
    return Refusal(f"There is no file {file_id}.", status=404, param="id")
