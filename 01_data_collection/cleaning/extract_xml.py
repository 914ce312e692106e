"""XML to paragraphs, with lxml: TEI P5, Old Bailey TEI, TCP/ECCO, and plain XML with elements named like theirs.

What each element means was counted on real files.
"""

from __future__ import annotations

import html
import re
from string import ascii_lowercase
from typing import Any

from cleaning.draft import Draft, Rejected
from cleaning.lexicon import COMMON, frequencies
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
_BARE_AMPERSAND = re.compile(rb"&(?![A-Za-z][A-Za-z0-9]*;|#[0-9A-Fa-fxX]+;)")
_XML_ENTITIES = frozenset({b"amp", b"lt", b"gt", b"quot", b"apos"})
# TCP's older files are SGML: elements without an end, a long s and the end of a line as marks of their own.
_SGML = re.compile(rb"^\s*(?:<!DOCTYPE[^>]*>\s*)?(?=<ETS>)", re.IGNORECASE)
_SGML_EMPTY = re.compile(rb"<((?:PB|GAP|LB|MILESTONE|PTR)\b[^>]*?)/?>")
_SGML_ENTITIES = (
    (b"&s;", b"s"),
    (b"&abque;", b"que"),
    (b"&abquam;", b"quam"),
    (b"&abper;", b"per"),
    (b"&abquod;", b"quod"),
)
_SGML_DIVIDED = re.compile(rb"(?<=\w)\|(?=\w|\s*<PB\b)")
# TCP's mark for a word divided at a line end, `Lon∣don`; a page break may follow it.
_DIVIDED = re.compile(r"[∣¦]\s*")
# TCP gives a gap for letters and words that nobody could read: 643 in 18 texts, 204 in one.
_LOST_LETTER = "\x1b"
_LOST_IN_WORD = re.compile(rf"[^\W\d_]*{_LOST_LETTER}[^\W\d_{_LOST_LETTER}]*(?:{_LOST_LETTER}[^\W\d_]*)*")
_GAP_LETTERS = re.compile(r"(\d)(\+?) letters?$")
_GAP_WORDS = re.compile(r"\d+ (?:word|span)s?$")
# The word that fits must be so many times as frequent as the next.
_MARGIN = 20
# The first word after an initial that was printed large has a second capital for the eye: `WHen`, 8 in 18 texts.
_SECOND_CAPITAL = re.compile(r"(?:(?<=\n\n)|\A)([A-Z])([A-Z])(?=[a-z]{2})")
# TCP's mark for a stop that may be any: a full stop where a sentence begins after it.
_DOUBTFUL = re.compile(r"(?<=\w)▪(?=\s+[A-Z]|\s*$)", re.MULTILINE)
# Kinds of divisions that are no running text: `type` of Old Bailey and TCP divisions, 43 in 28 files.
_FRONT_MATTER = frozenset(
    {
        "frontmatter",
        "advertisements",
        "errata",
        "table of contents",
        "contents",
        "frontispiece",
        "index",
        "publisher's advertisement",
        "list of subscribers",
    }
)
_CAPITALS = re.compile(r"[A-Z]+")
_YYYYMMDD = re.compile(r"([12]\d{3})([01]\d)([0-3]\d)$")


def extract(draft: Draft, front_matter: bool = False) -> None:
    """Text, and title, author and date where the header gives them; with `front_matter` also indexes, errata and so on.

    In Old Bailey files the front matter is the list of the jury.
    """
    root = parse(draft.raw.content)
    # In Old Bailey files `lb` divides a word (326 of 326); in other TEI it ends a line of whole words.
    glue_lines = _name(root) in ("tei.2", "div0", "div1") and root.find(".//{*}teiHeader") is None
    out = Paragraphs()
    _walk(root, out, glue_lines, _has_blocks(root), frozenset() if front_matter else _FRONT_MATTER)
    draft.layout = "paragraphs"
    draft.text = _DOUBTFUL.sub(".", _DIVIDED.sub("", out.result())).replace("▪", "")
    draft.text = _SECOND_CAPITAL.sub(lambda word: word[1] + word[2].lower(), _LOST_IN_WORD.sub(_fill, draft.text))
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
    if _SGML.match(content):
        content = _from_sgml(content)
    # A bare `&`, as in `&c.`, would be swallowed with what follows.
    content = _BARE_AMPERSAND.sub(b"&amp;", content)
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


