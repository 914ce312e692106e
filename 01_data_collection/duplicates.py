"""Duplicates over the whole corpus: found by fingerprints, judged by the texts, each group reduced to one.

Three kinds of twins: equal letter for letter (`duplicate`); alike, Jaccard similarity of the distinct 5-grams at least
`corpus.duplicates.jaccard` (`near-duplicate`); and part of a longer one (`contained`). Candidates come from MinHash
digests and from sampled 5-grams; what decides is the similarity of the 5-grams themselves.

Which stays does not depend on the order of the input: documents are taken longest first (letters and digits; of
equals the smallest id), and one goes when it is a twin of one that stayed. A document that is like a dropped one but
not like the one that stayed stays too: similarity is not handed on.

datatrove's own MinHash stages (buckets, clusters, filter) are not used: they drop a whole chain of candidates for its
first member without ever comparing texts, which would take the formulaic inquests of London Lives for one document,
and they know neither containment nor which twin is the better one. Its pipeline still does the work on the texts.

Memory: the fingerprints lie in files that are mapped. What is held is about 100 bytes per document, 5 per entry of the
table of sampled 5-grams (one for every 16 words), 40 per entry of the part of it that is looked at (PART_ENTRIES), and
some 100 per pair of candidates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from corpus_index import CorpusIndex
from fingerprints import BANDS, NUM_HASHES, ROWS, similarity

from chapbook.config import DuplicatesConfig

KINDS = ("", "duplicate", "near-duplicate", "contained")
# Digests that agree in less than half of their values are not looked at further: of texts with Jaccard 0.7 in their
# 5-grams the 3-grams agree in 0.7 to 0.8 of 128 values, give or take 0.04.
LEAST_AGREEMENT = 0.5
# In a bucket each document is paired with so many that follow it, those first that share more bands. Where more are
# really alike, each is found through its neighbour.
WINDOW = 32
# Of a document's sampled 5-grams so many, the rarest, vote for documents that may contain it; one that stands in more
# than MOST_OWNERS says nothing, and in more than WINDOW only the longest of them are voted for.
VOTES, MOST_OWNERS, LONGEST = 16, 1_000, 8
# Share of the votes a document needs to be looked at: a text contained to 0.8 gets about 0.8 of them.
LEAST_VOTES = 0.4
PART_ENTRIES = 8_000_000
# For the progress bar: the bands, and about as much again for containment and comparison.
SEARCH_AMOUNT = 2 * BANDS


@dataclass
class Duplicates:
    """What was found, per document of the index."""

    winner: np.ndarray
    """The row that stays in its place, or -1: it stays. Shape (documents,), int64."""
    kind: np.ndarray
    """Which kind of twin it is: an index into KINDS."""
    jaccard: np.ndarray
    containment: np.ndarray
    group: np.ndarray
    """Documents with one number are similar and belong into one split; the number is the row of the first of them."""
    paragraph_rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """Rows that lose paragraphs, in ascending order; beside it the hash of each paragraph."""
    paragraph_hashes: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))

    @classmethod
    def none(cls, documents: int) -> Duplicates:
        """Nothing was looked for."""
        zeros = np.zeros(documents)
        return cls(np.full(documents, -1), zeros.astype(np.uint8), zeros, zeros.copy(), np.arange(documents))

    def stays(self) -> np.ndarray:
        """Which documents stay: shape (documents,), bool."""
        return self.winner < 0

    def save(self, path: Path) -> None:
        """Write all arrays to one file."""
        with path.open("wb") as file:
            np.savez(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Duplicates:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**arrays)


# Writes the distinct 5-grams of some rows; returns a function from row to its sorted hashes.
MeasureGrams = Callable[[np.ndarray], Callable[[int], np.ndarray]]


def find_duplicates(
    index: CorpusIndex,
    settings: DuplicatesConfig,
    measure_grams: MeasureGrams,
    progress: Callable[[int], None] = lambda amount: None,
) -> Duplicates:
    """Find the twins of a corpus whose pieces have been fingerprinted.

    progress: told, bit by bit, how much is done, SEARCH_AMOUNT in all.
    """
    found = Duplicates.none(len(index))
    order = index.preferred
    _find_exact(found, index, order)
    # From here on documents are numbered by preference: of a pair (i, j) with i < j, i is kept.
    rows = order[found.stays()[order] & (index.numbers("letters")[order] > 0)]
    near = near_candidates(index.fingerprints("digests"), rows, progress)
    pairs = np.unique(np.concatenate([near, _containing(index, rows)]))
    progress(BANDS // 2)
    _judge(found, rows, pairs, settings, measure_grams(np.unique(rows[_both(pairs)])))
    if settings.paragraph_letters is not None:
        _find_paragraphs(found, index, order, settings.paragraph_documents)
    progress(BANDS // 2)
    return found


def _find_exact(found: Duplicates, index: CorpusIndex, order: np.ndarray) -> None:
    exact = index.fingerprints("exact")[order]
    # Stable, so that of equals the preferred comes first.
    by_hash = np.lexsort((exact[:, 1], exact[:, 0]))
    hashes = exact[by_hash]
    same = np.flatnonzero(np.all(hashes[1:] == hashes[:-1], axis=1) & np.any(hashes[1:] != 0, axis=1)) + 1
    first = np.arange(len(hashes))
    first[same] = 0
    first = np.maximum.accumulate(first)
    losers = order[by_hash[same]]
    found.winner[losers] = order[by_hash[first[same]]]
    found.kind[losers] = KINDS.index("duplicate")
    found.jaccard[losers] = found.containment[losers] = 1.0


def _encode(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pairs of numbers as one number each, the smaller first."""
    low, high = np.minimum(one, other).astype(np.uint64), np.maximum(one, other).astype(np.uint64)
    return (low << np.uint64(32)) | high


