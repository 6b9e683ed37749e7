"""What a month has spent and committed, asked inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from ftjobs.ledger.budget import BudgetState, Limit, state_of
from ftjobs.ledger.tables import entries, submissions
from ftjobs.ledger.trails import BILLED_SIDE, SETTLING, has_entry, select_trails
from ftjobs.money import Usd, total
from ftjobs.periods import Period


def budget_states(connection: Connection, limits: Sequence[Limit], month: Period) -> list[BudgetState]:
    """Return the state of each limit: what was billed in the month, and every commitment of any month."""
    if not limits:
        return []
    billed = _billed(connection, month)
    unsettled = select_trails(connection, ~has_entry(*SETTLING))
    return [
        state_of(
            limit,
            total([amount for profile, tags, amount in billed if limit.covers(profile, tags)]),
            unsettled,
        )
        for limit in limits
    ]


def _billed(connection: Connection, month: Period) -> list[tuple[str, Mapping[str, str], Usd]]:
    """Return profile, tags and bill of each submission that the month billed: whole trails are not needed here.

    What only corrects an earlier month's bill may be below $0, and makes no room in this one.
    """
    query = (
        select(submissions.c.profile, submissions.c.tags, func.sum(entries.c.amount_nano_usd))
        .select_from(entries.join(submissions))
        .where(
            entries.c.kind.in_(BILLED_SIDE),
            entries.c.occurred_at >= month.start,
            entries.c.occurred_at < month.end,
        )
        .group_by(submissions.c.id, submissions.c.profile, submissions.c.tags)
    )
    return [
        (profile, json.loads(tags), Usd(max(0, int(nano)))) for profile, tags, nano in connection.execute(query)
    ]
