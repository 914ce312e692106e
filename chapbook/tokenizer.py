"""The tokenizer as the stages use it: load it, encode documents with it.

Documents are encoded so that text is text: the literal string `<|endoftext|>` inside a document becomes
ordinary tokens, never the special one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from chapbook.errors import ArtifactError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END_OF_TEXT = "<|endoftext|>"

# encode_batch is parallel within a batch; this many characters keep both its memory (about 40 bytes a
# character) and the waiting at its end small.
BATCH_CHARACTERS = 4_000_000


def load_tokenizer(directory: Path) -> Tokenizer:
    """The tokenizer of an artifact or checkpoint directory, set to read special tokens in texts as text.

    Raises ArtifactError when `tokenizer.json` is not there.
    """
    from tokenizers import Tokenizer

    path = directory / "tokenizer.json"
    if not path.is_file():
        raise ArtifactError(f"There is no tokenizer.json in {directory}. Make it with: train_tokenizer.py")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


def end_of_text_id(tokenizer: Tokenizer) -> int:
    """The id of the token that separates documents. Raises ArtifactError when the tokenizer has none."""
    token = tokenizer.token_to_id(END_OF_TEXT)
    if token is None:
        raise ArtifactError(f"The tokenizer has no {END_OF_TEXT} token. Train it with train_tokenizer.py.")
    return int(token)


def encode_documents(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[list[int]]:
    """The token ids of each text, in order; no special tokens are added."""
    for batch in _batches(texts):
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            yield encoding.ids


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


# The files of a tokenizer, as transformers and the guides name them.
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")


def copy_tokenizer(source: Path, destination: Path, model_max_length: int) -> None:
    """Put the tokenizer of `source` beside a model whose context is `model_max_length` tokens.

    The files are copied as they are, not saved anew: transformers 5 would name a class that 4.x cannot load.
    """
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, destination / name)
    path = destination / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8")) | {"model_max_length": model_max_length}
    path.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
