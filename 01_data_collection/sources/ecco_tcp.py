"""Source kind `ecco_tcp`: books of the eighteenth century as keyed by the Text Creation Partnership.

What is known of a book stands in a file of its own beside the text (`K066039.000.hdr`, perhaps in another folder), or
in the header of a TEI text. The header's language wins over the attribute LANG of the text, which says `eng` even of
French books.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from http_client import HttpClient

from chapbook.corpus import RawDocument
from chapbook.log import log
from chapbook.source_config import EccoTcpSource
from sources import Failed, files
from sources.fetching import (
    CollectionFile,
    collection,
    collection_document,
    language_code,
)
from sources.fetching import (
    collection_identity as identity,
)

__all__ = ["documents", "identity"]

# Where a TEI header ends; what follows is the book, which need not be parsed to read its header.
_HEADER_END = re.compile(rb"</(\w+:)?(teiHeader|HEADER)\s*>", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """What the header says of the book."""

    title: str | None
    author: str | None
    date: str | None
    place: str | None
    language: str | None


def documents(source: EccoTcpSource, http: HttpClient) -> Iterator[RawDocument | Failed]:
    """One document per XML text, with what its header says."""
    headers: dict[str, Header] = {}
    for file in collection(source, http, pattern="*.hdr"):
        if isinstance(file, CollectionFile):
            headers[_number(file)] = read_header(file.content)
    elsewhere = 0
    for file in collection(source, http):
        if isinstance(file, Failed):
            yield file
            continue
        suffix = PurePosixPath(file.name).suffix.lower()
        if suffix == ".hdr":
            continue
        if files.FORMATS.get(suffix) != "xml" or suffix in (".sgm", ".sgml"):
            # Read-me files, character tables, SGML twins of the texts.
            yield Failed(file.id, f"no TCP or TEI text: {suffix or 'no suffix'}")
            continue
        header = headers.get(_number(file)) or read_header(file.content)
        if source.place is not None and source.place.lower() not in (header.place or "").lower():
            elsewhere += 1
            continue
        yield collection_document(
            source, file, title=header.title, author=header.author, date=header.date, language=header.language
        )
    if elsewhere:
        log.info("%s: %d files were not printed in %s and are left out", source.name, elsewhere, source.place)


def _number(file: CollectionFile) -> str:
    """`K066039.000` of `xml/K066039.000.xml`."""
    return PurePosixPath(file.name).stem


def read_header(content: bytes) -> Header:
    """The header of a text, or of its twin; without one everything is unknown."""
    from lxml import etree

    end = _HEADER_END.search(content)
    if end is None:
        return Header(None, None, None, None, None)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True)
    try:
        root = etree.fromstring(content[: end.end()], parser)
    except etree.XMLSyntaxError:
        # Nothing that could be a header: the text itself may be good, and cleaning will say if not.
        root = None
    found: dict[str, str] = {}
    # Elements alone: entities that nobody resolves are nodes too.
    for element in root.iter(etree.Element) if root is not None else ():
        name = _name(element)
        text = " ".join("".join(element.itertext(etree.Element)).split())
        if name == "language":
            text = element.get("ident") or text
        # Date and place of the printed book; title and author of the edition, which tells volumes apart.
        printed = any(_name(ancestor) == "sourcedesc" for ancestor in element.iterancestors())
        if text and (printed or name not in ("date", "pubplace")):
            found.setdefault(name, text)
    date = found.get("date", "").rstrip(". ") or None
    language = language_code(found.get("language"))
    return Header(found.get("title"), found.get("author"), date, found.get("pubplace"), language)


def _name(element: Any) -> str:
    """The local name in lower case."""
    return str(element.tag).rpartition("}")[2].lower()
