"""What is in order and what is not: one value a check, and none of them keeps another from being made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from ftjobs.config import DEFAULT, SETTING_NAMES, Settings, field_of
from ftjobs.errors import FtjobsError, RejectedError, UnavailableError, UsageError
from ftjobs.keys import api_key
from ftjobs.ledger.entries import Trail
from ftjobs.logs import register_secret
from ftjobs.models.catalog import Catalog, load_catalog
from ftjobs.models.names import resolve
from ftjobs.models.shutdowns import (
    NEAR_DAYS,
    Countdown,
    Shutdown,
    countdowns,
    creation_ends,
    next_closing,
    shutdown_of,
    worth_asking,
)
from ftjobs.money import Usd
from ftjobs.pricing.prices import OLD_DAYS, USER_LIST, Price, load_prices
from ftjobs.provider.profiles import Profile, require_profile_name
from ftjobs.workflows.check import Check, State, failed
from ftjobs.workflows.ledger_check import look_at_ledger, submissions_check
from ftjobs.workflows.probe import Probe

_ADDRESSES = ("ledger_url", "openai_base_url")
_OTHER_SETTINGS = ("openai_base_url", "openai_organization", "openai_project")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was found on the day `on`.

    `shutdowns` has each model in use, with None where nobody says anything of it. `closings` is empty where the
    service is not OpenAI's. `profile_toml` is a table that fits what it showed, None where it was not probed.
    """

    on: date
    checks: tuple[Check, ...]
    shutdowns: Mapping[str, Shutdown | None]
    closings: tuple[Countdown, ...]
    profile_toml: str | None = None

    @property
    def has_problem(self) -> bool:
        """True where something needs to be mended."""
        return any(check.state == "problem" for check in self.checks)


Asking = Callable[[], AbstractContextManager[Callable[[str], date | None]]]
Probing = Callable[[], Probe]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined, on the day `on`.

    `settings` are those that can be read; where that is not all, `settings_trouble` says why and `left_out` what
    is missing. `profile` is the error where none can be chosen. `asking` opens what asks the service for one
    model's shutdown date; `probing` asks a service that may be other than its profile says what it has.
    """

    settings: Settings
    settings_trouble: FtjobsError | None
    profile: Profile | FtjobsError
    ledger_url: str
    environ: Mapping[str, str]
    on: date
    asking: Asking
    left_out: str = ""
    probing: Probing | None = None


@dataclass(frozen=True, slots=True)
class _Answers:
    """The service's check and the dates that it told; `asks_on` is False where asking more is useless."""

    check: Check
    dates: Mapping[str, date]
    asks_on: bool = True


def diagnose(subject: Subject) -> Diagnosis:
    """Return what was found. Nothing is written or made, and what goes wrong is a check of its own.

    The service is asked where there is a key for it and all settings are known: a key must not go where settings
    that cannot be read would not have sent it. The keys themselves are in no value.
    """
    profile = None if isinstance(subject.profile, FtjobsError) else subject.profile
    catalog = load_catalog() if profile is not None and profile.uses_catalog_dates else None
    book = look_at_ledger(subject.ledger_url, is_sandbox=profile is not None and profile.is_sandbox)
    key = _guarded("key", lambda: _key(profile, subject.environ))
    in_use = () if profile is None else _in_use(book.trails, profile)
    models = in_use or (() if profile is None else worth_asking(catalog, subject.on))
    obstacle = _obstacle(subject, key)
    answers = _ask(models, subject.asking) if obstacle is None else _not_asked(obstacle)
    probed = _probed(subject.probing) if subject.probing and answers.asks_on else None
    known = {
        model: shutdown_of(model, catalog=catalog, told=answers.dates.get(model), on=subject.on)
        for model in models
    }
    found = {model: each for model, each in known.items() if each or in_use}
    closings = () if catalog is None else countdowns(catalog, subject.on)
    checks = [
        _guarded("settings", lambda: _settings(subject)),
        _guarded("profile", lambda: _profile(subject.profile)),
        key,
        book.check,
        *([] if book.unsettled is None else [submissions_check(book.unsettled)]),
        _guarded("prices", lambda: _prices(subject.settings, subject.on)),
        *([] if catalog is None else [_platform(catalog, closings, subject.on)]),
        answers.check,
        *([] if probed is None else [probed.check]),
        _shutdowns(found, subject.on),
    ]
    return Diagnosis(subject.on, tuple(checks), found, closings, probed.toml if probed else None)


