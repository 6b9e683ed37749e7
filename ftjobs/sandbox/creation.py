"""What a job must be asked like: the body of `POST /v1/fine_tuning/jobs`, checked before anything is made."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from ftjobs.sandbox import counting
from ftjobs.sandbox.personalities import Personality
from ftjobs.sandbox.progress import Job, file_object
from ftjobs.sandbox.refusals import Refusal
from ftjobs.sandbox.state import SandboxState

_BOUNDS: dict[str, tuple[type | tuple[type, ...], float, float]] = {
    "n_epochs": (int, 1, 50),
    "batch_size": (int, 1, 256),
    "learning_rate_multiplier": ((int, float), 1e-6, 1e6),
    "learning_rate": ((int, float), 1e-9, 1),
    "beta": ((int, float), 0, 2),
}
_METHODS: dict[str, tuple[str, ...]] = {"supervised": (), "dpo": ("beta",)}
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


def create_job(state: SandboxState, body: object, personality: Personality) -> Job:
    """Make and store the job that `body` asks for, its bill already counted; Refusal says what is wrong."""
    asked = _parse(body, personality)
    # Nobody can wait for a status that is never told.
    ready_by = state.clock() if personality.tells_file_status else inf
    for param in ("training_file", "validation_file"):
        _require_ready(state, param, getattr(asked, param), ready_by)
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
        requested=resolved if personality.auto is None else asked.hyperparameters,
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


def _require_ready(state: SandboxState, param: str, file_id: str | None, ready_by: float) -> None:
    if file_id is None:
        return
    file = state.file(file_id)
    if file is None:
        raise Refusal(f"There is no file {file_id}.", code="file_not_found", param=param)
    status = file_object(file, ready_by)["status"]
    if status != "processed":
        raise Refusal(f"File {file_id} is {status}, not processed.", code="file_not_ready", param=param)


def _resolve(requested: dict[str, Any], examples: int) -> dict[str, Any]:
    """Return the hyperparameters with every "auto" decided; the sandbox's own rules but for epochs."""
    decided: dict[str, Any] = {
        "n_epochs": counting.auto_epochs(examples),
        "batch_size": min(256, max(1, examples // 500)),
        "learning_rate_multiplier": 2.0,
        "learning_rate": 1e-5,
        "lora": False,
        "beta": 0.1,
    }
    return {name: decided[name] if value == "auto" else value for name, value in requested.items()}


def _parse(body: object, personality: Personality) -> _Asked:
    if not isinstance(body, dict):
        raise Refusal("The body must be a JSON object.")
    if unknown := sorted(set(body) - personality.create_fields):
        raise Refusal(f"Unknown field: {unknown[0]}.", code="unknown_parameter", param=unknown[0])
    model, base = _model(_text(body, "model", needed=True), personality)
    method, hyperparameters = _method(body, personality)
    _require_training_type(body, personality)
    return _Asked(
        model=model,
        base=base,
        training_file=_text(body, "training_file", needed=True) or "",
        validation_file=_text(body, "validation_file"),
        method=method,
        hyperparameters=hyperparameters,
        suffix=_suffix(body, personality),
        seed=_seed(body),
        metadata=_metadata(body.get("metadata")) if personality.takes_metadata else None,
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


def _model(name: str | None, personality: Personality) -> tuple[str, str]:
    base = personality.offer.snapshot_of(name or "")
    if name is None or base is None:
        message = f"The model {name} does not exist or cannot be fine-tuned."
        raise Refusal(message, status=404, code="model_not_found", param="model")
    return (name if name.startswith("ft:") else base), base


def _require_training_type(body: dict[str, Any], personality: Personality) -> None:
    types = personality.training_types
    if types and body.get("trainingType") not in types:
        raise _invalid("trainingType", " or ".join(types))


def _method(body: dict[str, Any], personality: Personality) -> tuple[str, dict[str, Any]]:
    method = body.get("method")
    if method is None:
        given = body.get("hyperparameters")
        return "supervised", _hyperparameters("supervised", given, "hyperparameters", personality)
    kind = method.get("type") if isinstance(method, dict) else None
    if not isinstance(method, dict) or not isinstance(kind, str) or kind not in _METHODS:
        raise _invalid("method.type", " or ".join(_METHODS))
    if unknown := sorted(set(method) - {"type", kind}):
        raise Refusal(f"Unknown field: method.{unknown[0]}.", code="unknown_parameter", param="method")
    own = method.get(kind) or {}
    if not isinstance(own, dict):
        raise _invalid(f"method.{kind}", "an object")
    param = f"method.{kind}.hyperparameters"
    return kind, _hyperparameters(kind, own.get("hyperparameters"), param, personality)


def _hyperparameters(method: str, given: object, param: str, personality: Personality) -> dict[str, Any]:
    names = (*personality.hyperparameters, *_METHODS[method])
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise _invalid(param, "an object")
    if unknown := sorted(set(given) - set(names)):
        raise Refusal(f"Unknown field: {param}.{unknown[0]}.", code="unknown_parameter", param=param)
    open_values = ("auto", None, personality.auto)
    for name, value in given.items():
        if value not in open_values:
            _require_value(name, value, f"{param}.{name}")
    return {name: "auto" if given.get(name) in open_values else given[name] for name in names}


def _require_value(name: str, value: Any, param: str) -> None:
    if name not in _BOUNDS:
        if not isinstance(value, bool):
            raise _invalid(param, "true or false")
        return
    kind, least, most = _BOUNDS[name]
    number = isinstance(value, kind) and not isinstance(value, bool)
    if not (number and least <= value <= most):
        raise _invalid(param, f'"auto" or a number from {least:g} to {most:g}')


def _suffix(body: dict[str, Any], personality: Personality) -> str | None:
    suffix = _text(body, "suffix")
    if suffix is not None and len(suffix) > _MAX_SUFFIX:
        raise _invalid("suffix", f"at most {_MAX_SUFFIX} characters long")
    if suffix is not None and "." in suffix and not personality.suffix_dots:
        raise _invalid("suffix", "free of dots")
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
