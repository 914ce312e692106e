"""Packed tokens: fixed blocks of token ids in Hugging Face Arrow datasets, how to write and how to read them.

All documents of a split form one stream, `<eot> doc <eot> doc … <eot>`, cut into blocks of `max_length`
tokens. Blocks are stored as a fixed-size list of uint16 (uint32 above 65,536 tokens), two bytes a token, in
shards of bounded size, and read through zero-copy views of the memory-mapped files.

The end-of-text token stands between documents and nowhere else (its literal text in a document is text), so the
blocks themselves say where documents end: `document_ids` and `position_ids` read it from them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chapbook import artifact
from chapbook.errors import ArtifactError
from chapbook.tokenizer import END_OF_TEXT

if TYPE_CHECKING:
    import torch

    from chapbook.config import RunConfig
    from chapbook.workspace import Workspace

KIND = "pretokenized"
# 2: shards, and a metadata.json that is checked field by field.
FORMAT_VERSION = 2
METADATA = "metadata.json"
COLUMN = "input_ids"
# How blocks are made of documents; the only way there is.
PACKING = "stream"
# The entry in a shard's Arrow schema that says where in the stream of documents it ends.
POSITION = b"chapbook"


def token_recipe(config: RunConfig, workspace: Workspace) -> artifact.Recipe:
    """What a run's pretokenized data is made from. Raises ArtifactError without corpus or tokenizer.

    The tokenizer counts with its content too: one that was edited by hand has the same fingerprint and other tokens.
    """
    where = f"Make it with: python -m chapbook run --config FILE --until tokenizer (corpus {config.corpus.name})."
    corpus = artifact.require(workspace.corpus(config.corpus.name), "corpus", where)
    tokenizer = artifact.require(workspace.tokenizer(config.tokenizer.name), "tokenizer", where)
    content = artifact.file_hash(workspace.tokenizer(config.tokenizer.name) / "tokenizer.json")
    return artifact.Recipe(
        kind=KIND,
        format_version=FORMAT_VERSION,
        config={
            **config.pretokenize.model_dump(include={"max_length", "shard_tokens"}),
            "packing": PACKING,
            "separator": END_OF_TEXT,
            "tokenizer_sha256": content,
        },
        inputs={"corpus": corpus.fingerprint, "tokenizer": tokenizer.fingerprint},
    )


def places(config: RunConfig, workspace: Workspace, recipe: artifact.Recipe) -> tuple[Path, Path]:
    """Where tokens of `recipe` may lie: under the configured name, or beside other tokens that have it already."""
    named = workspace.pretokenized(config.pretokenize.name)
    return named, named.with_name(f"{named.name}.{recipe.fingerprint[:8]}")


def find_tokens(config: RunConfig, workspace: Workspace) -> Path | None:
    """The directory with a run's pretokenized data, or None when there is none (or no corpus or tokenizer)."""
    try:
        recipe = token_recipe(config, workspace)
    except ArtifactError:
        return None
    for directory in places(config, workspace, recipe):
        manifest = artifact.read_manifest(directory)
        if manifest is not None and manifest.fingerprint == recipe.fingerprint:
            return directory
    return None


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The smallest unsigned type that holds every id of the vocabulary."""
    return np.dtype(np.uint16 if vocab_size <= 65_536 else np.uint32)


def checksum(path: Path) -> str:
    """The XXH3-128 of a file, in hexadecimal: several GB/s, so that whole stores can be checked at every start."""
    import xxhash

    digest = xxhash.xxh3_128()
    # One buffer that stays in the cache of a core: new ones would cost more than the hashing.
    buffer = memoryview(bytearray(1 << 18))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
    return digest.hexdigest()


def checksums(directory: Path, names: Sequence[str]) -> list[str]:
    """The checksums of files below `directory`, computed side by side."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        return list(threads.map(lambda name: checksum(directory / name), names))


@dataclass(frozen=True)
class Position:
    """A place in a split's stream of documents: after `documents` whole ones and `tokens` of the next.

    The end-of-text token after a document is its last.
    """

    documents: int = 0
    tokens: int = 0