def _from_sgml(content: bytes) -> bytes:
    # With its public identifier, which XML does not allow, the parser would lose `&amp;`.
    content = _SGML.sub(b"", content, count=1)
    for entity, letters in _SGML_ENTITIES:
        content = content.replace(entity, letters)
    return _SGML_DIVIDED.sub("∣".encode(), _SGML_EMPTY.sub(rb"<\1/>", content))


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


def _walk(root: Any, out: Paragraphs, glue_lines: bool, known: bool, without: frozenset[str]) -> None:
    # Without recursion: 256 levels are allowed, and each would take two of Python's.
    stack: list[tuple[Any, bool]] = [(root, True)]
    while stack:
        element, entering = stack.pop()
        name = _name(element)
        if not entering:
            _boundary(element, name, out, known, entering)
            out.text(element.tail)
        elif name == "gap":
            out.text(_LOST_LETTER * _lost_letters(element.get("EXTENT") or element.get("extent") or ""))
            out.text(element.tail)
        elif (
            not name
            or (name == "figure" and _interrupts(element))
            or (name in _DROPPED and (name not in _SECOND_READINGS or _name(element.getparent()) == "choice"))
        ):
            out.text(element.tail)
        elif name.startswith("div") and (element.get("type") or element.get("TYPE") or "").lower() in without:
            out.paragraph()
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
    elif name == ("item" if entering else "label") and _is_glossed(element, entering):
        # `<LABEL>CLUMP,</LABEL><ITEM>MR. JOHANOT,</ITEM>` is one line.
        out.text(" ")
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


def _lost_letters(extent: str) -> int:
    """How many letters a gap of `1 letter`, `1+ letters` or `1 word` stands for; two where nobody knows."""
    letters = _GAP_LETTERS.match(extent)
    if letters:
        return max(int(letters[1]), 2) if letters[2] else int(letters[1])
    return 2 if _GAP_WORDS.match(extent) else 0


def _interrupts(figure: Any) -> bool:
    """Whether a figure stands inside a paragraph's sentences, where its caption would cut one in two."""
    parent = figure.getparent()
    if parent is None or _name(parent) != "p":
        return False
    return bool((parent.text or "").strip()) or any((child.tail or "").strip() for child in parent)


def _is_glossed(element: Any, is_item: bool) -> bool:
    """Whether an item has its label right before it, a label its item right after it."""
    other = element.getprevious() if is_item else element.getnext()
    return other is not None and _name(other) == ("label" if is_item else "item")


def _fill(word: re.Match[str]) -> str:
    """A word with lost letters: the only common word that fits, `tim•` time; else `…` for what is lost.

    `tha•` may be that or than. What is lost at the end of a word may also be a mark: `say•` is say, if English has
    no likelier word of one letter more.
    """
    lost = word[0].count(_LOST_LETTER)
    rest = word[0].strip(_LOST_LETTER)
    if lost == 1 and len(word[0]) >= 3:
        known, low = frequencies(), word[0].lower()
        forms = [(known.get(low.replace(_LOST_LETTER, letter), 0.0), letter) for letter in ascii_lowercase]
        if low.endswith(_LOST_LETTER):
            forms.append((known.get(low[:-1], 0.0), ""))
        fits = sorted(forms)
        if fits[-1][0] >= COMMON and fits[-1][0] >= _MARGIN * fits[-2][0]:
            letter = fits[-1][1]
            return word[0].replace(_LOST_LETTER, letter.upper() if rest.isupper() and len(rest) > 1 else letter)
    return re.sub(f"{_LOST_LETTER}+", "…", word[0])


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
