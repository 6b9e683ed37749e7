"""What preparing a file changed, and what to type next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from ftjobs.dataset.prepare import FileFacts, Prepared
from ftjobs.dataset.problems import Place
from ftjobs.dataset.split import ADVISED_HOLDOUT, DEFAULT_SPLIT_SEED
from ftjobs.dataset.survey import MIN_EXAMPLES
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import count

_STREAM = "-"
_MODEL = "gpt-4o-mini"
_SHOWN_KEYS = 5


def prepared_json(done: Prepared, *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.prepare/1`."""
    validation = done.validation
    return envelope(
        "prepare",
        sandbox=sandbox,
        source=_file_json(done.source),
        output=_file_json(done.output),
        validation=None if validation is None else _file_json(validation),
        unchanged=done.is_unchanged,
        examples_read=done.source.examples,
        examples_written=done.output.examples,
        examples_held_out=validation.examples if validation else 0,
        examples_sampled=done.request.sample,
        duplicates_dropped=done.duplicates_dropped,
        blank_lines_dropped=done.blank_lines,
        converted=done.changes.converted,
        system_added=done.changes.system_added,
        system_kept=done.changes.system_kept,
        stripped=[
            {"field": field, "at": at, "mark": mark, "examples": done.changes.converted}
            for field, at, mark in _stripped(done)
        ],
        dropped_keys={_key(key): times for key, times in done.changes.dropped_keys.items()},
        split_seed=done.request.split_seed,
        notes=prepared_notes(done),
    )


def prepared_text(done: Prepared) -> str:
    """Return where the examples went, what was changed, and the next command as the last line."""
    lines = [_whereabouts(done), *_changes(done), *_selection(done)]
    if done.is_unchanged:
        lines.append("nothing had to change: the output is the source, byte for byte")
    return "\n".join([*lines, *_next_commands(done)])


def prepared_notes(done: Prepared) -> list[str]:
    """Return what is worth a second thought, a sentence each."""
    notes = []
    share, (least, most) = done.request.holdout, ADVISED_HOLDOUT
    if share is not None and not least <= share <= most:
        notes.append(f"10–20% is advised to hold out; this is {float(share * 100):g}%")
    held = done.validation.examples if done.validation else 0
    if done.held_out_wanted is not None and held != done.held_out_wanted:
        notes.append(
            f"{count(held, 'example')} held out, not {done.held_out_wanted:,}: identical examples stay on one side"
        )
    if done.output.examples < MIN_EXAMPLES:
        notes.append(
            f"{count(done.output.examples, 'example')} cannot be trained on: the service needs {MIN_EXAMPLES}"
        )
    if done.changes.keys_repeated:
        notes.append(
            f"{count(done.changes.keys_repeated, 'rewritten line')} had a key twice in one object: the last stayed"
        )
    return notes


def _file_json(facts: FileFacts) -> dict[str, object]:
    return {"path": facts.path, "sha256": facts.sha256, "bytes": facts.bytes, "examples": facts.examples}


def _whereabouts(done: Prepared) -> str:
    held = f", {done.validation.examples:,} held out in {clean(done.validation.path)}" if done.validation else ""
    target = "stdout" if done.output.path == _STREAM else clean(done.output.path)
    source = "stdin" if done.source.path == _STREAM else clean(done.source.path)
    return (
        f"{source}: {count(done.source.examples, 'example')}; {done.output.examples:,} written to {target}{held}"
    )


def _changes(done: Prepared) -> Iterator[str]:
    changes = done.changes
    if changes.converted:
        yield f"{count(changes.converted, 'example')} converted from prompt/completion to messages"
        for field, at, mark in _stripped(done):
            yield f"  {json.dumps(mark)} stripped from the {at} of every {field}"
        if not _stripped(done):
            yield "  no separator or stop mark is common to all of them: nothing stripped"
    if changes.dropped_keys:
        keys = [_key(key) for key, _ in changes.dropped_keys.most_common()]
        more = f" and {len(keys) - _SHOWN_KEYS:,} more" if len(keys) > _SHOWN_KEYS else ""
        yield f"  keys left out that are no part of a conversation: {', '.join(keys[:_SHOWN_KEYS])}{more}"
    if changes.system_added:
        yield f"system text put in front of {count(changes.system_added, 'example')}"
    if changes.system_kept:
        yield f"{count(changes.system_kept, 'example')} kept the system text of their own"
    if done.blank_lines:
        yield f"{count(done.blank_lines, 'blank line')} dropped"
    if done.bom_removed:
        yield "the byte order mark at the beginning removed"


def _selection(done: Prepared) -> Iterator[str]:
    request = done.request
    if request.dedupe:
        yield f"{count(done.duplicates_dropped, 'duplicate')} dropped, the first of each kept"
    if request.sample is not None:
        yield f"{request.sample:,} drawn of {done.source.examples - done.duplicates_dropped:,}"
    if request.sample is not None or request.holdout is not None:
        default = " (the default)" if request.split_seed == DEFAULT_SPLIT_SEED else ""
        together = "; identical examples stay on one side" if request.holdout is not None else ""
        yield f"split seed {request.split_seed}{default}{together}"


def _next_commands(done: Prepared) -> list[str]:
    if done.output.path == _STREAM:
        return []
    output = shlex.quote(clean(done.output.path))
    lines = [f"check it with: ftjobs check {output} --model {_MODEL}"]
    if done.validation is not None:
        beside = shlex.quote(clean(done.validation.path))
        lines.append(f"submit it with: ftjobs submit {output} --validation {beside} --model {_MODEL}")
    return lines


def _stripped(done: Prepared) -> list[tuple[str, str, str]]:
    if not done.changes.converted:
        return []
    places = [
        ("prompt", "end", done.marks.prompt_end),
        ("completion", "start", done.marks.completion_start),
        ("completion", "end", done.marks.completion_end),
    ]
    return [(field, at, mark) for field, at, mark in places if mark]


def _key(key: str) -> str:
    return Place(None).key(key).path
