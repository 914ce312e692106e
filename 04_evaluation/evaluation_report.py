"""What an evaluation says to a person: the tables of report.html and report.md."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation_page import Cell, Figure, Table, plot, pointer, to_html, to_markdown

# Key in a summary: how it is called, how it is written.
NAMES = {
    "documents": ("documents", ",d"),
    "bytes": ("bytes", ",d"),
    "tokens": ("tokens", ",d"),
    "bytes_per_token": ("bytes per token", ".3f"),
    "bits_per_byte": ("bits per byte", ".4f"),
    "loss": ("loss (nats per token)", ".4f"),
    "perplexity": ("perplexity per token", ",.2f"),
    "word_perplexity": ("perplexity per word", ",.1f"),
    "accuracy": ("next token right", ".1%"),
    "top5_accuracy": ("next token among the first five", ".1%"),
    "model_bits_per_byte_there": ("bits per byte where the truth is known", ".4f"),
    "floor_bits_per_byte": ("the generator's own (no model can be better)", ".4f"),
}
GROUP_NAMES = ("documents", "bytes", "bits_per_byte", "perplexity", "accuracy")
# A longer table is for a program to read, in results.json.
SHOWN_DOCUMENTS = 200
TOKENS_NOTE = (
    "Compare models by bits per byte: loss and perplexity per token mean something else for every tokenizer. Special "
    "tokens are context and never counted."
)
FLOORS_NOTE = (
    "Each n-gram model is made of the model's own tokens and reads each document by itself, as the model does; "
    "compressors read all documents as one stream, which favours them. After the training text: what the held-back "
    "text adds to the compressed size of both."
)
POSITION_NOTE = (
    "The loss of tokens that have so many tokens before them in the model's window. Inside documents that are several "
    "contexts long, every row holds the same kind of text, so the fall from the first to the last is what the context "
    "is worth; beginnings of documents are alike and may be easy."
)


def summary_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures of a summary as (name, value) for a table in the log."""
    return [(label, format(summary[key], form)) for key, (label, form) in NAMES.items() if key in summary]


def write(results: dict[str, Any], fragments: dict[str, str], path: Path) -> None:
    """Write report.html and report.md into `path`. fragments: HTML of measurements, by their name."""
    how_well, *groups = _text("", results)
    blocks: list[Table | str] = [
        _facts(results),
        how_well,
        _floors(results["floors"]),
        _advice(results["advice"]),
        *groups,
        *_positions(results["by_position"]),
    ]
    for name, described in results["other_splits"].items():
        blocks.append(f"<h2>The {html.escape(name)} split</h2>")
        blocks += _text(pointer("other_splits", name), described)
    if "documents" in results:
        blocks.append(_documents(results["documents"]))
    blocks += [
        Table(name.replace("_", " ").capitalize(), notes=[f"failed: {value['failed']}"], failed=True)
        for name, value in results.items()
        if isinstance(value, dict) and "failed" in value
    ]
    blocks += fragments.values()
    text = results["split"] if results["mode"] == "dataset" else f"the {results['split']} split"
    title = f"{results['run']}: {results['checkpoint']} on {text}"
    (path / "report.html").write_text(to_html(results, blocks, title), "utf-8")
    (path / "report.md").write_text(to_markdown(results, blocks, title), "utf-8")


def _facts(results: dict[str, Any]) -> Table:
    rows: list[Sequence[Cell]] = [
        ("step", Figure("/step", ",d")),
        ("mode", Figure("/mode")),
        ("parameters", Figure("/model/parameters", ",d")),
        ("vocabulary", Figure("/model/vocabulary", ",d")),
        ("context (tokens)", Figure("/model/context", ",d")),
    ]
    return Table("", ("", "value"), rows, notes=results["measured"]["left_out"])


