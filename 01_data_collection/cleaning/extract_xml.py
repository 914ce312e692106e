"""XML to paragraphs, with lxml: TEI P5, Old Bailey TEI, TCP/ECCO, and plain XML with elements named like theirs.

What each element means was counted on real files.
"""

from __future__ import annotations

import html
import re
from typing import Any

from cleaning.draft import Draft, Rejected
from cleaning.paragraphs import Paragraphs

# Names in lower case: TCP writes all of them in capitals.
_BLOCKS = frozenset(
    str.split(
        "ab argument article back bibl body byline castgroup castlist chapter closer dateline div div0 div1 div2 "
        "div3 div4 div5 div6 div7 docimprint doctitle entry epigraph figure front group head letter lg list listbibl "
        "opener p para paragraph postscript salute sect1 section signed sp speaker stage table text titlepage "
        "titlepart trailer"
    )
)
_LINES = frozenset(str.split("castitem item l label line row"))
# Editorial matter, metadata, and what stands for letters that nobody could read.
_DROPPED = frozenset(
    str.split(
        "corr desc expan figdesc fw gap header idg interp interpgrp join joingrp note reg revdescr standoff "
        "teiheader temphead"
    )
)
# Only dropped as the second reading in a `choice`.
_SECOND_READINGS = frozenset({"corr", "expan", "reg"})
_PAGES = frozenset({"pb", "xptr", "cb", "milestone"})

_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset({b"amp", b"lt", b"gt", b"quot", b"apos"})
# TCP's mark for a word divided at a line end, `Lon∣don`; a page break may follow it.
_DIVIDED = re.compile(r"[∣¦]\s*")
_CAPITALS = re.compile(r"[A-Z]+")
_YYYYMMDD = re.compile(r"([12]\d{3})([01]\d)([0-3]\d)$")


def extract(draft: Draft) -> None:
    """Text, and title, author and date where the header gives them."""
    root = parse(draft.raw.content)
    # In Old Bailey files `lb` divides a word (326 of 326); in other TEI it ends a line of whole words.
    glue_lines = _name(root) in ("tei.2", "div0", "div1") and root.find(".//{*}teiHeader") is None
    out = Paragraphs()
    _walk(root, out, glue_lines, _has_blocks(root))
    draft.text, draft.layout = _DIVIDED.sub("", out.result()), "paragraphs"
    if not draft.text:
        raise Rejected("cannot be parsed as xml", "no text in it")
    draft.learn(**_metadata(root))


def parse(content: bytes) -> Any:
    """The root element. Nothing outside the document is read; entities of HTML become characters, others vanish.

    Raises Rejected when there is no root or nesting goes beyond libxml2's limits.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(_ENTITY.sub(_to_character, content), parser)
    except etree.XMLSyntaxError as error:
        raise Rejected("cannot be parsed as xml", str(error)) from error
    if root is None:
        raise Rejected("cannot be parsed as xml", "no element in it")
    # Recovery cuts a document off where a limit is hit; a part is worse than nothing.
    for entry in parser.error_log:
        if entry.type_name == "ERR_RESOURCE_LIMIT":
            raise Rejected("cannot be parsed as xml", entry.message)
    return root


def _to_character(match: re.Match[bytes]) -> bytes:
    if match[1] in _XML_ENTITIES:
        return match[0]
    character = html.unescape(match[0].decode("ascii"))
    # As a number it is right in every encoding of the document.
    return match[0] if character.startswith("&") else b"".join(b"&#%d;" % ord(c) for c in character)


def _name(element: Any) -> str:
    """The local name in lower case; empty for what is no element (an unresolved entity)."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _has_blocks(root: Any) -> bool:
    """Whether the document has elements known as paragraphs or lines; else its own nesting must tell."""
    return any(_name(element) in ("p", "l", "para", "ab", "lg") for element in root.iter())


def _walk(root: Any, out: Paragraphs, glue_lines: bool, known: bool) -> None:
    # Without recursion: 256 levels are allowed, and each would take two of Python's.
    stack: list[tuple[Any, bool]] = [(root, True)]
    while stack:
        element, entering = stack.pop()
        name = _name(element)
        if not entering:
            _boundary(element, name, out, known, entering)
            out.text(element.tail)
        elif not name or (
            name in _DROPPED and (name not in _SECOND_READINGS or _name(element.getparent()) == "choice")
        ):
            out.text(element.tail)
        elif name in _PAGES:
            out.page()
            out.text(element.tail)
        elif name == "lb":
            if not glue_lines and element.get("break") != "no":
                out.text(" ")
            out.text(element.tail)
        elif name == "seg" and (element.get("REND") or element.get("rend")) == "decorInit":
            out.text("".join(element.itertext()))
            # `<SEG>O</SEG>F all`: the rest of the first word is in capitals for the eye only.
            tail = element.tail or ""
            capitals = _CAPITALS.match(tail)
            out.text(capitals[0].lower() + tail[capitals.end() :] if capitals else tail)
        else:
            _boundary(element, name, out, known, entering)
            out.text(element.text)
            stack.append((element, False))
            stack.extend((child, True) for child in reversed(element))


def _boundary(element: Any, name: str, out: Paragraphs, known: bool, entering: bool) -> None:
    if name == "p" and (parent := element.getparent()) is not None and _name(parent) == "sp":
        # What is spoken follows its speaker on the next line.
        out.soft_line()
    elif name == "speaker":
        (out.paragraph if entering else out.soft_line)()
    elif name in _BLOCKS:
        out.paragraph()
    elif name in _LINES:
        out.soft_line()
    elif name == "cell":
        out.text(" ")
    elif not known and _is_container(element.getparent()):
        out.paragraph()


def _is_container(element: Any) -> bool:
    """Whether an element of an unknown vocabulary holds elements alone, no running text."""
    if element is None or (element.text or "").strip():
        return False
    return not any((child.tail or "").strip() for child in element)


def _metadata(root: Any) -> dict[str, str | None]:
    """Title, author and date as a TEI or TCP header or the Old Bailey's `interp` elements give them."""
    found: dict[str, str | None] = {"title": None, "author": None, "date": None}
    for element in root.iter():
        name = _name(element)
        inside = {_name(ancestor) for ancestor in element.iterancestors()} if name in found else set()
        if name in ("title", "author") and "titlestmt" in inside and found[name] is None:
            found[name] = "".join(element.itertext())
        elif name == "date" and "sourcedesc" in inside and found["date"] is None:
            found["date"] = element.get("when") or "".join(element.itertext())
        elif name == "interp" and element.get("type") == "date" and found["date"] is None:
            found["date"] = _YYYYMMDD.sub(r"\1-\2-\3", element.get("value", ""))
        elif name == "p" and not any(_name(ancestor).endswith("header") for ancestor in element.iterancestors()):
            break
    return found
