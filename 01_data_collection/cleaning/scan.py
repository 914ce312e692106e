r"""Step `scan`: the text of scanned books as OCR programs write it (archive.org's `_djvu.txt`), page by page.

What is in such files, counted on seven of them, and what becomes of it:

- library stamps, Google's notice of 40 lines, `DATE DUE`: dropped at the ends of the file, where they stand;
- covers and marbled paper read as letters (`C <CI C / ■ <£ <tC.`), 390 lines in one file: runs of lines are judged by
  the share of their letters that belong to known words. A single line is not: Bible references would go;
- running heads, themselves misread (`LIFE OF CJLXTEK.`), page numbers and signatures (`L. B. 9`) at page edges;
- page breaks, three or more blank lines, mostly in the middle of a sentence: the sentence is mended.
"""

from __future__ import annotations

import re
from itertools import accumulate

from cleaning.draft import CleaningSettings, Draft, Step
from cleaning.lexicon import COMMON, RARE, SHORT_WORDS, bare, is_word
from cleaning.running_heads import MAX_HEAD_CHARACTERS, edges_to_drop

# Lines before and after that judge a line together with it.
NEIGHBOURS = 4
# Letters in known words, of all marks: running text has 0.75-0.98 in the files seen, covers 0.05-0.2, a page read from
# a stained original 0.4.
GARBAGE_SHARE = 0.35
# A line that is well read stays, whatever stands around it.
GOOD_SHARE = 0.65
# Stamps and notices stand among so many lines at either end.
END_LINES = 250

_SAMPLE = 200_000
_PAGE_BREAK = re.compile(r"\n(?:[ \t]*\n){3,}")
_BREAK_IN_SENTENCE = re.compile(r"[a-z,;-][ \t]*\n(?:[ \t]*\n){3,}[ \t]*(?:[^\n]{1,60}\n(?:[ \t]*\n)*)?[a-z]")
_REFERENCE_MARKS = re.compile(r"[\d\s:;,.()\[\]—–-]+")
_SHORT_TAIL = 12

_LIBRARY = re.compile(
    r"""date\ due|deacidified|bookkeeper\ process|neutralizing\ agent|treatment\ date|preservation\s?technologies
    |thomson\ park\ drive|cranberry\ township|\(724\)\s?779|library\ of\ congress|universit[yv]\ (?:of\ \w+\ )?librar
    |public\ librar|auxiliary\ library|theological\ seminary.{0,20}librar|librar(?:y|ies)\s*[■.]?$|no\.\ case,
    |no\.\ shelf|digitized\ by|internet\ archive|archive\.org|with\ funding\ from|google\.com
    |this\ book\ (?:is|was)\ (?:due|returned)|books\ (?:are|may\ be|ore)\ subject|subject\ to\ recall|call\ no|accession
    |^google$|leader\ in\ paper\ preserv|ex\ libris|presented\ (?:by|to)\ the\ librar
    |^united\ states\ of\ america\W
    # Postal codes and telephone numbers of the libraries: younger than any book that is scanned.
    |\b\d{5}-\d{4}\b|\d{3}\)\ ?\d{3}-\d{4}""",
    re.IGNORECASE | re.VERBOSE,
)
# Stands at the foot of each page of some files.
_DIGITIZED = re.compile(r"^[ \t]*(?:Digitized|Digitised|Hosted) by\b[^\n]{0,60}$", re.MULTILINE)
_GOOGLE_BEGIN = re.compile(r"^[^\n]*digital copy of a book that was preserved for generations[^\n]*$", re.MULTILINE)
_GOOGLE_END = re.compile(
    r"^[^\n]*(?:books ?\. ?google ?\. ?com|through Google Book Search|full text of this book)[^\n]*$", re.M
)
_GOOGLE_CHARACTERS = 8_000
# The letters and the number by which the binder knew the sheet, `I,. B. 10`, `2*`.
_SIGNATURE = re.compile(
    r"(?:[A-Z][.,]{1,2} ?){1,3}[\dIlO]{1,2}\W?|[A-Z]?\d{1,2}[*†§]|\d{1,2} (?:[A-Z]\. ?){1,3}[A-Z][a-z]+\.?"
)
# Specks in the margin, read as marks.
_SPECK = re.compile(r"^(?:(?:[|•■^_~\\,.;:]{1,2}|i\||\|[a-z]|j) (?=[A-Za-z])|[.,;:•■|]{1,2}(?=[a-z]))")
_ODD_MARKS = re.compile(r"(?:(?<=\s)|^)[■•«»^~|\\<>]+(?=\s|$)")
# What an opening quote at a line's beginning is read as, 200 times in one book; a lone `*` may be a note's mark.
_QUOTE = re.compile(r"^[\^*•«]{2,3} ?(?=[A-Z])")
_MARKED = re.compile(r"[■•«»^~|\\<>*_]|^[,.;:] ?|^(?:i\||j) ")
# A hyphen read as another mark, `noquar*` / `ter`.
_MISREAD_HYPHEN = re.compile(r"([A-Za-z][a-z]+)[*•■]\n([a-z]{2,})")
_SPACED_HYPHEN = re.compile(r"(?<=[a-z]) ([•■])$")
_ODD_MARK_AT_END = re.compile(r"(?<=[a-z])[•■]$", re.MULTILINE)
# Ornaments and what is left of them; `* * *` stands between sections.
_ORNAMENT = re.compile(r"(?!(?:\* ?){2,}$)[\W_]+|\W+[a-z]|\d[/\\|]")


