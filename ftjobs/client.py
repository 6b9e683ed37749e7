"""ftjobs as a library: the same verbs as typed calls, with the same guarantees. Provisional."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ftjobs.app import App
from ftjobs.ledger.entries import Trail
from ftjobs.ledger.month import MonthReport
from ftjobs.models.names import ModelName
from ftjobs.money import Usd
from ftjobs.periods import parse_period
from ftjobs.placing import place
from ftjobs.pricing.estimate import Estimate
from ftjobs.watching import looks, to_watch
from ftjobs.workflows.appraise import beside, estimate_for, require_valid, survey_for
from ftjobs.workflows.gate import require_consent
from ftjobs.workflows.observe import Snapshot
from ftjobs.workflows.plan import Files, Request
from ftjobs.workflows.submit import Hooks, Submitted
from ftjobs.workflows.watch import Outage

if TYPE_CHECKING:
    from ftjobs.dataset.survey import Survey

Data = str | PathLike[str]


class Ftjobs:
    """One profile and one ledger, found as the command line finds them: arguments, environment, settings files.

    Every call raises the errors of `ftjobs.errors`, each with its next step. Calls may be interrupted and
    repeated: `submit` answers with the job that exists. Use an object from one thread at a time.
    """

    def __init__(
        self, *, profile: str | None = None, ledger: str | None = None, config: Data | None = None
    ) -> None:
        flags = {"profile": profile, "ledger_url": ledger}
        self._app = App.open(flags=flags, config_file=None if config is None else Path(config))

    def estimate(
        self,
        data: Data,
        *,
        model: str,
        method: str = "supervised",
        epochs: int | Literal["auto"] | None = None,
    ) -> Estimate:
        """Return what training on a valid file costs, as a range; offline, without a key.

        Without `epochs` the published rule's number counts. The cost is None where no price is known.
        """
        name = self._app.model(model, method)
        terms = self._app.terms(method=method, epochs=epochs)
        found = self._surveyed(data, name, method)
        require_valid(found)
        return estimate_for(name, found, terms)

    def submit(
        self,
        data: Data,
        *,
        model: str,
        validation: Data | None = None,
        method: Literal["supervised", "dpo"] = "supervised",
        epochs: int | Literal["auto"] | None = None,
        batch_size: int | None = None,
        lr_multiplier: float | None = None,
        learning_rate: float | None = None,
        beta: float | None = None,
        seed: int | None = None,
        suffix: str | None = None,
        tags: Mapping[str, str] | None = None,
        max_cost: Usd | str | None = None,
        yes: bool = False,
        again: str | None = None,
    ) -> Submitted:
        """Return the one job of this content, created now or found: the same call again answers with the same job.

        `max_cost` (a Usd, or a decimal string like "12.50") or `yes` is consent above `confirm_above_usd`;
        nobody is asked. UncertainError where a create call was sent and no job is seen.
        """
        request = Request(
            model=self._app.model(model, method),
            method=method,
            batch_size=batch_size,
            learning_rate_multiplier=lr_multiplier,
            learning_rate=learning_rate,
            beta=beta,
            seed=seed,
            suffix=suffix,
            again=again,
            tags=tags or {},
        )
        terms = self._app.terms(method=method, epochs=epochs)
        most = Usd.parse(max_cost) if isinstance(max_cost, str) else max_cost
        confirm_above = self._app.settings.confirm_above_usd

        def consent(_estimate: Estimate, high: Usd) -> None:
            require_consent(high, confirm_above=confirm_above, max_cost=most, yes=yes, ask=None)

        files = self._files(data, validation, request)
        return place(self._app, request, files, terms, consent=consent, hooks=Hooks()).submitted

    def sync(self, *jobs: str) -> list[Trail]:
        """Return the trails of these jobs after asking the service; of all that was unsettled where none is named.

        A job is named by its id, its submission's id, a unique prefix of either, or "last".
        """
        ids = self._ids(jobs) or [each.submission_id for each in self._app.ledger.to_sync()]
        if ids:
            self._app.sync(ids)
        return self._app.ledger.trails(ids) if ids else []

    def watch(self, *jobs: str, timeout_s: float | None = None) -> Iterator[tuple[Snapshot, ...]]:
        """Yield a snapshot of each of these jobs, of all under way where none is named, until all have ended.

        A snapshot is a pair: the trail, and the progress (step, fraction, losses, eta; None for what is unknown).
        Between two looks `poll_initial_s` to `poll_max_s` pass; a service that is away ends nothing.
        WaitTimeoutError where `timeout_s` passes first; the jobs go on.
        """
        app, chosen = self._app, to_watch(self._app, self._ids(jobs))
        if chosen:
            yield from looks(app, chosen, outage=Outage(app.ambient), ambient=app.ambient, timeout_s=timeout_s)

    def ledger(self, period: str | None = None) -> MonthReport:
        """Return the cost trail of a period ("2026-10", "2026-10-05", "2026" or "last"), of all time without.

        Offline. ValueError for what is no period.
        """
        chosen = None if period is None else parse_period(period, now=self._app.ambient.now())
        with self._app.ledger.listing(chosen) as found:
            return found.report()

    def _ids(self, jobs: tuple[str, ...]) -> list[str]:
        return [self._app.find(reference).id for reference in jobs]

    def _files(self, data: Data, validation: Data | None, request: Request) -> Files:
        training = self._surveyed(data, request.model, request.method)
        require_valid(training)
        if validation is None:
            return Files(training, Path(data))
        held_out = self._surveyed(validation, request.model, request.method)
        held_out = beside(Path(data), Path(validation), held_out)
        require_valid(held_out)
        return Files(training, Path(data), held_out, Path(validation))

    def _surveyed(self, data: Data, model: ModelName, method: str) -> Survey:
        kept = self._app.surveys
        return survey_for(model, Path(data), method=method, kept=kept, on_progress=lambda _done, _examples: None)
