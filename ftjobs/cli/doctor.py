"""`doctor`: what is in order, what is not, and what to do about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from platformdirs import user_config_path

from ftjobs import logs
from ftjobs.ambient import Ambient
from ftjobs.cli.context import open_app, width
from ftjobs.cli.options import Globals, globals_of, print_json
from ftjobs.errors import FtjobsError

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.config import Settings
    from ftjobs.provider.api import Api
    from ftjobs.provider.profiles import Profile
    from ftjobs.workflows.diagnose import Diagnosis
    from ftjobs.workflows.probe import Probe

PROBLEM = 3


def doctor(
    ctx: typer.Context,
    *,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Make or migrate the tables of the ledger, and do nothing else.")
    ] = False,
) -> int:
    """Check settings, key, ledger, prices and shutdown dates. Exits 3 if there is a problem; changes nothing."""
    from ftjobs.reports.doctor import doctor_json, doctor_text

    if migrate:
        return _migrate(ctx)
    given = globals_of(ctx)
    found = _diagnosis(given)
    checks = [
        check._replace(next_step=check.next_step and given.spelled(check.next_step)) for check in found.checks
    ]
    if given.json:
        facts = doctor_json(checks, found.shutdowns, found.closings, on=found.on, sandbox=given.sandbox)
        print_json({**facts, "profile_toml": found.profile_toml})
    else:
        color = logs.use_color(sys.stdout) and not given.plain
        print(doctor_text(checks, found.shutdowns, found.closings, on=found.on, width=width(given), color=color))
        if found.profile_toml:
            print(f"\n{found.profile_toml}")
    return PROBLEM if found.has_problem else 0


def _migrate(ctx: typer.Context) -> int:
    from ftjobs.ledger.engine import SCHEMA_REVISION, migrate
    from ftjobs.reports.upkeep import migrated_json, migrated_text

    app, given = open_app(ctx)
    before = migrate(app.ledger_place, stamp=app.stamp)
    ledger = str(app.ledger_place)
    if given.json:
        print_json(migrated_json(ledger, before, SCHEMA_REVISION, sandbox=given.sandbox))
    else:
        print(migrated_text(ledger, before, SCHEMA_REVISION, stamp=app.stamp))
    return 0


def _diagnosis(given: Globals) -> Diagnosis:
    from ftjobs.workflows.diagnose import Subject, diagnose

    app, trouble, left_out = _opened(given)
    profile = _profile_of(app)
    given.sandbox = not isinstance(profile, FtjobsError) and profile.is_sandbox
    return diagnose(
        Subject(
            settings=app.settings,
            settings_trouble=trouble,
            left_out=left_out,
            profile=profile,
            ledger_url=_ledger_url(app, profile),
            environ=os.environ,
            on=app.ambient.now().date(),
            asking=lambda: _asking(app.profile, app.ambient),
            probing=_probing(app) if not isinstance(profile, FtjobsError) else None,
        )
    )


def _opened(given: Globals) -> tuple[App, FtjobsError | None, str]:
    """Return the root on all settings; else on those that can be read, what is wrong, and what is left out."""
    from ftjobs.app import App

    try:
        app, trouble, left_out = App.open(flags=given.flags, config_file=given.config), None, ""
    except FtjobsError as error:
        settings, left_out = _readable_settings(given)
        app, trouble = App(settings), error
    logs.configure(style=app.settings.log, verbosity=given.verbosity, plain=given.plain)
    return app, trouble, left_out


def _readable_settings(given: Globals) -> tuple[Settings, str]:
    """Return the most of the settings that can be read, and what is left out for it."""
    from ftjobs.config import CONFIG_VARIABLE, Settings, load_settings

    without_files = {name: value for name, value in os.environ.items() if name != CONFIG_VARIABLE}
    of_the_sdk = {name: value for name, value in os.environ.items() if not name.startswith("FTJOBS_")}
    with TemporaryDirectory() as empty:
        nowhere = Path(empty)
        for environ, cwd, config_file, user_config_dir, left_out in (
            (without_files, nowhere, None, nowhere, "the settings files"),
            (of_the_sdk, Path.cwd(), given.config, user_config_path("ftjobs"), "the FTJOBS_ variables"),
            (of_the_sdk, nowhere, None, nowhere, "the settings files and the FTJOBS_ variables"),
        ):
            with suppress(FtjobsError):
                settings = load_settings(
                    flags=given.flags,
                    environ=environ,
                    cwd=cwd,
                    config_file=config_file,
                    user_config_dir=user_config_dir,
                )
                return settings, left_out
    return Settings(), "all settings"


def _profile_of(app: App) -> Profile | FtjobsError:
    try:
        return app.profile
    except FtjobsError as error:
        return error


def _ledger_url(app: App, profile: Profile | FtjobsError) -> str:
    """Return the ledger in use; where no profile can be chosen, the one that all but the sandbox share."""
    from ftjobs.app import App

    if not isinstance(profile, FtjobsError):
        return app.ledger_url
    return App(replace(app.settings, profile=None, openai_base_url=None, profile_tables={})).ledger_url


@contextmanager
def _asking(profile: Profile, ambient: Ambient) -> Iterator[Callable[[str], date | None]]:
    """Open what asks the service for a shutdown date."""
    with _api(profile, ambient) as api:
        yield api.shutdown_date


def _probing(app: App) -> Callable[[], Probe] | None:
    """Return what finds out what the service has; None for those whose ways are known."""
    from ftjobs.workflows.probe import probe

    if app.profile.is_openai or app.profile.is_sandbox:
        return None

    def probing() -> Probe:
        with _api(app.profile, app.ambient) as api:
            return probe(api)

    return probing


@contextmanager
def _api(profile: Profile, ambient: Ambient) -> Iterator[Api]:
    """Open the service's API, which asks once: a diagnosis does not wait for better days."""
    from ftjobs.app import SANDBOX_KEY, credential_of
    from ftjobs.keys import Credential, Secret
    from ftjobs.provider.api import Api
    from ftjobs.provider.retrying import RetryPolicy

    with ExitStack() as stack:
        if profile.is_sandbox:
            profile = replace(profile, base_url=stack.enter_context(_served()))
            key: Credential = Secret(SANDBOX_KEY, "sandbox")
        else:
            key = credential_of(profile)
        api = Api(profile, key, policy=RetryPolicy(attempts=1), now=ambient.now, sleep=ambient.sleep)
        stack.callback(api.close)
        yield api


@contextmanager
def _served() -> Iterator[str]:
    """Serve a sandbox of no past: its dates are the same, and the user's own is left as it is."""
    from ftjobs.app import no_sandbox

    try:
        from ftjobs.sandbox.serving import serve_in_background
    except ModuleNotFoundError as error:
        raise no_sandbox(error) from None
    with TemporaryDirectory() as state, serve_in_background(Path(state)) as base_url:
        yield base_url
