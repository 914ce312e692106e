"""Dirty documents with what perfect cleaning makes of them, for all kinds of dirt.

The kinds of `sample_dirt.plant` leave the scene as the truth. Those made here need a truth of their own: letters that
an encoding can break, notes that belong to the text, a list of contents, the words of another document.
"""

from __future__ import annotations

import codecs
import random
import re
from dataclasses import dataclass

from sources.sample_dirt import REJECTED_KINDS, between, misread, one_of, plant

# The word 5-grams that a copy loses of its original. 0.08 makes a Jaccard similarity of 0.85, and the longer of the
# two is to stay; 0.36 makes 0.47 and 0.64 contained in each other, far from 0.7 and 0.8: both are to stay.
NEAR_LOSS, SIMILAR_LOSS = 0.08, 0.36
# A fragment has so many characters: from, to.
SHORTEST_FRAGMENT, LONGEST_FRAGMENT = 40, 150
# Of the places where two letters could be confused, the share that is in a page that nobody could read.
ILLEGIBLE_RATE = 0.4
# Every word in _MODERN is first attested in this year or later.
MODERN_SINCE = 1926
# Documents from outside the period are dated in these years, a lifetime after the last scene (1829).
FIRST_LATE_YEAR, LAST_LATE_YEAR = 1900, 1999


@dataclass(frozen=True)
class Planted:
    """A document with dirt in it."""

    content: bytes
    truth: str
    """Empty: cleaning must reject it."""
    format: str = "txt"
    date: str | None = None
    """What it is dated instead of the scene's year."""


def planted(kind: str, text: str, title: str, rng: random.Random) -> Planted:
    """The text of a scene with dirt of one kind, and what perfect cleaning makes of it.

    Only `rng.random()` is used, so that a seed means the same on every platform.
    """
    match kind:
        case "mojibake":
            truth = _accented(text, rng)
            written, read = _MISTAKES[int(rng.random() * len(_MISTAKES))]
            return Planted(truth.encode(written).decode(read).encode("utf-8"), truth)
        case "wrong_encoding":
            truth = _accented(text, rng)
            mark, encoding = _ENCODINGS[int(rng.random() * len(_ENCODINGS))]
            return Planted(mark + truth.encode(encoding), truth)
        case "footnotes":
            return _footnotes(text, rng)
        case "contents":
            return _contents(text, rng)
        case "near_duplicate":
            return Planted(_reworded(text, NEAR_LOSS, rng).encode("utf-8"), "")
        case "similar_not_duplicate":
            truth = _reworded(text, SIMILAR_LOSS, rng)
            return Planted(truth.encode("utf-8"), truth)
        case "anachronism":
            return Planted(f"{text}\n\n{_sentences(_MODERN, 3, rng)}".encode(), "")
        case "outside_period":
            return Planted(text.encode("utf-8"), "", date=str(between(FIRST_LATE_YEAR, LAST_LATE_YEAR, rng)))
        case "fragment":
            length = between(SHORTEST_FRAGMENT, LONGEST_FRAGMENT, rng)
            return Planted(text[:length].rpartition(" ")[0].encode("utf-8"), "")
        case "illegible":
            return Planted(misread(text, rng, ILLEGIBLE_RATE).encode("utf-8"), "")
    content = plant(kind, text, title, rng).encode("utf-8")
    return Planted(content, "" if kind in REJECTED_KINDS else text, "html" if kind == "html" else "txt")


def _sentences(table: list[str], number: int, rng: random.Random) -> str:
    """So many different sentences of a table, in any order."""
    left = list(table)
    return " ".join(left.pop(int(rng.random() * len(left))) for _ in range(number))


# --- encodings ----------------------------------------------------------------------------------------------

