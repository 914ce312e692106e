"""Collect the documents of a run's sources into Parquet shards, with their provenance.

    python 01_data_collection/collect.py --config configs/demo.yaml

In: the sources named in the configuration. Out: `raw/<corpus>/` in the workspace; what was fetched for it stays in
`downloads/`, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from http_cache import HttpCache
from http_client import HttpClient, Stopped
from sources import Failed

from chapbook import artifact
from chapbook.config import RunConfig
from chapbook.corpus import RawDocument, ShardWriter
from chapbook.errors import ChapbookError, UsageError
from chapbook.log import ProgressBar, log, table
from chapbook.script import ScriptParser, run_script
from chapbook.source_config import OnlineSource, Source
from chapbook.workspace import Workspace

# 2: shards end with their source, `items.jsonl` instead of `failed.jsonl`, the hash of the content in the recipe.
FORMAT_VERSION = 2
ITEMS = "items.jsonl"
SHOWN_FAILURES = 10


def kind_module(kind: str) -> ModuleType:
    """The module of a source kind: `sources/<kind>.py` with `identity` and `documents`."""
    return import_module(f"sources.{kind}")


def collect(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Collect all sources; returns the counts. Raises ChapbookError when nothing could be had.

    The same configuration can give other content tomorrow: archives change, and what failed may come back. So an
    artifact is taken as it is while its sources are asked for the same (and files here hold the same), until
    `--refresh` or `--retry_failed`. Its recipe holds the hash of all its documents besides, which makes whatever was
    built from it outdated exactly when a document has changed, and not when the same was fetched again.
    """
    if arguments.offline and arguments.refresh:
        raise UsageError("--refresh asks servers, --offline asks none: give one of them.")
    directory = workspace.raw(config.corpus.name).resolve()
    asked = [_asked(source) for source in config.corpus.sources]
    earlier = artifact.read_manifest(directory)
    if earlier is not None and (problems := artifact.damage(directory, earlier)):
        log.warning("raw %s is torn and is collected anew: %s", directory.name, "; ".join(problems[:3]))
    elif earlier is not None:
        recipe = artifact.Recipe(
            kind="raw",
            format_version=FORMAT_VERSION,
            config={"sources": asked, "content": earlier.config.get("content")},
        )
        again = arguments.refresh or (arguments.retry_failed and earlier.counts["failed"])
        if recipe.fingerprint == earlier.fingerprint and not again:
            return _report(directory, earlier, earlier.counts, reused=True)
        if differences := recipe.differences(earlier.recipe):
            log.warning(
                "raw %s was asked for differently and is collected anew: %s", directory.name, "; ".join(differences)
            )
    # Built beside the artifact, because its recipe is known only when all documents are.
    staged = directory.with_name(f".{directory.name}.collected")
    started = time.monotonic()
    with ExitStack() as held:
        held.enter_context(artifact.lock(staged))
        http = held.enter_context(_http(arguments, config, workspace))
        if any(isinstance(source, OnlineSource) for source in config.corpus.sources) and not http.offline:
            # Two processes, each polite, would be rude together.
            held.enter_context(artifact.lock(workspace.downloads()))
        # A run that was killed has left its own; one that fails takes its away.
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        held.callback(shutil.rmtree, staged, ignore_errors=True)
        counts = _Collection(config, http, staged, _known(directory)).run()
        counts["collecting_seconds"] = round(time.monotonic() - started, 2)
        recipe = artifact.Recipe(
            kind="raw",
            format_version=FORMAT_VERSION,
            config={"sources": asked, "content": counts.pop("content")},
        )

        def build(path: Path) -> dict[str, Any]:
            for file in staged.iterdir():
                file.rename(path / file.name)
            return counts

        manifest, reused = artifact.ensure(directory, recipe, build, warn=False)
    return _report(directory, manifest, counts, reused)


def _asked(source: Source) -> dict[str, Any]:
    caps = source.model_dump(include={"max_documents", "max_bytes"}, exclude_none=True)
    return {"kind": source.kind, "name": source.name, **kind_module(source.kind).identity(source), **caps}  # type: ignore[attr-defined]


