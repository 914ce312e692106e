"""Clean the raw documents of a run, refuse what is no good text, reduce duplicates to one, and split what is left.

    python 01_data_collection/clean.py --config configs/demo.yaml

In: `raw/<corpus>/`. Out: `corpora/<corpus>/` with `train/`, `validation/`, `test/`, `rejects/`, `duplicates.jsonl`,
`statistics.json`, `examples.jsonl` and `report.html`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from cleaning import DEFAULT_ORDER, DUPLICATES, STEPS

from chapbook import artifact
from chapbook.config import CorpusConfig, RunConfig
from chapbook.errors import ConfigError, UsageError
from chapbook.log import log, table
from chapbook.script import ScriptParser, run_script
from chapbook.workspace import Workspace

# Raise when a step, or what follows the steps, gives other content for the same input.
FORMAT_VERSION = 5


def clean(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Clean and split the corpus; returns the counts. Raises ArtifactError without raw documents."""
    settings = config.corpus
    order = _order(settings, str(arguments.config))
    raw = workspace.raw(settings.name)
    raw_manifest = artifact.require(raw, "raw", f"Make it with: collect.py --config {arguments.config}")
    recipe = artifact.Recipe(
        kind="corpus",
        format_version=FORMAT_VERSION,
        config=settings.model_dump(exclude={"name", "sources"})
        | {"steps": order, "decontaminate": _file_hashes(settings.decontaminate)},
        inputs={"raw": raw_manifest.fingerprint},
    )
    directory = workspace.corpus(settings.name)
    # What is finished outlives a crash here, beside the artifact and under the hash of all that shapes it.
    work = directory.resolve().parent / f".{directory.name}.{recipe.fingerprint}.work"

    def build(path: Path) -> dict[str, Any]:
        # datatrove and what it needs take a third of a second to import.
        from build_corpus import build_corpus

        for stale in work.parent.glob(f".{directory.name}.{'[0-9a-f]' * 32}.work"):
            if stale != work:
                shutil.rmtree(stale)
        work.mkdir(exist_ok=True)
        return build_corpus(path, work, raw, settings, order, arguments.workers)

    manifest, reused = artifact.ensure(directory, recipe, build)
    # Another process that waited for this one may be taking it away too.
    shutil.rmtree(work, ignore_errors=True)
    log.info(_summary(directory, manifest.counts, reused))
    counts = manifest.counts
    return {"stage": "clean", "path": str(directory), "reused": reused, "fingerprint": manifest.fingerprint, **counts}


def _order(settings: CorpusConfig, where: str) -> list[str]:
    """The steps in order, the search for duplicates last. Raises ConfigError for what cannot be."""
    known = [*STEPS, DUPLICATES]
    order = list(settings.steps or [*DEFAULT_ORDER, DUPLICATES])
    problems = [
        f"corpus.steps: there is no step {name} (there are: {', '.join(known)})" for name in order if name not in known
    ]
    if DUPLICATES in order[:-1]:
        problems.append("corpus.steps: duplicates compares whole documents and must come last")
    sources = [source.name for source in settings.sources]
    problems += [
        f"corpus.mixture.{name}: there is no source of this name (there are: {', '.join(sources)})"
        for name in settings.mixture
        if name not in sources
    ]
    if problems:
        raise ConfigError(problems, where)
    if settings.decontaminate and "decontaminate" not in order:
        order.insert(len(order) - (DUPLICATES in order), "decontaminate")
    return order


def _file_hashes(paths: list[str]) -> list[str]:
    """What shapes the corpus is the content of the files, not where they lie. Raises UsageError."""
    if missing := [path for path in paths if not Path(path).is_file()]:
        raise UsageError(f"corpus.decontaminate: there is no file {missing[0]}")
    return sorted(artifact.file_hash(Path(path)) for path in paths)


def _summary(directory: Path, counts: dict[str, Any], reused: bool) -> str:
    rows = [
        ("in", f"{counts['in']:,}", f"{counts['bytes_in']:,}"),
        ("kept", f"{counts['kept']:,}", f"{counts['bytes']:,}"),
    ]
    rows += [(f"rejected by {reason}", f"{number:,}", "") for reason, number in counts["reasons"].items()]
    rows += [(f"split {name}", f"{s['documents']:,}", f"{s['bytes']:,}") for name, s in counts["splits"].items()]
    text = table(f"Cleaned{' (reused)' if reused else ''}: {directory}", ("", "documents", "bytes"), rows)
    if scores := counts.get("truth"):
        columns = ("planted dirt", "documents", "right", "wrongly kept", "wrongly rejected", "other text")
        text += "\n" + table(
            "Against the known truth:", columns, [(kind, *score.values()) for kind, score in scores.items()]
        )
        from accounting import TRUTH_BY_STEP_COLUMNS, truth_by_step_rows

        by_step = truth_by_step_rows(counts["truth_by_step"])
        text += "\n" + table("Each step against the known truth:", TRUTH_BY_STEP_COLUMNS, by_step)
    return text


def _parser() -> ScriptParser:
    parser = ScriptParser("Clean the raw documents of a run and split them.")
    parser.add_argument(
        "--workers", type=_at_least_one, metavar="N", help="processes to work in (default: one per core); same result"
    )
    return parser


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    return run_script(clean, _parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
