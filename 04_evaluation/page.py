"""The page of an evaluation, as HTML and as Markdown, every figure on it taken from results.json by its place there.

A figure is a JSON pointer (RFC 6901) into the results and a format; in HTML both stand in the cell as `data-key` and
`data-format`, so that the page can be checked against the file.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chapbook.report import html_page, svg_curves

# What stands beside the system's own fonts and colours of chapbook.report: bars and notes of this page.
STYLE = """<style>
td .bar { display: inline-block; height: .7em; background: var(--accent); min-width: 1px; vertical-align: baseline; }
td.bars { text-align: left; width: 12rem; min-width: 6rem; }
tr.here td { font-weight: bold; } .note { opacity: .8; } .failed { border-left: 3px solid #c00; padding-left: 1rem; }
dl.advice dt { color: var(--accent); } dl.advice dd { margin: 0 0 .75rem 1rem; overflow-wrap: anywhere; }
p, li { overflow-wrap: anywhere; }
</style>"""


@dataclass(frozen=True)
class Figure:
    """One value of the results: where it stands, and how it is written."""

    key: str
    form: str = ""


Cell = str | Figure


@dataclass
class Table:
    """A heading, a table, and what must be said about it. `bars`: the column whose values are drawn too."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str] = ()
    bars: int | None = None
    here: Sequence[int] = field(default_factory=list)
    """Rows to set off."""


def pointer(*parts: object) -> str:
    """A JSON pointer to a place in the results."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def look_up(results: Any, key: str) -> Any:
    """The value at a JSON pointer. Raises KeyError or IndexError when there is none."""
    for part in key.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        results = results[int(name)] if isinstance(results, list) else results[name]
    return results


def write(results: Any, cell: Cell) -> str:
    """A cell as text."""
    return cell if isinstance(cell, str) else format(look_up(results, cell.key), cell.form)


def to_html(results: Any, blocks: Iterable[Table | str], title: str) -> str:
    """The whole page; a block that is a string is HTML already."""
    body = "\n".join(block if isinstance(block, str) else _html_table(results, block) for block in blocks)
    return html_page(title, STYLE + body)


def _html_table(results: Any, table: Table) -> str:
    parts = [f"<h2>{html.escape(table.title)}</h2>"] if table.title else []
    if table.rows:
        bars = table.bars
        largest = max((look_up(results, row[bars].key) for row in table.rows), default=1) if bars is not None else 1  # type: ignore[union-attr]
        head = "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
        lines = []
        for number, row in enumerate(table.rows):
            cells = [_html_cell(results, cell) for cell in row]
            if bars is not None:
                value = look_up(results, row[bars].key)  # type: ignore[union-attr]
                cells.append(
                    f'<td class="bars"><span class="bar" style="width:{100 * value / largest:.1f}%"></span></td>'
                )
            lines.append(f"<tr{' class="here"' if number in table.here else ''}>{''.join(cells)}</tr>")
        head += "<th></th>" if bars is not None else ""
        parts.append(f'<div class="wide"><table><tr>{head}</tr>\n' + "\n".join(lines) + "</table></div>")
    parts += [f'<p class="note">{html.escape(note)}</p>' for note in table.notes]
    return "\n".join(parts)


def _html_cell(results: Any, cell: Cell) -> str:
    text = html.escape(write(results, cell))
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
            lines += [[write(results, cell).replace("|", "\\|") for cell in row] for row in block.rows]
            parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        parts += block.notes
    return "\n\n".join(parts) + "\n"


def failed(name: str, reason: str) -> str:
    """A measurement that could not be made."""
    return f'<h2>{html.escape(name)}</h2><p class="failed">failed: {html.escape(reason)}</p>'


def curve(title: str, curves: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """A heading and a line plot."""
    return f"<h2>{html.escape(title)}</h2>{svg_curves(curves, x_label, y_label)}"
