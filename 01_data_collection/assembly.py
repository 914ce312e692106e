"""From cleaned documents to the corpus: what each document comes to is decided, then written shard by shard.

A datatrove pipeline again, one task per shard and epoch: it reads consecutive cleaned pieces and writes
`train/NNNNN.parquet`, `validation/…`, `test/…` and `rejects/…`, each only where there is something to write.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cleaning_pipeline import read_piece
from corpus_index import CorpusIndex
from datatrove.data import Document as Passing
from datatrove.pipeline.base import PipelineStep
from duplicates import KINDS, Duplicates
from engine import Piece, whole_file
from fingerprints import distinct_grams, letters_and_digits, normalise, paragraph_hash
from mixture import REASONS
from split import Boundaries, cut_into_sections, split_key

from chapbook.corpus import SHARD_BYTES, SPLITS, Document, FileWriter, Reject, decade_of, read_file

REPEATED = "repeated paragraphs"


@dataclass
class Plan:
    """What every cleaned document comes to; arrays of shape (documents,)."""

    duplicates: Duplicates
    remaining: np.ndarray
    """Characters left after repeated paragraphs are taken out."""
    gutted: np.ndarray
    """Where too little is left then, bool."""
    mixture: np.ndarray
    """A number into mixture.REASONS, 0: stays."""
    copies: np.ndarray
    """How often a training document is written."""
    key: np.ndarray
    """The split key of the document's group."""

    def refusals(self, index: CorpusIndex) -> dict[int, tuple[str, str]]:
        """Step and reason for each row that does not stay."""
        found = self.duplicates
        refused: dict[int, tuple[str, str]] = {}
        for row in np.flatnonzero(self.mixture > 0).tolist():
            refused[row] = ("mixture", f"{REASONS[self.mixture[row]]}: {index.value('source', row)}")
        for row in np.flatnonzero(self.gutted).tolist():
            refused[row] = ("duplicates", f"{REPEATED}: {self.remaining[row]} characters left")
        for row in np.flatnonzero(~found.stays()).tolist():
            kind = KINDS[found.kind[row]]
            reason = f"{kind}: {index.value('id', int(found.winner[row]))}"
            if kind != "duplicate":
                reason += f" (Jaccard {found.jaccard[row]:.2f}, contained {found.containment[row]:.2f})"
            refused[row] = ("duplicates", reason)
        return refused


@dataclass(frozen=True)
class Storing:
    """How documents that stay are stored."""

    boundaries: Boundaries
    section_characters: int | None
    split_sections: bool
    """Sections are split one by one, because there are too few documents to split."""
    seed: int

    def parts(self, document: Document, lost: set[int]) -> list[Document]:
        """The document itself, without the paragraphs it loses, or its sections."""
        text = without_paragraphs(document.text, lost)
        if text != document.text:
            document = replace(document, text=text, true_bits=None)
        return list(cut_into_sections(document, self.section_characters)) if self.section_characters else [document]

    def split_of(self, part: Document, key: float) -> str:
        """The split of a part of a document whose group has this key."""
        return self.boundaries.split_of(split_key(part.text, self.seed) if self.split_sections else key)


def write_decisions(
    path: Path, rows: range, plan: Plan, refused: dict[int, tuple[str, str]], raw_bytes: np.ndarray
) -> None:
    """Write what one shard's task has to know of its documents; they are numbered from 0."""
    here = slice(rows.start, rows.stop)
    found = plan.duplicates
    first, end = np.searchsorted(found.paragraph_rows, [rows.start, rows.stop])
    lost: dict[int, list[int]] = {}
    for row, value in zip(
        found.paragraph_rows[first:end].tolist(), found.paragraph_hashes[first:end].tolist(), strict=True
    ):
        lost.setdefault(row - rows.start, []).append(value)
    decisions = {
        "key": plan.key[here].tolist(),
        "copies": plan.copies[here].tolist(),
        "raw_bytes": raw_bytes[here].tolist(),
        "refused": {row - rows.start: refused[row] for row in rows if row in refused},
        "lost": lost,
    }
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(decisions, ensure_ascii=False), "utf-8")


def without_paragraphs(text: str, hashes: set[int]) -> str:
    """The text without the paragraphs that have these hashes."""
    if not hashes:
        return text
    kept = [
        paragraph
        for paragraph in text.split("\n\n")
        if paragraph_hash(letters_and_digits(normalise(paragraph))) not in hashes
    ]
    return "\n\n".join(kept)


class MeasureTexts(PipelineStep):
    """Applies a measure to some documents of each piece and keeps its array: `<folder>/NNNNN.npz`."""

    type = "STATS"

    def __init__(self, name: str, pieces: list[Piece], rows: list[np.ndarray], measure: Measure, folder: Path) -> None:
        super().__init__()
        self.name, self.pieces, self.rows, self.measure, self.folder = name, pieces, rows, measure, folder

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Passing]:
        """Measure the documents of piece `rank`; rows are numbers within the piece, in ascending order."""
        wanted = set(self.rows[rank].tolist())
        results = []
        for row, document in enumerate(read_piece(self.pieces[rank], Document)):
            if row in wanted:
                results.append(self.measure(rank, row, document.text))
                yield Passing(text=document.text, id=document.id)
        counts = np.array([len(result) for result in results], np.int64)
        with whole_file(self.folder / f"{rank:05d}.npy") as path, path.open("wb") as file:
            np.save(file, np.concatenate(results))
        with whole_file(self.folder / f"{rank:05d}.counts") as path, path.open("wb") as file:
            np.save(file, counts)


# (piece, row in the piece, text) -> an array.
Measure = Callable[[int, int, str], np.ndarray]


