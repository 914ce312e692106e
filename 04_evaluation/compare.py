"""Two checkpoints on the same documents: which one is better, by how much, and whether that is more than chance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bootstrap
import numpy as np
from evaluation_page import Cell, Figure, Table, pointer, to_html, to_markdown
from language_modelling import NATS_PER_BIT, DocumentScore, describe
from measurement import RESULTS, Evaluation, Job, Text, load, score, text_of

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig, load_config
from chapbook.errors import ArtifactError, UsageError
from chapbook.workspace import Workspace

FORMAT_VERSION = 1
# A difference is called real below this: the usual convention, and no more than that.
SIGNIFICANT = 0.05
NOTE = (
    "Both read the same bytes, so bits per byte may be compared though their tokenizers differ. The p-value is for "
    "this text: another training run of the same configuration, with another seed, differs too (by 0.001 to 0.002 nats "
    "per token in published series), and that is not in it. Train several seeds before you say that a recipe is better."
)


@dataclass(frozen=True)
class Side:
    """One of the two: a checkpoint of a run."""

    config: RunConfig
    found: checkpoint.Checkpoint

    @property
    def name(self) -> str:
        """How it is called in the results."""
        return f"{self.config.name}/{self.found.name}"


def other_side(wanted: str, config: RunConfig, workspace: Workspace) -> Side:
    """What `--with` names: CONFIG.yaml, CONFIG.yaml@CHECKPOINT, @CHECKPOINT of this run, or a checkpoint's path."""
    left, at, name = wanted.rpartition("@")
    if not at:
        left, name = (wanted, "best") if wanted.endswith((".yaml", ".yml")) else ("", wanted)
    other = load_config(Path(left), {}) if left else config
    return Side(other, checkpoint.find(workspace.checkpoints(other.name), name))


def compare(job: Job, other: Side) -> Evaluation:
    """Score both on the documents of the job. Raises ArtifactError when the other was trained on another corpus."""
    first = Side(job.config, job.found)
    if first.found.weights_hash == other.found.weights_hash:
        raise UsageError(f"{first.name} and {other.name} are the same weights: name another with --with.")
    text = text_of(job)
    _check_unseen(text, other)
    names = [first.found.name, "vs", other.config.name, other.found.name, *([text.name] if job.data else [])]
    directory = job.workspace.evaluation(job.config.name, "-".join(names))
    settings = job.config.evaluation
    recipe = artifact.Recipe(
        kind="comparison",
        format_version=FORMAT_VERSION,
        config=settings.model_dump(include={"split", "max_documents", "resamples", "seed"}),
        inputs={"weights": first.found.weights_hash, "other": other.found.weights_hash, **text.inputs},
    )

    def build(path: Path) -> dict[str, Any]:
        scores = [_score(side, job, text) for side in (first, other)]
        results = {
            "schema": FORMAT_VERSION,
            "mode": "compare",
            "run": job.config.name,
            "split": text.name,
            "sides": [
                {"name": side.name, "step": side.found.step, **describe(one, settings.resamples, settings.seed)}
                for side, one in zip((first, other), scores, strict=True)
            ],
            **_differences(scores[0], scores[1], settings.resamples, settings.seed),
        }
        (path / RESULTS).write_text(json.dumps(results, indent=2, allow_nan=False) + "\n", "utf-8")
        blocks, title = _blocks(results), f"{first.name} against {other.name}"
        (path / "report.html").write_text(to_html(results, blocks, title), "utf-8")
        (path / "report.md").write_text(to_markdown(results, blocks, title), "utf-8")
        return {"verdict": results["verdict"]}

    manifest, reused = artifact.ensure(directory, recipe, build)
    results = json.loads((directory / RESULTS).read_text("utf-8"))
    return Evaluation(directory, results, manifest.fingerprint, reused)


