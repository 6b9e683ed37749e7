"""MANUAL.md and the README's table of commands are made here, from the commands: `python -m tests.docs.manual`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftjobs.cli.examples import EXAMPLES
from ftjobs.cli.main import HEADINGS, PROGRAM, VERBS, root
from ftjobs.cli.options import Globals

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- commands: begin (made by `make manual`) -->", "<!-- commands: end -->"
_ON_80_CELLS = 78
_HEAD = """# The commands

What `ftjobs COMMAND --help` says, made from the code by `make manual`. What each exit code means, and all that is
larger than one command, is in the [README](README.md#exit-codes).
"""


def contexts() -> Iterator[tuple[str, Any]]:
    """Yield each verb of one, two or more words with the context that its command is asked in."""
    whole = root()
    top = whole.context_class(whole, info_name=PROGRAM, obj=Globals(), terminal_width=_ON_80_CELLS)
    yield "", top
    for name in VERBS:
        at = _below(top, whole.get_command(top, name))
        yield name, at
        for inner in getattr(at.command, "commands", {}).values():
            yield f"{name} {inner.name}", _below(at, inner)


def manual() -> str:
    """Return the text of MANUAL.md."""
    parts = [_HEAD]
    for verb, at in contexts():
        if heading := HEADINGS.get(verb):
            parts.append(f"## {heading}\n")
        parts.append(f"### {PROGRAM} {verb}\n" if verb else "## All of them\n")
        parts.append(f"```text\n{at.get_help().rstrip()}\n```\n")
    return "\n".join(parts)


def table() -> str:
    """Return the README's table of commands."""
    rows = ["| command | does | for example |", "|---|---|---|"]
    for verb, at in contexts():
        if heading := HEADINGS.get(verb):
            rows.append(f"| **{heading}** | | |")
        if verb:
            link = f"[{verb}](MANUAL.md#{PROGRAM}-{verb.replace(' ', '-')})"
            rows.append(f"| {link} | {at.command.get_short_help_str(200)} | `{EXAMPLES[verb][1]}` |")
    return "\n".join(rows)


def with_table(readme: str) -> str:
    """Return the README with today's table between its marks."""
    before, _, rest = readme.partition(f"{BEGIN}\n")
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Both files say what is so."""
    (ROOT / "MANUAL.md").write_text(manual(), encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")


def _below(parent: Any, command: Any) -> Any:
    return command.context_class(command, info_name=command.name, parent=parent, terminal_width=_ON_80_CELLS)


if __name__ == "__main__":
    main()
