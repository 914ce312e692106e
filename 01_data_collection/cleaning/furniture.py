"""Step `furniture`: page numbers and running heads that stand on lines of their own in hard-wrapped text.

What is dropped needs evidence: a page's number or head stands in the middle of a sentence sooner or later, a
chapter's never does. Enough by themselves are brackets or dashes around a number, numbers from 100 to 999, and the
title with a number.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass

from cleaning.draft import CleaningSettings, Draft, Step
from cleaning.layout import measure

# So often a kind of page number must occur to be one, if it never stands inside a sentence.
MIN_REPEATS = 3

_NUMBER_LINE = (
    r"(?P<bare>\d{1,4})"
    r"|(?P<marked>[\[({]\s*(?:p\.|pg\.?|page)?\s*\d{1,4}\s*[\])}]|[-–—•~*=.]+\s*\d{1,4}\s*[-–—•~*=.]+|(?:page|pg?\.)\s*\d{1,4}\.?)"
)
_CAPITALS = r"[A-Z][A-Z .,:;'’&-]{2,60}"
# A head may hold a year besides the page: `WAPPING, 1779. 341`.
_HEAD = r"[A-Z][A-Z0-9 .,:;'’&-]{2,60}"
_HEAD_LINE = rf"(?P<head>\d{{1,4}}[.,]?[ \t]+{_HEAD}|{_HEAD}[ \t]+\d{{1,4}}\.?)"
_CANDIDATE = re.compile(rf"^[ \t]*(?:(?i:{_NUMBER_LINE})|{_HEAD_LINE}|(?P<capitals>{_CAPITALS}))[ \t]*$", re.MULTILINE)
_THREE_DIGITS = re.compile(r"^\W*[1-9]\d\d\b|\b[1-9]\d\d\W*$")
_INDENTATION = re.compile(r"[ \t]+")
_NOT_A_LETTER = re.compile(r"[^A-Z]+")
# These with a number are headings of the book's own, however often they come.
_DIVISIONS = frozenset(
    str.split(
        "ACT ARTICLE BOOK CANTO CASE CHAP CHAPTER ESSAY FIG HYMN LETTER NO NUMBER ODE PART PLATE PSALM SCENE SECTION "
        "SONG SONNET STAVE TABLE VOL VOLUME"
    )
)
# Where an OCR page ends without furniture: two or more blank lines inside a sentence.
_PAGE_GAP = re.compile(r"\n(?:[ \t]*\n){2,}[ \t]*(?=[a-z])")
_BEFORE_PAGE_GAP = re.compile(r"[A-Za-z,;-][ \t]*$")


@dataclass
class _Group:
    """Candidates with nothing but blank lines between them, and what stands around them."""

    matches: list[re.Match[str]]
    interrupts: bool
    """It stands inside a sentence."""
    after_full_line: bool
    """The next word would not have fitted into the line before: 9 of 10 paragraphs end in a shorter line."""


def make(settings: CleaningSettings) -> Step:
    """Drops bare, bracketed and dashed page numbers and repeated heads in capitals; mends the sentences around them."""

    def step(draft: Draft) -> None:
        if draft.layout == "paragraphs":
            return
        shape = measure(draft.text)
        if shape.wrapped:
            draft.text = mend_pages(strip_furniture(draft.text, shape.width, draft.title or ""))

    return step


def mend_pages(text: str) -> str:
    """`text` without the blank lines that stand inside a sentence, two or more in a row."""

    def mend(gap: re.Match[str]) -> str:
        return "\n" if _BEFORE_PAGE_GAP.search(text, max(gap.start() - 20, 0), gap.start()) else gap[0]

    return _PAGE_GAP.sub(mend, text)


def strip_furniture(text: str, width: int, title: str = "") -> str:
    """`text`, which is hard-wrapped at about `width` characters, without page numbers and running heads.

    The title, where known, is a head wherever it stands with a number.
    """
    groups = _groups(text, width)
    drop = _furniture_kinds(groups)
    if title:
        drop.add(_NOT_A_LETTER.sub("", title.upper()))
    pieces: list[str] = []
    position = 0
    for group in groups:
        kept = [m[0].strip() for m in group.matches if not _is_furniture(m, group, drop)]
        if len(kept) == len(group.matches):
            continue
        before = _last_text(text, group.matches[0].start())
        after = _first_text(text, group.matches[-1].end())
        if kept:
            middle = "\n\n" + "\n\n".join(kept) + "\n\n"
        elif group.interrupts or group.after_full_line or "\n\n" not in _INDENTATION.sub("", text[before:after]):
            middle = "\n"
        else:
            middle = "\n\n"
        # The blanks before the next line are its indentation.
        indent = text[text.rfind("\n", 0, after) + 1 : after]
        pieces += [text[position:before], middle, indent]
        position = after
    return "".join([*pieces, text[position:]])


def _groups(text: str, width: int) -> list[_Group]:
    groups: list[_Group] = []
    matches: list[re.Match[str]] = []
    for match in _CANDIDATE.finditer(text):
        if matches and not text[matches[-1].end() : match.start()].isspace():
            groups.append(_group(text, matches, width))
            matches = []
        matches.append(match)
    if matches:
        groups.append(_group(text, matches, width))
    # Capitals alone are headings; beside a number or among running heads they may be the head of a page.
    return [group for group in groups if any(match.lastgroup != "capitals" for match in group.matches)]


def _group(text: str, matches: list[re.Match[str]], width: int) -> _Group:
    before, after = _last_text(text, matches[0].start()), _first_text(text, matches[-1].end())
    line = text[text.rfind("\n", 0, before) + 1 : before].strip()
    following = text[after : after + 40].split(maxsplit=1)
    first = following[0] if following else ""
    # 0.95: printed lines are ragged by a few letters.
    full = len(line) + 1 + len(first) > 0.95 * width
    # A heading over two lines is no sentence.
    unfinished = (line[-1:].isalnum() or line[-1:] in (",", ";", "-", "—")) and not line.isupper()
    return _Group(matches, unfinished and (first[:1].islower() or (full and first != "")), full)


def _last_text(text: str, position: int) -> int:
    """The end of the last thing before `position` that is not white space."""
    while position and text[position - 1].isspace():
        position -= 1
    return position


def _first_text(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _key(match: re.Match[str]) -> str:
    """What makes two candidates the same piece of furniture."""
    kind = match.lastgroup or ""
    return kind if kind in ("bare", "marked") else _NOT_A_LETTER.sub("", match[0])


def _furniture_kinds(groups: list[_Group]) -> set[str]:
    interrupting: set[str] = set()
    numbers: dict[str, list[int]] = defaultdict(list)
    for group in groups:
        if _is_table(group):
            continue
        for match in group.matches:
            key = _key(match)
            numbers[key] += map(int, re.findall(r"\d+", match[0]))
            if group.interrupts:
                interrupting.add(key)
    kinds = interrupting - _DIVISIONS
    # Without such evidence: bare numbers that repeat and go up like pages, but not from 1 like chapters.
    bare = numbers["bare"]
    if len(bare) >= MIN_REPEATS and bare[0] > 1 and all(0 < b - a <= 2 for a, b in itertools.pairwise(bare)):
        kinds.add("bare")
    return kinds


def _is_table(group: _Group) -> bool:
    """A column of numbers."""
    return sum(match.lastgroup == "bare" for match in group.matches) > 1


def _is_furniture(match: re.Match[str], group: _Group, kinds: set[str]) -> bool:
    return not _is_table(group) and (_key(match) in kinds or _is_page_by_itself(match))


def _is_page_by_itself(match: re.Match[str]) -> bool:
    """`[57]` or `- 57 -` on a line of its own, and numbers that no chapter has and no year is: 100 to 999."""
    if match.lastgroup == "marked":
        return True
    key = _key(match)
    # `No. 231` heads an essay.
    return _THREE_DIGITS.search(match[0]) is not None and key not in _DIVISIONS and not key.endswith("NO")
