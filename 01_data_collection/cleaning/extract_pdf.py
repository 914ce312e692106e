"""PDF to text with pypdfium2 (PDFium): the text layer page by page, without running heads and page numbers."""

from __future__ import annotations

import html
import re

from cleaning.draft import Draft, Rejected
from cleaning.layout import SENTENCE_END, percentile_90
from cleaning.running_heads import edges_to_drop

_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
# PDFium writes a hyphen at a line end as U+FFFE (older: U+0002) and swallows the line end.
_SOFT_HYPHEN = re.compile("[\ufffe\x02](?:\r?\n)?")


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
    # Some OCR programs write their text layer with the entities of HTML.
    if "&quot;" in text or "&amp;" in text:
        text = html.unescape(text)
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
    """The pages' lines without running heads and page numbers at either edge. Changes the list."""
    for edge in (0, -1):
        for number in edges_to_drop([page[edge] if page else "" for page in pages]):
            pages[number] = pages[number][1:] if edge == 0 else pages[number][:-1]
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
