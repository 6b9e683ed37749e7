"""What is asked of the service, and the key that makes asking twice safe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass
from dataclasses import fields as dataclass_fields
from typing import Any, Literal, NamedTuple

MAX_EPOCHS = 50  # what the API reference allows
FIELDS = frozenset(
    {
        "model",
        "training_file",
        "validation_file",
        "suffix",
        "seed",
        "metadata",
        "integrations",
        "method",
        "hyperparameters",
    }
)
"""What the create call of the API takes; anything else is a service's own."""
_METHOD = "supervised"
_NOT_CONTENT = frozenset({"requested_model", "training_bytes"})


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Everything that decides what is trained; tags, waiting and cost limits are left out on purpose.

    `model` is what is sent (a dated snapshot or an ft: name), `base_model` the snapshot that is priced,
    `requested_model` what the user typed. `training_*` describe the file's bytes, not the file's name.
    `extra_body` are fields of the service's own.
    """

    model: str
    base_model: str
    requested_model: str
    n_epochs: int | Literal["auto"]
    training_sha256: str
    training_bytes: int
    validation_sha256: str | None = None
    method: str = _METHOD
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    suffix: str | None = None
    seed: int | None = None
    again: str | None = None
    beta: float | None = None
    learning_rate: float | None = None
    extra_body: Mapping[str, Any] | None = None

    def content_key(self, account: str) -> str:
        """Return the hash under which one account holds at most one live or succeeded job of this content."""
        # What is not asked for is left out, so that a later version's further options change no key.
        content = {k: v for k, v in asdict(self).items() if v is not None and k not in _NOT_CONTENT}
        canonical = json.dumps({"v": 1, "account": account, **content}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> str:
        """Return a JSON object that `from_json` reads back."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> JobSpec:
        """Return the spec that `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**fields)


class SpecGlance(NamedTuple):
    """As much of a `JobSpec` as a list shows, each field as there."""

    base_model: str
    n_epochs: int | Literal["auto"]
    method: str


def glance_at_spec(fields: Any) -> SpecGlance:
    """Return what a list shows of the spec of these decoded fields; TypeError where they are of no spec."""
    if not isinstance(fields, dict) or not _NEEDED <= fields.keys() <= _KNOWN:
        raise TypeError("a spec has the fields of JobSpec")
    return SpecGlance(fields["base_model"], fields["n_epochs"], fields.get("method", _METHOD))


_NEEDED = frozenset(each.name for each in dataclass_fields(JobSpec) if each.default is MISSING)
_KNOWN = frozenset(each.name for each in dataclass_fields(JobSpec))


def derive_seed(submission_id: str) -> int:
    """Return the seed (0 … 2³¹−1) that a submission sends where the user gave none; it helps to recognise it."""
    return int.from_bytes(hashlib.sha256(submission_id.encode()).digest()[:4]) & 0x7FFFFFFF
