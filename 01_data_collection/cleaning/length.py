"""Step `length`: refuses what is too short or is no prose."""

from __future__ import annotations

import string

from cleaning.draft import CleaningSettings, Draft, Rejected, Step

# English prose has 95% letters and blanks, verse and drama over 90%, tables of figures and binary junk under 50%.
MIN_LETTER_SHARE = 0.6
_ASCII_LETTERS_AND_SPACES = (string.ascii_letters + string.whitespace).encode("ascii")


def make(settings: CleaningSettings) -> Step:
    """Rejects as `too short` (fewer than `settings.min_characters` characters) or `not prose`."""

    def step(draft: Draft) -> None:
        count = len(draft.text)
        if count < settings.min_characters:
            raise Rejected("too short", f"{count} of {settings.min_characters} characters")
        share = letter_share(draft.text)
        if share < MIN_LETTER_SHARE:
            raise Rejected("not prose", f"{share:.0%} letters")

    return step


def letter_share(text: str) -> float:
    """The share of characters that are letters or white space; 0 for a text without any letter."""
    if not any(map(str.isalpha, text)):
        return 0.0
    # Deleting the ASCII ones as bytes runs at C speed and leaves 4% of prose to look at one by one.
    others = text.encode("utf-8").translate(None, _ASCII_LETTERS_AND_SPACES).decode("utf-8")
    good_others = sum(character.isalpha() or character.isspace() for character in others)
    return (len(text) - len(others) + good_others) / len(text)
