"""Step `quality`: refuses what is no running text, in the manner of Gopher and FineWeb, with limits for old prose.

The profile `web` has the published limits for web pages (Rae et al. 2021, table A1; Penedo et al. 2024). On whole
novels they throw away 83% of the characters, most of it for being longer than 100,000 words. The profile `book` asks
only what holds for books, plays, trials and pamphlets of all times as well; its limits leave a margin below the lowest
good text that was measured.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from itertools import pairwise

from cleaning.draft import CleaningSettings, Draft, Rejected, Step
from cleaning.lexicon import RARE, SHORT_WORDS, bare, frequencies, is_word
from cleaning.sampling import sample

# The commonest words of English, in all centuries: 0.25-0.5 of the words of prose, 0.16-0.19 of plays.
COMMON_WORDS = frozenset(
    str.split("the of and to a in that it is was i for on with he be as by at have his not are but from or had")
)
_ASCII_LETTERS = string.ascii_letters.encode("ascii")
_PLAIN = (string.ascii_letters + string.digits + string.whitespace + ".,;:!?'\"()-[]&*").encode("ascii")
_BULLET = re.compile(r"^[ \t]*(?:[•‣▪◦●■*·]|- )")
_SENTENCE_ENDS = (".", "?", "!", '"', "”", "’", "'", ":", ";", ",", "-", "—", ")", "]")


@dataclass(frozen=True)
class Limits:
    """Between what limits a good text lies; shares of words, lines or characters."""

    min_words: int
    max_words: int | None
    mean_word: tuple[float, float]
    min_alphabetic_words: float
    min_common_words: float
    """Only of English texts of 200 words and more."""
    max_odd_marks: float
    """Of all characters: neither letter, digit, blank nor usual mark."""
    max_doubled_words: float
    """Words that are the word before once more, as in sheet music."""
    max_bullet_lines: float
    max_ellipsis_lines: float
    min_ended_lines: float
    """Lines that end in a mark."""
    max_short_lines: float
    """Lines of fewer than 30 characters."""
    max_line_breaks: float
    """Lines per word."""


LIMITS = {
    # Of 200 good texts the lowest and highest: mean word 3.9-5.2 letters, 82% of words with a letter, 23% common words,
    # 0.8% odd marks, 1.4% doubled words, 78% short lines (a play), 0.2 lines per word.
    "book": Limits(20, None, (3.4, 8.0), 0.6, 0.15, 0.03, 0.05, 0.9, 0.5, 0.0, 1.0, 0.5),
    "web": Limits(50, 100_000, (3.0, 10.0), 0.8, 0.1, 0.03, 0.05, 0.9, 0.3, 0.12, 0.67, 0.3),
}


def make(settings: CleaningSettings) -> Step:
    """Rejects as `quality` with the measure that failed, and as `OCR garbage` below `settings.min_known_words`.

    Measures, on up to 24,000 characters: `known_words`, the share of English words among the words, only of English
    texts. A 1,000-character passage scores 0.955 clean, 0.90 with 2% of its letters misread, 0.73 with 10%, covers read
    as text 0.11; Latin 0.54, which is why the language is found first.
    """
    limits = LIMITS[settings.profile]

    def step(draft: Draft) -> None:
        text = sample(draft.text)
        words = text.split()
        english = draft.language in (None, "en")
        if english and len(words) >= 50:
            share = known_words(words)
            draft.measures["known_words"] = share
            if share < settings.min_known_words:
                raise Rejected("OCR garbage", f"{share:.0%} of the words are known")
        fault = first_fault(text, words, len(draft.text), limits, english)
        if fault:
            raise Rejected("quality", fault)

    return step


def known_words(words: list[str]) -> float:
    """The share of words in the list of English words; numbers are left out, and so are names in mid-sentence."""
    known = frequencies()
    good = bad = 0
    for word in words:
        low = word.lower()
        if (len(low) > 2 and low in known) or low in SHORT_WORDS:
            good += 1
            continue
        core = bare(word)
        if not core or (core[0].isdigit() and core[-1].isdigit()):
            # A number; marks without a letter are what garbage is made of.
            bad += not any(map(str.isdigit, word)) and len(word) > 1 and word.strip("—-.*,;:'\"!?") != ""
        elif is_word(core, RARE if len(core) > 2 else 0.0):
            good += 1
        else:
            bad += 1
    return good / (good + bad) if good + bad else 0.0


def first_fault(text: str, words: list[str], characters: int, limits: Limits, english: bool) -> str | None:
    """What is wrong with a text (`characters` long, of which `text` is a sample), or None."""
    estimated_words = len(words) * characters // max(len(text), 1)
    if estimated_words < limits.min_words:
        return f"{estimated_words} words"
    if limits.max_words is not None and estimated_words > limits.max_words:
        return f"about {estimated_words:,} words"
    letters = sum(map(len, words))
    mean = letters / len(words)
    if not limits.mean_word[0] <= mean <= limits.mean_word[1]:
        return f"words of {mean:.1f} letters on average"
    alphabetic = sum(word.isalpha() or any(map(str.isalpha, word)) for word in words) / len(words)
    if alphabetic < limits.min_alphabetic_words:
        return f"{alphabetic:.0%} of the words have a letter"
    if english and len(words) >= 200:
        common = sum(word in COMMON_WORDS for word in map(str.lower, words)) / len(words)
        if common < limits.min_common_words:
            return f"{common:.0%} common words"
    doubled = sum(one == next_one and one.isalpha() for one, next_one in pairwise(words)) / len(words)
    if doubled > limits.max_doubled_words:
        return f"{doubled:.0%} doubled words"
    odd = odd_share(text)
    if odd > limits.max_odd_marks:
        return f"{odd:.1%} odd marks"
    return _line_fault([line for line in text.split("\n") if line], len(words), limits)


def odd_share(text: str) -> float:
    """The share of characters that are neither letters, digits, blanks nor usual marks."""
    others = text.encode("utf-8").translate(None, _PLAIN).decode("utf-8")
    odd = sum(
        not character.isalnum() and not character.isspace() and character not in "‘’“”–—…£§°«»" for character in others
    )
    return odd / max(len(text), 1)


def _line_fault(lines: list[str], words: int, limits: Limits) -> str | None:
    count = len(lines)
    shares = (
        ("lines with bullets", sum(_BULLET.match(line) is not None for line in lines) / count, limits.max_bullet_lines),
        ("lines that break off", sum(line.endswith(("...", "…")) for line in lines) / count, limits.max_ellipsis_lines),
        (
            "lines without an end",
            1 - sum(line.endswith(_SENTENCE_ENDS) for line in lines) / count,
            1 - limits.min_ended_lines,
        ),
        ("short lines", sum(len(line) < 30 for line in lines) / count, limits.max_short_lines),
        ("lines per word", count / words, limits.max_line_breaks),
    )
    return next((f"{share:.0%} {name}" for name, share, limit in shares if share > limit), None)
