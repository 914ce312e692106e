"""Clean the raw documents of a run, refuse what is no good text, and split what is left by document.

    python 01_data_collection/clean.py --config configs/demo.yaml

In: `raw/<corpus>/`. Out: `corpora/<corpus>/` with `train/`, `validation/`, `test/` and `rejects/`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleaning import DEFAULT_ORDER, STEPS, Draft, Rejected, Step
from split import FEW_DOCUMENTS, assign_split, cut_into_sections, section_length, split_key

from chapbook import artifact
from chapbook.config import CorpusConfig, RunConfig
from chapbook.corpus import SPLITS, Document, RawDocument, Reject, ShardWriter, read_shards
from chapbook.errors import ChapbookError, ConfigError
from chapbook.log import ProgressBar, log, table
from chapbook.script import ScriptParser, run_script
from chapbook.workspace import Workspace

# Raise when a step gives other text for the same input.
FORMAT_VERSION = 1
EXCERPT_CHARACTERS = 300


def clean(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Clean and split the corpus; returns the counts. Raises ArtifactError without raw documents."""
    settings = config.corpus
    order = settings.steps or DEFAULT_ORDER
    if unknown := [name for name in order if name not in STEPS]:
        raise ConfigError(
            [f"corpus.steps: there is no step {name} (there are: {', '.join(STEPS)})" for name in unknown],
            str(arguments.config),
        )
    raw = workspace.raw(settings.name)
    raw_manifest = artifact.require(raw, "raw", f"Make it with: collect.py --config {arguments.config}")
    recipe = artifact.Recipe(
        kind="corpus",
        format_version=FORMAT_VERSION,
        config=settings.model_dump(exclude={"name", "sources"}) | {"steps": order},
        inputs={"raw": raw_manifest.fingerprint},
    )

    def build(path: Path) -> dict[str, Any]:
        return _clean_into(path, raw, settings, order, raw_manifest.counts["bytes"])

    directory = workspace.corpus(settings.name)
    manifest, reused = artifact.ensure(directory, recipe, build)
    log.info(_summary(directory, manifest.counts, reused))
    counts = manifest.counts
    return {"stage": "clean", "path": str(directory), "reused": reused, "fingerprint": manifest.fingerprint, **counts}


def _clean_into(path: Path, raw: Path, settings: CorpusConfig, order: list[str], raw_bytes: int) -> dict[str, Any]:
    steps = [(name, STEPS[name](settings)) for name in order]
    counts: dict[str, Any] = {"in": 0, "kept": 0, "rejected": 0, "bytes_in": 0}
    reasons: Counter[str] = Counter()
    truth = TruthScore()
    # Cleaned once, then split: the number of kept documents decides how.
    cleaned = path / ".cleaned"
    with (
        ShardWriter(cleaned, Document) as kept,
        ShardWriter(path / "rejects", Reject) as rejects,
        ProgressBar("clean", raw_bytes, "B") as bar,
    ):
        for document in read_shards(raw, RawDocument):
            counts["in"] += 1
            counts["bytes_in"] += len(document.content)
            result = clean_document(document, steps)
            truth.add(document, result)
            if isinstance(result, Reject):
                reasons[f"{result.step}: {result.reason.split(':')[0]}"] += 1
                rejects.write(result)
            else:
                kept.write(result)
            bar.advance(len(document.content))
    counts["kept"], counts["rejected"] = kept.rows_written, rejects.rows_written
    if counts["in"] != counts["kept"] + counts["rejected"]:
        raise ChapbookError(f"documents do not add up: {counts}")
    if not counts["kept"]:
        raise ChapbookError(
            f"Cleaning rejected all {counts['in']} documents ({', '.join(f'{k}: {v}' for k, v in reasons.items())}). "
            "Look at the texts, or relax corpus.languages, corpus.min_characters or corpus.steps."
        )
    counts["reasons"] = dict(reasons.most_common())
    counts |= _split_into(path, cleaned, settings, counts["kept"])
    shutil.rmtree(cleaned)
    if truth.scores:
        counts["truth"] = truth.scores
    return counts


