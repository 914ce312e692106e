"""Train the tokenizer of a run on the training split of its corpus.

    python 02_tokenizer/train_tokenizer.py --config configs/demo.yaml

In: `corpora/<corpus>/train/`. Out: `tokenizers/<name>/`, which `AutoTokenizer.from_pretrained` loads.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokenizer_kinds as kinds
from training_text import TrainingText

from chapbook import artifact
from chapbook.config import RunConfig, TokenizerConfig
from chapbook.errors import ChapbookError
from chapbook.log import ProgressBar, log, table
from chapbook.script import ScriptParser, peak_memory, run_script
from chapbook.tokenizer import PAD
from chapbook.workspace import Workspace

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# 2: samples are stratified by source, and cut to the byte; kinds other than BPE.
FORMAT_VERSION = 2

# Bytes per token is measured on this much of the training text; test_tokenizer.py measures held-back text.
MEASURED_BYTES = 1_000_000


def train_tokenizer(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Train and save the tokenizer; returns its counts. Raises ArtifactError without a corpus."""
    settings = config.tokenizer
    corpus = workspace.corpus(config.corpus.name)
    corpus_manifest = artifact.require(corpus, "corpus", f"Make it with: clean.py --config {arguments.config}")
    recipe = artifact.Recipe(
        kind="tokenizer",
        format_version=FORMAT_VERSION,
        config=settings.model_dump(exclude={"name"}),
        inputs={"corpus": corpus_manifest.fingerprint},
    )
    training_bytes = corpus_manifest.counts["splits"]["train"]["bytes"]

    def build(path: Path) -> dict[str, Any]:
        return _train_into(path, corpus, settings, training_bytes)

    directory = workspace.tokenizer(settings.name)
    manifest, reused = artifact.ensure(directory, recipe, build)
    counts = manifest.counts
    rows = [
        ("kind", _kind(settings)),
        ("tokens in the vocabulary", f"{counts['vocab_size']:,}"),
        ("trained on", f"{counts['trained_bytes']:,} of {training_bytes:,} bytes"),
        ("bytes per token there", f"{counts['bytes_per_token']:.3f}"),
        ("seconds", f"{counts['seconds']:,.1f}"),
        ("peak memory (MB)", f"{counts['training_peak_bytes'] / 1e6:,.0f}"),
    ]
    log.info(table(f"Tokenizer{' (reused)' if reused else ''}: {directory}", ("", ""), rows))
    return {
        "stage": "tokenizer",
        "path": str(directory),
        "reused": reused,
        "fingerprint": manifest.fingerprint,
        **counts,
    }


def _kind(settings: TokenizerConfig) -> str:
    if settings.kind in ("char", "byte"):
        return settings.kind
    superwords = f", {settings.superword_share:.0%} superwords" if settings.superword_share else ""
    return f"{settings.kind}, pattern {settings.pattern}{superwords}"


def _train_into(path: Path, corpus: Path, settings: TokenizerConfig, training_bytes: int) -> dict[str, Any]:
    training_text = TrainingText(corpus / "train", settings.seed)
    by_source: Counter[str] = Counter()

    def read(limit: int | None) -> Iterator[str]:
        # A later, smaller reading (of superwords) is part of the first one.
        first = not by_source
        limit = min(limit or settings.max_bytes, settings.max_bytes)
        if sampled := limit < training_bytes:
            log.info("reading a sample of %s of %s bytes", f"{limit:,}", f"{training_bytes:,}")
        with ProgressBar("read text for the tokenizer", min(limit, training_bytes), "B") as bar:
            for source, text, size in training_text.pieces(limit if sampled else None):
                if first:
                    by_source[source] += size
                bar.advance(size)
                yield text

    started = time.monotonic()
    tokenizer = kinds.train(settings, read)
    seconds = time.monotonic() - started
    if not by_source:
        raise ChapbookError(
            f"No text to train a tokenizer on: the training split of {corpus} has {training_bytes:,} bytes, and "
            f"tokenizer.max_bytes = {settings.max_bytes:,} leaves nothing of them."
        )
    size = tokenizer.get_vocab_size()
    if settings.kind in ("bpe", "unigram") and size < settings.vocab_size:
        log.warning(
            "the text has only %s tokens to learn; %s were asked for (tokenizer.vocab_size)",
            f"{size:,}",
            f"{settings.vocab_size:,}",
        )
    save_tokenizer(tokenizer, path, settings)
    return {
        "vocab_size": size,
        "trained_bytes": sum(by_source.values()),
        "trained_bytes_by_source": dict(sorted(by_source.items())),
        "bytes_per_token": _bytes_per_token(tokenizer, training_text, min(MEASURED_BYTES, training_bytes)),
        "training_seconds": round(seconds, 2),
        "training_peak_bytes": peak_memory(),
    }


def save_tokenizer(tokenizer: Tokenizer, path: Path, settings: TokenizerConfig) -> None:
    """Write what `AutoTokenizer.from_pretrained` loads (transformers 4 and 5); for BPE vocab.json and merges.txt too.

    The folder says nothing of a longest text (model_max_length): that belongs to a model, and `copy_tokenizer` adds it.
    """
    special = kinds.special_tokens(settings)
    roles = {"bos_token": special[0], "eos_token": special[0]}
    if PAD in special:
        roles["pad_token"] = PAD
    further: dict[str, Any] = {}
    if others := [token for token in special if token not in roles.values()]:
        further["additional_special_tokens"] = others
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    tokenizer_config = {
        # transformers 5 would write TokenizersBackend, which 4.x cannot load.
        "tokenizer_class": "PreTrainedTokenizerFast",
        **roles,
        **further,
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": {str(tokenizer.token_to_id(token)): {"content": token, **flags} for token in special},
    }
    tokenizer.save(str(path / "tokenizer.json"))
    if settings.kind != "unigram":
        tokenizer.model.save(str(path))
    for name, content in (("tokenizer_config", tokenizer_config), ("special_tokens_map", roles | further)):
        (path / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _bytes_per_token(tokenizer: Tokenizer, training_text: TrainingText, measured: int) -> float:
    tokenizer.encode_special_tokens = True
    texts, size = [], 0
    for _, text, in_bytes in training_text.pieces():
        texts.append(text)
        size += in_bytes
        if size >= measured:
            break
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False))
    return size / tokens


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Train the tokenizer of a run.", short_flags=("--vocab_size", "--max_bytes"))
    return run_script(train_tokenizer, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
