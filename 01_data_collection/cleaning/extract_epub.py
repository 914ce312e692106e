"""EPUB to paragraphs: the chapters in the order of the spine (EPUB 2 and 3, without DRM)."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from typing import Any
from urllib.parse import unquote

from archives import RefusedMember, read_member

from cleaning.draft import Draft, Rejected
from cleaning.extract_html import to_text

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
# Fonts are often obfuscated, which does not matter.
_LOCKED_CHAPTER = re.compile(rb"URI=[\"'][^\"']*\.x?html?[\"']", re.IGNORECASE)
_CHAPTER_TYPES = frozenset({"application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document"})


def extract(draft: Draft) -> None:
    """Text, title and author of an EPUB. Its date is left out: it is the file's, not the work's."""
    try:
        with zipfile.ZipFile(io.BytesIO(draft.raw.content)) as archive:
            if _ENCRYPTION in archive.namelist() and _LOCKED_CHAPTER.search(_read(archive, _ENCRYPTION)):
                raise Rejected("cannot be parsed as epub", "encrypted")
            package_name = _package_name(_parse(_read(archive, _CONTAINER)))
            package = _parse(_read(archive, package_name))
            chapters = [to_text(_read(archive, name))[0] for name in _spine(package, package_name)]
    except (zipfile.BadZipFile, RefusedMember, KeyError, SyntaxError) as error:  # lxml's errors are SyntaxErrors
        raise Rejected("cannot be parsed as epub", str(error)) from error
    draft.text, draft.layout = "\n\n".join(filter(None, chapters)), "paragraphs"
    title, author, language = (
        package.findtext(f".//{{*}}metadata//{{*}}{name}") for name in ("title", "creator", "language")
    )
    draft.learn(title=title, author=author)
    draft.language = draft.language or (language or "").strip()[:2].lower() or None


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    return read_member(archive, archive.getinfo(name))


def _parse(content: bytes) -> Any:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True)
    root = etree.fromstring(content, parser)
    if root is None:
        raise Rejected("cannot be parsed as epub", "its container or package file is no XML")
    return root


def _package_name(container: Any) -> str:
    rootfile = container.find(".//{*}rootfile")
    if rootfile is None or not rootfile.get("full-path"):
        raise Rejected("cannot be parsed as epub", "its container names no package file")
    return str(rootfile.get("full-path"))


def _spine(package: Any, package_name: str) -> list[str]:
    """The member names of the chapters in reading order, without cover, navigation and other extras."""
    items = {item.get("id"): item for item in package.iterfind("./{*}manifest/{*}item")}
    folder = posixpath.dirname(package_name)

    def resolve(href: str) -> str:
        return posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))

    covers = {
        resolve(reference.get("href", ""))
        for reference in package.iterfind("./{*}guide/{*}reference")
        if reference.get("type") in ("cover", "toc")
    }
    names: list[str] = []
    for reference in package.iterfind("./{*}spine/{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or reference.get("linear") == "no" or "nav" in (item.get("properties") or "").split():
            continue
        name = resolve(item.get("href", ""))
        if item.get("media-type") in _CHAPTER_TYPES and name not in covers:
            names.append(name)
    return names