def _both(pairs: np.ndarray) -> np.ndarray:
    """All numbers that occur in encoded pairs: shape (2 x pairs,)."""
    return np.concatenate([pairs >> np.uint64(32), pairs & np.uint64(2**32 - 1)]).astype(np.int64)


def near_candidates(
    digests: np.ndarray, rows: np.ndarray, progress: Callable[[int], None] = lambda amount: None
) -> np.ndarray:
    """Pairs of positions in `rows` whose digests share a band and half of their values; encoded, sorted, distinct.

    digests: shape (documents, 128), uint32. Locality-sensitive hashing with 32 bands of 4 rows.
    """
    pairs = [np.empty(0, np.uint64)]
    for band in range(BANDS):
        keys = _band_keys(digests, rows, band)
        order = np.argsort(keys, kind="stable")
        order = _refine_large(keys[order], order, digests, rows, band)
        sorted_keys = keys[order]
        for distance in range(1, WINDOW + 1):
            same = np.flatnonzero(sorted_keys[distance:] == sorted_keys[:-distance])
            if not len(same):
                break
            found = _encode(order[same], order[same + distance])
            pairs.append(found[_agree(digests, rows, found)])
        if sum(map(len, pairs)) > 1_000_000:
            pairs = [np.unique(np.concatenate(pairs))]
        progress(1)
    return np.unique(np.concatenate(pairs))


def _band_keys(digests: np.ndarray, rows: np.ndarray, band: int) -> np.ndarray:
    values = np.ascontiguousarray(digests[:, band * ROWS : (band + 1) * ROWS])[rows].view(np.uint64)
    return values[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ values[:, 1]


def _refine_large(
    sorted_keys: np.ndarray, order: np.ndarray, digests: np.ndarray, rows: np.ndarray, band: int
) -> np.ndarray:
    """In buckets larger than the window, put documents that share the next three bands side by side."""
    edges = np.flatnonzero(np.diff(sorted_keys)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(sorted_keys)]])
    for start, end in zip(starts, ends, strict=True):
        if end - start > WINDOW + 1:
            members = np.sort(order[start:end])
            following = [_band_keys(digests, rows[members], (band + step) % BANDS) for step in (3, 2, 1)]
            order[start:end] = members[np.lexsort(following)]
    return order


