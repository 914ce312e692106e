"""Step `licence`: keeps what stands under one of the licences that a person allows."""

from __future__ import annotations

import re

from cleaning.draft import CleaningSettings, Draft, Rejected, Step

# How sources write the same licence; the first form is its SPDX identifier or the nearest thing to one.
_NAMES = (
    ("CC0-1.0", r"cc0.*|.*publicdomain/zero.*"),
    ("public-domain", r"public[ -]domain.*|pd|pd[ -]us|.*publicdomain/mark.*|no[ -]known[ -]copyright.*|none"),
)
_CREATIVE_COMMONS = re.compile(
    r"(?:.*creativecommons\.org/licenses/|(?:creative commons|cc)[ -])"
    r"(?P<terms>by(?:-(?:nc|nd|sa)){0,2})(?:[/ -]+v?(?P<version>\d\.\d))?.*"
)
_LONG_TERMS = (
    ("attribution", "by"), ("non-commercial", "nc"), ("noncommercial", "nc"), ("no derivatives", "nd"),
    ("noderivatives", "nd"), ("no-derivatives", "nd"),
    ("share alike", "sa"), ("sharealike", "sa"), ("share-alike", "sa"),
)  # fmt: skip
_NON_COMMERCIAL = re.compile(
    r"\bnc\b|non-?commercial|personal use|research (?:use )?only|all rights reserved|in copyright"
)


def make(settings: CleaningSettings) -> Step:
    """Rejects as `licence` what is not in `settings.licences`; an empty list allows all.

    An entry allows all versions of a licence: `CC-BY` allows CC-BY-4.0, but not CC-BY-NC-4.0. Documents of unknown
    licence are kept or rejected as `settings.unknown_licence` says.
    """
    allowed = [normalised(licence) for licence in settings.licences]

    def step(draft: Draft) -> None:
        if not allowed:
            return
        if not draft.raw.licence:
            if settings.unknown_licence == "reject":
                raise Rejected("licence", "unknown")
            return
        licence = normalised(draft.raw.licence)
        if not any(licence == entry or re.fullmatch(re.escape(entry) + r"-\d.*", licence) for entry in allowed):
            detail = " (non-commercial)" if is_non_commercial(draft.raw.licence) else ""
            raise Rejected("licence", f"{draft.raw.licence}{detail}")

    return step


def normalised(licence: str) -> str:
    """The SPDX identifier of a Creative Commons licence or the public domain, however written; others as they are."""
    low = " ".join(licence.strip().lower().replace("_", " ").split())
    for name, pattern in _NAMES:
        if re.fullmatch(pattern, low):
            return name
    for term, short in _LONG_TERMS:
        low = low.replace(term, short)
    match = _CREATIVE_COMMONS.fullmatch(re.sub(r"(?<=\bby|\bnc|\bnd|\bsa)[ -]+(?=nc|nd|sa)", "-", low))
    if match:
        return f"CC-{match['terms'].upper()}" + (f"-{match['version']}" if match["version"] else "")
    return licence.strip()


def is_non_commercial(licence: str) -> bool:
    """Whether a licence, named or described, forbids commercial use or reserves all rights."""
    return _NON_COMMERCIAL.search(normalised(licence).lower().replace("_", " ")) is not None
