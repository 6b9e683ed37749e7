"""The API over a state, as an ASGI application.

Under `/v1`: files, uploads in parts, fine-tuning jobs, models, chat completions (`chatting`) and the cost report
(`costing`); any key but `sk-wrong` is welcome. Lists of files hold uploads only; the result file of a job is
reached by its id. Under `/sandbox`: faults, settings and the log of requests. `faults` and `settings` say what
those take.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox import progress
from ftjobs.sandbox.chatting import chat_routes
from ftjobs.sandbox.costing import cost_routes
from ftjobs.sandbox.creation import create_job
from ftjobs.sandbox.faults import Fault, Misbehaving, parse_faults
from ftjobs.sandbox.offering import model_object, offered, snapshot_of
from ftjobs.sandbox.progress import Job
from ftjobs.sandbox.refusals import Refusal
from ftjobs.sandbox.uploading import upload_routes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ftjobs.sandbox.state import SandboxState

WRONG_KEY = "sk-wrong"
MAX_FILE_BYTES = 512 * 1024 * 1024
_FORM_OVERHEAD = 64 * 1024


def build_app(state: SandboxState) -> Starlette:
    """Return the application that serves `state`; see `faults.Misbehaving` for what its server must offer."""
    api = _Api(state)
    routes = [
        Route("/v1/files", api.add_file, methods=["POST"]),
        Route("/v1/files", api.list_files),
        Route("/v1/files/{id}", api.get_file),
        Route("/v1/files/{id}", api.delete_file, methods=["DELETE"]),
        Route("/v1/files/{id}/content", api.get_content),
        *upload_routes(state),
        Route("/v1/fine_tuning/jobs", api.add_job, methods=["POST"]),
        Route("/v1/fine_tuning/jobs", api.list_jobs),
        Route("/v1/fine_tuning/jobs/{id}", api.get_job),
        Route("/v1/fine_tuning/jobs/{id}/cancel", api.cancel_job, methods=["POST"]),
        Route("/v1/fine_tuning/jobs/{id}/events", api.list_events),
        Route("/v1/fine_tuning/jobs/{id}/checkpoints", api.list_checkpoints),
        *chat_routes(state),
        *cost_routes(state),
        Route("/v1/models", api.list_models),
        Route("/v1/models/{id}", api.get_model),
        Route("/sandbox/faults", api.get_faults),
        Route("/sandbox/faults", api.put_faults, methods=["PUT"]),
        Route("/sandbox/settings", api.get_settings),
        Route("/sandbox/settings", api.put_settings, methods=["PUT"]),
        Route("/sandbox/requests", api.get_requests),
    ]

    async def arrived(method: str, path: str, query: str) -> Fault | None:
        return await run_in_threadpool(state.arrived, method, path, query)

    return Starlette(
        routes=routes,
        middleware=[Middleware(Misbehaving, arrived=arrived), Middleware(_Authorized)],
        exception_handlers={Refusal: _refused, HTTPException: _no_such_route, Exception: _crashed},
    )


class _Authorized:
    """Answers 401 to API requests without a key, or with the documented wrong one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        key = header[len("Bearer ") :].strip() if header.startswith("Bearer ") else ""
        if scope["path"].startswith("/v1/") and key in ("", WRONG_KEY):
            message = "The API key is wrong." if key else "The API key is missing: send it as a Bearer token."
            refusal = Refusal(message, status=401, code="invalid_api_key")
            await JSONResponse(refusal.envelope, refusal.status)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - registered for nothing else
    return JSONResponse(refusal.envelope, refusal.status)


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    refusal = Refusal(f"Nothing answers {request.method} {request.url.path}.", status=status, code="unknown_url")
    return JSONResponse(refusal.envelope, status)


async def _crashed(_: Request, error: Exception) -> Response:
    refusal = Refusal(f"The sandbox broke: {type(error).__name__}: {error}", kind="server_error")
    # The server closes the connection of an application that broke: tell the client, or it tries to reuse it.
    return JSONResponse(refusal.envelope, 500, {"Connection": "close"})


