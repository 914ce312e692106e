"""Where documents come from: one module per kind of source.

Each has `identity(source)`, what shapes its documents as JSON-able values, and `documents(source)`, which yields
them. Kinds that may go online (`OnlineSource`) take the HTTP client as well: `documents(source, http)`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failed:
    """An item that a source could not deliver as a document."""

    item: str
    """Which one: the id it would have had."""
    reason: str
    """Why, in words that can be counted before the first colon, e.g. `not a text format: .jpg`."""
    url: str | None = None
    """Where it would have come from."""
