"""Splitting a corpus by document, so that no text stands on both sides.

A document's split depends on its own text and the seed alone, so it stays where it is when documents are
added. Very small corpora are first cut into sections, so that even a single book can be split; there each
split gets its exact share, because a share left to chance could be none of a few dozen sections.
"""

from __future__ import annotations

import bisect
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from chapbook.corpus import Document

# With fewer documents a 5% share is less than one document.
FEW_DOCUMENTS = 20
# About 2,000 tokens: several blocks of training context, and still 100 sections from a novel.
SECTION_CHARACTERS = 8_000


def split_key(text: str, seed: int) -> float:
    """A number in [0, 1) that depends on the text and the seed alone."""
    digest = hashlib.sha256(f"{seed}:".encode() + text.encode("utf-8")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@dataclass(frozen=True)
class Boundaries:
    """Keys below `validation` are validation, those from there to `test` are test, the others train."""

    validation: float
    test: float

    def split_of(self, key: float) -> str:
        """The split a document with this key belongs to."""
        if key < self.validation:
            return "validation"
        return "test" if key < self.test else "train"


def assign_split(keys: list[float], validation_share: float, test_share: float, *, exact: bool = False) -> Boundaries:
    """The boundaries for documents with these sorted keys.

    They are the shares themselves, unless a split that was asked for would get no document: then its
    boundary moves up to take in the next one. `exact` gives each split its share to the nearest document
    instead; whether a document stays in its split then depends on the others.
    """

    def boundary(lower: float, share: float) -> float:
        upper = lower + share
        if exact and share:
            last = bisect.bisect_left(keys, lower) + max(1, round(share * len(keys)))
            return keys[last] if last < len(keys) else 1.0
        first = bisect.bisect_left(keys, lower)
        if share and first < len(keys) and keys[first] >= upper:
            return math.nextafter(keys[first], 2.0)
        return upper

    validation = boundary(0.0, validation_share)
    return Boundaries(validation, boundary(validation, test_share))


def cut_into_sections(document: Document, characters: int) -> Iterator[Document]:
    """Cut at paragraph ends (blank lines) once a section has reached `characters`; nothing else is lost.

    A paragraph is never cut, so a section can be longer. The last section takes a remainder shorter than half.
    """
    paragraphs = document.text.split("\n\n")
    sections: list[list[str]] = [[]]
    length = 0
    for paragraph in paragraphs:
        if length >= characters:
            sections.append([])
            length = 0
        sections[-1].append(paragraph)
        length += len(paragraph) + 2
    if len(sections) > 1 and length < characters / 2:
        last = sections.pop()
        sections[-1] += last
    if len(sections) == 1:
        yield document
        return
    for number, section in enumerate(sections):
        yield replace(document, id=f"{document.id}#{number:04d}", text="\n\n".join(section), true_bits=None)
