r"""Step `layout`: lines as they were cut to fit a page become paragraphs again.

Whether lines were cut is measured per file: of 70 novels of one collection 36 are hard-wrapped (12 of them without a
blank line between paragraphs) and 34 have one line per paragraph, so that both "join single newlines" and "a newline
is a paragraph" would ruin many. The measure of a cut line: the next line's first word would
not have fitted, and the next line mostly goes on in lower case.

The rule for hyphens at line ends, per word:

1. the form, joined or with hyphen, that the document itself uses elsewhere, by majority;
2. with a capital after the hyphen, or `to-day`, `to-morrow`, `to-night`: with hyphen;
3. neither form occurs: joined in documents where 3% or more of the lines end in a hyphen (OCR 10-16%, where 99% of
   the decidable ones are joined), unless both halves are words of the document and neither is a mere prefix or
   suffix; else with hyphen (e-texts 0-2.2%, where of the decidable ones 93% keep it).
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

from cleaning.draft import CleaningSettings, Draft, Step

# The widest hard-wrapped file seen is 108 characters wide; paragraphs on one line have a median of 85 and more.
MAX_WIDTH = 120
# Widths change inside a file (Ford_Soldier: 56, 77 and 106), so they are measured per this many lines.
CHUNK_LINES = 64
# See the rule above; the lowest OCR file has 9.6%, the highest e-text 2.2%.
TYPESET_SHARE = 0.03
# A paragraph shorter than this, in characters, may be a heading or a verse, which no sentence end need close.
MIN_SENTENCE = 40

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_DIVIDED = re.compile(r"[^\W\d_]+-[ \t]*\n\s*[^\W\d_]+")
_LAST_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*-$")
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# How a line can end that ends a paragraph.
SENTENCE_END = tuple(".?!:\"'”’)]-—*»")
_PREFIX = re.compile(r"ac|ad|be|com|con|de|dis|em|en|ex|im|in|mis|per|pre|pro|re|sub|un")
_SUFFIX = re.compile(r"able|ance|ed|ence|eth|er|est|ful|fully|fulness|ing|less|ly|ment|ness|ous|ship|sion|tion|ties|ty")
_HEADING = re.compile(r"(?:chapter|book|volume|part|act|scene|letter|canto)\s+(?:[ivxlcdm]+|\d+)\.?$", re.IGNORECASE)

_SPACES = re.compile(r"[ \t]+")
_SPACE_AT_LINE_ENDS = re.compile(r" ?\n ?")
_BLANK_LINES = re.compile(r"\n{3,}")
# Not inside ` . . . `.
_SPACE_BEFORE_MARK = re.compile(
    r"(?<=[^\s,;:!?]) +(?=[,;:!?](?![^\s\"'”’)\]—–-]))|(?<=[^\s.,;:!?]) +(?=\.(?! ?\.)(?=[\s\"'”’)\]]|$))"
)
_MARK = re.compile(r"[,;:!?]")


@dataclass(frozen=True)
class Shape:
    """How the lines of a text lie, as measured."""

    wrapped: bool
    """Lines are cut to fit."""
    spaced: bool
    """Blank lines stand between paragraphs."""
    typeset: bool
    """Words are divided at line ends."""
    width: int
    """Nine of ten lines are at most so long, in characters."""


def make(settings: CleaningSettings) -> Step:
    """Rejoins hard-wrapped lines, leaves verse and plays alone; one blank line between paragraphs, single blanks."""

    def step(draft: Draft) -> None:
        text = draft.text
        close_up = draft.raw.format == "xml"
        if draft.layout != "paragraphs":
            shape = measure(text)
            if draft.layout == "wrapped":
                shape = replace(shape, wrapped=True, spaced=False)
            close_up = close_up or shape.typeset
            text = unwrap(text, shape) if shape.wrapped else one_line_per_paragraph(text, shape)
        text = tidy(text)
        if close_up or has_french_spacing(text):
            text = _SPACE_BEFORE_MARK.sub("", text)
        draft.text = text
        draft.layout = "paragraphs"

    return step


def tidy(text: str) -> str:
    """Single blanks, none at line ends, exactly one blank line between paragraphs, nothing around the text."""
    return _BLANK_LINES.sub("\n\n", _SPACE_AT_LINE_ENDS.sub("\n", _SPACES.sub(" ", text))).strip()


def has_french_spacing(text: str) -> bool:
    """Whether a fifth of the marks `, ; : ! ?` stand after a blank, as in texts taken from OCR or mark-up."""
    # The first 100,000 characters tell as well as all.
    sample = text[:100_000]
    loose = sum(sample.count(" " + mark) for mark in ",;:!?")
    return loose >= 5 and loose * 5 >= len(_MARK.findall(sample))


def measure(text: str) -> Shape:
    """Measure the layout of a text; 20,000 lines take 15 ms."""
    lines = [line.strip() for line in text.split("\n")]
    full = [line for line in lines if line]
    if len(full) < 2:
        return Shape(False, False, False, len(full[0]) if full else 0)
    width = percentile_90([len(line) for line in full])
    blank = len(lines) - len(full)
    pairs = cut = lower = hyphens = 0
    for start in range(0, len(lines), CHUNK_LINES):
        chunk = lines[start : start + CHUNK_LINES + 1]
        local = percentile_90([len(line) for line in chunk if line])
        for line, following in itertools.pairwise(chunk):
            if not line or not following:
                continue
            pairs += 1
            # 0.85: printed lines are ragged by some letters.
            cut += len(line) + 1 + len(following.split(" ", 1)[0]) > 0.85 * local
            lower += following[0].islower()
            hyphens += line[-1] == "-" and line[-2:-1].isalpha()
    wrapped = width <= MAX_WIDTH and pairs > 0 and cut >= 0.5 * pairs and lower >= 0.35 * pairs
    # Fewer than one blank line in 50 (a chapter's end, say) separates no paragraphs.
    return Shape(wrapped, blank >= 0.02 * len(full), hyphens >= TYPESET_SHARE * len(full), width)


def percentile_90(lengths: list[int]) -> int:
    """The length that nine of ten do not exceed; 0 for no lengths."""
    return sorted(lengths)[int(0.9 * (len(lengths) - 1))] if lengths else 0


def unwrap(text: str, shape: Shape) -> str:
    """Paragraphs, one per line, from lines that were cut to fit; verse keeps its lines."""
    joiner = _Joiner(text, shape)
    paragraphs: list[str] = []
    for block, local in _blocks(text, paragraphs_inside=not shape.spaced):
        # Where all lines are short, as in a list of contents, they are not cut at the shortest width.
        width = local if local >= 0.6 * shape.width else shape.width
        if _is_verse(block, width):
            joined = ["\n".join(line.strip() for line in block)]
        else:
            joined = joiner.join([line.strip() for line in block], width, paragraphs_inside=not shape.spaced)
        paragraphs += joined
    return "\n\n".join(joiner.mend(paragraphs))


def one_line_per_paragraph(text: str, shape: Shape) -> str:
    """Paragraphs from a text whose lines were not cut: every line is one, but for verse and lists of short lines."""
    # With blank lines all over, neighbouring short lines are meant as lines of one paragraph.
    blanks = text.count("\n\n")
    paragraphs: list[str] = []
    for block, _ in _blocks(text):
        run: list[str] = []
        for line in [*(line.strip() for line in block), None]:
            if line is not None and len(line) < 80:
                run.append(line)
                continue
            if run:
                ends = sum(short.endswith(SENTENCE_END) for short in run)
                verse = len(run) > 1 and (ends * 2 < len(run) or blanks * 3 > text.count("\n"))
                paragraphs += ["\n".join(run)] if verse else run
                run = []
            if line is not None:
                paragraphs.append(line)
    return "\n\n".join(_Joiner(text, shape).mend(paragraphs))


def _blocks(text: str, paragraphs_inside: bool = False) -> list[tuple[list[str], int]]:
    """Runs of lines that are not blank, each with the width of lines thereabouts.

    With `paragraphs_inside`, for texts without blank lines, a run also ends where a paragraph does, once it is long.
    """
    blocks: list[tuple[list[str], int]] = []
    lines = text.split("\n")
    widths = [
        percentile_90([len(line.strip()) for line in lines[start : start + CHUNK_LINES] if line.strip()])
        for start in range(0, len(lines), CHUNK_LINES)
    ]
    block: list[str] = []
    for number, line in enumerate([*lines, ""]):
        width = widths[max(number - 1, 0) // CHUNK_LINES]
        if line and not line.isspace():
            if paragraphs_inside and len(block) >= CHUNK_LINES and not _starts_lower(line.strip()):
                last = block[-1].strip()
                if _ends_paragraph(last, len(last) + 1 + len(line.split(maxsplit=1)[0]), width):
                    blocks.append((block, width))
                    block = []
            block.append(line)
        elif block:
            blocks.append((block, width))
            block = []
    return blocks


def _is_verse(block: list[str], width: int) -> bool:
    """Short lines that begin with capitals, or are all indented: verse, a list, a title page."""
    if len(block) < 2:
        return False
    longest = max(len(line.strip()) for line in block[:-1])
    if longest >= 0.85 * width:
        return False
    indented = all(line[0] in " \t" for line in block)
    capitals = sum(not _starts_lower(line.strip()) for line in block[1:])
    return (indented and longest < 0.75 * width) or capitals >= 0.8 * (len(block) - 1)


def _starts_lower(line: str) -> bool:
    return line.lstrip("\"'“‘([")[:1].islower()


def _ends_paragraph(line: str, length: int, width: int) -> bool:
    """Whether a line after which the next word would have fitted (`length` <= `width`) is a paragraph's last."""
    if line.endswith(SENTENCE_END):
        return length <= width
    return (line.isupper() and length <= 0.85 * width) or _HEADING.match(line) is not None


