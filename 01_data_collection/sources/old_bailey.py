"""Source kind `old_bailey`: the Proceedings of the Old Bailey 1674–1913 and the Ordinary's Accounts.

From the project's XML files (folder, zip or download), or record by record from the API. A search of the API gives
ten records a page, their texts cut off: each record is fetched by its key. A key can come twice in a search, and one
key can stand for several records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import urlencode

from http_client import JSON, HttpClient, NotFetched, Request

from chapbook.corpus import RawDocument
from chapbook.source_config import OldBaileySource
from sources import Failed
from sources.fetching import (
    Item,
    collection,
    collection_document,
    document,
    fetch,
    fetch_json,
    parse_json,
)
from sources.fetching import (
    collection_identity as identity,
)

__all__ = ["documents", "identity"]

# The licence that oldbaileyonline.org states for its texts.
LICENCE = "CC-BY-NC-4.0"
# What the API hands out per page, whatever `size` asks for.
PAGE = 10
# Names of files and keys of records: 16740717.xml, t17540116-4, OA17040922.xml.
_DATE = re.compile(r"(?<!\d)(1[6-9]\d\d)([01]\d)([0-3]\d)(?!\d)")


def documents(source: OldBaileySource, http: HttpClient) -> Iterator[RawDocument | Failed]:
    """Sessions, accounts and trials, each with its date; files first, then records of the API."""
    for file in collection(source, http):
        if isinstance(file, Failed):
            yield file
        else:
            date = _date(PurePosixPath(file.name).stem)
            yield collection_document(source, file, date=date, language="en", licence=LICENCE)
    if not source.ids and not source.query:
        return
    for found in fetch(source, http, _items(source, http)):
        if isinstance(found, Failed):
            yield found
            continue
        item, download, answer = found
        try:
            records = [hit["_source"] for hit in parse_json(answer)["hits"]["hits"]]
            if not records:
                raise NotFetched("no such record")
            for number, record in enumerate(records, start=1):
                name = item.id if number == 1 else f"{item.id}~{number}"
                known = replace(item, id=name, title=record.get("title"))
                yield document(source, known, download, record["xml"].encode("utf-8"))
        except (NotFetched, KeyError, TypeError, AttributeError) as error:
            reason = str(error) if isinstance(error, NotFetched) else f"no answer of the API: {error!r}"
            yield Failed(f"{source.name}/{item.id}", reason, item.request.url)


def _items(source: OldBaileySource, http: HttpClient) -> Iterator[Item | Failed]:
    seen: set[str] = set()
    for key in _keys(source, http):
        if isinstance(key, Failed):
            yield key
        elif key not in seen:
            seen.add(key)
            url = f"{source.api}/oldbailey_record_single?{urlencode({'idkey': key})}"
            request = Request(url=url, types=JSON, robots=False)
            yield Item(id=key, request=request, format="xml", date=_date(key), language="en", licence=LICENCE)


def _keys(source: OldBaileySource, http: HttpClient) -> Iterator[str | Failed]:
    yield from source.ids
    start = 0
    while source.query:
        url = f"{source.api}/oldbailey_record?{urlencode(source.query | {'from': start, 'size': PAGE})}"
        try:
            hits = fetch_json(http, url)["hits"]["hits"]
            keys = [str(hit["_source"]["idkey"]) for hit in hits]
        except (NotFetched, KeyError, TypeError, AttributeError) as error:
            yield Failed(f"{source.name}/search?from={start}", f"search: {error}", url)
            return
        if not keys:
            return
        yield from keys
        start += len(keys)


def _date(name: str) -> str | None:
    found = _DATE.search(name)
    return "-".join(found.groups()) if found else None
