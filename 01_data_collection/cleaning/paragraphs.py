"""Building paragraphs out of mark-up: what all extractors share."""

from __future__ import annotations

import re

# Marks that no text holds (they are removed from the input), put between the pieces and resolved at the end.
_PARAGRAPH, _LINE, _SOFT_LINE, _PAGE = "\x1e", "\x1f", "\x1d", "\x1c"
_MARKS = re.compile("[\x1c-\x1f]")
_BLANKS = re.compile(r"[ \t\r\n]+")
# A page that ends inside a sentence ends a paragraph in the mark-up only.
_BREAKS = f"[{_PARAGRAPH}{_SOFT_LINE}{_PAGE} ]*"
_PAGE_IN_SENTENCE = re.compile(rf"(?<=[^\s.?!{_PARAGRAPH}-]) ?{_BREAKS}{_PAGE}{_BREAKS}(?=[a-z])")
_LINES = re.compile(f" ?(?:[{_LINE}{_SOFT_LINE}] ?)+")


class Paragraphs:
    """Collects the text of a document piece by piece; white space of the mark-up counts as one blank."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def text(self, text: str | None) -> None:
        """Running text."""
        if text:
            self._pieces.append(_MARKS.sub("", text))

    def preformatted(self, text: str | None) -> None:
        """Text whose line ends and blank lines are meant."""
        if text:
            self._pieces.append(_MARKS.sub("", text).replace("\r\n", "\n").replace("\n", _LINE))

    def paragraph(self) -> None:
        """Here a paragraph ends and the next begins."""
        self._pieces.append(_PARAGRAPH)

    def line(self) -> None:
        """A line break that is meant; two in a row end a paragraph."""
        self._pieces.append(_LINE)

    def soft_line(self) -> None:
        """The beginning of a line, unless one has just begun."""
        self._pieces.append(_SOFT_LINE)

    def page(self) -> None:
        """A page break: a blank, which also mends a sentence that was cut into two paragraphs."""
        self._pieces.append(_PAGE)

    def result(self) -> str:
        """The paragraphs with one blank line between them."""
        text = _BLANKS.sub(" ", "".join(self._pieces))
        if _PAGE in text:
            text = _BLANKS.sub(" ", _PAGE_IN_SENTENCE.sub(" ", text).replace(_PAGE, " "))
        text = _LINES.sub(_resolve_lines, text)
        paragraphs = (paragraph.strip(" \n") for paragraph in text.split(_PARAGRAPH))
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _resolve_lines(run: re.Match[str]) -> str:
    return _PARAGRAPH if run[0].count(_LINE) > 1 else "\n"
