"""Packed tokens: nothing lost, nothing added, readable by stock datasets, the same after any kill."""

from __future__ import annotations

import itertools
import pickle
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from support import files_hash
from torch.utils.data import DataLoader, Subset

from chapbook.errors import ArtifactError
from chapbook.tokens import (
    BlockWriter,
    NpyBlocks,
    TokenBlocks,
    checksum,
    collate,
    document_ids,
    position_ids,
    token_dtype,
)

END = 0


def write(
    directory: Path, documents: list[list[int]], length: int, shard: int, batch: int = 3, vocabulary: int = 400
) -> BlockWriter:
    """Write documents, `batch` at a time, going on after what is there."""
    dtype = token_dtype(vocabulary)
    writer = BlockWriter(directory, max_length=length, shard_tokens=shard, dtype=dtype, end_of_text=END)
    rest = documents[writer.start.documents :]
    for start in range(0, len(rest), batch):
        some = rest[start : start + batch]
        flat = np.fromiter(itertools.chain.from_iterable(some), np.uint32)
        writer.add(flat, np.array([len(ids) for ids in some], np.int64))
    writer.close()
    return writer


def stream(documents: Iterable[list[int]]) -> list[int]:
    return [END, *itertools.chain.from_iterable([*ids, END] for ids in documents)]


def some_documents(seed: int, count: int, longest: int) -> list[list[int]]:
    random.seed(seed)
    return [[random.randrange(1, 400) for _ in range(random.randrange(longest))] for _ in range(count)]


