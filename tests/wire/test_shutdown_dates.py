"""Shutdown dates as services tell them: a date beats the catalog's, and whatever is none leaves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import httpx
import httpx2
import pytest
import respx

from ftjobs.config import RawTable, Settings
from ftjobs.errors import ConfigError, UsageError
from ftjobs.models.catalog import load_catalog
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.workflows.check import Check
from ftjobs.workflows.diagnose import Diagnosis, Subject, diagnose
from tests.conftest import Service
from tests.wire.conftest import MINI, NOW, URL, Account, Accounts

TODAY = NOW.date()
KEY = "sk-test-0123456789"
CATALOG = next(model for model in load_catalog().models if model.name == MINI).shutdown_date
MODELS = f"{URL}/models/"


def subject_of(asked: Account, folder: Path) -> Subject:
    @contextmanager
    def asking() -> Iterator[Callable[[str], date | None]]:
        yield asked.api.shutdown_date

    return Subject(
        settings=Settings(),
        settings_trouble=None,
        profile=asked.api.profile,
        ledger_url=str(folder / "ledger.sqlite3"),
        environ={"OPENAI_API_KEY": KEY},
        on=TODAY,
        asking=asking,
    )


@pytest.fixture
def subject(account: Accounts, tmp_path: Path) -> Subject:
    """An account of a service that the catalog is about, with a key and without a ledger."""
    return subject_of(account(policy=RetryPolicy(attempts=1), uses_catalog_dates=True), tmp_path)


def model_object(model: str = MINI, **fields: object) -> dict[str, object]:
    return {"object": "model", "id": model, **fields}


def check(found: Diagnosis, name: str) -> Check:
    (one,) = [each for each in found.checks if each.name == name]
    return one


def dated(found: Diagnosis, model: str = MINI) -> tuple[date | None, str]:
    known = found.shutdowns[model]
    assert known is not None
    return known.on, known.source


@pytest.mark.parametrize("told", ["2026-12-01", "2028-06-30"])
def test_a_date_of_the_service_beats_the_catalogs(
    subject: Subject, httpx2_mock: respx.MockRouter, told: str
) -> None:
    httpx2_mock.get(MODELS + MINI).respond(json=model_object(shutdown_date=told))
    httpx2_mock.get(url__startswith=MODELS).respond(json=model_object("another"))
    found = diagnose(subject)
    assert dated(found) == (date.fromisoformat(told), "service")
    assert dated(found, "gpt-4o-2024-08-06") == (CATALOG, "catalog")
    assert check(found, "service").message == f"Asked about {len(found.shutdowns)} models: it names 1 date."


SILENT = {
    "null": httpx.Response(200, json=model_object(shutdown_date=None)),
    "no such field": httpx.Response(200, json=model_object()),
    "no day": httpx.Response(200, json=model_object(shutdown_date="soon")),
    "a number": httpx.Response(200, json=model_object(shutdown_date=20280630)),
    "another model": httpx.Response(200, json=model_object("the-default", shutdown_date="2026-12-01")),
    "no such model": httpx.Response(404, json={"error": {"message": "There is none."}}),
}
BROKEN: dict[str, httpx.Response | Exception] = {
    "a web page": httpx.Response(200, content=b"<html>busy</html>"),
    "no object": httpx.Response(200, json=[]),
    "half an answer": httpx.Response(200, content=b'{"object": "model", "id"'),
    "a gateway's error": httpx.Response(502),
    "a redirect": httpx.Response(302, headers={"location": "https://elsewhere.test/"}),
    "no answer": httpx2.ConnectError("as told"),
}


@pytest.mark.parametrize("answer", SILENT)
def test_silence_leaves_the_catalogs_date(subject: Subject, httpx2_mock: respx.MockRouter, answer: str) -> None:
    httpx2_mock.get(url__startswith=MODELS).mock(side_effect=lambda _request: SILENT[answer])
    found = diagnose(subject)
    assert dated(found) == (CATALOG, "catalog")
    assert check(found, "service")[1:3] == ("ok", f"Asked about {len(found.shutdowns)} models: it names no dates.")


@pytest.mark.parametrize("answer", BROKEN)
def test_garbage_leaves_the_catalogs_date_and_is_a_line_not_an_error(
    subject: Subject, httpx2_mock: respx.MockRouter, answer: str
) -> None:
    route = httpx2_mock.get(url__startswith=MODELS).mock(side_effect=[BROKEN[answer]])
    found = diagnose(subject)
    assert dated(found) == (CATALOG, "catalog")
    assert check(found, "service").state == "note"
    assert check(found, "service").message.startswith(f"Not reached. The API at {URL} did not answer")
    assert route.call_count == 1, "a service that does not answer is not asked again, nor about the next model"
    assert not found.has_problem


def test_a_service_may_refuse_one_model_and_know_another(subject: Subject, httpx2_mock: respx.MockRouter) -> None:
    httpx2_mock.get(MODELS + MINI).respond(json=model_object(shutdown_date="2028-06-30"))
    httpx2_mock.get(url__startswith=MODELS).respond(403, json={"error": {"message": "not yours"}})
    found = diagnose(subject)
    assert dated(found) == (date(2028, 6, 30), "service")
    assert check(found, "service").state == "note"
    assert "not yours" in check(found, "service").message


def test_a_refused_key_is_a_problem_and_is_not_shown(subject: Subject, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(url__startswith=MODELS).respond(401, json={"error": {"message": f"Wrong key {KEY}."}})
    found = diagnose(subject)
    assert found.has_problem
    assert check(found, "service").state == "problem"
    assert "Check the API key" in (check(found, "service").next_step or "")
    assert KEY not in repr(found)
    assert route.call_count == 1
    assert dated(found) == (CATALOG, "catalog")


def test_of_another_service_only_its_own_dates_are_known(
    account: Accounts, httpx2_mock: respx.MockRouter, tmp_path: Path
) -> None:
    httpx2_mock.get(MODELS + MINI).respond(json=model_object(shutdown_date="2028-06-30"))
    httpx2_mock.get(url__startswith=MODELS).respond(404)
    found = diagnose(subject_of(account(), tmp_path))
    assert list(found.shutdowns) == [MINI]
    assert dated(found) == (date(2028, 6, 30), "service")
    assert found.closings == ()
    assert "platform" not in [each.name for each in found.checks]


def test_a_real_service_is_asked_for_each_model(account: Accounts, service: Service, tmp_path: Path) -> None:
    found = diagnose(subject_of(account(service.base_url), tmp_path))
    (told,) = found.shutdowns.values()
    assert told is not None
    assert (told.model, told.source) == ("gpt-4o-2024-08-06", "service")
    assert {row["path"] for row in service.requests()} >= {f"/v1/models/{MINI}", f"/v1/models/{told.model}"}


# What is known of the day


@pytest.mark.parametrize(
    ("on", "models", "platform"),
    [
        (date(2026, 7, 10), ("ok", "None is known to shut down within 90 days."), "ok"),
        (date(2026, 11, 22), ("note", "4 of 4 models shut down within 90 days."), "note"),
        (date(2027, 6, 1), ("ok", "No shutdown date is known."), "note"),
    ],
)
def test_near_dates_are_noted(subject: Subject, on: date, models: tuple[str, str], platform: str) -> None:
    found = diagnose(replace(subject, on=on, environ={}))
    assert check(found, "models")[1:3] == models
    assert check(found, "platform").state == platform
    assert (check(found, "platform").next_step is None) is (on < date(2027, 1, 7))


@pytest.mark.parametrize(("on", "state"), [(date(2027, 5, 21), "ok"), (date(2027, 5, 22), "note")])
def test_a_price_list_that_nobody_read_for_180_days_is_named(subject: Subject, on: date, state: str) -> None:
    mine = RawTable({"model": MINI, "training_usd_per_1m": "2.00"}, "ftjobs.toml, price 1")
    settings = Settings(price_tables=(mine,))
    prices = check(diagnose(replace(subject, on=on, settings=settings, environ={})), "prices")
    assert prices.state == state
    assert prices.message.startswith(f"openai read 2026-11-22, {(on - TODAY).days} days ago; ")
    assert "1 of your own" in prices.message
    assert ("Old: openai, guide-2026." in prices.message) is (state == "note")


# One trouble hides no other


def test_every_trouble_is_told_at_once(subject: Subject) -> None:
    broken = replace(
        subject,
        settings=Settings(price_list="opnai"),
        settings_trouble=ConfigError("bad", "The settings are bad.", next_step="Mend them."),
        left_out="the settings files",
        profile=UsageError("unknown_profile", "There is no such profile.", next_step="Name another."),
        ledger_url="mysql://host/db",
    )
    found = diagnose(broken)
    told = {each.name: each.state for each in found.checks}
    assert [name for name, state in told.items() if state == "problem"] == [
        "settings",
        "profile",
        "ledger",
        "prices",
    ]
    assert (told["key"], told["service"], told["models"]) == ("note", "note", "ok")
    assert all(each.next_step for each in found.checks if each.state == "problem")
    assert check(found, "settings").message == (
        "The settings are bad. The checks below leave out the settings files."
    )


def test_a_bug_in_one_check_leaves_the_others(subject: Subject) -> None:
    @contextmanager
    def broken() -> Iterator[Callable[[str], date | None]]:
        raise ZeroDivisionError("as told")
        yield

    found = diagnose(replace(subject, asking=broken))
    assert check(found, "service")[1:3] == ("problem", "ftjobs has a bug: ZeroDivisionError: as told")
    assert dated(found) == (CATALOG, "catalog")
    assert check(found, "prices").state == "ok"


def test_without_a_key_nobody_is_asked(subject: Subject, httpx2_mock: respx.MockRouter) -> None:
    found = diagnose(replace(subject, environ={}))
    assert check(found, "service")[1:3] == ("note", "Not asked for shutdown dates: no key.")
    assert check(found, "key").state == "problem"
    assert dated(found) == (CATALOG, "catalog")
    assert not httpx2_mock.calls
