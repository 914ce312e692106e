"""Count files, bytes and tokens of a corpus or of any folder of texts, by source.

    python 01_data_collection/count_tokens.py --config configs/demo.yaml
    python 01_data_collection/count_tokens.py --data_dir my_texts --tokenizer workspace/tokenizers/sample-4096

--config: the cleaned corpus of a run, counted with the run's tokenizer. --data_dir: every text under a folder as it
is found, not cleaned; its sub-folders are the sources. A source whose bytes per token are far below the
others' is dirty, or in another language than most of the text the tokenizer was trained on.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapbook import artifact
from chapbook.config import load_config
from chapbook.corpus import SPLITS, Document, read_shards
from chapbook.errors import ArtifactError, ChapbookError, UsageError
from chapbook.log import ProgressBar, log, table
from chapbook.script import Parsed, ScriptParser, run_guarded
from chapbook.tokenizer import Encoder
from chapbook.workspace import Workspace

# English takes 3.9 to 4.4 bytes a token with vocabularies of 16,000 to 30,000; used where there is no tokenizer yet.
USUAL_BYTES_PER_TOKEN = 4.0
# OCR stands at 0.87 and mark-up left in at 0.68 of the bytes per token of clean prose.
SUSPICIOUS = 0.9
BATCH_BYTES = 8_000_000


@dataclass
class Count:
    """Figures of one source or split."""

    files: int = 0
    bytes: int = 0
    tokens: int = 0

    def add(self, size: int, tokens: int) -> None:
        """Count one document."""
        self.files += 1
        self.bytes += size
        self.tokens += tokens

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        ratio = round(self.bytes / self.tokens, 4) if self.tokens else None
        return {"files": self.files, "bytes": self.bytes, "tokens": self.tokens, "bytes_per_token": ratio}


def parser() -> ScriptParser:
    """The command line."""
    result = ScriptParser("Count files, bytes and tokens by source.", config=None)
    result.add_argument("--data_dir", type=Path, metavar="DIR", help="count the texts below this folder instead")
    result.add_argument(
        "--tokenizer", type=Path, metavar="DIR", help="folder with a tokenizer.json (default: the run's own)"
    )
    return result


def count_tokens(parsed: Parsed) -> dict[str, Any]:
    """Count what the arguments name; returns the figures. Raises UsageError and ArtifactError."""
    arguments = parsed.arguments
    if arguments.config is None and arguments.data_dir is None:
        raise UsageError(
            "Say what to count: --config FILE for a run's corpus, or --data_dir DIR for a folder of texts."
        )
    workspace = Workspace.find()
    config = load_config(arguments.config, parsed.overrides) if arguments.config else None
    tokenizer: Path | None = arguments.tokenizer
    if tokenizer is None and config is not None:
        tokenizer = workspace.tokenizer(config.tokenizer.name)
    encoder = None if tokenizer is None else _encoder(tokenizer)
    if arguments.data_dir is not None:
        total, documents = _folder(arguments.data_dir)
    else:
        assert config is not None
        corpus = workspace.corpus(config.corpus.name)
        manifest = artifact.require(corpus, "corpus", f"Make it with: clean.py --config {arguments.config}")
        total, documents = manifest.counts["bytes"], _corpus(corpus)
    groups: dict[str, dict[str, Count]] = {"source": defaultdict(Count), "split": defaultdict(Count)}
    for source, split, size, tokens in _counted(documents, encoder, total):
        groups["source"][source].add(size, tokens)
        if split:
            groups["split"][split].add(size, tokens)
    figures = {name: {key: count.as_dict() for key, count in group.items()} for name, group in groups.items() if group}
    whole = Count(*(sum(getattr(c, key) for c in groups["source"].values()) for key in ("files", "bytes", "tokens")))
    if not whole.files:
        raise ChapbookError(f"There is no text in {arguments.data_dir or corpus}.")
    _show(figures, whole, tokenizer)
    by = {f"by_{name}": group for name, group in figures.items()}
    return {"estimate": encoder is None, "tokenizer": str(tokenizer) if tokenizer else None, **whole.as_dict(), **by}


def _encoder(directory: Path) -> Encoder:
    if not (directory / "tokenizer.json").is_file():
        raise ArtifactError(
            f"There is no tokenizer at {directory}. Train it with train_tokenizer.py, or name another: --tokenizer DIR."
        )
    return Encoder(directory)


Text = tuple[str, str, str]
"""Source, split (empty outside a corpus) and text of a document."""


def _corpus(directory: Path) -> Iterator[Text]:
    for split in SPLITS:
        for document in read_shards(directory / split, Document):
            yield document.source, split, document.text


def _folder(directory: Path) -> tuple[int, Iterator[Text]]:
    """The size of a folder's files and their texts, decoded and freed of mark-up, but not cleaned."""
    from cleaning import STEPS, Draft, Rejected
    from sources import Failed, files

    from chapbook.config import CorpusConfig
    from chapbook.source_config import FilesSource

    if not directory.is_dir():
        raise UsageError(f"There is no folder {directory}.")
    source = FilesSource(kind="files", name="here", paths=[str(directory.absolute())])
    settings = CorpusConfig(name="here", sources=[source])
    steps = [STEPS[name](settings) for name in ("decode", "extract")]

    def texts() -> Iterator[Text]:
        for found in files.documents(source):
            if isinstance(found, Failed):
                log.warning("%s: %s", found.item, found.reason)
                continue
            draft = Draft(raw=found)
            try:
                for step in steps:
                    step(draft)
            except Rejected as refusal:
                log.warning("%s: %s", found.id, refusal)
                continue
            # The name of the source stands before the path.
            folders = found.id.split("/")[1:-1]
            yield folders[0] if folders else directory.name, "", draft.text

    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()), texts()


