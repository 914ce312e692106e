"""Tokenise a run's corpus once and pack it into blocks that training reads.

    python 03_training/pretokenize.py --config configs/demo.yaml
    python 03_training/pretokenize.py --config configs/demo.yaml --export_npy my_tokens/

In: `corpora/<corpus>/` and `tokenizers/<name>/`. Out: `pretokenized/<name>/` with Arrow datasets `train/` and
`eval/` and `metadata.json`. Training calls this by itself when it has to.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chapbook import artifact
from chapbook.config import RunConfig
from chapbook.corpus import read_texts
from chapbook.errors import ArtifactError, ChapbookError, UsageError
from chapbook.log import ProgressBar, log, table
from chapbook.script import ScriptParser, run_script
from chapbook.tokenizer import Encoder
from chapbook.tokens import METADATA, BlockWriter, TokenBlocks, checksums, places, token_dtype, token_recipe
from chapbook.workspace import Workspace

SPLIT_FOLDERS = {"train": "train", "validation": "eval"}
# As the guides name them.
NPY_FILES = {"train": "train.npy", "eval": "val.npy"}

# The engine that encodes is compared on the beginnings of so many documents of each split, in characters.
SAMPLE_DOCUMENTS, SAMPLE_CHARACTERS = 32, 5_000

Mode = Literal["auto", "cache_only", "fresh"]


@dataclass(frozen=True)
class Pretokenized:
    """Where a run's token blocks lie, their manifest, and whether they were there already."""

    directory: Path
    manifest: artifact.Manifest
    reused: bool


def pretokenize(config: RunConfig, workspace: Workspace, mode: Mode = "auto") -> Pretokenized:
    """Reuse or build the token blocks.

    auto: reuse when compatible, otherwise say what differs and build; whole tokens of another recipe that have the
    name stay, and the new ones get the name with a part of their fingerprint. cache_only: raise ArtifactError instead
    of building. fresh: always build.
    """
    recipe = token_recipe(config, workspace)
    named, beside = places(config, workspace, recipe)
    if mode != "fresh" and (found := usable(config, workspace, recipe)) is not None:
        return found
    there = artifact.read_manifest(named)
    directory = named if there is None or there.fingerprint == recipe.fingerprint else beside
    if mode != "fresh":
        difference = mismatch(named, recipe)
        if mode == "cache_only":
            raise ArtifactError(f"{difference}. Without --use_pretokenized it would be built now.")
        # On the first run there is nothing to warn of.
        say = log.warning if there is not None else log.info
        aside = "" if directory == named else f" anew into {directory}; the other stays"
        say("%s: tokenizing%s", difference, aside)
    # What is damaged still has its fingerprint: it must not be taken for the right one.
    there = artifact.read_manifest(directory)
    fresh = mode == "fresh" or (there is not None and there.fingerprint == recipe.fingerprint)
    manifest, reused = artifact.ensure(
        directory,
        recipe,
        lambda path: _build(path, config, workspace, recipe),
        fresh=fresh,
        warn=False,
        resume=True,
    )
    return Pretokenized(directory, manifest, reused)


def usable(config: RunConfig, workspace: Workspace, recipe: artifact.Recipe) -> Pretokenized | None:
    """The tokens of `recipe` that are there and whole, or None."""
    for directory in places(config, workspace, recipe):
        if mismatch(directory, recipe) is None:
            manifest = artifact.read_manifest(directory)
            assert manifest is not None
            return Pretokenized(directory, manifest, True)
    return None


LABELS = {
    "format_version": "Format version",
    "max_length": "Max length",
    "tokenizer_fingerprint": "Tokenizer",
    "tokenizer_sha256": "Tokenizer",
    "corpus_fingerprint": "Corpus",
    "separator": "Separator",
    "packing": "Packing",
    "shard_tokens": "Shard size",
}


