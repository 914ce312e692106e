"""Step `gutenberg`: Project Gutenberg's header, licence and notes around a book, of all eras from 1994 on.

The forms of the markers are those of 20 real files, of 1994 to 2022. A text without markers is never cut.
"""

from __future__ import annotations

import re

from cleaning.draft import CleaningSettings, Draft, Step

# The longest header seen ends at byte 14,139. Beyond this a "start" is the small print that the files of 2002 end with.
HEAD_CHARACTERS = 40_000
# The licence at the end is 19 kB, half of a pamphlet: so much of the end is always searched, besides the last half.
FOOT_CHARACTERS = 40_000

_FLAGS = re.IGNORECASE | re.MULTILINE
_E_TEXT = r"e-?(?:book|text)s?"
# `*** START OF THIS PROJECT GUTENBERG EBOOK` and the title up to the closing stars, which may stand lines below.
_START = re.compile(
    rf"^[^\S\n]*\*{{3}}[^\S\n]*START OF (?:THE|THIS) PROJECT GUTENBERG {_E_TEXT}\b[^*]{{0,300}}\*{{3}}[^\n]*", _FLAGS
)
# 1994: `*END*THE SMALL PRINT! … *END*`; 2001: `*END THE SMALL PRINT! … *END*`.
_SMALL_PRINT_END = re.compile(r"^[^\S\n]*\*END\*?[^\S\n]*THE SMALL PRINT[^\n]*", _FLAGS)
_STRICT_END = (
    rf"\*{{3}}[^\S\n]*END OF (?:THE|THIS) PROJECT GUTENBERG {_E_TEXT}\b"
    rf"|End of (?:the |this )?Project Gutenberg(?:['’]s)?\b(?=[^.\n]*(?:,|by|{_E_TEXT}|$))"
)
_END = re.compile(rf"^[^\S\n]*(?:{_STRICT_END})", _FLAGS)
# 2002: the old head line comes again at the end, above the small print.
_OLD_TITLE = rf"\**[^\S\n]*(?:This is )?(?:The )?Project Gutenberg(?:['’]s)? {_E_TEXT}(?: of|,)"
_OLD_END = re.compile(rf"^[^\S\n]*(?:{_STRICT_END}|{_OLD_TITLE} |\*\*The Legal Small Print\*\*)", _FLAGS)

# Some files of 2008 lack the line end before `Title:`.
_FIELD = re.compile(r"(?:^|gutenberg\.org)(Title|Author):[^\S\n]*(\S[^\n]*(?:\n[^\S\n]+\S[^\n]*)*)", re.MULTILINE)
_OLD_TITLE_LINE = re.compile(
    rf"^{_OLD_TITLE}[^\S\n]+((?:[^\n*]+\n?){{1,3}}?)(?:,?[^\S\n]by|\nby)[^\S\n]+([^\n*(]+)", _FLAGS
)

_CREDIT = re.compile(
    rf"\s*(?:This {_E_TEXT} was |{_E_TEXT} (?:was )?)?"
    rf"(?:produced|prepared|transcribed|scanned|typed|proofread|digitized|HTML version|credits:)\b"
    r"(?=[^.]*\b(?:by|from)\b)",
    re.IGNORECASE,
)
_NOTE = re.compile(r"\s*[\[*]*\s*Transcriber['’]?s?['’]?\s+Notes?\b", re.IGNORECASE)
# The name of an early series of e-texts, not of the book's edition.
_SERIES = re.compile(r"\s*THE MILLENNIUM FULCRUM EDITION [\d.]+\s*")
_RULE = re.compile(r"\s*(?:[-=_*~]\s*){5,}\s*")
# Credits and notes are looked for in the first paragraphs only: a play may be "produced by Mr. Garrick" later on.
_OPENING_PARAGRAPHS = 6
# The longest credit seen has 260 characters. A whole book may be one paragraph, in text without blank lines.
_CREDIT_CHARACTERS = 1_500
_OPENING_PARAGRAPH = re.compile(r"\s*(?:\S[^\n]*\n?(?:[^\S\n]*\S[^\n]*\n?)*)")
_NOTE_END = re.compile(r"\n(?:[^\S\n]*\n){2,}|\n[^\S\n]*(?:[-=_*~]\s*){5,}\n")
_NOTE_AT_END = re.compile(r"^[^\S\n]*\[?Transcriber['’]?s?['’]?\s+Notes?:?[^\S\n]*$", _FLAGS)
_NOTE_CHARACTERS = 6_000
# `[Illustration: caption]`, `[Music: …]`, with at most one level of brackets inside.
_PLACEHOLDER = re.compile(
    r"\[(?:Illustrations?|Picture|Music|Frontispiece|Decoration|Project Gutenberg Editor|Transcriber['’]?s? note)\b"
    r"(?:[^\[\]]|\[[^\[\]]{0,500}\]){0,2000}\]",
    re.IGNORECASE,
)


