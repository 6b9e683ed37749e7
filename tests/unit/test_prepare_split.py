"""What is drawn and held out hangs on the seed alone: these very places, on every machine, in these numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest

from ftjobs.dataset.split import draw, hold_out, holdout_key, parse_share, rounded_share
from ftjobs.errors import UsageError

# Computed once, by other code: a change here splits everybody's files anew.
DRAWN_0 = [11, 13, 18, 35, 44, 68, 77, 81, 82, 83]
DRAWN_1 = [5, 22, 28, 34, 58, 73, 82, 87, 97, 99]
HELD_0 = [3, 5, 14, 17, 28, 35]
HELD_1 = [2, 19, 28, 29, 35, 36]


def test_the_same_seed_draws_these_places_for_ever() -> None:
    assert draw(range(100), 10, seed=0) == DRAWN_0
    assert draw(range(100), 10, seed=1) == DRAWN_1


def test_the_same_seed_holds_these_examples_out_for_ever() -> None:
    keys = [holdout_key(b"%016d" % place, seed=0) for place in range(40)]
    assert hold_out(keys, range(40), 6) == HELD_0
    other = [holdout_key(b"%016d" % place, seed=1) for place in range(40)]
    assert hold_out(other, range(40), 6) == HELD_1


def test_a_larger_sample_keeps_what_a_smaller_one_drew() -> None:
    assert set(draw(range(1000), 50, seed=7)) < set(draw(range(1000), 60, seed=7))


def test_a_sample_comes_from_everywhere_in_the_file() -> None:
    drawn = draw(range(10_000), 1000, seed=0)
    by_tenth = [sum(place // 1000 == tenth for place in drawn) for tenth in range(10)]
    assert all(60 < number < 145 for number in by_tenth), by_tenth


def test_a_group_that_does_not_fit_is_passed_over_for_one_that_does() -> None:
    assert hold_out([1, 1, 1, 2, 3], range(5), 2) == [3, 4]
    assert hold_out([5, 1, 1, 2, 3], range(5), 2) == [1, 2]
    assert hold_out([5, 5, 5], range(3), 2) == []


def test_more_than_there_is_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="more examples"):
        draw(range(3), 4, seed=0)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("15%", Fraction(3, 20)),
        ("12.5%", Fraction(1, 8)),
        ("0.15", Fraction(3, 20)),
        (".2", Fraction(1, 5)),
        ("99.9 %", Fraction(999, 1000)),
    ],
)
def test_a_share_is_a_percentage_or_a_fraction(text: str, share: Fraction) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    "text", ["15", "0", "0%", "100%", "1", "1.0", "-5%", "", "%", "nan", "1e-1", "15 percent", "٣%", "101%", "0.0"]
)
def test_what_is_no_share_is_refused_with_an_example_of_one(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_share(text)
    assert refused.value.code == "bad_holdout"
    assert "15%" in refused.value.next_step


@pytest.mark.parametrize(
    ("share", "examples", "held"),
    [("15%", 100, 15), ("15%", 10, 2), ("12.5%", 20, 3), ("10%", 14, 1), ("0.01", 20, 0)],
)
def test_halves_are_rounded_up(share: str, examples: int, held: int) -> None:
    assert rounded_share(parse_share(share), examples) == held