def make(settings: CleaningSettings) -> Step:
    """Cleans what looks like a scan; `draft.scanned` tells the steps after it. Other texts pass by."""

    def step(draft: Draft) -> None:
        if draft.layout == "unknown" and is_scan(draft.text):
            draft.scanned = True
            draft.text = clean_scan(draft.text)

    return step


def is_scan(text: str) -> bool:
    """Whether words are divided at line ends, and lines end in a blank (archive.org) or pages break in sentences."""
    sample = text[:_SAMPLE]
    breaks = sample.count("\n")
    filled = breaks - sample.count("\n\n")
    # E-texts divide words in at most 2.2% of their lines, the scans seen in 9.6% and more.
    divided = sample.count("- \n") + sample.count("-\n") >= 0.03 * filled
    if breaks >= 6 and sample.count(" \n") > 0.8 * filled:
        return divided or _PAGE_BREAK.search(sample) is not None
    return divided and breaks >= 6 and len(_BREAK_IN_SENTENCE.findall(sample)) >= 3


def clean_scan(text: str) -> str:
    """The pages' text without furniture and garbage; pages joined where a sentence goes on."""
    text = _DIGITIZED.sub("", _without_google_notice(text))
    pages = [[_without_specks(line) for line in page.split("\n")] for page in _PAGE_BREAK.split(text)]
    pages = _without_library_lines(pages)
    pages = _without_garbage(pages)
    for edge in (0, -1):
        # A head and its number may have become two lines, hence twice.
        for _ in range(2):
            pages = _without_edges(pages, edge)
    text = _join([page for page in map(_trimmed, pages) if page])
    return _ODD_MARK_AT_END.sub("", _MISREAD_HYPHEN.sub(_with_hyphen, text))


def _with_hyphen(divided: re.Match[str]) -> str:
    # A name may be rare and both halves words, `God*` and `by`.
    at_least = COMMON if divided[1][0].isupper() else RARE
    return f"{divided[1]}-\n{divided[2]}" if is_word(divided[1] + divided[2], at_least) else divided[0]


def _without_google_notice(text: str) -> str:
    begin = _GOOGLE_BEGIN.search(text, 0, 3 * _GOOGLE_CHARACTERS)
    if not begin:
        return text
    ends = list(_GOOGLE_END.finditer(text, begin.end(), begin.end() + _GOOGLE_CHARACTERS))
    return text[: begin.start()] + "\n\n\n\n" + text[ends[-1].end() :] if ends else text


def _without_specks(line: str) -> str:
    line = _SPACED_HYPHEN.sub(r"\1", " ".join(line.split()))
    return _ODD_MARKS.sub("", _SPECK.sub("", _QUOTE.sub('"', line))).strip() if _MARKED.search(line) else line


