"""Words and years that betray a text as younger than it should be: the cleaning step `period` and the evaluation look.

`anachronisms.txt` holds words with the year of their first known use in the sense everybody knows today.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

# First uses are found earlier every year: a word counts when it is younger than the period by more than this.
MARGIN_YEARS = 10

_DATA = Path(__file__).with_name("anachronisms.txt")
_YEAR = re.compile(r"(?<![\d.,£$/-])(1[5-9]\d\d|20\d\d)(?![\d/-]|,\d)")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$|['’]s\W*$")


@cache
def first_uses() -> dict[str, int]:
    """The words of `anachronisms.txt` with the year of their first known use."""
    lines = (line.split() for line in _DATA.read_text("utf-8").splitlines() if not line.startswith("#"))
    return {word: int(year) for word, year in lines}


def anachronisms(text: str, after: int) -> tuple[Counter[str], int]:
    """The words first used after a year that a text holds, with their number; and the number of all words."""
    tokens = Counter(text.lower().replace("—", " ").split())
    found: Counter[str] = Counter()
    uses = first_uses()
    for token, count in tokens.items():
        word = token if token.isalpha() else _EDGES.sub("", token)
        if uses.get(word, 0) > after:
            found[word] += count
    return found, tokens.total()


def years_in(text: str) -> list[int]:
    """The numbers of a text that are written as years from 1500 to 2099 are, in order; sums of money are none."""
    return [int(year) for year in _YEAR.findall(text)]
