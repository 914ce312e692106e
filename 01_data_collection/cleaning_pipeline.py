"""Cleaning as a datatrove pipeline: read a piece of the raw documents, take each through the steps, write what is left.

    [ReadRaw(pieces), CleaningStep("decode", …), …, WriteCleaned(folder)]

One task is one piece. What a task leaves in the work folder, each file whole or not there:
`cleaned/NNNNN.parquet` (Document), `rejects/NNNNN.parquet` (Reject), `index/NNNNN.parquet` (one row per cleaned
document: what later decisions need without its text), `fingerprints/*/NNNNN.npy`, `counts/NNNNN.json`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accounting import Examples, StepAccount, StepTruth, TruthScore, scored_kind
from cleaning import STEPS, Draft, Rejected, Step
from datatrove.data import Document as Passing
from datatrove.pipeline.base import PipelineStep
from engine import Piece, whole_file
from fingerprints import Fingerprints, fingerprint
from split import split_key

from chapbook.config import CorpusConfig
from chapbook.corpus import Document, FileWriter, RawDocument, Reject, decade_of, read_row_groups
from chapbook.log import log

# Texts are fingerprinted together up to so many characters.
BATCH_CHARACTERS = 500_000
# Formats whose bytes are no text that a person could read.
BINARY_FORMATS = ("epub", "pdf")


@dataclass
class Passage:
    """What travels with a document through the pipeline."""

    draft: Draft
    reject: Reject | None = None


class ReadRaw(PipelineStep):
    """Reads the raw documents of one piece."""

    type = "READER"
    name = "raw documents"

    def __init__(self, pieces: list[Piece]) -> None:
        super().__init__()
        self.pieces = pieces

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Passing]:
        """Yield the documents of piece `rank`, in order."""
        for raw in read_piece(self.pieces[rank], RawDocument):
            yield Passing(text="", id=raw.id, metadata={"passage": Passage(Draft(raw=raw))})


def read_piece(piece: Piece, row_type: type) -> Iterator[Any]:
    """The rows of a piece, in order, in bounded memory."""
    import pyarrow.parquet as pq

    for path, first, end in piece.ranges:
        with pq.ParquetFile(path) as shard:
            yield from read_row_groups(shard, range(first, end), row_type)


# Steps by name and settings, made once per process: some load models and word lists.
_MADE: dict[tuple[str, str], Step] = {}


def make_step(name: str, settings: CorpusConfig) -> Step:
    """The step `name`, new or as made for an earlier piece."""
    key = (name, settings.model_dump_json())
    if key not in _MADE:
        _MADE[key] = STEPS[name](settings)
    return _MADE[key]


class CleaningStep(PipelineStep):
    """One step of `cleaning/`, counted and timed. A document that it refuses passes the steps after it untouched."""

    type = "CLEANING"

    def __init__(self, name: str, settings: CorpusConfig, step: Step | None = None) -> None:
        super().__init__()
        self.name = name
        self.settings = settings
        self.step = step
        """Given in tests; otherwise the one in STEPS."""
        self.account = StepAccount()
        self.examples = Examples()
        self.truth = StepTruth()
        self.seconds = 0.0

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Passing]:
        """Take each document through the step."""
        step = self.step or make_step(self.name, self.settings)
        for document in data:
            passage: Passage = document.metadata["passage"]
            if passage.reject is None:
                passage.reject = self._apply(step, passage.draft)
                document.text = passage.draft.text
            yield document

    def _apply(self, step: Step, draft: Draft) -> Reject | None:
        account, before, raw = self.account, draft.text, draft.raw
        account.documents_in += 1
        account.characters_in += len(before)
        started = time.thread_time()
        reject = apply_step(self.name, step, draft)
        self.seconds += time.thread_time() - started
        if reject is not None:
            account.rejected[reject.reason.split(":")[0]] += 1
            account.characters_rejected += len(before)
            if kind := scored_kind(raw, self.settings):
                self.truth.refused[kind] += 1
            return reject
        account.documents_out += 1
        account.characters_out += len(draft.text)
        if draft.text == before:
            return None
        # The first step to make a text of bytes changes something when the bytes are not that text.
        found = before or as_found(raw)
        if found != draft.text:
            account.changed += 1
            if found:
                self.examples.offer(self.name, raw.id, found, draft.text)
            if raw.truth and (kind := scored_kind(raw, self.settings)):
                self.truth.note_change(self.name, kind, raw.truth, found, draft.text)
        return None


def apply_step(name: str, step: Step, draft: Draft) -> Reject | None:
    """Take one draft through one step; returns the refusal, if it is one.

    One bad document never stops a corpus: an error that no step foresaw refuses the document too, and is logged.
    """
    try:
        step(draft)
    except Rejected as refusal:
        return refuse(draft, name, refusal)
    except Exception as error:
        log.warning("the step %s failed on %s: %s: %s", name, draft.raw.id, type(error).__name__, error)
        return refuse(draft, name, Rejected("step failed", f"{type(error).__name__}: {error}"))
    return None


def refuse(draft: Draft, step: str, refusal: Rejected) -> Reject:
    """The refused document as it is kept."""
    detail = f": {refusal.detail}" if refusal.detail else ""
    return Reject(
        id=draft.raw.id,
        source=draft.raw.source,
        step=step,
        reason=f"{refusal.reason}{detail}",
        sha256=draft.raw.sha256,
        bytes=len(draft.raw.content),
        text=draft.text or as_found(draft.raw),
    )


def as_found(raw: RawDocument) -> str:
    """The bytes of a text format read as UTF-8; nothing for formats that are no text."""
    return "" if raw.format in BINARY_FORMATS else raw.content.decode("utf-8", "replace")


def finished(draft: Draft) -> Document:
    """The document that a draft became."""
    raw = draft.raw
    return Document(
        id=raw.id,
        source=raw.source,
        url=raw.url,
        title=draft.title,
        author=draft.author,
        date=draft.date,
        language=draft.language,
        licence=raw.licence,
        sha256=raw.sha256,
        fetched_at=raw.fetched_at,
        text=draft.text,
        measures=draft.measures,
        # The generator's probability belongs to exactly its text; a text that differs has an unknown one.
        true_bits=raw.true_bits if raw.truth == draft.text else None,
    )


def index_schema() -> Any:
    """The columns of the index."""
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("id", "source", "decade", "language", "licence", "truth_kind")]
    numbers = [(name, pa.int64()) for name in ("raw_bytes", "bytes", "characters", "letters")]
    flags = [(name, pa.bool_()) for name in ("to_reject", "exact")]
    return pa.schema([*texts, *numbers, ("key", pa.float64()), *flags])


class _FingerprintWriter:
    """Fingerprints the texts of a piece, batch by batch, and writes the arrays."""

    def __init__(self, paragraph_letters: int | None) -> None:
        self.paragraph_letters = paragraph_letters
        self.batches: list[Fingerprints] = []
        self.texts: list[str] = []
        self.characters = 0
        self.seconds = 0.0

    def add(self, text: str) -> None:
        self.texts.append(text)
        self.characters += len(text)
        if self.characters >= BATCH_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        started = time.thread_time()
        self.batches.append(fingerprint(self.texts, self.paragraph_letters))
        self.seconds += time.thread_time() - started
        self.texts, self.characters = [], 0

    def save(self, folder: Path, rank: int) -> list[int]:
        """Write all arrays; returns the letters of each text."""
        # An empty batch gives empty arrays their shapes.
        self._flush()
        for name in Fingerprints.ARRAYS:
            with whole_file(folder / name / f"{rank:05d}.npy") as path, path.open("wb") as file:
                np.save(file, np.concatenate([getattr(batch, name) for batch in self.batches]))
        return [letters for batch in self.batches for letters in batch.letters]


class WriteCleaned(PipelineStep):
    """Writes what is left of a piece, what was refused, and what was counted."""

    type = "WRITER"
    name = "cleaned documents"

    def __init__(self, folder: Path, steps: list[CleaningStep], settings: CorpusConfig, *, fingerprints: bool) -> None:
        super().__init__()
        self.folder, self.steps, self.settings = folder, steps, settings
        self.seed, self.paragraph_letters = settings.split_seed, settings.duplicates.paragraph_letters
        self.fingerprints = fingerprints

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Passing]:
        """Write the piece."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        name = f"{rank:05d}.parquet"
        rows: list[dict[str, Any]] = []
        fingerprints = _FingerprintWriter(self.paragraph_letters)
        truth = TruthScore()
        sources: dict[str, Counter[str]] = {}
        with (
            whole_file(self.folder / "cleaned" / name) as cleaned,
            whole_file(self.folder / "rejects" / name) as refused,
        ):
            kept, rejects = FileWriter(cleaned, Document), FileWriter(refused, Reject)
            for document in data:
                passage: Passage = document.metadata["passage"]
                raw = passage.draft.raw
                sources.setdefault(raw.source, Counter()).update(documents=1, bytes=len(raw.content))
                kind = scored_kind(raw, self.settings)
                if passage.reject is not None:
                    rejects.write(passage.reject)
                    if kind:
                        truth.add(kind, to_reject=raw.truth == "", rejected=True, exact=False)
                    continue
                kept.write(finished(passage.draft))
                rows.append(self._index_row(passage.draft, kind))
                if self.fingerprints:
                    fingerprints.add(passage.draft.text)
                yield document
            kept.close()
            rejects.close()
        if self.fingerprints:
            for row, letters in zip(rows, fingerprints.save(self.folder / "fingerprints", rank), strict=True):
                row["letters"] = letters
        with whole_file(self.folder / "index" / name) as path:
            pq.write_table(pa.Table.from_pylist(rows, schema=index_schema()), path, compression="zstd")
        counts = {
            "kept": len(rows),
            "sources": sources,
            "steps": {step.name: step.account.to_json() for step in self.steps},
            "examples": [example for step in self.steps for example in step.examples.in_order([step.name])],
            "truth": truth.scores,
            "truth_of_steps": {step.name: step.truth.to_json() for step in self.steps},
            "seconds": {**{step.name: step.seconds for step in self.steps}, "fingerprints": fingerprints.seconds},
        }
        with whole_file(self.folder / "counts" / f"{rank:05d}.json") as path:
            path.write_text(json.dumps(counts, ensure_ascii=False), "utf-8")

    def _index_row(self, draft: Draft, kind: str) -> dict[str, Any]:
        encoded = len(draft.text.encode("utf-8"))
        return {
            "id": draft.raw.id,
            "source": draft.raw.source,
            "decade": decade_of(draft.date),
            "language": draft.language or "unknown",
            "licence": draft.raw.licence or "unknown",
            "truth_kind": kind,
            "to_reject": draft.raw.truth == "",
            "exact": draft.raw.truth == draft.text,
            "raw_bytes": len(draft.raw.content),
            "bytes": encoded,
            "characters": len(draft.text),
            "letters": encoded,
            "key": split_key(draft.text, self.seed),
        }


def cleaning_pipeline(
    pieces: list[Piece], order: list[str], settings: CorpusConfig, folder: Path, *, fingerprints: bool
) -> list[PipelineStep]:
    """The pipeline of a corpus; any datatrove executor with one task per piece runs it."""
    steps = [CleaningStep(name, settings) for name in order]
    return [ReadRaw(pieces), *steps, WriteCleaned(folder, steps, settings, fingerprints=fingerprints)]
