"""HTML to paragraphs, with lxml."""

from __future__ import annotations

import codecs
import re
from typing import Any

from cleaning.decode import decode
from cleaning.draft import Draft, Rejected
from cleaning.paragraphs import Paragraphs

_BLOCKS = frozenset(
    str.split(
        "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
        "footer form h1 h2 h3 h4 h5 h6 header hr li main ol p pre section summary table tbody tfoot thead ul"
    )
)
_DROPPED = frozenset(
    str.split(
        "audio button canvas embed head iframe input map math nav noscript object script select style svg template "
        "textarea title video"
    )
)
# Numbers of pages and lines in the margin: 473 in one Gutenberg book, in the middle of sentences.
_DROPPED_CLASSES = frozenset({"pagenum", "pageno", "pagenumber", "page-number", "linenum", "lineno"})
_POEM_LINE = re.compile(r"^i\d+$")
# The rest of a long line of verse, set in under it: 2,582 times in one book of poems.
_TURNED_OVER = re.compile(r"[\r\n]*\xa0{4,} ?[a-z]")

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""")
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def extract(draft: Draft) -> None:
    """Text and title of an HTML document."""
    text, title = to_text(draft.raw.content)
    draft.text, draft.layout = text, "paragraphs"
    draft.learn(title=title)


def to_text(content: bytes) -> tuple[str, str | None]:
    """The paragraphs of an HTML page and its title. Raises Rejected when there is no element in it."""
    from lxml import etree, html

    # Comments and processing instructions would split the text around them.
    parser = html.HTMLParser(remove_comments=True, remove_pis=True, no_network=True, huge_tree=False)
    source = _XML_DECLARATION.sub("", decode_html(content)).replace("\0", "")
    try:
        root = html.document_fromstring(source, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise Rejected("cannot be parsed as html", str(error)) from error
    paragraphs = Paragraphs()
    _walk(root, paragraphs)
    return paragraphs.result(), root.findtext(".//title")


def decode_html(content: bytes) -> str:
    """By byte order mark, else the declared charset when it fits, else as for plain text."""
    declared = _CHARSET.search(content, 0, 4096)
    if declared is None or content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return decode(content)
    name = declared[1].decode("ascii").lower()
    # All browsers read Latin-1 as Windows-1252, and so are the pages written (WHATWG Encoding).
    if name in ("iso-8859-1", "latin-1", "latin1", "windows-1252", "cp1252"):
        return content.decode("cp1252", "chapbook-latin-1")
    try:
        return content.decode(name)
    except (LookupError, UnicodeDecodeError):
        # A wrong declaration is common: the bytes decide.
        return decode(content)


def _walk(root: Any, out: Paragraphs) -> None:
    """All text of `root` in document order. Without recursion: pages nest deeper than Python's stack."""
    stack: list[tuple[Any, bool, bool]] = [(root, True, False)]
    while stack:
        element, entering, preformatted = stack.pop()
        tag = element.tag if isinstance(element.tag, str) else ""
        add = out.preformatted if preformatted else out.text
        if not entering:
            _boundary(element, tag, out)
            add(element.tail)
            continue
        if tag in _DROPPED or not tag or _is_dropped(element):
            add(element.tail)
            continue
        if tag == "br":
            if not preformatted and _TURNED_OVER.match(element.tail or ""):
                out.text(" ")
            else:
                out.line()
            # In `pre`, the newline after `<br>` is the source's, not a second line end.
            add((element.tail or "").removeprefix("\r").removeprefix("\n"))
            continue
        _boundary(element, tag, out)
        inside = preformatted or tag == "pre"
        (out.preformatted if inside else out.text)(element.text)
        stack.append((element, False, preformatted))
        stack.extend((child, True, inside) for child in reversed(element))


def _boundary(element: Any, tag: str, out: Paragraphs) -> None:
    if tag in _BLOCKS:
        out.paragraph()
    elif tag == "tr" or (tag == "span" and _POEM_LINE.match(element.get("class", ""))):
        out.soft_line()
    elif tag in ("td", "th", "option"):
        out.text(" ")


def _is_dropped(element: Any) -> bool:
    classes = element.get("class")
    return classes is not None and not _DROPPED_CLASSES.isdisjoint(classes.lower().split())
