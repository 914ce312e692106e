"""The n-gram model: equal to the textbook's formulas written out slowly, and a probability distribution."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from kneser_ney import FALLBACK_DISCOUNTS, KneserNey

VOCABULARY, END = 7, 6
START = "start"


def some_documents(number: int, seed: int) -> list[list[int]]:
    """Documents whose tokens repeat unevenly, so that there are counts of 1, 2, 3 and more in every order."""
    source = random.Random(seed)
    return [source.choices(range(END), weights=[9, 5, 3, 2, 1, 1], k=source.randint(0, 12)) for _ in range(number)]


class Slow:
    """Chen and Goodman's modified Kneser-Ney over dictionaries, formula by formula."""

    def __init__(self, documents: Sequence[Sequence[int]], order: int) -> None:
        self.order = order
        streams: list[list[Any]] = [[START, *ids, END] for ids in documents]
        grams: dict[int, Counter[tuple[Any, ...]]] = {n: Counter() for n in range(1, order + 1)}
        for stream in streams:
            for n, counter in grams.items():
                counter.update(tuple(stream[i : i + n]) for i in range(len(stream) - n + 1))
        self.counts: dict[int, dict[tuple[Any, ...], int]] = {order: dict(grams[order])}
        for n in range(1, order):
            before: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
            for gram in grams[n + 1]:
                before[gram[1:]].add(gram[0])
            self.counts[n] = {g: c if g[0] == START else len(before[g]) for g, c in grams[n].items()}
        self.counts[1].pop((START,))
        self.discounts = {n: self._discounts(list(c.values())) for n, c in self.counts.items()}

    def _discounts(self, counts: list[int]) -> tuple[float, ...]:
        n1, n2, n3, n4 = (counts.count(c) for c in (1, 2, 3, 4))
        if 0 in (n1, n2, n3):
            return FALLBACK_DISCOUNTS
        y = n1 / (n1 + 2 * n2)
        d = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        return d if all(0 < value <= limit for limit, value in enumerate(d, 1)) else FALLBACK_DISCOUNTS

    def probability(self, history: Sequence[Any], token: int) -> float:
        """P(token | history), interpolated down to the uniform distribution."""
        history = tuple(history)[len(history) - min(len(history), self.order - 1) :]
        lower = self.probability(history[1:], token) if history else 1 / VOCABULARY
        n = len(history) + 1
        followed = {g: c for g, c in self.counts[n].items() if g[:-1] == history}
        if not (total := sum(followed.values())):
            return lower
        discount = self.discounts[n]
        kept = max(followed.get((*history, token), 0), 0)
        kept_share = (kept - (discount[min(kept, 3) - 1] if kept else 0)) / total
        return kept_share + sum(discount[min(c, 3) - 1] for c in followed.values()) / total * lower


@pytest.mark.parametrize(("number", "order"), [(1, 1), (3, 2), (40, 1), (40, 2), (40, 3), (40, 5), (150, 3)])
def test_equals_the_formulas_written_out(number: int, order: int) -> None:
    """Would break: wrong discounts, contexts or continuation counts, or documents that run into each other."""
    training, held_back = some_documents(number, seed=number), some_documents(12, seed=99)
    held_back += [[], [0], [5, 5, 5, 5, 5, 5]]
    slow = Slow(training, order)
    expected = [
        -sum(math.log(slow.probability([START, *ids[:i]], token)) for i, token in enumerate(ids)) for ids in held_back
    ]
    found = KneserNey(training, VOCABULARY, END, order).nats(held_back)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_is_a_distribution_after_every_history() -> None:
    """Would break: probabilities that do not add up to one, which make a floor look better than it is."""
    training = some_documents(60, seed=3)
    model = KneserNey(training, VOCABULARY, END, 4)
    histories = [list(h) for length in range(4) for h in itertools.product(range(0, END, 2), repeat=length)]
    for history in histories:
        before = model.nats([history])[0] if history else 0.0
        after = model.nats([[*history, token] for token in range(VOCABULARY)])
        assert np.exp(before - after).sum() == pytest.approx(1, rel=1e-9), history


def test_more_context_pays_where_there_is_some() -> None:
    """Would break: an order that is ignored."""
    cycle = [[(start + i) % 5 for i in range(60)] for start in range(5)]
    by_order = [KneserNey(cycle, VOCABULARY, END, order).nats([cycle[0]])[0] / 60 for order in (1, 2)]
    assert by_order[0] == pytest.approx(math.log(5), rel=0.05)
    assert by_order[1] < 0.2
