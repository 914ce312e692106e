"""Step `duplicates`: refuses a text that the run has seen before, letter for letter."""

from __future__ import annotations

import hashlib
import re

from cleaning.draft import CleaningSettings, Draft, Rejected, Step

_ASCII_OTHERS = bytes(code for code in range(128) if not chr(code).isalnum())
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")


def make(settings: CleaningSettings) -> Step:
    """Rejects as `duplicate`, with the id of the first. Remembers 16 bytes and an id per document of the run."""
    first: dict[bytes, str] = {}

    def step(draft: Draft) -> None:
        letters = letters_and_digits(draft.text)
        # Texts without any are equal in nothing that counts.
        if not letters:
            return
        digest = hashlib.blake2b(letters, digest_size=16).digest()
        earlier = first.setdefault(digest, draft.raw.id)
        if earlier != draft.raw.id:
            raise Rejected("duplicate", earlier)

    return step


def letters_and_digits(text: str) -> bytes:
    """The text's letters and digits in lower case, as UTF-8: twins that differ in layout or punctuation are equal."""
    lower = text.lower()
    if not lower.isascii():
        lower = _NON_ASCII.sub(lambda run: "".join(filter(str.isalnum, run[0])), lower)
    return lower.encode("utf-8").translate(None, _ASCII_OTHERS)
