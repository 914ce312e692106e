"""Documents survive the way through Parquet."""

from __future__ import annotations

from pathlib import Path

import pytest

from chapbook import corpus
from chapbook.corpus import Document, RawDocument, ShardWriter, content_hash, read_shards, read_texts


def test_raw_documents_round_trip(tmp_path: Path) -> None:
    """Would break: bytes or provenance changed between collecting and cleaning."""
    content = bytes(range(256))
    rows = [
        RawDocument(
            id=f"a/{n}",
            source="s",
            content=content,
            format="txt",
            sha256=content_hash(content),
            dirt=["ocr"],
            true_bits=1.5,
        )
        for n in range(3)
    ]
    with ShardWriter(tmp_path, RawDocument) as writer:
        for row in rows:
            writer.write(row)
    assert writer.rows_written == 3
    assert list(read_shards(tmp_path, RawDocument)) == rows


def test_shards_are_split_by_size_and_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: one shard that does not fit into memory, or documents in another order than written."""
    monkeypatch.setattr(corpus, "SHARD_BYTES", 3_000)
    monkeypatch.setattr(corpus, "ROW_GROUP_BYTES", 1_000)
    rows = [Document(id=str(n), source="s", text=f"{n} é\n" * 60, sha256="") for n in range(50)]
    with ShardWriter(tmp_path / "train", Document) as writer:
        for row in rows:
            writer.write(row)
    assert len(list((tmp_path / "train").glob("*.parquet"))) > 3
    assert list(read_texts(tmp_path, "train")) == [row.text for row in rows]


def test_a_decade_is_found_in_every_form_of_a_date():
    """Without it figures per decade would put periods and ISO dates among the unknown."""
    from chapbook.corpus import decade_of

    dates = ("1742", "1742-03-05", "1740-1750", "c. 1689", "17420305", None, "undated")
    assert [decade_of(date) for date in dates] == ["1740s", "1740s", "1740s", "1680s", *["unknown"] * 3]
