"""Collect the documents of a run's sources into Parquet shards, with their provenance.

    python 01_data_collection/collect.py --config configs/demo.yaml

In: the sources named in the configuration. Out: `raw/<corpus>/` in the workspace.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sources import Failed

from chapbook import artifact
from chapbook.config import RunConfig
from chapbook.corpus import RawDocument, ShardWriter
from chapbook.errors import ChapbookError
from chapbook.log import ProgressBar, log, table
from chapbook.script import ScriptParser, run_script
from chapbook.workspace import Workspace

FORMAT_VERSION = 1


def kind_module(kind: str) -> ModuleType:
    """The module of a source kind: `sources/<kind>.py` with `identity(source)` and `documents(source)`."""
    return import_module(f"sources.{kind}")


def collect(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Collect all sources; returns the counts. Raises ChapbookError when nothing could be read."""
    sources = config.corpus.sources
    recipe = artifact.Recipe(
        kind="raw",
        format_version=FORMAT_VERSION,
        config={"sources": [{"kind": s.kind, "name": s.name, **kind_module(s.kind).identity(s)} for s in sources]},
    )

    def build(path: Path) -> dict[str, Any]:
        return _collect_into(path, config)

    directory = workspace.raw(config.corpus.name)
    manifest, reused = artifact.ensure(directory, recipe, build)
    counts = manifest.counts
    rows = [
        (name, f"{c['documents']:,}", f"{c['bytes']:,}", f"{c['failed']:,}") for name, c in counts["sources"].items()
    ]
    log.info(
        table(
            f"Collected{' (reused)' if reused else ''}: {directory}", ("source", "documents", "bytes", "failed"), rows
        )
    )
    return {"stage": "collect", "path": str(directory), "reused": reused, "fingerprint": manifest.fingerprint, **counts}


def _collect_into(path: Path, config: RunConfig) -> dict[str, Any]:
    failures: list[dict[str, str]] = []
    counts: dict[str, Any] = {"documents": 0, "bytes": 0, "failed": 0, "sources": {}}
    seen: set[str] = set()
    with ShardWriter(path, RawDocument) as writer:
        for source in config.corpus.sources:
            here = counts["sources"].setdefault(source.name, {"documents": 0, "bytes": 0, "failed": 0})
            total = source.bytes if source.kind == "sample" else None
            with ProgressBar(f"collect {source.name}", total, "B") as bar:
                for item in kind_module(source.kind).documents(source):
                    if isinstance(item, Failed):
                        failures.append({"source": source.name, "item": item.item, "reason": item.reason})
                        here["failed"] += 1
                        continue
                    if item.id in seen:
                        raise ChapbookError(
                            f"Two documents are called {item.id}: "
                            f"give the sources in {config.corpus.name} different names."
                        )
                    seen.add(item.id)
                    writer.write(item)
                    here["documents"] += 1
                    here["bytes"] += len(item.content)
                    bar.advance(len(item.content))
    for key in ("documents", "bytes", "failed"):
        counts[key] = sum(here[key] for here in counts["sources"].values())
    # One line per item that failed, so that nothing disappears without a reason.
    with (path / "failed.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(failure, ensure_ascii=False) + "\n" for failure in failures)
    for failure in failures[:10]:
        log.warning("%s: %s", failure["item"], failure["reason"])
    if len(failures) > 10:
        log.warning("… and %d more, all in failed.jsonl", len(failures) - 10)
    if not counts["documents"]:
        places = ", ".join(path for source in config.corpus.sources if source.kind == "files" for path in source.paths)
        raise ChapbookError(
            f"No text was found in {places} ({len(failures)} files could not be used). "
            "Chapbook reads txt, html, xml, epub and pdf, and zip files of these."
        )
    return counts


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    return run_script(collect, ScriptParser("Collect the documents of a run's sources."), argv)


if __name__ == "__main__":
    sys.exit(main())
