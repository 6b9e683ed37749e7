"""The past is never repriced: a price that changes later changes what will be, not what was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

if TYPE_CHECKING:
    from tests.conftest import Person, Run, Service

MODEL = "gpt-4o-mini"
MINI = "gpt-4o-mini-2024-07-18"


def own(usd: str, **more: object) -> str:
    """A [[price]] table; more are its other keys."""
    keys = {"model": f'"{MINI}"', "training_usd_per_1m": f'"{usd}"'} | more
    return "[[price]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def write(person: Person, *tables: str) -> None:
    (person.home / "ftjobs.toml").write_text("".join(tables), encoding="utf-8")


def entries(run: Run) -> list[dict[str, Any]]:
    assert run.code == 0, run
    jobs: list[dict[str, Any]] = run.json["jobs"]
    return jobs


def applied(inside: Callable[..., Run]) -> str:
    prices = inside("prices", MODEL, "--json").json["prices"]
    (usd,) = (price["training_usd_per_1m"] for price in prices if price["applies"])
    assert isinstance(usd, str)
    return usd


def estimated(inside: Callable[..., Run], data: Path) -> tuple[str, int]:
    """Return the price that `estimate` takes, and the expected cost in nano-dollars for it."""
    told = inside("estimate", str(data), "--model", MODEL, "--json").json["estimates"][0]
    return told["price"]["usd_per_1m"], nano(told["estimated_cost_usd"]["expected"])


def nano(usd: str) -> int:
    whole, _, fraction = usd.partition(".")
    return int(whole) * 10**9 + int(fraction.ljust(9, "0"))


@pytest.mark.parametrize("before", [[], [own("5.00")]], ids=["by the bundled list", "by the user's own table"])
@pytest.mark.parametrize(
    "after",
    [own("99.00"), own("99.00", effective_from="2020-01-01"), own("99.00", profile='"generic"')],
    ids=["for all days", "from long ago", "for the profile"],
)
def test_a_settled_bill_is_unchanged_byte_for_byte_by_a_new_price(
    person: Person, inside: Callable[..., Run], training_file: Path, before: list[str], after: str
) -> None:
    write(person, *before)
    assert inside("submit", str(training_file), "--model", MODEL, "--wait").code == 0
    ledger, ledger_text = inside("ledger", "--json"), inside("ledger")
    (job,) = entries(ledger)
    old_price = "5.00" if before else "3.00"
    assert nano(job["billed_cost_usd"]) * 10**6 == job["trained_tokens"] * nano(old_price)
    assert (applied(inside), estimated(inside, training_file)[0]) == (old_price, old_price)

    write(person, *before, after)
    assert applied(inside) == "99.00"
    usd_per_1m, cost = estimated(inside, training_file)
    assert usd_per_1m == "99.00"
    assert cost == nano(job["estimated_cost_usd"]) * 99 // int(old_price[0])
    # Whatever asks the service again finds the job as it was, and writes nothing.
    assert inside("status", "--all").code == 0
    assert inside("watch", job["job_id"]).code == 0
    assert inside("submit", str(training_file), "--model", MODEL, "--json").json["reused"] is True
    assert inside("ledger", "--json") == ledger
    assert inside("ledger") == ledger_text
    assert len(ledger.json["digest"]) == 64


def test_a_price_added_while_a_job_is_under_way_does_not_change_what_was_quoted(
    person: Person, inside: Callable[..., Run], service: Service, training_file: Path
) -> None:
    submitted = inside("submit", str(training_file), "--model", MODEL, "--json")
    assert submitted.json["estimate"]["price"]["usd_per_1m"] == "3.00"
    write(person, own("99.00"))
    assert inside("watch").code == 0
    assert applied(inside) == "99.00"
    (job,) = entries(inside("ledger", "--json"))
    assert nano(job["billed_cost_usd"]) * 10**6 == job["trained_tokens"] * nano("3.00")


def test_a_job_created_before_a_prices_first_day_is_billed_at_the_earlier_price(
    person: Person, inside: Callable[..., Run], service: Service, training_file: Path
) -> None:
    service.settings(job_seconds=3600)
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    next_day = noon.date() + timedelta(days=1)
    write(person, own("5.00"), own("50.00", effective_from=next_day))
    with time_machine.travel(noon, tick=True):
        assert inside("submit", str(training_file), "--model", MODEL).code == 0
        (open_job,) = entries(inside("ledger", "--json"))
        assert open_job["billed_cost_usd"] is None
    with time_machine.travel(noon + timedelta(days=2), tick=True):
        assert applied(inside) == "50.00"
        assert inside("status").code == 0
        (job,) = entries(inside("ledger", "--json"))
    assert job["status"] == "succeeded"
    assert nano(job["billed_cost_usd"]) * 10**6 == job["trained_tokens"] * nano("5.00")
    assert nano(job["estimated_cost_usd"]) == nano(open_job["estimated_cost_usd"])


def test_a_job_created_on_a_prices_first_day_is_billed_at_it(
    person: Person, inside: Callable[..., Run], service: Service, training_file: Path
) -> None:
    service.settings(job_seconds=3600)
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    write(person, own("5.00"), own("50.00", effective_from=noon.date()))
    with time_machine.travel(noon, tick=True):
        assert inside("submit", str(training_file), "--model", MODEL).code == 0
    with time_machine.travel(noon + timedelta(days=2), tick=True):
        assert inside("status").code == 0
        (job,) = entries(inside("ledger", "--json"))
    assert nano(job["billed_cost_usd"]) * 10**6 == job["trained_tokens"] * nano("50.00")
