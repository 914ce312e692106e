"""Source kind `files`: text files, folders, globs and zip archives on this machine.

Nothing is unpacked to disk and one document is in memory at a time.
"""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from archives import MEMBER_BYTES, RefusedMember, read_member

from chapbook.corpus import RawDocument, content_hash
from chapbook.errors import UsageError
from sources import Failed

FORMATS = {
    ".txt": "txt",
    ".text": "txt",
    ".md": "txt",
    ".utf-8": "txt",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".xml": "xml",
    ".tei": "xml",
    ".sgm": "xml",
    ".sgml": "xml",
    ".epub": "epub",
    ".pdf": "pdf",
}

# Reasons for items that are no text whatever happens to the disk.
_OTHER_FORMAT = "not a text format"
_NEVER_TEXT = (_OTHER_FORMAT, "hidden")
_YEAR_AT_END = re.compile(r"_(1[0-9]{3}|20[0-2][0-9])$")


class FilesSource(Protocol):
    """What the configuration of a `files` source offers."""

    name: str
    paths: list[str]
    title: str | None
    author: str | None
    date: str | None
    language: str | None
    licence: str | None


@dataclass
class File:
    """A file, or one member of a zip, that was found below one of the paths."""

    file: Path
    relative: str
    """Posix path below the folder that was given, or the file's own name; the zip's path comes before a member's."""
    parents: tuple[str, ...]
    """The names of the folders above, nearest last; they tell items of equal relative name apart."""
    member: zipfile.ZipInfo | None = None
    problem: str | None = None
    """Why it is not read, when listing alone shows it."""
    id: str = ""


def identity(source: FilesSource) -> dict[str, Any]:
    """What shapes the documents, without a path or a time: equal content gives an equal identity on any machine.

    Reads every file once. Raises UsageError when a path does not exist.
    """
    constants = {name: getattr(source, name) for name in ("title", "author", "date", "language", "licence")}
    return content_identity(find(source.paths, source.name)) | constants


def content_identity(found: list[File], *, everything: bool = False) -> dict[str, Any]:
    """The number of readable files and one hash over their names and contents. Reads every file once."""
    digest = hashlib.sha256()
    count = 0
    for file, content in read(found, everything=everything):
        if isinstance(content, bytes):
            count += 1
            digest.update(f"{file.id}\0{content_hash(content)}\n".encode())
        # A file that could not be read today and can tomorrow changes the corpus; one that is no text never does.
        elif not content.reason.startswith(_NEVER_TEXT):
            digest.update(f"{file.id}\0failed\n".encode())
    return {"documents": count, "sha256": digest.hexdigest()}


def documents(source: FilesSource) -> Iterator[RawDocument | Failed]:
    """The documents below the source's paths in the order of their ids, and what could not be read, with its reason.

    Raises UsageError when a path does not exist or a glob finds nothing.
    """
    for file, content in read(find(source.paths, source.name)):
        if isinstance(content, Failed):
            yield content
            continue
        name = PurePosixPath(file.relative)
        year = _YEAR_AT_END.search(name.stem)
        yield RawDocument(
            id=file.id,
            source=source.name,
            title=source.title,
            author=source.author,
            date=source.date or (year[1] if year else None),
            language=source.language,
            licence=source.licence,
            sha256=content_hash(content),
            content=content,
            format=FORMATS[name.suffix.lower()],
        )


def read(found: list[File], *, everything: bool = False) -> Iterator[tuple[File, bytes | Failed]]:
    """The content of each file, or why there is none. everything: also of files that are no text format."""
    open_zip: zipfile.ZipFile | None = None
    try:
        for file in found:
            if file.problem is not None and not (everything and file.problem.startswith(_OTHER_FORMAT)):
                yield file, Failed(file.id, file.problem)
                continue
            try:
                if file.member is None:
                    content = _read_file(file.file)
                else:
                    if open_zip is None or open_zip.filename != str(file.file):
                        if open_zip is not None:
                            open_zip.close()
                        open_zip = zipfile.ZipFile(file.file)
                    content = read_member(open_zip, file.member)
            except RefusedMember as refusal:
                yield file, Failed(file.id, str(refusal))
                continue
            except OSError as error:
                yield file, Failed(file.id, f"unreadable: {error.strerror or error}")
                continue
            yield file, content or Failed(file.id, "empty file")
    finally:
        if open_zip is not None:
            open_zip.close()


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip does."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MEMBER_BYTES:
            raise RefusedMember(f"too big: {size / 1e6:,.0f} MB (at most {MEMBER_BYTES / 1e6:,.0f})")
        return file.read()


