"""Packed tokens: fixed blocks of token ids in a Hugging Face Arrow dataset, and how to read them fast.

All documents of a split form one stream, `<eot> doc <eot> doc … <eot>`, cut into blocks of `max_length`
tokens. Blocks are stored as a fixed-size list of uint16 (uint32 above 65,536 tokens), two bytes a token,
and read through a zero-copy view of the memory-mapped file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

METADATA = "metadata.json"
COLUMN = "input_ids"

# Rows per record batch: with the default of 1,000 a file of 4 GB takes seconds to open.
ROWS_PER_BATCH = 20_000


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The smallest unsigned type that holds every id of the vocabulary."""
    return np.dtype(np.uint16 if vocab_size <= 65_536 else np.uint32)


def pack(
    documents: Iterable[list[int]], end_of_text: int, max_length: int, dtype: np.dtype[Any]
) -> Iterator[np.ndarray]:
    """Pack documents into arrays of shape (blocks, max_length); yields up to ROWS_PER_BATCH blocks at a time.

    The stream starts with the end-of-text token and has one after every document, so each document is
    preceded by it. What is left at the end is shorter than a block and is yielded last, with shape (1, rest).
    """
    pending: list[np.ndarray] = [np.array([end_of_text], dtype)]
    length = 1
    for ids in documents:
        pending.append(np.array([*ids, end_of_text], dtype))
        length += len(ids) + 1
        if length >= ROWS_PER_BATCH * max_length:
            stream = np.concatenate(pending)
            whole = len(stream) // max_length * max_length
            yield stream[:whole].reshape(-1, max_length)
            pending, length = [stream[whole:]], len(stream) - whole
    stream = np.concatenate(pending)
    whole = len(stream) // max_length * max_length
    if whole:
        yield stream[:whole].reshape(-1, max_length)
    if whole < len(stream):
        yield stream[None, whole:]


def write_blocks(
    directory: Path, batches: Iterable[np.ndarray], max_length: int, dtype: np.dtype[Any]
) -> tuple[int, int]:
    """Write blocks as a dataset that `datasets.load_from_disk` opens.

    batches: arrays of shape (n, max_length); a shorter last one is dropped and counted. Returns the number
    of blocks and of dropped tokens.
    """
    import datasets
    import pyarrow as pa
    from datasets.arrow_writer import ArrowWriter

    directory.mkdir(parents=True)
    features = datasets.Features({COLUMN: datasets.List(datasets.Value(str(dtype)), length=max_length)})
    name = "data-00000-of-00001.arrow"
    blocks = dropped = 0
    writer = ArrowWriter(path=str(directory / name), features=features, writer_batch_size=ROWS_PER_BATCH)
    for batch in batches:
        if batch.shape[1] < max_length:
            dropped += batch.shape[1]
            continue
        values = pa.array(batch.reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(values, max_length)
        writer.write_table(pa.Table.from_arrays([column], schema=features.arrow_schema))
        blocks += len(batch)
    if not blocks:
        # A dataset of no rows still has its schema.
        empty = pa.FixedSizeListArray.from_arrays(pa.array([], pa.from_numpy_dtype(dtype)), max_length)
        writer.write_table(pa.Table.from_arrays([empty], schema=features.arrow_schema))
    writer.finalize()
    datasets.DatasetInfo(features=features).write_to_directory(str(directory))
    state: dict[str, Any] = {
        "_data_files": [{"filename": name}],
        # datasets uses this to name its own caches; it must not depend on time or place.
        "_fingerprint": "chapbook",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    (directory / "state.json").write_text(json.dumps(state, indent=2) + "\n", "utf-8")
    return blocks, dropped


class TokenBlocks:
    """A dataset of token blocks for a DataLoader: `blocks[i]` is {"input_ids": int64 tensor of shape (max_length,)}.

    Rows are zero-copy views of the memory-mapped Arrow file; only the batch itself is copied and widened.
    Labels are the ids themselves: transformers shifts them.
    """

    def __init__(self, directory: Path) -> None:
        import datasets

        table = datasets.load_from_disk(str(directory)).data
        column = table.column(COLUMN)
        self.max_length: int = column.type.list_size
        self._chunks = [
            chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, self.max_length)
            for chunk in column.chunks
            if len(chunk)
        ]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in self._chunks)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def row(self, index: int) -> np.ndarray:
        """Block `index` as stored: shape (max_length,), unsigned."""
        if not 0 <= index < len(self):
            raise IndexError(f"block {index} of {len(self)}")
        chunk = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._chunks[chunk][index - self._starts[chunk]]

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        import torch

        return {COLUMN: torch.from_numpy(self.row(index).astype(np.int64))}


def collate(rows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Rows of TokenBlocks as a batch: `input_ids` and `labels`, int64 of shape (batch, max_length)."""
    import torch

    ids = torch.stack([row[COLUMN] for row in rows])
    return {COLUMN: ids, "labels": ids}
