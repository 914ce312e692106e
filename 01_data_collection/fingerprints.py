"""What the duplicate search needs to know of a text: hashes of its words, 3-grams, 5-grams and paragraphs.

A word is a run of letters and digits of any script, in lower case; punctuation, layout and case do not count. All
hashes are computed with numpy over the UTF-8 bytes, without making a Python object per word: 40 MB/s on one core
where a regular expression and a hash per n-gram reach 5.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

# Candidates for near-duplicates share a band of 4 of 128 values of their word 3-grams. Two readings of one print with
# 10% of the words misread are then found in 95 of 100 cases; the 5-grams and 14 x 8 of web corpora find 1 of 100.
BANDS, ROWS = 32, 4
NUM_HASHES = BANDS * ROWS
SHINGLE_WORDS = 3
SEED = 1
# Similarity itself is measured on 5-grams, as DATA_NOTES and the literature do.
GRAM_WORDS = 5
# For containment one 5-gram hash in 16 is kept (FracMinHash: Irber et al. 2022): wherever a text lies inside another,
# they keep the same ones, so that a book bound into a volume is found without cutting either into passages that
# would have to begin at the same word. A trial of 300 words keeps 19, enough to tell 0.8 from 0.5.
SAMPLED = 16

_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_PARAGRAPH_END = re.compile(rb"\n\n+")

_WORD_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789" + bytes(range(128, 256))
_OTHER_BYTES = bytes(code for code in range(256) if code not in _WORD_BYTES)
_IS_WORD_BYTE = np.isin(np.arange(256), np.frombuffer(_WORD_BYTES, np.uint8))

# Odd, hence invertible modulo 2^64: a word's hash does not depend on where it stands.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
# The words of a long text are hashed so many bytes at a time: 17 bytes of working memory for each.
_BLOCK = 1 << 20
_FACTORS = np.random.default_rng(SEED).integers(0, 2**63, GRAM_WORDS, np.uint64) * np.uint64(2) + np.uint64(1)


def _powers(base: int, count: int) -> np.ndarray:
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


_POWERS, _INVERSE_POWERS = _powers(_BASE, _BLOCK), _powers(_INVERSE, _BLOCK)


def normalise(text: str) -> bytes:
    """The text in lower case as UTF-8, with a blank for each non-ASCII mark that is neither letter nor digit."""
    lower = text.lower()
    if not lower.isascii():
        lower = _NON_ASCII.sub(lambda run: "".join(c if c.isalnum() else " " for c in run[0]), lower)
    return lower.encode("utf-8", "surrogatepass")


def letters_and_digits(normalised: bytes) -> bytes:
    """What is left of `normalise(text)` without ASCII marks and blanks: equal for texts that differ in layout alone."""
    return normalised.translate(None, _OTHER_BYTES)


def word_hashes(normalised: bytes) -> np.ndarray:
    """One hash per word, in order: shape (words,), uint64."""
    return _words(normalised)[0]


def _words(normalised: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The hash of each word, and the byte it begins at: two arrays of shape (words,)."""
    codes = np.frombuffer(normalised, np.uint8)
    hashes, places = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    start = 0
    while start < len(codes):
        block = codes[start : start + _BLOCK]
        inside = _IS_WORD_BYTE[block]
        if start + _BLOCK < len(codes) and inside[-1]:
            # A word may go on in the next block: leave it to that, unless it fills this one.
            gaps = np.flatnonzero(~inside)
            if len(gaps):
                block, inside = block[: gaps[-1] + 1], inside[: gaps[-1] + 1]
        padded = np.zeros(len(block) + 2, np.int8)
        padded[1:-1] = inside
        edges = padded[1:] - padded[:-1]
        first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        # Sums of code x base^position; the difference of two of them, moved to position 0, is the word's polynomial.
        sums = np.zeros(len(block) + 1, np.uint64)
        np.cumsum((block.astype(np.uint64) + np.uint64(1)) * _POWERS[: len(block)], out=sums[1:])
        hashes.append(_mix((sums[last] - sums[first]) * _INVERSE_POWERS[first]))
        places.append(first + start)
        start += len(block)
    return np.concatenate(hashes), np.concatenate(places)


def _mix(values: np.ndarray) -> np.ndarray:
    """Spread each value over all 64 bits (the finaliser of splitmix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def gram_hashes(words: np.ndarray, length: int) -> np.ndarray:
    """One hash per run of `length` words, in order; a shorter text is one run. Shape (runs,), uint64."""
    if not len(words):
        return words
    length = min(length, len(words))
    runs = len(words) - length + 1
    hashes = np.zeros(runs, np.uint64)
    for place in range(length):
        hashes += words[place : place + runs] * _FACTORS[place % GRAM_WORDS] * np.uint64(2 * (place // GRAM_WORDS) + 1)
    return _mix(hashes)


def distinct_grams(text: str) -> np.ndarray:
    """The distinct 5-grams of a text as sorted hashes: what similarity is measured on."""
    return np.unique(gram_hashes(word_hashes(normalise(text)), GRAM_WORDS))


def similarity(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Jaccard similarity and containment (share of the smaller) of two sorted sets of hashes."""
    if not len(one) or not len(other):
        return 0.0, 0.0
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared), shared / min(len(one), len(other))


