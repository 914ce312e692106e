"""Which text is measured: documents of a split, taken evenly, or files that somebody names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from chapbook.corpus import Document, content_hash, read_shards
from chapbook.errors import ArtifactError, UsageError

# Quick mode: 200 kB are a few seconds for a model of a few million parameters on a CPU. Of a long document at least
# 8,000 characters are read, about four contexts of 512 tokens.
QUICK_BYTES = 200_000
QUICK_PASSAGE = 8_000

SUFFIXES = (".txt", ".jsonl")


def choose(corpus: Path, split: str, available: int, at_most: int) -> list[Document]:
    """At most `at_most` (0: all) of the `available` documents of a split, evenly from the first to the last."""
    wanted = available if at_most == 0 else min(at_most, available)
    chosen = {number * available // wanted for number in range(wanted)}
    return [document for number, document in enumerate(read_shards(corpus / split, Document)) if number in chosen]


def shorten(documents: list[Document]) -> tuple[list[Document], dict[str, int]]:
    """For quick mode: so many documents, evenly, that about `QUICK_BYTES` remain, long ones cut to their middle.

    Returns them, how many were cut, and to how many characters.
    """
    length = max(QUICK_PASSAGE, QUICK_BYTES // len(documents))
    passages = [passage(document, length) for document in documents]
    size = sum(document.byte_count() for document in passages)
    wanted = max(1, min(len(passages), len(passages) * QUICK_BYTES // max(1, size)))
    chosen = [number * len(passages) // wanted for number in range(wanted)]
    cut = sum(passages[number] is not documents[number] for number in chosen)
    return [passages[number] for number in chosen], {"documents_cut": cut, "cut_to_characters": length}


def passage(document: Document, characters: int) -> Document:
    """A document of at most about so many characters: from the middle, since title pages are not its text.

    Cut at white space, so that no word is split; its true cost is no longer known.
    """
    text = document.text
    if len(text) <= characters:
        return document
    start = (len(text) - characters) // 2
    pieces = text[start : start + characters].split(maxsplit=1)
    middle = pieces[-1].rsplit(maxsplit=1)[0]
    return replace(document, text=middle, true_bits=None)


def read_files(path: Path) -> list[Document]:
    """The documents of a text file (one), a JSONL file (one a line, key `text`), or all such files of a folder.

    Raises UsageError when there is none, ArtifactError when one cannot be read.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    else:
        files = [path] if path.is_file() else []
    if not files:
        raise UsageError(f"There is no text at {path}: name a .txt or .jsonl file, or a folder that holds some.")
    base = path if path.is_dir() else path.parent
    documents = [document for file in files for document in _read(file, file.relative_to(base).as_posix())]
    documents = [document for document in documents if document.text.strip()]
    if not documents:
        raise ArtifactError(f"{path} holds no text: every document is empty.")
    return documents


def _read(file: Path, name: str) -> Iterator[Document]:
    try:
        content = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"{file} is not UTF-8 ({error.reason} at byte {error.start:,}). Convert it first."
        ) from error
    if file.suffix != ".jsonl":
        yield _document(name, name, content, {})
        return
    # Not splitlines(): texts may hold other characters that it takes for line ends.
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            yield _document(str(values.get("id", f"{name}:{number}")), name, values["text"], values)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ArtifactError(f"{file} line {number:,} is no JSON object with a `text`: {error!r}.") from error


def _document(name: str, source: str, text: str, values: dict[str, Any]) -> Document:
    date = values.get("date")
    return Document(
        id=name,
        source=str(values.get("source", source)),
        sha256=content_hash(text.encode()),
        text=text,
        date=None if date is None else str(date),
    )
