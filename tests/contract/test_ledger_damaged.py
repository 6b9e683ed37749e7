"""A row that another program damaged is named, and no traceback is all that a person gets."""

from __future__ import annotations

import pytest

from ftjobs.errors import LedgerError
from ftjobs.ledger.glance import last_trails
from ftjobs.ledger.store import Ledger
from tests.contract.conftest import Place, SqlitePlace, created

DEEP = "[" * 100_000
DAMAGES = {
    "a spec that is a list": "UPDATE submissions SET spec = '[]'",
    "a spec without its fields": "UPDATE submissions SET spec = '{}'",
    "a spec that is no JSON": "UPDATE submissions SET spec = '{bad'",
    "tags that are no JSON": "UPDATE submissions SET tags = '{'",
    "tags that are a list": "UPDATE submissions SET tags = '[1]'",
    "tags that are numbers": "UPDATE submissions SET tags = '{\"team\": 1}'",
    "tags that are deep": f"UPDATE submissions SET tags = '{DEEP}'",
    "a job that is none": "UPDATE jobs SET raw = '{}'",
    "a time that is none": "UPDATE submissions SET recorded_at = 'x'",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_row_is_an_error_of_the_ledger(ledger: Ledger, place: Place, damage: str) -> None:
    mine = created(ledger)
    place.sql(damage)
    for ask in (ledger.trails, ledger.unsettled, ledger.history, lambda: ledger.find("last")):
        with pytest.raises(LedgerError) as caught:
            ask()
        assert (caught.value.code, caught.value.exit_code) == ("ledger_damaged", 12)
        assert mine.id in caught.value.message or "'x'" in caught.value.message
    if isinstance(place, SqlitePlace):
        with pytest.raises((LedgerError, ValueError)):
            last_trails(place.path)


def test_a_quote_that_is_none_is_no_estimate(ledger: Ledger, place: Place) -> None:
    created(ledger)
    place.sql("UPDATE submissions SET quote = '{bad'")
    (trail,) = ledger.trails()
    assert trail.submission.quote is None
    assert trail.estimate is not None
