"""Which text is measured: evenly from all, never a part that is easier than the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from measured_text import QUICK_BYTES, QUICK_PASSAGE, choose, passage, shorten

from chapbook.corpus import Document, ShardWriter


def document(name: str, text: str) -> Document:
    return Document(id=name, source="s", sha256="", text=text, true_bits=1.0)


@pytest.mark.parametrize(("at_most", "expected"), [(0, range(10)), (20, range(10)), (5, range(0, 10, 2)), (1, [0])])
def test_documents_are_taken_evenly(tmp_path: Path, at_most: int, expected: range) -> None:
    """Would break: only the first source measured, since a split is stored source by source."""
    with ShardWriter(tmp_path / "validation", Document) as writer:
        for number in range(10):
            writer.write(document(str(number), "text"))
    found = choose(tmp_path, "validation", 10, at_most)
    assert [one.id for one in found] == [str(number) for number in expected]


def test_long_documents_are_read_in_their_middle() -> None:
    """Would break: title pages measured instead of the book, words cut in two, a true cost kept for a part."""
    words = [f"word{number:05d}" for number in range(10_000)]
    book = document("book", "\n".join(words))
    middle = passage(book, QUICK_PASSAGE)
    assert QUICK_PASSAGE - 40 < len(middle.text) <= QUICK_PASSAGE
    found = middle.text.split("\n")
    first = words.index(found[0])
    assert found == words[first : first + len(found)]
    assert abs(first + len(found) / 2 - 5_000) < 5
    assert middle.true_bits is None and middle.id == "book"
    short = document("short", "a few words")
    assert passage(short, QUICK_PASSAGE) is short


def test_quick_text_is_bounded_by_bytes() -> None:
    """Would break: a quick mode that takes an hour for a model of 100 million parameters."""
    books = [document(str(number), "word " * 100_000) for number in range(300)]
    chosen, cut = shorten(books)
    size = sum(one.byte_count() for one in chosen)
    assert QUICK_BYTES - QUICK_PASSAGE <= size <= QUICK_BYTES
    assert cut == {"documents_cut": len(chosen), "cut_to_characters": QUICK_PASSAGE}
    places = [int(one.id) for one in chosen]
    assert places == sorted(places) and places[-1] > 280
    few = [document(str(number), "word " * 20) for number in range(5)]
    assert shorten(few)[0] == few and shorten(few)[1]["documents_cut"] == 0
    (novel,), cut = shorten(books[:1])
    assert cut["cut_to_characters"] == QUICK_BYTES >= novel.byte_count() > 0.99 * QUICK_BYTES, "few: more of each"
    assert len(shorten([document("one", "é" * 900_000)])[0]) == 1, "text without white space is not lost"
