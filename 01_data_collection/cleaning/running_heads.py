"""Running heads, page numbers and signatures at the edges of pages: found by repetition, though they are misread."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

# A head stands on at least so many pages.
MIN_PAGES = 3
# Two readings of the same head: OCR misreads one letter in ten, and more in small capitals.
SIMILARITY = 0.75
MAX_HEAD_CHARACTERS = 80
# A head with a number that counts the pages has a neighbour within so many pages that does the same.
_NEAR = 6

_NUMBER = re.compile(r"[\[(–—•*'-]*\s*\d{1,4}\s*[\])–—.•*'-]*")
_NUMBER_AT_EDGE = re.compile(r"(\d{1,4})[.,*']?\s+\S|.*\S\s+(\d{1,4})\W{0,2}$")
_LETTERS = re.compile(r"[^\W\d_]")
# A chapter's own heading at the top of a page.
_DIVISION = re.compile(r"(?:act|book|canto|chap|chapter|letter|part|section)[a-z]{0,4}|scene[ivx]*|contents")
_NOT_LETTERS = re.compile(r"[\W\d_]+")


def edges_to_drop(edges: Sequence[str]) -> set[int]:
    """Which of the first (or last) lines of pages are furniture; an empty line stands for a page without one.

    Furniture is a number alone; what comes, misread or not, on three or more pages (difflib ratio of 0.75), but not
    the first time, in capitals and without a number, which is the title; a line mostly in capitals with a number that
    counts the pages, `76 VOLTAIRE`, `LETTERS ON THE ENGLISH 77`.
    """
    # The chapter's name on one side, the book's on the other: each is counted by itself.
    keys = [_key(line) if _may_be_head(line) else "" for line in edges]
    repeated = _repeated(Counter(filter(None, keys)))
    counting = _counting_pages(edges)
    titles = _titles(edges, keys, repeated)
    return {
        number
        for number, (line, key) in enumerate(zip(edges, keys, strict=True))
        if line and number not in titles and (key in repeated or _NUMBER.fullmatch(line) or number in counting)
    }


def _titles(edges: Sequence[str], keys: Sequence[str], repeated: set[str]) -> set[int]:
    """The first of each head and those like it, without a number: the title or the heading that the head repeats."""
    seen: set[str] = set()
    titles: set[int] = set()
    for number, (line, key) in enumerate(zip(edges, keys, strict=True)):
        if key not in repeated or key in seen:
            continue
        if is_capitals(line) and not any(map(str.isdigit, line)) and not any(_alike(key, head) for head in seen):
            titles.add(number)
        seen.add(key)
    return titles


def _may_be_head(line: str) -> bool:
    """Whether a line is short and begins or ends in a number, or has more words with a capital than without."""
    if not line or len(line) > MAX_HEAD_CHARACTERS:
        return False
    words = line.split()
    return _NUMBER_AT_EDGE.match(line) is not None or 2 * sum(word[0].islower() for word in words) <= len(words)


def _key(line: str) -> str:
    key = _NOT_LETTERS.sub("", line).lower()
    return "" if _DIVISION.fullmatch(key) and not line[:1].isdigit() else key


def _repeated(counts: Counter[str]) -> set[str]:
    """The keys that, with those like them, come on at least MIN_PAGES pages."""
    repeated = {key for key, count in counts.items() if count >= MIN_PAGES and len(key) > 1}
    others = sorted(counts.keys() - repeated)
    for key in others:
        if any(_alike(key, head) for head in repeated):
            repeated.add(key)
    # A head may never be read the same way three times: then its readings are alike among themselves.
    rest = [key for key in others if key not in repeated and len(key) >= 5]
    for key in rest[:1000]:
        if sum(counts[other] for other in rest if _alike(key, other)) >= MIN_PAGES:
            repeated.add(key)
    return repeated


def _alike(one: str, other: str) -> bool:
    # Lengths and common pairs of letters are cheap to compare, and spare nearly all of the real comparisons.
    if min(len(one), len(other)) < 4 or 3 * abs(len(one) - len(other)) > max(len(one), len(other)):
        return one == other
    first, second = _pairs(one), _pairs(other)
    if 4 * len(first & second) < min(len(first), len(second)):
        return False
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() >= SIMILARITY


@lru_cache(maxsize=4096)
def _pairs(key: str) -> frozenset[str]:
    return frozenset(map("".join, pairwise(key)))


def _counting_pages(edges: Sequence[str]) -> set[int]:
    offsets: dict[int, int] = {}
    for number, line in enumerate(edges):
        match = _NUMBER_AT_EDGE.match(line)
        if match and is_capitals(line):
            offsets[number] = int(match[1] or match[2]) - number
    sure = {
        number
        for number, offset in offsets.items()
        if any(offsets.get(number + step) == offset for step in range(-_NEAR, _NEAR + 1) if step)
    }
    texts = {_NOT_LETTERS.sub("", edges[number]) for number in sure}
    # The same head with a misread number, `LETTERS ON THE ENGLISH 7$`.
    return sure | {
        n for n, line in enumerate(edges) if is_capitals(line) and (_NOT_LETTERS.sub("", line) or None) in texts
    }


def is_capitals(line: str) -> bool:
    """Whether a short line has letters, and four of five are capitals."""
    letters = _LETTERS.findall(line)
    return len(line) <= MAX_HEAD_CHARACTERS and bool(letters) and sum(map(str.isupper, letters)) >= 0.8 * len(letters)
