"""What bash splits while somebody types is one word again: it takes `tag:team` and `team=search` for three."""

from __future__ import annotations

import os
import re
from typing import Any

from typer._click.shell_completion import add_completion_class, split_arg_string
from typer._completion_classes import BashComplete

# What readline breaks words at, of what may stand in ours.
_BREAKS = re.compile(r"[=:]+")


def mend() -> None:
    """From now on a word with `=` or `:` in it completes in bash."""
    add_completion_class(_Bash, "bash")


class _Bash(BashComplete):
    """Words are put together before they are understood; answers begin behind the last break, as bash wants."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ["COMP_WORDS"])
        words = words[: int(os.environ["COMP_CWORD"]) + 1]
        if len(words) == int(os.environ["COMP_CWORD"]):
            words.append("")  # nothing of the next word is typed
        *args, self._incomplete = _joined(words)
        return args[1:], self._incomplete

    def format_completion(self, item: Any) -> str:
        last = max((found.end() for found in _BREAKS.finditer(self._incomplete)), default=0)
        whole = str(item.value)
        return whole[last:] if whole.startswith(self._incomplete[:last]) else whole


def _joined(words: list[str]) -> list[str]:
    """Return the words with each `=` and `:` between its neighbours; an empty word stays one."""
    joined = words[:1]
    for word in words[1:]:
        follows_a_break = bool(word and _BREAKS.fullmatch(joined[-1][-1:]))
        if follows_a_break or _BREAKS.fullmatch(word):
            joined[-1] += word
        else:
            joined.append(word)
    return joined
