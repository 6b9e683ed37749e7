"""When a model shuts down and a platform closes: who says so, when that was read, and how many days are left."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ftjobs.models.catalog import Catalog, CatalogModel, Closing, load_catalog

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T|$)")
NEAR_DAYS = 90  # from so few days on, a date is worth a word without being asked


@dataclass(frozen=True, slots=True)
class Shutdown:
    """One statement about a model: it and every model tuned from it are gone from the day `on`.

    `on` is None where the source knows the model and names no day. `read_on` is the day on which that was read.
    """

    model: str
    on: date | None
    source: Literal["catalog", "service"]
    read_on: date

    def days_left(self, today: date) -> int | None:
        """Return the days until then: 0 on the day itself, negative after it, None where no day is named."""
        return None if self.on is None else (self.on - today).days

    def sentence(self, today: date) -> str:
        """Return the statement for people, with its source."""
        origin = f"({self.source}, read {self.read_on})"
        if self.on is None:
            return f"{self.model} has no shutdown date {origin}."
        will = "will " if self.on > today else ""
        until = _until(self.on, today)
        return f"{self.model} and every model tuned from it {will}shut down on {self.on}{until} {origin}."


@dataclass(frozen=True, slots=True)
class Countdown:
    """A closing of the OpenAI platform as seen from one day; `days_left` is 0 on its day, negative after it."""

    closing: Closing
    days_left: int

    @property
    def is_past(self) -> bool:
        """True from the day after it on: no time zone was published, so its own day is the service's to judge."""
        return self.days_left < 0

    def sentence(self) -> str:
        """Return what closes and when, for people."""
        when = "Since" if self.is_past else "From"
        return f"{when} {self.closing.on}{_in_days(self.days_left)}: {self.closing.what}"


def newest(listed: CatalogModel | None, *, told: date | None, on: date) -> date | None:
    """Return the shutdown date that holds on the day `on`, None where nobody names one.

    `listed` is the model in the bundled catalog, None where the catalog is not about this service. `told` is what
    the service answered that day; None, for whatever reason, leaves the catalog's date.
    """
    said = [] if listed is None else [_of_catalog(listed, load_catalog().read_on)]
    known = newest_of([*said, *_of_service("" if listed is None else listed.name, told, on)])
    return None if known is None else known.on


def shutdown_of(model: str, *, catalog: Catalog | None, told: date | None, on: date) -> Shutdown | None:
    """Return the same with its source, None where nobody says anything of the model.

    `catalog` is None where it is not about this service.
    """
    listed = None if catalog is None else catalog.find(model)
    said = [] if catalog is None or listed is None else [_of_catalog(listed, catalog.read_on)]
    return newest_of([*said, *_of_service(model if listed is None else listed.name, told, on)])


def newest_of(statements: Iterable[Shutdown]) -> Shutdown | None:
    """Return the statement that was read last, of one day the service's; one without a date yields to any."""

    def rank(each: Shutdown) -> tuple[bool, date, bool]:
        return each.on is not None, each.read_on, each.source == "service"

    return max(statements, key=rank, default=None)


def worth_asking(catalog: Catalog | None, on: date) -> tuple[str, ...]:
    """Return the models whose shutdown is still to come on the day `on`.

    Where no catalog is about the service, its own word alone counts: then all models that are known anywhere.
    """
    if catalog is None:
        return tuple(model.name for model in load_catalog().models)
    return tuple(model.name for model in catalog.models if model.shutdown_date and model.shutdown_date > on)


def countdowns(catalog: Catalog, on: date) -> tuple[Countdown, ...]:
    """Return the platform's closings as seen from the day `on`, the earliest first."""
    in_order = sorted(catalog.closings, key=lambda closing: closing.on)
    return tuple(Countdown(closing, (closing.on - on).days) for closing in in_order)


def next_closing(seen: Iterable[Countdown]) -> Countdown | None:
    """Return the closing that is still to come first, None where all are past."""
    return min((each for each in seen if not each.is_past), key=lambda each: each.days_left, default=None)


def creation_ends(catalog: Catalog, on: date) -> str:
    """Return in a sentence when the OpenAI platform stops creating jobs, as seen from the day `on`."""
    ends_on = catalog.creation_ends_on
    tense = "takes no new fine-tuning jobs since" if ends_on < on else "stops taking new fine-tuning jobs on"
    return f"OpenAI {tense} {ends_on}{_until(ends_on, on)}."


def _of_catalog(model: CatalogModel, read_on: date) -> Shutdown:
    return Shutdown(model.name, model.shutdown_date, "catalog", read_on)


def _of_service(model: str, told: date | None, on: date) -> list[Shutdown]:
    return [] if told is None else [Shutdown(model, told, "service", on)]


def _until(day: date, today: date) -> str:
    return _in_days((day - today).days)


def _in_days(days: int) -> str:
    if days < 0:
        return ""
    return f", in {days} day{'' if days == 1 else 's'}" if days else ", today"


def parse_shutdown_date(body: object, model: str) -> date | None:
    """Return the day that an API object names for `model`, None where it names none; ValueError for no model."""
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise ValueError("no model object")
    # A gateway may answer for its default model: what is said of another says nothing of ours.
    is_ours = body.get("object", "model") == "model" and body["id"] == model
    value = body.get("shutdown_date") if is_ours else None
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) and _DAY.match(value) else None
    except ValueError:
        return None
