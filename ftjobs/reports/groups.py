"""A period's totals by model, tag, day or profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from ftjobs.ledger.groups import Group
from ftjobs.ledger.month import Totals
from ftjobs.money import Usd, rounded
from ftjobs.reports.numbers import UNKNOWN
from ftjobs.reports.table import Column, bar, table

TAGS_COUNT = "a job counts once for each of its tags"
_WIDEST_BAR, _LEAST_BAR = 24, 3
_SHARE = len("100% ")
_NONE = {"day": "not billed", "model": UNKNOWN}
GROUP_COLUMNS = (
    Column("JOBS", right=True),
    Column("TRAINED TOKENS", right=True, gives_way=3),
    Column("ESTIMATED", right=True, gives_way=2),
    Column("BILLED", right=True),
    Column("VARIANCE", right=True, gives_way=1),
    Column("UNSETTLED", right=True, gives_way=4),
    Column("COMMITTED", right=True, gives_way=5),
)


def totals_json(totals: Totals) -> dict[str, Any]:
    """Return the sums that a report and each of its groups have."""
    return {
        "jobs": totals.jobs,
        "unsettled_jobs": totals.unsettled_jobs,
        "estimated_tokens": totals.estimated_tokens,
        "estimated_cost_usd": totals.estimated_cost,
        "trained_tokens": totals.trained_tokens,
        "billed_cost_usd": totals.billed,
        "settled_estimated_cost_usd": totals.settled_estimate,
        "variance_usd": totals.variance,
        "variance_pct": totals.variance_pct,
        "commitment_usd": totals.commitment,
        "unknown_billed_jobs": totals.unknown_billed_jobs,
    }


def group_json(group: Group, by: str) -> dict[str, Any]:
    """Return one element of `groups[]`; `name` is null for what has no such tag, or no bill yet by day."""
    return {"by": by, "name": group.name, **totals_json(group.totals)}


def groups_text(groups: Sequence[Group], by: str, *, billed: Usd, width: int | None) -> str:
    """Return the table of groups: what was billed in each, against the estimates that those bills answer.

    Where a terminal of `width` cells has room beside the numbers, each has a bar and its share of all `billed`.
    """
    title = by.removeprefix("tag:").upper()
    rows = [[group_name(group, by), *group_cells(group.totals)] for group in groups]
    text = table((Column(title), *GROUP_COLUMNS), rows, width=width)
    if width and billed.nano > 0:
        text = _with_bars(text, groups, billed, width)
    return f"{text}\n{TAGS_COUNT}" if by == "tag" else text


def _with_bars(text: str, groups: Sequence[Group], billed: Usd, width: int) -> str:
    head, *lines = text.split("\n")
    size = max(map(cell_len, (head, *lines)))
    room = min(_WIDEST_BAR, width - size - 2)
    if room < _LEAST_BAR:
        return text
    amounts = [max(group.totals.billed.nano, 0) for group in groups]
    most, has_shares = max(amounts), room >= _SHARE + _LEAST_BAR
    for nth, amount in enumerate(amounts):
        share = f"{_share(amount, billed):>{_SHARE - 1}} " if has_shares else ""
        drawn = share + bar(amount, most, room - len(share))
        lines[nth] = f"{lines[nth]}{' ' * (size - cell_len(lines[nth]))}  {drawn}".rstrip()
    return "\n".join([head, *lines, f"longest bar: {_share(most, billed)} of {billed.display()} billed"])


def _share(nano: int, billed: Usd) -> str:
    return f"{rounded(100 * nano, billed.nano)}%"


def by_spend(groups: Sequence[Group]) -> list[Group]:
    """Return the groups, the one with the highest bill first, then by name."""
    return sorted(groups, key=lambda group: (-group.totals.billed.nano, group.name is None, group.name or ""))


def group_name(group: Group, by: str) -> str:
    """Return the group's name; what has none says so."""
    if group.name is not None:
        return group.name
    return _NONE.get(by, f"no {'tag' if by == 'tag' else by.removeprefix('tag:')}")


def group_cells(totals: Totals) -> list[str]:
    """Return the cells of GROUP_COLUMNS."""
    pct = totals.variance_pct
    return [
        f"{totals.jobs:,}",
        f"{totals.trained_tokens:,}",
        totals.settled_estimate.display() if totals.settled_estimate is not None else "-",
        totals.billed.display(),
        f"{'' if pct.startswith('-') else '+'}{pct}%" if pct else "-",
        f"{totals.unsettled_jobs:,}{' (?)' if totals.unknown_billed_jobs else ''}",
        totals.commitment.display(),
    ]
