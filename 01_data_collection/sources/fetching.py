"""What the connectors share: items of a catalogue become documents, files of a collection are found here or fetched."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from archives import MEMBER_BYTES
from http_cache import Download, Unusable
from http_client import JSON, LOOKAHEAD, PLAIN_TEXT, XML, ZIP, HttpClient, NotFetched, Request

from chapbook.corpus import RawDocument, content_hash
from chapbook.source_config import ArchiveSource, FoundSource
from sources import Failed, files

# One archive of a whole collection: ECCO-TCP is 0.5 GB unpacked.
ARCHIVE_BYTES = 1 << 40

# ISO 639-2 (as libraries write it), names, and 639-1, of the languages that the archives here hold.
_LANGUAGES = {
    "en": "eng english",
    "fr": "fre fra french",
    "de": "ger deu german",
    "la": "lat latin",
    "it": "ita italian",
    "es": "spa spanish",
    "nl": "dut nld dutch",
    "pt": "por portuguese",
    "el": "gre ell grc greek",
    "cy": "wel cym welsh",
    "ga": "gle irish",
    "gd": "gla gaelic",
    "da": "dan danish",
    "sv": "swe swedish",
}
_LANGUAGE_CODES = {word: code for code, words in _LANGUAGES.items() for word in (code, *words.split())}


@dataclass(frozen=True, kw_only=True)
class Item:
    """A document that is to be fetched, and what its catalogue knows of it."""

    id: str
    """Unique within its source."""
    request: Request
    format: str
    title: str | None = None
    author: str | None = None
    date: str | None = None
    language: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class CollectionFile:
    """A file of a collection: from a folder or zip here, or from a download."""

    id: str
    name: str
    """Its path within the collection, whose end says its format."""
    content: bytes
    download: Download | None


def identity(source: FoundSource) -> dict[str, Any]:
    """All keys of a source that shape its documents: not which API or mirror is asked, nor names of files here."""
    return source.model_dump(
        exclude={"kind", "name", "weight", "api", "mirror", "base_url", "paths", "ids_file", "urls_file"},
        exclude_none=True,
    )


def fetch_json(http: HttpClient, url: str) -> Any:
    """The answer of an API that is documented for programs. Raises NotFetched."""
    try:
        return parse_json(http.get(Request(url=url, types=JSON, robots=False)).read())
    except Unusable as error:
        raise NotFetched(str(error)) from error


def parse_json(answer: bytes) -> Any:
    """What an API answered. Raises NotFetched when that is no JSON."""
    try:
        return json.loads(answer)
    # Nested too deep is a RecursionError.
    except (ValueError, RecursionError) as error:
        raise NotFetched(f"no answer of the API: {error}") from error


def fetch(
    source: FoundSource, http: HttpClient, items: Iterable[Item | Failed]
) -> Iterator[tuple[Item, Download, bytes] | Failed]:
    """Fetch the items of a catalogue, many at once, in their order; what fails passes with its reason."""
    # Nothing is asked of a server that a small cap throws away again.
    lookahead = min(LOOKAHEAD, source.max_documents or LOOKAHEAD)
    for item, download in http.get_many(items, lambda i: None if isinstance(i, Failed) else i.request, lookahead):
        if isinstance(item, Failed):
            yield item
        elif isinstance(download, NotFetched):
            yield Failed(f"{source.name}/{item.id}", str(download), item.request.url)
        else:
            assert download is not None
            try:
                yield item, download, download.read()
            except Unusable as error:
                yield Failed(f"{source.name}/{item.id}", str(error), item.request.url)


def documents(source: FoundSource, http: HttpClient, items: Iterable[Item | Failed]) -> Iterator[RawDocument | Failed]:
    """One document per item, its content as it was fetched."""
    for found in fetch(source, http, items):
        yield found if isinstance(found, Failed) else document(source, *found)


def document(source: FoundSource, item: Item, download: Download | None, content: bytes) -> RawDocument | Failed:
    """The document of an item; what the configuration says of the source wins over the catalogue."""
    name = f"{source.name}/{item.id}"
    if not content:
        return Failed(name, "empty file", item.request.url)
    return RawDocument(
        id=name,
        source=source.name,
        url=item.request.url or None,
        title=source.title or item.title,
        author=source.author or item.author,
        date=source.date or item.date,
        language=source.language or item.language,
        licence=source.licence or item.licence,
        sha256=content_hash(content),
        fetched_at=download.fetched_at if download else None,
        content=content,
        format=item.format,
    )


def collection_identity(source: ArchiveSource) -> dict[str, Any]:
    """The keys of a source, and the content of its files on this machine."""
    found = files.find(source.paths, source.name)
    return identity(source) | ({"files": files.content_identity(found, everything=True)} if found else {})


def collection_document(source: FoundSource, file: CollectionFile, **known: str | None) -> RawDocument | Failed:
    """The document that one file of a collection is, with what its collection says of it."""
    suffix = PurePosixPath(file.name).suffix.lower()
    url = file.download.url if file.download else ""
    if suffix not in files.FORMATS:
        return Failed(file.id, f"not a text format: {suffix or 'no suffix'}", url or None)
    request = Request(url=url, types=())
    item = Item(id=file.id.removeprefix(f"{source.name}/"), request=request, format=files.FORMATS[suffix], **known)
    return document(source, item, file.download, file.content)


def collection(
    source: ArchiveSource, http: HttpClient, pattern: str | None = None
) -> Iterator[CollectionFile | Failed]:
    """The files of a collection, those here first, then those in its downloads; zips are looked into.

    Files that are no text come too (`name` tells): a collection may keep its catalogue in them. pattern: instead of
    the source's `members`.
    """
    pattern = pattern or source.members
    yield from _contents(files.find(source.paths, source.name), None, pattern)
    yield from downloaded_files(source.name, http, source.urls, pattern)


def downloaded_files(
    source_name: str, http: HttpClient, urls: list[str], pattern: str
) -> Iterator[CollectionFile | Failed]:
    """The files behind addresses that a person named one by one; zips are looked into.

    robots.txt is not asked: it is for programs that find their way themselves. pattern: only files so named.
    """
    wanted = [Request(url=url, types=(*XML, *PLAIN_TEXT, *ZIP), max_bytes=ARCHIVE_BYTES, robots=False) for url in urls]
    names: Counter[str] = Counter()
    for request, download in http.get_many(wanted, lambda r: r):
        name = unquote(PurePosixPath(urlsplit(request.url).path).name) or "index"
        names[name] += 1
        if names[name] > 1:
            # `…/one/text.xml` and `…/two/text.xml`.
            name = f"{names[name]}~{name}"
        if not isinstance(download, Download):
            yield Failed(f"{source_name}/{name}", str(download), request.url)
        elif files.is_zip(download.path):
            yield from _contents(files.find_in_zip(download.path, name, source_name), download, pattern)
        elif download.size > MEMBER_BYTES:
            yield Failed(f"{source_name}/{name}", f"too big: {download.size / 1e6:,.0f} MB in one file", request.url)
        elif fnmatchcase(name, pattern):
            try:
                yield CollectionFile(f"{source_name}/{name}", name, download.read(), download)
            except Unusable as error:
                yield Failed(f"{source_name}/{name}", str(error), request.url)


def _contents(found: list[files.File], download: Download | None, pattern: str) -> Iterator[CollectionFile | Failed]:
    chosen = [file for file in found if fnmatchcase(file.relative, pattern)]
    for file, content in files.read(chosen, everything=True):
        yield CollectionFile(file.id, file.relative, content, download) if isinstance(content, bytes) else content


def language_code(word: str | None) -> str | None:
    """ISO 639-1 for a library's code or an English name; None when it is none of the common ones."""
    return _LANGUAGE_CODES.get((word or "").strip().strip(".").lower())