@dataclass(frozen=True, slots=True)
class _Probed:
    check: Check
    toml: str | None = None


def _probed(probing: Probing) -> _Probed:
    try:
        seen = probing()
    except Exception as error:
        return _Probed(failed("features", error))
    said = " ".join(seen.seen)
    if seen.toml is None:
        step = "Check the base URL, and that the service has fine-tuning."
        return _Probed(Check("features", "problem", said, step))
    if not seen.differing:
        return _Probed(Check("features", "ok", f"{said} Nothing seen contradicts the profile."), seen.toml)
    step = f"Put the lines below into the profile, which says otherwise of {', '.join(seen.differing)}."
    return _Probed(Check("features", "note", said, step), seen.toml)


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """Return the check, or what kept it from being made: a bug in one must not hide the others."""
    try:
        return look()
    except Exception as error:
        return failed(name, error)


# Settings, profile, key


def _settings(subject: Subject) -> Check:
    settings = subject.settings
    if subject.settings_trouble is not None:
        trouble = subject.settings_trouble
        message = f"{trouble.message} The checks below leave out {subject.left_out}."
        return Check("settings", "problem", message, trouble.next_step)
    for name in settings.budget_profiles:
        require_profile_name(name, settings, key=f"budget.profiles.{name}")
    said = list(_said(settings))
    rest = "everything else has its default" if said else "Every setting has its default"
    return Check("settings", "ok", f"{'; '.join([*said, rest])}.")


def _said(settings: Settings) -> Iterator[str]:
    for name in (*SETTING_NAMES, *_OTHER_SETTINGS):
        origin = settings.origins.get(field_of(name), DEFAULT)
        if origin != DEFAULT:
            value = getattr(settings, field_of(name))
            shown = _address(value) if name in _ADDRESSES else _value_text(value)
            yield f"{name} {shown} ({origin})"


def _address(url: str) -> str:
    """Return a URL without what may be a secret: whoever stands before the host, and what follows the path."""
    parts = urlsplit(url)
    if "@" in parts.path or url.count("@") > 1:  # a raw / or @ in a password: what is what cannot be told
        return f"{parts.scheme}://…"
    return url if not parts.netloc else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _value_text(value: object) -> str:
    match value:
        case Usd():
            return value.display()
        case float():
            return f"{value:g}"
        case Mapping():
            return ", ".join(f"{name} {_value_text(each)}" for name, each in value.items())
        case _:
            return str(value)


def _profile(profile: Profile | FtjobsError) -> Check:
    if isinstance(profile, FtjobsError):
        return failed("profile", profile)
    if profile.is_sandbox:
        return Check("profile", "ok", "sandbox, on this machine: nothing costs money there.")
    payers = [("organization", profile.organization), ("project", profile.project)]
    account = "".join(f", {what} {name}" for what, name in payers if name)
    return Check("profile", "ok", f"{profile.name} at {urlsplit(profile.base_url or '').netloc}{account}.")


def _key(profile: Profile | None, environ: Mapping[str, str]) -> Check:
    if profile is None:
        return Check("key", "note", "Not looked for: the profile decides which one is needed.")
    if profile.is_sandbox:
        return Check("key", "ok", "The sandbox needs none.")
    if profile.token_command:
        return Check("key", "ok", f"Tokens come from {profile.token_command[0]}.")
    register_secret(api_key(environ, profile.api_key_env).reveal())
    return Check("key", "ok", f"{profile.api_key_env} is set.")


# Prices, the platform, shutdown dates


def _prices(settings: Settings, on: date) -> Check:
    book = load_prices(settings.price_tables)
    book.find("", profile="", on=on, price_list=settings.price_list)  # raises where there is no such list
    by_list = {name: [price for price in book.prices if price.price_list == name] for name in book.price_lists}
    said = [_age_text(name, prices, on) for name, prices in by_list.items() if prices]
    old = [name for name, prices in by_list.items() if prices and (prices[0].days_since_read(on) or 0) > OLD_DAYS]
    if old:
        step = "Compare with the service's own page, and add a [[price]] table where it differs."
        return Check("prices", "note", f"{'; '.join(said)}. Old: {', '.join(old)}.", step)
    return Check("prices", "ok", f"{'; '.join(said)}.")


