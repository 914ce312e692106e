"""Packed tokens: nothing lost, nothing added, readable by stock datasets."""

from __future__ import annotations

import itertools
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch

from chapbook import tokens
from chapbook.tokens import TokenBlocks, collate, pack, token_dtype, write_blocks


@pytest.mark.parametrize("length", [8, 13])
def test_packing_loses_no_token(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Would break: tokens dropped at batch borders, as group_texts with map does."""
    monkeypatch.setattr(tokens, "ROWS_PER_BATCH", 3)
    documents = [[number] * (number % 7) for number in range(1, 60)]
    stream = [0, *itertools.chain.from_iterable([*ids, 0] for ids in documents)]
    packed = list(pack(documents, 0, length, np.dtype(np.uint16)))
    assert np.concatenate([batch.reshape(-1) for batch in packed]).tolist() == stream
    assert all(batch.shape[1] == length for batch in packed[:-1])


@pytest.mark.parametrize("vocabulary", [300, 70_000])
def test_blocks_read_back_and_load_in_datasets(tmp_path: Path, vocabulary: int) -> None:
    """Would break: wrong ids above 65,535, or a store that only Chapbook can open."""
    dtype = token_dtype(vocabulary)
    assert dtype.itemsize == (2 if vocabulary < 65_536 else 4)
    rows = np.random.default_rng(1).integers(0, vocabulary, (50_000, 16)).astype(dtype)
    # Two batches: the reader must find its row in the right chunk.
    blocks, dropped = write_blocks(tmp_path / "train", [rows[:30_000], rows[30_000:], rows[:1, :5]], 16, dtype)
    assert (blocks, dropped) == (50_000, 5)
    view = TokenBlocks(tmp_path / "train")
    assert len(view) == 50_000
    stock = datasets.load_from_disk(str(tmp_path / "train"))
    for index in (0, 19_999, 20_000, 30_000, 49_999):
        assert view.row(index).tolist() == rows[index].tolist() == stock[index]["input_ids"]
    with pytest.raises(IndexError):
        view.row(50_000)
    size = sum(path.stat().st_size for path in (tmp_path / "train").iterdir())
    assert size / rows.size < dtype.itemsize * 1.025


def test_empty_split_has_no_rows(tmp_path: Path) -> None:
    """Would break: a corpus without validation text ends in a crash."""
    assert write_blocks(tmp_path / "eval", [], 16, np.dtype(np.uint16)) == (0, 0)
    assert len(TokenBlocks(tmp_path / "eval")) == 0


def test_batches_are_what_the_model_takes(tmp_path: Path) -> None:
    """Would break: labels that do not follow the ids, or ids too narrow for an embedding."""
    write_blocks(tmp_path / "train", [np.arange(32, dtype=np.uint16).reshape(2, 16)], 16, np.dtype(np.uint16))
    view = TokenBlocks(tmp_path / "train")
    batch = collate([view[1], view[0]])
    assert batch["input_ids"].dtype == torch.int64
    assert batch["input_ids"].tolist() == [list(range(16, 32)), list(range(16))]
    assert batch["labels"].equal(batch["input_ids"])
