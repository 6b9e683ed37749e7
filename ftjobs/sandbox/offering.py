"""The models that can be tuned, under dates of the sandbox's own: they never run out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_ENDING = "gpt-4o-2024-08-06"
_CREATED = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Offer:
    """What a serving can tune: aliases with the snapshots behind them, and any other name of a form.

    `form` is a regular expression for whole names, each its own snapshot; None where only the aliases count.
    """

    snapshots: Mapping[str, str]
    form: str | None = None

    def snapshot_of(self, model: str) -> str | None:
        """Return the dated snapshot behind a snapshot, an alias or an `ft:` name; None if it is unknown."""
        base = model.split(":")[1] if model.startswith("ft:") else model
        snapshot = self.snapshots.get(base, base)
        known = snapshot in self.snapshots.values()
        return snapshot if known or (self.form and re.fullmatch(self.form, snapshot)) else None

    def listed(self) -> Iterator[str]:
        """Yield every alias and every snapshot, once."""
        for alias, snapshot in self.snapshots.items():
            yield from dict.fromkeys((alias, snapshot))


OPENAI_MODELS = Offer(
    {
        "gpt-4.1": "gpt-4.1-2025-04-14",
        "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
        "gpt-4o": "gpt-4o-2024-08-06",
        "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    }
)
OPEN_MODELS = Offer(
    {name: name for name in ("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-14B")}, form=r"[\w.-]+/[\w.-]+"
)
MISTRAL_MODELS = Offer({name: name for name in ("mistral-small-latest", "open-mistral-7b")})


def model_object(model: str, now: float, *, owned_by: str = "system") -> dict[str, object]:
    """Return the API's model object; `shutdown_date` is null, or a year ahead of `now` for gpt-4o."""
    ahead = (datetime.fromtimestamp(now, UTC) + timedelta(days=365)).date().isoformat()
    ending = OPENAI_MODELS.snapshot_of(model) == _ENDING
    return {
        "id": model,
        "object": "model",
        "created": _CREATED,
        "owned_by": owned_by,
        "shutdown_date": ahead if ending else None,
    }
