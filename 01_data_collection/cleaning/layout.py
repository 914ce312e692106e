r"""Step `layout`: lines as they were cut to fit a page become paragraphs again.

Whether lines were cut is measured per file: of 70 novels of one collection 36 are hard-wrapped (12 of them without a
blank line between paragraphs) and 34 have one line per paragraph, so that both "join single newlines" and "a newline
is a paragraph" would ruin many. The measure of a cut line: the next line's first word would
not have fitted, and the next line mostly goes on in lower case.

The rule for hyphens at line ends, per word:

1. the form, joined or with hyphen, that the document itself uses elsewhere, by majority;
2. with a capital after the hyphen, or `to-day`, `to-morrow`, `to-night`: with hyphen;
3. neither form occurs, in a document where 3% or more of the lines end in a hyphen (OCR 10-16%, where 99% of the
   decidable ones are joined): joined, unless both halves are words, of the document and of English, neither is a mere
   prefix or suffix, and English does not know the joined word;
4. neither form occurs, in an e-text (0-2.2% of the lines, where of the decidable ones 93% keep the hyphen): with
   hyphen, unless English knows the joined word and not both halves.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from cleaning.draft import CleaningSettings, Draft, Step
from cleaning.lexicon import COMMON, frequencies, is_word

# The widest hard-wrapped file seen is 108 characters wide; paragraphs on one line have a median of 85 and more.
MAX_WIDTH = 120
# Widths change inside a file (Ford_Soldier: 56, 77 and 106), so they are measured per this many lines.
CHUNK_LINES = 64
# A novel of 20,000 lines has 312 such stretches; the shape of a file shows in fewer.
SAMPLED_CHUNKS = 50
# See the rule above; the lowest OCR file has 9.6%, the highest e-text 2.2%.
TYPESET_SHARE = 0.03
# In running words per word: `parlourmaid` is in the list of English words too, 40 times in a thousand million.
LEXICON_SHARE = 1e-7
# `any` and `one` at a line's end are two words, though `anyone` is one today: one half at least is no common word.
CHANCE_SHARE = 3e-5
# Of the lines of verse after the first hardly one begins in lower case; of prose that was cut, as parts of 9 of the 70
# novels are, every second does.
CUT_PROSE_SHARE = 1 / 3
# A title page is among so many paragraphs.
OPENING_PARAGRAPHS = 12
# A paragraph shorter than this, in characters, may be a heading or a verse, which no sentence end need close.
MIN_SENTENCE = 40

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_DIVIDED = re.compile(r"-[ \t]*\n\s*")
# A letter of no European language: the halves of a divided word become one that nobody asks for.
_GLUE = "ǂ"
_LAST_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*-$")
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# How a line can end that ends a paragraph.
SENTENCE_END = tuple(".?!:\"'”’)]-—*»")
_SPEECH_END, _SPEECH_BEGINNING = ('."', '?"', '!"', '-"', ".”", "?”", "!”", "—”"), ('"', "“")
# Some OCR layers of PDFs have lines of nothing else.
_QUOTATION_MARKS = '"“”‘’ '
_PREFIX = re.compile(r"ac|ad|be|com|con|de|dis|em|en|ex|im|in|mis|per|pre|pro|re|sub|un")
_SUFFIX = re.compile(r"able|ance|ed|ence|eth|er|est|ful|fully|fulness|ing|less|ly|ment|ness|ous|ship|sion|tion|ties|ty")
_LAST_LETTERS, _FIRST_LETTERS = re.compile(r"(?<![\w-])[A-Za-z]+$"), re.compile(r"[a-z]+(?![\w-])")
_HEADING = re.compile(r"(?:chapter|book|volume|part|act|scene|letter|canto)\s+(?:[ivxlcdm]+|\d+)\.?$", re.IGNORECASE)

# The first word of a chapter on a line of its own, because its initial was large: `KAROO` and `, red sand`; 70 times in
# 4 of 70 novels.
_LARGE_INITIAL = re.compile(r"^(['\"“‘]?[A-Z][A-Z'’]{0,13})\n(?:(?=[,;] )|(?=[a-z][^\n]{40}))", re.MULTILINE)
# `by Charles Dickens` under a title.
_BYLINE = re.compile(r"by [A-Z][^\n]{2,50}$")
_SPACES = re.compile(r"  +")
_BLANK_LINES = re.compile(r"\n{3,}")


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
        if draft.layout != "paragraphs":
            text = _LARGE_INITIAL.sub(_whole_first_word, text)
            shape = measure(text)
            if draft.layout == "wrapped":
                shape = replace(shape, wrapped=True, spaced=False)
            printed = draft.layout == "wrapped"
            text = unwrap(text, shape, printed) if shape.wrapped else one_line_per_paragraph(text, shape)
        draft.text = tidy(text)
        draft.layout = "paragraphs"

    return step


def _whole_first_word(word: re.Match[str]) -> str:
    return word[1] if word.string[word.end()] in ",;" else f"{word[1]} "


def tidy(text: str) -> str:
    """Single blanks, none at line ends, exactly one blank line between paragraphs, nothing around the text."""
    # Each pass only where there is something to do, and none that matches every blank of the text.
    text = text.replace("\t", " ") if "\t" in text else text
    if "  " in text:
        text = _SPACES.sub(" ", text)
    text = text.replace(" \n", "\n").replace("\n ", "\n")
    return (_BLANK_LINES.sub("\n\n", text) if "\n\n\n" in text else text).strip()


def measure(text: str) -> Shape:
    """Measure the layout of a text, by all lines of a short one and by SAMPLED_CHUNKS stretches of a long one."""
    lines = text.split("\n")
    starts = range(0, len(lines), CHUNK_LINES)
    step = max(1, len(starts) // SAMPLED_CHUNKS)
    lengths: list[int] = []
    seen = pairs = cut = lower = hyphens = 0
    for start in starts[::step]:
        # One line more than is counted, so that no pair of neighbours is left out.
        chunk = list(map(str.strip, lines[start : start + CHUNK_LINES + 1]))
        local_lengths = [len(line) for line in chunk[:CHUNK_LINES] if line]
        lengths += local_lengths
        seen += min(len(chunk), CHUNK_LINES)
        local = percentile_90(local_lengths)
        for line, following in itertools.pairwise(chunk):
            if not line or not following:
                continue
            pairs += 1
            # 0.85: printed lines are ragged by some letters.
            cut += len(line) + 1 + len(following.split(" ", 1)[0]) > 0.85 * local
            lower += following[0].islower()
            hyphens += line[-1] == "-" and line[-2:-1].isalpha()
    if len(lengths) < 2:
        return Shape(False, False, False, max(lengths, default=0))
    width = percentile_90(lengths)
    wrapped = width <= MAX_WIDTH and pairs > 0 and cut >= 0.5 * pairs and lower >= 0.35 * pairs
    # Fewer than one blank line in 50 (a chapter's end, say) separates no paragraphs.
    return Shape(wrapped, seen - len(lengths) >= 0.02 * len(lengths), hyphens >= TYPESET_SHARE * len(lengths), width)


def percentile_90(lengths: list[int]) -> int:
    """The length that nine of ten do not exceed; 0 for no lengths."""
    return sorted(lengths)[int(0.9 * (len(lengths) - 1))] if lengths else 0


def unwrap(text: str, shape: Shape, printed: bool = False) -> str:
    """Paragraphs, one per line, from lines that were cut to fit; verse keeps its lines. `printed`: pages."""
    joiner = _Joiner(text, shape, printed)
    paragraphs: list[str] = []
    for block, indented, local in _blocks(text, paragraphs_inside=not shape.spaced):
        # Where all lines are short, as in a list of contents, they are not cut at the shortest width.
        width = local if local >= 0.6 * shape.width else shape.width
        opening = not shape.typeset and len(paragraphs) < OPENING_PARAGRAPHS
        if _is_verse(block, indented, width, opening):
            paragraphs.append("\n".join(block))
        else:
            paragraphs += joiner.join(block, width, paragraphs_inside=not shape.spaced)
    return "\n\n".join(joiner.mend(paragraphs))


def one_line_per_paragraph(text: str, shape: Shape) -> str:
    """Paragraphs from a text whose lines were not cut: every line is one, but for verse and lists of short lines."""
    # With blank lines all over, neighbouring short lines are meant as lines of one paragraph.
    blanks_are_usual = text.count("\n\n") * 3 > text.count("\n")
    joiner = _Joiner(text, shape)
    paragraphs: list[str] = []
    for block, _, _ in _blocks(text):
        if len(block) == 1:
            paragraphs += block
            continue
        run: list[str] = []
        for line in [*block, None]:
            if line is not None and len(line) < 80:
                run.append(line)
                continue
            if len(paragraphs) >= OPENING_PARAGRAPHS and _is_cut_prose(run):
                paragraphs += joiner.join(run, percentile_90(list(map(len, run))), paragraphs_inside=False)
            elif run:
                ends = sum(short.endswith(SENTENCE_END) for short in run)
                verse = len(run) > 1 and (ends * 2 < len(run) or blanks_are_usual)
                paragraphs += ["\n".join(run)] if verse else run
            run = []
            if line is not None:
                paragraphs.append(line)
    return "\n\n".join(joiner.mend(paragraphs))


def _is_cut_prose(run: list[str]) -> bool:
    """Whether short lines among whole paragraphs are one that was cut: to fit, or around each word in italics."""
    pairs = itertools.pairwise(run)
    goes_on = sum(_starts_lower(after) and not before.endswith(SENTENCE_END) for before, after in pairs)
    return goes_on >= 1 and goes_on >= CUT_PROSE_SHARE * (len(run) - 1)


def _blocks(text: str, paragraphs_inside: bool = False) -> Iterator[tuple[list[str], bool, int]]:
    """Runs of lines that are not blank, stripped; whether all are indented; the width of lines thereabouts.

    With `paragraphs_inside`, for texts without blank lines, a run also ends where a paragraph does, once it is long.
    """
    lines = text.split("\n")
    stripped = list(map(str.strip, lines))
    widths = [
        percentile_90(list(filter(None, map(len, stripped[start : start + CHUNK_LINES]))))
        for start in range(0, len(lines), CHUNK_LINES)
    ]
    end = 0
    for filled, run in itertools.groupby(stripped, bool):
        start, end = end, end + len(list(run))
        if not filled:
            continue
        first = start
        while paragraphs_inside and end - start > CHUNK_LINES:
            cut = next(
                (at for at in range(start + CHUNK_LINES, end) if _is_cut(stripped[at - 1], stripped[at], widths, at)),
                end,
            )
            yield stripped[start:cut], False, widths[(cut - 1) // CHUNK_LINES]
            start = cut
        if start < end:
            indented = first == start and all(line[0] in " \t" for line in lines[start:end])
            yield stripped[start:end], indented, widths[(end - 1) // CHUNK_LINES]


def _is_cut(line: str, following: str, widths: list[int], number: int) -> bool:
    if _starts_lower(following):
        return False
    width = widths[(number - 1) // CHUNK_LINES]
    return _ends_paragraph(line, len(line) + 1 + len(following.split(maxsplit=1)[0]), width)


def _is_verse(block: list[str], indented: bool, width: int, opening: bool) -> bool:
    """Short lines that begin with capitals, or are all indented: verse, a list, a title page."""
    if len(block) < 2:
        return False
    longest = max(map(len, block[:-1]))
    if longest >= 0.85 * width:
        return False
    # `or AN EPOCH OF REST` on a title page.
    if longest <= 0.6 * width and opening:
        return True
    capitals = sum(not _starts_lower(line) for line in block[1:])
    return (indented and longest < 0.75 * width) or capitals >= 0.8 * (len(block) - 1)


def _starts_lower(line: str) -> bool:
    # With the blank: some OCR layers of PDFs set quotation marks off, `" was not`.
    return line.lstrip("\"'“‘([ ")[:1].islower()


def _ends_paragraph(line: str, length: int, width: int) -> bool:
    """Whether a line after which the next word would have fitted (`length` <= `width`) is a paragraph's last."""
    if line.endswith(SENTENCE_END):
        return length <= width
    return (line.isupper() and length <= 0.85 * width) or _HEADING.match(line) is not None


