"""The steps that make clean text of raw documents: one file per step, `STEPS` names them.

A step's maker gets the settings and returns the step. All steps but `duplicates` look at one document alone.
"""

from __future__ import annotations

from collections.abc import Callable

from cleaning import characters, decode, duplicates, extract, furniture, gutenberg, language, layout, length
from cleaning.draft import CleaningSettings, Draft, Rejected, Step

__all__ = ["DEFAULT_ORDER", "STEPS", "CleaningSettings", "Draft", "Rejected", "Step"]

STEPS: dict[str, Callable[[CleaningSettings], Step]] = {
    "decode": decode.make,
    "extract": extract.make,
    "gutenberg": gutenberg.make,
    "characters": characters.make,
    "furniture": furniture.make,
    "layout": layout.make,
    "language": language.make,
    "length": length.make,
    "duplicates": duplicates.make,
}

# `duplicates` remembers the documents before: all must pass through one instance, in order.
# Lines must be whole before language and length are judged, and duplicates compare what is left of everything.
DEFAULT_ORDER: list[str] = list(STEPS)