def find(paths: list[str], source_name: str) -> list[File]:
    """Everything below the paths, each with an id of its own, sorted by id. Raises UsageError."""
    items: list[File] = []
    visited: set[tuple[int, int]] = set()
    for given in paths:
        for path, root in _expand(given, source_name):
            _collect(path, root, items, visited)
    unique: dict[tuple[str, str], File] = {}
    for item in items:
        # A file that two paths lead to is one document.
        key = (os.path.realpath(item.file), f"{item.member.header_offset}" if item.member else item.problem or "")
        unique.setdefault(key, item)
    return _named(list(unique.values()), source_name)


def find_in_zip(path: Path, name: str, source_name: str) -> list[File]:
    """Every member of a zip that is called `name`, sorted by id."""
    items: list[File] = []
    _collect_zip(path, name, (), items)
    return _named(items, source_name)


def _expand(given: str, source_name: str) -> list[tuple[Path, Path]]:
    """The files and folders that a configured path means, each with the folder that names are relative to."""
    path = Path(given)
    if os.path.lexists(path):
        return [(path, path if path.is_dir() else path.parent)]
    if glob.has_magic(given):
        root = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
        if found := sorted(glob.glob(given, recursive=True)):  # noqa: PTH207 (Path.glob takes no absolute pattern)
            return [(Path(name), root) for name in found]
        raise UsageError(
            f"corpus.sources {source_name}: no file matches {given}. Check the pattern (** crosses folders)."
        )
    raise UsageError(
        f"corpus.sources {source_name}: {given} does not exist. "
        "Give an existing file, folder, zip or glob in `paths`, or mount the disk it lies on."
    )


def _collect(path: Path, root: Path, items: list[File], visited: set[tuple[int, int]]) -> None:
    """Append what `path` holds; each folder is entered once, so that loops of symbolic links end."""
    relative = _clean_name(os.path.relpath(path, root))
    parents = tuple(_clean_name(part) for part in root.resolve().parts)

    def add(problem: str | None = None) -> None:
        items.append(File(path, relative, parents, problem=problem))

    # What a person names is meant, even if hidden; what lies below it is not.
    if path != root and path.name.startswith("."):
        add("hidden file or folder")
        return
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) in visited:
                return
            visited.add((status.st_dev, status.st_ino))
            for entry in sorted(path.iterdir()):
                _collect(entry, root, items, visited)
            return
    except OSError as error:
        add(f"unreadable: {error.strerror or error}")
        return
    suffix = path.suffix.lower()
    if not stat.S_ISREG(status.st_mode):
        add("not a file: a device, pipe or socket")
    elif suffix == ".zip":
        _collect_zip(path, relative, parents, items)
    elif suffix not in FORMATS:
        add(f"{_OTHER_FORMAT}: {suffix or 'no suffix'}")
    else:
        add()


def _collect_zip(path: Path, relative: str, parents: tuple[str, ...], items: list[File]) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError) as error:
        items.append(File(path, relative, parents, problem=f"broken zip: {error}"))
        return
    for member in members:
        if member.is_dir():
            continue
        parts = [part for part in _clean_name(member.filename).split("/") if part not in ("", ".", "..")]
        name = "/".join(parts) or "unnamed"
        suffix = PurePosixPath(name).suffix.lower()
        problem = None
        if "__MACOSX" in parts or any(part.startswith(".") for part in parts):
            problem = "hidden file or folder"
        elif suffix == ".zip":
            problem = "zip inside a zip"
        elif suffix not in FORMATS:
            problem = f"{_OTHER_FORMAT}: {suffix or 'no suffix'}"
        items.append(File(path, f"{relative}/{name}", parents, member, problem))


def _clean_name(name: str) -> str:
    """The same id on every system: UTF-8, composed characters, forward slashes."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return unicodedata.normalize("NFC", text).replace("\\", "/")


def _named(items: list[File], source_name: str) -> list[File]:
    """Give each item its id: source and relative name, with as many parent folders as it takes to be unique; sort."""
    pending = items
    for depth in range(1 + max((len(item.parents) for item in items), default=0)):
        for item in pending:
            item.id = "/".join([source_name, *item.parents[len(item.parents) - depth :], item.relative])
        counts = Counter(item.id for item in items)
        pending = [item for item in items if counts[item.id] > 1]
        if not pending:
            break
    # Only names that differ in a way that an id cannot show (a zip may hold one name twice) come here.
    for number, item in enumerate(sorted(pending, key=lambda item: item.member.header_offset if item.member else 0)):
        item.id = f"{item.id}~{number + 1}"
    return sorted(items, key=lambda item: item.id)
