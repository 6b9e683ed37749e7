"""`prices` at a shell: offline, without a key, a ledger or a home, on any day and profile."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Person, Run, Service

ALONE = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
MINI = "gpt-4o-mini-2024-07-18"
ON = ("--on", "2026-11-24")  # a day on which no list is old
FIELDS = {
    *("model", "list", "applies", "standing", "training_usd_per_1m", "training_usd_per_hour"),
    *(
        f"{of}{kind}_usd_per_1m"
        for of in ("", "batch_", "base_", "base_batch_")
        for kind in ("input", "cached_input", "output")
    ),
    *("hosting_usd_per_hour", "hosting_applies"),
    *("effective_from", "read_on", "source", "base_source", "profile", "illustrative"),
}


@pytest.fixture
def alone(inside: Callable[..., Run]) -> Callable[..., Run]:
    """Run `ftjobs prices` in a shell without a service and without a key."""
    return lambda *args, **env: inside("prices", *args, **{**ALONE, **env})


def settings(person: Person, text: str) -> None:
    (person.home / "ftjobs.toml").write_text(text, encoding="utf-8")


def own(usd: str, **more: str) -> str:
    keys = {"model": MINI, "training_usd_per_1m": usd} | more
    return "[[price]]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items())


def applying(run: Run) -> dict[str, Any]:
    assert run.code == 0, run
    (price,) = (each for each in run.json["prices"] if each["applies"])
    found: dict[str, Any] = price
    return found


def test_every_price_is_shown_with_its_list_source_and_day(person: Person) -> None:
    told = person.run("prices", *ON, **ALONE)
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines()[0] == "Prices on 2026-11-24, profile openai, price list openai"
    assert "gpt-4-turbo" in told.out
    assert "price list openai, read 2026-11-22: OpenAI pricing page" in told.out
    assert "note: Price lists disagree on gpt-4o-2024-08-06: training is $25.00/1M by openai" in told.out
    assert "note: No price is known for gpt-4-0613: add a [[price]] table." in told.out
    assert not (person.home / "data").exists(), "no ledger is made to show prices"


def test_today_is_the_day_without_one(alone: Callable[..., Run]) -> None:
    before = datetime.now(UTC).date().isoformat()
    shown = alone("--json").json["on"]
    assert before <= shown <= datetime.now(UTC).date().isoformat()


def test_json_has_the_promised_fields(alone: Callable[..., Run]) -> None:
    found = alone(*ON, "--json").json
    assert set(found) == {"schema", "on", "profile", "price_list", "prices", "warnings"}
    assert (found["schema"], found["on"], found["price_list"]) == ("ftjobs.prices/1", "2026-11-24", "openai")
    assert all(set(price) == FIELDS for price in found["prices"])
    assert len(found["prices"]) >= 13
    assert sum(price["applies"] for price in found["prices"]) >= 9


@pytest.mark.parametrize("model", [MINI, "gpt-4o-mini", "ft:gpt-4o-mini-2024-07-18:acme::a1B2"])
def test_a_model_may_be_named_in_any_way(alone: Callable[..., Run], model: str) -> None:
    price = applying(alone(model, *ON, "--json"))
    assert (price["model"], price["list"], price["training_usd_per_1m"]) == (MINI, "openai", "3.00")


def test_a_name_that_only_a_list_has_is_a_model(alone: Callable[..., Run], person: Person) -> None:
    told = alone("gpt-4-turbo", *ON)
    assert told.code == 0
    assert "guide-2026 does not apply: the price list in use is openai" in told.out
    assert applying(alone("gpt-4-turbo", "--price-list", "guide-2026", "--json"))["training_usd_per_1m"] == "2.70"
    settings(person, own("0.40", model="meta/llama-8b"))
    assert applying(alone("meta/llama-8b", "--json"))["training_usd_per_1m"] == "0.40"


def test_what_prices_says_is_what_estimate_takes(
    alone: Callable[..., Run], inside: Callable[..., Run], person: Person, training_file: Path
) -> None:
    settings(
        person, own("2.00") + own("4.00", effective_from="2026-01-01") + own("9.00", effective_from="2999-01-01")
    )
    for more in ([], ["--price-list", "guide-2026"], ["--profile", "sandbox"]):
        price = applying(alone("gpt-4o-mini", "--json", *more))
        asked = ("estimate", str(training_file), "--model", "gpt-4o-mini", "--json", *more)
        estimated = inside(*asked, **ALONE).json["estimates"][0]["price"]
        assert estimated["usd_per_1m"] == price["training_usd_per_1m"] == "4.00"
        assert (estimated["list"], estimated["source"]) == (price["list"], price["source"])


def test_a_day_chooses_the_price_and_names_past_and_future_ones(alone: Callable[..., Run], person: Person) -> None:
    settings(
        person,
        own("2.00", source="old contract")
        + own("4.00", effective_from="2026-10-05")
        + own("6.00", effective_from="2026-12-01"),
    )
    for day, usd in [("2026-10-04", "2.00"), ("2026-10-05", "4.00"), ("2026-12-01", "6.00")]:
        assert applying(alone("gpt-4o-mini", "--on", day, "--json"))["training_usd_per_1m"] == usd
    told = alone("gpt-4o-mini", *ON).out
    assert "user from 2026-12-01 is not yet in force" in told
    assert "user is no longer in force: a later one follows" in told
    assert "price list user: old contract" in told


@pytest.mark.parametrize(
    "day",
    [
        "20261005",
        "2026-W41-1",
        "2026-13-01",
        "2026-02-29",
        "5.10.2026",
        "today",
        "2026-10",
        "",
        "\uff12\uff10\uff12\uff16-10-05",
    ],
)
def test_a_day_of_another_form_is_refused_naming_the_form(alone: Callable[..., Run], day: str) -> None:
    refused = alone("--on", day, "--json")
    assert refused.code == 2
    assert (refused.json["code"], refused.json["details"]) == ("bad_date", {"on": day})
    assert "YYYY-MM-DD" in refused.json["next_step"]


def test_an_unknown_model_list_or_profile_is_refused_with_the_nearest(alone: Callable[..., Run]) -> None:
    model = alone("gpt-4-turbp", "--json")
    assert (model.code, model.json["code"]) == (2, "unknown_model")
    assert model.json["next_step"] == "Did you mean gpt-4-turbo?"
    for args in ([], ["gpt-4-0613"]):
        listed = alone(*args, "--price-list", "guide-2062", "--json")
        assert (listed.code, listed.json["code"]) == (3, "unknown_price_list")
        assert "guide-2026" in listed.json["next_step"]
    assert alone("--profile", "opanai").code == 2
    twice = alone("gpt-4o", "gpt-4o-mini", "--json")
    assert (twice.code, twice.json["code"]) == (2, "usage")


def test_a_wrong_price_of_ones_own_is_named_by_file_and_key(alone: Callable[..., Run], person: Person) -> None:
    settings(person, own("2,00"))
    refused = alone("--json")
    assert (refused.code, refused.json["code"]) == (3, "price_invalid")
    assert refused.json["details"] == {"key": "training_usd_per_1m", "origin": "ftjobs.toml, price 1"}


def test_another_service_is_told_that_the_list_is_not_its_own(
    inside: Callable[..., Run], person: Person, service: Service
) -> None:
    """The person's own shell points at a service that is not OpenAI's."""
    foreign = inside("prices", "gpt-4o-mini", *ON, "--json").json
    assert foreign["profile"] == "generic"
    assert any("of OpenAI's own service" in warning for warning in foreign["warnings"])
    sandboxed = inside("prices", "gpt-4o-mini", *ON, "--json", "--profile", "sandbox").json
    assert (sandboxed["profile"], sandboxed["sandbox"]) == ("sandbox", True)
    assert not any("of OpenAI's own service" in warning for warning in sandboxed["warnings"])
    settings(person, own("2.00"))
    mine = inside("prices", "gpt-4o-mini", *ON, "--json").json
    assert not any("of OpenAI's own service" in warning for warning in mine["warnings"])
    assert service.requests() == []


def test_a_list_that_nobody_read_for_long_is_told_to_be_old(alone: Callable[..., Run]) -> None:
    told = alone("davinci-002", "--on", "2027-06-01").out
    assert "note: The price list openai was last read on 2026-11-22, 191 days before 2027-06-01" in told
    assert "last read" not in alone("davinci-002", *ON).out


def test_without_a_home_to_write_to_prices_are_shown(person: Person) -> None:
    nowhere = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), "/proc/none")
    told = person.run("prices", "gpt-4o-mini", *ON, **ALONE, **nowhere)
    assert (told.code, told.err) == (0, "")
    assert "openai applies" in told.out


def test_prices_start_without_what_only_others_need(person: Person) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ftjobs", "prices", *ON],
        cwd=person.home,
        env=person.env(**ALONE),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    times = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    modules = {line.rpartition("|")[2].strip() for line in times}
    assert "ftjobs.pricing.prices" in modules
    heavy = {"openai", "httpx2", "sqlalchemy", "alembic", "toktok", "msgspec", "rich.console", "structlog"}
    assert modules.isdisjoint(heavy | {"ftjobs.dataset.survey", "ftjobs.ledger.store"})


@pytest.mark.parametrize("args", [(), ("gpt-4o-mini",)])
def test_a_narrow_terminal_shows_what_applies_in_rows_that_do_not_wrap(
    person: Person, args: tuple[str, ...]
) -> None:
    settings(person, own("2.00", profile="openai", effective_from="2026-11-01"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        person.command("prices", *args, *ON),
        cwd=person.home,
        env=person.env(COLUMNS="60", TERM="xterm", **ALONE),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 65536):
            seen += part
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    os.close(ours)
    assert process.wait(timeout=240) == 0
    lines = seen.decode().replace("\r\n", "\n").splitlines()
    table = lines[1 : next(number for number, line in enumerate(lines) if line.startswith("USD"))]
    assert max(map(len, table)) <= 60
    assert any(line.split()[-1] == "2.00" and " yes " in line for line in table)
    assert "\x1b" not in seen.decode()