def _another_speaks(line: str, following: str) -> bool:
    """Whether a line ends with a speech and the next begins with one.

    1,265 paragraphs of 14 novels without blank lines end so, with a full line; in one, of 1742, speakers share them.
    """
    return line.endswith(_SPEECH_END) and following.startswith(_SPEECH_BEGINNING)


def _is_cut_word(before: str, after: str) -> bool:
    """Whether the halves at a line's end make a word, `Hol` `land`, that is no likelier to be two by chance.

    `con` `verse` are both words, but together a thousand times rarer than `converse`; `a` `way` are not.
    """
    first, second = _LAST_LETTERS.search(before[-40:]), _FIRST_LETTERS.match(after)
    if not first or not second or len(first[0]) < 2 or len(second[0]) < 2:
        return False
    known, low = frequencies(), (first[0] + second[0]).lower()
    halves = known.get(first[0].lower(), 0.0), known.get(second[0].lower(), 0.0)
    return known.get(low, 0.0) > max(LEXICON_SHARE, 1000 * halves[0] * halves[1]) and min(halves) < CHANCE_SHARE


class _Joiner:
    """Joins lines of one document, whose own words decide about hyphens."""

    def __init__(self, text: str, shape: Shape, printed: bool = False) -> None:
        self.text = text
        self.printed = printed
        self.shape = shape

    @cached_property
    def lost_hyphens(self) -> bool:
        """Whether a printed page has no divided word: some OCR layers of PDFs leave the hyphens out."""
        return self.printed and self.text.count("\n") >= 20 and "-\n" not in self.text

    @cached_property
    def words(self) -> Counter[str]:
        """How often each word occurs in the document, in lower case; hyphenated words are one."""
        # Only when a line ends in a hyphen. Words are found in the distinct tokens: three times as fast as in the text.
        tokens = Counter(_DIVIDED.sub(_GLUE, self.text.lower()).replace("--", " ").replace("—", " ").split())
        words: Counter[str] = Counter()
        for token, count in tokens.items():
            if token.isalpha():
                words[token] += count
            else:
                for word in _WORD.findall(token):
                    words[word] += count
        return words

    def join(self, lines: list[str], width: int, paragraphs_inside: bool) -> list[str]:
        """One paragraph per element. With `paragraphs_inside`, a line that ends early can be the last of one."""
        if len(lines) == 1:
            return lines
        joined = "\n".join(lines)
        # Nearly every paragraph of a text with blank lines: nothing divided, no line so short that it may be meant.
        if (
            not paragraphs_inside
            and not self.lost_hyphens
            and min(map(len, lines[:-1])) > 0.6 * width - 2
            and "-\n" not in joined
            and "—\n" not in joined
        ):
            return [joined.replace("\n", " ")]
        paragraphs: list[str] = []
        pieces = [lines[0]]
        for line, following in itertools.pairwise(lines):
            length = len(line) + 1 + len(following.split(" ", 1)[0])
            if length <= 0.6 * width and _BYLINE.fullmatch(following):
                pieces += ["\n", following]
            elif _starts_lower(following) or not line.strip(_QUOTATION_MARKS) or not following.strip(_QUOTATION_MARKS):
                pieces[-1:] = self._seam(line, following)
            elif paragraphs_inside and (_ends_paragraph(line, length, width) or _another_speaks(line, following)):
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
            if paragraph[:1].islower() and self._is_unfinished(last) and not _BYLINE.fullmatch(paragraph):
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
            return [before, "" if self.lost_hyphens and _is_cut_word(before, after) else " ", after]
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
        is_one_word = is_word(low_first + low_second, LEXICON_SHARE)
        if not self.shape.typeset:
            return is_one_word and not (is_word(low_first, COMMON) and is_word(low_second, COMMON))
        # `clear-ed` and `un-like` are whole words cut, though `clear`, `ed` (another cut) and `like` are words too.
        if is_one_word or _PREFIX.fullmatch(low_first) or _SUFFIX.fullmatch(low_second):
            return True
        halves = (low_first, low_second)
        return not all(self.words[half] and is_word(half, COMMON) for half in halves)
