"""From raw documents to a corpus: clean piece by piece, decide about all, write shard by shard, sum up."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import accounting
import numpy as np
import pyarrow.parquet as pq
from assembly import Assemble, Plan, merge_counts
from assembly import shards as cut_into_shards
from cleaning import DUPLICATES
from cleaning_pipeline import cleaning_pipeline
from corpus_index import CorpusIndex
from corpus_page import corpus_page
from duplicates import groups
from engine import Piece, PieceExecutor, cpu_count, cut_into_pieces
from planning import make_plan

from chapbook.config import CorpusConfig
from chapbook.corpus import SPLITS
from chapbook.errors import ChapbookError


def build_corpus(
    path: Path, work: Path, raw: Path, settings: CorpusConfig, order: list[str], workers: int | None
) -> dict[str, Any]:
    """Fill the empty folder `path` with the corpus; returns the counts.

    work: where finished pieces are kept until the corpus is whole; a later call goes on from them. order: the steps,
    `duplicates` last if at all. Raises ChapbookError when a piece failed or nothing is left.
    """
    workers = workers or cpu_count()

    def run(name: str, pipeline: list[Any], sizes: list[int]) -> None:
        PieceExecutor(name, pipeline, sizes, work / "progress" / name, workers).run()

    pieces = cut_into_pieces(raw, "content")
    steps, search = [name for name in order if name != DUPLICATES], DUPLICATES in order
    run("clean", cleaning_pipeline(pieces, steps, settings, work, fingerprints=search), [p.bytes for p in pieces])
    totals = Totals(work, len(pieces))
    index = CorpusIndex(work, len(pieces))
    if not len(index):
        raise ChapbookError(_all_rejected(totals))

    started = time.process_time()
    cleaned = cut_cleaned(work, len(pieces))
    plan, storing, accounts = make_plan(work, index, cleaned, settings, run, search=search)
    totals.seconds["planning"] = time.process_time() - started
    totals.accounts |= accounts
    accounting.check(totals.accounts, totals.documents)
    totals.score(index, plan, search=search)
    if not totals.kept:
        raise ChapbookError(_all_rejected(totals))

    tasks = cut_into_shards(cleaned, int(plan.copies.max()))
    run("write", [Assemble(work, cleaned, tasks, storing)], [task.bytes for task in tasks])
    written = merge_counts(work, len(tasks))
    splits = {name: written["split"][name] for name in SPLITS}
    if not splits["train"]["documents"]:
        raise ChapbookError(
            f"The corpus has only {sum(s['documents'] for s in splits.values())} document(s) or sections, or they are "
            "all alike: too little to train on and to hold something back. "
            "Add text, or set corpus.validation_share to 0."
        )
    statistics = totals.statistics() | {"corpus": written, "paragraphs_removed": len(plan.duplicates.paragraph_rows)}
    (path / "statistics.json").write_text(json.dumps(statistics, indent=1, ensure_ascii=False) + "\n", "utf-8")
    _write_lines(path / "duplicates.jsonl", groups(plan.duplicates, index))
    examples = totals.examples.in_order(steps)
    _write_lines(path / "examples.jsonl", ({k: v for k, v in each.items() if k != "order"} for each in examples))
    _move_shards(work, path)
    page = corpus_page(settings.name, path, totals.truth.scores, totals.truth_by_step())
    (path / "report.html").write_text(page, "utf-8")
    return {
        **totals.counts(),
        "documents": sum(split["documents"] for split in splits.values()),
        "bytes": sum(split["bytes"] for split in splits.values()),
        "section_characters": storing.section_characters,
        "splits": splits,
        **{f"by_{field}": written[field] for field in ("source", "decade", "language", "licence")},
        "pieces": len(pieces),
        "workers": workers,
    }


class Totals:
    """What all pieces counted, summed up."""

    def __init__(self, work: Path, pieces: int) -> None:
        reports = [json.loads((work / "counts" / f"{rank:05d}.json").read_text("utf-8")) for rank in range(pieces)]
        self.accounts = accounting.merge(report["steps"] for report in reports)
        self.examples, self.truth = accounting.Examples(), accounting.TruthScore()
        self.truth_of_steps: dict[str, accounting.StepTruth] = {}
        self.sources: dict[str, Counter[str]] = {}
        self.seconds: dict[str, float] = {}
        """CPU time per step; differs from run to run, so it goes into the manifest alone."""
        for report in reports:
            self.examples.add(report["examples"])
            self.truth.add_all(report["truth"])
            for name, values in report["truth_of_steps"].items():
                self.truth_of_steps.setdefault(name, accounting.StepTruth()).add(values)
            for name, seconds in report["seconds"].items():
                self.seconds[name] = self.seconds.get(name, 0.0) + seconds
            for name, counts in report["sources"].items():
                self.sources.setdefault(name, Counter()).update(counts)
        self.documents = sum(source["documents"] for source in self.sources.values())

    @property
    def kept(self) -> int:
        """Documents that came through all steps."""
        return self.documents - sum(account.rejected.total() for account in self.accounts.values())

    def score(self, index: CorpusIndex, plan: Plan, *, search: bool) -> None:
        """Score the generated documents that the steps kept, and the search for duplicates if there was one.

        What the mixture leaves out is no judgement.
        """
        kinds, names = index.codes("truth_kind")
        to_reject, exact = index.numbers("to_reject"), index.numbers("exact").copy()
        # No repeated paragraph is planted: to take one out is harm.
        cut = np.zeros(len(index), bool)
        cut[plan.duplicates.paragraph_rows] = True
        exact[cut] = False
        of_search = accounting.StepTruth()
        rejected = ~plan.duplicates.stays() | plan.gutted
        scored = np.flatnonzero((plan.mixture == 0) & np.array([name != "" for name in names])[kinds])
        for row in scored.tolist():
            kind = names[kinds[row]]
            self.truth.add(kind, to_reject=bool(to_reject[row]), rejected=bool(rejected[row]), exact=bool(exact[row]))
            if rejected[row]:
                of_search.refused[kind] += 1
            elif cut[row] and not to_reject[row]:
                of_search.touched += 1
                of_search.harmed += 1
        if search:
            self.truth_of_steps[DUPLICATES] = of_search

    def truth_by_step(self) -> dict[str, dict[str, Any]]:
        """Precision and recall of the steps on generated documents; empty without any."""
        if not self.truth.scores:
            return {}
        return accounting.truth_by_step(self.truth_of_steps, self.truth.scores, self.truth_of_steps)

    def statistics(self) -> dict[str, Any]:
        """The figures that are the same on every machine at any time."""
        return {
            "documents_in": self.documents,
            "documents_kept": self.kept,
            "sources_in": {name: dict(counts) for name, counts in sorted(self.sources.items())},
            "steps": {name: account.to_json() for name, account in self.accounts.items()},
        }

    def counts(self) -> dict[str, Any]:
        """The figures for the manifest."""
        reasons = {
            f"{step}: {reason}": number
            for step, account in self.accounts.items()
            for reason, number in account.rejected.items()
        }
        counts = {
            "in": self.documents,
            "kept": self.kept,
            "rejected": self.documents - self.kept,
            "bytes_in": sum(source["bytes"] for source in self.sources.values()),
            "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
            "step_seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }
        if self.truth.scores:
            counts |= {"truth": self.truth.scores, "truth_by_step": self.truth_by_step()}
        return counts


def cut_cleaned(work: Path, pieces: int) -> list[Piece]:
    """The cleaned pieces: one file each."""
    result = []
    for rank in range(pieces):
        path = work / "cleaned" / f"{rank:05d}.parquet"
        metadata = pq.read_metadata(path)
        sizes = [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]
        result.append(Piece(((path, 0, len(sizes)),), sum(sizes)))
    return result


def _move_shards(work: Path, path: Path) -> None:
    # The shards leave the work folder: whoever goes on after a crash from here has to write them again.
    shutil.rmtree(work / "progress" / "write")
    for name in (*SPLITS, "rejects"):
        folder = work / "corpus" / name
        folder.mkdir(parents=True, exist_ok=True)
        # Processes that were killed left these.
        for temporary in folder.glob(".*.tmp"):
            temporary.unlink()
        folder.rename(path / name)


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _all_rejected(totals: Totals) -> str:
    reasons = ", ".join(f"{reason}: {number}" for reason, number in totals.counts()["reasons"].items())
    return (
        f"Cleaning rejected all {totals.documents} documents ({reasons}). "
        "Look at the texts, or relax corpus.languages, corpus.min_characters or corpus.steps."
    )
