"""What a tokenizer does to text: its size in tokens, its vocabulary, how it cuts numbers and white space."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from round_trip import lost
from tokenizer_kinds import names_of_bytes

from chapbook.corpus import Document, decade_of
from chapbook.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Documents are encoded together up to this many characters; encodings take about 40 bytes a character.
BATCH_CHARACTERS = 1_000_000

# How these are cut shows how a tokenizer treats numbers and white space.
NUMBERS = ("7", "17", "175", "1750", "17500", "1,234,567", "£3. 4s. 6d.", "1749-50", "14th", "3.14159")
WHITE_SPACE = (" a", "  a", "    a", "a b", "a  b", "\n\na", "a\n\n\nb", "a\r\nb", "\ta", "a \n b")


@dataclass
class Tally:
    """Sums over documents."""

    documents: int = 0
    bytes: int = 0
    words: int = 0
    """Runs of characters between white space."""
    tokens: int = 0
    single_byte_tokens: int = 0
    """Tokens of one byte: the bytes of text they hold are as many."""

    def add(self, other: Tally) -> None:
        """Add another's sums."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def figures(self) -> dict[str, Any]:
        """The sums and their ratios; a ratio without a denominator is None."""
        return {
            **{name: getattr(self, name) for name in ("documents", "bytes", "words", "tokens")},
            "bytes_per_token": self.bytes / self.tokens if self.tokens else None,
            "tokens_per_word": self.tokens / self.words if self.words else None,
            "single_byte_share": self.single_byte_tokens / self.bytes if self.bytes else None,
        }


@dataclass
class Measurement:
    """What a tokenizer makes of a set of documents."""

    total: Tally = field(default_factory=Tally)
    by_source: dict[str, Tally] = field(default_factory=dict)
    by_decade: dict[str, Tally] = field(default_factory=dict)
    changed: list[tuple[str, str]] = field(default_factory=list)
    """Document id and what was lost, for each that does not come back exactly."""


def open_tokenizer(path: Path) -> Tokenizer:
    """A saved tokenizer: a tokenizer.json, a folder with one, or with GPT-2's vocab.json and merges.txt.

    Special tokens in texts are read as text. Raises UsageError when there is none.
    """
    from tokenizers import ByteLevelBPETokenizer, Tokenizer

    file = path / "tokenizer.json" if path.is_dir() else path
    if file.is_file():
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # `tokenizers` raises nothing more special
            raise UsageError(f"{file} is not a tokenizer.json: {error}") from error
    else:
        pairs = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
        found = next((pair for pair in pairs if all((path / name).is_file() for name in pair)), None)
        if found is None:
            raise UsageError(f"There is no tokenizer at {path}: no tokenizer.json, no vocab.json with merges.txt.")
        tokenizer = ByteLevelBPETokenizer(*(str(path / name) for name in found))._tokenizer
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def token_bytes(tokenizer: Tokenizer) -> list[bytes | None]:
    """The bytes that each id stands for; None for special tokens and where a tokenizer is not byte-level."""
    size = max(tokenizer.get_vocab().values()) + 1
    contents: list[bytes | None] = [None] * size
    if "ByteLevel" not in json.dumps(json.loads(tokenizer.to_str())["decoder"]):
        return contents
    values = {name: byte for byte, name in enumerate(names_of_bytes())}
    added = tokenizer.get_added_tokens_decoder()
    for token, number in tokenizer.get_vocab().items():
        if number not in added and all(character in values for character in token):
            contents[number] = bytes(values[character] for character in token)
    return contents


def measure(tokenizer: Tokenizer, documents: Iterable[Document], forbidden: int | None) -> Measurement:
    """Encode and decode every document. forbidden: an id that no text may have (end of text), if any."""
    result = Measurement()
    single = {n for n, content in enumerate(token_bytes(tokenizer)) if content is not None and len(content) == 1}
    batch: list[Document] = []

    def finish() -> None:
        encodings = tokenizer.encode_batch_fast([document.text for document in batch], add_special_tokens=False)
        rows = [encoding.ids for encoding in encodings]
        decoded = tokenizer.decode_batch(rows, skip_special_tokens=False)
        for document, ids, text in zip(batch, rows, decoded, strict=True):
            if problem := lost(document.text, text, ids, forbidden):
                result.changed.append((document.id, problem))
            tally = Tally(
                1, document.byte_count(), len(document.text.split()), len(ids), sum(number in single for number in ids)
            )
            decade = decade_of(document.date)
            for group in (
                result.total,
                result.by_source.setdefault(document.source, Tally()),
                result.by_decade.setdefault(decade, Tally()),
            ):
                group.add(tally)
        batch.clear()

    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text)
        if characters >= BATCH_CHARACTERS:
            finish()
            characters = 0
    finish()
    return result


def count_tokens(tokenizer: Tokenizer, texts: Iterable[str]) -> Any:
    """How often each id occurs in these texts: an array as long as the vocabulary."""
    counts = np.zeros(max(tokenizer.get_vocab().values()) + 1, dtype=np.int64)
    batch: list[str] = []

    def finish() -> None:
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            counts[:] += np.bincount(np.asarray(encoding.ids, dtype=np.int64), minlength=len(counts))
        batch.clear()

    for text in texts:
        batch.append(text)
        if len(batch) == 100:
            finish()
    finish()
    return counts


def unreachable(tokenizer: Tokenizer) -> list[int]:
    """Ids that no text gives: the model builds the token's bytes from other tokens, or the words are cut inside it.

    A token whose bytes are no whole characters is only asked of the model. Byte-level tokenizers only.
    """
    names, found = names_of_bytes(), []
    for number, content in enumerate(token_bytes(tokenizer)):
        if content is None:
            continue
        spelt = "".join(names[byte] for byte in content)
        if [token.id for token in tokenizer.model.tokenize(spelt)] != [number]:
            found.append(number)
            continue
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if len(tokenizer.pre_tokenizer.pre_tokenize_str(text)) > 1:
            found.append(number)
    return found


def visible(content: bytes) -> str:
    """A token as a person can read it: blanks as marks, bytes that are no whole characters in hexadecimal."""
    marks = {" ": "␣", "\n": "↵", "\r": "\\r", "\t": "⇥"}
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(f"<{byte:02X}>" if byte >= 0x80 else chr(byte) for byte in content)
    return "".join(marks.get(c, c if c.isprintable() else f"<U+{ord(c):04X}>") for c in text)


def cut(tokenizer: Tokenizer, text: str, contents: list[bytes | None]) -> list[str]:
    """The tokens of a text, each as a person can read it."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return [
        token if (content := contents[number]) is None else visible(content)
        for number, token in zip(encoding.ids, encoding.tokens, strict=True)
    ]
