"""Chat completions, so that a model can be tried: made-up answers, the same for the same question.

`POST /v1/chat/completions` is answered for every model on offer, and for an `ft:` model or checkpoint of a job
that succeeded here. An answer repeats the last message, and says which model speaks; `usage` counts as training
does. Streams and several choices are refused; whatever else a request holds is taken and ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox import progress
from ftjobs.sandbox.bodies import json_of
from ftjobs.sandbox.counting import MESSAGE_OVERHEAD
from ftjobs.sandbox.personalities import Personality
from ftjobs.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from ftjobs.sandbox.state import SandboxState

_LONGEST_ECHO = 200


def chat_routes(state: SandboxState, personality: Personality) -> list[Route]:
    """Return the endpoint over `state`."""

    async def complete(request: Request) -> Response:
        return JSONResponse(_completion(state, personality, await json_of(request)))

    return [Route("/v1/chat/completions", complete, methods=["POST"])]


def _completion(state: SandboxState, personality: Personality, body: Any) -> dict[str, object]:
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise Refusal("`model` is missing.", code="missing_required_parameter", param="model")
    model, messages = body["model"], body.get("messages")
    if body.get("stream") or body.get("n") not in (None, 1):
        raise Refusal("The sandbox answers once, and not as a stream.", code="invalid_value", param="stream")
    if not isinstance(messages, list) or not messages or not all(_is_message(each) for each in messages):
        raise Refusal("`messages` must be a list of texts.", code="invalid_value", param="messages")
    if not _is_known(state, personality, model):
        message = f"The model {model} does not exist."
        raise Refusal(message, status=404, code="model_not_found", param="model")
    asked = messages[-1]["content"][:_LONGEST_ECHO]
    speaker = "fine-tuned" if model.startswith("ft:") else "base"
    answer = f"[{speaker} sandbox model] You said: {asked}"
    prompt = sum(MESSAGE_OVERHEAD + _tokens(each["role"]) + _tokens(each["content"]) for each in messages)
    completion = _tokens(answer)
    return {
        "id": state.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(state.clock()),
        "model": model if model.startswith("ft:") else personality.offer.snapshot_of(model),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


def _is_known(state: SandboxState, personality: Personality, model: str) -> bool:
    if not model.startswith("ft:"):
        return model in personality.offer.listed()
    now, after, more = state.clock(), None, True
    while more:
        jobs, more = state.jobs(after=after)
        for job in jobs:
            made = [each["fine_tuned_model_checkpoint"] for each in progress.checkpoints(job, now)]
            if model in made:
                return True
        after = jobs[-1].id if jobs else None
    return False


def _tokens(text: str) -> int:
    import toktok

    mended = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return int(toktok.batch_count([mended], "o200k_base")[0])