def measure_grams(piece: int, row: int, text: str) -> np.ndarray:
    """The distinct 5-grams."""
    return distinct_grams(text)


@dataclass
class MeasureRemaining:
    """How many characters are left without the repeated paragraphs."""

    lost: dict[tuple[int, int], set[int]]

    def __call__(self, piece: int, row: int, text: str) -> np.ndarray:
        """An array of one number."""
        return np.array([len(without_paragraphs(text, self.lost[piece, row]))], np.int64)


@dataclass(frozen=True)
class Shard:
    """One task of the assembly: some pieces, written for the epoch-th time."""

    number: int
    first_piece: int
    end_piece: int
    epoch: int
    bytes: int


def shards(pieces: list[Piece], epochs: int) -> list[Shard]:
    """Consecutive pieces up to the size of a shard, once per epoch."""
    result: list[Shard] = []
    first, size = 0, 0
    for number, piece in enumerate(pieces):
        size += piece.bytes
        if size >= SHARD_BYTES or number == len(pieces) - 1:
            result.append(Shard(len(result), first, number + 1, 1, size))
            first, size = number + 1, 0
    return [replace(shard, epoch=epoch) for epoch in range(1, epochs + 1) for shard in result]


class Assemble(PipelineStep):
    """Writes one shard of every split, and the refused documents of its pieces.

    Reads `decisions/NNNNN.json`, one per shard of the first epoch.
    """

    type = "WRITER"
    name = "corpus"

    def __init__(self, folder: Path, pieces: list[Piece], tasks: list[Shard], storing: Storing) -> None:
        super().__init__()
        self.folder, self.pieces, self.tasks, self.storing = folder, pieces, tasks, storing

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Passing]:
        """Write shard `rank`."""
        shard = self.tasks[rank]
        decisions = json.loads((self.folder / "decisions" / f"{shard.number:05d}.json").read_text("utf-8"))
        counts = _Counts()
        row = 0
        with _Writers(self.folder / "corpus", rank) as writers:
            for number in range(shard.first_piece, shard.end_piece):
                if shard.epoch == 1:
                    for reject in read_file(self.folder / "rejects" / f"{number:05d}.parquet", Reject):
                        writers.write("rejects", reject)
                for document in read_piece(self.pieces[number], Document):
                    if refusal := decisions["refused"].get(str(row)):
                        if shard.epoch == 1:
                            writers.write("rejects", _reject(document, refusal, decisions["raw_bytes"][row]))
                    elif shard.epoch <= decisions["copies"][row]:
                        for part in self.storing.parts(document, set(decisions["lost"].get(str(row), ()))):
                            split = self.storing.split_of(part, decisions["key"][row])
                            if shard.epoch > 1:
                                if split != "train":
                                    continue
                                part.id = f"{part.id}@{shard.epoch}"
                            writers.write(split, part)
                            counts.add(split, part, repeated=shard.epoch > 1)
                            yield Passing(text=part.text, id=part.id)
                    row += 1
        with whole_file(self.folder / "written" / f"{rank:05d}.json") as path:
            path.write_text(json.dumps(counts.by, ensure_ascii=False), "utf-8")


def _reject(document: Document, refusal: tuple[str, str], raw_bytes: int) -> Reject:
    step, reason = refusal
    return Reject(
        id=document.id,
        source=document.source,
        step=step,
        reason=reason,
        sha256=document.sha256,
        bytes=raw_bytes,
        text=document.text,
    )


class _Writers:
    """One file per split, opened when the first document comes; all get their names together at the end."""

    def __init__(self, folder: Path, rank: int) -> None:
        self.folder, self.rank = folder, rank
        self.names = ExitStack()
        self.open: dict[str, FileWriter] = {}

    def write(self, kind: str, row: Document | Reject) -> None:
        if kind not in self.open:
            path = self.names.enter_context(whole_file(self.folder / kind / f"{self.rank:05d}.parquet"))
            self.open[kind] = FileWriter(path, type(row))
        self.open[kind].write(row)

    def __enter__(self) -> _Writers:
        return self

    def __exit__(self, *exception: Any) -> None:
        if exception[0] is None:
            for writer in self.open.values():
                writer.close()
        self.names.__exit__(*exception)


class _Counts:
    """Documents and bytes per split, source, decade, language and licence."""

    FIELDS = ("split", "source", "decade", "language", "licence")

    def __init__(self) -> None:
        self.by: dict[str, dict[str, Counter[str]]] = {name: {} for name in self.FIELDS}

    def add(self, split: str, document: Document, *, repeated: bool) -> None:
        values = (
            split,
            document.source,
            decade_of(document.date),
            document.language or "unknown",
            document.licence or "unknown",
        )
        size = document.byte_count()
        for name, value in zip(self.FIELDS, values, strict=True):
            counter = self.by[name].setdefault(value, Counter())
            counter.update(documents=1, bytes=size)
            if repeated:
                counter.update(repeated_documents=1, repeated_bytes=size)


def merge_counts(folder: Path, tasks: int) -> dict[str, dict[str, dict[str, int]]]:
    """What all tasks wrote, in the order of the names."""
    total: dict[str, dict[str, Counter[str]]] = {name: {} for name in _Counts.FIELDS}
    for rank in range(tasks):
        for name, values in json.loads((folder / "written" / f"{rank:05d}.json").read_text("utf-8")).items():
            for value, counts in values.items():
                total[name].setdefault(value, Counter()).update(counts)
    for split in SPLITS:
        total["split"].setdefault(split, Counter())
    return {
        name: {value: {"documents": 0, "bytes": 0, **counts} for value, counts in sorted(values.items())}
        for name, values in total.items()
    }