def _without_library_lines(pages: list[list[str]]) -> list[list[str]]:
    places = [(number, at) for number, page in enumerate(pages) for at, line in enumerate(page) if line]
    for number, at in {*places[:END_LINES], *places[-END_LINES:]}:
        # A sentence about a library is longer.
        line = pages[number][at]
        if len(line) <= 60 and (_LIBRARY.search(line) or _ORNAMENT.fullmatch(line)):
            pages[number][at] = ""
    return pages


def known_share(line: str) -> tuple[int, int]:
    """Letters of a line in known words of three letters and more, and all marks but those of references."""
    known = sum(
        len(word)
        for word in map(bare, line.split())
        if (len(word) > 2 and is_word(word, RARE if len(word) > 4 else 10 * RARE)) or word in SHORT_WORDS
    )
    return known, len(_REFERENCE_MARKS.sub("", line))


def _without_garbage(pages: list[list[str]]) -> list[list[str]]:
    places = [(number, at) for number, page in enumerate(pages) for at, line in enumerate(page) if line]
    scores = [known_share(pages[number][at]) for number, at in places]
    known = [0, *accumulate(score[0] for score in scores)]
    total = [0, *accumulate(score[1] for score in scores)]
    good = [own >= GOOD_SHARE * marks and own > 5 for own, marks in scores]
    # At either end a line may be one word, `penny!"`; `crc` and `RY OF` are none.
    sure = [
        is_good or (own >= 0.7 * marks and own > 4) or (own >= 0.95 * marks and own > 2)
        for is_good, (own, marks) in zip(good, scores, strict=True)
    ]
    first = sure.index(True) if True in sure else len(sure)
    last = len(sure) - 1 - sure[::-1].index(True) if True in sure else -1
    # The second half of a divided word.
    if 0 <= last < len(places) - 1 and pages[places[last][0]][places[last][1]].endswith("-"):
        last += 1
    for index, (number, at) in enumerate(places):
        low, high = max(index - NEIGHBOURS, 0), min(index + NEIGHBOURS + 1, len(places))
        marks = total[high] - total[low]
        around = (known[high] - known[low]) / marks if marks else 1.0
        if not first <= index <= last or (around < GARBAGE_SHARE and not good[index] and scores[index][1]):
            pages[number][at] = ""
    return pages


def _without_edges(pages: list[list[str]], edge: int) -> list[list[str]]:
    pages = [_trimmed(page) for page in pages]
    lines = [page[edge] if page else "" for page in pages]
    drop = edges_to_drop(lines)
    for number, line in enumerate(lines):
        if not line:
            continue
        own, marks = known_share(line)
        # A misread signature has a number: `25 . .J.tt.T«.^v>t.`
        short = _SHORT_TAIL * (2 if edge and any(map(str.isdigit, line)) else 1)
        speck = len(line) <= short and own < 0.3 * marks
        if number in drop or speck or (edge and len(line) < MAX_HEAD_CHARACTERS and _SIGNATURE.fullmatch(line)):
            pages[number] = pages[number][1:] if edge == 0 else pages[number][:-1]
    return pages


def _trimmed(page: list[str]) -> list[str]:
    start, end = 0, len(page)
    while start < end and not page[start]:
        start += 1
    while end > start and not page[end - 1]:
        end -= 1
    return page[start:end]


def _join(pages: list[list[str]]) -> str:
    """Pages as one text: a paragraph ends with a page only where its last line says so."""
    pieces: list[str] = []
    for number, page in enumerate(pages):
        pieces.append("\n".join(page))
        if number + 1 == len(pages):
            break
        width = sorted(map(len, page))[int(0.9 * (len(page) - 1))]
        last, following = page[-1], pages[number + 1][0]
        first = following.split(" ", 1)[0]
        full = len(last) + 1 + len(first) > 0.85 * width and len(page) > 2
        unfinished = last[-1].isalpha() or last[-1] in ",;-"
        goes_on = following[:1].islower() or (full and (unfinished or not following.isupper()))
        pieces.append("\n" if goes_on and not last.isupper() else "\n\n\n")
    return "".join(pieces)
