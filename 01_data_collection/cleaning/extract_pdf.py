"""PDF to text with pypdfium2 (PDFium): the text layer page by page, without running heads and page numbers."""

from __future__ import annotations

import difflib
import re
from collections import Counter

from cleaning.draft import Draft, Rejected
from cleaning.layout import SENTENCE_END, percentile_90

# A head stands on at least so many pages.
MIN_PAGES = 3
# Two readings of the same head: OCR misreads one letter in ten.
SIMILARITY = 0.8
_MAX_HEAD_CHARACTERS = 80

_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
# PDFium writes a hyphen at a line end as U+FFFE (older: U+0002) and swallows the line end.
_SOFT_HYPHEN = re.compile("[\ufffe\x02](?:\r?\n)?")
_NUMBER = re.compile(r"[\[(–—-]*\s*\d{1,4}\s*[\])–—.-]*")
_LETTERS = re.compile(r"[^\W\d_]")
_NOT_LETTERS = re.compile(r"[\W\d_]+")


def extract(draft: Draft) -> None:
    """The text of all pages, hard-wrapped as printed; a PDF without text (a scan) gives an empty one."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(draft.raw.content)
    except pypdfium2.PdfiumError as error:
        raise Rejected("cannot be parsed as pdf", str(error)) from error
    try:
        pages = [_page_text(document, number) for number in range(len(document))]
        title, author = (document.get_metadata_value(key) for key in ("Title", "Author"))
    except pypdfium2.PdfiumError as error:
        raise Rejected("cannot be parsed as pdf", str(error)) from error
    finally:
        document.close()
    text = join_pages(without_heads(pages))
    for ligature, letters in _LIGATURES.items():
        text = text.replace(ligature, letters)
    draft.text, draft.layout = text, "wrapped"
    draft.learn(title=title, author=author)


def _page_text(document: object, number: int) -> list[str]:
    page = document[number]  # type: ignore[index]
    try:
        text_page = page.get_textpage()
        try:
            text = text_page.get_text_range()
        finally:
            text_page.close()
    finally:
        page.close()
    lines = _SOFT_HYPHEN.sub("-\n", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [line.strip() for line in lines if line.strip()]


def without_heads(pages: list[list[str]]) -> list[list[str]]:
    """The pages' lines without a first or last line that is a page number or comes on three or more pages.

    Changes the list. Heads are compared by their letters, fuzzily (difflib ratio of 0.8): scans misread them.
    """
    for edge in (0, -1):
        edges = [page[edge] if page else "" for page in pages]
        # The chapter's name on one side, the book's on the other: each is counted by itself.
        keys = [_NOT_LETTERS.sub("", line).lower() if len(line) <= _MAX_HEAD_CHARACTERS else "" for line in edges]
        repeated = _repeated({key: count for key, count in Counter(keys).items() if key})
        consecutive = _consecutive(edges)
        for number, (page, line, key) in enumerate(zip(pages, edges, keys, strict=True)):
            if line and (key in repeated or _NUMBER.fullmatch(line) or number in consecutive):
                pages[number] = page[1:] if edge == 0 else page[:-1]
    return pages


def join_pages(pages: list[list[str]]) -> str:
    """One text; a blank line only after a page whose last line ends a sentence and is short, or that is half empty."""
    pages = [page for page in pages if page]
    counts = sorted(map(len, pages))
    usual_lines = counts[len(counts) // 2] if counts else 0
    text = ""
    for page in pages:
        text += "\n".join(page)
        width = percentile_90([len(line) for line in page])
        short = len(page[-1]) < 0.85 * width or len(page) < usual_lines / 2
        text += "\n\n" if short and page[-1].endswith(SENTENCE_END) else "\n"
    return text.rstrip()


def _repeated(counts: dict[str, int]) -> set[str]:
    """The keys that, with those like them, come on at least MIN_PAGES pages."""
    repeated = {key for key, count in counts.items() if count >= MIN_PAGES}
    for key in counts.keys() - repeated:
        # A head is at most 80 letters, and a book has few: misreadings are compared with the known heads only.
        if any(difflib.SequenceMatcher(None, key, head).ratio() >= SIMILARITY for head in repeated):
            repeated.add(key)
    return repeated


def _consecutive(edges: list[str]) -> set[int]:
    """The pages whose edge line is in capitals with a number that counts the pages: `76 VOLTAIRE`, `… ENGLISH 77`."""
    offsets: dict[int, list[int]] = {}
    for number, line in enumerate(edges):
        match = re.match(r"(\d{1,4})\s|.*\s(\d{1,4})$", line)
        if match and _is_capitals(line):
            offsets.setdefault(int(match[1] or match[2]) - number, []).append(number)
    sure = {number for pages in offsets.values() if len(pages) >= 2 for number in pages}
    texts = {_NOT_LETTERS.sub("", edges[number]) for number in sure}
    # The same head with a misread number, `LETTERS ON THE ENGLISH 7$`.
    return sure | {n for n, line in enumerate(edges) if _is_capitals(line) and _NOT_LETTERS.sub("", line) in texts}


def _is_capitals(line: str) -> bool:
    letters = _LETTERS.findall(line)
    return len(line) <= _MAX_HEAD_CHARACTERS and bool(letters) and sum(map(str.isupper, letters)) >= 0.8 * len(letters)