def clean_document(raw: RawDocument, steps: list[tuple[str, Step]]) -> Document | Reject:
    """Take one document through all steps: the cleaned document, or the first refusal with its reason."""
    draft = Draft(raw=raw)
    for name, step in steps:
        try:
            step(draft)
        except Exception as error:
            # One bad document never stops a corpus. An error that no step foresaw is a defect of ours: say so.
            if not isinstance(error, Rejected):
                log.warning("the step %s failed on %s: %s: %s", name, raw.id, type(error).__name__, error)
            refusal = (
                error if isinstance(error, Rejected) else Rejected("step failed", f"{type(error).__name__}: {error}")
            )
            detail = f": {refusal.detail}" if refusal.detail else ""
            text = draft.text or raw.content[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")
            return Reject(
                id=raw.id,
                source=raw.source,
                step=name,
                reason=f"{refusal.reason}{detail}",
                sha256=raw.sha256,
                bytes=len(raw.content),
                excerpt=text[:EXCERPT_CHARACTERS],
            )
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
        # The generator's probability belongs to exactly its text; a text that differs has an unknown one.
        true_bits=raw.true_bits if raw.truth == draft.text else None,
    )


class TruthScore:
    """How cleaning did on generated documents, whose right result is known, per kind of planted dirt."""

    def __init__(self) -> None:
        self.scores: dict[str, dict[str, int]] = {}

    def add(self, raw: RawDocument, result: Document | Reject) -> None:
        """Count one document: right (rejected as it should be, or the true text to the letter) or wrong."""
        if raw.truth is None:
            return
        score = self.scores.setdefault(
            "+".join(raw.dirt) or "clean",
            {"documents": 0, "right": 0, "wrongly_kept": 0, "wrongly_rejected": 0, "other_text": 0},
        )
        score["documents"] += 1
        if isinstance(result, Reject):
            score["right" if raw.truth == "" else "wrongly_rejected"] += 1
        elif raw.truth == "":
            score["wrongly_kept"] += 1
        else:
            score["right" if result.text == raw.truth else "other_text"] += 1


def _split_into(path: Path, cleaned: Path, settings: CorpusConfig, kept: int) -> dict[str, Any]:
    section = settings.section_characters
    if section is None and kept < FEW_DOCUMENTS:
        section = section_length(sum(len(document.text) for document in read_shards(cleaned, Document)))
        log.info("only %d documents: cut into sections of about %s characters before splitting", kept, f"{section:,}")

    def sections() -> Iterator[Document]:
        for document in read_shards(cleaned, Document):
            yield from cut_into_sections(document, section) if section else [document]

    # One pass for the keys alone: a split that would stay empty is given the document nearest to it.
    keys = sorted(split_key(document.text, settings.split_seed) for document in sections())
    boundaries = assign_split(keys, settings.validation_share, settings.test_share, exact=section is not None)
    splits: dict[str, Any] = {name: {"documents": 0, "bytes": 0} for name in SPLITS}
    by: dict[str, dict[str, dict[str, int]]] = {
        field: defaultdict(lambda: {"documents": 0, "bytes": 0}) for field in ("source", "language", "licence")
    }
    writers = {name: ShardWriter(path / name, Document) for name in SPLITS}
    for document in sections():
        name = boundaries.split_of(split_key(document.text, settings.split_seed))
        writers[name].write(document)
        for group in (splits[name], *(by[field][getattr(document, field) or "unknown"] for field in by)):
            group["documents"] += 1
            group["bytes"] += document.byte_count()
    for writer in writers.values():
        writer.close()
    if not splits["train"]["documents"]:
        raise ChapbookError(
            f"The corpus has only {sum(s['documents'] for s in splits.values())} document(s) or sections, or they are "
            "all alike: too little to train on and to hold something back. "
            "Add text, or set corpus.validation_share to 0."
        )
    return {
        "documents": sum(s["documents"] for s in splits.values()),
        "bytes": sum(s["bytes"] for s in splits.values()),
        "section_characters": section,
        "splits": splits,
        **{f"by_{field}": dict(groups) for field, groups in by.items()},
    }


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
    return text


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    return run_script(clean, ScriptParser("Clean the raw documents of a run and split them."), argv)


if __name__ == "__main__":
    sys.exit(main())
