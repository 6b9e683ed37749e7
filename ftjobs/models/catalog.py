"""What is known of models, read from `catalog.toml` beside this file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class ImageTokens:
    """The tokens of one image: `low_detail` alone, else `base` and `per_tile` for each square of 512 pixels."""

    low_detail: int
    base: int
    per_tile: int


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """One dated snapshot; `max_example_tokens` and `shutdown_date` are None where nobody published them.

    `encoding` names the vocabulary that counts its dataset tokens, None where it is not known; from
    `shutdown_date` on it is gone. `format` is what supervised training takes: "chat", or "completion" for
    prompt/completion. `image_tokens` is None where the model is not trained with images, or nobody published their
    price.
    """

    name: str
    aliases: tuple[str, ...]
    encoding: str | None
    max_example_tokens: int | None
    methods: tuple[str, ...]
    shutdown_date: date | None
    format: str = "chat"
    image_tokens: ImageTokens | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """From the day `on`, the OpenAI platform is closed to whom `what` says."""

    on: date
    what: str
    source: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models and closings of the OpenAI platform, as last read on `read_on`.

    From `creation_ends_on` nobody creates jobs there. Other services answer for themselves.
    """

    models: tuple[CatalogModel, ...]
    closings: tuple[Closing, ...]
    read_on: date
    creation_ends_on: date

    def find(self, name: str) -> CatalogModel | None:
        """Return the model that is called `name`, by snapshot or alias, or None."""
        return next((model for model in self.models if name == model.name or name in model.aliases), None)


@cache
def load_catalog() -> Catalog:
    """Return the bundled catalog; no network. `read_on` is the day on which its oldest entry was read."""
    facts = tomllib.loads(files("ftjobs.models").joinpath("catalog.toml").read_text("utf-8"))
    return Catalog(
        models=tuple(
            CatalogModel(
                name=row["name"],
                aliases=tuple(row["aliases"]),
                encoding=row["encoding"],
                max_example_tokens=row.get("max_example_tokens"),
                methods=tuple(row["methods"]),
                shutdown_date=row.get("shutdown_date"),
                format=row.get("format", "chat"),
                image_tokens=_image_tokens(row.get("image_tokens")),
            )
            for row in facts["model"]
        ),
        closings=tuple(Closing(row["on"], row["what"], row["source"]) for row in facts["closing"]),
        read_on=min(row["read_on"] for row in [*facts["model"], *facts["closing"]]),
        creation_ends_on=facts["creation_ends_on"],
    )


def _image_tokens(row: dict[str, Any] | None) -> ImageTokens | None:
    return None if row is None else ImageTokens(row["low_detail"], row["base"], row["per_tile"])
