"""`tag`: cost centres for a job, also for one that was adopted."""

from __future__ import annotations

from typing import Annotated

import typer

from ftjobs.cli.context import open_app
from ftjobs.cli.options import JobArgument, print_json
from ftjobs.cli.tag_pairs import tags_of
from ftjobs.errors import UsageError


def tag(
    ctx: typer.Context,
    job: JobArgument,
    tags: Annotated[list[str] | None, typer.Argument(metavar="K=V...", help="Tags to set.")] = None,
    *,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="K", help="Tag to remove; repeatable.")
    ] = None,
) -> None:
    """Set a job's tags in the ledger. Budgets and `ledger --by tag` follow; the service is not told."""
    from ftjobs.reports.envelope import clean
    from ftjobs.reports.jobs import jobs_json
    from ftjobs.workflows.adoption import check_tags

    app, given = open_app(ctx)
    put, drop = tags_of(tags or [], example="ftjobs tag last team=search"), remove or []
    if not put and not drop:
        raise UsageError(
            "usage",
            "There is nothing to set or to remove.",
            next_step="Write it like: ftjobs tag last team=search",
        )
    found = app.find(job)
    if unknown := next((name for name in drop if name not in found.tags), None):
        raise UsageError(
            "unknown_tag",
            f"The job has no tag {unknown!r}.",
            next_step=f"It has: {', '.join(sorted(found.tags)) or 'none'}.",
            key=unknown,
        )
    check_tags({**{name: value for name, value in found.tags.items() if name not in drop}, **put})
    tagged = app.ledger.tag(found.id, put=put, drop=drop, by=app.ambient.who(), now=app.ambient.now())
    if given.json:
        print_json(jobs_json(app.ledger.trails([tagged.id]), sandbox=given.sandbox))
        return
    pairs = ", ".join(f"{name}={value}" for name, value in sorted(tagged.tags.items()))
    print(clean(f"{tagged.job.id if tagged.job else tagged.id}: {pairs or 'no tags'}"))
