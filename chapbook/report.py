"""Self-contained HTML pages: no scripts, no network, light and dark."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fdfcf8; --line: #d8d2c4; --accent: #8a3324; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e4da; --paper: #1d1c1a; --line: #45413a; --accent: #e0907c; } }
body { font: 16px/1.5 Georgia, serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2 { font-weight: normal; color: var(--accent); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .75rem; text-align: right; font-weight: normal; }
td:first-child, th:first-child { text-align: left; }
blockquote { border-left: 3px solid var(--accent); margin: 1rem 0; padding: 0 1rem; white-space: pre-wrap; }
.tokens code, .cuts code { border: 1px solid var(--line); border-radius: 3px; padding: 0 .2em; }
.tokens code { overflow-wrap: anywhere; }
.tokens { margin: 0; line-height: 1.9; } .cuts td:last-child, .cuts th:last-child { text-align: left; }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
"""


def html_page(title: str, body: str) -> str:
    """A whole page; `body` is HTML, `title` is text."""
    name = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><h1>{name}</h1>\n{body}\n</body></html>\n"
    )


def html_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a heading; every cell is text."""
    heading = f"<h2>{html.escape(title)}</h2>" if title else ""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    lines = "\n".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'{heading}<div class="wide"><table><tr>{head}</tr>\n{lines}</table></div>'


def html_quote(text: str) -> str:
    """A passage of text as it stands."""
    return f"<blockquote>{html.escape(text)}</blockquote>"


def svg_curves(curves: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """Line plot of named curves, each a list of (x, y); lines differ in dash, so that it reads without colour."""
    points = [point for curve in curves.values() for point in curve]
    if len(points) < 2:
        return "<p>Not enough points for a plot.</p>"
    width, height, left, bottom = 720, 300, 50, 30
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low_x, low_y = min(xs), min(ys)
    span_x, span_y = (max(xs) - low_x) or 1.0, (max(ys) - low_y) or 1.0

    def place(x: float, y: float) -> str:
        across = left + (x - low_x) / span_x * (width - left - 10)
        up = height - bottom - (y - low_y) / span_y * (height - bottom - 35)
        return f"{across:.1f},{up:.1f}"

    lines = []
    for number, (name, curve) in enumerate(curves.items()):
        path = " ".join(place(x, y) for x, y in curve)
        dash = ' stroke-dasharray="6 4"' if number else ""
        style = f'fill="none" stroke="var(--accent)" stroke-width="2"{dash}'
        lines.append(f'<polyline {style} points="{path}"/>')
        # The key stands at the top right, one line a curve: at their ends the curves lie on each other.
        row = 40 + 18 * number
        lines.append(f'<line {style} x1="{width - 190}" x2="{width - 160}" y1="{row - 4}" y2="{row - 4}"/>')
        lines.append(f'<text x="{width - 150}" y="{row}">{html.escape(name)}, at the end {curve[-1][1]:.3f}</text>')
    for value in (low_y, low_y + span_y / 2, low_y + span_y):
        _, y = place(low_x, value).split(",")
        lines.append(f'<text x="{left - 6}" y="{y}" text-anchor="end">{value:.2f}</text>')
    for value in (low_x, low_x + span_x):
        x, _ = place(value, low_y).split(",")
        anchor = "start" if value == low_x else "end"
        lines.append(f'<text x="{x}" y="{height - 8}" text-anchor="{anchor}">{value:,.0f}</text>')
    lines.append(f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">{html.escape(x_label)}</text>')
    lines.append(f'<text x="6" y="12">{html.escape(y_label)}</text>')
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(y_label)}">{"".join(lines)}</svg>'


def svg_bars(bars: Sequence[tuple[str, float]], label: str) -> str:
    """Horizontal bars, one per (name, value), in the order given; `label` says what the values are."""
    if not bars:
        return "<p>Nothing to plot.</p>"
    width, row, left = 720, 22, 190
    top = max(value for _, value in bars) or 1.0
    parts = []
    for number, (name, value) in enumerate(bars):
        y = number * row
        long = value / top * (width - left - 130)
        shown = name if len(name) <= 26 else f"{name[:25]}…"
        parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{html.escape(shown)}</text>')
        parts.append(f'<rect x="{left}" y="{y + 4}" width="{max(long, 1):.1f}" height="14" fill="var(--accent)"/>')
        parts.append(f'<text x="{left + max(long, 1) + 6:.1f}" y="{y + 15}">{value:,.0f}</text>')
    height = row * len(bars) + 4
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(label)}">{"".join(parts)}</svg>'
