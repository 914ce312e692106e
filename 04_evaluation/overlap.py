"""Which stretches of some texts stand word for word, or token for token, in a corpus of any size.

The texts that are asked about are small and the corpus is large, so the texts are indexed and the corpus is read past
them once. The index is a suffix automaton (Blumer et al. 1985) of all texts; the corpus is fed through it, which gives
at each of its places the longest stretch ending there that some text holds (matching statistics). Exact, and the same
answer as a suffix array of the corpus gives, with memory for the texts alone: 0.8 kB for each of their tokens, whatever
the size of the corpus.

Stretches shorter than `SHORTEST` are not looked for, which makes it fast: numpy hashes every run of `SHORTEST` tokens
of the corpus and only those places are fed through the automaton whose hash one of the texts has: 17 million tokens a
second on one core where nothing agrees, 4 million where all do (200 texts of 256 tokens, benchmarks/overlap.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[Any]

SHORTEST = 8
# A table of 2^24 bits, so that of 100,000 runs one place in 170 of the corpus is fed in vain.
_TABLE_BITS = 24
_FACTORS = np.random.default_rng(1).integers(0, 2**63, SHORTEST.bit_length(), np.uint64) * np.uint64(2) + np.uint64(1)
# The corpus is hashed in pieces of about this many tokens: 24 bytes of working memory for each.
_PIECE = 1 << 20


class Overlaps:
    """Texts as sequences of non-negative ids; read a corpus past them, then ask what stands in it."""

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self.texts = texts
        self._next: list[dict[int, int]] = [{}]
        self._link = [-1]
        self._length = [0]
        # The state after each token of each text.
        self._states: list[list[int]] = []
        last = 0
        for number, text in enumerate(texts):
            states = []
            for token in text:
                last = self._extend(last, int(token))
                states.append(last)
            # No corpus holds a negative id, so nothing is found across the end of a text.
            last = self._extend(last, -1 - number)
            self._states.append(states)
        self._best = [0] * len(self._length)
        self._table = np.zeros(1 << _TABLE_BITS, bool)
        for text in texts:
            self._table[_buckets(np.asarray(text, np.int64))] = True

    def _extend(self, last: int, token: int) -> int:
        """The state after `token`: one step of the construction."""
        state = self._new({}, 0, self._length[last] + 1)
        place = last
        while place >= 0 and token not in self._next[place]:
            self._next[place][token] = state
            place = self._link[place]
        if place < 0:
            return state
        follower = self._next[place][token]
        if self._length[place] + 1 == self._length[follower]:
            self._link[state] = follower
            return state
        clone = self._new(dict(self._next[follower]), self._link[follower], self._length[place] + 1)
        while place >= 0 and self._next[place].get(token) == follower:
            self._next[place][token] = clone
            place = self._link[place]
        self._link[follower] = self._link[state] = clone
        return state

    def _new(self, following: dict[int, int], link: int, length: int) -> int:
        self._next.append(following)
        self._link.append(link)
        self._length.append(length)
        return len(self._length) - 1

    def read(self, corpus: Iterable[Ids]) -> int:
        """Read documents (ids, shape (tokens,)) past the texts; returns how many tokens were read.

        Nothing is found across the end of a document.
        """
        total = 0
        for document in corpus:
            total += len(document)
            ids = np.asarray(document, np.int64)
            for start in range(0, len(ids), _PIECE):
                # The next piece begins where a run of this one that reaches its end must be read on: pieces overlap
                # by what a stretch may be long, which is the longest text.
                self._read_piece(ids[start : start + _PIECE + max(map(len, self.texts), default=0)])
        return total

    def _read_piece(self, ids: Ids) -> None:
        hits = np.flatnonzero(self._table[_buckets(ids)])
        if not len(hits):
            return
        # Places that follow one another belong to one stretch, which is SHORTEST - 1 longer than their number.
        breaks = np.flatnonzero(np.diff(hits) > 1) + 1
        for run in np.split(hits, breaks):
            self._feed(ids[run[0] : run[-1] + SHORTEST].tolist())

    def _feed(self, ids: list[int]) -> None:
        following, link, lengths, best = self._next, self._link, self._length, self._best
        state = length = 0
        for token in ids:
            while state and token not in following[state]:
                state = link[state]
                length = lengths[state]
            if token in following[state]:
                state = following[state][token]
                length += 1
            best[state] = max(best[state], length)

    def longest_ending(self) -> list[list[int]]:
        """For each text and each of its tokens: how many tokens up to and with it stand in the corpus in one piece.

        0 where that is shorter than `SHORTEST`.
        """
        # What was found for a stretch holds for all its ends, which are the states up its links.
        reach = self._best.copy()
        for state in sorted(range(1, len(reach)), key=self._length.__getitem__, reverse=True):
            above = self._link[state]
            reach[above] = max(reach[above], min(reach[state], self._length[above]))
        # And where a long stretch ends, all shorter ones that were found end too.
        for state in sorted(range(1, len(reach)), key=self._length.__getitem__):
            reach[state] = max(reach[state], reach[self._link[state]])
        return [[found if (found := reach[state]) >= SHORTEST else 0 for state in states] for states in self._states]


def _buckets(ids: Ids) -> Ids:
    """The place in the table of each run of `SHORTEST` ids: shape (tokens - SHORTEST + 1,)."""
    count = len(ids) - SHORTEST + 1
    if count < 1:
        return np.empty(0, np.uint64)
    hashes = ids.astype(np.uint64) * _FACTORS[-1]
    hashes ^= hashes >> np.uint64(32)
    # Of runs of 1 those of 2 are made, of those 4, then 8.
    for step, factor in enumerate(_FACTORS[:-1]):
        width = 1 << step
        hashes = hashes[:-width] * factor + hashes[width:]
    return hashes >> np.uint64(64 - _TABLE_BITS)


def copied_windows(endings: Sequence[int], length: int) -> tuple[int, int]:
    """Of all windows of `length` tokens of a text: how many stand in the corpus in one piece, and how many there are.

    endings: as `longest_ending` gives them for the text.
    """
    windows = max(0, len(endings) - length + 1)
    return sum(ending >= length for ending in endings[length - 1 :]), windows
