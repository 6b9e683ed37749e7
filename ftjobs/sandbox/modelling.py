"""Models: what can be tuned, and until when it will answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox.offering import model_object
from ftjobs.sandbox.personalities import Personality
from ftjobs.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from ftjobs.sandbox.state import SandboxState


def model_routes(state: SandboxState, personality: Personality) -> list[Route]:
    """Return the two endpoints, under the clock of `state`."""

    def list_models(_: Request) -> Response:
        models = [model_object(model, state.clock()) for model in personality.offer.listed()]
        return JSONResponse({"object": "list", "data": models})

    def get_model(request: Request) -> Response:
        """Any `ft:` name over a known model is answered, as it is accepted for training."""
        model = request.path_params["id"]
        if personality.offer.snapshot_of(model) is None:
            message = f"The model {model} does not exist."
            raise Refusal(message, status=404, code="model_not_found", param="model")
        owner = "org-sandbox" if model.startswith("ft:") else "system"
        return JSONResponse(model_object(model, state.clock(), owned_by=owner))

    return [Route("/v1/models", list_models), Route("/v1/models/{id:path}", get_model)]
