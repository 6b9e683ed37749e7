"""The composition root: builds what a command works with, each part when it is first needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import platformdirs

from ftjobs import logs
from ftjobs.ambient import Ambient
from ftjobs.config import DEFAULT, Settings, load_settings
from ftjobs.errors import ConfigError, FtjobsError, UsageError
from ftjobs.keys import Credential, Secret, Token, admin_key, api_key
from ftjobs.provider.profiles import Profile, choose_profile, profiles_where, require_profile_name

if TYPE_CHECKING:
    from ftjobs.dataset.cache import SurveyCache
    from ftjobs.jobs.submission import Submission
    from ftjobs.ledger.budget import Limit
    from ftjobs.ledger.history import Past
    from ftjobs.ledger.place import Place
    from ftjobs.ledger.store import Ledger
    from ftjobs.models.names import ModelName
    from ftjobs.pricing.prices import PriceBook
    from ftjobs.provider.api import Api
    from ftjobs.provider.retrying import Retry, RetryPolicy
    from ftjobs.workflows.appraise import Terms
    from ftjobs.workflows.session import Session

log = logs.get_logger(__name__)

SANDBOX_KEY = "sk-sandbox"
_TOLD_WAIT_S = 5.0


class App:
    """One command's settings, profile, ledger and sessions; ConfigError and LedgerError where they are touched."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ambient = Ambient()
        # How often a request is repeated; None: as often as the provider thinks right.
        self.patience: RetryPolicy | None = None

    @classmethod
    def open(cls, *, flags: Mapping[str, object | None], config_file: Path | None) -> App:
        """Return the root on the settings in force; ConfigError where they cannot be read."""
        settings = load_settings(
            flags=flags,
            environ=os.environ,
            cwd=Path.cwd(),
            config_file=config_file,
            user_config_dir=Path(platformdirs.user_config_dir("ftjobs")),
        )
        return cls(settings)

    @cached_property
    def profile(self) -> Profile:
        """The service that this command talks to."""
        return choose_profile(self.settings)

    @property
    def sandbox_dir(self) -> Path:
        """Where the sandbox keeps its state and its own ledger."""
        return self._data_dir / "sandbox"

    @property
    def _data_dir(self) -> Path:
        return Path(platformdirs.user_data_dir("ftjobs"))

    @property
    def ledger_url(self) -> str:
        """The ledger in use. The sandbox has its own unless one is named for this very command or shell."""
        if self.settings.ledger_url and (self._is_ledger_named_here or not self.profile.is_sandbox):
            return self.settings.ledger_url
        folder = self.sandbox_dir if self.profile.is_sandbox else self._data_dir
        return f"sqlite:///{folder / 'ledger.sqlite3'}"

    @property
    def _is_ledger_named_here(self) -> bool:
        return self.settings.origins.get("ledger_url", DEFAULT).startswith(("--", "FTJOBS_"))

    @property
    def practice_note(self) -> str | None:
        """How to see the ledger of practice, in words; None where there is none, or --profile would not do it."""
        is_elsewhere = not (self.profile.is_sandbox or self._is_ledger_named_here)
        if not is_elsewhere or not (self.sandbox_dir / "ledger.sqlite3").exists():
            return None
        return "practice has a ledger of its own: add --profile sandbox"

    @property
    def ledger_place(self) -> Place:
        """Where the ledger in use lives; from now on its password is masked."""
        from ftjobs.ledger.place import ledger_place

        return ledger_place(self.ledger_url)

    @property
    def stamp(self) -> Literal["real", "sandbox"]:
        """Whose money this command's is."""
        return "sandbox" if self.profile.is_sandbox else "real"

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, a file made where there is none, with its orphans taken in."""
        from ftjobs.ledger.orphans import take_in_orphans
        from ftjobs.ledger.store import Ledger

        ledger = Ledger(self.ledger_place, stamp=self.stamp)
        take_in_orphans(
            ledger,
            now=self.ambient.now(),
            on_taken=lambda submission_id, job: log.warning(
                "orphan.recorded", submission_id=submission_id, job_id=job.id
            ),
        )
        return ledger

    def find(self, reference: str) -> Submission:
        """Return what a reference names, as `Ledger.find`; the error knows of the practice ledger."""
        try:
            return self.ledger.find(reference)
        except UsageError as error:
            if error.code == "unknown_job" and (note := self.practice_note):
                error.next_step = f"{error.next_step.rstrip('.')}; {note}."
            raise

    @property
    def has_ledger(self) -> bool:
        """True where a ledger is there already: looking makes none, and a server's was made by somebody."""
        place = self.ledger_place
        return not isinstance(place, Path) or place.exists()

    @cached_property
    def past(self) -> Past:
        """What the ledger knows of earlier jobs; nothing where there is none yet, or none that can be read."""
        from sqlite3 import Error

        from ftjobs.ledger.glance import last_trails
        from ftjobs.ledger.history import Past

        place = self.ledger_place
        try:
            if not isinstance(place, Path):
                return Past.of(self.ledger.history())
            return Past.of(last_trails(place) if place.exists() else ())
        except (Error, OSError, ValueError, TypeError, KeyError, FtjobsError) as error:
            log.info("past.unknown", reason=str(error))
            return Past()

    @cached_property
    def prices(self) -> PriceBook:
        """The bundled price lists and the user's own; ConfigError for one of a profile that does not exist."""
        from ftjobs.pricing.prices import load_prices

        for table in self.settings.price_tables:
            if isinstance(name := table.values.get("profile"), str):
                require_profile_name(name, self.settings, key=f"profile in {table.origin}")
        return replace(
            load_prices(self.settings.price_tables),
            own_only=profiles_where(self.settings, "prices", "own"),
            manual=profiles_where(self.settings, "billing", "manual"),
        )

    def model(self, requested: str, method: str) -> ModelName:
        """Return the model of that name that the profile's service can train by `method`; UsageError for none."""
        from ftjobs.models.names import trainable

        priced = {price.model for price in self.prices.prices}
        return trainable(requested, method, any_model=self.profile.any_model, priced=priced)

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """The monthly budgets of the settings; ConfigError for one of a profile that does not exist."""
        from ftjobs.ledger.budget import Limit

        settings = self.settings
        for name in settings.budget_profiles:
            require_profile_name(name, settings, key=f"budget.profiles.{name}")
        whole = () if settings.budget_monthly_usd is None else (Limit(settings.budget_monthly_usd),)
        return (
            *whole,
            *(Limit(usd, profile=name) for name, usd in settings.budget_profiles.items()),
            *(Limit(usd, tag=_tag(text)) for text, usd in settings.budget_tags.items()),
        )

    def terms(self, *, method: str, epochs: int | Literal["auto"] | None, looks_back: bool = True) -> Terms:
        """Return the terms of today's estimates; unless it looks back, nothing is said of earlier jobs."""
        from ftjobs.ledger.history import Past
        from ftjobs.workflows.appraise import Terms

        return Terms(
            epochs=epochs,
            method=method,
            profile=self.profile,
            prices=self.prices,
            price_list=self.settings.price_list,
            on=self.ambient.now().date(),
            past=self.past if looks_back else Past(),
        )

    @property
    def surveys(self) -> SurveyCache:
        """Where surveys are kept from one command to the next."""
        from ftjobs.dataset.cache import SurveyCache

        return SurveyCache(Path(platformdirs.user_cache_dir("ftjobs")) / "surveys")

    @contextmanager
    def session(self, profile: Profile | None = None) -> Iterator[Session]:
        """Open a session on `profile` (default: this command's); the sandbox is served while it lasts."""
        from ftjobs.workflows.session import Session

        chosen = profile or self.profile
        with ExitStack() as stack:
            if chosen.is_sandbox:
                chosen = replace(chosen, base_url=stack.enter_context(_serve(self.sandbox_dir)))
                key: Credential = Secret(SANDBOX_KEY, "sandbox")
            else:
                key = credential_of(chosen)
            api = stack.enter_context(self._api(chosen, key))
            yield Session(api, self.ledger, self.ambient)

    @contextmanager
    def admin_api(self) -> Iterator[Api]:
        """Open the API with the key that reads the organization's cost report; the sandbox needs none.

        ConfigError where there is no such key, or none that is meant for this service.
        """
        from ftjobs.provider.costs import ADMIN_KEYS_URL

        with ExitStack() as stack:
            chosen = self.profile
            if chosen.is_sandbox:
                chosen = replace(chosen, base_url=stack.enter_context(_serve(self.sandbox_dir)))
                key = Secret(SANDBOX_KEY, "sandbox")
            elif chosen.admin_key_variable is None:
                raise _no_admin_key_env(chosen.name)
            else:
                key = admin_key(os.environ, chosen.admin_key_variable, made_at=ADMIN_KEYS_URL)
                logs.register_secret(key.reveal())
            yield stack.enter_context(self._api(chosen, key, is_admin=True))

    @contextmanager
    def _api(self, profile: Profile, key: Credential, *, is_admin: bool = False) -> Iterator[Api]:
        from ftjobs.provider.api import Api

        api = Api(
            profile,
            key,
            is_admin=is_admin,
            policy=self.patience,
            now=self.ambient.now,
            sleep=self.ambient.sleep,
            on_retry=_announce,
        )
        try:
            yield api
        finally:
            api.close()

    @contextmanager
    def apis(self) -> Iterator[Callable[[Submission], Api]]:
        """Yield what returns the API of a submission's account; each stays open until the end of the block."""
        with ExitStack() as stack:
            opened: dict[tuple[str, str], Api] = {}

            def api_of(submission: Submission) -> Api:
                account = submission.profile, submission.account
                if account not in opened:
                    opened[account] = stack.enter_context(self.session(self.profile_of(*account))).api
                return opened[account]

            yield api_of

    def sync(self, submission_ids: Sequence[str] = ()) -> None:
        """Refresh these submissions, all that is unsettled where none is given, account by account.

        One that cannot be asked does not hide another. The first failure is raised once every account was tried.
        """
        unsettled = self.ledger.to_sync(submission_ids)
        if not unsettled:
            return
        from ftjobs.workflows.sync import sync

        failures: list[FtjobsError] = []
        for name, account in sorted({(each.profile, each.account) for each in unsettled}):
            ours = [each for each in unsettled if (each.profile, each.account) == (name, account)]
            try:
                with self.session(self.profile_of(name, account)) as session:
                    sync(ours, session, prices=self.prices, price_list=self.settings.price_list)
            except FtjobsError as error:
                log.info("sync.failed", profile=name, reason=error.message)
                failures.append(error)
        if failures:
            raise failures[0]

    def profile_of(self, name: str, account: str) -> Profile:
        """Return the profile under which a job of this account can be asked about; ConfigError where none can."""
        profile = self.profile if name == self.profile.name else choose_profile(self.settings, name)
        if profile.account != account:
            raise ConfigError(
                "other_account",
                f"Jobs of {account.rstrip('|')} are open; profile {name} is {profile.account.rstrip('|')} now.",
                next_step="Set that account's base URL, organization and project, then run the command again.",
                account=account,
            )
        return profile


