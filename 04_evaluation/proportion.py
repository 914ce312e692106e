"""How sure a share is: so many of so many, with its interval and its test against chance."""

from __future__ import annotations

import math
from typing import Any

# The quantile of the normal distribution for a two-sided level of 0.95.
Z95 = 1.959963984540054


def wilson(successes: int, total: int) -> list[float]:
    """The 95% interval of a share after Wilson (1927): [low, high]; [0, 1] when nothing was counted.

    Right also for few cases and near 0 and 1, where the textbook interval (share +- 1.96 standard errors) leaves the
    range from 0 to 1 or has no width.
    """
    if not total:
        return [0.0, 1.0]
    share, z2 = successes / total, Z95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    # At 0 and at 1 the interval ends there exactly; rounding must not cut the share itself off.
    return [min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))]


def share(successes: int, total: int) -> dict[str, Any]:
    """A share as it stands in results: counts, value (None when nothing was counted), 95% interval (Wilson)."""
    return {
        "count": successes,
        "total": total,
        "value": successes / total if total else None,
        "interval": wilson(successes, total),
    }


def sign_test(first: int, second: int) -> float:
    """The exact two-sided p-value of so many wins for each side, ties left out, when both are equally good."""
    total, fewer = first + second, min(first, second)
    if not total:
        return 1.0
    tail = sum(math.comb(total, wins) for wins in range(fewer + 1)) / 2**total
    return min(1.0, 2 * tail)


def percent(figure: dict[str, Any]) -> str:
    """`31.2% (26.1% to 36.8%)` for a share; `not measured` when nothing was counted."""
    if figure["value"] is None:
        return "not measured"
    low, high = figure["interval"]
    return f"{figure['value']:.1%} ({low:.1%} to {high:.1%})"
