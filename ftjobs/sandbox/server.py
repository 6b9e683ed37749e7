"""The API over a state, as an ASGI application.

Under `/v1`: files (`filing`), uploads in parts (`uploading`), fine-tuning jobs (`tuning`, or `lookalike`), models
(`modelling`), chat completions (`chatting`) and the cost report (`costing`), as far as the personality has them,
behind its root; any key but `sk-wrong` is welcome. Under `/sandbox`: faults, settings and the log of requests;
`faults` and `settings` say what those take.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox.bodies import json_of
from ftjobs.sandbox.chatting import chat_routes
from ftjobs.sandbox.costing import cost_routes
from ftjobs.sandbox.faults import Fault, Misbehaving, parse_faults
from ftjobs.sandbox.filing import file_routes
from ftjobs.sandbox.lookalike import lookalike_routes
from ftjobs.sandbox.modelling import model_routes
from ftjobs.sandbox.personalities import Personality
from ftjobs.sandbox.refusals import Refusal
from ftjobs.sandbox.settings import Settings
from ftjobs.sandbox.tuning import job_routes
from ftjobs.sandbox.uploading import upload_routes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ftjobs.sandbox.state import SandboxState

WRONG_KEY = "sk-wrong"


def build_app(state: SandboxState, personality: Personality) -> Starlette:
    """Return the application that serves `state` so; see `faults.Misbehaving` for what its server must offer."""
    jobs_of = lookalike_routes if personality.schema == "mistral" else job_routes
    api = [
        *file_routes(state, personality),
        *upload_routes(state),
        *jobs_of(state, personality),
        *chat_routes(state, personality),
        *cost_routes(state),
        *model_routes(state, personality),
    ]
    control = _Control(state, personality)
    routes = [
        *(route for route in api if endpoints_of(route) & personality.endpoints),
        Route("/sandbox/faults", control.get_faults),
        Route("/sandbox/faults", control.put_faults, methods=["PUT"]),
        Route("/sandbox/settings", control.get_settings),
        Route("/sandbox/settings", control.put_settings, methods=["PUT"]),
        Route("/sandbox/requests", control.get_requests),
    ]

    async def arrived(method: str, path: str, query: str) -> Fault | None:
        return await run_in_threadpool(state.arrived, method, path, query)

    return Starlette(
        routes=routes,
        middleware=[
            Middleware(_Rooted, root=personality.root),
            Middleware(Misbehaving, arrived=arrived),
            Middleware(_Authorized, key_header=personality.key_header),
        ],
        exception_handlers={Refusal: _refused, HTTPException: _no_such_route, Exception: _crashed},
    )


def endpoints_of(route: Route) -> set[str]:
    """Return what a route answers, as a personality names it."""
    return {f"{method} {route.path}" for method in route.methods or ()}


class _Rooted:
    """Takes the personality's root off each path, so that what lies behind sees `/v1/…` whoever is played."""

    def __init__(self, app: ASGIApp, *, root: str) -> None:
        self._app, self._root = app, root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if not self._root or path.startswith("/sandbox/"):
            await self._app(scope, receive, send)
        elif path.startswith(f"{self._root}/"):
            await self._app({**scope, "path": path.removeprefix(self._root)}, receive, send)
        else:
            await _nothing(scope)(scope, receive, send)


class _Authorized:
    """Answers 401 to API requests without a key, or with the documented wrong one."""

    def __init__(self, app: ASGIApp, *, key_header: bool) -> None:
        self._app, self._key_header = app, key_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        header = headers.get(b"authorization", b"").decode("latin-1")
        key = header[len("Bearer ") :].strip() if header.startswith("Bearer ") else ""
        if self._key_header:
            key = key or headers.get(b"api-key", b"").decode("latin-1").strip()
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
    return _nothing(request.scope, status)


def _nothing(scope: Scope, status: int = 404) -> Response:
    asked = f"{scope['method']} {scope['raw_path'].decode('latin-1')}"
    refusal = Refusal(f"Nothing answers {asked}.", status=status, code="unknown_url")
    return JSONResponse(refusal.envelope, status)


async def _crashed(_: Request, error: Exception) -> Response:
    refusal = Refusal(f"The sandbox broke: {type(error).__name__}: {error}", kind="server_error")
    # The server closes the connection of an application that broke: tell the client, or it tries to reuse it.
    return JSONResponse(refusal.envelope, 500, {"Connection": "close"})


class _Control:
    """The sandbox itself, one method an endpoint."""

    def __init__(self, state: SandboxState, personality: Personality) -> None:
        self._state, self._personality = state, personality

    def get_faults(self, _: Request) -> Response:
        return JSONResponse([fault.shown() for fault in self._state.faults()])

    async def put_faults(self, request: Request) -> Response:
        try:
            faults = parse_faults(await json_of(request))
        except ValueError as error:
            raise Refusal(f"{error}.", code="invalid_fault") from None
        await run_in_threadpool(self._state.set_faults, faults)
        return JSONResponse([fault.shown() for fault in faults])

    def get_settings(self, _: Request) -> Response:
        return self._settings_shown(self._state.settings())

    async def put_settings(self, request: Request) -> Response:
        changes = await json_of(request)
        if not isinstance(changes, dict):
            raise Refusal("The settings must be a JSON object.", code="invalid_setting")
        reset = changes.pop("reset", False)
        if not isinstance(reset, bool):
            raise Refusal("`reset` must be true or false.", code="invalid_setting", param="reset")
        try:
            settings = await run_in_threadpool(self._state.change_settings, changes, reset=reset)
        except ValueError as error:
            raise Refusal(f"{error}.", code="invalid_setting") from None
        return self._settings_shown(settings)

    def _settings_shown(self, settings: Settings) -> Response:
        return JSONResponse({**asdict(settings), "personality": self._personality.name})

    def get_requests(self, _: Request) -> Response:
        return JSONResponse(self._state.requests())
