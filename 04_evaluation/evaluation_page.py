"""The page of an evaluation, as HTML and as Markdown, every figure on it taken from results.json by its place there.

A figure is a JSON pointer (RFC 6901) into the results and a format; in HTML both stand in the cell as `data-key` and
`data-format`, so that the page can be checked against the file.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chapbook.report import html_page, svg_curves

# What stands beside the system's own fonts and colours of chapbook.report: bars and notes of this page.
STYLE = """<style>
td.bars { text-align: left; min-width: 6rem; width: 10rem; }
.bar { display: inline-block; height: .7em; min-width: 1px; background: var(--accent); }
tr.here td { font-weight: bold; }
.words td, .words th { text-align: left; vertical-align: top; }
.words td:first-child { color: var(--accent); }
.wide svg { min-width: 40rem; }
p { overflow-wrap: anywhere; } .note { font-size: .9em; }
.failed { border-left: 3px solid var(--accent); padding-left: 1rem; font-weight: bold; }
</style>"""


@dataclass(frozen=True)
class Figure:
    """One value of the results: where it stands, and how it is written."""

    key: str
    form: str = ""


Cell = str | Figure


@dataclass
class Table:
    """A heading, a table, and what must be said about it."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str] = ()
    bars: int | None = None
    """The column whose values are drawn too."""
    here: Sequence[int] = ()
    """Rows to set off."""
    words: bool = False
    """Whether cells hold sentences."""
    failed: bool = False
    """Whether the notes say why there are no figures."""


def pointer(*parts: object) -> str:
    """A JSON pointer to a place in the results."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def look_up(results: Any, key: str) -> Any:
    """The value at a JSON pointer. Raises KeyError or IndexError when there is none."""
    for part in key.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        results = results[int(name)] if isinstance(results, list) else results[name]
    return results


def _value(results: Any, cell: Cell) -> Any:
    return cell if isinstance(cell, str) else look_up(results, cell.key)


def _write(results: Any, cell: Cell) -> str:
    return cell if isinstance(cell, str) else format(look_up(results, cell.key), cell.form)


def to_html(results: Any, blocks: Iterable[Table | str], title: str) -> str:
    """The whole page; a block that is a string is HTML already."""
    body = "\n".join(block if isinstance(block, str) else _html_table(results, block) for block in blocks)
    return html_page(title, STYLE + body)


def _html_table(results: Any, table: Table) -> str:
    parts = [f"<h2>{html.escape(table.title)}</h2>"] if table.title else []
    if table.rows:
        heads = [f"<th>{html.escape(column)}</th>" for column in table.columns]
        bars = [""] * len(table.rows)
        if table.bars is not None:
            heads.insert(table.bars + 1, "<th></th>")
            bars = _bars([float(_value(results, row[table.bars])) for row in table.rows])
        lines = []
        for number, row in enumerate(table.rows):
            cells = [_html_cell(results, cell) for cell in row]
            if table.bars is not None:
                cells.insert(table.bars + 1, bars[number])
            kind = ' class="here"' if number in table.here else ""
            lines.append(f"<tr{kind}>{''.join(cells)}</tr>")
        kind = "wide words" if table.words else "wide"
        parts.append(f'<div class="{kind}"><table><tr>{"".join(heads)}</tr>\n' + "\n".join(lines) + "</table></div>")
    kind = "failed" if table.failed else "note"
    parts += [f'<p class="{kind}">{html.escape(note)}</p>' for note in table.notes]
    return "\n".join(parts)


def _bars(values: list[float]) -> list[str]:
    """A bar for each value, its length from zero, the largest as long as the column is wide."""
    largest = max(values) or 1.0
    form = '<td class="bars"><span class="bar" style="width:{:.1f}%"></span></td>'
    return [form.format(100 * value / largest) for value in values]


def _html_cell(results: Any, cell: Cell) -> str:
    text = html.escape(_write(results, cell))
    if isinstance(cell, str):
        return f"<td>{text}</td>"
    return f'<td data-key="{html.escape(cell.key)}" data-format="{html.escape(cell.form)}">{text}</td>'


def to_markdown(results: Any, blocks: Iterable[Table | str], title: str) -> str:
    """The tables and notes as Markdown; HTML blocks are left to the page."""
    parts = [f"# {title}"]
    for block in blocks:
        if isinstance(block, str):
            continue
        parts += [f"## {block.title}"] if block.title else []
        if block.rows:
            lines = [block.columns, ["---"] + ["---:"] * (len(block.columns) - 1)]
            lines += [[_write(results, cell).replace("|", "\\|") for cell in row] for row in block.rows]
            parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        parts += block.notes
    return "\n\n".join(parts) + "\n"


def plot(title: str, curves: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """A heading and a line plot."""
    return f'<h2>{html.escape(title)}</h2><div class="wide">{svg_curves(curves, x_label, y_label)}</div>'
