"""The text a tokenizer is trained on: all of the training split, or a seeded sample of its documents.

The sample takes each source in its proportion, so that a small source is not left out by chance: the documents of
a source are put in an order that seed and document id decide, and taken from the front up to the source's share of
the bytes; the last one only in part. A larger sample contains the smaller one's documents.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizer_kinds import cut_pieces

# The order of a source's documents is kept as a histogram of their sizes over this many places (512 KiB a source),
# not as a list, so that memory does not grow with the corpus.
PLACES = 65_536


def place_of(seed: int, identity: str) -> int:
    """Where a document stands in the seeded order, 0 to PLACES - 1."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{identity}".encode()).digest()[:2], "big")


@dataclass
class Quota:
    """How much of one source is taken: all documents before `place`, and `rest` bytes of those at it."""

    place: int
    rest: int


class TrainingText:
    """The documents of a directory of shards as pieces of about 10,000 characters, in bounded memory.

    directory: the shards of one split. Nothing else is read. seed: which documents a sample takes.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory, self.seed = directory, seed
        self._survey: dict[str, Any] = {}

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        import pyarrow.parquet as pq

        for path in sorted(self.directory.glob("*.parquet")):
            with pq.ParquetFile(path) as shard:
                for batch in shard.iter_batches(batch_size=64, columns=["id", "source", "text"]):
                    for row in batch.to_pylist():
                        yield row["id"], row["source"], row["text"]

    def _sizes(self) -> dict[str, Any]:
        """For each source the bytes at each place of the seeded order; read once."""
        import numpy as np

        if not self._survey:
            sizes: dict[str, Any] = defaultdict(lambda: np.zeros(PLACES, dtype=np.int64))
            for identity, source, text in self._rows():
                sizes[source][place_of(self.seed, identity)] += len(text.encode("utf-8"))
            self._survey = dict(sizes)
        return self._survey

    def quotas(self, max_bytes: int) -> dict[str, Quota]:
        """What of each source a sample of at most `max_bytes` takes."""
        import numpy as np

        sizes = self._sizes()
        total = sum(int(of_source.sum()) for of_source in sizes.values())
        quotas = {}
        for source, of_source in sizes.items():
            reached = np.cumsum(of_source)
            share = min(max_bytes, total) * int(reached[-1]) // max(1, total)
            place = int(np.searchsorted(reached, share, side="right"))
            quotas[source] = Quota(place, share - (int(reached[place - 1]) if place else 0))
        return quotas

    def pieces(self, max_bytes: int | None = None) -> Iterator[tuple[str, str, int]]:
        """Source, text and size in bytes of each piece; with `max_bytes`, of a sample of at most that many bytes."""
        quotas = self.quotas(max_bytes) if max_bytes is not None else {}
        for identity, source, text in self._rows():
            place = place_of(self.seed, identity) if quotas else -1
            if quotas and place > quotas[source].place:
                continue
            partly = bool(quotas) and place == quotas[source].place
            for piece in cut_pieces(text):
                size = len(piece.encode("utf-8"))
                if partly:
                    if size > quotas[source].rest:
                        break
                    quotas[source].rest -= size
                yield source, piece, size
