"""From what a user asks for to an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ftjobs.dataset.survey import Survey
from ftjobs.errors import UsageError
from ftjobs.models.catalog import load_catalog
from ftjobs.models.names import resolve
from ftjobs.pricing.estimate import Estimate, choose_epochs, estimate
from ftjobs.pricing.prices import load_prices
from ftjobs.provider.profiles import Profile
from ftjobs.ranges import Range
from ftjobs.workflows.plan import Files, Request, order_of
from ftjobs.workflows.upload import Source

TODAY = date(2026, 11, 22)
MINI = resolve("gpt-4o-mini", load_catalog())
SURVEY = Survey("typed.jsonl", "a" * 64, 12345, 100, Range(900, 1000, 1100), 0, (), {})
PROFILE = Profile("openai", "https://api.openai.com/v1")
FILES = Files(SURVEY, Path("/copy/of/typed.jsonl"))


def priced(epochs: Any = None) -> Estimate:
    return estimate(
        SURVEY,
        model=MINI,
        method="supervised",
        epochs=choose_epochs(epochs, examples=SURVEY.examples),
        price=load_prices([]).find(MINI.base.name, profile="openai", on=TODAY),
        shutdown_date=None,
        on=TODAY,
    )


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"beta": 2.1, "method": "dpo"}, "bad_beta"),
        ({"beta": -0.1, "method": "dpo"}, "bad_beta"),
        ({"beta": float("nan"), "method": "dpo"}, "bad_beta"),
        ({"beta": 0.1}, "beta_without_dpo"),
        ({"learning_rate_multiplier": 0.0}, "bad_learning_rate"),
        ({"learning_rate_multiplier": -1.0}, "bad_learning_rate"),
        ({"learning_rate_multiplier": float("inf")}, "bad_learning_rate"),
        ({"learning_rate_multiplier": float("nan")}, "bad_learning_rate"),
        ({"suffix": ""}, "bad_suffix"),
        ({"suffix": "two words"}, "bad_suffix"),
        ({"suffix": "a\nb"}, "bad_suffix"),
        ({"suffix": "x" * 65}, "bad_suffix"),
        ({"tags": {"": "x"}}, "bad_tag"),
        ({"tags": {"k" * 65: "x"}}, "bad_tag"),
        ({"tags": {"k": "v" * 513}}, "bad_tag"),
        ({"tags": {"ftjobs": "1"}}, "reserved_tag"),
        ({"tags": {"ftjobs_key": "1"}}, "reserved_tag"),
        ({"tags": {f"k{number}": "v" for number in range(13)}}, "too_many_tags"),
        ({"tags": {"k": "a\x1b[31mb"}}, "bad_text"),
    ],
)
def test_what_the_service_could_not_take_is_refused_at_once(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        Request(MINI, **asked)
    assert (caught.value.code, caught.value.exit_code) == (code, 2)


def test_the_bounds_themselves_are_fine() -> None:
    tags = {"k" * 64: "v" * 512, "empty": "", **{f"k{number}": "v" for number in range(10)}}
    request = Request(MINI, learning_rate_multiplier=1e-9, suffix="x" * 64, tags=tags)
    assert order_of(request, FILES, priced(), PROFILE, on=TODAY).tags == tags


def test_the_rules_number_of_epochs_is_pinned_and_auto_is_left_open() -> None:
    assert order_of(Request(MINI), FILES, priced(), PROFILE, on=TODAY).spec.n_epochs == 3
    assert order_of(Request(MINI), FILES, priced(7), PROFILE, on=TODAY).spec.n_epochs == 7
    assert order_of(Request(MINI), FILES, priced("auto"), PROFILE, on=TODAY).spec.n_epochs == "auto"


def test_an_alias_is_sent_as_its_snapshot_and_kept_as_typed() -> None:
    spec = order_of(Request(MINI), FILES, priced(), PROFILE, on=TODAY).spec
    assert (spec.requested_model, spec.model) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    tuned = resolve("ft:gpt-4o-mini-2024-07-18:org:name:id", load_catalog())
    spec = order_of(Request(tuned), FILES, priced(), PROFILE, on=TODAY).spec
    assert (spec.model, spec.base_model) == (tuned.requested, "gpt-4o-mini-2024-07-18")


def test_the_order_reads_the_copy_and_keeps_what_was_surveyed() -> None:
    order = order_of(Request(MINI), FILES, priced(), PROFILE, on=TODAY)
    assert order.training == Source(Path("/copy/of/typed.jsonl"), "a" * 64, 12345)
    assert (order.spec.training_sha256, order.spec.training_bytes) == ("a" * 64, 12345)
    assert (order.validation, order.spec.validation_sha256) == (None, None)
    held_out = replace(FILES, validation=replace(SURVEY, sha256="b" * 64), validation_path=Path("v.jsonl"))
    order = order_of(Request(MINI), held_out, priced(), PROFILE, on=TODAY)
    assert order.validation == Source(Path("v.jsonl"), "b" * 64, 12345)
    assert order.spec.validation_sha256 == "b" * 64


def test_the_quote_is_the_estimate_of_the_day() -> None:
    found = priced()
    quote = order_of(Request(MINI), FILES, found, PROFILE, on=TODAY).quote
    assert (quote.estimated_on, quote.cost, quote.examples) == (TODAY, found.cost, 100)


@pytest.mark.parametrize(
    "change",
    [
        lambda request: replace(request, batch_size=4),
        lambda request: replace(request, learning_rate_multiplier=0.5),
        lambda request: replace(request, seed=7),
        lambda request: replace(request, suffix="other"),
        lambda request: replace(request, again="once-more"),
    ],
)
def test_each_option_that_changes_what_is_trained_makes_another_job(change: Callable[[Request], Request]) -> None:
    plain = order_of(Request(MINI), FILES, priced(), PROFILE, on=TODAY).spec.content_key("account")
    changed = order_of(change(Request(MINI)), FILES, priced(), PROFILE, on=TODAY).spec.content_key("account")
    assert changed != plain


def test_tags_and_the_files_name_make_no_other_job() -> None:
    plain = order_of(Request(MINI), FILES, priced(), PROFILE, on=TODAY).spec.content_key("account")
    renamed = replace(FILES, training=replace(SURVEY, path="renamed.jsonl"))
    tagged = order_of(Request(MINI, tags={"k": "v"}), renamed, priced(), PROFILE, on=TODAY).spec.content_key(
        "account"
    )
    assert tagged == plain


def test_without_a_price_there_is_no_order() -> None:
    with pytest.raises(ValueError, match="nothing to quote"):
        order_of(Request(MINI), FILES, replace(priced(), price=None, cost=None), PROFILE, on=TODAY)