class _Api:
    """One method an endpoint. Plain methods run in threads, so that no request waits for another's disk."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    # Files

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
        return JSONResponse(progress.file_object(stored, self._state.clock()))

    def list_files(self, request: Request) -> Response:
        limit, after = _page(request, default=10_000, most=10_000)
        try:
            files, more = self._state.files(after=after, limit=limit)
        except KeyError:
            raise _bad_cursor(after) from None
        now = self._state.clock()
        return _list([progress.file_object(file, now) for file in files], more)

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
        now = self._state.clock()
        if file := self._state.file(file_id):
            return progress.file_object(file, now), lambda: FileResponse(self._state.content(file_id))
        job = self._state.job(file_id.replace("file-result-", "ftjob-", 1))
        if job is None or job.result_file != file_id or job.status(now) != "succeeded":
            raise _no_file(file_id)
        return progress.result_file_object(job), lambda: Response(progress.result_csv(job), media_type="text/csv")

    # Jobs

    async def add_job(self, request: Request) -> Response:
        body = await _json(request)
        return self._shown(await run_in_threadpool(create_job, self._state, body))

    def list_jobs(self, request: Request) -> Response:
        limit, after = _page(request, default=20, most=100)
        metadata = {
            name[len("metadata[") : -1]: value
            for name, value in request.query_params.items()
            if name.startswith("metadata[") and name.endswith("]")
        }
        try:
            jobs, more = self._state.jobs(after=after, limit=limit, metadata=metadata)
        except KeyError:
            raise _bad_cursor(after) from None
        return _list([self._object(job) for job in jobs], more)

    def get_job(self, request: Request) -> Response:
        return self._shown(self._job(request))

    def cancel_job(self, request: Request) -> Response:
        job = self._job(request)
        cancelled = self._state.cancel_job(job.id)
        if cancelled is None:
            raise Refusal(f"Job {job.id} has ended.", code="invalid_state", param="fine_tune_id")
        return self._shown(cancelled)

    def list_events(self, request: Request) -> Response:
        limit, after = _page(request, default=20, most=100)
        return _slice(progress.events(self._job(request), self._state.clock()), after, limit)

    def list_checkpoints(self, request: Request) -> Response:
        limit, after = _page(request, default=10, most=100)
        return _slice(progress.checkpoints(self._job(request), self._state.clock()), after, limit)

    def _job(self, request: Request) -> Job:
        job_id = request.path_params["id"]
        job = self._state.job(job_id)
        if job is None:
            message = f"There is no job {job_id}."
            raise Refusal(message, status=404, code="fine_tune_not_found", param="fine_tune_id")
        return job

    def _object(self, job: Job) -> dict[str, object]:
        shown = job if self._state.settings().keep_metadata else replace(job, metadata=None)
        return progress.job_object(shown, self._state.clock())

    def _shown(self, job: Job) -> Response:
        return JSONResponse(self._object(job))

    # Models

    def list_models(self, _: Request) -> Response:
        now = self._state.clock()
        return JSONResponse({"object": "list", "data": [model_object(model, now) for model in offered()]})

    def get_model(self, request: Request) -> Response:
        """Any `ft:` name over a known model is answered, as it is accepted for training."""
        model = request.path_params["id"]
        if snapshot_of(model) is None:
            message = f"The model {model} does not exist."
            raise Refusal(message, status=404, code="model_not_found", param="model")
        owner = "org-sandbox" if model.startswith("ft:") else "system"
        return JSONResponse(model_object(model, self._state.clock(), owned_by=owner))

    # The sandbox itself

    def get_faults(self, _: Request) -> Response:
        return JSONResponse([fault.shown() for fault in self._state.faults()])

    async def put_faults(self, request: Request) -> Response:
        try:
            faults = parse_faults(await _json(request))
        except ValueError as error:
            raise Refusal(f"{error}.", code="invalid_fault") from None
        await run_in_threadpool(self._state.set_faults, faults)
        return JSONResponse([fault.shown() for fault in faults])

    def get_settings(self, _: Request) -> Response:
        return JSONResponse(asdict(self._state.settings()))

    async def put_settings(self, request: Request) -> Response:
        changes = await _json(request)
        if not isinstance(changes, dict):
            raise Refusal("The settings must be a JSON object.", code="invalid_setting")
        reset = changes.pop("reset", False)
        if not isinstance(reset, bool):
            raise Refusal("`reset` must be true or false.", code="invalid_setting", param="reset")
        try:
            settings = await run_in_threadpool(self._state.change_settings, changes, reset=reset)
        except ValueError as error:
            raise Refusal(f"{error}.", code="invalid_setting") from None
        return JSONResponse(asdict(settings))

    def get_requests(self, _: Request) -> Response:
        return JSONResponse(self._state.requests())


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Refusal("The body is not JSON.") from None


def _page(request: Request, *, default: int, most: int) -> tuple[int, str | None]:
    limit = request.query_params.get("limit", str(default))
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= most):
        raise Refusal(f"`limit` must be from 1 to {most}.", code="invalid_value", param="limit")
    return int(limit), request.query_params.get("after")


def _slice(objects: list[dict[str, object]], after: str | None, limit: int) -> Response:
    ids = [item["id"] for item in objects]
    if after is not None and after not in ids:
        raise _bad_cursor(after)
    start = 0 if after is None else ids.index(after) + 1
    return _list(objects[start : start + limit], len(objects) > start + limit)


def _list(objects: Sequence[dict[str, object]], more: bool) -> Response:
    first, last = (objects[0]["id"], objects[-1]["id"]) if objects else (None, None)
    return JSONResponse({"object": "list", "data": objects, "first_id": first, "last_id": last, "has_more": more})


def _bad_cursor(after: str | None) -> Refusal:
    return Refusal(f"`after` names nothing: {after}.", code="invalid_value", param="after")


def _no_file(file_id: str) -> Refusal:
    return Refusal(f"There is no file {file_id}.", status=404, param="id")