@pytest.mark.parametrize(("length", "shard", "batch"), [(8, 8, 1), (8, 100, 3), (13, 64, 7), (16, 10_000, 50)])
def test_packing_loses_no_token(tmp_path: Path, length: int, shard: int, batch: int) -> None:
    """Would break: tokens dropped at borders of batches or shards, as group_texts with map does."""
    documents = some_documents(1, 60, 40)
    writer = write(tmp_path / "train", documents, length, shard, batch)
    expected = stream(documents)
    blocks = TokenBlocks(tmp_path / "train")
    packed = np.concatenate([part.reshape(-1) for part in blocks.parts()])
    assert packed.tolist() == expected[: len(expected) // length * length]
    assert writer.dropped == len(expected) % length and writer.stream_tokens == len(expected)
    assert writer.documents == 60 and writer.blocks == len(blocks)


def test_going_on_after_any_shard_gives_the_same_bytes(tmp_path: Path) -> None:
    """Would break: a build that was killed loses, repeats or shifts tokens where it goes on.

    Documents of many shards, shards of many documents, empty documents, a document that ends with a shard.
    """
    for seed, longest in ((2, 90), (3, 12), (4, 1)):
        documents = [*some_documents(seed, 15, longest), [5] * 30, []]
        whole = tmp_path / f"whole{seed}"
        write(whole, documents, 8, 24)
        shards = sorted(whole.glob("*.arrow"))
        for kept in range(len(shards) + 1):
            again = tmp_path / f"again{seed}"
            again.mkdir()
            for path in shards[:kept]:
                shutil.copy(path, again)
            # What was being written when it was killed.
            (again / f".data-{kept:05d}.arrow.tmp").write_bytes(b"half a shard")
            writer = write(again, documents, 8, 24, batch=5)
            (again / f".data-{kept:05d}.arrow.tmp").unlink(missing_ok=True)
            assert files_hash(again) == files_hash(whole), (seed, kept)
            assert writer.documents == len(documents) and writer.stream_tokens == len(stream(documents))
            shutil.rmtree(again)


@pytest.mark.parametrize("vocabulary", [65_536, 65_537])
def test_blocks_read_back_and_load_in_datasets(tmp_path: Path, vocabulary: int) -> None:
    """Would break: wrong ids above 65,535, or a store that only Chapbook can open."""
    dtype = token_dtype(vocabulary)
    assert dtype.itemsize == (2 if vocabulary == 65_536 else 4)
    ids = np.random.default_rng(1).integers(1, vocabulary, 799_998).tolist()
    write(tmp_path / "train", [ids], 16, 300_000, vocabulary=vocabulary)
    rows = np.array(stream([ids]), dtype).reshape(-1, 16)
    view = TokenBlocks(tmp_path / "train")
    assert len(view) == 50_000 and view.dtype == dtype
    stock = datasets.load_from_disk(str(tmp_path / "train"))
    assert len(stock) == 50_000
    # Across the borders of shards, which are 18,750 blocks long.
    for index in (0, 18_749, 18_750, 37_499, 37_500, 49_999):
        assert view.row(index).tolist() == rows[index].tolist() == stock[index]["input_ids"]
    assert not view.row(18_750).flags.owndata, "the row is a copy"
    with pytest.raises(IndexError):
        view.row(50_000)
    size = sum(path.stat().st_size for path in (tmp_path / "train").iterdir())
    assert size / rows.size < dtype.itemsize * 1.025


def test_text_shorter_than_a_block_has_no_rows(tmp_path: Path) -> None:
    """Would break: a corpus without validation text ends in a crash, also when it goes on after a kill."""
    for _ in range(2):
        writer = write(tmp_path / "eval", [[1, 2]], 16, 1_000)
        assert (writer.blocks, writer.dropped) == (0, 4)
    assert len(TokenBlocks(tmp_path / "eval")) == 0
    assert len(datasets.load_from_disk(str(tmp_path / "eval"))) == 0


def test_batches_are_what_the_model_takes(tmp_path: Path) -> None:
    """Would break: labels that do not follow the ids, ids too narrow for an embedding, or a fast way that differs."""
    write(tmp_path / "train", [list(range(1, 160))], 16, 64)
    view = TokenBlocks(tmp_path / "train")
    batch = collate([view[1], view[0]])
    assert batch["input_ids"].dtype == torch.int64
    assert batch["input_ids"].tolist() == [list(range(16, 32)), list(range(16))]
    # Nothing predicts the first token of a block, so it is not counted.
    assert (batch["labels"][:, 0] == -100).all() and batch["labels"][:, 1:].equal(batch["input_ids"][:, 1:])
    # A worker that is not a fork gets the place of the files, not their content.
    sent = pickle.dumps(view)
    assert len(sent) < 1_000 and pickle.loads(sent).row(9).tolist() == list(range(144, 160))
    # Several shards in one batch, through a DataLoader, through a Subset as in a limited evaluation.
    whole = next(iter(DataLoader(view, batch_size=10, collate_fn=collate)))
    assert whole["input_ids"].reshape(-1).tolist() == [*range(160)]
    chosen = Subset(view, [9, 0, 4])
    assert next(iter(DataLoader(chosen, batch_size=3, collate_fn=collate)))["input_ids"][:, 0].tolist() == [144, 0, 64]


def test_documents_are_found_again_in_the_blocks() -> None:
    """Would break: a mask or positions that let one document see another."""
    documents = some_documents(5, 50, 30)
    numbers, places = [], []
    for number, ids in enumerate([*documents, []]):
        # Each document with the end-of-text token before it; the last token of the stream begins nothing.
        numbers += [number] * (len(ids) + 1)
        places += range(len(ids) + 1)
    blocks = np.array(stream(documents)[: 16 * 40], np.uint16).reshape(-1, 16)
    found, positions = document_ids(blocks, END), position_ids(blocks, END)
    for row, (start, block) in enumerate(zip(range(0, 640, 16), blocks, strict=True)):
        expected = np.array(numbers[start : start + 16])
        assert found[row].tolist() == (expected - expected[0]).tolist(), block
        # What began in an earlier block starts at 0 here: its beginning cannot be seen.
        cut = np.array(places[start : start + 16])
        cut[expected == expected[0]] -= cut[0]
        assert positions[row].tolist() == cut.tolist(), block


def test_npy_files_are_viewed_and_wrong_ones_refused(tmp_path: Path) -> None:
    """Would break: a token file copied into memory, or any array taken for tokens."""
    path = tmp_path / "tokens.npy"
    np.save(path, np.arange(100, dtype=np.int64))
    blocks = NpyBlocks(path, 16)
    assert len(blocks) == 6 and blocks.row(5).tolist() == list(range(80, 96))
    assert np.shares_memory(blocks.row(5), blocks.ids) and isinstance(blocks.ids.base, np.memmap)
    np.save(path, np.zeros((4, 4)))
    with pytest.raises(ArtifactError, match="holds 2 dimensions of float64"):
        NpyBlocks(path, 16)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ArtifactError, match="is no NumPy array that can be read"):
        NpyBlocks(path, 16)
    path.write_bytes(b"text")
    with pytest.raises(ArtifactError, match="is no NumPy array that can be read"):
        NpyBlocks(path, 16)


def test_checksum_sees_one_bit(tmp_path: Path) -> None:
    """Would break: a flipped bit in a store of the right size."""
    path = tmp_path / "file"
    content = bytearray(random.Random(1).randbytes(9_000_000))
    path.write_bytes(content)
    before = checksum(path)
    content[8_999_999] ^= 1
    path.write_bytes(content)
    assert checksum(path) != before
