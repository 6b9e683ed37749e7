"""Tags as they are typed: NAME=VALUE."""

from __future__ import annotations

from collections.abc import Sequence

from ftjobs.errors import UsageError


def tags_of(pairs: Sequence[str], *, example: str) -> dict[str, str]:
    """Return the tags; UsageError for what is none, and for two values of one name."""
    tags: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (equals and name and value and pair.isprintable()):
            raise UsageError("usage", f"{pair!r} is not a tag.", next_step=f"Write it like this: {example}")
        if tags.get(name, value) != value:
            raise UsageError(
                "usage", f"The tag {name!r} is given twice.", next_step="Give each name one value.", key=name
            )
        tags[name] = value
    return tags
