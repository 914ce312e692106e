"""The `files` source: which files become documents, under which ids, and what happens to those that cannot."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sources import Failed, files

from chapbook.corpus import RawDocument, content_hash
from chapbook.errors import UsageError


@dataclass
class Source:
    """A `files` source as the configuration gives it."""

    paths: list[str]
    name: str = "novels"
    title: str | None = None
    author: str | None = None
    date: str | None = None
    language: str | None = None
    licence: str | None = None
    extras: dict[str, str] = field(default_factory=dict)


def collect(*paths: Path | str, **constants: str) -> tuple[list[RawDocument], dict[str, str]]:
    """The documents, and the reason per failed item."""
    found = list(files.documents(Source([str(path) for path in paths], **constants)))  # type: ignore[arg-type]
    documents = [item for item in found if isinstance(item, RawDocument)]
    return documents, {item.item: item.reason for item in found if isinstance(item, Failed)}


def write(path: Path, content: bytes | str = "Some text.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_folder_gives_documents_in_the_order_of_their_ids(tmp_path: Path) -> None:
    """Without it the order would follow the disk, and two machines would make two corpora of the same files."""
    for name in ("b.txt", "a/z.md", "a/Y.HTM", "c.epub", "d.utf-8", "e.tei"):
        write(tmp_path / "in" / name)
    documents, failed = collect(tmp_path / "in")
    assert [(d.id, d.format) for d in documents] == [
        ("novels/a/Y.HTM", "html"),
        ("novels/a/z.md", "txt"),
        ("novels/b.txt", "txt"),
        ("novels/c.epub", "epub"),
        ("novels/d.utf-8", "txt"),
        ("novels/e.tei", "xml"),
    ]
    assert not failed


def test_provenance_comes_from_source_and_file(tmp_path: Path) -> None:
    """Without it nobody could trace a sentence of the model back to a file, or state its licence."""
    path = write(tmp_path / "Dickens_Bleak_1853.txt", "Fog everywhere.")
    (document,), _ = collect(path, author="Charles Dickens", licence="CC0-1.0")
    assert document.id == "novels/Dickens_Bleak_1853.txt"
    assert (document.date, document.author, document.licence) == ("1853", "Charles Dickens", "CC0-1.0")
    assert document.sha256 == content_hash(b"Fog everywhere.")
    assert document.fetched_at is None
    (document,), _ = collect(path, date="1852/1853")
    assert document.date == "1852/1853"
    (document,), _ = collect(write(tmp_path / "Report_2099.txt"))
    assert document.date is None


def test_what_cannot_be_used_is_named_with_its_reason(tmp_path: Path) -> None:
    """Without it files would vanish in silence, or one bad file would end the collection."""
    folder = tmp_path / "in"
    write(folder / "good.txt")
    write(folder / "cover.jpg")
    write(folder / "noext")
    write(folder / "empty.txt", b"")
    write(folder / ".hidden.txt")
    write(folder / ".git" / "config.txt")
    write(folder / "folder.txt" / "inside.txt")
    (folder / "dangling.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    documents, failed = collect(folder)
    assert [d.id for d in documents] == ["novels/folder.txt/inside.txt", "novels/good.txt"]
    assert failed == {
        "novels/cover.jpg": "not a text format: .jpg",
        "novels/noext": "not a text format: no suffix",
        "novels/empty.txt": "empty file",
        "novels/.hidden.txt": "hidden file or folder",
        "novels/.git": "hidden file or folder",
        "novels/dangling.txt": "unreadable: No such file or directory",
        "novels/pipe.txt": "not a file: a device, pipe or socket",
    }
    assert str(tmp_path) not in "".join(failed.values())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied_is_a_failed_item(tmp_path: Path) -> None:
    """Without it one file of another user would end the collection with a traceback."""
    write(tmp_path / "locked.txt").chmod(0)
    write(tmp_path / "open.txt")
    documents, failed = collect(tmp_path)
    assert [d.id for d in documents] == ["novels/open.txt"]
    assert failed == {"novels/locked.txt": "unreadable: Permission denied"}


def test_too_big_a_file_is_refused_unread(tmp_path: Path) -> None:
    """Without it a disk image called .txt would fill the memory."""
    with write(tmp_path / "huge.txt").open("r+b") as file:
        file.truncate(600_000_000)  # sparse: takes no space
    _, failed = collect(tmp_path)
    assert failed == {"novels/huge.txt": "too big: 600 MB (at most 512)"}


def test_loops_of_links_end(tmp_path: Path) -> None:
    """Without it a link to a parent folder would make collecting run for ever."""
    write(tmp_path / "in" / "a.txt")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in" / "self")
    documents, failed = collect(tmp_path / "in")
    assert [d.id for d in documents] == ["novels/a.txt"]
    assert list(failed) == ["novels/self"]


def test_ids_stay_unique_and_a_file_named_twice_counts_once(tmp_path: Path) -> None:
    """Without it two files of one name would overwrite each other's provenance, or a file would count double."""
    for shelf in ("1810", "1820"):
        write(tmp_path / shelf / "preface.txt", shelf)
    write(tmp_path / "1810" / "only.txt")
    documents, _ = collect(tmp_path / "1820", tmp_path / "1810", tmp_path / "1810" / "only.txt")
    assert [(d.id, d.content) for d in documents if "preface" in d.id] == [
        ("novels/1810/preface.txt", b"1810"),
        ("novels/1820/preface.txt", b"1820"),
    ]
    assert [d.id for d in documents if "only" in d.id] == ["novels/only.txt"]