# Written in one encoding and read in another: Western letters and closing quotes as Mac Central European, UTF-8 as
# ISO 8859-2 and as Windows-1252. All have been seen in real novels; à and â, which the first two lose for good, are
# not in the sentences.
_MISTAKES = [("cp1252", "mac_latin2"), ("utf-8", "iso8859_2"), ("utf-8", "cp1252")]
_ENCODINGS = [
    (b"", "cp1252"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]

_ACCENTED = [
    "The protégé of a née Lefèvre kept the café open till midnight.",
    "Her fiancé had a rôle in the comédie and a régime of eggs.",
    "A señor from La Coruña praised the consommé.",
    "Fräulein Köhler, the new governess, called the régime a bagatelle.",
    "The façade was naïve, the décor old, and the soufflé cold.",
    "Monsieur Péron left his entrée to talk with the abbé.",
    "The aperçu of the curé was that the crêpe is no pièce of art.",
    "It was the métier of the old roué to owe money to his élèves.",
    "A résumé of the mêlée was read aloud in the café.",
    "The young Señorita Núñez mislaid her negligée in the entrepôt.",
]
_SPOKEN = re.compile(r'"([^"\n]*)"')


def _accented(text: str, rng: random.Random) -> str:
    """The text with single quotation marks, closed as print does, and a paragraph with letters beyond ASCII."""
    spoken = _SPOKEN.sub(r"'\1’", text)
    return f"{spoken}\n\n{_sentences(_ACCENTED, 4, rng)}"


# --- notes and contents -------------------------------------------------------------------------------------

_NOTES = [
    "See the books of the parish.",
    "So in the first copy; others say Tuesday.",
    "The house was pulled down in the next reign.",
    "Nobody has been able to find this street.",
    "A ballad upon it was sold for a penny.",
]


def _footnotes(text: str, rng: random.Random) -> Planted:
    """Marks in sentences, the notes between the paragraphs, which belong to the end; and marks of pages."""
    paragraphs, notes, out = text.split("\n\n"), [], []
    for number, paragraph in enumerate(paragraphs[:3], 1):
        notes.append(one_of(_NOTES, rng))
        words = paragraph.split(" ")
        at = int(rng.random() * (len(words) - 2)) + 1
        words[at] += f"[{number}]"
        words[min(at + 2, len(words) - 1)] = f"[Pg {between(3, 380, rng)}] {words[min(at + 2, len(words) - 1)]}"
        out += [" ".join(words), f"[Footnote {number}: {notes[-1]}]"]
    return Planted("\n\n".join([*out, *paragraphs[3:]]).encode("utf-8"), "\n\n".join([*paragraphs, *notes]))


_CHAPTERS = [
    "In which a Debt is paid",
    "Of Fog and its Uses",
    "The Road to the River",
    "A Bargain is struck",
    "Of Hats",
    "The Bell rings twice",
    "What the Parrot knew",
    "Home by Water",
]
_ROMAN = ("I", "II", "III", "IV", "V", "VI")


def _contents(text: str, rng: random.Random) -> Planted:
    """Chapters of one paragraph each, and a list of them at the beginning, which belongs to no running text."""
    titles = list(_CHAPTERS)
    paragraphs = text.split("\n\n")
    heads = [f"{number}. {titles.pop(int(rng.random() * len(titles)))}" for number in _ROMAN[: len(paragraphs)]]
    truth = "\n\n".join(f"{head}\n\n{paragraph}" for head, paragraph in zip(heads, paragraphs, strict=True))
    return Planted("\n".join(["CONTENTS", "", *heads, "", truth]).encode("utf-8"), truth)


# --- copies with other words --------------------------------------------------------------------------------

_PLAIN_WORD = re.compile(r"[a-z]{2,}")


def _reworded(text: str, loss: float, rng: random.Random) -> str:
    """The text with words exchanged, evenly spread, until it has lost a share of its 5-grams; it grows no longer."""
    paragraphs = [paragraph.split(" ") for paragraph in text.split("\n\n")]
    places = [(number, at) for number, words in enumerate(paragraphs) for at in range(len(words))]
    stock = [word for words in paragraphs for word in words if _PLAIN_WORD.fullmatch(word)]
    changes = max(1, round(loss * len(places) / 5))
    for change in range(changes):
        start = int((change + rng.random()) * len(places) / changes)
        for number, at in places[start:]:
            old = paragraphs[number][at]
            if not _PLAIN_WORD.fullmatch(old):
                continue
            # The original must stay the longer one: of twins the longest is kept.
            if fitting := [word for word in stock if word != old and len(word) <= len(old)]:
                paragraphs[number][at] = one_of(fitting, rng)
                break
    return "\n\n".join(" ".join(words) for words in paragraphs)


# --- words of another time ----------------------------------------------------------------------------------

# Each holds words of chapbook/anachronisms.txt that are first attested in MODERN_SINCE or later.
_MODERN = [
    "He looked it up on the internet and wrote an email about it.",
    "The supermarket had sold out of nylon and polyester.",
    "She photographed the jukebox with her smartphone.",
    "A jeep had stopped before the supermarket for an espresso.",
    "The laptop said that the software was too old.",
    "It was on radar, and then it was on no website at all.",
    "They gave him penicillin and a microwave.",
]
