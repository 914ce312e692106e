"""Interpolated modified Kneser-Ney smoothing: the n-gram model that a neural one must beat.

Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (1998), section 3: three
discounts per order, lower orders by the number of different tokens that came before. The lowest order is mixed with
the uniform distribution, so that every token has a probability. Nothing is pruned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Used when an order has too few rare n-grams to estimate its discounts, as in KenLM's --discount_fallback.
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)


class KneserNey:
    """An n-gram model over token ids 0 … vocabulary-1 whose documents start from nothing and end in `end_of_text`."""

    def __init__(self, documents: Iterable[Sequence[int]], vocabulary: int, end_of_text: int, order: int = 5) -> None:
        self.vocabulary, self.end_of_text, self.order = vocabulary, end_of_text, order
        # The start of a document is a symbol of its own: it is seen, never predicted.
        self.start, self.base = vocabulary, vocabulary + 1
        stream, place = self._stream(documents)
        self.tokens = len(stream) - int((place == 0).sum())
        self._keys: list[Ints] = []
        self._levels: list[_Level] = []
        self._count(stream, place)

    def _stream(self, documents: Iterable[Sequence[int]]) -> tuple[Ints, Ints]:
        """All documents one after another, and each symbol's place in its own document (0: the start)."""
        parts = [np.concatenate(([self.start], ids, [self.end_of_text])).astype(np.int64) for ids in documents]
        places = [np.arange(len(part), dtype=np.int64) for part in parts]
        return np.concatenate(parts), np.concatenate(places)

    def _count(self, stream: Ints, place: Ints) -> None:
        # grams[i]: number of the n-gram that ends at i in the table of its order; -1 where the document is too short.
        # A table's key is (number of the n-gram without its last token) * base + last token: a trie by prefix.
        grams = stream
        counts = np.bincount(stream, minlength=self.base)
        starts = np.arange(self.base) == self.start
        for length in range(2, self.order + 1):
            inside = np.flatnonzero(place >= length - 1)
            keys, first, inverse, longer = np.unique(
                grams[inside - 1] * self.base + stream[inside],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            first = inside[first]
            # Below the highest order an n-gram counts by how many different tokens come before it. At the start of a
            # document nothing does: there its raw count is all there is.
            preceded = np.bincount(grams[first], minlength=len(counts))
            self._add_level(np.where(starts, counts, preceded))
            self._keys.append(keys)
            counts, starts = longer, place[first] == length - 1
            grams = np.full(len(stream), -1, np.int64)
            grams[inside] = inverse
        self._add_level(counts)

    def _add_level(self, counts: Ints) -> None:
        if self._levels:
            self._levels.append(_Level(counts, self._keys[-1] // self.base, self._levels[-1].size))
        else:
            counts[self.start] = 0
            self._levels.append(_Level(counts, np.zeros(self.base, np.int64), 1))

    def nats(self, documents: Sequence[Sequence[int]]) -> Floats:
        """The summed negative log-likelihood of each document's tokens; its end is not scored. (documents,)."""
        stream, place = self._stream(documents)
        probability = np.full(len(stream), 1 / self.vocabulary)
        grams = stream
        context = np.zeros(len(stream), np.int64)
        for length, level in enumerate(self._levels, start=1):
            if length > 1:
                # The context of a token is the n-gram that ends right before it.
                context = np.concatenate(([-1], grams[:-1]))
                context[place < length - 1] = -1
                grams = self._look_up(self._keys[length - 2], context, stream)
            probability = level.interpolate(context, grams, probability)
        scored = (place > 0) & np.concatenate((place[1:] > 0, [False]))
        document = np.cumsum(place == 0) - 1
        nats = np.zeros(len(documents))
        np.add.at(nats, document[scored], -np.log(probability[scored]))
        return nats

    def _look_up(self, table: Ints, context: Ints, stream: Ints) -> Ints:
        if not len(table):
            return np.full(len(stream), -1, np.int64)
        wanted = context * self.base + stream
        found = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
        return np.where((context >= 0) & (table[found] == wanted), found, -1)


class _Level:
    """One order: counts less their discounts, and what the discounts leave to the order below, by context."""

    def __init__(self, counts: Ints, context: Ints, contexts: int) -> None:
        self.size = len(counts)
        discounts = np.array((0.0, *_discounts(counts)))
        taken = discounts[np.minimum(counts, 3)]
        self.kept = counts - taken
        self.total = np.bincount(context, counts, minlength=contexts)
        self.left = np.bincount(context, taken, minlength=contexts)

    def interpolate(self, context: Ints, grams: Ints, lower: Floats) -> Floats:
        """P(token | context) of this order; that of the order below where the context was never seen."""
        known = context >= 0
        known[known] = self.total[context[known]] > 0
        total = self.total[context[known]]
        seen = np.where(grams[known] >= 0, self.kept[grams[known]], 0.0)
        probability = lower.copy()
        probability[known] = (seen + self.left[context[known]] * lower[known]) / total
        return probability


def _discounts(counts: Ints) -> tuple[float, float, float]:
    """What is taken from counts of 1, 2 and more (Chen and Goodman 1998, equation 26)."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return FALLBACK_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    # Counts of counts that do not fall give discounts outside their range: negative probabilities.
    return found if all(0 < d <= c for c, d in enumerate(found, start=1)) else FALLBACK_DISCOUNTS
