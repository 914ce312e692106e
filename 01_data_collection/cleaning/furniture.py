"""Step `furniture`: page numbers and running heads that stand on lines of their own in hard-wrapped text.

What is dropped needs evidence that it interrupts the text: a page number stands in the middle of a sentence sooner or
later, a chapter's number never does.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from cleaning.draft import CleaningSettings, Draft, Step
from cleaning.layout import measure

# A head or a kind of page number must occur so often before it counts as furniture.
MIN_REPEATS = 3

_NUMBER_LINE = (
    r"(?P<bare>\d{1,4})"
    r"|(?P<marked>[\[({]\s*(?:p\.|pg\.?|page)?\s*\d{1,4}\s*[\])}]|[-–—•~*=.]+\s*\d{1,4}\s*[-–—•~*=.]+|(?:page|pg?\.)\s*\d{1,4}\.?)"
)
_CAPITALS = r"[A-Z][A-Z .,:;'’&-]{2,60}"
_HEAD_LINE = rf"(?P<head>\d{{1,4}}[.,]?[ \t]+{_CAPITALS}|{_CAPITALS}[ \t]+\d{{1,4}}\.?)"
_CANDIDATE = re.compile(rf"^[ \t]*(?:(?i:{_NUMBER_LINE})|{_HEAD_LINE}|(?P<capitals>{_CAPITALS}))[ \t]*$", re.MULTILINE)
_NOT_A_LETTER = re.compile(r"[^A-Z]+")
# These with a number are headings of the book's own, however often they come.
_DIVISIONS = frozenset(
    str.split("ACT BOOK CANTO CHAP CHAPTER FIG LETTER NO PART PSALM SCENE SECTION SONNET STAVE TABLE VOL VOLUME")
)
# Where an OCR page ends without furniture: two or more blank lines inside a sentence.
_PAGE_GAP = re.compile(r"(?<=[A-Za-z,;-])[ \t]*\n(?:[ \t]*\n){2,}[ \t]*(?=[a-z])")


@dataclass
class _Group:
    """Candidates with nothing but blank lines between them, and what stands around them."""

    matches: list[re.Match[str]]
    interrupts: bool
    """It stands inside a sentence."""


def make(settings: CleaningSettings) -> Step:
    """Drops bare, bracketed and dashed page numbers and repeated heads in capitals; mends the sentences around them."""

    def step(draft: Draft) -> None:
        if draft.layout != "paragraphs" and measure(draft.text).wrapped:
            draft.text = _PAGE_GAP.sub("\n", strip_furniture(draft.text))

    return step


def strip_furniture(text: str) -> str:
    """`text`, which is hard-wrapped, without page numbers and running heads."""
    groups = _groups(text)
    drop = _furniture_kinds(groups)
    pieces: list[str] = []
    position = 0
    for group in groups:
        kept = [m[0].strip() for m in group.matches if not _is_furniture(m, group, drop)]
        if len(kept) == len(group.matches):
            continue
        before = _last_text(text, group.matches[0].start())
        after = _first_text(text, group.matches[-1].end())
        gap = text[before:after]
        if kept:
            middle = "\n\n" + "\n\n".join(kept) + "\n\n"
        elif group.interrupts or "\n\n" not in gap.replace(" ", "").replace("\t", ""):
            middle = "\n"
        else:
            middle = "\n\n"
        # The blanks before the next line are its indentation.
        indent = text[text.rfind("\n", 0, after) + 1 : after]
        pieces += [text[position:before], middle, indent]
        position = after
    return "".join([*pieces, text[position:]])


def _groups(text: str) -> list[_Group]:
    groups: list[_Group] = []
    matches: list[re.Match[str]] = []
    for match in _CANDIDATE.finditer(text):
        if matches and not text[matches[-1].end() : match.start()].isspace():
            groups.append(_group(text, matches))
            matches = []
        matches.append(match)
    if matches:
        groups.append(_group(text, matches))
    # Capitals alone are headings; beside a number or among running heads they may be the head of a page.
    return [group for group in groups if any(match.lastgroup != "capitals" for match in group.matches)]


def _group(text: str, matches: list[re.Match[str]]) -> _Group:
    before, after = _last_text(text, matches[0].start()), _first_text(text, matches[-1].end())
    last, following = text[before - 1 : before], text[after : after + 1]
    unfinished = last.isalnum() or last in {",", ";", "-", "—"}
    return _Group(matches, bool(last) and unfinished and following.islower())


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
    count: Counter[str] = Counter()
    interrupting: Counter[str] = Counter()
    numbers: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        # A column of numbers is a table.
        if sum(match.lastgroup == "bare" for match in group.matches) > 1:
            continue
        for match in group.matches:
            key = _key(match)
            count[key] += 1
            interrupting[key] += group.interrupts
            numbers[key].update(re.findall(r"\d+", match[0]))
    return {
        key
        for key, times in count.items()
        if times >= MIN_REPEATS
        and key not in _DIVISIONS
        and (interrupting[key] or (key == "marked" and len(numbers[key]) == times))
    }


def _is_furniture(match: re.Match[str], group: _Group, drop: set[str]) -> bool:
    if sum(other.lastgroup == "bare" for other in group.matches) > 1:
        return False
    key = _key(match)
    # A number that cuts a sentence in two needs no other evidence.
    return key in drop or (group.interrupts and key in ("bare", "marked"))
