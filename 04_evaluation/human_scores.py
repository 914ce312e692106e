"""What the answers of several people say: mean ratings with their intervals, and how far the people agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from bootstrap import interval, resampled_sums


def krippendorff_alpha(units: Sequence[Sequence[int]], *, ordinal: bool) -> float | None:
    """Krippendorff's alpha: 1 when all raters agree, 0 when they agree as by chance, below 0 when less.

    units: the values that each unit was given, by any number of raters. ordinal: values are ranks, and near ones
    disagree less; otherwise any two different values disagree alike. None when no unit has two values. Where all
    values of all units are one, chance alone would agree too and alpha is not defined: None.
    After Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011).
    """
    units = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in units for value in unit})
    if len(values) < 2:
        return None
    place = {value: number for number, value in enumerate(values)}
    coincidences = np.zeros((len(values), len(values)))
    for unit in units:
        counts = Counter(place[value] for value in unit)
        for first, often in counts.items():
            for second, times in counts.items():
                coincidences[first, second] += often * (times - (first == second)) / (len(unit) - 1)
    totals = coincidences.sum(1)
    distance = 1.0 - np.eye(len(values))
    if ordinal:
        ranks = np.cumsum(totals) - totals / 2
        distance = (ranks[:, None] - ranks[None, :]) ** 2
    number = totals.sum()
    observed = (coincidences * distance).sum() / number
    expected = (np.outer(totals, totals) * distance).sum() / (number * (number - 1))
    return float(1 - observed / expected)


def mean_ratings(pairs: Sequence[Sequence[tuple[int, int]]], resamples: int, seed: int) -> dict[str, Any] | None:
    """Mean ratings of two writers over pairs of texts, and their difference, with 95% intervals by pair.

    pairs: for each pair of texts the (first, second) ratings of its raters, whose mean is taken. None without any.
    """
    means = np.array([np.mean(given, axis=0) for given in pairs if given], np.float64).reshape(-1, 2)
    if not len(means):
        return None
    drawn = resampled_sums(means, resamples, seed) / len(means)
    first, second = means.mean(0)
    return {
        "pairs": len(means),
        "first": float(first),
        "first_interval": interval(drawn[:, 0]),
        "second": float(second),
        "second_interval": interval(drawn[:, 1]),
        "difference": float(first - second),
        "difference_interval": interval(drawn[:, 0] - drawn[:, 1]),
    }
