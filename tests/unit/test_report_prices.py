"""What `prices` shows: every list and amount, what applies and why, and what to mind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from rich.cells import cell_len

from ftjobs.config import RawTable
from ftjobs.models.catalog import load_catalog
from ftjobs.pricing.comparison import compare, priced_models
from ftjobs.pricing.prices import PriceBook, load_prices
from ftjobs.reports.envelope import dumps
from ftjobs.reports.prices import PriceSheet, prices_json, prices_text

MINI = "gpt-4o-mini-2024-07-18"
READ_ON = date(2026, 11, 22)


def book(*tables: dict[str, object]) -> PriceBook:
    return load_prices([RawTable(row, f"ftjobs.toml, price {n}") for n, row in enumerate(tables, start=1)])


def user(**values: object) -> dict[str, object]:
    return {"model": MINI, "training_usd_per_1m": "2.00", "source": "our contract"} | values


def sheet(
    *tables: dict[str, object],
    model: str | None = None,
    on: date = READ_ON,
    profile: str = "openai",
    price_list: str = "openai",
    **more: Any,
) -> PriceSheet:
    prices = book(*tables)
    models = priced_models(prices) if model is None else (model,)
    found = compare(models, prices, profile=profile, on=on, price_list=price_list)
    made = PriceSheet(on, profile, price_list, found, model is not None, (), list_is_foreign=False)
    return replace(made, **more)


def rows(text: str) -> list[list[str]]:
    """The table's lines as words, without its heading."""
    lines = text.splitlines()
    return [line.split() for line in lines[2 : next(n for n, line in enumerate(lines) if line.startswith("USD"))]]


def _listed(of: PriceSheet) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = prices_json(of, sandbox=False)["prices"]
    return found


def notes(of: PriceSheet) -> list[str]:
    said = [line for line in prices_text(of, width=None).splitlines() if line.startswith("note: ")]
    assert [line.removeprefix("note: ") for line in said] == prices_json(of, sandbox=False)["warnings"]
    assert all(line.endswith(".") for line in said)
    return said


def test_the_overview_has_a_row_for_every_list_of_every_model() -> None:
    shown = rows(prices_text(sheet(), width=None))
    assert len(shown) == 13
    assert {row[0] for row in shown} >= {model.name for model in load_catalog().models} - {"gpt-4-0613"}
    mini = [row for row in shown if row[0] == MINI]
    assert mini[0][1:8] == ["openai", "yes", "3.00", "0.30", "(0.15)", "/", "1.20"]
    assert mini[1][1:8] == ["guide-2026", "no", "1.00", "0.15", "(unknown)", "/", "0.60"]
    (o4,) = (row for row in shown if row[0].startswith("o4-mini"))
    assert o4[1:4] == ["openai", "yes", "100.00/h"]


def test_one_model_is_told_in_full_and_reads_in_order() -> None:
    dated = sheet(
        user(effective_from=date(2026, 11, 1), batch_input_usd_per_1m="0.000000001"),
        user(effective_from=date(2026, 12, 1), training_usd_per_1m="4"),
        user(effective_from=date(2026, 1, 1), training_usd_per_1m="9"),
        model=MINI,
    )
    lines = prices_text(dated, width=None).splitlines()
    assert lines[0] == f"{MINI} on 2026-11-22, profile openai, price list openai"
    assert lines[1].split() == ["LIST", "APPLIES", "FOR", "USD/1M", "FROM"]
    assert lines[2].split() == ["user", "yes", "training", "2.00", "2026-11-01"]
    assert lines[4].split() == [
        *["user", "yes", "tuned,", "batch", "0.000000001", "(unknown)", "/", "unknown", "2026-11-01"]
    ]
    trainings = [line.split() for line in lines if " training " in line and not line.startswith("note")]
    assert [(words[0], " ".join(words[1 : words.index("training")])) for words in trainings] == [
        ("user", "yes"),
        ("openai", "no"),
        ("guide-2026", "no"),
        ("user", "not yet"),
        ("user", "no longer"),
    ]
    at = lines.index("")
    assert lines[at + 1 : at + 6] == [
        "user from 2026-11-01 applies: a price of your own comes before every price list,"
        " the latest first day counts",
        "openai does not apply: a price of your own comes first",
        "guide-2026 does not apply: the price list in use is openai",
        "user from 2026-12-01 is not yet in force",
        "user from 2026-01-01 is no longer in force: a later one follows",
    ]
    assert "price list user, from 2026-11-01: our contract" in lines
    assert any(line.startswith("price list openai, read 2026-11-22: OpenAI pricing page") for line in lines)
    assert any(line.startswith("base models in price list openai: third parties") for line in lines)


