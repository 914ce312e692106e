"""What has been fetched, kept on disk: each address whole or not at all, and never outside its folder.

File names are hashes of addresses. `<key>.json` is written last and atomically: an entry exists when it does.
`<key>.part` and `<key>.part.json` are a download that broke off and can go on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archives import MEMBER_RATIO

from chapbook.artifact import file_hash, write_atomically
from chapbook.corpus import content_hash

_CHUNK = 1 << 16
# Below this many bytes no ratio is a bomb.
_HARMLESS_BYTES = 1_000_000


class Unusable(Exception):
    """A body that cannot be kept; the message says why, countable before the first colon."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file in the cache, and what is known of it."""

    url: str
    path: Path
    content_type: str
    etag: str | None
    last_modified: str | None
    sha256: str
    size: int
    fetched_at: str
    """When this content was first fetched (UTC, ISO 8601); it stays when a later visit finds it unchanged."""

    def read(self) -> bytes:
        """The content. Raises Unusable when the file is not what was fetched."""
        content = self.path.read_bytes()
        if content_hash(content) != self.sha256:
            # Without its description the entry is gone and the next run fetches it anew.
            self.path.with_name(self.path.name.partition("-")[0] + ".json").unlink(missing_ok=True)
            raise Unusable("damaged in the cache: run again with --retry_failed")
        return content


class Partial:
    """A download on its way; after a crash or a lost connection it can go on if the server can name what it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._about = path.with_name(path.name + ".json")

    def about(self) -> dict[str, Any]:
        """The headers of the answer it began with; empty when there is nothing to go on from."""
        if not self.path.is_file() or not self._about.is_file():
            return {}
        try:
            about: dict[str, Any] = json.loads(self._about.read_text("utf-8"))
        except ValueError:
            return {}
        return about

    def validator(self) -> str | None:
        """What `If-Range` takes: a strong ETag or a date. A weak ETag promises too little."""
        about = self.about()
        etag = about.get("etag")
        return etag if etag and not etag.startswith("W/") else about.get("last_modified")

    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, about: dict[str, Any]) -> None:
        """Start anew. The old bytes go first: they must never be taken for the beginning of the new ones."""
        self.discard()
        write_atomically(self._about, json.dumps(about).encode())
        self.path.touch()

    def discard(self) -> None:
        """Forget what has arrived."""
        self.path.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)


class HttpCache:
    """The folder of all downloads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _place(self, url: str, suffix: str) -> Path:
        key = hashlib.sha256(url.encode()).hexdigest()[:40]
        return self.folder / key[:2] / f"{key}{suffix}"

    def find(self, url: str) -> Download | None:
        """The whole download of an address, or None."""
        place = self._place(url, ".json")
        try:
            known = json.loads(place.read_text("utf-8"))
            download = Download(**{**known, "path": place.parent / known["path"]})
            return download if download.path.stat().st_size == download.size else None
        except (OSError, ValueError, TypeError, KeyError):
            # Not there, or spoilt from outside: both mean fetching it.
            return None

    def partial(self, url: str) -> Partial:
        """Where the download of an address goes while it arrives."""
        path = self._place(url, ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        return Partial(path)

    def keep(self, url: str, partial: Partial, limit: int, earlier: Download | None) -> Download:
        """Make a finished partial download an entry.

        Raises Unusable when it cannot be decompressed or grows beyond `limit` bytes.
        """
        about = partial.about()
        source = partial.path
        if about["encoding"] not in ("", "identity"):
            source = partial.path.with_suffix(".decoded")
            with source.open("wb") as file:
                for piece in _decompress(partial.path, about["encoding"], limit):
                    file.write(piece)
        digest = file_hash(source)
        body = self._place(url, f"-{digest[:16]}")
        size = source.stat().st_size
        source.replace(body)
        unchanged = earlier is not None and earlier.sha256 == digest
        download = Download(
            url=url,
            path=body,
            content_type=about["content_type"],
            etag=about["etag"],
            last_modified=about["last_modified"],
            sha256=digest,
            size=size,
            fetched_at=earlier.fetched_at if earlier and unchanged else now(),
        )
        known = asdict(download) | {"path": body.name}
        write_atomically(self._place(url, ".json"), json.dumps(known, indent=1).encode())
        partial.discard()
        if earlier is not None and not unchanged:
            with contextlib.suppress(FileNotFoundError):
                earlier.path.unlink()
        return download


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _decompress(path: Path, encoding: str, limit: int) -> Iterator[bytes]:
    """The content in pieces of bounded size, however small a file blows up."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Unusable(f"unknown content encoding: {encoding[:40]}")
    # 32: gzip or zlib, whichever the header says.
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    packed = path.stat().st_size
    written = 0
    with path.open("rb") as file:
        while (piece := file.read(_CHUNK)) and not decoder.eof:
            while piece:
                try:
                    content = decoder.decompress(piece, _CHUNK)
                except zlib.error as error:
                    raise Unusable(f"damaged compression: {error}") from error
                piece = decoder.unconsumed_tail
                written += len(content)
                if written > limit or written > max(_HARMLESS_BYTES, MEMBER_RATIO * packed):
                    raise Unusable(f"decompression bomb: {packed:,} bytes hold more than {written:,}")
                yield content
    while content := decoder.decompress(decoder.unconsumed_tail, _CHUNK):
        yield content
    if not decoder.eof:
        raise Unusable("damaged compression: it ends too early")
