"""The corpus as a page to look through, `report.html`: what went in, what each step did, and what came of it."""

from __future__ import annotations

import html
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accounting import TRUTH_BY_STEP_COLUMNS, truth_by_step_rows
from count_tokens import USUAL_BYTES_PER_TOKEN

from chapbook.corpus import SPLITS, Reject, read_shards
from chapbook.report import html_page, html_quote, html_table, svg_bars

# Refused documents shown for each reason, groups of duplicates shown, and characters shown of a text.
REFUSED_SHOWN = 3
GROUPS_SHOWN = 20
EXCERPT_CHARACTERS = 400


def corpus_page(
    name: str, directory: Path, truth: dict[str, dict[str, int]], by_step: dict[str, dict[str, Any]]
) -> str:
    """The page of the corpus whose files lie in `directory`.

    truth, by_step: the scores of generated documents per kind of dirt and per step; empty without such documents.

    Equal corpora give equal pages: there are no times on it.
    """
    statistics = json.loads((directory / "statistics.json").read_text("utf-8"))
    examples = _lines(directory / "examples.jsonl")
    groups = list(_lines(directory / "duplicates.jsonl"))
    rejects = _rejects(directory / "rejects")
    parts = [
        _overview(statistics, len(groups)),
        *_contents(statistics["corpus"]),
        _steps(statistics["steps"]),
        _truth(truth, by_step) if truth else "",
        _changes(examples),
        _duplicates(groups),
        _refused(rejects),
    ]
    return html_page(f"The corpus {name}", "\n".join(part for part in parts if part))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _overview(statistics: dict[str, Any], groups: int) -> str:
    came, stayed = statistics["documents_in"], statistics["documents_kept"]
    size = sum(split["bytes"] for split in statistics["corpus"]["split"].values())
    before = sum(source["bytes"] for source in statistics["sources_in"].values())
    tokens = size / USUAL_BYTES_PER_TOKEN
    rows = [
        ("documents collected", f"{came:,} ({before:,} bytes as found)"),
        ("refused", f"{came - stayed:,}"),
        ("kept", f"{stayed:,} ({size:,} bytes of text)"),
        ("tokens", f"about {tokens:,.0f} (an estimate: bytes / {USUAL_BYTES_PER_TOKEN:g}; count_tokens.py counts)"),
        ("groups of duplicates", f"{groups:,}"),
        ("repeated paragraphs removed", f"{statistics['paragraphs_removed']:,}"),
    ]
    return html_table("", ("", ""), rows)


def _contents(corpus: dict[str, dict[str, dict[str, int]]]) -> Iterator[str]:
    for field in ("split", "source", "decade", "language", "licence"):
        groups = {name: corpus[field][name] for name in (SPLITS if field == "split" else corpus[field])}
        rows = [
            (name, f"{c['documents']:,}", f"{c['bytes']:,}", f"{c['bytes'] / USUAL_BYTES_PER_TOKEN:,.0f}")
            for name, c in groups.items()
        ]
        yield html_table(f"By {field}", (field, "documents", "bytes", "tokens (estimate)"), rows)
        if field in ("source", "decade") and len(groups) > 1:
            yield svg_bars([(name, c["bytes"]) for name, c in groups.items()], f"bytes by {field}")


def _steps(steps: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, step in steps.items():
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in step["rejected"].items())
        # Decoding makes the first characters there are.
        lost = step["characters_in"] - step["characters_rejected"] - step["characters_out"]
        removed = f"{lost:,}" if step["characters_in"] else "-"
        rows.append(
            (name, f"{step['documents_in']:,}", f"{step['documents_out']:,}", f"{step['changed']:,}", removed, reasons)
        )
    columns = ("step", "documents in", "out", "changed", "characters removed", "refused, by reason")
    return html_table("What each step did", columns, rows)


def _truth(truth: dict[str, dict[str, int]], by_step: dict[str, dict[str, Any]]) -> str:
    columns = ("planted dirt", "documents", "right", "wrongly kept", "wrongly refused", "other text")
    rows = [(kind, *score.values()) for kind, score in sorted(truth.items())]
    return "\n".join(
        [
            html_table("Against the known truth of the generated documents", columns, rows),
            html_table("Each step against the known truth", TRUTH_BY_STEP_COLUMNS, truth_by_step_rows(by_step)),
            "<p>Right: of the documents with planted dirt that the step answers for, those that ended as they should. "
            "Acted: documents that it refused, and documents without such dirt that it changed; wrong: those of them "
            "that it should have kept, or led away from the truth.</p>",
        ]
    )


def _changes(examples: Iterator[dict[str, Any]]) -> str:
    by_step: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for example in examples:
        by_step[example["step"]].append(example)
    if not by_step:
        return ""
    parts = ["<h2>Before and after</h2>"]
    for step, chosen in by_step.items():
        parts.append(f"<details><summary>{html.escape(step)}: {len(chosen)} examples</summary>")
        for example in chosen:
            parts.append(f"<p>{html.escape(example['document'])}, at character {example['at']:,}</p>")
            parts.append(html_quote(example["before"]) + html_quote(example["after"]))
        parts.append("</details>")
    return "\n".join(parts)


def _duplicates(groups: list[dict[str, Any]]) -> str:
    if not groups:
        return ""
    largest = sorted(groups, key=lambda group: (-len(group["members"]), group["kept"]))[:GROUPS_SHOWN]
    rows = []
    for group in largest:
        members = [
            f"{member['id']} ({member['kind']}, Jaccard {member['jaccard']:.2f}, contained {member['containment']:.2f})"
            for member in group["members"][:GROUPS_SHOWN]
        ]
        rows.append((group["kept"], len(group["members"]), "; ".join(members)))
    title = f"Duplicates: {len(groups):,} groups" + (f", the largest {GROUPS_SHOWN}" if len(groups) > len(rows) else "")
    return html_table(title, ("kept", "dropped", "which"), rows)


def _rejects(directory: Path) -> dict[str, list[Reject]]:
    """The first few refused documents of each step and reason."""
    found: dict[str, list[Reject]] = defaultdict(list)
    for reject in read_shards(directory, Reject):
        shown = found[f"{reject.step}: {reject.reason.partition(':')[0]}"]
        if len(shown) < REFUSED_SHOWN:
            shown.append(reject)
    return found


def _refused(rejects: dict[str, list[Reject]]) -> str:
    if not rejects:
        return ""
    parts = ["<h2>Refused documents</h2>", "<p>All of them, whole, are in <code>rejects/</code>.</p>"]
    for reason, shown in sorted(rejects.items()):
        parts.append(f"<details><summary>{html.escape(reason)}</summary>")
        for reject in shown:
            parts.append(f"<p>{html.escape(reject.id)} ({reject.bytes:,} bytes): {html.escape(reject.reason)}</p>")
            parts.append(html_quote(reject.text[:EXCERPT_CHARACTERS]))
        parts.append("</details>")
    return "\n".join(parts)
