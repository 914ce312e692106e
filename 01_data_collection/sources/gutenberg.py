"""Source kind `gutenberg`: books of Project Gutenberg, by number or found in the gutendex catalogue.

www.gutenberg.org is for human readers, its rules send programs to a mirror: texts come from there, the catalogue
from gutendex. Books under copyright are passed over: Gutenberg may give them away, others may not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from http_client import PLAIN_TEXT, HttpClient, NotFetched, Request

from chapbook.corpus import RawDocument
from chapbook.source_config import GutenbergSource
from sources import Failed
from sources.fetching import Item, fetch_json, identity
from sources.fetching import documents as fetched_documents

__all__ = ["documents", "identity"]

# gutendex answers with 32 books a page.
PAGE = 32
LICENCE = "https://www.gutenberg.org/policy/license.html"
# What Gutenberg converts to UTF-8 for every book, whatever charset the catalogue calls it; mirrors hold it.
_GENERATED = re.compile(r"/(ebooks/\d+\.txt\.utf-8|cache/epub/\d+/pg\d+\.txt(\.utf-?8)?)")


def documents(source: GutenbergSource, http: HttpClient) -> Iterator[RawDocument | Failed]:
    """The plain texts of the books, each dated by its year in `ids` or, roughly, by its authors' lives."""
    dated = source.ids if isinstance(source.ids, dict) else dict.fromkeys(source.ids)
    years = {int(number): year for number, year in dated.items()}
    return fetched_documents(source, http, _items(source, http, years))


def _items(source: GutenbergSource, http: HttpClient, years: dict[int, int | None]) -> Iterator[Item | Failed]:
    missing = dict.fromkeys(years)
    seen: set[int] = set()
    for book in _catalogue(source, http):
        if isinstance(book, Failed):
            yield book
            continue
        number = int(book["id"])
        missing.pop(number, None)
        if number in seen:
            continue
        seen.add(number)
        if book.get("copyright") is not False:
            yield Failed(f"{source.name}/{number}", "under copyright, or Gutenberg does not know")
            continue
        texts = [url for kind, url in (book.get("formats") or {}).items() if kind.startswith("text/plain")]
        if not texts:
            yield Failed(f"{source.name}/{number}", "no plain text")
            continue
        # Files in the older layout are often moved away, and their charsets differ: second choice.
        url = min(texts, key=lambda text: (not _GENERATED.fullmatch(urlsplit(text).path), text))
        year = years.get(number)
        # A translation is as old as its translator's English.
        people = book.get("translators") or book.get("authors") or []
        yield Item(
            id=str(number),
            request=Request(url=_on_mirror(url, source.mirror, number), types=PLAIN_TEXT),
            format="txt",
            title=book.get("title"),
            author="; ".join(person["name"] for person in book.get("authors") or []) or None,
            date=str(year) if year else _lifetime(people),
            language=next(iter(book.get("languages") or []), None),
            licence=LICENCE,
        )
    for number in missing:
        yield Failed(f"{source.name}/{number}", "not in the catalogue")


def _catalogue(source: GutenbergSource, http: HttpClient) -> Iterator[dict[str, Any] | Failed]:
    """The catalogue's entries of all books asked for; a page that could not be had is an item that failed."""
    searches: list[dict[str, Any]] = []
    numbers = iter(source.ids)
    while chunk := list(itertools.islice(numbers, PAGE)):
        searches.append({"ids": ",".join(map(str, chunk))})
    if source.filters is not None:
        given = source.filters.model_dump(exclude_defaults=True)
        given["languages"] = ",".join(given.get("languages", []))
        # The default order, by downloads, changes daily; by number, pages stay what they are.
        searches.append({k: v for k, v in given.items() if v} | {"copyright": "false", "sort": "ascending"})
    for search in searches:
        query: str | None = urlencode(search)
        while query is not None:
            url = f"{source.api}?{query}"
            try:
                page = fetch_json(http, url)
                yield from page["results"]
                # Only the query is taken over: the catalogue does not get to send us elsewhere.
                following = urlsplit(page["next"] or "").query or None
            except (NotFetched, KeyError, TypeError, AttributeError) as error:
                yield Failed(f"{source.name}/catalogue?{query}", f"catalogue: {error}", url)
                break
            query = following if following != query else None


def _on_mirror(url: str, mirror: str, number: int) -> str:
    """Mirrors hold what www.gutenberg.org offers as `/ebooks/<n>.txt.utf-8` as `/cache/epub/<n>/pg<n>.txt`."""
    path = urlsplit(url).path
    if _GENERATED.fullmatch(path):
        return f"{mirror}/cache/epub/{number}/pg{number}.txt"
    if file := re.fullmatch(r"/files/\d+/([\w.-]+)", path):
        # The oldest layout: one folder per digit but the last.
        digits = "/".join(str(number)[:-1]) or "0"
        return f"{mirror}/{digits}/{number}/{file[1]}"
    return f"{mirror}{path}"


def _lifetime(people: list[dict[str, Any]]) -> str | None:
    """From the first birth to the last death, as a period; None when either is unknown or before the year 1000."""
    births = [person["birth_year"] for person in people if person.get("birth_year")]
    deaths = [person["death_year"] for person in people if person.get("death_year")]
    return f"{min(births)}-{max(deaths)}" if births and deaths and min(births) >= 1000 else None
