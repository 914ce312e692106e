"""How much of each source goes in: `corpus.mixture`, by whole documents.

A `weight` below 1 keeps that share of a source's documents; above 1 it is a number of epochs, as in the mixtures of
GPT-3 (Brown et al. 2020, table 2.2) and The Pile (Gao et al. 2020): training documents are repeated so often, the
fraction by a seeded choice, and nothing that is held back ever is. `max_bytes` and `max_share` are caps: documents are
taken in a seeded order of their own as long as they fit. What depends on a document depends on its text and the seed
alone, so with a weight it stays in or out when others are added; with a cap it may not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chapbook.config import MixtureConfig
from chapbook.errors import ChapbookError

REASONS = ("", "sampled out", "over the cap")


def second_key(keys: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1) that depend on the split keys but say nothing about them: shape as `keys`."""
    values = (keys * 2**48).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    result: np.ndarray = (values >> np.uint64(11)) / 2.0**53
    return result


def choose(
    sources: np.ndarray, names: list[str], sizes: np.ndarray, keys: np.ndarray, mixture: Mapping[str, MixtureConfig]
) -> tuple[np.ndarray, np.ndarray]:
    """Which documents stay, and how often they are trained on.

    sources: for each document a number into `names`. sizes: bytes. keys: split keys. Returns (reasons, copies), both of
    shape (documents,): a number into REASONS, 0 for what stays; and 1 or more.
    Raises ChapbookError when no amounts satisfy all `max_share`.
    """
    reasons, copies = np.zeros(len(sources), np.uint8), np.ones(len(sources), np.int64)
    chance = second_key(keys)
    for name, settings in mixture.items():
        mine = sources == names.index(name) if name in names else np.zeros(len(sources), bool)
        reasons[mine & (chance >= settings.weight)] = REASONS.index("sampled out")
        if settings.weight > 1:
            whole = int(settings.weight)
            copies[mine] = whole + (chance[mine] < settings.weight - whole)
    for name, limit in _limits(sources, names, sizes * copies * (reasons == 0), mixture).items():
        mine = np.flatnonzero((sources == names.index(name)) & (reasons == 0))
        mine = mine[np.lexsort((mine, chance[mine]))]
        used = 0
        for row in mine.tolist():
            weight = int(sizes[row] * copies[row])
            if used + weight > limit:
                reasons[row] = REASONS.index("over the cap")
            else:
                used += weight
    return reasons, copies


def _limits(
    sources: np.ndarray, names: list[str], sizes: np.ndarray, mixture: Mapping[str, MixtureConfig]
) -> dict[str, float]:
    """The most bytes of each source that has a cap and exceeds it."""
    have = {name: float(sizes[sources == number].sum()) for number, name in enumerate(names)}
    amounts = {
        name: min(size, (mixture[name].max_bytes or size) if name in mixture else size) for name, size in have.items()
    }
    shares = {name: settings.max_share for name, settings in mixture.items() if settings.max_share and have.get(name)}
    if shares and not any(amounts[name] for name in names if name not in shares) and sum(shares.values()) < 1:
        raise ChapbookError(
            f"corpus.mixture: every source has a max_share, together {sum(shares.values()):g}: no corpus can be so. "
            "Raise one, or leave one source without."
        )
    # Less of one source makes the corpus smaller and so the others' limits: down to where all are kept at once.
    while True:
        total = sum(amounts.values())
        lower = {name: min(amounts[name], share * total) for name, share in shares.items()}
        if all(amounts[name] - lower[name] < 1 for name in lower):
            return {name: amounts[name] for name in names if amounts[name] < have[name]}
        amounts |= lower