def _text(place: str, described: dict[str, Any]) -> list[Table | str]:
    """The figures of one text: in all with intervals, by source, by decade. place: pointer to it in the results."""
    total, confidence = described["total"], described["confidence"]
    rows = []
    for key, (label, form) in NAMES.items():
        if key not in total:
            continue
        interval: Sequence[Cell] = ("", "")
        if key in confidence.get("intervals", {}):
            interval = [Figure(f"{place}/confidence/intervals/{key}/{end}", form) for end in (0, 1)]
        rows.append((label, Figure(f"{place}/total/{key}", form), *interval))
    how = (
        f"Intervals: {confidence['level']:.0%}, {confidence['method']}, {confidence['resamples']:,} resamples, seed "
        f"{confidence['seed']}" + (f"; {confidence['caution']}" if "caution" in confidence else "") + "."
    )
    blocks: list[Table | str] = [
        Table("How well it predicts", ("", "value", "from", "to"), rows, notes=[TOKENS_NOTE, how])
    ]
    for key, title in (("by_source", "By source"), ("by_decade", "By decade")):
        names = list(described[key])
        if names in ([], ["unknown"]):
            continue
        columns = (title.removeprefix("By "), *(NAMES[name][0] for name in GROUP_NAMES))
        lines = [
            (name, *(Figure(f"{place}{pointer(key, name, figure)}", NAMES[figure][1]) for figure in GROUP_NAMES))
            for name in names
        ]
        blocks.append(Table(title, columns, lines, bars=1 + GROUP_NAMES.index("bits_per_byte")))
    return blocks


def _floors(floors: dict[str, Any]) -> Table:
    columns = ("", "bits per byte", "training bytes", "model minus this", "from", "to")
    rows: list[Sequence[Cell]] = []
    for number, row in enumerate(floors["rows"]):
        place = f"/floors/rows/{number}"
        trained: Cell = Figure(f"{place}/trained_on", ",d") if row["trained_on"] else ""
        against: Sequence[Cell] = ("", "", "")
        if "model_minus_this" in row:
            places = ("difference", "interval/0", "interval/1")
            against = [Figure(f"{place}/model_minus_this/{name}", "+.4f") for name in places]
        rows.append((row["name"], Figure(f"{place}/bits_per_byte", ".4f"), trained, *against))
    notes = [FLOORS_NOTE]
    if "training_bytes" in floors:
        used, there = floors["training_bytes_used"], floors["training_bytes"]
        notes.append(f"Of {there:,} bytes of training text {used:,} were used for these (evaluation.floor_bytes).")
    if floors["left_out"]:
        notes.append(f"Left out in quick mode: {', '.join(floors['left_out'])}, n-grams of other orders.")
    here = [number for number, row in enumerate(floors["rows"]) if row["name"] == "this model"]
    return Table("Where it stands", columns, rows, notes, bars=1, here=here)


def _advice(advice: list[dict[str, str]]) -> Table:
    rows: list[Sequence[Cell]] = [
        tuple(Figure(f"/advice/{number}/{name}") for name in ("action", "because", "rule"))
        for number in range(len(advice))
    ]
    notes = [] if rows else ["Nothing that was measured calls for anything."]
    return Table("What to do next", ("do", "because", "rule"), rows, notes, words=True)


def _positions(curves: dict[str, list[dict[str, Any]]]) -> list[Table | str]:
    # One step to the right is twice the context.
    drawn = {name: [(math.log2(row["seen_to"]), row["loss"]) for row in rows] for name, rows in curves.items()}
    blocks: list[Table | str] = []
    if any(len(points) > 1 for points in drawn.values()):
        shown = {name: points for name, points in drawn.items() if points}
        blocks.append(plot("Does it use its context?", shown, "doublings of the tokens seen", "loss (nats per token)"))
    for name, rows in curves.items():
        lines: list[Sequence[Cell]] = [
            [
                Figure(f"/by_position/{name}/{number}/{key}", form)
                for key, form in (("seen_from", ",d"), ("seen_to", ",d"), ("tokens", ",d"), ("loss", ".4f"))
            ]
            for number in range(len(rows))
        ]
        if lines:
            columns = ("tokens seen from", "to", "tokens", "loss")
            blocks.append(Table(f"Loss by tokens seen, {name} of documents", columns, lines, bars=3))
    return [*blocks, Table("", notes=[POSITION_NOTE])]


def _documents(documents: list[dict[str, Any]]) -> Table:
    columns = ("document", "bytes", "tokens", "bits per byte", "next token right")
    rows: list[Sequence[Cell]] = []
    for number, one in enumerate(documents[:SHOWN_DOCUMENTS]):
        place = f"/documents/{number}"
        figures = (("bytes", ",d"), ("tokens", ",d"), ("bits_per_byte", ".4f"), ("accuracy", ".1%"))
        rows.append((one["id"], *(Figure(f"{place}/{name}", form) for name, form in figures)))
    notes = [f"The other {len(documents) - len(rows):,} are in results.json."] if len(documents) > len(rows) else []
    return Table("Document by document", columns, rows, notes, bars=3)