def make(settings: CleaningSettings) -> Step:
    """Cuts header and footer, credits, transcriber's notes and `[Illustration]`; title and author go to the draft."""

    def step(draft: Draft) -> None:
        draft.text, header = strip(draft.text)
        if header:
            draft.learn(*title_and_author(header))

    return step


def strip(text: str) -> tuple[str, str]:
    """The book alone, and its header (empty when there was none).

    The header ends at the first start marker within 40,000 characters; the footer starts at the earliest end
    marker in the last half or the last 40,000 characters, whichever is more.
    """
    start = _find_start(text)
    end = _find_end(text, start)
    header = text[:start]
    book = text[start:end]
    if header or end < len(text):
        book = _strip_notes(book)
    if "[" in book:
        book = _PLACEHOLDER.sub("", book)
    return book, header


def title_and_author(header: str) -> tuple[str | None, str | None]:
    """What a header says in `Title:` and `Author:` lines, or in the head line of the years before them."""
    fields = dict(reversed(_FIELD.findall(header)))
    if not fields and (old := _OLD_TITLE_LINE.search(header)):
        return old[1].strip().rstrip(","), old[2].strip()
    return fields.get("Title"), fields.get("Author")


def _find_start(text: str) -> int:
    if marker := _START.search(text, 0, HEAD_CHARACTERS):
        return marker.end()
    marker = _SMALL_PRINT_END.search(text, 0, HEAD_CHARACTERS)
    # In a short file of 2002 the small print at the end also lies within the first 40,000 characters.
    if marker and not _END.search(text, 0, marker.start()):
        return marker.end()
    return 0


def _find_end(text: str, start: int) -> int:
    begin = max(start, min(len(text) // 2, len(text) - FOOT_CHARACTERS))
    # The title may stand above a book that has no start marker; only below one is it a footer.
    pattern = _OLD_END if start else _END
    marker = pattern.search(text, begin)
    return marker.start() if marker else len(text)


def _strip_notes(book: str) -> str:
    """`book` without the credits and transcriber's notes at its beginning, and without notes at its end."""
    position = 0
    for _ in range(_OPENING_PARAGRAPHS):
        paragraph = _OPENING_PARAGRAPH.match(book, position)
        if not paragraph or len(paragraph[0].strip()) > _CREDIT_CHARACTERS:
            break
        if _CREDIT.match(paragraph[0]) or _RULE.fullmatch(paragraph[0]) or _SERIES.fullmatch(paragraph[0]):
            book = book[:position] + "\n" + book[paragraph.end() :]
        elif _NOTE.match(paragraph[0]):
            # A note may have paragraphs of its own; it ends where the book begins, at a rule or two blank lines.
            text_end = paragraph.start() + len(paragraph[0].rstrip())
            stop = _NOTE_END.search(book, text_end, text_end + _NOTE_CHARACTERS)
            book = book[:position] + "\n" + book[stop.end() if stop else paragraph.end() :]
        else:
            position = paragraph.end()
    if note := _NOTE_AT_END.search(book, max(position, len(book) - _NOTE_CHARACTERS)):
        book = book[: note.start()]
    return book
