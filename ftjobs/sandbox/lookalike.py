"""Jobs in Mistral's schema: the API's path, but neither its request, nor its objects, nor its lists.

Just enough for a client to notice. Lists come whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox import progress
from ftjobs.sandbox.bodies import json_of
from ftjobs.sandbox.creation import create_job
from ftjobs.sandbox.paging import EVERYTHING
from ftjobs.sandbox.personalities import Personality

if TYPE_CHECKING:
    from starlette.requests import Request

    from ftjobs.sandbox.state import SandboxState


def lookalike_routes(state: SandboxState, personality: Personality) -> list[Route]:
    """Return the three endpoints over `state`."""

    async def add_job(request: Request) -> Response:
        body = await json_of(request)
        given = body if isinstance(body, dict) else {}
        if missing := [name for name in ("model", "training_files") if not given.get(name)]:
            return _unprocessable("missing", missing, "Field required")
        files = given["training_files"]
        if not isinstance(files, list) or not all(isinstance(each, dict) and "file_id" in each for each in files):
            return _unprocessable("list_type", ["training_files"], "Input should be a valid list")
        asked = {"model": given["model"], "training_file": files[0]["file_id"]}
        return shown(await run_in_threadpool(create_job, state, asked, personality))

    def list_jobs(_: Request) -> Response:
        jobs, _more = state.jobs(limit=EVERYTHING)
        return JSONResponse({"data": [document(job) for job in jobs], "object": "list", "total": len(jobs)})

    def get_job(request: Request) -> Response:
        job = state.job(request.path_params["id"])
        return JSONResponse({"detail": "Not Found"}, 404) if job is None else shown(job)

    def shown(job: progress.Job) -> Response:
        return JSONResponse(document(job))

    def document(job: progress.Job) -> dict[str, object]:
        ours = progress.job_object(job, state.clock())
        return {
            **{name: ours[name] for name in ("id", "model", "created_at", "fine_tuned_model", "trained_tokens")},
            "object": "job",
            "status": personality.status_words[str(ours["status"])],
            "job_type": "completion",
            "auto_start": True,
            "modified_at": ours["created_at"],
            "training_files": [job.training_file],
            "validation_files": [],
            "hyperparameters": {"training_steps": job.total_steps, "learning_rate": 0.0001},
        }

    return [
        Route("/v1/fine_tuning/jobs", add_job, methods=["POST"]),
        Route("/v1/fine_tuning/jobs", list_jobs),
        Route("/v1/fine_tuning/jobs/{id}", get_job),
    ]


def _unprocessable(kind: str, fields: list[str], message: str) -> Response:
    detail = [{"type": kind, "loc": ["body", name], "msg": message} for name in fields]
    return JSONResponse({"detail": detail}, 422)
