"""Source kind `internet_archive`: the recognised text (OCR) of scanned books, by identifier or by query.

Per item two requests: its metadata, which names its files, and the file that ends in `_djvu.txt`. robots.txt is not
asked: the Archive's APIs are made for programs, and its own guide to downloading in bulk turns robots.txt off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from http_cache import Download, Unusable
from http_client import JSON, LOOKAHEAD, PLAIN_TEXT, HttpClient, NotFetched, Request

from chapbook.corpus import RawDocument
from chapbook.errors import UsageError
from chapbook.source_config import InternetArchiveSource
from sources import Failed
from sources.fetching import Item, fetch_json, language_code, parse_json
from sources.fetching import documents as fetched_documents
from sources.fetching import identity as configured

# Identifiers per page of the scrape API, which takes 100 to 10,000.
PAGE = 5_000


def identity(source: InternetArchiveSource) -> dict[str, Any]:
    """The source's keys, with the identifiers of its file."""
    return configured(source) | {"ids": _named(source)}


def documents(source: InternetArchiveSource, http: HttpClient) -> Iterator[RawDocument | Failed]:
    """The OCR texts, with title, creator, date, language and licence as the Archive has them."""
    return fetched_documents(source, http, _items(source, http))


def _items(source: InternetArchiveSource, http: HttpClient) -> Iterator[Item | Failed]:
    def request(name: str | Failed) -> Request | None:
        url = f"{source.base_url}/metadata/{quote(str(name), safe='')}"
        return None if isinstance(name, Failed) else Request(url=url, types=JSON, robots=False)

    lookahead = min(LOOKAHEAD, source.max_documents or LOOKAHEAD)
    for name, download in http.get_many(_identifiers(source, http), request, lookahead):
        if isinstance(name, Failed):
            yield name
            continue
        try:
            if not isinstance(download, Download):
                raise NotFetched(str(download))
            yield _item(source, name, parse_json(download.read()))
        except (NotFetched, Unusable) as failure:
            yield Failed(f"{source.name}/{name}", str(failure), f"{source.base_url}/details/{quote(name, safe='')}")


def _item(source: InternetArchiveSource, name: str, answer: Any) -> Item:
    """What is to be fetched for one item. Raises NotFetched when there is nothing."""
    # An identifier that does not exist is answered with an empty object.
    if not isinstance(answer, dict) or not answer.get("metadata"):
        raise NotFetched("no such item")
    about = answer["metadata"]
    if str(about.get("access-restricted-item", "")).lower() == "true":
        raise NotFetched("lending only")
    texts = [str(f.get("name", "")) for f in answer.get("files") or [] if str(f.get("name", "")).endswith("_djvu.txt")]
    if not texts:
        raise NotFetched("no recognised text: the item has no file that ends in _djvu.txt")
    url = f"{source.base_url}/download/{quote(name, safe='')}/{quote(texts[0])}"
    return Item(
        id=name,
        request=Request(url=url, types=PLAIN_TEXT, robots=False),
        format="txt",
        title=_text(about.get("title")),
        author=_text(about.get("creator")),
        date=_text(about.get("date") or about.get("year")),
        language=language_code(_text(about.get("language"))),
        licence=_text(about.get("licenseurl")),
    )


def _identifiers(source: InternetArchiveSource, http: HttpClient) -> Iterator[str | Failed]:
    """The items named, then those found, each once."""
    seen: set[str] = set()
    for name in _named(source):
        if name not in seen:
            seen.add(name)
            yield name
    cursor = None
    while source.query:
        query = {"q": source.query, "fields": "identifier", "sorts": "identifier asc", "count": PAGE}
        url = f"{source.base_url}/services/search/v1/scrape?{urlencode(query | ({'cursor': cursor} if cursor else {}))}"
        try:
            answer = fetch_json(http, url)
            names = [str(item["identifier"]) for item in answer["items"]]
            following = answer.get("cursor")
        except (NotFetched, KeyError, TypeError, AttributeError) as error:
            yield Failed(f"{source.name}/search", f"search: {error}", url)
            return
        for name in names:
            if name not in seen:
                seen.add(name)
                yield name
        # The last page of results has a cursor too: the end is a page without items.
        if not names or not following or following == cursor:
            return
        cursor = following


def _named(source: InternetArchiveSource) -> list[str]:
    if source.ids_file is None:
        return source.ids
    try:
        lines = Path(source.ids_file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"corpus.sources {source.name}: {source.ids_file} cannot be read ({error}).") from error
    return source.ids + [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _text(value: Any) -> str | None:
    """The Archive gives one text, a number or a list of them."""
    values = value if isinstance(value, list) else [value]
    return "; ".join(str(v) for v in values if v not in (None, "")) or None
