"""Source kind `urls`: texts on the web by address, from the configuration or from a file of addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from http_client import PLAIN_TEXT, XML, HttpClient, Request

from chapbook.corpus import RawDocument
from chapbook.errors import UsageError
from chapbook.source_config import UrlsSource, is_address
from sources import Failed
from sources.fetching import Item, collection_document, document, downloaded_files, fetch
from sources.fetching import identity as configured

FORMATS = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    **dict.fromkeys((*PLAIN_TEXT, "text/markdown"), "txt"),
    **dict.fromkeys(XML, "xml"),
    "application/epub+zip": "epub",
    "application/pdf": "pdf",
}


def identity(source: UrlsSource) -> dict[str, Any]:
    """The source's keys, with the addresses of its file."""
    return configured(source) | {"urls": _addresses(source)}


def documents(source: UrlsSource, http: HttpClient) -> Iterator[RawDocument | Failed]:
    """One document per address, its format the media type that the server states; then those in the archives."""
    items = (
        Item(id=url, request=Request(url=url, types=tuple(FORMATS)), format="")
        for url in dict.fromkeys(_addresses(source))
    )
    for found in fetch(source, http, items):
        if isinstance(found, Failed):
            yield found
            continue
        item, download, content = found
        media_type = download.content_type.partition(";")[0].strip().lower()
        yield document(source, replace(item, format=FORMATS[media_type]), download, content)
    for file in downloaded_files(source.name, http, source.archives, source.members):
        yield file if isinstance(file, Failed) else collection_document(source, file)


def _addresses(source: UrlsSource) -> list[str]:
    if source.urls_file is None:
        return source.urls
    try:
        lines = Path(source.urls_file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"corpus.sources {source.name}: urls_file {source.urls_file} cannot be read ({error})."
        ) from error
    named = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    addresses = {number: line for number, line in named if line and not line.startswith("#")}
    if bad := [number for number, line in addresses.items() if not is_address(line)]:
        # Their numbers, not what they say: there may be a password in it.
        raise UsageError(
            f"{source.urls_file}: lines {', '.join(map(str, bad[:5]))}{' …' if len(bad) > 5 else ''} are no address "
            "(http:// or https://, no password in it)."
        )
    return [*source.urls, *addresses.values()]