def test_the_price_of_the_profile_comes_first_and_another_profiles_is_named() -> None:
    for_all = (user(training_usd_per_1m="5"), user(effective_from=date(2026, 1, 1)))
    tables = (user(profile="azure-eu"), *for_all, user(profile="azure-us"))
    text = prices_text(sheet(*tables, model=MINI, profile="azure-eu"), width=None)
    assert (
        "user for profile azure-eu applies: a price of your own comes before every price list, one for the" in text
    )
    assert "user from 2026-01-01 does not apply: one for the profile comes first" in text
    assert "user is no longer in force" in text
    assert "user for profile azure-us does not apply: this is profile azure-eu" in text
    assert "the latest first day counts" not in text
    assert "PROFILE" in text


def test_of_two_tables_alike_the_nearer_one_is_said_to_win() -> None:
    text = prices_text(sheet(user(training_usd_per_1m="8"), user(), model=MINI), width=None)
    assert rows(text)[0] == ["user", "yes", "training", "2.00"]
    assert "user does not apply: a nearer table says so" in text


def test_a_bundled_list_says_why_it_applies() -> None:
    text = prices_text(sheet(model=MINI, price_list="guide-2026"), width=None)
    assert "guide-2026 applies: it is the price list in use, and no price of your own is in force" in text
    assert "openai does not apply: the price list in use is guide-2026" in text


def test_an_amount_that_nobody_knows_is_unknown_and_a_free_one_is_not() -> None:
    text = prices_text(sheet({"model": "m", "output_usd_per_1m": "0"}, model="m"), width=None)
    assert [row[2:] for row in rows(text)] == [
        ["training", "unknown"],
        ["tuned", "unknown", "(unknown)", "/", "0.00"],
        ["tuned,", "batch", "unknown"],
        ["base", "unknown"],
        ["base,", "batch", "unknown"],
    ]


def test_a_price_per_token_and_per_hour_is_told_as_both() -> None:
    text = prices_text(sheet(user(model="m", training_usd_per_hour="7"), model="m"), width=None)
    assert rows(text)[0] == ["user", "yes", "training", "2.00,", "7.00/h"]


def test_hosting_is_told_where_somebody_says_it_and_stands_by_itself() -> None:
    alone: dict[str, object] = {"model": MINI, "hosting_usd_per_hour": "1.70", "source": "a page"}
    told = sheet(alone, model=MINI)
    text = prices_text(told, width=None)
    hosting = [row for row in rows(text) if row[2] == "hosting"]
    assert hosting == [["user", "yes", "hosting", "1.70/h"]]
    assert ["user", "yes", "training"] not in [row[:3] for row in rows(text)]
    assert ["openai", "yes", "training", "3.00"] in rows(text)
    assert "user (hosting) applies: no price list says what hosting costs" in text
    applies = {each["list"]: (each["applies"], each["hosting_applies"]) for each in _listed(told)}
    assert applies == {"user": (False, True), "openai": (True, False), "guide-2026": (False, False)}
    assert " HOSTING" in prices_text(sheet(alone), width=None).splitlines()[1]
    assert "HOSTING" not in prices_text(sheet(), width=None)


