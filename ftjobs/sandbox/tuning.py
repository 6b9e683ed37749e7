"""Fine-tuning jobs: created, listed, followed and cancelled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox import progress
from ftjobs.sandbox.bodies import json_of
from ftjobs.sandbox.creation import create_job
from ftjobs.sandbox.paging import bad_cursor, listed, page_asked, page_of
from ftjobs.sandbox.personalities import Personality
from ftjobs.sandbox.progress import Job
from ftjobs.sandbox.refusals import Refusal
from ftjobs.sandbox.showing import job_shown

if TYPE_CHECKING:
    from starlette.requests import Request

    from ftjobs.sandbox.state import SandboxState


def job_routes(state: SandboxState, personality: Personality) -> list[Route]:
    """Return the six endpoints over `state`."""
    api = _Jobs(state, personality)
    return [
        Route("/v1/fine_tuning/jobs", api.add_job, methods=["POST"]),
        Route("/v1/fine_tuning/jobs", api.list_jobs),
        Route("/v1/fine_tuning/jobs/{id}", api.get_job),
        Route("/v1/fine_tuning/jobs/{id}/cancel", api.cancel_job, methods=["POST"]),
        Route("/v1/fine_tuning/jobs/{id}/events", api.list_events),
        Route("/v1/fine_tuning/jobs/{id}/checkpoints", api.list_checkpoints),
    ]


class _Jobs:
    """One method an endpoint. Plain methods run in threads, so that no request waits for another's disk."""

    def __init__(self, state: SandboxState, personality: Personality) -> None:
        self._state, self._personality = state, personality

    async def add_job(self, request: Request) -> Response:
        body = await json_of(request)
        job = await run_in_threadpool(create_job, self._state, body, self._personality)
        return JSONResponse(self._object(job, created=True))

    def list_jobs(self, request: Request) -> Response:
        limit, after = page_asked(request, self._personality, default=20, most=100)
        metadata = {
            name[len("metadata[") : -1]: value
            for name, value in request.query_params.items()
            if self._personality.takes_metadata and name.startswith("metadata[") and name.endswith("]")
        }
        try:
            jobs, more = self._state.jobs(after=after, limit=limit, metadata=metadata)
        except KeyError:
            raise bad_cursor(after) from None
        return listed([self._object(job) for job in jobs], more, self._personality)

    def get_job(self, request: Request) -> Response:
        return self._shown(self._job(request))

    def cancel_job(self, request: Request) -> Response:
        job = self._job(request)
        cancelled = self._state.cancel_job(job.id)
        if cancelled is None:
            raise Refusal(f"Job {job.id} has ended.", code="invalid_state", param="fine_tune_id")
        return self._shown(cancelled)

    def list_events(self, request: Request) -> Response:
        happened = progress.events(self._job(request), self._state.clock())
        return page_of(happened, request, self._personality, default=20, most=100)

    def list_checkpoints(self, request: Request) -> Response:
        made = progress.checkpoints(self._job(request), self._state.clock())
        return page_of(made, request, self._personality, default=10, most=100)

    def _job(self, request: Request) -> Job:
        job_id = request.path_params["id"]
        job = self._state.job(job_id)
        if job is None:
            message = f"There is no job {job_id}."
            raise Refusal(message, status=404, code="fine_tune_not_found", param="fine_tune_id")
        return job

    def _object(self, job: Job, *, created: bool = False) -> dict[str, object]:
        told = job if self._state.settings().keep_metadata else replace(job, metadata=None)
        return job_shown(progress.job_object(told, self._state.clock()), self._personality, created=created)

    def _shown(self, job: Job) -> Response:
        return JSONResponse(self._object(job))
