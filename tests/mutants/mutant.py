"""A step of the design taken out of the product, and the tests that must notice."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One text of one file replaced by another.

    `step` names the section of the design and what it promises, `removed` what is gone; each of `red`, a
    pytest node id, must fail then.
    """

    name: str
    step: str
    removed: str
    file: str
    old: str
    new: str
    red: tuple[str, ...]

    def apply(self, root: Path) -> None:
        """Break the product that lies at `root`; ValueError where the text is not found exactly once."""
        path = root / self.file
        source = path.read_text(encoding="utf-8")
        if (times := source.count(self.old)) != 1:
            raise ValueError(f"{self.name}: its text occurs {times} times in {self.file}")
        path.write_text(source.replace(self.old, self.new), encoding="utf-8")


def flaws(mutants: Sequence[Mutant], root: Path) -> list[str]:
    """Return what keeps mutants from proving anything: a text that moved, broken Python, a test that is gone."""
    names = [mutant.name for mutant in mutants]
    found = [f"{name}: the name is given twice" for name in sorted({n for n in names if names.count(n) > 1})]
    sources: dict[str, str] = {}
    for mutant in mutants:
        for file in (mutant.file, *(node.partition("::")[0] for node in mutant.red)):
            if file not in sources:
                path = root / file
                sources[file] = path.read_text(encoding="utf-8") if path.is_file() else ""
        source = sources[mutant.file]
        if (times := source.count(mutant.old)) != 1:
            found.append(f"{mutant.name}: its text occurs {times} times in {mutant.file}")
        elif not _is_python(source.replace(mutant.old, mutant.new)) or mutant.old == mutant.new:
            found.append(f"{mutant.name}: its new text breaks {mutant.file} in another way than meant, or in none")
        found += [] if mutant.red else [f"{mutant.name}: no test is named"]
        for node in mutant.red:
            file, _, test = node.partition("::")
            if f"def {test.partition('[')[0]}(" not in sources[file]:
                found.append(f"{mutant.name}: there is no {node}")
    return found


def table(mutants: Sequence[Mutant]) -> str:
    """Return the mutants as a Markdown table, a row each, in the order of the design."""
    rows = ["| step | removed | goes red |", "|---|---|---|"]
    for mutant in mutants:
        red = "<br>".join(f"`{node.removeprefix('tests/')}`" for node in mutant.red)
        rows.append(f"| {mutant.step} | {mutant.removed} | {red} |")
    return "\n".join(rows) + "\n"


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True
