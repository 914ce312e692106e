"""Splitting a corpus by document, so that no text stands on both sides.

A document's split depends on its own text and the seed alone, so it stays where it is when documents are
added. Very small corpora are first cut into sections, so that even a single book can be split; there each
split gets its exact share, because a share left to chance could be none of a few dozen sections.
"""

from __future__ import annotations

import bisect
import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from chapbook.corpus import Document

# With fewer documents a 5% share is less than one document.
FEW_DOCUMENTS = 20
# A section is at most this long: about 2,000 tokens, several blocks of training context.
SECTION_CHARACTERS = 8_000
# The key of documents that no split takes in.
TRAINED_ON = 1.0
# A short text is cut into about this many sections, so that 5% of them is one.
SECTIONS = 20


def section_length(characters: int) -> int:
    """How long the sections of a corpus of so many characters in all should be."""
    return max(1, min(SECTION_CHARACTERS, characters // SECTIONS))


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
            # Just above the last key that is in, so that equal texts are on one side and the split is never empty.
            return math.nextafter(keys[min(last, len(keys)) - 1], 2.0) if keys else upper
        first = bisect.bisect_left(keys, lower)
        if share and first < len(keys) and keys[first] >= upper:
            return math.nextafter(keys[first], 2.0)
        return upper

    validation = boundary(0.0, validation_share)
    return Boundaries(validation, boundary(validation, test_share))


def group_keys(keys: np.ndarray, groups: np.ndarray, chance: np.ndarray, largest: float) -> np.ndarray:
    """The split key of each document's group, so that similar documents are on one side.

    keys: of the documents, in [0, 1); groups: documents with one number belong together; chance: second keys, which
    say nothing about the first. A group has the key of the member with the smallest second key, so it is as likely to
    be held back as a single document, and rarely moves when one joins it. A group of more than `largest` documents
    has the key TRAINED_ON: it would be a split by itself, or more than one.
    """
    result = keys.copy()
    order = np.lexsort((keys, chance, groups))
    sorted_groups = groups[order]
    first = np.flatnonzero(np.concatenate([[True], sorted_groups[1:] != sorted_groups[:-1]])[: len(order)])
    sizes = np.diff(np.concatenate([first, [len(order)]]))
    representative = np.where((sizes > 1) & (sizes > largest), TRAINED_ON, keys[order[first]])
    result[order] = np.repeat(representative, sizes)
    return result


def cut_into_sections(document: Document, characters: int) -> Iterator[Document]:
    """Cut a document into sections of about `characters`; joined they are its text, but for blanks at the cuts.

    Cuts are at paragraph ends (blank lines); a paragraph longer than a section is cut at sentence ends, or at a
    blank where it has none. The last section takes a remainder shorter than half.
    """
    pieces = [piece for part in _PARAGRAPH.findall(document.text) for piece in _cut_long(part, characters)]
    sections = [""]
    for piece in pieces:
        if len(sections[-1]) >= characters:
            sections.append("")
        sections[-1] += piece
    if len(sections) > 1 and len(sections[-1]) < characters / 2:
        last = sections.pop()
        sections[-1] += last
    if len(sections) == 1:
        yield document
        return
    for number, section in enumerate(sections):
        yield replace(document, id=f"{document.id}#{number:04d}", text=section.strip(), true_bits=None)


# A paragraph with the blank lines after it; a sentence with the blanks after it.
_PARAGRAPH = re.compile(r".+?(?:\n\n+|\Z)", re.DOTALL)
_SENTENCE = re.compile(r".+?(?:[.!?]['\"”’)]*\s+|\Z)", re.DOTALL)


def _cut_long(paragraph: str, characters: int) -> Iterator[str]:
    """A paragraph as it is, or one that is too long in sentences, and a sentence that is too long in words."""
    if len(paragraph) <= 2 * characters:
        yield paragraph
        return
    for sentence in _SENTENCE.findall(paragraph):
        if len(sentence) <= 2 * characters:
            yield sentence
            continue
        start = 0
        while start < len(sentence):
            end = sentence.find(" ", start + characters) + 1 or len(sentence)
            yield sentence[start:end]
            start = end
