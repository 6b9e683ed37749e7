"""Services that charge otherwise: whose prices count, and whose trained tokens make a bill."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from ftjobs.config import RawTable, Settings
from ftjobs.dataset.survey import Survey
from ftjobs.errors import UsageError
from ftjobs.jobs.job import parse_job
from ftjobs.jobs.submission import Submission
from ftjobs.models.names import trainable
from ftjobs.pricing.estimate import choose_epochs, estimate
from ftjobs.pricing.prices import PriceBook, load_prices
from ftjobs.provider.profiles import profiles_where
from ftjobs.ranges import Range
from ftjobs.workflows.settle import price_in_force, tell_unpriced

MINI = "gpt-4o-mini-2024-07-18"
TODAY = date(2026, 11, 22)
OURS = RawTable({"model": MINI, "training_usd_per_1m": "7.00", "profile": "azure"}, "ftjobs.toml, price 1")


def book(*tables: RawTable, **profiles: frozenset[str]) -> PriceBook:
    loaded = load_prices(tables)
    return PriceBook(loaded.prices, **profiles)


def test_the_bundled_list_is_not_about_services_with_prices_of_their_own() -> None:
    azure = book(own_only=frozenset({"azure"}))
    assert azure.find(MINI, profile="azure", on=TODAY) is None
    assert azure.find(MINI, profile="openai", on=TODAY) is not None
    assert dict(azure.by_list(MINI, profile="azure", on=TODAY)) == {}
    assert book(OURS, own_only=frozenset({"azure"})).find(MINI, profile="azure", on=TODAY) is not None


def test_a_profile_says_so_itself_or_by_what_it_extends() -> None:
    def table(**values: object) -> RawTable:
        return RawTable(values, "t")

    tables = {
        "eu": table(extends="azure"),
        "mine": table(extends="azure", prices="bundled"),
        "broken": table(extends=7),
        "plain": table(base_url="https://llm.example/v1"),
    }
    settings = Settings(profile_tables=tables)
    assert profiles_where(settings, "prices", "own") == {"azure", "nebius", "eu"}
    assert profiles_where(settings, "billing", "manual") == frozenset()


def done(profile: str) -> Submission:
    raw: dict[str, Any] = {
        "object": "fine_tuning.job", "id": "ftjob-1", "status": "succeeded", "created_at": 1795000000,
        "model": MINI, "trained_tokens": 1000,
    }  # fmt: skip
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return Submission("01", "k", "created", profile, "a", now, None, None, {}, job=parse_job(raw))


def test_trained_tokens_make_no_bill_where_billing_is_manual() -> None:
    prices = book(manual=frozenset({"theirs"}))
    assert price_in_force(done("theirs"), prices, "openai") is None
    assert price_in_force(done("openai"), prices, "openai") is not None


def test_why_a_bill_stays_unknown_is_told_once_for_each_reason(capsys: pytest.CaptureFixture[str]) -> None:
    prices = book(manual=frozenset({"theirs"}))
    tell_unpriced([done("theirs"), done("theirs"), done("openai")], prices)
    told = capsys.readouterr().err.splitlines()
    assert ["jobs=1" in line and "no price is known" in line for line in told] == [True, False]
    assert ["jobs=2" in line and "billing is manual" in line for line in told] == [False, True]
    tell_unpriced([], prices)
    assert capsys.readouterr().err == ""


# Models that are not in the catalog


@pytest.mark.parametrize("name", ["meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-14B", "gpt-oss-20b"])
def test_a_model_of_the_service_is_taken_where_it_has_models_of_its_own(name: str) -> None:
    with pytest.raises(UsageError):
        trainable(name, "supervised")
    known = trainable(name, "supervised", any_model=True)
    assert (known.sent, known.base.name, known.base.encoding) == (name, name, None)


@pytest.mark.parametrize("name", ["", "two words", "a\nb", "-x", "x" * 201, "\x1b[31m"])
def test_what_can_be_no_name_is_refused_all_the_same(name: str) -> None:
    with pytest.raises(UsageError):
        trainable(name, "supervised", any_model=True)


def test_a_name_of_the_catalog_stays_what_it_is() -> None:
    assert trainable("gpt-4o-mini", "supervised", any_model=True) == trainable("gpt-4o-mini", "supervised")


def test_its_estimate_says_that_the_count_is_a_stand_in() -> None:
    survey = Survey("d.jsonl", "a" * 64, 10, 100, Range(750, 1100, 3000), 0, (), {})
    found = estimate(
        survey,
        model=trainable("org/model-8B", "supervised", any_model=True),
        method="supervised",
        epochs=choose_epochs(None, examples=100),
        price=None,
        shutdown_date=None,
        on=TODAY,
    )
    assert "o200k_base" in found.bounds["high"]
    assert any("tokenizer is not known" in warning for warning in found.warnings)
    assert not any("tool calls" in warning for warning in found.warnings)


def test_a_slip_of_a_catalogs_name_is_refused_unless_it_has_a_price() -> None:
    with pytest.raises(UsageError) as caught:
        trainable("gpt-4o-mni", "supervised", any_model=True)
    assert caught.value.next_step == "Did you mean gpt-4o-mini?"
    assert trainable("gpt-4o-mni", "supervised", any_model=True, priced={"gpt-4o-mni"}).sent == "gpt-4o-mni"
