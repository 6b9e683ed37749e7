"""The drawing of ARCHITECTURE.md, made of the code: `python -m tests.docs.drawing` draws it anew.

Boxes stand in the order of the layers that import-linter holds the code to, in the words of their own docstrings;
an arrow is an import. An arrow that others add up to is left out.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- drawing: begin -->\n", "<!-- drawing: end -->"
_GROUND_BEGINS_WITH = "config"  # the layer below which there are only single modules

Graph = Mapping[str, set[str]]


def main() -> int:
    """The page has the drawing of today's code."""
    before, _, after = _parts(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{BEGIN}{drawing()}{END}{after}", encoding="utf-8")
    return 0


def drawn(page: str) -> str:
    """Return the drawing that the page has."""
    return _parts(page)[1]


def _parts(page: str) -> tuple[str, str, str]:
    before, _, rest = page.partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, inside, after


def drawing() -> str:
    """Return the drawing of today's code as a Mermaid flowchart within its fence."""
    rooms, ground = _rows()
    graph = reduced(_imports({**dict(zip(rooms, rooms, strict=True)), **dict.fromkeys(ground, "ground")}))
    boxes = [f'  {room}["<b>{room}</b><br/>{_words(room)}"]' for room in rooms]
    boxes.append(f'  ground["{" · ".join(ground)}"]')
    arrows = [f"  {room} --> {other}" for room in rooms for other in sorted(graph[room])]
    return "\n".join(["```mermaid", "flowchart TD", *boxes, *arrows, "```", ""])


def _rows() -> tuple[list[str], list[str]]:
    """Return the rooms from the roof down, and the modules that are the ground."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    rows = [[name for name in layer.split(" | ") if not name.startswith("__")] for layer in layers]
    first = next(nth for nth, row in enumerate(rows) if _GROUND_BEGINS_WITH in row)
    return [name for row in rows[:first] for name in row], [name for row in rows[first:] for name in row]


def _imports(room_of: Mapping[str, str]) -> Graph:
    graph = grimp.build_graph("ftjobs", cache_dir=None)
    found: dict[str, set[str]] = {room: set() for room in room_of.values()}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            room, other = (room_of.get(f"{name}.".split(".")[1]) for name in (module, imported))
            if room and other and room != other:
                found[room].add(other)
    return found


def reduced(graph: Graph) -> Graph:
    """Return the arrows of a graph without circles that no longer way stands in for."""
    return {
        room: {one for one in others if not any(one in _reached(graph, other) for other in others - {one})}
        for room, others in graph.items()
    }


def _reached(graph: Graph, start: str) -> set[str]:
    found = set(graph[start])
    for other in graph[start]:
        found |= _reached(graph, other)
    return found


def _words(room: str) -> str:
    package = ROOT / "ftjobs" / room / "__init__.py"
    file = package if package.exists() else ROOT / "ftjobs" / f"{room}.py"
    first = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
    return re.split(r"[:.] |\.$", first)[0].replace('"', "'")


if __name__ == "__main__":
    sys.exit(main())