def test_globs_and_missing_paths(tmp_path: Path) -> None:
    """Without it a mistyped path would give an empty corpus instead of a message that says what to do."""
    write(tmp_path / "a" / "x.txt")
    write(tmp_path / "a" / "b" / "y.txt")
    assert [d.id for d in collect(f"{tmp_path}/a/*.txt")[0]] == ["novels/x.txt"]
    assert [d.id for d in collect(f"{tmp_path}/**/*.txt")[0]] == ["novels/a/b/y.txt", "novels/a/x.txt"]
    for missing in (f"{tmp_path}/none/*.txt", f"{tmp_path}/none"):
        with pytest.raises(UsageError, match=r"corpus\.sources novels: .*none"):
            collect(missing)


def test_zip_members_are_documents(tmp_path: Path) -> None:
    """Without it archives would have to be unpacked by hand, or a bad member would cost the whole archive."""
    path = tmp_path / "books.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/two.txt", "Two.")
        archive.writestr("a/one_1790.xml", "<p>One.</p>")
        archive.writestr("../../escape.txt", "Stays inside.")
        archive.writestr("__MACOSX/._two.txt", "junk")
        archive.writestr("inner.zip", "PK")
        archive.writestr("cover.png", "x")
        archive.writestr("bomb.txt", b"a" * 10_000_000)
    documents, failed = collect(path)
    assert [(d.id, d.date) for d in documents] == [
        ("novels/books.zip/a/one_1790.xml", "1790"),
        ("novels/books.zip/b/two.txt", None),
        ("novels/books.zip/escape.txt", None),
    ]
    assert failed.pop("novels/books.zip/bomb.txt").startswith("zip bomb")
    assert failed == {
        "novels/books.zip/__MACOSX/._two.txt": "hidden file or folder",
        "novels/books.zip/cover.png": "not a text format: .png",
        "novels/books.zip/inner.zip": "zip inside a zip",
    }


def test_broken_zips_cost_only_what_is_broken(tmp_path: Path) -> None:
    """Without it half a download would end the collection."""
    write(tmp_path / "torn.zip", b"PK\x03\x04 torn")
    good = tmp_path / "flip.zip"
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("a.txt", "An untouched text.")
        archive.writestr("b.txt", "A text with a flipped bit.")
    good.write_bytes(good.read_bytes().replace(b"flipped", b"fl!pped"))
    documents, failed = collect(tmp_path)
    assert [d.id for d in documents] == ["novels/flip.zip/a.txt"]
    assert {item: reason.split(":")[0] for item, reason in failed.items()} == {
        "novels/flip.zip/b.txt": "damaged in the zip",
        "novels/torn.zip": "broken zip",
    }


def test_identity_is_content_alone(tmp_path: Path) -> None:
    """Without it a copied or touched folder would be collected again, or a changed file would not be."""
    for place in ("here", "there"):
        write(tmp_path / place / "a.txt", "A.")
        write(tmp_path / place / "b.txt", "B.")
    os.utime(tmp_path / "there" / "a.txt", (0, 0))
    write(tmp_path / "there" / "cover.jpg")

    def identity(place: str, **constants: str) -> dict[str, object]:
        return files.identity(Source([str(tmp_path / place)], **constants))  # type: ignore[arg-type]

    assert identity("here") == identity("there")
    assert identity("here")["documents"] == 2
    assert identity("here") != identity("here", licence="CC0-1.0")
    write(tmp_path / "there" / "a.txt", "A!")
    assert identity("here") != identity("there")
    assert str(tmp_path) not in str(identity("here"))
