"""The separators and stop marks that prompt/completion data carried, found in the data and taken off."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_MARK = 64
"""Characters; as much of an ending is compared."""

_ANYWHERE = (
    r"([#@=\-^%&|<>])\1{2,}"  # ###, @@@, ===: one symbol three times; not . ! ? * _ ~ ` $, which end real text
    r"|<\|[A-Za-z_]{1,32}\|>"  # <|endoftext|> and its kind
    r"|</s>|\[(?:END|EOS|SEP|STOP)\]|<(?:END|EOS|SEP|STOP|eos|sep)>"
)
_PROMPT_ENDING = re.compile(
    rf"\s*(?:{_ANYWHERE}|-+>|=+>|→|⇒)\s*\Z"
    r"|\s*\n\s*(?:Agent|Assistant|AI|Bot|Answer|A):\s*\Z"  # the next speaker, on a line of its own
)
_COMPLETION_ENDING = re.compile(rf"\s*(?:{_ANYWHERE})\s*\Z|(?<!\bTHE)(?<!\bThe)\s+(?:END|STOP)\s*\Z|\s*\n\s*\Z")
_LEADING_SPACE = " "


@dataclass(frozen=True, slots=True)
class Marks:
    """What every prompt ends with, and every completion begins and ends with, that is not its content.

    "" where there is nothing of the kind. No text is emptied by taking its marks off.
    """

    prompt_end: str = ""
    completion_start: str = ""
    completion_end: str = ""

    def strip_prompt(self, prompt: str) -> str:
        """Return the prompt without its mark; what was taken is `prompt_end`, so this can be undone."""
        return prompt.removesuffix(self.prompt_end)

    def strip_completion(self, completion: str) -> str:
        """Return the completion without its marks; `completion_start` and `completion_end` were taken."""
        return completion.removeprefix(self.completion_start).removesuffix(self.completion_end)


class MarkFinder:
    """The marks of prompts and completions that are shown one pair after another; memory is constant.

    A mark is what *every* text ends with and what the published conventions used for it: a symbol repeated, an
    arrow, a special token, the next speaker's name, END, a newline (of a completion), with the white space
    around it. A word, a sentence's punctuation or anything that a single text lacks is content and stays. A
    completion's leading space goes if every completion has it.

    Source: the legacy fine-tuning guide's "Data formatting" (2023), which asked for a fixed separator, a
    leading space and a fixed stop sequence.
    """

    def __init__(self) -> None:
        self._prompts = _Shared()
        self._completions = _Shared()

    def add(self, prompt: str, completion: str) -> None:
        """The pair is taken into account."""
        self._prompts.add(prompt)
        self._completions.add(completion)

    def marks(self) -> Marks:
        """Return the marks of the pairs seen so far."""
        prompt_end = self._prompts.ending(_PROMPT_ENDING, spare=0)
        start = _LEADING_SPACE if self._completions.all_begin_with_space else ""
        completion_end = self._completions.ending(_COMPLETION_ENDING, spare=len(start))
        if len(start) + len(completion_end) >= self._completions.shortest:
            start = ""
        return Marks(prompt_end, start, completion_end)


class _Shared:
    """What texts have in common: their ending, and whether all begin with a space."""

    def __init__(self) -> None:
        self.shortest = 0
        self.all_begin_with_space = True
        self._ending: str | None = None

    def add(self, text: str) -> None:
        self.all_begin_with_space = self.all_begin_with_space and text.startswith(_LEADING_SPACE)
        if self._ending is None:
            self.shortest, self._ending = len(text), text[-LONGEST_MARK:]
            return
        self.shortest = min(self.shortest, len(text))
        while not text.endswith(self._ending):
            self._ending = self._ending[1:]

    def ending(self, mark: re.Pattern[str], *, spare: int) -> str:
        """Return the common ending that is a mark, "" if there is none or a text would have nothing left."""
        found = mark.search(self._ending or "")
        if found is None or spare + len(found[0]) >= self.shortest:
            return ""
        return found[0]
