"""What is known of every cleaned document without its text: one row each, in the order of the corpus."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np


class CorpusIndex:
    """The index tables of all pieces, read as one; and the arrays of fingerprints beside them."""

    def __init__(self, folder: Path, pieces: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.folder = folder
        tables = [pq.read_table(folder / "index" / f"{rank:05d}.parquet") for rank in range(pieces)]
        self.table = pa.concat_tables(tables)
        self.starts = np.cumsum([0, *(len(table) for table in tables)])
        """Piece k holds the rows from starts[k] to starts[k + 1]."""

    def __len__(self) -> int:
        return len(self.table)

    def numbers(self, name: str) -> np.ndarray:
        """A column of numbers or flags: shape (documents,)."""
        return _numpy(self.table.column(name).combine_chunks())

    def value(self, name: str, row: int) -> Any:
        """One cell."""
        return self.table.column(name)[row].as_py()

    def codes(self, name: str) -> tuple[np.ndarray, list[str]]:
        """A column of texts as numbers into the list of its distinct values, sorted."""
        encoded = self.table.column(name).combine_chunks().dictionary_encode()
        values = encoded.dictionary.to_pylist()
        order = sorted(range(len(values)), key=values.__getitem__)
        place = np.empty(len(values), np.int64)
        place[order] = np.arange(len(values))
        return place[_numpy(encoded.indices)], [values[number] for number in order]

    @cached_property
    def preferred(self) -> np.ndarray:
        """Rows in the order in which twins are kept: most letters first, of equals the smallest id."""
        import pyarrow.compute as pc

        columns = self.table.select(["letters", "id"])
        return _numpy(pc.sort_indices(columns, [("letters", "descending"), ("id", "ascending")])).astype(np.int64)

    def fingerprints(self, name: str) -> np.ndarray:
        """The arrays of all pieces as one, on disk: the files are joined once and mapped into memory."""
        path = self.folder / "search" / f"{name}.npy"
        parts = [np.load(file, mmap_mode="r") for file in sorted((self.folder / "fingerprints" / name).glob("*.npy"))]
        shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
        path.parent.mkdir(exist_ok=True)
        if not shape[0]:
            return np.zeros(shape, parts[0].dtype)
        joined = np.lib.format.open_memmap(path, "w+", parts[0].dtype, shape)
        start = 0
        for part in parts:
            joined[start : start + len(part)] = part
            start += len(part)
        return joined


def _numpy(array: Any) -> np.ndarray:
    """An Arrow array without gaps, as numpy. Arrow's own `to_numpy` imports pandas, which takes 0.2 s."""
    import pyarrow as pa

    if pa.types.is_boolean(array.type):
        return np.from_dlpack(array.cast(pa.uint8())).astype(bool)
    return np.from_dlpack(array)
