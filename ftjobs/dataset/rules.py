"""What a training file is held to: its format, and what is known of images on the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ftjobs.models.catalog import CatalogModel, ImageTokens

Format = Literal["chat", "preference", "reinforcement", "completion"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What an example is checked and counted by; hashable, so it can be part of a key.

    `images` is None where images cannot be priced: each one is then the error images_unpriced. `max_images` per
    example is OpenAI's (guide to vision fine-tuning); Azure's guide allows 64.
    """

    format: Format = "chat"
    images: ImageTokens | None = None
    max_images: int = 10


CHAT = Rules()


def rules_for(model: CatalogModel | None, method: str) -> Rules:
    """Return the rules for training `model` (None: one that the catalog does not know) by `method`.

    `method` is "supervised", "dpo" or "reinforcement". The DPO guide takes text only, so images have a price in
    supervised and reinforcement data alone.
    """
    images = model.image_tokens if model else None
    match method:
        case "supervised":
            completion = model is not None and model.format == "completion"
            return Rules("completion") if completion else Rules("chat", images)
        case "dpo":
            return Rules("preference")
        case "reinforcement":
            return Rules("reinforcement", images)
        case _:
            raise ValueError(f"no method is called {method!r}")