class BlockWriter:
    """Packs documents into blocks of `max_length` tokens and writes them in shards, as a dataset on disk.

    A shard appears under its name only when it is whole, and holds its place in the stream of documents. So after a
    kill another writer on the same directory goes on behind the last shard: give it the documents from
    `start.documents` on. The bytes of the files depend on the documents alone. Memory: one shard.

    `datasets.load_from_disk(directory)` opens the result.
    """

    def __init__(
        self, directory: Path, *, max_length: int, shard_tokens: int, dtype: np.dtype[Any], end_of_text: int
    ) -> None:
        import datasets

        self.directory, self.max_length, self.dtype, self.end_of_text = directory, max_length, dtype, end_of_text
        self.features = datasets.Features({COLUMN: datasets.List(datasets.Value(str(dtype)), length=max_length)})
        directory.mkdir(parents=True, exist_ok=True)
        self.shards = sorted(path.name for path in directory.glob("data-*.arrow"))
        self.start, self.blocks = Position(), 0
        if self.shards:
            written = json.loads(_open_arrow(directory / self.shards[-1]).schema.metadata[POSITION])
            self.start = Position(written["documents"], written["tokens"])
            self.blocks = written["blocks"]
            if not self.blocks:
                # The shard of a text shorter than a block: there is no place in it to go on from.
                self.start, self.shards = Position(), []
        self.documents = self.start.documents
        self.dropped = 0
        self._buffer = np.empty(max(1, shard_tokens // max_length) * max_length, dtype)
        self._filled = 0
        self._to_skip = self.start.tokens
        # Places in the stream, counted from this writer's first token: where the first document that is not wholly
        # in a shard begins, and where it and those after it end.
        self._open = -self.start.tokens
        self._ends = np.empty(0, np.int64)
        self._total = 0
        if not self.shards:
            self._buffer[0] = end_of_text
            self._filled = self._total = self._open = 1

    def add(self, ids: np.ndarray, lengths: np.ndarray) -> None:
        """Append whole documents: their ids after one another, and the number of ids of each."""
        ends = np.cumsum(lengths + 1)
        stream = np.full(len(ids) + len(lengths), self.end_of_text, self.dtype)
        of_text = np.ones(len(stream), bool)
        of_text[ends - 1] = False
        stream[of_text] = ids
        # Of the first document after a restart, this much is in the last shard.
        stream = stream[self._to_skip :]
        self._ends = np.concatenate([self._ends, ends + self._total - self._to_skip])
        self._to_skip = 0
        self._total += len(stream)
        self.documents += len(lengths)
        while len(stream):
            taken = min(len(stream), len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + taken] = stream[:taken]
            self._filled += taken
            stream = stream[taken:]
            if self._filled == len(self._buffer):
                self._write_shard(self._total - len(stream))

    def close(self) -> None:
        """Write the last, smaller shard and what makes the directory a dataset; the rest of a block is dropped."""
        import datasets

        self.dropped = self._filled % self.max_length
        if self._filled >= self.max_length or not self.shards:
            self._filled -= self.dropped
            self._write_shard(self._total - self.dropped)
        datasets.DatasetInfo(features=self.features).write_to_directory(str(self.directory))
        state: dict[str, Any] = {
            "_data_files": [{"filename": name} for name in self.shards],
            # datasets uses this to name its own caches; it must not depend on time or place.
            "_fingerprint": "chapbook",
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        }
        artifact.write_atomically(self.directory / "state.json", f"{json.dumps(state, indent=2)}\n".encode())

    @property
    def stream_tokens(self) -> int:
        """All tokens of the split so far: text and separators, in blocks or dropped. Right after `close`."""
        return self.blocks * self.max_length + self.dropped

    def _write_shard(self, place: int) -> None:
        """Write what is buffered; its end is at `place` in the stream."""
        import pyarrow as pa

        whole = int(np.searchsorted(self._ends, place, side="right"))
        if whole:
            self._open = int(self._ends[whole - 1])
            self._ends = self._ends[whole:]
        self.blocks += self._filled // self.max_length
        reached = self.documents - len(self._ends)
        position = {"documents": reached, "tokens": place - self._open, "blocks": self.blocks}
        schema = self.features.arrow_schema
        schema = schema.with_metadata({**schema.metadata, POSITION: json.dumps(position).encode()})
        name = f"data-{len(self.shards):05d}.arrow"
        temporary = self.directory / f".{name}.tmp"
        with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            values = pa.array(self._buffer[: self._filled])
            # One record batch a shard: a store of 10 GB opens in a fraction of a second, not in many.
            column = pa.FixedSizeListArray.from_arrays(values, self.max_length)
            writer.write_batch(pa.record_batch([column], schema=schema))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.rename(self.directory / name)
        self.shards.append(name)
        self._filled = 0


def _open_arrow(path: Path) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(pa.memory_map(str(path)))


class Blocks:
    """Blocks of token ids for a DataLoader, read from memory-mapped files without a copy.

    `blocks[i]` is {"input_ids": int64 tensor of shape (max_length,)}; a DataLoader asks for a whole batch at once.
    Labels are the ids themselves: transformers shifts them.
    """

    def __init__(self, parts: Sequence[np.ndarray], max_length: int, dtype: np.dtype[Any]) -> None:
        """parts: arrays of shape (blocks, max_length), after one another."""
        self.max_length, self.dtype = max_length, dtype
        self._parts = [part for part in parts if len(part)]
        self._starts = np.cumsum([0, *(len(part) for part in self._parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def row(self, index: int) -> np.ndarray:
        """Block `index` as stored: shape (max_length,)."""
        if not 0 <= index < len(self):
            raise IndexError(f"block {index} of {len(self)}")
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._parts[part][index - self._starts[part]]

    def parts(self) -> Sequence[np.ndarray]:
        """The blocks as stored: arrays of shape (blocks, max_length)."""
        return self._parts

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        import torch

        return {COLUMN: torch.from_numpy(self.row(index).astype(np.int64))}

    def __getitems__(self, indices: list[int]) -> torch.Tensor:
        """Several blocks as one int64 tensor of shape (len(indices), max_length), copied and widened once."""
        import torch

        ids = np.empty((len(indices), self.max_length), np.int64)
        wanted = np.asarray(indices)
        numbers = np.searchsorted(self._starts, wanted, side="right") - 1
        places = wanted - self._starts[numbers]
        for row, (number, place) in enumerate(zip(numbers.tolist(), places.tolist(), strict=True)):
            ids[row] = self._parts[number][place]
        return torch.from_numpy(ids)


class TokenBlocks(Blocks):
    """The blocks of one split of an artifact, or of any dataset with the same column that was saved to disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        state = json.loads((directory / "state.json").read_text("utf-8"))
        parts = []
        for entry in state["_data_files"]:
            reader = _open_arrow(directory / entry["filename"])
            column_type = reader.schema.field(COLUMN).type
            max_length: int = column_type.list_size
            for batch in reader:
                values = batch.column(COLUMN).flatten()
                parts.append(values.to_numpy(zero_copy_only=True).reshape(-1, max_length))
        super().__init__(parts, max_length, np.dtype(column_type.value_type.to_pandas_dtype()))

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process that is not a fork opens the files itself: pickled, they would go through a pipe.
        return TokenBlocks, (self.directory,)


class NpyBlocks(Blocks):
    """Blocks of a `.npy` file with one row of token ids, memory-mapped; a rest shorter than a block is left out.

    Raises ArtifactError when the file is no such array.
    """

    def __init__(self, path: Path, max_length: int) -> None:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path} is no NumPy array that can be read ({error}).") from error
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "ui":
            found = f"{array.ndim} dimensions of {array.dtype}" if isinstance(array, np.ndarray) else "several arrays"
            raise ArtifactError(f"{path} holds {found}; token ids are one row of whole numbers (uint16 for example).")
        self.path = path
        # A plain view of the mapped file: rows of np.memmap itself take twice the time.
        self.ids = array.view(np.ndarray)
        blocks = len(array) // max_length
        super().__init__([self.ids[: blocks * max_length].reshape(blocks, max_length)], max_length, array.dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return NpyBlocks, (self.path, self.max_length)


def collate(rows: list[dict[str, torch.Tensor]] | torch.Tensor) -> dict[str, torch.Tensor]:
    """Blocks as a batch: `input_ids` and `labels`, int64 of shape (batch, max_length)."""
    import torch

    ids = rows if isinstance(rows, torch.Tensor) else torch.stack([row[COLUMN] for row in rows])
    labels = ids.clone()
    # Nothing predicts the first token of a block. transformers never scores it, but counts it when it divides the
    # summed loss by the number of tokens, unless it is marked: the loss would be too low by one part in the length.
    labels[:, 0] = -100
    return {COLUMN: ids, "labels": labels}


def document_ids(blocks: np.ndarray, end_of_text: int) -> np.ndarray:
    """The number of the document each token belongs to, from 0 in every block.

    blocks: ids of shape (…, max_length); the result has the same shape (int64). An end-of-text token begins the
    document after it, as in training, generation and evaluation. Two tokens may see each other when their numbers are
    equal.
    """
    return np.cumsum(blocks == end_of_text, axis=-1) - (blocks[..., :1] == end_of_text)


def position_ids(blocks: np.ndarray, end_of_text: int) -> np.ndarray:
    """The place of each token in its document, from 0 at its end-of-text token (or at the start of the block).

    Shapes as in `document_ids`. transformers reads such positions of packed documents as `position_ids`.
    """
    places = np.broadcast_to(np.arange(blocks.shape[-1]), blocks.shape)
    starts = np.where(blocks == end_of_text, places, 0)
    return places - np.maximum.accumulate(starts, axis=-1)