def _agree(digests: np.ndarray, rows: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Which pairs agree in at least half of their 128 values."""
    agree = np.empty(len(pairs), bool)
    for start in range(0, len(pairs), 20_000):
        block = pairs[start : start + 20_000]
        one, other = np.split(rows[_both(block)], 2)
        agree[start : start + len(block)] = (digests[one] == digests[other]).sum(1) >= LEAST_AGREEMENT * NUM_HASHES
    return agree


def _owners(counts: np.ndarray, position: np.ndarray) -> np.ndarray:
    """For each entry of a table of hashes the position of its document; -1 when it takes no part."""
    return np.repeat(position.astype(np.int32), counts)


def _equal_hashes(values: np.ndarray, owners: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Go through a table of hashes part by part, equal ones side by side.

    Yields (entries, owners, starts): the entries of a part sorted by hash and then by owner, who owns them, and where
    each hash begins (with the end as last). Entries of nobody are left out.
    """
    parts = 1 << max(0, (len(values) // PART_ENTRIES).bit_length())
    for part in range(parts):
        entries = []
        for start in range(0, len(values), PART_ENTRIES):
            block, block_owners = values[start : start + PART_ENTRIES], owners[start : start + PART_ENTRIES]
            mine = (block & np.uint64(parts - 1)) == part
            entries.append(np.flatnonzero(mine & (block_owners >= 0)) + start)
        chosen = np.concatenate(entries) if entries else np.empty(0, np.int64)
        order = np.lexsort((owners[chosen], values[chosen]))
        chosen = chosen[order]
        hashes = values[chosen]
        edges = np.flatnonzero(hashes[1:] != hashes[:-1]) + 1
        starts = np.concatenate([[0], edges, [len(chosen)]]) if len(chosen) else np.zeros(1, np.int64)
        yield chosen, owners[chosen], starts


def _positions(documents: int, rows: np.ndarray) -> np.ndarray:
    """The place of each document of the index in `rows`, or -1."""
    position = np.full(documents, -1, np.int64)
    position[rows] = np.arange(len(rows))
    return position


def _containing(index: CorpusIndex, rows: np.ndarray) -> np.ndarray:
    """Pairs of positions in `rows` of which the longer may contain the shorter; encoded, sorted, distinct."""
    values, counts = index.fingerprints("sampled"), index.fingerprints("sampled_counts")
    owners = _owners(counts, _positions(len(index), rows))
    votes = _choose_votes(values, owners, len(rows))
    # Out of so many; who shares hardly any of its 5-grams with anybody stands in nobody.
    ballots = np.minimum(VOTES, counts[rows])
    pairs, numbers = np.empty(0, np.uint64), np.empty(0, np.int64)
    for entries, who, starts in _equal_hashes(values, owners):
        cast = np.concatenate([pairs, *_vote(votes[entries], who, starts)])
        weights = np.concatenate([numbers, np.ones(len(cast) - len(pairs), np.int64)])
        pairs, inverse = np.unique(cast, return_inverse=True)
        numbers = np.bincount(inverse, weights, len(pairs)).astype(np.int64)
    # The shorter of the two is the one that comes later.
    shorter = (pairs & np.uint64(2**32 - 1)).astype(np.int64)
    return pairs[numbers >= np.maximum(1, LEAST_VOTES * ballots[shorter])]


def _choose_votes(values: np.ndarray, owners: np.ndarray, documents: int) -> np.ndarray:
    """Which entries vote: of each document the rarest that also stand in another. Shape (entries,), bool."""
    chosen = np.zeros(len(values), bool)
    entries, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for part, _, starts in _equal_hashes(values, owners):
        sizes = np.diff(starts)
        here = np.repeat(sizes, sizes)
        shared = (here >= 2) & (here <= MOST_OWNERS)
        entries.append(part[shared])
        numbers.append(here[shared])
    shared_entries = np.concatenate(entries)
    order = np.lexsort((values[shared_entries], np.concatenate(numbers), owners[shared_entries]))
    shared_entries = shared_entries[order]
    per_owner = np.bincount(owners[shared_entries], minlength=documents)
    first = np.cumsum(per_owner) - per_owner
    place = np.arange(len(shared_entries)) - np.repeat(first, per_owner)
    chosen[shared_entries[place < VOTES]] = True
    return chosen


def _vote(votes: np.ndarray, owners: np.ndarray, starts: np.ndarray) -> Iterator[np.ndarray]:
    """The pairs for which an entry votes, one array after the other."""
    sizes = np.diff(starts)
    size, first = np.repeat(sizes, sizes), np.repeat(starts[:-1], sizes)
    place = np.arange(len(owners))
    for distance in range(1, WINDOW):
        near = np.flatnonzero((size <= WINDOW) & (place - first >= distance))
        if not len(near):
            break
        near = near[votes[near] | votes[near - distance]]
        yield _encode(owners[near - distance], owners[near])
    for number in range(LONGEST):
        far = np.flatnonzero((size > WINDOW) & (size <= MOST_OWNERS) & votes & (place - first > number))
        yield _encode(owners[first[far] + number], owners[far])


def _judge(
    found: Duplicates,
    rows: np.ndarray,
    pairs: np.ndarray,
    settings: DuplicatesConfig,
    grams: Callable[[int], np.ndarray],
) -> None:
    """Compare candidates, the longest first; note who goes, and who is similar."""
    earlier: dict[int, list[int]] = defaultdict(list)
    one, other = np.split(_both(pairs), 2)
    for preferred, later in zip(one.tolist(), other.tolist(), strict=True):
        earlier[later].append(preferred)
    # What a Jaccard similarity of `similar` means for the share of the smaller, where both are of one length.
    enough = 2 * settings.similar / (1 + settings.similar)
    winner: dict[int, int] = {}
    leader = np.arange(len(rows))

    def head(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = int(leader[place])
        return place

    for place in sorted(earlier):
        row = int(rows[place])
        similar = []
        # A twin of a dropped document may be one of what stayed in its place.
        for candidate in sorted({winner.get(each, each) for each in earlier[place]}):
            jaccard, containment = similarity(grams(int(rows[candidate])), grams(row))
            if jaccard >= settings.jaccard or containment >= settings.containment:
                kind = "near-duplicate" if jaccard >= settings.jaccard else "contained"
                winner[place] = candidate
                found.winner[row] = rows[candidate]
                found.kind[row], found.jaccard[row], found.containment[row] = KINDS.index(kind), jaccard, containment
                break
            if jaccard >= settings.similar or containment >= enough:
                similar.append(candidate)
        else:
            for candidate in similar:
                leader[head(place)] = head(candidate)
    linked = [place for place in range(len(rows)) if leader[place] != place]
    found.group[rows[linked]] = rows[[head(place) for place in linked]] if linked else rows[:0]


def _find_paragraphs(found: Duplicates, index: CorpusIndex, order: np.ndarray, documents: int) -> None:
    """Note paragraphs that stand in many documents that stay: the preferred of them keeps its copy."""
    rows = order[found.stays()[order]]
    values, counts = index.fingerprints("paragraphs"), index.fingerprints("paragraphs_counts")
    owners = _owners(counts, _positions(len(index), rows))
    lost_by, lost = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    for entries, who, starts in _equal_hashes(values, owners):
        sizes = np.diff(starts)
        repeated = np.repeat(sizes >= documents, sizes)
        # Within a hash owners are in order of preference, and a document has each hash once.
        repeated[starts[:-1]] = False
        lost_by.append(rows[who[repeated]])
        lost.append(values[entries[repeated]])
    all_rows, all_hashes = np.concatenate(lost_by), np.concatenate(lost)
    by_row = np.lexsort((all_hashes, all_rows))
    found.paragraph_rows, found.paragraph_hashes = all_rows[by_row], all_hashes[by_row]


def groups(found: Duplicates, index: CorpusIndex) -> Iterator[dict[str, Any]]:
    """One record per document that stayed in the place of others, in corpus order: what `duplicates.jsonl` holds."""
    members: dict[int, list[int]] = defaultdict(list)
    losers = np.flatnonzero(found.winner >= 0)
    for row in losers.tolist():
        members[final_winner(found, row)].append(row)
    for kept in sorted(members):
        yield {
            "kept": index.value("id", kept),
            "source": index.value("source", kept),
            "letters": index.value("letters", kept),
            "members": [_member(found, index, row, kept) for row in members[kept]],
        }


def _member(found: Duplicates, index: CorpusIndex, row: int, kept: int) -> dict[str, Any]:
    member = {
        "id": index.value("id", row),
        "source": index.value("source", row),
        "letters": index.value("letters", row),
        "kind": KINDS[found.kind[row]],
        "jaccard": round(float(found.jaccard[row]), 4),
        "containment": round(float(found.containment[row]), 4),
    }
    if found.winner[row] != kept:
        # Letter for letter equal to one that was itself dropped: the figures are about that one.
        member["like"] = index.value("id", int(found.winner[row]))
    return member


def final_winner(found: Duplicates, row: int) -> int:
    """The document that stayed in the place of a dropped one."""
    while found.winner[row] >= 0:
        row = int(found.winner[row])
    return row
