"""How sure a figure is: confidence intervals and the comparison of two models, by resampling documents.

Documents, not tokens, are drawn: tokens of one document are alike, and counting each as a witness of its own makes
intervals several times too narrow. Percentile bootstrap (Efron 1979) for one model; for two models the paired
bootstrap (Koehn 2004): both are measured on the same documents, so that what makes a document hard falls out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

METHOD = "percentile bootstrap by document"
PAIRED_METHOD = "paired bootstrap by document"
LEVEL = 0.95
# Below this many documents the percentile interval is known to be too narrow, and the result says so.
FEW_DOCUMENTS = 20
# Index matrices are drawn in pieces of about this many entries (8 bytes each).
CHUNK = 4_000_000

Array = NDArray[np.float64]


def resampled_sums(columns: Array, resamples: int, seed: int) -> Array:
    """Sums over documents drawn with replacement.

    columns: (documents, quantities). Returns (resamples, quantities); equal seed, equal draws, so that calls with
    equal numbers of documents are paired.
    """
    return np.concatenate(list(_pieces(columns, resamples, seed)))


def _pieces(columns: Array, resamples: int, seed: int) -> Iterator[Array]:
    documents = len(columns)
    random = np.random.default_rng(seed)
    step = max(1, CHUNK // documents)
    for start in range(0, resamples, step):
        drawn = random.integers(0, documents, (min(step, resamples - start), documents))
        yield np.stack([column[drawn].sum(1) for column in columns.T], axis=1)


def interval(values: Array) -> list[float]:
    """The central `LEVEL` of resampled values: [low, high]."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(low), float(high)]


def describe(documents: int, resamples: int, seed: int, method: str = METHOD) -> dict[str, Any]:
    """What a reader must know about the intervals beside it."""
    described: dict[str, Any] = {
        "method": method,
        "level": LEVEL,
        "resamples": resamples,
        "seed": seed,
        "documents": documents,
    }
    if documents < FEW_DOCUMENTS:
        described["caution"] = (
            f"only {documents} document{'s' if documents != 1 else ''}: the interval is narrower than the truth"
        )
    return described


def paired_difference(first: Array, second: Array, sizes: Array, resamples: int, seed: int) -> dict[str, Any]:
    """first minus second of a rate sum(cost) / sum(size) over the same documents.

    first, second, sizes: (documents,). Returns the difference, its interval and the two-sided p-value: twice the
    share of resamples on the other side of zero, with one added to both counts so that it is never 0.
    """
    sums = resampled_sums(np.stack([first - second, sizes], axis=1), resamples, seed)
    differences = sums[:, 0] / sums[:, 1]
    tail = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return {
        **describe(len(first), resamples, seed, PAIRED_METHOD),
        "difference": float((first - second).sum() / sizes.sum()),
        "interval": interval(differences),
        "p_value": min(1.0, 2 * (tail + 1) / (resamples + 1)),
        "first_better": int((first < second).sum()),
        "second_better": int((first > second).sum()),
    }
