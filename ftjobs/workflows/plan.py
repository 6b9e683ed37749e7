"""From what a user asks for to an order that can be submitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ftjobs.dataset.survey import Survey
from ftjobs.errors import UsageError
from ftjobs.jobs.spec import JobSpec
from ftjobs.models.names import ModelName
from ftjobs.pricing.estimate import Epochs, Estimate
from ftjobs.provider.profiles import Profile
from ftjobs.workflows.adoption import check_tags
from ftjobs.workflows.fit import require_fit
from ftjobs.workflows.submit import Order
from ftjobs.workflows.upload import Source

MAX_SUFFIX = 64
MAX_BETA = 2


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for beside the files, in the API's words; checked when made.

    Bounds: batch_size 1–256, learning_rate_multiplier and learning_rate above 0, beta 0–2 and for dpo only,
    suffix 1–64 characters without white space. What a service takes of it, its profile says (`fit`).
    """

    model: ModelName
    method: str = "supervised"
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    learning_rate: float | None = None
    beta: float | None = None
    seed: int | None = None
    suffix: str | None = None
    again: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("learning_rate_multiplier", "learning_rate", "beta"):
            if (number := getattr(self, name)) is not None:
                # 2 and 2.0 are one number to Python, and must be one content to the key.
                object.__setattr__(self, name, float(number) + 0.0)
        for name, whole in (("batch size", self.batch_size), ("seed", self.seed)):
            if whole is not None and type(whole) is not int:
                raise UsageError("bad_number", f"{whole!r} is no {name}.", next_step="Give a whole number.")
        for what, option, rate in (
            ("learning rate multiplier", "--lr-multiplier", self.learning_rate_multiplier),
            ("learning rate", "--learning-rate", self.learning_rate),
        ):
            if rate is not None and not (math.isfinite(rate) and rate > 0):
                raise UsageError(
                    "bad_learning_rate",
                    f"{rate:g} is no {what}.",
                    next_step=f"Give {option} a number above 0.",
                )
        if self.beta is not None and not 0 <= self.beta <= MAX_BETA:
            raise UsageError(
                "bad_beta", f"{self.beta:g} is no beta.", next_step=f"Give --beta a number from 0 to {MAX_BETA}."
            )
        if self.beta is not None and self.method != "dpo":
            raise UsageError(
                "beta_without_dpo",
                f"--beta is an option of DPO, and the method is {self.method}.",
                next_step="Add --method dpo, or leave --beta out.",
            )
        if self.suffix is not None and not _is_suffix(self.suffix):
            raise UsageError(
                "bad_suffix",
                f"The suffix {self.suffix!r} cannot be part of a model's name.",
                next_step=f"Give --suffix 1 to {MAX_SUFFIX} printable characters without white space.",
            )
        if self.again is not None and not self.again.strip():
            raise UsageError(
                "bad_again",
                "--again needs a name: without one, nothing says which training this is.",
                next_step="Write it like --again second, or leave it out.",
            )
        for text in (*self.tags, *self.tags.values(), self.again or ""):
            if not text.isprintable():
                raise UsageError(
                    "bad_text",
                    f"{text!r} holds characters that cannot travel with a job.",
                    next_step="Write tags and names in printable characters.",
                )
        check_tags(self.tags)


def _is_suffix(text: str) -> bool:
    return 0 < len(text) <= MAX_SUFFIX and text.isprintable() and " " not in text


@dataclass(frozen=True, slots=True)
class Files:
    """The surveyed files, and where they lie."""

    training: Survey
    training_path: Path
    validation: Survey | None = None
    validation_path: Path | None = None
    training_name: str | None = None


def spec_of(request: Request, files: Files, epochs: Epochs, profile: Profile) -> JobSpec:
    """Return what is asked of the service; the epochs are pinned unless the service is to choose.

    UsageError for what the profile's service does not take.
    """
    spec = JobSpec(
        model=request.model.sent,
        base_model=request.model.base.name,
        requested_model=request.model.requested,
        n_epochs="auto" if epochs.source == "auto" else epochs.count.expected,
        training_sha256=files.training.sha256,
        training_bytes=files.training.bytes,
        validation_sha256=files.validation.sha256 if files.validation else None,
        method=request.method,
        batch_size=request.batch_size,
        learning_rate_multiplier=request.learning_rate_multiplier,
        beta=request.beta,
        suffix=request.suffix,
        seed=request.seed,
        again=request.again,
        learning_rate=request.learning_rate,
        extra_body=profile.extra_body or None,
    )
    require_fit(spec, profile)
    return spec


def order_of(request: Request, files: Files, estimate: Estimate, profile: Profile, *, on: date) -> Order:
    """Return the order of what was estimated.

    ValueError where the estimate has no price: see `gate.require_price`.
    """
    return Order(
        spec=spec_of(request, files, estimate.epochs, profile),
        quote=estimate.quote(on=on),
        training=Source(
            files.training_path, files.training.sha256, files.training.bytes, name=files.training_name
        ),
        validation=Source(files.validation_path, files.validation.sha256, files.validation.bytes)
        if files.validation and files.validation_path
        else None,
        tags=request.tags,
    )
