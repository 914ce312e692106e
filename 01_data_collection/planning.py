"""What each cleaned document comes to: twin, left out by the mixture, or stored in which split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from accounting import StepAccount
from assembly import (
    REPEATED,
    MeasureRemaining,
    MeasureTexts,
    Plan,
    Storing,
    measure_grams,
    shards,
    write_decisions,
)
from cleaning_pipeline import read_piece
from corpus_index import CorpusIndex
from duplicates import KINDS, SEARCH_AMOUNT, Duplicates, find_duplicates
from engine import Piece, whole_file
from mixture import REASONS, choose, second_key
from split import FEW_DOCUMENTS, TRAINED_ON, assign_split, group_keys, section_length, split_key

from chapbook.config import CorpusConfig
from chapbook.corpus import Document
from chapbook.log import ProgressBar, log

# Runs a pipeline of one task per piece: what the bar says, the steps, the bytes of each task.
Run = Callable[[str, list[Any], list[int]], None]


def make_plan(
    work: Path, index: CorpusIndex, pieces: list[Piece], settings: CorpusConfig, run: Run, *, search: bool
) -> tuple[Plan, Storing, dict[str, StepAccount]]:
    """Decide about every document and write the decisions for the shards.

    search: whether to look for duplicates. Returns the plan, how documents are stored, and the accounts of the two
    steps that look at the whole corpus.
    """
    found = _duplicates(work, index, pieces, settings, run) if search else Duplicates.none(len(index))
    remaining = _remaining(work, index, pieces, found, run)
    gutted = (remaining < index.numbers("characters")) & (remaining < settings.min_characters)
    stays = found.stays() & ~gutted
    keys = index.numbers("key")
    sources, names = index.codes("source")
    reasons, copies = choose(sources, names, index.numbers("bytes") * stays, keys, settings.mixture)
    reasons[~stays] = 0
    stays &= reasons == 0

    kept = np.flatnonzero(stays)
    shares = [share for share in (settings.validation_share, settings.test_share) if share]
    # Held back, such a group would be twice what was asked for, or more.
    largest = max(0.1, 2 * min(shares, default=0.0)) * len(kept)
    group_key = keys.copy()
    group_key[kept] = group_keys(keys[kept], found.group[kept], second_key(keys[kept]), largest)
    plan = Plan(found, remaining, gutted, reasons, copies, group_key)
    refused = plan.refusals(index)
    storing = _storing(index, pieces, settings, plan, stays)

    raw_bytes = index.numbers("raw_bytes")
    for shard in shards(pieces, 1):
        rows = range(int(index.starts[shard.first_piece]), int(index.starts[shard.end_piece]))
        write_decisions(work / "decisions" / f"{shard.number:05d}.json", rows, plan, refused, raw_bytes)
    accounts = {"duplicates": _account_duplicates(index, plan)} if search else {}
    if settings.mixture:
        accounts["mixture"] = _account_mixture(plan, stays | (reasons > 0))
    return plan, storing, accounts


def _duplicates(work: Path, index: CorpusIndex, pieces: list[Piece], settings: CorpusConfig, run: Run) -> Duplicates:
    path = work / "duplicates.npz"
    if not path.exists():

        def grams_of(rows: np.ndarray) -> Callable[[int], np.ndarray]:
            return _measure("compare", work, index, pieces, rows, measure_grams, run)

        with ProgressBar("duplicates", SEARCH_AMOUNT) as bar:
            found = find_duplicates(index, settings.duplicates, grams_of, bar.advance)
        with whole_file(path) as temporary:
            found.save(temporary)
    return Duplicates.load(path)


def _measure(
    name: str, work: Path, index: CorpusIndex, pieces: list[Piece], rows: np.ndarray, measure: Any, run: Run
) -> Callable[[int], np.ndarray]:
    """Measure the texts of some rows, piece by piece; returns a function from row to its array, mapped from disk."""
    per_piece = np.split(rows, np.searchsorted(rows, index.starts[1:-1]))
    touched = [number for number, some in enumerate(per_piece) if len(some)]
    local = [per_piece[number] - index.starts[number] for number in touched]
    folder = work / name
    step = MeasureTexts(name, [pieces[number] for number in touched], local, measure, folder)
    if touched:
        run(name, [step], [pieces[number].bytes for number in touched])
    place: dict[int, tuple[int, int, int]] = {}
    for task, number in enumerate(touched):
        ends = np.cumsum(np.load(folder / f"{task:05d}.counts"))
        for row, start, end in zip(per_piece[number].tolist(), [0, *ends.tolist()], ends.tolist(), strict=False):
            place[row] = (task, start, end)
    arrays = [np.load(folder / f"{task:05d}.npy", mmap_mode="r") for task in range(len(touched))]

    def result(row: int) -> np.ndarray:
        task, start, end = place[row]
        return arrays[task][start:end]

    return result


def _remaining(work: Path, index: CorpusIndex, pieces: list[Piece], found: Duplicates, run: Run) -> np.ndarray:
    """Characters that each document keeps."""
    remaining = index.numbers("characters").copy()
    rows = np.unique(found.paragraph_rows)
    if not len(rows):
        return remaining
    lost: dict[tuple[int, int], set[int]] = {}
    number_of = np.searchsorted(index.starts, rows, side="right") - 1
    task_of = {int(number): task for task, number in enumerate(np.unique(number_of).tolist())}
    for row, number in zip(rows.tolist(), number_of.tolist(), strict=True):
        first, end = np.searchsorted(found.paragraph_rows, [row, row + 1])
        lost[task_of[number], row - int(index.starts[number])] = set(found.paragraph_hashes[first:end].tolist())
    result = _measure("paragraphs", work, index, pieces, rows, MeasureRemaining(lost), run)
    remaining[rows] = [int(result(row)[0]) for row in rows.tolist()]
    return remaining


def _storing(index: CorpusIndex, pieces: list[Piece], settings: CorpusConfig, plan: Plan, stays: np.ndarray) -> Storing:
    """How documents are cut and split. Very few are cut into sections, and each section is split by itself."""
    number = int(stays.sum())
    few = number < FEW_DOCUMENTS
    section = settings.section_characters
    if section is None and few:
        section = section_length(int(plan.remaining[stays].sum()))
        log.info("only %d documents: cut into sections of about %s characters before splitting", number, f"{section:,}")
    shares = settings.validation_share, settings.test_share
    if not few:
        free = sorted(key for key in plan.key[stays].tolist() if key < TRAINED_ON)
        if not free and any(shares):
            log.warning("all documents are similar to each other: none can be held back without being trained on")
        return Storing(assign_split(free, *shares), section, False, settings.split_seed)
    # One pass for the keys alone: a split that would stay empty is given the section nearest to it.
    storing = Storing(assign_split([], *shares), section, True, settings.split_seed)
    keys = []
    found = plan.duplicates
    row = 0
    for piece in pieces:
        for document in read_piece(piece, Document):
            if stays[row]:
                first, end = np.searchsorted(found.paragraph_rows, [row, row + 1])
                parts = storing.parts(document, set(found.paragraph_hashes[first:end].tolist()))
                keys += [split_key(part.text, settings.split_seed) for part in parts]
            row += 1
    return Storing(assign_split(sorted(keys), *shares, exact=True), section, True, settings.split_seed)


def _account_duplicates(index: CorpusIndex, plan: Plan) -> StepAccount:
    found, characters = plan.duplicates, index.numbers("characters")
    stays = found.stays()
    account = StepAccount(documents_in=len(index), characters_in=int(characters.sum()))
    for kind, number in zip(*np.unique(found.kind[~stays], return_counts=True), strict=True):
        account.rejected[KINDS[kind]] = int(number)
    if plan.gutted.any():
        account.rejected[REPEATED] = int(plan.gutted.sum())
    out = stays & ~plan.gutted
    account.documents_out = int(out.sum())
    account.characters_out = int(plan.remaining[out].sum())
    account.characters_rejected = int(characters[~out].sum())
    account.changed = int((out & (plan.remaining < characters)).sum())
    return account


def _account_mixture(plan: Plan, came: np.ndarray) -> StepAccount:
    out = came & (plan.mixture == 0)
    account = StepAccount(documents_in=int(came.sum()), characters_in=int(plan.remaining[came].sum()))
    for reason, number in zip(*np.unique(plan.mixture[came & ~out], return_counts=True), strict=True):
        account.rejected[REASONS[reason]] = int(number)
    account.documents_out, account.characters_out = int(out.sum()), int(plan.remaining[out].sum())
    account.characters_rejected = int(plan.remaining[came & ~out].sum())
    return account
