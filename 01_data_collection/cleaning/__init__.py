"""The steps that make clean text of raw documents: one file per step, `STEPS` names them.

A step's maker gets the settings and returns the step. Steps look at one document alone and may run in any process;
what looks at the whole corpus comes after them (`duplicates.py`, `mixture.py` in the folder above).
"""

from __future__ import annotations

from collections.abc import Callable

from cleaning import (
    characters,
    decode,
    decontaminate,
    extract,
    front_matter,
    furniture,
    gutenberg,
    language,
    layout,
    length,
    licence,
    markdown,
    misreadings,
    notes,
    period,
    punctuation,
    quality,
    repetition,
    scan,
    size,
)
from cleaning.draft import CleaningSettings, Draft, Rejected, Step

__all__ = ["DEFAULT_ORDER", "DUPLICATES", "STEPS", "CleaningSettings", "Draft", "Rejected", "Step"]

STEPS: dict[str, Callable[[CleaningSettings], Step]] = {
    "size": size.make,
    "licence": licence.make,
    "decode": decode.make,
    "extract": extract.make,
    "gutenberg": gutenberg.make,
    "markdown": markdown.make,
    "characters": characters.make,
    "notes": notes.make,
    "scan": scan.make,
    "furniture": furniture.make,
    "layout": layout.make,
    "front_matter": front_matter.make,
    "misreadings": misreadings.make,
    "punctuation": punctuation.make,
    "language": language.make,
    "length": length.make,
    "repetition": repetition.make,
    "quality": quality.make,
    "period": period.make,
    "decontaminate": decontaminate.make,
}

# Lines must be whole before language and length are judged. Decontamination runs when there is something to look for.
DEFAULT_ORDER: list[str] = [name for name in STEPS if name != "decontaminate"]
# The search over all documents (`duplicates.py` in the folder above); named like a step, it comes after all steps.
DUPLICATES = "duplicates"
