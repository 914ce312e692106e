"""Step `front_matter`: lists of contents and of illustrations, and what web pages repeat between chapters.

Of 90 novels and e-texts 30 have such a list. It begins with its heading; it ends where one of its entries comes again,
now as the heading of a chapter, or before the first paragraph of prose. A list without either end is left alone.
"""

from __future__ import annotations

import re
from collections import Counter

from cleaning.draft import CleaningSettings, Draft, Step

# A list of contents stands in the first so many characters; the longest seen, with its chapters' summaries, has 9,000.
HEAD_CHARACTERS = 40_000
# A line of a list is shorter than this, a paragraph of prose mostly longer.
ENTRY_CHARACTERS = 160
# One of the first entries comes again where the book begins; `To You` may head two poems of one list.
FIRST_ENTRIES = 4
# Dialogue has short lines too, but they end otherwise.
_SPOKEN_ENDS = ('"', "”", "’", "?", "!", ",", ";")
MAX_SPOKEN_SHARE = 0.15
# `Contents`, `Next`, `Top` between chapters: a link that was text. So often it comes at least.
MIN_LINKS = 4

_HEADING = re.compile(
    r"^(?:table of |the )?(?:contents|illustrations|list of (?:illustrations|plates))"
    r"(?: of (?:the )?(?:first |second )?vol.*)?\W*$",
    re.IGNORECASE,
)
_FIRST_CHAPTER = re.compile(r"^(?:chapter|book|part|letter)\s+(?:i|1|one|the first)\W*$", re.IGNORECASE)
_LINK = re.compile(
    r"^(?:contents|back to contents|table of contents|next|previous|top|return to top|home)$", re.IGNORECASE
)
_ENTRY = re.compile(
    r"^(?:(?:chapter|chap\.?|book|part|volume|vol\.?|epoch|act|letter|section|canto|epilogue|prologue|preface"
    r"|introduction|appendix|conclusion|index)\b|[ivxlcdm]+[.:) ]|\d{1,3}[.:) ])"
    r"|.*(?:\.{2,}|\s{2,}|\. )\s*[\divxlc]{1,4}$|.*\s\d{1,3}$",
    re.IGNORECASE,
)
_NOT_A_WORD = re.compile(r"[^\w'’]+")


def make(settings: CleaningSettings) -> Step:
    """Drops lists of contents near the beginning, and lines that are links. Works on paragraphs."""

    def step(draft: Draft) -> None:
        # Scans list the contents of each chapter in full sentences, and their headings are misread.
        if not draft.scanned and settings.front_matter == "drop":
            draft.text = without_contents(without_links(draft.text))

    return step


def without_contents(text: str) -> str:
    """The text without the lists of contents in its first 40,000 characters."""
    cut = text.rfind("\n\n", 0, HEAD_CHARACTERS) if len(text) > HEAD_CHARACTERS else len(text)
    if cut < 0:
        return text
    blocks, rest = text[:cut].split("\n\n"), text[cut + 2 :]
    start = 0
    while start < len(blocks):
        first, *others = blocks[start].split("\n")
        # A title page and the heading of the list in one block.
        if others and not _HEADING.match(first.strip()):
            at = next((n for n, line in enumerate(others) if _HEADING.match(line.strip())), None)
            if at is not None:
                blocks[start : start + 1] = ["\n".join([first, *others[:at]]), "\n".join(others[at:])]
        elif _HEADING.match(first.strip()):
            end, left = _list_end(blocks, start, others)
            if end > start + 1 or (others and not left):
                blocks[start:end] = left
                continue
        start += 1
    return "\n\n".join([*blocks, *([rest] if rest else [])]).strip()


def _list_end(blocks: list[str], start: int, others: list[str]) -> tuple[int, list[str]]:
    """Where the list that begins in `blocks[start]` ends, and what must stay of its last block."""
    seen: list[str] = [_key(line) for line in others]
    entries = sum(_ENTRY.match(line) is not None for line in others)
    spoken = 0
    for number in range(start + 1, len(blocks)):
        lines = blocks[number].split("\n")
        if _HEADING.match(lines[0].strip()):
            return (number, []) if seen else (start + 1, [])
        if max(map(len, lines)) > ENTRY_CHARACTERS and not _ENTRY.match(lines[0]):
            # Prose: what stands right before it may be its heading.
            return _before_prose(blocks, start, number, entries, len(seen))
        for at, line in enumerate(lines):
            key = _key(line)
            if key and any(old.startswith(key) for old in seen[:FIRST_ENTRIES]):
                if spoken > 1 + MAX_SPOKEN_SHARE * len(seen):
                    return start + 1, [blocks[start]]
                return number + 1, ["\n".join(lines[at:])]
            spoken += line.endswith(_SPOKEN_ENDS)
            seen.append(key)
            entries += _ENTRY.match(line) is not None
    return start + 1, [blocks[start]]


def _before_prose(blocks: list[str], start: int, prose: int, entries: int, lines: int) -> tuple[int, list[str]]:
    end = prose
    first = [n for n in range(start + 1, prose) if _FIRST_CHAPTER.match(blocks[n])]
    if first and first[-1] >= prose - 3:
        end = first[-1]
    while end > start + 1 and "\n" not in blocks[end - 1] and not _ENTRY.match(blocks[end - 1]):
        end -= 1
    # Few entries that look like entries: the heading is that of something else.
    if entries < 3 or 2 * entries < lines or end == start + 1:
        return start + 1, [blocks[start]]
    return end, []


def _key(line: str) -> str:
    """The words of an entry, in lower case, without a page number, each followed by a blank."""
    words = _NOT_A_WORD.sub(" ", line).lower().split()
    if len(words) > 1 and words[-1].isdigit() and words[0] not in ("chapter", "book", "part", "letter"):
        words.pop()
    return "".join(f"{word} " for word in words)


def without_links(text: str) -> str:
    """The text without paragraphs such as `Contents` that come four times or more."""
    if "ontents\n" not in text and "ext\n" not in text and "op\n" not in text:
        return text
    paragraphs = text.split("\n\n")
    counts = Counter(p for p in paragraphs if len(p) < 20 and _LINK.match(p))
    links = {link for link, count in counts.items() if count >= MIN_LINKS}
    return "\n\n".join(p for p in paragraphs if p not in links) if links else text
