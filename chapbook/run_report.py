"""The report of a run: one HTML page, every figure from an artifact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig
from chapbook.report import html_page, html_quote, html_table, svg_curves
from chapbook.tokens import find_tokens
from chapbook.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path


def write_report(config: RunConfig, workspace: Workspace) -> Path:
    """Write `runs/<run>/report.html` from what exists of the run; returns its path."""
    parts = [
        _corpus(artifact.read_manifest(workspace.corpus(config.corpus.name))),
        _tokens(find_tokens(config, workspace)),
        _training(workspace.logs(config.name) / "metrics.jsonl"),
    ]
    newest = checkpoint.newest(workspace.checkpoints(config.name))
    if newest is not None:
        for found in reversed(checkpoint.list_checkpoints(workspace.checkpoints(config.name))):
            if found.problem is None:
                parts.append(_evaluation(workspace.evaluation(config.name, found.name), found))
                parts.append(_samples(workspace.generation(config.name, found.name), found))
    parts.append(_stages(workspace.logs(config.name) / "stages.json"))
    path = workspace.logs(config.name) / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "\n".join(part for part in parts if part) or "<p>Nothing of this run exists yet.</p>"
    artifact.write_atomically(path, html_page(f"Run {config.name}", body).encode())
    return path


def _corpus(manifest: artifact.Manifest | None) -> str:
    if manifest is None:
        return ""
    counts = manifest.counts
    rows = [
        ("collected", f"{counts['in']:,}", f"{counts['bytes_in']:,}"),
        ("kept", f"{counts['kept']:,}", f"{counts['bytes']:,}"),
    ]
    rows += [(f"rejected by {reason}", f"{number:,}", "") for reason, number in counts["reasons"].items()]
    rows += [(f"split {name}", f"{s['documents']:,}", f"{s['bytes']:,}") for name, s in counts["splits"].items()]
    return html_table("Corpus", ("", "documents", "bytes"), rows)


def _tokens(directory: Path | None) -> str:
    manifest = artifact.read_manifest(directory) if directory is not None else None
    if manifest is None:
        return ""
    rows = [
        (name, f"{s['tokens']:,}", f"{s['blocks']:,}", f"{s['bytes'] / max(1, s['text_tokens']):.3f}")
        for name, s in manifest.counts["splits"].items()
    ]
    return html_table(
        "Tokens", ("split", "tokens", f"blocks of {manifest.counts['max_length']}", "bytes per token"), rows
    )


def _training(metrics: Path) -> str:
    if not metrics.is_file():
        return ""
    # A line without its end was cut off by a kill.
    lines = [line for line in metrics.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    curves = {
        label: [(entry["step"], entry[key]) for entry in entries if key in entry]
        for label, key in (("training", "bits_per_byte"), ("held back", "eval_bits_per_byte"))
    }
    return "<h2>Training</h2>" + svg_curves({k: v for k, v in curves.items() if v}, "steps", "bits per byte")


def _is_about(directory: Path, found: checkpoint.Checkpoint) -> bool:
    """Whether the artifact at `directory` was made from these weights, not from earlier ones of that name."""
    manifest = artifact.read_manifest(directory)
    return manifest is not None and manifest.inputs.get("weights") == found.weights_hash


def _evaluation(directory: Path, found: checkpoint.Checkpoint) -> str:
    if not _is_about(directory, found):
        return ""
    total = json.loads((directory / "results.json").read_text("utf-8"))["total"]
    rows = [
        (key.replace("_", " "), f"{value:,.4f}" if isinstance(value, float) else f"{value:,}")
        for key, value in total.items()
    ]
    return html_table(f"Evaluation of {found.name}", ("", "value"), rows)


def _samples(directory: Path, found: checkpoint.Checkpoint) -> str:
    if not _is_about(directory, found):
        return ""
    samples = json.loads((directory / "samples.json").read_text("utf-8"))
    return f"<h2>Samples of {found.name}</h2>" + "".join(html_quote((s["prompt"] + s["text"]).strip()) for s in samples)


def _stages(path: Path) -> str:
    if not path.is_file():
        return ""
    rows = [
        (name, "reused" if m["reused"] else f"{m['seconds']:.1f}", f"{m['peak_bytes'] / 1e6:,.0f}")
        for name, m in json.loads(path.read_text("utf-8")).items()
    ]
    return html_table("Time and memory", ("stage", "seconds", "peak MB"), rows)