def test_hosting_outlives_the_training_price_that_it_came_with() -> None:
    tables = (user(hosting_usd_per_hour="1.70"), user(effective_from=date(2026, 11, 1)))
    text = prices_text(sheet(*tables, model=MINI), width=None)
    assert ["user", "yes", "hosting", "1.70/h"] in rows(text)
    assert "user is no longer in force: a later one follows" in text
    assert "the hosting of user applies all the same: no later table names one" in text
    beaten = user(hosting_usd_per_hour="9")
    nearer = prices_text(sheet(beaten, tables[0] | {"source": "b"}, model=MINI), width=None)
    assert [row for row in rows(nearer) if row[2] == "hosting"] == [
        ["user", "yes", "hosting", "1.70/h"], ["user", "no", "hosting", "9.00/h"],
    ]  # fmt: skip


def test_nothing_to_mind_has_no_note() -> None:
    assert notes(sheet(model="davinci-002")) == []


def test_a_list_is_old_after_180_days_and_the_users_own_never() -> None:
    assert notes(sheet(model="davinci-002", on=date(2027, 5, 21))) == []
    (old,) = notes(sheet(model="davinci-002", on=date(2027, 5, 22)))
    assert "openai was last read on 2026-11-22, 181 days before 2027-05-22" in old
    assert notes(sheet(user(model="m"), model="m", on=date(2040, 1, 1))) == []


def test_an_old_list_is_told_once_however_many_models_it_has() -> None:
    old = [note for note in notes(sheet(on=date(2027, 6, 1))) if "last read" in note]
    assert [("openai" in note, "guide-2026" in note) for note in old] == [(True, False), (False, True)]


def test_before_the_day_of_reading_a_list_without_a_first_day_is_an_assumption() -> None:
    (early,) = notes(sheet(model="davinci-002", on=date(2026, 11, 21)))
    assert "names no first day" in early
    assert "held on 2026-11-21 is an assumption" in early


def test_an_illustrative_list_in_use_is_called_so_and_one_beside_it_is_not() -> None:
    assert any("guide-2026 is illustrative" in note for note in notes(sheet(model=MINI, price_list="guide-2026")))
    assert not any("is illustrative" in note for note in notes(sheet(model=MINI)))


def test_another_services_list_is_called_so_unless_the_price_is_the_users() -> None:
    (foreign,) = notes(sheet(model="davinci-002", profile="azure", list_is_foreign=True))
    assert "of OpenAI's own service" in foreign
    assert "this service may charge otherwise" in foreign
    assert notes(sheet(user(model="m"), model="m", list_is_foreign=True)) == []


def test_differences_are_told_in_training_for_all_and_in_every_amount_for_one() -> None:
    of_all = [note for note in notes(sheet()) if "disagree" in note]
    assert len(of_all) == 3
    assert all("training is" in note for note in of_all)
    of_one = [note for note in notes(sheet(model=MINI)) if "disagree" in note]
    assert len(of_one) == 3
    assert "output of the tuned model is $1.20/1M by openai, $0.60/1M by guide-2026 (illustrative)." in of_one[2]


def test_a_price_of_yesterday_or_tomorrow_is_no_disagreement() -> None:
    tables = [
        user(model="m", effective_from=date(year, 1, 1), training_usd_per_1m=str(year)) for year in (2025, 2030)
    ]
    assert notes(sheet(*tables, model="m")) == []


def test_a_model_without_a_price_in_force_says_so() -> None:
    (idle,) = notes(sheet(model="gpt-4-turbo"))
    assert "No price applies to gpt-4-turbo: on 2026-11-22 neither the price list openai nor" in idle
    (own,) = notes(sheet(model="gpt-4-turbo", price_list="user"))
    assert "on 2026-11-22 no [[price]] table of your own has one in force for profile openai." in own
    (later,) = notes(sheet(user(model="m", effective_from=date(2026, 11, 23)), model="m"))
    assert "No price applies to m" in later
    nothing = sheet(model="gpt-4-0613", unpriced=("gpt-4-0613",))
    assert prices_text(nothing, width=None).splitlines() == [
        "gpt-4-0613 on 2026-11-22, profile openai, price list openai",
        "",
        "note: No price is known for gpt-4-0613: add a [[price]] table.",
    ]
    assert prices_json(nothing, sandbox=False)["prices"] == []


