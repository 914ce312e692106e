"""Documents and the Parquet shards they travel in.

A `RawDocument` is what a source delivers: bytes as they were found, with their provenance. A `Document`
is what cleaning makes of it: text. Both are stored as rows of Parquet shards in an artifact directory
(`raw/<corpus>/` and `corpora/<corpus>/<split>/`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

SPLITS = ("train", "validation", "test")

# A shard is closed at this many bytes of content: large enough for good compression, small enough that
# reading one shard (and its decompressed columns) stays far below a gigabyte.
SHARD_BYTES = 64_000_000
# Rows are flushed in groups of about this many bytes, so that memory is bounded by it, not by the shard.
ROW_GROUP_BYTES = 8_000_000


_YEAR = re.compile(r"(?<!\d)(1[0-9]{3}|20[0-9]{2})(?!\d)")


def year_of(date: str | None) -> int | None:
    """The first year from 1000 to 2099 in a date or period (`1742`, `1742-03-05`, `1740-1750`); None without one."""
    match = _YEAR.search(date or "")
    return int(match[1]) if match else None


def decade_of(date: str | None) -> str:
    """The decade a date falls in, e.g. `1740s`; `unknown` without a year."""
    year = year_of(date)
    return "unknown" if year is None else f"{year // 10 * 10}s"


def content_hash(content: bytes) -> str:
    """The SHA-256 of a document's bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(kw_only=True)
class Provenance:
    """Where a document comes from. None means: not known."""

    id: str
    """Unique within the corpus and stable between collections, e.g. `novels/Dickens_Bleak_1853.txt`."""
    source: str
    """The name of the source in the configuration."""
    url: str | None = None
    title: str | None = None
    author: str | None = None
    date: str | None = None
    """Year or ISO date or period, as the source gives it."""
    language: str | None = None
    """ISO 639-1 code."""
    licence: str | None = None
    """SPDX identifier or a URL."""
    sha256: str
    """SHA-256 of the bytes as collected."""
    fetched_at: str | None = None
    """UTC, ISO 8601."""


@dataclass(kw_only=True)
class RawDocument(Provenance):
    """A document as a source delivered it."""

    content: bytes
    """The bytes as found; cleaning decodes and extracts them."""
    format: str
    """`txt`, `html`, `xml`, `epub` or `pdf`."""
    truth: str | None = None
    """For generated documents: the text that perfect cleaning returns; empty when it must be rejected."""
    true_bits: float | None = None
    """For generated documents: the information content of `truth` under the generator, in bits."""
    dirt: list[str] = field(default_factory=list)
    """For generated documents: the kinds of dirt planted in `content`."""


@dataclass(kw_only=True)
class Document(Provenance):
    """A cleaned document."""

    text: str
    true_bits: float | None = None
    """Information content in bits when the generator's probability of exactly this text is known."""
    measures: dict[str, float] = field(default_factory=dict)
    """What cleaning measured of the text, by name, e.g. the share of known words."""

    def byte_count(self) -> int:
        """The length of the text in UTF-8 bytes."""
        return len(self.text.encode("utf-8"))


@dataclass(kw_only=True)
class Reject:
    """A document that a cleaning step refused, with the reason."""

    id: str
    source: str
    step: str
    reason: str
    sha256: str
    bytes: int
    """Size of the content as collected."""
    text: str
    """The whole text as the refusing step saw it, so that a person can judge and nothing is lost."""


Row = TypeVar("Row", RawDocument, Document, Reject)


def _schema(row_type: type) -> Any:
    import pyarrow as pa

    arrow = {
        "str": pa.string(),
        "str | None": pa.string(),
        "bytes": pa.large_binary(),
        "float | None": pa.float64(),
        "int": pa.int64(),
        "list[str]": pa.list_(pa.string()),
        "dict[str, float]": pa.map_(pa.string(), pa.float64()),
    }
    columns = [(f.name, pa.large_string() if f.name == "text" else arrow[str(f.type)]) for f in fields(row_type)]
    return pa.schema(columns)


class FileWriter:
    """Writes rows to one Parquet file in bounded memory; `close` makes it whole."""

    def __init__(self, path: Path, row_type: type) -> None:
        import pyarrow.parquet as pq

        self.schema = _schema(row_type)
        self.bytes_written = 0
        self._pending: list[dict[str, Any]] = []
        self._pending_bytes = 0
        self._writer = pq.ParquetWriter(path, self.schema, compression="zstd")

    def write(self, row: RawDocument | Document | Reject) -> None:
        """Append one row."""
        values = {name: getattr(row, name) for name in self.schema.names}
        if measures := values.get("measures"):
            # Sorted, so that equal measures are equal bytes whichever step came first.
            values["measures"] = sorted(measures.items())
        size = sum(len(v) for v in values.values() if isinstance(v, str | bytes))
        self._pending.append(values)
        self._pending_bytes += size
        self.bytes_written += size
        if self._pending_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._pending:
            self._writer.write_table(pa.Table.from_pylist(self._pending, schema=self.schema))
        self._pending, self._pending_bytes = [], 0

    def close(self) -> None:
        """Write what is pending and the end of the file."""
        self._flush()
        self._writer.close()


class ShardWriter:
    """Writes rows to `<directory>/00000.parquet`, `00001.parquet`, … in bounded memory.

    Use as a context manager. A shard is complete only when its artifact's manifest exists, so a writer
    that dies half-way leaves nothing that anybody reads.
    """

    def __init__(self, directory: Path, row_type: type) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.row_type = row_type
        self.rows_written = 0
        self._shards = 0
        self._writer: FileWriter | None = None

    def write(self, row: RawDocument | Document | Reject) -> None:
        """Append one row."""
        if self._writer is None:
            self._writer = FileWriter(self.directory / f"{self._shards:05d}.parquet", self.row_type)
            self._shards += 1
        self._writer.write(row)
        self.rows_written += 1
        if self._writer.bytes_written >= SHARD_BYTES:
            self.close()

    def close(self) -> None:
        """Write what is pending and close the last shard."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def read_shards(directory: Path, row_type: type[Row]) -> Iterator[Row]:
    """Yield the rows of all shards of `directory` in the order they were written, in bounded memory."""
    for path in sorted(directory.glob("*.parquet")):
        yield from read_file(path, row_type)


def read_file(path: Path, row_type: type[Row]) -> Iterator[Row]:
    """Yield the rows of one Parquet file in order, in bounded memory."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as shard:
        yield from read_row_groups(shard, range(shard.metadata.num_row_groups), row_type)


def read_row_groups(shard: Any, groups: Sequence[int], row_type: type[Row]) -> Iterator[Row]:
    """Yield the rows of some row groups of an open `pyarrow.parquet.ParquetFile`, in order."""
    for batch in shard.iter_batches(batch_size=64, row_groups=list(groups)):
        for values in batch.to_pylist(maps_as_pydicts="strict"):
            yield row_type(**values)


def read_texts(corpus: Path, split: str) -> Iterator[str]:
    """Yield the texts alone of one split of a corpus artifact, in stored order."""
    import pyarrow.parquet as pq

    for path in sorted((corpus / split).glob("*.parquet")):
        with pq.ParquetFile(path) as shard:
            for batch in shard.iter_batches(batch_size=256, columns=["text"]):
                yield from batch.column(0).to_pylist()
