"""Where documents come from: one module per kind of source, each with `identity(source)` and `documents(source)`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failed:
    """An item that a source could not deliver as a document."""

    item: str
    """Which one: the id it would have had."""
    reason: str
    """Why, in words that can be counted before the first colon, e.g. `not a text format: .jpg`."""
