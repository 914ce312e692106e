"""Tokenise a run's corpus once and pack it into blocks that training reads.

    python 03_training/pretokenize.py --config configs/demo.yaml

In: `corpora/<corpus>/` and `tokenizers/<name>/`. Out: `pretokenized/<name>/` with Arrow datasets `train/` and
`eval/` and `metadata.json`. Training calls this by itself when it has to.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from chapbook import artifact
from chapbook.config import RunConfig
from chapbook.corpus import read_texts
from chapbook.errors import ArtifactError, ChapbookError
from chapbook.log import ProgressBar, log, table
from chapbook.script import ScriptParser, run_script
from chapbook.tokenizer import END_OF_TEXT, encode_documents, end_of_text_id, load_tokenizer
from chapbook.tokens import METADATA, pack, token_dtype, write_blocks
from chapbook.workspace import Workspace

FORMAT_VERSION = 1
SPLIT_FOLDERS = {"train": "train", "validation": "eval"}

Mode = Literal["auto", "cache_only", "fresh"]


def token_recipe(config: RunConfig, workspace: Workspace) -> artifact.Recipe:
    """What a run's pretokenized data is made from. Raises ArtifactError without corpus or tokenizer."""
    where = f"Make it with: python -m chapbook run --config FILE --until tokenizer (corpus {config.corpus.name})."
    corpus = artifact.require(workspace.corpus(config.corpus.name), "corpus", where)
    tokenizer = artifact.require(workspace.tokenizer(config.tokenizer.name), "tokenizer", where)
    return artifact.Recipe(
        kind="pretokenized",
        format_version=FORMAT_VERSION,
        config={"max_length": config.pretokenize.max_length},
        inputs={"corpus": corpus.fingerprint, "tokenizer": tokenizer.fingerprint},
    )


def pretokenize(config: RunConfig, workspace: Workspace, mode: Mode = "auto") -> tuple[artifact.Manifest, bool]:
    """Reuse or build the token blocks; returns the manifest and whether they were reused.

    auto: reuse when compatible, otherwise say what differs and build. cache_only: raise ArtifactError
    instead of building. fresh: always build.
    """
    recipe = token_recipe(config, workspace)
    directory = workspace.pretokenized(config.pretokenize.name)
    difference = mismatch(directory, recipe)
    if mode == "cache_only":
        if difference:
            raise ArtifactError(f"{difference}. Without --use_pretokenized it would be built now.")
        manifest = artifact.read_manifest(directory)
        assert manifest is not None
        return manifest, True
    if difference and mode == "auto":
        # On the first run there is nothing to warn of.
        (log.warning if directory.exists() else log.info)("%s: tokenizing", difference)
    return artifact.ensure(
        directory, recipe, lambda path: _build(path, config, workspace, recipe), fresh=mode == "fresh", warn=False
    )


def mismatch(directory: Path, recipe: artifact.Recipe) -> str | None:
    """Why the data at `directory` cannot be used for `recipe`, in the guides' words; None when it can."""
    manifest = artifact.read_manifest(directory)
    if manifest is None:
        return f"Pre-tokenized data not found at {directory}"
    if problems := artifact.damage(directory, manifest):
        return f"Pre-tokenized data is torn at {directory} ({'; '.join(problems)})"
    found = []
    if manifest.format_version != recipe.format_version:
        found.append(f"Format version mismatch (found {manifest.format_version}, need {recipe.format_version})")
    if manifest.config != recipe.config:
        have, need = manifest.config.get("max_length"), recipe.config["max_length"]
        found.append(f"Max length mismatch (found {have}, need {need})")
    for name in ("tokenizer", "corpus"):
        if manifest.inputs.get(name) != recipe.inputs[name]:
            found.append(
                f"{name.capitalize()} mismatch (found {manifest.inputs.get(name)}, need {recipe.inputs[name]})"
            )
    return "; ".join(found) or None


def _build(path: Path, config: RunConfig, workspace: Workspace, recipe: artifact.Recipe) -> dict[str, Any]:
    corpus = workspace.corpus(config.corpus.name)
    tokenizer = load_tokenizer(workspace.tokenizer(config.tokenizer.name))
    corpus_manifest = artifact.require(corpus, "corpus", "")
    max_length = config.pretokenize.max_length
    dtype = token_dtype(tokenizer.get_vocab_size())
    splits: dict[str, dict[str, int]] = {}
    for split, folder in SPLIT_FOLDERS.items():
        size = corpus_manifest.counts["splits"][split]["bytes"]
        tokens = documents = 0

        def encoded(split: str = split, size: int = size) -> Any:
            nonlocal tokens, documents
            average = size / max(1, corpus_manifest.counts["splits"][split]["documents"])
            with ProgressBar(f"tokenize {split}", size, "B") as bar:
                for ids in encode_documents(tokenizer, read_texts(corpus, split)):
                    tokens += len(ids)
                    documents += 1
                    bar.advance(average)
                    yield ids

        blocks, dropped = write_blocks(
            path / folder, pack(encoded(), end_of_text_id(tokenizer), max_length, dtype), max_length, dtype
        )
        splits[folder] = {
            "documents": documents,
            "bytes": size,
            "text_tokens": tokens,
            "separators": documents + 1,
            "blocks": blocks,
            "tokens": blocks * max_length,
            "dropped_tokens": dropped,
        }
    if not splits["train"]["blocks"]:
        raise ChapbookError(
            f"The training text gives {splits['train']['text_tokens']} tokens, less than one block of {max_length}. "
            "Add text, or set a smaller pretokenize.max_length."
        )
    metadata = {
        "format_version": FORMAT_VERSION,
        "max_length": max_length,
        "tokenizer_name": config.tokenizer.name,
        "tokenizer_fingerprint": recipe.inputs["tokenizer"],
        "vocab_size": tokenizer.get_vocab_size(),
        "corpus_name": config.corpus.name,
        "corpus_fingerprint": recipe.inputs["corpus"],
        "separator": END_OF_TEXT,
        "packing": "stream",
        "dtype": str(dtype),
        "train_samples": splits["train"]["blocks"],
        "eval_samples": splits["eval"]["blocks"],
        "splits": splits,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (path / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", "utf-8")
    return {"max_length": max_length, "vocab_size": tokenizer.get_vocab_size(), "dtype": str(dtype), "splits": splits}


def work(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """The script: build or reuse, and report."""
    manifest, reused = pretokenize(config, workspace, "fresh" if arguments.no_pretokenized else "auto")
    directory = workspace.pretokenized(config.pretokenize.name)
    rows = [
        (name, f"{s['documents']:,}", f"{s['text_tokens']:,}", f"{s['blocks']:,}", f"{s['dropped_tokens']:,}")
        for name, s in manifest.counts["splits"].items()
    ]
    columns = ("split", "documents", "tokens", f"blocks of {manifest.counts['max_length']}", "left over")
    log.info(table(f"Pretokenized{' (reused)' if reused else ''}: {directory}", columns, rows))
    return {
        "stage": "pretokenize",
        "path": str(directory),
        "reused": reused,
        "fingerprint": manifest.fingerprint,
        **manifest.counts,
    }


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Tokenise a run's corpus and pack it into blocks.", short_flags=("--max_length",))
    parser.add_argument("--no_pretokenized", action="store_true", help="build anew even if nothing has changed")
    return run_script(work, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