def mismatch(directory: Path, recipe: artifact.Recipe) -> str | None:
    """Why the data at `directory` cannot be used for `recipe`, in the guides' words; None when it can.

    The content of all files is compared last, so that a flipped bit is found before a training sees it. That costs
    one reading of the store (benchmarks/tokens.py measures it), less than the training will cost at once.
    """
    manifest = artifact.read_manifest(directory)
    if manifest is None:
        return f"Pre-tokenized data not found at {directory}"
    if problems := artifact.damage(directory, manifest):
        return f"Pre-tokenized data is torn at {directory} ({'; '.join(problems)})"
    written = {entry["path"]: entry["sha256"] for entry in manifest.files}
    if artifact.file_hash(directory / METADATA) != written[METADATA]:
        return f"Pre-tokenized data is damaged at {directory} ({METADATA} has other content than when it was written)"
    metadata: dict[str, Any] = json.loads((directory / METADATA).read_text("utf-8"))
    needed = _expected(recipe)
    if metadata["format_version"] != recipe.format_version:
        # An older format may lack the other fields.
        needed = {name: value for name, value in needed.items() if name in metadata}
    found: dict[str, str] = {}
    for name, need in needed.items():
        if metadata.get(name) != need:
            found.setdefault(LABELS[name], f"{LABELS[name]} mismatch (found {metadata.get(name)}, need {need})")
    if found:
        return "; ".join(found.values())
    if manifest.fingerprint != recipe.fingerprint:
        return f"Recipe mismatch ({'; '.join(recipe.differences(manifest.recipe))})"
    names = list(metadata["checksums"])
    now = dict(zip(names, checksums(directory, names), strict=True))
    if other := [name for name in names if now[name] != metadata["checksums"][name]]:
        names_now = ", ".join(other)
        return f"Pre-tokenized data is damaged at {directory} ({names_now} has other content than when it was written)"
    return None


def _expected(recipe: artifact.Recipe) -> dict[str, Any]:
    """The fields of metadata.json that follow from a recipe: what is compared on every use."""
    inputs = {f"{name}_fingerprint": fingerprint for name, fingerprint in recipe.inputs.items()}
    return {"format_version": recipe.format_version, **recipe.config, **inputs}


