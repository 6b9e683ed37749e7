"""Section 5, hosting: beside the bill, once, at the price of its day."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_RULES = "ftjobs/ledger/hosting.py"
_CONTRACT = "tests/contract/test_ledger_hosting.py"
_HOSTING = "5 hosting"

HOSTING = (
    Mutant(
        "hosted-twice",
        f"{_HOSTING}: the same command twice records once",
        "refusing the same hours with the same reason",
        _RULES,
        "    _refuse_again(earlier, seconds, reason)\n",
        "",
        (f"{_CONTRACT}::test_the_same_command_twice_records_once_whatever_the_day_and_the_price[sqlite]",),
    ),
    Mutant(
        "hosting-cut-off",
        f"{_HOSTING}: rounded half-even once",
        "the rounding",
        _RULES,
        "rounded(seconds * used.usd_per_hour.nano, _HOUR_S)",
        "seconds * used.usd_per_hour.nano // _HOUR_S",
        (f"{_CONTRACT}::test_an_amount_is_rounded_half_even_and_once[sqlite-1.5]",),
    ),
    Mutant(
        "hosting-priced-by-the-newest",
        f"{_HOSTING}: at the price of its day",
        "the day",
        "ftjobs/workflows/host.py",
        "profile=submission.profile, on=on)",
        "profile=submission.profile, on=date.max)",
        ("tests/unit/test_host.py::test_hours_cost_what_they_cost_on_their_day_for_the_profile_of_the_job",),
    ),
    Mutant(
        "taken-back-at-the-newest-price",
        f"{_HOSTING}: taken back at the price that it was recorded at",
        "the day up to which that is looked for",
        _RULES,
        " and _day(entry.occurred_at) <= on]",
        "]",
        (f"{_CONTRACT}::test_hours_are_taken_back_at_the_price_that_they_were_recorded_at[sqlite]",),
    ),
    Mutant(
        "hosting-takes-the-training-price-away",
        f"{_HOSTING}: its price takes no other's place",
        "passing over tables that say nothing else",
        "ftjobs/pricing/prices.py",
        "if hosting else not price.is_only_hosting)",
        "if hosting else True)",
        ("tests/unit/test_price_comparison.py::test_a_table_of_hosting_alone_takes_no_other_prices_place",),
    ),
    Mutant(
        "hosting-of-then-forgotten",
        "5 as of: a reprint is byte-identical",
        "leaving out the hosting that was recorded since",
        "ftjobs/ledger/hosting_store.py",
        "hosting.c.recorded_at <= as_of",
        "hosting.c.recorded_at == hosting.c.recorded_at",
        (
            f"{_CONTRACT}::test_an_earlier_print_knows_nothing_of_what_was_recorded_since[sqlite]",
            "tests/properties/test_as_of.py::test_a_reprint_is_the_first_print_byte_for_byte",
        ),
    ),
)
