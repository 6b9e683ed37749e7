"""From the model name that somebody typed to the snapshot behind it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from ftjobs.errors import UsageError, nearest
from ftjobs.models.catalog import Catalog, CatalogModel, load_catalog

_NAME = re.compile(r"[A-Za-z0-9][\w.:/@+-]{0,199}", re.ASCII)
_SLIP = 0.9  # of difflib's ratio: gpt-4o-mni for gpt-4o-mini is 0.95
_ANY_METHODS = ("supervised", "dpo")
_FINE_TUNED = re.compile(r"ft:([^:\s]+):\S+")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model as `requested`, as `sent` to the API, and the facts of its base model's snapshot.

    `sent` is the snapshot for an alias, and the name itself for a fine-tuned model ("ft:…").
    """

    requested: str
    sent: str
    base: CatalogModel


def resolve(
    requested: str, catalog: Catalog, *, any_model: bool = False, priced: Collection[str] = ()
) -> ModelName:
    """Return the model that `requested` names: a snapshot, an alias, or "ft:BASE:ORG:SUFFIX:ID[:CHECKPOINT]".

    Raises UsageError `unknown_model`, with the nearest known name in its next step. With `any_model`, for a
    service that has models of its own, a name that is not in the catalog is a base model that nothing is known of,
    unless it looks like a slip of one that is, and is not among those that are `priced`.
    """
    tuned = _FINE_TUNED.fullmatch(requested)
    asked_base = tuned[1] if tuned else requested
    base = catalog.find(asked_base)
    if base is None and any_model and _NAME.fullmatch(requested) and not _is_slip(asked_base, catalog, priced):
        base = CatalogModel(asked_base, (), None, None, _ANY_METHODS, None)
    if base is None or not requested.isprintable():
        guess = nearest(asked_base, _names(catalog))
        raise UsageError(
            "unknown_model",
            f"No model that can be fine-tuned is called {requested!r}.",
            next_step=f"Did you mean {guess}?"
            if guess
            else f"Name one of {', '.join(model.name for model in catalog.models)}.",
            model=requested,
        )
    return ModelName(requested, requested if tuned else base.name, base)


def _names(catalog: Catalog) -> list[str]:
    return [name for model in catalog.models for name in (model.name, *model.aliases)]


def _is_slip(name: str, catalog: Catalog, priced: Collection[str]) -> bool:
    """Return whether a name is most likely a catalog's, mistyped: a letter or two, and no price says otherwise."""
    return name not in priced and bool(get_close_matches(name, _names(catalog), n=1, cutoff=_SLIP))


def trainable(requested: str, method: str, *, any_model: bool = False, priced: Collection[str] = ()) -> ModelName:
    """Return the model of that name, as `resolve` does; UsageError where it cannot be trained by `method`."""
    name = resolve(requested, load_catalog(), any_model=any_model, priced=priced)
    require_method(name, method)
    return name


def require_method(name: ModelName, method: str) -> None:
    """Raise UsageError `unknown_method` unless the model can be trained by `method`."""
    methods = name.base.methods
    if method not in methods:
        raise UsageError(
            "unknown_method",
            f"{name.base.name} cannot be trained with --method {method}.",
            next_step=f"Use --method {' or '.join(methods)}, or another model.",
            model=name.requested,
            method=method,
        )
