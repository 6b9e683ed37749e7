"""The estimate that travels in a job's metadata, and what strangers may write there."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftjobs.jobs.quote import MAX_CHARACTERS, Quote
from ftjobs.money import Usd, UsdPer1M
from ftjobs.ranges import Range

QUOTE = Quote(
    dataset_tokens=Range(90, 100, 120),
    epochs=Range.exactly(3),
    estimated_tokens=Range(270, 300, 360),
    usd_per_1m=UsdPer1M.parse("3.00"),
    price_list="openai",
    price_source="OpenAI pricing page",
    effective_from=date(2026, 11, 1),
    estimated_on=date(2026, 11, 22),
    examples=100,
)
WRITTEN = (
    '{"v":1,"examples":100,"dataset_tokens":[90,100,120],"epochs":[3,3,3],"estimated_tokens":[270,300,360],'
    '"usd_per_1m":"3.00","list":"openai","from":"2026-11-01","on":"2026-11-22",'
    '"source":"OpenAI pricing page"}'
)


def test_the_cost_is_each_bound_at_the_price() -> None:
    assert QUOTE.cost == Range(Usd.parse("0.00081"), Usd.parse("0.0009"), Usd.parse("0.00108"))


def test_version_1_is_written_and_read_as_documented() -> None:
    assert QUOTE.encode() == WRITTEN
    assert Quote.decode(WRITTEN) == QUOTE


def test_an_unknown_first_day_stays_unknown() -> None:
    timeless = replace(QUOTE, effective_from=None)
    assert Quote.decode(timeless.encode()) == timeless


def test_the_largest_quote_still_fits_and_keeps_a_piece_of_its_source() -> None:
    most = Range.exactly(2**63 - 1)
    largest = Quote(
        most, most, most, UsdPer1M(999_999), "x" * 40, "\U0001f4b8" * 600, date.max, date.max, 2**63 - 1
    )
    text = largest.encode()
    assert len(text) <= MAX_CHARACTERS
    read = Quote.decode(text)
    assert read is not None
    assert read.price_source
    assert replace(read, price_source="") == replace(largest, price_source="")


sources = st.text(max_size=700)
amounts = st.integers(0, 10**12)


@given(
    bounds=st.lists(amounts, min_size=3, max_size=3).map(sorted),
    nano=st.integers(0, 10**12),
    source=sources,
)
def test_any_quote_fits_the_metadata_and_comes_back(bounds: list[int], nano: int, source: str) -> None:
    quote = replace(QUOTE, estimated_tokens=Range(*bounds), usd_per_1m=UsdPer1M(nano), price_source=source)
    text = quote.encode()
    assert len(text) <= MAX_CHARACTERS
    assert text.isascii()
    read = Quote.decode(text)
    assert read is not None
    assert replace(read, price_source=source) == quote
    assert "".join(filter(str.isprintable, source)).startswith(read.price_source)


def changed(**values: object) -> str:
    return json.dumps(json.loads(WRITTEN) | values)


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "{",
        "null",
        "[]",
        "7",
        '"v"',
        "{}",
        "[" * 512,
        '{"v":' * 100,
        WRITTEN + " " * 512,
        changed(v=2),
        changed(v=True),
        changed(v=1.0),
        changed(v="1"),
        changed(examples=True),
        changed(examples=-1),
        changed(examples=1.5),
        changed(examples=float("nan")),
        changed(examples=None),
        changed(examples=10**200),
        changed(dataset_tokens=[90, 100]),
        changed(dataset_tokens=[90, 100, 120, 130]),
        changed(dataset_tokens=[120, 100, 90]),
        changed(dataset_tokens=[-1, 100, 120]),
        changed(dataset_tokens=[90, True, 120]),
        changed(dataset_tokens=[90, 100, 2**63]),
        changed(dataset_tokens="abc"),
        changed(epochs={"low": 1, "expected": 2, "high": 3}),
        changed(estimated_tokens=[0, 0, 2**63 - 1], usd_per_1m="999999999999"),
        changed(estimated_tokens=[0, 0, 0], usd_per_1m="10000.000000001"),
        changed(usd_per_1m=3),
        changed(usd_per_1m=3.0),
        changed(usd_per_1m="-3.00"),
        changed(usd_per_1m="1e9"),
        changed(usd_per_1m="Infinity"),
        changed(list=""),
        changed(list="x" * 41),
        changed(list="\u001b[31m"),
        changed(list=None),
        changed(list=["openai"]),
        changed(on=None),
        changed(on="yesterday"),
        changed(on=20261122),
        changed(**{"from": "2026-13-01"}),
        changed(**{"from": 0}),
        changed(source=["a"]),
        changed(source=None),
    ],
)
def test_what_is_no_quote_is_none(text: object) -> None:
    assert Quote.decode(text) is None


def test_nesting_is_none_even_where_little_stack_is_left() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert Quote.decode("[" * 512) is None
    finally:
        sys.setrecursionlimit(limit)


def test_a_missing_source_and_a_strange_key_are_forgiven() -> None:
    row = json.loads(WRITTEN) | {"colour": "blue"}
    del row["source"]
    assert Quote.decode(json.dumps(row)) == replace(QUOTE, price_source="")


def test_a_source_loses_what_cannot_be_printed() -> None:
    read = Quote.decode(changed(source="a\u001b]52;c;x\u0007\ud800b"))
    assert read is not None
    assert read.price_source == "a]52;c;xb"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.text() | st.dictionaries(st.sampled_from(list(json.loads(WRITTEN))), json_values).map(
    lambda values: changed(**values)
))  # fmt: skip
def test_reading_never_raises(text: str) -> None:
    read = Quote.decode(text)
    assert read is None or len(read.encode()) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    "bad",
    [
        {"examples": -1},
        {"examples": 2**63},
        {"epochs": Range(-1, 1, 1)},
        {"usd_per_1m": UsdPer1M(-1)},
        {"estimated_tokens": Range(0, 0, 2**63 - 1), "usd_per_1m": UsdPer1M.parse("2")},
        {"price_list": "my list"},
    ],
)
def test_a_quote_that_no_ledger_could_hold_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"quote's numbers|price list"):
        replace(QUOTE, **bad)  # type: ignore[arg-type]
