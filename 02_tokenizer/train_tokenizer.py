"""Train a byte-level BPE tokenizer on the training split of a run's corpus.

    python 02_tokenizer/train_tokenizer.py --config configs/demo.yaml

In: `corpora/<corpus>/`. Out: `tokenizers/<name>/`, which `AutoTokenizer.from_pretrained` loads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chapbook import artifact
from chapbook.config import RunConfig, TokenizerConfig
from chapbook.corpus import read_texts
from chapbook.errors import ChapbookError
from chapbook.log import ProgressBar, log, table
from chapbook.script import ScriptParser, run_script
from chapbook.tokenizer import END_OF_TEXT, encode_documents, load_tokenizer
from chapbook.workspace import Workspace

FORMAT_VERSION = 1

# The published pre-tokenisation patterns, letter for letter (o200k_base and cl100k_base of tiktoken, GPT-2).
# Other spellings of the same expressions lose the fast paths of other engines.
PATTERNS = {
    "o200k": "|".join(
        [
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""\p{N}{1,3}""",
            r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
            r"""\s*[\r\n]+""",
            r"""\s+(?!\S)""",
            r"""\s+""",
        ]
    ),
    "cl100k": (
        r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"""
        r""" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
    ),
    "gpt2": r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
}

# Whole novels as single strings train 1.6 times slower than pieces of this size.
PIECE_CHARACTERS = 10_000
# Bytes per token is measured on at most this much text.
SAMPLE_CHARACTERS = 1_000_000


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
        ("tokens in the vocabulary", f"{counts['vocab_size']:,}"),
        ("trained on", f"{counts['trained_bytes']:,} bytes"),
        (f"bytes per token ({counts['measured_on']})", f"{counts['bytes_per_token']:.3f}"),
    ]
    log.info(table(f"Tokenizer{' (reused)' if reused else ''}: {directory}", ("", ""), rows))
    return {
        "stage": "tokenizer",
        "path": str(directory),
        "reused": reused,
        "fingerprint": manifest.fingerprint,
        **counts,
    }


def _train_into(path: Path, corpus: Path, settings: TokenizerConfig, training_bytes: int) -> dict[str, Any]:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERNS[settings.pattern]), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size,
        min_frequency=settings.min_frequency,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    share = min(1.0, settings.max_bytes / max(1, training_bytes))
    if share < 1:
        log.info("training on a sample: %.1f%% of the training text (tokenizer.max_bytes)", 100 * share)
    trained_bytes = 0

    def pieces() -> Iterator[str]:
        nonlocal trained_bytes
        with ProgressBar("read text for the tokenizer", share * training_bytes, "B") as bar:
            for text in read_texts(corpus, "train"):
                if share < 1 and _document_key(text) >= share:
                    continue
                size = len(text.encode("utf-8"))
                trained_bytes += size
                yield from cut_pieces(text)
                bar.advance(size)

    tokenizer.train_from_iterator(pieces(), trainer)
    if not trained_bytes:
        raise ChapbookError(
            f"No text to train a tokenizer on: the training split of {corpus} has {training_bytes:,} bytes, and "
            f"tokenizer.max_bytes = {settings.max_bytes:,} leaves none of its documents."
        )
    if tokenizer.get_vocab_size() < settings.vocab_size:
        log.warning(
            "the text gives only %s tokens that occur %d times or more; %s were asked for",
            f"{tokenizer.get_vocab_size():,}",
            settings.min_frequency,
            f"{settings.vocab_size:,}",
        )
    save_tokenizer(tokenizer, path)
    split = "validation" if next(read_texts(corpus, "validation"), None) else "train"
    return {
        "vocab_size": tokenizer.get_vocab_size(),
        "trained_bytes": trained_bytes,
        "measured_on": split,
        "bytes_per_token": _bytes_per_token(path, corpus, split),
    }


def _document_key(text: str) -> float:
    """A number in [0, 1) that depends on the text alone: which documents a sample takes."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:6], "big") / 2**48


def cut_pieces(text: str) -> Iterator[str]:
    """Cut a text after blank lines into pieces of about 10,000 characters; joined they are the text."""
    piece: list[str] = []
    length = 0
    for paragraph in re.split(r"(?<=\n\n)(?=\S)", text):
        piece.append(paragraph)
        length += len(paragraph)
        if length >= PIECE_CHARACTERS:
            yield "".join(piece)
            piece, length = [], 0
    if piece:
        yield "".join(piece)


def save_tokenizer(tokenizer: Any, path: Path) -> None:
    """Write what `AutoTokenizer.from_pretrained` loads, in transformers 4 and 5, and vocab.json and merges.txt."""
    tokenizer.save(str(path / "tokenizer.json"))
    tokenizer.model.save(str(path))
    end = {
        "content": END_OF_TEXT,
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
    settings = {
        # transformers 5 would write TokenizersBackend, which 4.x cannot load.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": {str(tokenizer.token_to_id(END_OF_TEXT)): end},
    }
    (path / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    special = {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT}
    (path / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n", "utf-8")


def _bytes_per_token(path: Path, corpus: Path, split: str) -> float:
    texts, characters = [], 0
    for text in read_texts(corpus, split):
        texts.append(text)
        characters += len(text)
        if characters >= SAMPLE_CHARACTERS:
            break
    tokens = sum(len(ids) for ids in encode_documents(load_tokenizer(path), texts))
    return sum(len(text.encode("utf-8")) for text in texts) / tokens


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    return run_script(train_tokenizer, ScriptParser("Train the tokenizer of a run."), argv)


if __name__ == "__main__":
    sys.exit(main())
