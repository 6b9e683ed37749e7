"""From surveyed files to their one job: what the command line and the library both do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ftjobs.errors import ConfigError, RejectedError, UnavailableError
from ftjobs.models.catalog import load_catalog
from ftjobs.models.shutdowns import newest
from ftjobs.money import Usd
from ftjobs.workflows.appraise import Terms, epochs_for, estimate_for
from ftjobs.workflows.gate import refuse_gone, require_price
from ftjobs.workflows.plan import Files, Request, order_of, spec_of
from ftjobs.workflows.submit import Hooks, Submitted, submit

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.jobs.submission import Submission
    from ftjobs.pricing.estimate import Estimate
    from ftjobs.workflows.session import Session


@dataclass(frozen=True, slots=True)
class Placed:
    """The job that stands for what was asked for, and what was estimated this time."""

    submitted: Submitted
    estimate: Estimate


def place(
    app: App,
    request: Request,
    files: Files,
    terms: Terms,
    *,
    consent: Callable[[Estimate, Usd], None],
    hooks: Hooks,
) -> Placed:
    """Return the one job of these valid files, created now or found.

    `consent` gets the estimate and its high cost before anything is spent and raises SpendRefusedError to stop.
    Errors are those of `workflows.submit`, and SpendRefusedError where there is no price or no such model.
    """
    if holder_of(app, request, files, terms) is None:  # what exists is answered with, also when its model is gone
        require_offered(app, request, on=terms.on, asks=True)
    with app.session() as session:
        told = _shutdown_date(session, request.model.sent)
        estimate = estimate_for(request.model, files.training, terms, shutdown_date=told)
        high = require_price(estimate)

        def agree() -> None:
            _refuse_gone(app, request, told, terms.on)
            consent(estimate, high)

        order = order_of(request, files, estimate, app.profile, on=terms.on)
        return Placed(submit(order, session, consent=agree, limits=app.limits, hooks=hooks), estimate)


def holder_of(app: App, request: Request, files: Files, terms: Terms) -> Submission | None:
    """Return the submission that holds this content, as far as a ledger that is there knows."""
    spec = spec_of(request, files, epochs_for(files.training, terms), app.profile)
    return app.ledger.holder(spec.content_key(app.profile.account)) if app.has_ledger else None


def require_offered(app: App, request: Request, *, on: date, asks: bool) -> None:
    """Raise SpendRefusedError for a model that is gone, before anything is uploaded.

    With `asks`, the service is asked about a model that the catalog calls gone; where it cannot be asked, the
    catalog stands.
    """
    told = _told_of_what_is_gone(app, request, on) if asks else None
    _refuse_gone(app, request, told, on)


def _refuse_gone(app: App, request: Request, told: date | None, on: date) -> None:
    """Refuse a model that is gone by what the service told of it, else by the catalog where that is about it."""
    listed = request.model.base if app.profile.uses_catalog_dates else None
    ends_on = load_catalog().creation_ends_on if app.profile.uses_catalog_dates else None
    shutdown_date = newest(listed, told=told, on=on)
    refuse_gone(request.model, shutdown_date=shutdown_date, creation_ends_on=ends_on, on=on)


def _told_of_what_is_gone(app: App, request: Request, on: date) -> date | None:
    listed = request.model.base.shutdown_date
    if not app.profile.uses_catalog_dates or listed is None or on < listed:
        return None
    try:
        with app.session() as session:
            return _shutdown_date(session, request.model.sent)
    except (ConfigError, UnavailableError):
        return None


def _shutdown_date(session: Session, model: str) -> date | None:
    """Return what the service says; one that has no such answer leaves it unknown."""
    try:
        return session.api.shutdown_date(model)
    except RejectedError:
        return None