def _age_text(name: str, prices: Sequence[Price], on: date) -> str:
    if name == USER_LIST:
        return f"{len(prices):,} of your own"
    age_days = prices[0].days_since_read(on)
    return f"{name} read {prices[0].read_on}, {age_days} day{'' if age_days == 1 else 's'} ago"


def _platform(catalog: Catalog, closings: Sequence[Countdown], on: date) -> Check:
    coming = next_closing(closings)
    state: State = "ok" if coming is not None and coming.days_left >= NEAR_DAYS else "note"
    step = "Choose another service with --profile for new jobs." if catalog.creation_ends_on < on else None
    return Check("platform", state, creation_ends(catalog, on), step)


def _in_use(trails: Sequence[Trail], profile: Profile) -> tuple[str, ...]:
    """Return the base models of the account's live and succeeded jobs."""
    catalog = load_catalog()
    jobs = [trail.submission for trail in trails if trail.submission.account == profile.account]
    names = {
        submission.spec.base_model if submission.spec else _base_of(submission.job.model, catalog)
        for submission in jobs
        if submission.job is not None and not submission.job.failed
    }
    return tuple(sorted(name for name in names if name))


def _base_of(model: str | None, catalog: Catalog) -> str | None:
    try:
        return None if model is None else resolve(model, catalog).base.name
    except UsageError:
        return model


def _obstacle(subject: Subject, key: Check) -> str | None:
    if subject.settings_trouble is not None:
        return "not all settings are known"
    if isinstance(subject.profile, FtjobsError):
        return "the profile cannot be used"
    return None if key.state == "ok" else "no key"


def _not_asked(obstacle: str) -> _Answers:
    return _Answers(Check("service", "note", f"Not asked for shutdown dates: {obstacle}."), {}, asks_on=False)


def _ask(models: Sequence[str], asking: Asking) -> _Answers:
    """Return what the service says of each model; it may refuse one and know another."""
    dates: dict[str, date] = {}
    refusal: RejectedError | None = None
    try:
        with asking() as shutdown_date:
            for model in models:
                try:
                    if (told := shutdown_date(model)) is not None:
                        dates[model] = told
                except RejectedError as error:
                    if error.details.get("http_status") == 401:
                        return _Answers(failed("service", error), dates, asks_on=False)
                    refusal = error
    except UnavailableError as error:
        message = f"Not reached. {error.message}"
        return _Answers(
            Check("service", "note", message, "Check the connection and the base URL."), dates, asks_on=False
        )
    except Exception as error:
        return _Answers(failed("service", error), dates, asks_on=False)
    if refusal is not None:
        return _Answers(Check("service", "note", refusal.message), dates)
    return _Answers(_answered(len(models), len(dates)), dates)


def _answered(asked: int, told: int) -> Check:
    if not asked:
        return Check("service", "ok", "Not asked for shutdown dates: there is no model to ask about.")
    models = f"{asked} model{'' if asked == 1 else 's'}"
    return Check("service", "ok", f"Asked about {models}: it names {told or 'no'} date{'' if told == 1 else 's'}.")


def _shutdowns(found: Mapping[str, Shutdown | None], on: date) -> Check:
    days = [left for each in found.values() if each and (left := each.days_left(on)) is not None]
    models = f"{len(found)} model{'' if len(found) == 1 else 's'}"
    gone = sum(left <= 0 for left in days)
    near = sum(0 < left < NEAR_DAYS for left in days)
    said = [f"{gone} of {models} shut down already"] if gone else []
    said += [f"{near} of {models} shut{'s' if near == 1 else ''} down within {NEAR_DAYS} days"] if near else []
    if said:
        return Check("models", "note", f"{', '.join(said)}.")
    if not days:
        return Check("models", "ok", f"No shutdown date is known{f' of {models}' if found else ''}.")
    return Check("models", "ok", f"None is known to shut down within {NEAR_DAYS} days.")
