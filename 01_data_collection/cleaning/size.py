"""Step `size`: refuses what is too large to be one document, before any work is done on it."""

from __future__ import annotations

from cleaning.draft import CleaningSettings, Draft, Rejected, Step


def make(settings: CleaningSettings) -> Step:
    """Rejects as `too large` what has more than `settings.max_bytes` bytes as collected.

    The steps need up to ten times the size of a document in memory; the longest novel has 2 MB, a year of a newspaper
    50.
    """

    def step(draft: Draft) -> None:
        size = len(draft.raw.content)
        if size > settings.max_bytes:
            raise Rejected("too large", f"{size:,} bytes, more than corpus.max_bytes = {settings.max_bytes:,}")

    return step