def digests(shingles: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The MinHash digests of texts, from the hashes of their 3-grams, text after text: shape (texts, 128), uint32."""
    from rensa import RMinHash

    if not len(shingles):
        return np.zeros((len(counts), NUM_HASHES), np.uint32)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles, offsets, NUM_HASHES, SEED)
    return np.array(matrix.to_rows(), np.uint32)


@dataclass
class Fingerprints:
    """What is kept of some texts; arrays have one row per text."""

    exact: np.ndarray
    """128 bits over its letters and digits, 0 for a text without any: shape (texts, 2), uint64."""
    letters: list[int]
    """How many bytes of letters and digits it has: of two twins the longer is kept."""
    digests: np.ndarray
    """Shape (texts, 128), uint32."""
    sampled: np.ndarray
    """The sampled hashes of the distinct 5-grams, sorted, text after text; how many each has in `sampled_counts`."""
    sampled_counts: np.ndarray
    paragraphs: np.ndarray
    """Hashes of the distinct long paragraphs, sorted, text after text; how many each has in `paragraphs_counts`."""
    paragraphs_counts: np.ndarray

    ARRAYS: ClassVar[tuple[str, ...]] = (
        *("exact", "digests", "sampled", "sampled_counts", "paragraphs", "paragraphs_counts"),
    )


def fingerprint(texts: list[str], paragraph_letters: int | None) -> Fingerprints:
    """Fingerprint texts, all at once because numpy takes as long to start for one short text as for a hundred.

    paragraph_letters: paragraphs of at least so many letters are hashed; None: none.
    """
    normalised = [normalise(text) for text in texts]
    letters = [letters_and_digits(text) for text in normalised]
    hashes, places = _words(b"\n".join(normalised))
    ends = np.searchsorted(places, np.cumsum([len(text) + 1 for text in normalised]))
    words = np.diff(ends, prepend=0)
    grams, counts = _grams_of_all(hashes, words, GRAM_WORDS)
    chosen = np.flatnonzero(grams < np.uint64(2**64 // SAMPLED))
    owners = np.repeat(np.arange(len(texts)), counts)[chosen]
    # Sorted by text and hash; of equal ones the first.
    order = np.lexsort((grams[chosen], owners))
    sampled, owners = grams[chosen][order], owners[order]
    new = np.ones(len(sampled), bool)
    new[1:] = (sampled[1:] != sampled[:-1]) | (owners[1:] != owners[:-1])
    paragraphs = [paragraph_hashes(text, paragraph_letters) for text in normalised]
    return Fingerprints(
        exact=np.frombuffer(
            b"".join(hashlib.blake2b(some, digest_size=16).digest() if some else bytes(16) for some in letters),
            np.uint64,
        ).reshape(-1, 2),
        letters=[len(some) for some in letters],
        digests=digests(*_grams_of_all(hashes, words, SHINGLE_WORDS)),
        sampled=sampled[new],
        sampled_counts=np.bincount(owners[new], minlength=len(texts)),
        paragraphs=np.concatenate([np.empty(0, np.uint64), *paragraphs]),
        paragraphs_counts=np.array([len(some) for some in paragraphs], np.int64),
    )


def _grams_of_all(hashes: np.ndarray, words: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The runs of `length` words of each text, text after text, and how many each has; a shorter text is one run."""
    if not len(hashes):
        return hashes, words
    short = np.flatnonzero((words > 0) & (words < length))
    runs = np.maximum(words - length + 1, 0)
    runs[short] = 1
    starts = np.cumsum(words) - words
    # Where each run begins: the first words of each text, one after the other.
    begins = np.repeat(starts - (np.cumsum(runs) - runs), runs) + np.arange(runs.sum())
    padded = np.concatenate([hashes, np.zeros(length, np.uint64)])
    grams = gram_hashes(padded, length)[begins]
    for text in short.tolist():
        place = np.cumsum(runs)[text] - 1
        grams[place] = gram_hashes(hashes[starts[text] : starts[text] + words[text]], length)[0]
    return grams, runs


def paragraph_hashes(normalised: bytes, at_least: int | None) -> np.ndarray:
    """Hashes of the distinct paragraphs with at least so many bytes of letters and digits, sorted."""
    if at_least is None:
        return np.empty(0, np.uint64)
    hashes = {
        paragraph_hash(letters)
        for paragraph in _PARAGRAPH_END.split(normalised)
        if len(paragraph) >= at_least and len(letters := letters_and_digits(paragraph)) >= at_least
    }
    return np.array(sorted(hashes), np.uint64)


def paragraph_hash(letters: bytes) -> int:
    """The hash of a paragraph's letters and digits, 64 bits."""
    return int.from_bytes(hashlib.blake2b(letters, digest_size=8).digest(), "little")