def _counted(documents: Iterable[Text], encoder: Encoder | None, total: int) -> Iterator[tuple[str, str, int, int]]:
    """Source, split, bytes and tokens of each document."""
    batch: list[tuple[str, str, int, str]] = []

    def flush() -> Iterator[tuple[str, str, int, int]]:
        if encoder is None:
            tokens = [round(size / USUAL_BYTES_PER_TOKEN) for _, _, size, _ in batch]
        else:
            tokens = encoder.encode([text for *_, text in batch])[1].tolist()
        for (source, split, size, _), number in zip(batch, tokens, strict=True):
            yield source, split, size, number
        batch.clear()

    waiting = 0
    with ProgressBar("count", total, "B") as bar:
        for source, split, text in documents:
            size = len(text.encode("utf-8"))
            batch.append((source, split, size, text))
            waiting += size
            if waiting >= BATCH_BYTES:
                yield from flush()
                bar.advance(waiting)
                waiting = 0
        yield from flush()


def _show(figures: dict[str, dict[str, Any]], whole: Count, tokenizer: Path | None) -> None:
    by_source = figures["source"]
    usual = statistics.median(c["bytes_per_token"] for c in by_source.values() if c["tokens"])
    rows = []
    for group in figures.values():
        for name, count in group.items():
            low = group is by_source and count["tokens"] and count["bytes_per_token"] < SUSPICIOUS * usual
            rows.append((name, *_cells(count), "look at it: few bytes per token" if low else ""))
        rows.append(("", "", "", "", "", ""))
    rows.append(("all", *_cells(whole.as_dict()), ""))
    counted = (
        f"counted with {tokenizer}" if tokenizer else f"estimated as bytes / {USUAL_BYTES_PER_TOKEN:g}: no tokenizer"
    )
    log.info(table(f"Tokens, {counted}", ("", "files", "bytes", "tokens", "bytes per token", ""), rows))


def _cells(count: dict[str, Any]) -> tuple[str, str, str, str]:
    ratio = "-" if count["bytes_per_token"] is None else f"{count['bytes_per_token']:.3f}"
    return f"{count['files']:,}", f"{count['bytes']:,}", f"{count['tokens']:,}", ratio


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    return run_guarded(count_tokens, parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