class _Joiner:
    """Joins lines of one document, whose own words decide about hyphens."""

    def __init__(self, text: str, shape: Shape) -> None:
        self.text = text
        self.shape = shape

    @cached_property
    def words(self) -> Counter[str]:
        """How often each word occurs in the document, in lower case; hyphenated words are one."""
        # Counting takes 25 ms per MB: only when a line ends in a hyphen. What is divided there is no word.
        return Counter(_WORD.findall(_DIVIDED.sub(" ", self.text.lower())))

    def join(self, lines: list[str], width: int, paragraphs_inside: bool) -> list[str]:
        """One paragraph per element. With `paragraphs_inside`, a line that ends early can be the last of one."""
        paragraphs: list[str] = []
        pieces = [lines[0]]
        for line, following in itertools.pairwise(lines):
            length = len(line) + 1 + len(following.split(" ", 1)[0])
            if _starts_lower(following):
                pieces[-1:] = self._seam(line, following)
            elif paragraphs_inside and _ends_paragraph(line, length, width):
                paragraphs.append("".join(pieces))
                pieces = [following]
            elif length <= 0.6 * width:
                pieces += ["\n", following]
            else:
                pieces[-1:] = self._seam(line, following)
        return [*paragraphs, "".join(pieces)]

    def mend(self, paragraphs: list[str]) -> list[str]:
        """Paragraphs that were cut inside a sentence, by a page or a careless editor, as one.

        Of the 70 novels 4 have 7-34% such paragraphs, and scans have them at each page end.
        """
        mended: list[list[str]] = []
        for paragraph in paragraphs:
            last = mended[-1][-1] if mended else ""
            if paragraph[:1].islower() and self._is_unfinished(last):
                mended[-1][-1:] = self._seam(last, paragraph)
            else:
                mended.append([paragraph])
        return ["".join(pieces) for pieces in mended]

    def _is_unfinished(self, paragraph: str) -> bool:
        # Short lines are headings and verse, but in a scan any line can be the last of a page.
        if "\n" in paragraph or (len(paragraph) < MIN_SENTENCE and not self.shape.typeset):
            return False
        end = paragraph[-1:]
        return end.isalpha() or end in (",", ";") or (end == "-" and paragraph[-2:-1].isalpha())

    def _seam(self, before: str, after: str) -> list[str]:
        """Two texts as one: with a blank, after a dash without, after a hyphen by the rule of this module."""
        if not before.endswith(("-", "—")):
            return [before, " ", after]
        if before.endswith(("--", "—")):
            # ` -- ` and ` — ` are set off by blanks on both sides, `--` and `—` by none.
            return [before, " ", after] if before.rstrip("-—").endswith(" ") else [before, after]
        # Nobody divides a word of 80 letters; looking no further back keeps this fast in a text without paragraphs.
        last, first = _LAST_WORD.search(before[-80:]), _FIRST_WORD.match(after)
        if not last:
            return [before, " ", after]
        return [before[:-1] if first and self._joined(last[0][:-1], first[0]) else before, after]

    def _joined(self, first: str, second: str) -> bool:
        low_first, low_second = first.lower(), second.lower()
        joined, hyphenated = self.words[low_first + low_second], self.words[f"{low_first}-{low_second}"]
        if joined != hyphenated:
            return joined > hyphenated
        if second[0].isupper() or (low_first == "to" and low_second in ("day", "morrow", "night")):
            return False
        if not self.shape.typeset:
            return False
        # `clear-ed` and `un-like` are whole words cut, though `clear`, `ed` (another cut) and `like` are words too.
        if _PREFIX.fullmatch(low_first) or _SUFFIX.fullmatch(low_second):
            return True
        return not (self.words[low_first] and self.words[low_second])