def _http(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> HttpClient:
    offline = arguments.offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    if offline and arguments.refresh:
        raise UsageError("--refresh asks servers, and HF_HUB_OFFLINE forbids it.")
    contact = config.collect.contact or os.environ.get("CHAPBOOK_CONTACT")
    cache = HttpCache(workspace.downloads())
    return HttpClient(cache, config.collect, contact, offline=offline, refresh=arguments.refresh)


def _known(directory: Path) -> set[bytes]:
    """The documents of the artifact that stands, as short hashes of id and content."""
    if artifact.read_manifest(directory) is None or not (directory / ITEMS).is_file():
        return set()
    with (directory / ITEMS).open(encoding="utf-8") as file:
        rows = map(json.loads, file)
        return {_mark(row["id"], row["sha256"]) for row in rows if row["sha256"]}


def _mark(name: str, sha256: str) -> bytes:
    return hashlib.blake2b(f"{name}\0{sha256}".encode(), digest_size=12).digest()


@dataclass
class _Collection:
    """All sources at once, each in a thread, so that a slow archive holds up nobody but itself."""

    config: RunConfig
    http: HttpClient
    path: Path
    known: set[bytes]
    seen: set[str] = field(default_factory=set)
    failures: list[Failed] = field(default_factory=list)
    """The first that are met, to be shown."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> dict[str, Any]:
        """Fill `path` with shards, in the order of the sources, and `items.jsonl`; returns the counts."""
        sources = self.config.corpus.sources
        sizes = [getattr(source, "bytes", None) for source in sources]
        total = sum(size for size in sizes if size) if all(sizes) else None
        with ProgressBar("collect", total, "B") as bar, ThreadPoolExecutor(len(sources)) as pool:
            folders = [self.path / f"{number:04d}" for number in range(len(sources))]
            futures = [
                pool.submit(self._collect, source, folder, bar) for source, folder in zip(sources, folders, strict=True)
            ]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                errors = [error for future in futures if future.done() and (error := future.exception())]
                if errors:
                    raise next((error for error in errors if not isinstance(error, Stopped)), errors[0])
            finally:
                # After Ctrl-C or an error the other threads end at their next document.
                self.stop.set()
                self.http.stop()
        for failed in self.failures:
            log.warning("%s: %s", failed.item, failed.reason)
        results = [future.result() for future in futures]
        self._gather(folders)
        return self._counts(results)

    def _collect(self, source: Source, folder: Path, bar: ProgressBar) -> dict[str, Any]:
        """One source: its shards and items below `folder`; returns its counts."""
        counts: Counter[str] = Counter(documents=0, bytes=0, fetched=0, unchanged=0, failed=0)
        reasons: Counter[str] = Counter()
        digest = hashlib.sha256()
        with ShardWriter(folder, RawDocument) as writer, (folder / ITEMS).open("w", encoding="utf-8") as items:
            for found in self._capped(source):
                if self.stop.is_set():
                    raise Stopped
                if isinstance(found, Failed):
                    status, reason = "failed", found.reason
                    with self.lock:
                        self.failures += [found] if len(self.failures) < SHOWN_FAILURES else []
                    reasons[found.reason.partition(":")[0]] += 1
                    row: dict[str, Any] = {"source": source.name, "id": found.item, "url": found.url}
                    row |= {"status": status, "reason": reason, "bytes": None, "sha256": None, "fetched_at": None}
                else:
                    self._check_name(found.id)
                    status = "unchanged" if _mark(found.id, found.sha256) in self.known else "fetched"
                    row = {"source": source.name, "id": found.id, "url": found.url, "status": status, "reason": None}
                    row |= {"bytes": len(found.content), "sha256": found.sha256, "fetched_at": found.fetched_at}
                    # Neither where nor when: the same documents from another mirror are the same corpus.
                    about = (found.id, found.sha256, found.format, found.title, found.author, found.date)
                    digest.update(artifact.canonical_json([*about, found.language, found.licence]) + b"\n")
                    writer.write(found)
                    counts.update(documents=1, bytes=len(found.content))
                    with self.lock:
                        bar.advance(len(found.content))
                counts[status] += 1
                items.write(json.dumps(row, ensure_ascii=False) + "\n")
        return {**counts, "reasons": dict(reasons.most_common()), "content": digest.hexdigest()}

    def _capped(self, source: Source) -> Iterator[RawDocument | Failed]:
        module = kind_module(source.kind)  # type: ignore[attr-defined]
        online = isinstance(source, OnlineSource)
        documents = size = 0
        for found in module.documents(source, self.http) if online else module.documents(source):
            if isinstance(found, RawDocument):
                documents, size = documents + 1, size + len(found.content)
                if source.max_bytes is not None and size > source.max_bytes:
                    return
            yield found
            if documents == source.max_documents:
                return

    def _check_name(self, name: str) -> None:
        with self.lock:
            if name in self.seen:
                raise ChapbookError(
                    f"Two documents are called {name}: give the sources in {self.config.corpus.name} different names "
                    "(or `columns.id` a column without repetitions)."
                )
            self.seen.add(name)

    def _gather(self, folders: list[Path]) -> None:
        """One sequence of shards and one list of items from those of the sources."""
        numbers = itertools.count()
        with (self.path / ITEMS).open("w", encoding="utf-8") as items:
            for folder in folders:
                for shard in sorted(folder.glob("*.parquet")):
                    shard.rename(self.path / f"{next(numbers):05d}.parquet")
                with (folder / ITEMS).open(encoding="utf-8") as own:
                    shutil.copyfileobj(own, items)
                shutil.rmtree(folder)

    def _counts(self, results: list[dict[str, Any]]) -> dict[str, Any]:
        by_source: dict[str, Counter[str]] = {}
        reasons: Counter[str] = Counter()
        for source, result in zip(self.config.corpus.sources, results, strict=True):
            reasons.update(result["reasons"])
            numbers = {key: value for key, value in result.items() if isinstance(value, int)}
            by_source.setdefault(source.name, Counter()).update(numbers)
        keys = ("documents", "bytes", "fetched", "unchanged", "failed")
        counts: dict[str, Any] = {key: sum(own[key] for own in by_source.values()) for key in keys}
        if not counts["documents"]:
            raise ChapbookError(self._nothing(counts["failed"], reasons))
        counts["reasons"] = dict(reasons.most_common())
        counts["sources"] = {name: {key: own[key] for key in keys} for name, own in by_source.items()}
        contents = [result["content"] for result in results]
        # Of one source alone it is that source's: nothing is gained by hashing it again.
        counts["content"] = hashlib.sha256("\n".join(contents).encode()).hexdigest()
        return counts

    def _nothing(self, failed: int, reasons: Counter[str]) -> str:
        places = [
            path for source in self.config.corpus.sources for path in (getattr(source, "paths", None) or [source.name])
        ]
        why = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
        return (
            f"No text was found in {', '.join(places)} ({failed} files could not be used{': ' if why else ''}{why}). "
            "Chapbook reads txt, html, xml, epub and pdf, and zip files of these."
        )


def _report(directory: Path, manifest: artifact.Manifest, counts: dict[str, Any], reused: bool) -> dict[str, Any]:
    columns = ("documents", "bytes", "fetched", "unchanged", "failed")
    rows = [(name, *(f"{own[column]:,}" for column in columns)) for name, own in counts["sources"].items()]
    log.info(table(f"Collected{' (reused)' if reused else ''}: {directory}", ("source", *columns), rows))
    if counts["failed"]:
        log.warning(
            "%s items failed (each with its reason in %s); --retry_failed tries them again:\n%s",
            f"{counts['failed']:,}",
            ITEMS,
            table("Failed", ("reason", "items"), [(reason, f"{n:,}") for reason, n in counts["reasons"].items()]),
        )
    result = {"stage": "collect", "path": str(directory), "reused": reused, "fingerprint": manifest.fingerprint}
    return result | counts


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Collect the documents of a run's sources.")
    parser.add_argument("--offline", action="store_true", help="take everything from what was fetched before")
    parser.add_argument("--refresh", action="store_true", help="ask servers whether anything has changed")
    parser.add_argument("--retry_failed", action="store_true", help="try again what failed, and only that")
    return run_script(collect, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