def _build(path: Path, config: RunConfig, workspace: Workspace, recipe: artifact.Recipe) -> dict[str, Any]:
    corpus = workspace.corpus(config.corpus.name)
    corpus_manifest = artifact.require(corpus, "corpus", "")
    encoder = Encoder(workspace.tokenizer(config.tokenizer.name), _samples(corpus))
    log.info("tokenizing with %s", encoder.engine)
    splits = {
        folder: _build_split(path / folder, corpus, split, corpus_manifest.counts["splits"][split], encoder, recipe)
        for split, folder in SPLIT_FOLDERS.items()
    }
    max_length = config.pretokenize.max_length
    if not splits["train"]["blocks"]:
        raise ChapbookError(
            f"The training text gives {splits['train']['text_tokens']} tokens, less than one block of {max_length}. "
            "Add text, or set a smaller pretokenize.max_length."
        )
    dtype = str(token_dtype(encoder.vocab_size))
    shards = sorted(file.relative_to(path).as_posix() for file in path.glob("*/*.arrow"))
    metadata = {
        **_expected(recipe),
        "tokenizer_name": config.tokenizer.name,
        "vocab_size": encoder.vocab_size,
        "separator_id": encoder.end_of_text,
        "corpus_name": config.corpus.name,
        # Which document is held back was decided when the corpus was split.
        **{name: corpus_manifest.config.get(name) for name in ("split_seed", "validation_share", "test_share")},
        "dtype": dtype,
        "train_samples": splits["train"]["blocks"],
        "eval_samples": splits["eval"]["blocks"],
        "splits": splits,
        "encoder": encoder.engine,
        "checksums": dict(zip(shards, checksums(path, shards), strict=True)),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (path / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", "utf-8")
    return {
        "max_length": max_length,
        "vocab_size": encoder.vocab_size,
        "dtype": dtype,
        "encoder": encoder.engine,
        "splits": splits,
    }


def _samples(corpus: Path) -> Iterator[str]:
    for split in SPLIT_FOLDERS:
        for text in itertools.islice(read_texts(corpus, split), SAMPLE_DOCUMENTS):
            yield text[:SAMPLE_CHARACTERS]


def _build_split(
    directory: Path, corpus: Path, split: str, of_corpus: dict[str, int], encoder: Encoder, recipe: artifact.Recipe
) -> dict[str, int]:
    """Encode and pack one split, going on where an earlier build was killed; returns its counts."""
    writer = BlockWriter(
        directory,
        max_length=recipe.config["max_length"],
        shard_tokens=recipe.config["shard_tokens"],
        dtype=token_dtype(encoder.vocab_size),
        end_of_text=encoder.end_of_text,
    )
    if writer.shards:
        log.info("%s: going on after %d finished file(s)", directory.name, len(writer.shards))
    average = of_corpus["bytes"] / max(1, of_corpus["documents"])
    with ProgressBar(f"tokenize {split}", of_corpus["bytes"], "B") as bar:
        bar.advance(writer.documents * average)
        for ids, lengths in encoder.encode_all(
            itertools.islice(read_texts(corpus, split), writer.start.documents, None)
        ):
            writer.add(ids, lengths)
            bar.advance(len(lengths) * average)
    writer.close()
    separators = writer.documents + 1
    return {
        "documents": writer.documents,
        "bytes": of_corpus["bytes"],
        "text_tokens": writer.stream_tokens - separators,
        "separators": separators,
        "blocks": writer.blocks,
        "tokens": writer.blocks * writer.max_length,
        "dropped_tokens": writer.dropped,
    }


def export_npy(tokens: Path, directory: Path) -> dict[str, int]:
    """Write each split's blocks as one row of token ids, `train.npy` and `val.npy`, for programs that read such.

    The files are whole or not there. Returns the tokens in each. `np.load(path, mmap_mode="r")` reads them, and
    `train_model.py --train_data … --val_data …` trains on them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = {}
    for folder, name in NPY_FILES.items():
        blocks = TokenBlocks(tokens / folder)
        written[name] = len(blocks) * blocks.max_length
        header = {"descr": blocks.dtype.str, "fortran_order": False, "shape": (written[name],)}
        temporary = directory / f".{name}.tmp"
        with temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for part in blocks.parts():
                part.tofile(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(directory / name)
    return written


def work(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """The script: build or reuse, export if asked, and report."""
    if arguments.use_pretokenized and arguments.no_pretokenized:
        raise UsageError("--use_pretokenized and --no_pretokenized exclude each other.")
    mode: Mode = "fresh" if arguments.no_pretokenized else "cache_only" if arguments.use_pretokenized else "auto"
    tokens = pretokenize(config, workspace, mode)
    counts = tokens.manifest.counts
    rows = [
        (name, f"{s['documents']:,}", f"{s['text_tokens']:,}", f"{s['blocks']:,}", f"{s['dropped_tokens']:,}")
        for name, s in counts["splits"].items()
    ]
    columns = ("split", "documents", "tokens", f"blocks of {counts['max_length']}", "left over")
    log.info(table(f"Pretokenized{' (reused)' if tokens.reused else ''}: {tokens.directory}", columns, rows))
    result = {
        "stage": "pretokenize",
        "path": str(tokens.directory),
        "reused": tokens.reused,
        "fingerprint": tokens.manifest.fingerprint,
        **counts,
    }
    if arguments.export_npy is not None:
        result["npy"] = export_npy(tokens.directory, arguments.export_npy)
        for name, ids in result["npy"].items():
            log.info("%s: %s tokens, %s", arguments.export_npy / name, f"{ids:,}", counts["dtype"])
    return result


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Tokenise a run's corpus and pack it into blocks.", short_flags=("--max_length",))
    parser.add_argument("--use_pretokenized", action="store_true", help="do not build: exit 3 when it is not there")
    parser.add_argument("--no_pretokenized", action="store_true", help="build anew even if nothing has changed")
    parser.add_argument(
        "--export_npy", type=Path, metavar="DIR", help="also write train.npy and val.npy there, token ids in one row"
    )
    return run_script(work, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
