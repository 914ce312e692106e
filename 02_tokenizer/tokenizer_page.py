"""The report of test_tokenizer.py: rows for tables and the HTML page."""

from __future__ import annotations

import html
from typing import Any

from chapbook.report import html_page, html_table

GROUP_COLUMNS = ("", "documents", "bytes", "bytes per token", "tokens per word", "in single bytes")
COMPARISON_COLUMNS = ("tokenizer", "vocabulary", "bytes per token", "tokens per word", "documents changed")


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)


def figure_row(name: str, figures: dict[str, Any]) -> tuple[str, ...]:
    """A row under GROUP_COLUMNS for one group of documents."""
    return (
        name,
        f"{figures['documents']:,}",
        f"{figures['bytes']:,}",
        _number(figures["bytes_per_token"]),
        _number(figures["tokens_per_word"]),
        _number(figures["single_byte_share"], ".1%"),
    )


def comparison_row(row: dict[str, Any]) -> tuple[str, ...]:
    """A row under COMPARISON_COLUMNS for one tokenizer."""
    return (
        row["name"],
        f"{row['vocab_size']:,}",
        _number(row["bytes_per_token"]),
        _number(row["tokens_per_word"]),
        f"{row['changed_documents']:,}",
    )


def summary_rows(results: dict[str, Any]) -> list[tuple[str, str]]:
    """What is said first about a tokenizer."""
    vocabulary, lossless = results["vocabulary"], results["lossless"]
    return [
        ("lossless", f"no: {len(lossless['changed']):,} texts changed" if lossless["changed"] else "yes"),
        ("documents and strings compared", f"{lossless['documents']:,} and {lossless['strings']:,}"),
        ("kind", results["kind"]),
        ("tokens in the vocabulary", f"{results['vocab_size']:,}"),
        ("of more than one byte", f"{vocabulary['learnt']:,}"),
        (f"never in {vocabulary['read_bytes']:,} bytes of training text", f"{vocabulary['never_learnt']:,}"),
        ("unreachable", f"{vocabulary['unreachable']:,}"),
        ("with a digit", f"{vocabulary['with_digits']:,}"),
        ("of white space only", f"{vocabulary['white_space_only']:,}"),
        ("trained on (bytes)", f"{results['trained_bytes']:,}"),
        ("training took (s)", f"{results['training_seconds']:,.1f}"),
        ("and at most (MB of memory)", f"{results['training_peak_bytes'] / 1e6:,.0f}"),
    ]


def _tokens(texts: list[str]) -> str:
    return '<p class="tokens">' + " ".join(f"<code>{html.escape(text)}</code>" for text in texts) + "</p>"


def _cuts(title: str, examples: list[tuple[str, list[str]]]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(text)}</code></td><td>{len(tokens)}</td><td>{_tokens(tokens)}</td></tr>"
        for text, tokens in examples
    )
    return (
        f'<h2>{html.escape(title)}</h2><div class="wide"><table class="cuts"><tr><th>text</th><th>tokens</th>'
        f"<th>cut into</th></tr>{rows}</table></div>"
    )


def page(results: dict[str, Any]) -> str:
    """The whole page."""
    vocabulary = results["vocabulary"]
    parts = [html_table("", ("", ""), summary_rows(results))]
    if changed := results["lossless"]["changed"]:
        parts.append(html_table("What was lost", ("text", "what"), changed))
    split = results["split"]
    parts.append(html_table(f"On the {split} split", GROUP_COLUMNS, [figure_row("all", results["total"])]))
    for title, groups in (("By source", results["by_source"]), ("By decade", results["by_decade"])):
        parts.append(html_table(title, GROUP_COLUMNS, [figure_row(*group) for group in groups.items()]))
    parts.append(
        "<p>Words are what stands between white space. In single bytes: the share of the text whose tokens hold one "
        "byte each; a source far above the others is written in characters or words the vocabulary does not know.</p>"
    )
    if len(results["comparison"]) > 1:
        rows = [comparison_row(row) for row in results["comparison"]]
        parts.append(html_table("Other tokenizers on the same text", COMPARISON_COLUMNS, rows))
    parts.append(_cuts("Numbers", results["numbers"]))
    parts.append(_cuts("White space", results["white_space"]))
    longest = [(text, size, f"{count:,}") for text, size, count in vocabulary["longest"]]
    parts.append(html_table("Longest tokens", ("token", "bytes", "times in the training text read"), longest))
    for title, texts in (
        ("Tokens that never occurred", vocabulary["never_examples"]),
        ("Unreachable tokens", vocabulary["unreachable_examples"]),
    ):
        if texts:
            parts.append(f"<h2>{title}</h2>" + _tokens(texts))
    return html_page(f"{results['run']}: tokenizer {results['tokenizer']}", "\n".join(parts))
