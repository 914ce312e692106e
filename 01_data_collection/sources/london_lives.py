"""Source kind `london_lives`: the manuscripts of London Lives 1690–1800, as XML or as texts made from it.

The project's files are named by archive and page (WACWIC652000013: Westminster Abbey, coroners, ...) and carry no
date in their names: each document is dated by the project's period.
"""

from __future__ import annotations

from collections.abc import Iterator

from http_client import HttpClient

from chapbook.corpus import RawDocument
from chapbook.source_config import LondonLivesSource
from sources import Failed
from sources.fetching import collection, collection_document
from sources.fetching import collection_identity as identity

__all__ = ["documents", "identity"]

PERIOD = "1690-1800"


def documents(source: LondonLivesSource, http: HttpClient) -> Iterator[RawDocument | Failed]:
    """One document per file."""
    for file in collection(source, http):
        yield file if isinstance(file, Failed) else collection_document(source, file, date=PERIOD, language="en")
