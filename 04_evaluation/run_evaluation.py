"""Measure a checkpoint of a run on held-back text.

    python 04_evaluation/run_evaluation.py --config configs/demo.yaml

In: `checkpoints/<run>/` and `corpora/<corpus>/`. Out: `evaluations/<run>/checkpoint-N/` with `results.json`
and `report.html`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig
from chapbook.corpus import Document, read_shards
from chapbook.errors import ArtifactError, ChapbookError
from chapbook.log import ProgressBar, log, table
from chapbook.report import html_page, html_table
from chapbook.script import DEVICES, ScriptParser, run_script
from chapbook.workspace import Workspace

FORMAT_VERSION = 1
RESULTS = "results.json"

NAMES = {
    "documents": ("documents", ",d"),
    "bytes": ("bytes", ",d"),
    "tokens": ("tokens", ",d"),
    "bytes_per_token": ("bytes per token", ".3f"),
    "loss": ("loss (nats per token)", ".4f"),
    "perplexity": ("perplexity per token", ".2f"),
    "accuracy": ("next token right", ".1%"),
    "bits_per_byte": ("bits per byte", ".4f"),
    "model_bits_per_byte_there": ("bits per byte where the truth is known", ".4f"),
    "floor_bits_per_byte": ("the generator's own (no model can be better)", ".4f"),
}


def evaluate(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Measure and report; returns the results. Raises ArtifactError without checkpoint, corpus or split."""
    settings = config.evaluation
    found = checkpoint.find(workspace.checkpoints(config.name), arguments.checkpoint or settings.checkpoint)
    corpus = workspace.corpus(config.corpus.name)
    corpus_manifest = checkpoint.corpus_of(found, corpus)
    if not corpus_manifest.counts["splits"][settings.split]["documents"]:
        raise ArtifactError(
            f"The {settings.split} split of {corpus} is empty. Set corpus.{settings.split}_share and clean again."
        )
    recipe = artifact.Recipe(
        kind="evaluation",
        format_version=FORMAT_VERSION,
        config=settings.model_dump(exclude={"checkpoint", "batch_size"}),
        inputs={"weights": found.weights_hash, "corpus": corpus_manifest.fingerprint},
    )

    def build(path: Path) -> dict[str, Any]:
        results = _measure(found.path, corpus, config, arguments.device)
        results = {
            "schema": FORMAT_VERSION,
            "run": config.name,
            "checkpoint": found.name,
            "step": found.step,
            **results,
        }
        (path / RESULTS).write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        (path / "report.html").write_text(_page(results), "utf-8")
        return {key: value for key, value in results.items() if isinstance(value, int | float | str)}

    directory = workspace.evaluation(config.name, found.name)
    manifest, reused = artifact.ensure(directory, recipe, build)
    results: dict[str, Any] = json.loads((directory / RESULTS).read_text("utf-8"))
    title = f"Evaluated{' (reused)' if reused else ''}: {found.name} on the {settings.split} split, {directory}"
    log.info(table(title, ("", ""), _rows(results["total"])))
    return {
        "stage": "evaluate",
        "path": str(directory),
        "reused": reused,
        "fingerprint": manifest.fingerprint,
        **results,
    }


def _measure(path: Path, corpus: Path, config: RunConfig, device: str | None) -> dict[str, Any]:
    from language_modelling import score_documents, summarise

    from chapbook.generation import best_device
    from chapbook.tokenizer import end_of_text_id, load_tokenizer

    settings = config.evaluation
    model = checkpoint.load_model(path, device or best_device())
    tokenizer = load_tokenizer(path)
    documents = list(itertools.islice(read_shards(corpus / settings.split, Document), settings.max_documents or None))
    scores = []
    with ProgressBar("evaluate", sum(document.byte_count() for document in documents), "B") as bar:
        for score in score_documents(model, tokenizer, documents, end_of_text_id(tokenizer), settings.batch_size):
            if not math.isfinite(score.nats):
                raise ChapbookError(f"The loss on {score.id} is {score.nats}: the model in {path} is broken.")
            scores.append(score)
            bar.advance(score.bytes)
    by_source = defaultdict(list)
    for score in scores:
        by_source[score.source].append(score)
    return {
        "split": settings.split,
        "total": summarise(scores),
        "by_source": {source: summarise(group) for source, group in by_source.items()},
    }


def _rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    return [(label, format(summary[key], form)) for key, (label, form) in NAMES.items() if key in summary]


def _page(results: dict[str, Any]) -> str:
    parts = [html_table("", ("", "value"), _rows(results["total"]))]
    rows = [(source, *(value for _, value in _rows(s))) for source, s in results["by_source"].items()]
    columns = ("source", *(label for label, _ in _rows(results["total"])))
    if all(len(row) == len(columns) for row in rows):
        parts.append(html_table("By source", columns, rows))
    title = f"{results['run']}: {results['checkpoint']} on the {results['split']} split"
    return html_page(title, "\n".join(parts))


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Measure a checkpoint of a run on held-back text.")
    parser.add_argument(
        "--checkpoint", metavar="NAME", help="best, latest, a name or a path (default: evaluation.checkpoint)"
    )
    parser.add_argument("--device", choices=DEVICES, help="default: the GPU when there is one")
    return run_script(evaluate, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