@pytest.mark.parametrize("model", [None, MINI, "o4-mini-2025-04-16"])
@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_keeps_the_model_the_list_what_applies_and_the_training_price(
    model: str | None, width: int
) -> None:
    text = prices_text(sheet(user(effective_from=READ_ON, profile="openai"), model=model), width=width)
    lines = text.splitlines()
    shown = lines[1 : next(n for n, line in enumerate(lines) if line.startswith("USD"))]
    assert max(map(cell_len, shown)) <= width
    assert "APPLIES" in shown[0]
    assert ("TRAINING" in shown[0]) if model is None else ("USD/1M" in shown[0])
    if model is not None:
        assert sum("0.30 (0.15) / 1.20" in line or "4.00 (1.00) / 16.00" in line for line in shown) == 1


def test_columns_that_would_say_nothing_are_left_out() -> None:
    heading = prices_text(sheet(), width=None).splitlines()[1]
    assert "BASE" in heading
    assert not any(title in heading for title in ("FROM", "PROFILE", "BASE, BATCH"))
    full = prices_text(
        sheet(user(profile="p", effective_from=READ_ON, base_batch_input_usd_per_1m="1")), width=None
    )
    assert all(title in full.splitlines()[1] for title in ("FROM", "PROFILE", "BASE, BATCH"))


def test_json_has_every_amount_null_where_unknown() -> None:
    dated = sheet(
        user(effective_from=date(2026, 11, 1), profile="openai", base_batch_output_usd_per_1m="7"), model=MINI
    )
    found = prices_json(dated, sandbox=False)
    assert '"on": "2026-11-22"' in dumps(found)
    assert {key: found[key] for key in ("schema", "profile", "price_list")} == {
        "schema": "ftjobs.prices/1",
        "profile": "openai",
        "price_list": "openai",
    }
    own, openai, guide = found["prices"]
    assert [(each["list"], each["applies"], each["standing"]) for each in found["prices"]] == [
        ("user", True, "applies"),
        ("openai", False, "other_list"),
        ("guide-2026", False, "other_list"),
    ]
    assert own["training_usd_per_1m"].plain() == "2.00"
    assert own["base_batch_output_usd_per_1m"].plain() == "7.00"
    assert own["output_usd_per_1m"] is own["training_usd_per_hour"] is own["read_on"] is None
    assert (own["effective_from"], own["profile"], own["source"]) == (date(2026, 11, 1), "openai", "our contract")
    assert {key: openai[key].plain() for key in openai if key.endswith("_1m") and openai[key]} == {
        "training_usd_per_1m": "3.00",
        "input_usd_per_1m": "0.30",
        "cached_input_usd_per_1m": "0.15",
        "output_usd_per_1m": "1.20",
        "batch_input_usd_per_1m": "0.15",
        "batch_cached_input_usd_per_1m": "0.075",
        "batch_output_usd_per_1m": "0.60",
        "base_input_usd_per_1m": "0.15",
        "base_cached_input_usd_per_1m": "0.075",
        "base_output_usd_per_1m": "0.60",
    }
    assert (openai["read_on"], openai["illustrative"], guide["illustrative"]) == (READ_ON, False, True)
    assert "third parties" in openai["base_source"]
    assert prices_json(dated, sandbox=True)["sandbox"] is True


def test_what_a_price_says_cannot_act_on_the_terminal() -> None:
    hostile = "x\x1b]52;c;aGk=\x07\u202e"
    price = replace(
        book(user()).prices[-1],
        model=hostile,
        source=hostile,
        base_source=hostile,
        profile=hostile,
        read_on=READ_ON,
    )
    prices = PriceBook((price,))
    for price_list, on in [("user", date(2027, 12, 1)), ("user", READ_ON)]:
        for profile in (hostile, "openai"):
            found = compare([hostile], prices, profile=profile, on=on, price_list=price_list)
            for is_of_one in (True, False):
                made = PriceSheet(on, profile, price_list, found, is_of_one, (hostile,), list_is_foreign=True)
                shown = prices_text(made, width=None)
                assert shown.replace("\n", "").isprintable()
                assert "x]52" in shown
