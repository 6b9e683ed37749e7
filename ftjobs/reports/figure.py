"""The blocks of a page: texts that cannot act, tables, and pictures that also say what they show."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from ftjobs.logs import scrub_text
from ftjobs.reports.chart_style import Chart
from ftjobs.reports.drawing import svg_of
from ftjobs.reports.table import Column

_COMMAND = re.compile("`(ftjobs [^`]*)`")


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with what it says: `text` for whoever does not see it, and a table of its numbers.

    Of its `charts` the first is for paper and large screens, the second, where there is one, for small ones.
    """

    name: str
    title: str
    text: str
    charts: tuple[Chart, ...]
    columns: tuple[Column, ...]
    rows: tuple[Sequence[str], ...]


def escaped(text: str) -> str:
    """Return a text as HTML that shows it and does nothing else, without secrets and what nobody sees."""
    return html.escape(scrub_text(text))


def sentence(text: str) -> str:
    """Return a line of the terminal's as a sentence; what it names keeps its letters."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def paragraphs(texts: Iterable[str]) -> str:
    """Return a paragraph for each text; the commands in it look like what they are."""
    told = (_COMMAND.sub(r"<code>\1</code>", escaped(text)) for text in texts)
    return "".join(f"<p>{each}</p>\n" for each in told)


def notes(texts: Iterable[str]) -> str:
    """Return a list of small print, each text once; nothing for none."""
    items = "".join(f"<li>{escaped(text)}</li>\n" for text in dict.fromkeys(texts))
    return f'<ul class="notes">\n{items}</ul>\n' if items else ""


def table_html(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """Return the table, each row headed by its first cell; wider than the screen, it scrolls by itself.

    A column that gives way breaks its lines before that.
    """
    head = "".join(f'<th scope="col"{_side(column)}>{escaped(column.title)}</th>' for column in columns)
    body = "\n".join(_row(columns, row) for row in rows)
    return (
        f'<div class="scrolls" role="region" tabindex="0" aria-label="{escaped(caption)}">\n'
        f"<table>\n<caption>{escaped(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n"
    )


def _row(columns: Sequence[Column], row: Sequence[str]) -> str:
    cells = [f"<td{_side(column)}>{escaped(cell)}</td>" for column, cell in zip(columns[1:], row[1:], strict=True)]
    return f'<tr><th scope="row">{escaped(row[0])}</th>{"".join(cells)}</tr>'


def _side(column: Column) -> str:
    return ' class="number"' if column.right else ' class="text"' if column.gives_way else ""


def figure_html(figure: Figure) -> str:
    """Return the figure, its picture drawn; ValueError where the drawer fails."""
    kinds = ("wide", "narrow") if len(figure.charts) > 1 else ("any",)
    pictures = "".join(_picture(figure, chart, kind) for chart, kind in zip(figure.charts, kinds, strict=True))
    return (
        "<figure>\n"
        f"<figcaption><h3>{escaped(figure.title)}</h3>\n<p>{escaped(figure.text)}</p></figcaption>\n"
        f"{pictures}"
        f"<details><summary>Numbers of this picture</summary>\n"
        f"{table_html(figure.title, figure.columns, figure.rows)}</details>\n"
        "</figure>\n"
    )


def _picture(figure: Figure, chart: Chart, kind: str) -> str:
    """Return the drawing as an image of one piece: parts that have roles of their own would be read out alone."""
    drawn = ElementTree.fromstring(svg_of(chart))  # noqa: S314  our own drawing, made a line above
    for element in drawn.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [each for each in element.attrib if each.startswith("aria-") or each in {"role", "class"}]:
            del element.attrib[name]
    own = f"{figure.name}-{kind}"
    width, height = drawn.attrib["width"], drawn.attrib["height"]
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in drawn)
    return (
        f'<svg class="{kind}" role="img" aria-labelledby="{own}-title {own}-text" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}">'
        f'<title id="{own}-title">{escaped(figure.title)}</title>'
        f'<desc id="{own}-text">{escaped(figure.text)}</desc>{inside}</svg>\n'
    )
