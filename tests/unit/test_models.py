"""Facts about models, and from a typed name to a snapshot."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files

import pytest

from ftjobs.errors import UsageError
from ftjobs.models.catalog import ImageTokens, load_catalog
from ftjobs.models.names import resolve

CATALOG = load_catalog()


def test_every_entry_says_where_and_when_it_was_read() -> None:
    facts = tomllib.loads(files("ftjobs.models").joinpath("catalog.toml").read_text("utf-8"))
    for row in [*facts["model"], *facts["closing"]]:
        assert row["source"], row
        assert row["read_on"] >= date(2026, 11, 22), row
    for row in (model["image_tokens"] for model in facts["model"] if "image_tokens" in model):
        assert row["source"], row
        assert row["read_on"] >= date(2026, 11, 24), row
    assert CATALOG.read_on == date(2026, 11, 22)


def test_the_platform_closes_in_three_steps() -> None:
    assert [closing.on for closing in CATALOG.closings] == [
        date(2026, 5, 7),
        date(2026, 7, 2),
        date(2027, 1, 6),
    ]
    assert CATALOG.creation_ends_on == CATALOG.closings[-1].on
    assert all(closing.what and closing.source for closing in CATALOG.closings)


@pytest.mark.parametrize(
    ("name", "encoding", "limit", "shutdown_date"),
    [
        ("gpt-4.1-2025-04-14", "o200k_base", 65_536, date(2027, 1, 14)),
        ("gpt-4.1-mini-2025-04-14", "o200k_base", 65_536, date(2027, 1, 14)),
        ("gpt-4.1-nano-2025-04-14", "o200k_base", 65_536, date(2026, 10, 23)),
        ("gpt-4o-2024-08-06", "o200k_base", 65_536, date(2027, 1, 14)),
        ("gpt-4o-mini-2024-07-18", "o200k_base", 65_536, date(2027, 1, 14)),
        ("gpt-3.5-turbo-0125", "cl100k_base", 16_385, date(2026, 10, 23)),
        ("gpt-4-0613", "cl100k_base", None, date(2026, 10, 23)),
        ("davinci-002", "cl100k_base", None, date(2026, 10, 23)),
        ("babbage-002", "cl100k_base", None, date(2026, 10, 23)),
        ("o4-mini-2025-04-16", "o200k_base", None, date(2026, 10, 23)),
    ],
)
def test_a_snapshot_has_its_encoding_limit_and_last_day(
    name: str, encoding: str, limit: int | None, shutdown_date: date
) -> None:
    model = CATALOG.find(name)
    assert model is not None
    assert (model.encoding, model.max_example_tokens, model.shutdown_date) == (encoding, limit, shutdown_date)
    assert set(model.methods) <= {"supervised", "dpo", "reinforcement"}
    assert model.methods


def test_only_the_model_of_the_vision_guide_has_a_price_for_images() -> None:
    priced = {model.name: model.image_tokens for model in CATALOG.models if model.image_tokens}
    assert priced == {"gpt-4o-2024-08-06": ImageTokens(low_detail=85, base=85, per_tile=170)}


def test_only_the_oldest_models_take_prompt_and_completion() -> None:
    assert {model.name: model.format for model in CATALOG.models if model.format != "chat"} == {
        "davinci-002": "completion",
        "babbage-002": "completion",
    }


def test_no_name_means_two_models() -> None:
    names = [name for model in CATALOG.models for name in (model.name, *model.aliases)]
    assert len(names) == len(set(names)) >= 18


@pytest.mark.parametrize(
    ("requested", "sent", "base"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18"),
        ("gpt-3.5-turbo", "gpt-3.5-turbo-0125", "gpt-3.5-turbo-0125"),
        ("gpt-4", "gpt-4-0613", "gpt-4-0613"),
        ("davinci-002", "davinci-002", "davinci-002"),
        (
            "ft:gpt-4o-mini-2024-07-18:acme:support:AbC123",
            "ft:gpt-4o-mini-2024-07-18:acme:support:AbC123",
            "gpt-4o-mini-2024-07-18",
        ),
        (
            "ft:gpt-4o-mini:acme::AbC123:ckpt-step-90",
            "ft:gpt-4o-mini:acme::AbC123:ckpt-step-90",
            "gpt-4o-mini-2024-07-18",
        ),
    ],
)
def test_a_name_resolves_to_what_is_sent_and_to_its_base(requested: str, sent: str, base: str) -> None:
    name = resolve(requested, CATALOG)
    assert (name.requested, name.sent, name.base.name) == (requested, sent, base)


@pytest.mark.parametrize(
    ("requested", "guess"),
    [
        ("gpt-4o-mimi", "gpt-4o-mini"),
        ("GPT-4o-mini", "gpt-4o-mini"),
        (" gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o-mini\n", "gpt-4o-mini"),
        ("ft:gpt-4o-mimi:acme::x", "gpt-4o-mini"),
        ("ft:gpt-4o-mini", "gpt-4o-mini"),
        ("ft:gpt-4o-mini:acme :x", "gpt-4o-mini"),
        ("ft:gpt-4o-mini:\x1b]52;c;aGk=\x07", "gpt-4o-mini"),
        ("", "gpt-4o-mini-2024-07-18"),
        ("  ", "gpt-4o-mini-2024-07-18"),
        ("llama", "gpt-4o-mini-2024-07-18"),
        ("ft:", "gpt-4o-mini-2024-07-18"),
        ("ft::acme", "gpt-4o-mini-2024-07-18"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_ones(requested: str, guess: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(requested, CATALOG)
    assert caught.value.code == "unknown_model"
    assert guess in caught.value.next_step
    assert caught.value.details == {"model": requested}
    assert caught.value.message.isprintable()
