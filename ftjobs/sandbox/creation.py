"""What a job must be asked like: the body of `POST /v1/fine_tuning/jobs`, checked before anything is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftjobs.sandbox import counting
from ftjobs.sandbox.offering import snapshot_of
from ftjobs.sandbox.progress import Job, file_object
from ftjobs.sandbox.refusals import Refusal
from ftjobs.sandbox.state import SandboxState

_FIELDS = {
    "model",
    "training_file",
    "validation_file",
    "method",
    "hyperparameters",
    "suffix",
    "seed",
    "metadata",
    "integrations",
}
_BOUNDS: dict[str, tuple[type | tuple[type, ...], float, float]] = {
    "n_epochs": (int, 1, 50),
    "batch_size": (int, 1, 256),
    "learning_rate_multiplier": ((int, float), 1e-6, 1e6),
    "beta": ((int, float), 0, 2),
}
_METHODS = {
    "supervised": ("n_epochs", "batch_size", "learning_rate_multiplier"),
    "dpo": ("n_epochs", "batch_size", "learning_rate_multiplier", "beta"),
}
_MIN_EXAMPLES = 10
_MAX_SUFFIX = 64
_MAX_SEED = 2**31 - 1
_MAX_PAIRS, _MAX_KEY, _MAX_VALUE = 16, 64, 512


@dataclass(frozen=True, slots=True)
class _Asked:
    model: str
    base: str
    training_file: str
    validation_file: str | None
    method: str
    hyperparameters: dict[str, Any]
    suffix: str | None
    seed: int | None
    metadata: dict[str, str] | None
    integrations: list[Any] | None


def create_job(state: SandboxState, body: object) -> Job:
    """Make and store the job that `body` asks for, its bill already counted; Refusal says what is wrong."""
    asked = _parse(body)
    for param in ("training_file", "validation_file"):
        _require_ready(state, param, getattr(asked, param))
    try:
        counted = counting.count(state.content(asked.training_file), asked.method)
    except counting.ExampleError as error:
        raise Refusal(f"The training file: {error}.", code="invalid_file_format", param="training_file") from None
    if counted.examples < _MIN_EXAMPLES:
        message = f"The training file has {counted.examples} examples; {_MIN_EXAMPLES} are the least."
        raise Refusal(message, code="invalid_n_examples", param="training_file")
    settings = state.settings()
    resolved = _resolve(asked.hyperparameters, counted.examples)
    job = Job(
        id=state.new_id("ftjob-"),
        created_at=state.clock(),
        duration_s=settings.job_seconds,
        model=asked.model,
        base=asked.base,
        training_file=asked.training_file,
        validation_file=asked.validation_file,
        method=asked.method,
        requested=asked.hyperparameters,
        resolved=resolved,
        examples=counted.examples,
        billable_tokens=counted.epoch_tokens * resolved["n_epochs"],
        suffix=asked.suffix,
        seed=state.new_seed() if asked.seed is None else asked.seed,
        metadata=asked.metadata if settings.keep_metadata else None,
        integrations=asked.integrations,
        fail_code=settings.fail_code,
    )
    state.add_job(job)
    return job


def _require_ready(state: SandboxState, param: str, file_id: str | None) -> None:
    if file_id is None:
        return
    file = state.file(file_id)
    if file is None:
        raise Refusal(f"There is no file {file_id}.", code="file_not_found", param=param)
    status = file_object(file, state.clock())["status"]
    if status != "processed":
        raise Refusal(f"File {file_id} is {status}, not processed.", code="file_not_ready", param=param)


def _resolve(requested: dict[str, Any], examples: int) -> dict[str, Any]:
    """Return the hyperparameters with every "auto" decided; the sandbox's own rules but for epochs."""
    decided: dict[str, Any] = {
        "n_epochs": counting.auto_epochs(examples),
        "batch_size": min(256, max(1, examples // 500)),
        "learning_rate_multiplier": 2.0,
        "beta": 0.1,
    }
    return {name: decided[name] if value == "auto" else value for name, value in requested.items()}


def _parse(body: object) -> _Asked:
    if not isinstance(body, dict):
        raise Refusal("The body must be a JSON object.")
    if unknown := sorted(set(body) - _FIELDS):
        raise Refusal(f"Unknown field: {unknown[0]}.", code="unknown_parameter", param=unknown[0])
    model, base = _model(_text(body, "model", needed=True))
    method, hyperparameters = _method(body)
    return _Asked(
        model=model,
        base=base,
        training_file=_text(body, "training_file", needed=True) or "",
        validation_file=_text(body, "validation_file"),
        method=method,
        hyperparameters=hyperparameters,
        suffix=_suffix(body),
        seed=_seed(body),
        metadata=_metadata(body.get("metadata")),
        integrations=_integrations(body.get("integrations")),
    )


def _invalid(param: str, wanted: str) -> Refusal:
    return Refusal(f"`{param}` must be {wanted}.", code="invalid_value", param=param)


def _text(body: dict[str, Any], param: str, *, needed: bool = False) -> str | None:
    value = body.get(param)
    if value is None and needed:
        raise Refusal(f"`{param}` is missing.", code="missing_required_parameter", param=param)
    if value is not None and (not isinstance(value, str) or not value):
        raise _invalid(param, "a string that is not empty")
    return value


def _model(name: str | None) -> tuple[str, str]:
    base = snapshot_of(name or "")
    if name is None or base is None:
        message = f"The model {name} does not exist or cannot be fine-tuned."
        raise Refusal(message, status=404, code="model_not_found", param="model")
    return (name if name.startswith("ft:") else base), base


def _method(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    method = body.get("method")
    if method is None:
        return "supervised", _hyperparameters("supervised", body.get("hyperparameters"), "hyperparameters")
    kind = method.get("type") if isinstance(method, dict) else None
    if not isinstance(method, dict) or not isinstance(kind, str) or kind not in _METHODS:
        raise _invalid("method.type", " or ".join(_METHODS))
    if unknown := sorted(set(method) - {"type", kind}):
        raise Refusal(f"Unknown field: method.{unknown[0]}.", code="unknown_parameter", param="method")
    own = method.get(kind) or {}
    if not isinstance(own, dict):
        raise _invalid(f"method.{kind}", "an object")
    return kind, _hyperparameters(kind, own.get("hyperparameters"), f"method.{kind}.hyperparameters")


def _hyperparameters(method: str, given: object, param: str) -> dict[str, Any]:
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise _invalid(param, "an object")
    if unknown := sorted(set(given) - set(_METHODS[method])):
        raise Refusal(f"Unknown field: {param}.{unknown[0]}.", code="unknown_parameter", param=param)
    for name, value in given.items():
        kind, least, most = _BOUNDS[name]
        number = isinstance(value, kind) and not isinstance(value, bool)
        if value not in ("auto", None) and not (number and least <= value <= most):
            raise _invalid(f"{param}.{name}", f'"auto" or a number from {least:g} to {most:g}')
    return {name: "auto" if given.get(name) is None else given[name] for name in _METHODS[method]}


def _suffix(body: dict[str, Any]) -> str | None:
    suffix = _text(body, "suffix")
    if suffix is not None and len(suffix) > _MAX_SUFFIX:
        raise _invalid("suffix", f"at most {_MAX_SUFFIX} characters long")
    return suffix


def _seed(body: dict[str, Any]) -> int | None:
    seed = body.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= _MAX_SEED):
        raise _invalid("seed", f"an integer from 0 to {_MAX_SEED}")
    return seed


def _metadata(metadata: object) -> dict[str, str] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or len(metadata) > _MAX_PAIRS:
        raise _invalid("metadata", f"an object of at most {_MAX_PAIRS} pairs")
    for key, value in metadata.items():
        if not isinstance(value, str) or len(key) > _MAX_KEY or len(value) > _MAX_VALUE:
            raise _invalid("metadata", f"strings: keys to {_MAX_KEY} characters, values to {_MAX_VALUE}")
    return metadata


def _integrations(integrations: object) -> list[Any] | None:
    if integrations is not None and not isinstance(integrations, list):
        raise _invalid("integrations", "a list")
    return integrations
