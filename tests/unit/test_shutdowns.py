"""Shutdown dates: the newest statement wins, silence changes nothing, and days are counted from a given day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftjobs.models.catalog import Catalog, CatalogModel, Closing, load_catalog
from ftjobs.models.shutdowns import (
    Shutdown,
    countdowns,
    creation_ends,
    newest,
    newest_of,
    next_closing,
    shutdown_of,
    worth_asking,
)

TODAY = date(2026, 11, 24)
READ_ON = date(2026, 11, 22)
LISTED = date(2027, 1, 14)
TOLD = date(2027, 3, 1)
MINI = "gpt-4o-mini-2024-07-18"


def model(name: str = MINI, *aliases: str, gone: date | None = LISTED) -> CatalogModel:
    return CatalogModel(name, aliases, "o200k_base", None, ("supervised",), gone)


def catalog(*models: CatalogModel) -> Catalog:
    return Catalog(models, (), READ_ON, date(2027, 1, 6))


def said(on: date | None, source: str = "catalog", read_on: date = READ_ON) -> Shutdown:
    return Shutdown(MINI, on, "service" if source == "service" else "catalog", read_on)


def test_what_the_service_told_today_beats_the_catalog_either_way() -> None:
    assert newest(model(), told=TOLD, on=TODAY) == TOLD
    assert newest(model(), told=date(2026, 12, 1), on=TODAY) == date(2026, 12, 1)
    assert shutdown_of(MINI, catalog=catalog(model()), told=TOLD, on=TODAY) == said(TOLD, "service", TODAY)


def test_a_service_that_says_nothing_leaves_the_catalogs_date() -> None:
    assert newest(model(), told=None, on=TODAY) == LISTED
    assert shutdown_of(MINI, catalog=catalog(model()), told=None, on=TODAY) == said(LISTED)


def test_a_service_that_names_a_date_is_heard_where_the_catalog_names_none() -> None:
    assert newest(model(gone=None), told=TOLD, on=TODAY) == TOLD
    assert shutdown_of(MINI, catalog=catalog(model(gone=None)), told=None, on=TODAY) == said(None)


def test_the_catalog_says_nothing_about_another_service() -> None:
    assert newest(None, told=None, on=TODAY) is None
    assert newest(None, told=TOLD, on=TODAY) == TOLD
    assert shutdown_of(MINI, catalog=None, told=None, on=TODAY) is None
    assert shutdown_of("llama", catalog=catalog(model()), told=None, on=TODAY) is None
    assert shutdown_of("llama", catalog=None, told=TOLD, on=TODAY) == Shutdown("llama", TOLD, "service", TODAY)


@pytest.mark.parametrize("told", [None, TOLD])
def test_an_alias_is_told_of_under_its_snapshots_name(told: date | None) -> None:
    found = shutdown_of("gpt-4o-mini", catalog=catalog(model(MINI, "gpt-4o-mini")), told=told, on=TODAY)
    assert found is not None
    assert found.model == MINI


def test_on_one_day_the_service_is_believed() -> None:
    listed, told = said(LISTED), said(TOLD, "service")
    assert newest_of([listed, told]) == newest_of([told, listed]) == told
    assert newest_of([]) is None


statements = st.builds(
    Shutdown,
    st.just(MINI),
    st.none() | st.dates(),
    st.sampled_from(["catalog", "service"]),
    st.dates(),
)


@given(st.lists(statements, min_size=1, max_size=6))
def test_no_other_statement_with_a_date_was_read_later(all_said: list[Shutdown]) -> None:
    best = newest_of(all_said)
    assert best in all_said
    dated = [each for each in all_said if each.on is not None]
    assert (best.on is None) is (not dated)
    assert all(each.read_on <= best.read_on for each in dated)
    of_that_day = {each.source for each in dated if each.read_on == best.read_on}
    assert not of_that_day or best.source == ("service" if "service" in of_that_day else "catalog")


@given(st.none() | st.dates(), st.none() | st.dates(), st.dates(min_value=load_catalog().read_on))
def test_both_forms_name_the_same_date(listed: date | None, told: date | None, on: date) -> None:
    known = shutdown_of(MINI, catalog=catalog(model(gone=listed)), told=told, on=on)
    assert known is not None
    assert newest(model(gone=listed), told=told, on=on) == known.on == (told or listed)


# Days and sentences


@pytest.mark.parametrize(
    ("today", "left", "says"),
    [
        (TODAY, 51, f"{MINI} and every model tuned from it will shut down on 2027-01-14, in 51 days"),
        (date(2027, 1, 13), 1, ", in 1 day (catalog"),
        (date(2027, 1, 14), 0, " 2027-01-14, today (catalog"),
        (date(2027, 1, 15), -1, " 2027-01-14 (catalog"),
    ],
)
def test_the_days_left_are_counted_and_told_with_their_source(today: date, left: int, says: str) -> None:
    assert said(LISTED).days_left(today) == left
    sentence = said(LISTED).sentence(today)
    assert says in sentence
    assert sentence.endswith("(catalog, read 2026-11-22).")


def test_without_a_date_there_are_no_days_to_count() -> None:
    assert said(None).days_left(TODAY) is None
    assert said(None).sentence(TODAY) == f"{MINI} has no shutdown date (catalog, read 2026-11-22)."


def test_a_model_is_worth_asking_about_until_its_day() -> None:
    listed = catalog(model("a", gone=TODAY), model("b", gone=TODAY + timedelta(days=1)), model("c", gone=None))
    assert worth_asking(listed, TODAY) == ("b",)
    assert worth_asking(listed, TODAY + timedelta(days=1)) == ()


def test_elsewhere_every_known_model_is_worth_asking_about_in_any_year() -> None:
    assert MINI in worth_asking(None, date(2030, 1, 1))


# Closings


FIRST, LAST = Closing(date(2026, 5, 7), "Some cannot.", "page"), Closing(date(2027, 1, 6), "Nobody can.", "page")
CLOSING = replace(catalog(), closings=(LAST, FIRST))


def test_closings_are_seen_from_a_day_in_their_order() -> None:
    seen = countdowns(CLOSING, TODAY)
    assert [(each.closing, each.days_left, each.is_past) for each in seen] == [
        (FIRST, -201, True),
        (LAST, 43, False),
    ]
    assert [each.sentence() for each in seen] == [
        "Since 2026-05-07: Some cannot.",
        "From 2027-01-06, in 43 days: Nobody can.",
    ]


@pytest.mark.parametrize(
    ("on", "coming"),
    [
        (date(2026, 5, 7), FIRST),  # no time zone was published: its own day is not past yet
        (date(2026, 5, 8), LAST),
        (date(2027, 1, 6), LAST),
        (date(2027, 1, 7), None),
    ],
)
def test_the_next_closing_is_the_first_that_is_not_past(on: date, coming: Closing | None) -> None:
    found = next_closing(countdowns(CLOSING, on))
    assert (found.closing if found else None) == coming


@pytest.mark.parametrize(
    ("on", "says"),
    [
        (TODAY, "OpenAI stops taking new fine-tuning jobs on 2027-01-06, in 43 days."),
        (date(2027, 1, 6), "OpenAI stops taking new fine-tuning jobs on 2027-01-06, today."),
        (date(2027, 1, 7), "OpenAI takes no new fine-tuning jobs since 2027-01-06."),
    ],
)
def test_the_end_of_creation_is_counted_down(on: date, says: str) -> None:
    assert creation_ends(CLOSING, on) == says
