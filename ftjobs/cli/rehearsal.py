"""`submit --dry-run`: what the real command would come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftjobs.cli.context import say
from ftjobs.cli.options import Globals, print_json
from ftjobs.money import Usd

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.jobs.submission import Submission
    from ftjobs.pricing.estimate import Estimate
    from ftjobs.workflows.appraise import Terms
    from ftjobs.workflows.plan import Files, Request


def rehearse(
    app: App,
    given: Globals,
    request: Request,
    files: Files,
    *,
    terms: Terms,
    holder: Submission | None,
    max_cost: Usd | None,
) -> None:
    """Say what would be submitted, or which job would answer; SpendRefusedError where the real one would be.

    Nobody is asked for consent, and nothing is sent, made or recorded.
    """
    from ftjobs.workflows.appraise import estimate_for
    from ftjobs.workflows.gate import require_price, require_within

    estimate = estimate_for(request.model, files.training, terms)
    high = require_price(estimate)
    if holder is None:
        require_within(high, max_cost=max_cost)
        _require_room(app, request, high)
    _show_plan(estimate, holder, given)


def _require_room(app: App, request: Request, high: Usd) -> None:
    from ftjobs.ledger.budget import admit, covering, state_of
    from ftjobs.periods import month_of

    limits = covering(app.limits, app.profile.name, request.tags)
    if app.has_ledger:
        states = app.ledger.budgets(limits, month_of(app.ambient.now()))
    else:
        states = [state_of(limit, Usd(0), []) for limit in limits]
    for state in states:
        admit(state, high)


def _show_plan(estimate: Estimate, holder: Submission | None, given: Globals) -> None:
    from ftjobs.reports.estimate import epochs_text, estimate_json
    from ftjobs.reports.numbers import usd_range
    from ftjobs.reports.submission import plan_json, submission_text

    if given.json:
        print_json(plan_json(estimate_json(estimate), holder, sandbox=given.sandbox))
    elif holder is not None:
        print(given.spelled(submission_text(holder, reused=True)))
        print("nothing was sent")
    else:
        epochs = epochs_text(estimate.epochs, "epoch")
        print(f"would submit {estimate.model.base.name}, {epochs}: {usd_range(estimate.cost)}")
        for warning in estimate.warnings:
            say(f"note: {warning}", given)
        print("nothing was sent")
