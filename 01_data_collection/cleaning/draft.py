"""A document on its way through cleaning, and the ways a step can act on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chapbook.corpus import RawDocument


class CleaningSettings(Protocol):
    """What the steps read from the configuration."""

    @property
    def languages(self) -> list[str]:
        """Languages to keep, ISO 639-1; empty: any."""

    @property
    def min_characters(self) -> int:
        """Shortest text that is kept, in characters."""

    @property
    def max_bytes(self) -> int:
        """Largest document that is worked on, in bytes as collected."""

    @property
    def front_matter(self) -> Literal["drop", "keep"]:
        """What becomes of lists of contents, indexes, errata and lists of juries."""

    @property
    def profile(self) -> Literal["book", "web"]:
        """Which limits the filters have."""

    @property
    def min_known_words(self) -> float:
        """Smallest share of English words in an English text."""

    @property
    def licences(self) -> list[str]:
        """Licences to keep; empty: any."""

    @property
    def unknown_licence(self) -> Literal["keep", "reject"]:
        """What becomes of documents without a licence, when `licences` names some."""

    @property
    def period(self) -> tuple[int, int] | None:
        """First and last year of what is kept."""

    @property
    def undated(self) -> Literal["keep", "reject"]:
        """What becomes of documents without a date, when there is a period."""

    @property
    def max_anachronisms(self) -> float:
        """Words younger than the period that a text may hold, per 10,000 words."""

    @property
    def decontaminate(self) -> list[str]:
        """Files of evaluation items; documents that hold one are refused."""


class Rejected(Exception):
    """A step refuses a document. `reason` is one of few, so that it can be counted; `detail` is about this one."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass
class Draft:
    """A document between collection and corpus; each step changes it in place."""

    raw: RawDocument
    text: str = ""
    layout: str = "unknown"
    """How lines and paragraphs lie in `text`:

    - `unknown`: as found in a text file; measured when needed
    - `wrapped`: as found on a page, lines cut to fit, known to be so (PDF)
    - `paragraphs`: one blank line between paragraphs, a line break only where one is meant
    """
    scanned: bool = False
    """The text was read from page images by an OCR program; `scan` finds out."""
    measures: dict[str, float] = field(default_factory=dict)
    """What steps measured of the text, by name; stored with the document."""
    title: str | None = field(init=False)
    author: str | None = field(init=False)
    date: str | None = field(init=False)
    language: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.title, self.author = self.raw.title, self.raw.author
        self.date, self.language = self.raw.date, self.raw.language

    def learn(self, title: str | None = None, author: str | None = None, date: str | None = None) -> None:
        """Take in what the document says about itself, where nothing is known yet."""
        self.title = self.title or _one_line(title)
        self.author = self.author or _one_line(author)
        self.date = self.date or _one_line(date)


def _one_line(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None


Step = Callable[[Draft], None]
"""Changes a draft in place, or raises Rejected."""