def credential_of(profile: Profile) -> Credential:
    """Return what opens the profile's account; from now on no log shows it. ConfigError where there is none."""
    if profile.token_command:
        return Token(profile.token_command, on_new=logs.register_secret)
    key = api_key(os.environ, profile.api_key_env)
    logs.register_secret(key.reveal())
    return key


def _tag(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


@contextmanager
def _serve(state_dir: Path) -> Iterator[str]:
    try:
        from ftjobs.sandbox.serving import serve_in_background
    except ModuleNotFoundError as error:
        raise no_sandbox(error) from None
    with serve_in_background(state_dir) as base_url:
        yield base_url


def _no_admin_key_env(profile: str) -> ConfigError:
    return ConfigError(
        "no_admin_key_env",
        f"No key is meant for a cost report of profile {profile}: OPENAI_ADMIN_KEY is OpenAI's alone.",
        next_step="If the service has a cost report, write admin_key_env in its [profiles.NAME] table; if not, "
        "compare its invoice with `ftjobs ledger PERIOD`.",
        key="admin_key_env",
    )


def no_sandbox(error: ModuleNotFoundError) -> ConfigError:
    """Return the error that says which line installs the sandbox."""
    return ConfigError(
        "no_sandbox",
        f"The sandbox is not installed (no module {error.name}).",
        next_step="Install it with: pip install 'ftjobs[sandbox]'",
        key="profile",
    )


def _announce(retry: Retry) -> None:
    # A short wait is no news to a person; a long one must not look like a hang.
    tell = log.warning if retry.wait_s >= _TOLD_WAIT_S else log.info
    tell("api.retry", reason=retry.reason, attempt=retry.attempt, wait_s=round(retry.wait_s, 1))