def _check_unseen(text: Text, other: Side) -> None:
    corpus = text.inputs.get("corpus")
    assert other.found.manifest is not None
    trained_on = other.found.manifest.inputs.get("corpus")
    if "text" not in text.inputs and trained_on != corpus:
        raise ArtifactError(
            f"{other.name} was trained on another corpus (fingerprint {trained_on}), which may hold this {text.name} "
            "split. Compare the two on text that neither has seen: --data FILE_OR_FOLDER."
        )


def _score(side: Side, job: Job, text: Text) -> list[DocumentScore]:
    model, tokenizer, end_of_text = load(side.found, job.device)
    batch_size = job.config.evaluation.batch_size
    return score(model, tokenizer, end_of_text, text.documents, batch_size, side.found.path)


def _differences(first: list[DocumentScore], second: list[DocumentScore], resamples: int, seed: int) -> dict[str, Any]:
    """Bits per byte of the first less those of the second: over all documents, by source, by decade."""

    def over(chosen: list[int]) -> dict[str, Any]:
        bits = [np.array([side[number].nats for number in chosen]) / NATS_PER_BIT for side in (first, second)]
        sizes = np.array([first[number].bytes for number in chosen], np.float64)
        return bootstrap.paired_difference(bits[0], bits[1], sizes, resamples, seed)

    if len(first) < 2:
        raise ArtifactError("A comparison needs two documents at least: one alone says nothing about chance.")
    every = over(list(range(len(first))))
    groups: dict[str, dict[str, Any]] = {}
    for key in ("source", "decade"):
        names = sorted({getattr(one, key) for one in first})
        members = {name: [n for n, one in enumerate(first) if getattr(one, key) == name] for name in names}
        # A group of one document has no interval.
        groups[f"by_{key}"] = {name: over(chosen) for name, chosen in members.items() if len(chosen) > 1}
    better = "first" if every["difference"] < 0 else "second"
    real = every["p_value"] < SIGNIFICANT
    return {"difference": every, **groups, "verdict": f"the {better} is better" if real else "no difference is shown"}


def _blocks(results: dict[str, Any]) -> list[Table | str]:
    names = [side["name"] for side in results["sides"]]
    rows: list[list[Cell]] = []
    for key, label, form in (
        ("documents", "documents", ",d"),
        ("bytes", "bytes", ",d"),
        ("tokens", "tokens", ",d"),
        ("bits_per_byte", "bits per byte", ".4f"),
        ("loss", "loss (nats per token)", ".4f"),
        ("perplexity", "perplexity per token", ".2f"),
        ("accuracy", "next token right", ".1%"),
    ):
        rows.append([label, *(Figure(f"/sides/{number}/total/{key}", form) for number in (0, 1))])
    how = results["difference"]
    notes = [
        f"{names[0]} is the first, {names[1]} the second; a difference below zero speaks for the first.",
        f"{how['method']}, {how['resamples']:,} resamples, seed {how['seed']}, {how['level']:.0%} interval."
        + (f" Caution: {how['caution']}." if "caution" in how else ""),
        NOTE,
    ]
    columns = ("", "difference (bits per byte)", "from", "to", "p", "first better on", "second better on")
    lines = [_difference_row("all documents", "/difference")]
    for key in ("by_source", "by_decade"):
        if len(results[key]) > 1:
            lines += [_difference_row(name, pointer(key, name)) for name in results[key]]
    return [
        Table("", ("", "value"), [("verdict", Figure("/verdict"))]),
        Table("Side by side", ("", *names), rows),
        Table("Difference", columns, lines, notes, here=[0]),
    ]


def _difference_row(name: str, place: str) -> list[Cell]:
    forms = (
        ("difference", "+.4f"),
        ("interval/0", "+.4f"),
        ("interval/1", "+.4f"),
        ("p_value", ".4f"),
        ("first_better", ",d"),
        ("second_better", ",d"),
    )
    return [name, *(Figure(f"{place}/{key}", form) for key, form in forms)]
