"""Each cleaning step on small inputs made for it."""

from __future__ import annotations

import io
import textwrap
import zipfile
from typing import Any

import pytest
from cleaning import DEFAULT_ORDER, STEPS, Draft, Rejected
from cleaning.characters import repair_latin_2, repair_words
from cleaning.decode import decode
from cleaning.extract_pdf import without_heads
from cleaning.furniture import strip_furniture
from cleaning.gutenberg import strip, title_and_author
from cleaning.layout import measure

from chapbook.config import CorpusConfig
from chapbook.corpus import RawDocument, content_hash


def config(languages: list[str] | None = None, min_characters: int = 1, **more: Any) -> CorpusConfig:
    """What the steps read from the configuration."""
    return CorpusConfig(
        name="test", sources=[{"kind": "sample"}], languages=languages or [], min_characters=min_characters, **more
    )


# Texts made for a test are too short for the filters.
CHANGING = DEFAULT_ORDER[: DEFAULT_ORDER.index("punctuation") + 1]


def draft(content: bytes | str, format: str = "txt", id: str = "test/1") -> Draft:
    data = content.encode() if isinstance(content, str) else content
    return Draft(raw=RawDocument(id=id, source="test", sha256=content_hash(data), content=data, format=format))


def run(content: bytes | str, *steps: str, format: str = "txt", settings: CorpusConfig | None = None) -> Draft:
    """A draft after the named steps (default: all that change texts, none that refuses them)."""
    result = draft(content, format)
    for name in steps or CHANGING:
        STEPS[name](settings or config())(result)
    return result


def rejection(content: bytes | str, *steps: str, format: str = "txt", settings: CorpusConfig | None = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        run(content, *steps, format=format, settings=settings)
    return caught.value


FOG = (
    "Fog everywhere. Fog up the river, where it flows among green aits and meadows; fog down the river, where it rolls "
    "defiled among the tiers of shipping and the waterside pollutions of a great (and dirty) city. Fog on the Essex "
    "marshes, fog on the Kentish heights. Fog creeping into the cabooses of collier-brigs; fog lying out on the yards, "
    "and hovering in the rigging of great ships; fog drooping on the gunwales of barges and small boats."
)
TIME = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing "
    "before us."
)


def wrapped(*paragraphs: str, width: int = 60, between: str = "\n\n") -> str:
    return between.join(textwrap.fill(text, width, break_on_hyphens=False) for text in paragraphs)


# --- the whole order


def test_clean_text_passes_unchanged() -> None:
    """Without it cleaning could damage what was clean: the first rule of every step."""
    text = f"{FOG}\n\n“Yes,” she said—“at £5 a year, in the café.”\n\n{TIME}"
    result = run(text, *DEFAULT_ORDER, settings=config(["en"], 200))
    assert result.text == text
    assert result.language == "en"


@pytest.mark.parametrize("content", [b"", b" \n\n \n", b"\n", b"-", b"x", b"\xef\xbb\xbf", "ſ".encode(), b"1\n2\n3\n"])
def test_hardly_any_text_breaks_no_step(content: bytes) -> None:
    """Without it an almost empty file would end the run with an IndexError instead of a rejection."""
    result = draft(content)
    for name in DEFAULT_ORDER:
        try:
            STEPS[name](config())(result)
        except Rejected as refusal:
            assert name in ("length", "quality"), refusal
            return


# --- decode


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xef\xbb\xbfcaf\xc3\xa9\r\nbar\rbaz", "café\nbar\nbaz"),
        ("café\r\n".encode("utf-16"), "café\n"),
        ("café".encode("utf-32"), "café"),
        (b"caf\xe9 \x93x\x94 \x81", "café “x” \x81"),
        (b"\xef\xbb\xbfbroken \xe9", "broken é"),
    ],
)
def test_decode_finds_the_encoding(content: bytes, text: str) -> None:
    """Without it Latin-1 books would stop the run or arrive as mojibake, and BOMs would become tokens."""
    assert decode(content) == text


@pytest.mark.parametrize("content", [b"a\0b" * 50, bytes(range(1, 256)) * 9, b"\xff\xfea"])
def test_decode_refuses_binary(content: bytes) -> None:
    """Without it an image called .txt would become training data."""
    assert rejection(content, "decode").reason == "not text"


# --- gutenberg

BOOK = f"THE TITLE\n\n{FOG}\n\n{TIME}"
HEADER = "The Project Gutenberg EBook of Fog, by A. Writer\n\nTitle: Fog\n       or Mist\n\nAuthor: A. Writer\n\n"
LICENCE = "Updated editions will replace the previous one. Project Gutenberg licence.\n" * 5


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (
            "*** START OF THIS PROJECT GUTENBERG EBOOK FOG ***",
            "End of Project Gutenberg's Fog, by A. Writer\n\n*** END OF THIS",
        ),
        (
            "*** START OF THE PROJECT GUTENBERG EBOOK FOG ***",
            "            *** END OF THE PROJECT GUTENBERG EBOOK FOG ***",
        ),
        ("***START OF THE PROJECT GUTENBERG EBOOK FOG***", "***END OF THE PROJECT GUTENBERG EBOOK FOG***"),
        ("*** START OF THIS PROJECT GUTENBERG EBOOK\nFOG ***", "*** END OF THIS PROJECT GUTENBERG EBOOK\nFOG ***"),
        (
            "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.12.12.00*END*",
            "End of Project Gutenberg Etext of Fog, by A.",
        ),
        ("*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*", None),
        (
            "*** START OF THE PROJECT GUTENBERG ETEXT OF FOG ***",
            "The Project Gutenberg Etext of Fog\nby A. Writer\n\n"
            "*END THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*",
        ),
        (
            "*** START OF THIS PROJECT GUTENBERG EBOOK FOG ***",
            "End of the Project Gutenberg’s EBook of Fog, by A. Writer",
        ),
    ],
)
@pytest.mark.parametrize("repeat", [1, 120])
def test_gutenberg_keeps_the_book_alone(start: str, end: str | None, repeat: int) -> None:
    """Without it a licence would be the most frequent text of the corpus, or a book of 2002 would be lost whole."""
    book = "\n\n".join([BOOK] * repeat)
    text = f"{HEADER}{start}\n\n\nProduced by Some One and the\nOnline Team (from images)\n\n\n\n{book}\n\n\n"
    text += f"{end}\n\n{LICENCE}" if end else ""
    result = draft(text)
    result.text = text
    STEPS["gutenberg"](config())(result)
    assert result.text.strip() == book
    assert (result.title, result.author) == ("Fog or Mist", "A. Writer")


def test_gutenberg_never_cuts_without_markers() -> None:
    """Without it a text about Gutenberg would lose half of itself."""
    text = f"{FOG}\n\nHe read the small print. Project Gutenberg is mentioned.\n\n{TIME}"
    assert strip(text) == (text, "")


def test_gutenberg_drops_notes_of_the_transcriber() -> None:
    """Without it every proofread book would begin with remarks about italics and e-texts."""
    text = (
        "*** START OF THIS PROJECT GUTENBERG EBOOK FOG ***\n\nTranscriber's Note: Errors were corrected.\n\n"
        f"Italics are marked.\n\n-------------\n\n{BOOK}\n\n[Illustration: Fog [from\na plate]]\n\n{TIME}\n\n"
        "TRANSCRIBER’S NOTES\n\n 1. Contents added.\n\nEnd of Project Gutenberg's Fog, by A. Writer\n"
    )
    assert strip(text)[0].strip() == f"{BOOK}\n\n\n\n{TIME}"


def test_gutenberg_title_of_the_nineties() -> None:
    """Without it the oldest files would have no title in the provenance."""
    assert title_and_author("*\nProject Gutenberg Etext of News from Nowhere, by William Morris\n#8 in") == (
        "News from Nowhere",
        "William Morris",
    )


# --- characters


def test_characters_repairs_what_is_certain() -> None:
    """Without it mojibake would take up the vocabulary: one of eleven ways to write é."""
    assert run("It’s the naÃ¯ve cafÃ©.", "decode", "characters").text == "It’s the naïve café."
    assert (
        repair_words("the rťgime, the rŰle of the Fršulein, a faÁade")
        == "the régime, the rôle of the Fräulein, a façade"
    )
    assert repair_latin_2("a protĂŠgĂŠe") == "a protégée"
    # ftfy alone would make nÊe of it.
    assert run("a nĂŠe LefĂ¨vre", "decode", "characters").text == "a née Lefèvre"
    assert repair_words("“coop.í There, í Yes,í no!í a kopjeí is") == "“coop.’ There, í Yes,’ no!’ a kopje’ is"


@pytest.mark.parametrize("text", ["Señor Núñez Martí, así", "Dvořák, Łukasz Šťastný and Škoda", "Ă tat civil", "Škoda"])
def test_characters_spares_foreign_names(text: str) -> None:
    """Without it Spanish, Czech and Polish names would be "repaired" into nonsense."""
    assert run(text, "decode", "characters").text == text


def test_characters_makes_plain_what_is_invisible() -> None:
    """Without it soft hyphens, no-break spaces and control characters would split words into odd tokens."""
    text = "e\u0301tude\u00a0soft\u00adly \u200bzero\x07 bell\u2028next ofﬁce"
    assert run(text, "decode", "characters").text == "étude softly zero bell\nnext office"
    assert run("He _did_ go,\nto the _White\nHart_; snake_case_name __init__", "decode", "characters").text == (
        "He did go,\nto the White\nHart; snake_case_name __init__"
    )


# --- furniture and layout


def test_page_numbers_and_heads_go_and_sentences_mend() -> None:
    """Without it page numbers would interrupt sentences, and chapter numbers would go with them."""
    lines = wrapped(FOG, TIME, FOG).split("\n")
    with_pages = list(lines)
    for number, position in enumerate((3, 10, 18)):
        at = position + 3 * number
        with_pages[at:at] = ["", f"{56 + number} BLEAK HOUSE." if number % 2 else f"BLEAK HOUSE. {56 + number}", ""]
    assert run("\n".join(with_pages)).text == f"{FOG}\n\n{TIME}\n\n{FOG}"
    for line in ("57", "[57]", "- 57 -", "Page 57"):
        one = "\n".join([*lines[:3], "", line, "", *lines[3:]])
        assert run(one).text == f"{FOG}\n\n{TIME}\n\n{FOG}", line
    # Between two paragraphs only what can be nothing else goes: page numbers of three digits, and the title.
    for line, goes in (("380", True), ("FOG AND TIME, 1853.  38", True), ("38", False), ("PSALM 119", False)):
        result = draft(wrapped(FOG, line, FOG))
        result.title = "Fog and Time, 1853"
        for name in ("decode", "furniture", "layout"):
            STEPS[name](config())(result)
        kept = " ".join(line.split())
        assert result.text == (f"{FOG}\n\n{FOG}" if goes else f"{FOG}\n\n{kept}\n\n{FOG}"), line
    chapters = wrapped("CHAPTER 1", FOG, "CHAPTER 2", TIME, "CHAPTER 3", FOG, "1", TIME, "2", FOG, "3", TIME)
    assert strip_furniture(chapters, 60) == chapters


def test_layout_is_decided_per_file() -> None:
    """Without it the wrong one of two simple rules would ruin half of a collection."""
    expected = f"{FOG}\n\n{TIME}\n\n{FOG}"
    assert run(wrapped(FOG, TIME, FOG)).text == expected
    # Without blank lines the short last line of a paragraph tells, where it is short.
    assert run(wrapped(FOG, TIME, FOG, between="\n")).text == expected
    assert run("\n".join([FOG, TIME, FOG])).text == expected
    assert run(expected).text == expected
    assert run(expected.replace("\n\n", "\r\n \r\n\r\n")).text == expected
    assert measure(wrapped(FOG)).wrapped
    assert not measure(expected).wrapped


def test_layout_leaves_verse_alone() -> None:
    """Without it poems would become prose."""
    verse = (
        "    Tom Thumb shall now be thrown away,\n    And Jack, who did the Giants slay;\n    Such ill concerted lyes"
    )
    result = run(wrapped(FOG, TIME) + "\n\n" + verse + "\n\n" + wrapped(FOG))
    assert result.text == f"{FOG}\n\n{TIME}\n\n" + verse.replace("    ", "") + f"\n\n{FOG}"
    poem = verse.replace("    ", "")
    assert run(f"{poem}\n\n{poem}").text == f"{poem}\n\n{poem}"


def test_hyphens_at_line_ends() -> None:
    """Without it OCR would fill the vocabulary with half words, or e-texts would lose their real hyphens."""
    # The document's own spelling decides first.
    text = f"{FOG}\nThe drawing-room and the certain man. {TIME}"
    e_text = wrapped(text, TIME * 4, FOG * 4).replace("drawing-room", "drawing-\nroom", 1)
    assert "drawing-room" in run(e_text + "\n\nThe drawing-room again.\n").text
    # Many divided words: they are joined, but for capitals, `to-day`, and whole words that the document knows.
    words = ("foolish-\nness", "shippin-\ngest", "to-\nday", "Anglo-\nSaxon", "de-\nspair", "riv-\ner")
    template = "and there it was in the age of wisdom and of all the {} of those who had nothing before"
    typeset = "\n".join(template.format(word) for word in words)
    result = run(wrapped(FOG, TIME) + "\n\n" + typeset).text
    for word in ("foolishness", "shippingest", "to-day", "Anglo-Saxon", "despair", "river"):
        assert f" {word} of" in result, word


def test_spaces_before_marks_are_closed_up_where_they_are_the_rule() -> None:
    """Without it texts from OCR and mark-up would teach the model to put blanks before commas."""
    text = "John Land , Simon Tunks , and Thomas Maud ; what then ? Yes ! Of St. Andrew 's . . . and so on , he said ."
    assert run(text).text == (
        "John Land, Simon Tunks, and Thomas Maud; what then? Yes! Of St. Andrew 's . . . and so on, he said."
    )


# --- language, length, duplicates


def test_language_rejects_what_is_not_wanted() -> None:
    """Without it French and Latin books with English titles would be learnt as English."""
    french = (
        "Il était une fois un roi et une reine qui étaient si fâchés de n’avoir point d’enfants, si fâchés qu’on ne "
        "saurait dire. "
    )
    refusal = rejection(french * 3, "decode", "language", settings=config(["en"]))
    assert (refusal.reason, refusal.detail) == ("language", "fr")
    assert run(french * 3, "decode", "language").language == "fr"
    assert run(FOG, "decode", "language", settings=config(["en", "la"])).language == "en"
    assert run("Guilty. Death.", "decode", "language", settings=config(["en"])).language is None


def test_length_and_prose() -> None:
    """Without it title pages, tables and sheet music would be training data."""
    assert rejection("Short.", "decode", "length", settings=config(min_characters=200)).reason == "too short"
    assert rejection("12 34 5.6 | 7.8 || 9,1 " * 20, "decode", "length").reason == "not prose"
    assert rejection(" " * 300, "decode", "length").reason == "not prose"
    assert run("Ἐν ἀρχῇ ἦν ὁ λόγος", "decode", "length").text


# --- HTML, XML, EPUB, PDF

HTML = """<!DOCTYPE html><html><head><title>The
  Fog</title><style>p {}</style><meta charset="iso-8859-1"></head><body><nav>Home</nav>
<h1>CHAPTER&nbsp;I</h1><p>It was <i>caf</i><b>\xe9</b> \x93fog\x94 <span class="pagenum">[Pg 7]</span>up
the<!-- note --> river,<br/>
and down &mdash; &lt;here&gt;.</p><script>x<p>y</p></script>
<div class="poem"><span class="i2">One line</span><span class="i4">Another line</span></div>
<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table><div>Loose <p>inner</p> tail</div></body></html>"""


def test_html_becomes_paragraphs() -> None:
    """Without it words of neighbouring blocks would be glued, and menus and page numbers would be read as text."""
    result = run(HTML.encode("latin-1"), "extract", "characters", "layout", format="html")
    assert result.text == (
        "CHAPTER I\n\nIt was café “fog” up the river,\nand down — <here>.\n\nOne line\nAnother line\n\na b\nc\n\n"
        "Loose\n\ninner\n\ntail"
    )
    assert result.title == "The Fog"


def test_html_survives_what_is_thrown_at_it() -> None:
    """Without it one odd page would end the run."""
    assert rejection(b"", "extract", format="html").reason == "cannot be parsed as html"
    assert run(b"<p>caf\xc3\xa9<meta charset=ascii-42>", "extract", format="html").text == "café"
    # libxml2 stops at its own depth; what counts is that nothing overflows.
    run("<div>" * 20_000 + "deep", "extract", format="html")


OLD_BAILEY = """<div1 type="trialAccount" id="t1"><interp type="date" value="17320419"/>
   <p>19.
      <persName>  Hannah
         Bradford <interp type="surname" value="Bradford"/></persName>
   , was indicted by the pri<lb/>soner. When we got<xptr type="pageFacsimile"/>through <note>[Death.]</note></p>
   <p>he lost the</p><xptr/><p>little way down. It ended.</p><xptr/><p>she began.</p><join targets="a"/></div1>"""

TCP = """<ETS><TEMPHEAD><P>x</P></TEMPHEAD><EEBO><IDG><STC>T1</STC></IDG><TEXT LANG="eng"><BODY><DIV1>
<HEAD>THE LIFE</HEAD><P><SEG REND="decorInit">O</SEG>F all Lon∣don, am∣<PB/>bitious ill<GAP DISP="•"/> men
<PB N="4"/>
of note<NOTE>a note</NOTE>.</P><SP><SPEAKER>CUDDEN.</SPEAKER><L>One line</L><L>Two lines</L></SP>
<SP><SPEAKER>ALL.</SPEAKER><P>Bravo!</P></SP></DIV1></BODY></TEXT></EEBO></ETS>"""

TEI = """<?xml version="1.0"?><!DOCTYPE TEI SYSTEM "file:///etc/passwd" [<!ENTITY x SYSTEM "file:///etc/passwd">
<!ENTITY y "yyy">]><TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title>A Life</title>
<author>Defoe</author></titleStmt><sourceDesc><bibl><date when="1722">17 MDCCXXII</date></bibl></sourceDesc></fileDesc>
</teiHeader><text><body><p>One &mdash; &x;&y;two<lb/>three <choice><sic>teh</sic><corr>the</corr></choice>
<!-- c -->end.</p><p>B<lb break="no"/>C</p></body></text></TEI>"""


def test_old_bailey_xml() -> None:
    """Without it 326 words would be cut in two, pages would cut sentences, and editors' notes would be testimony."""
    result = run(OLD_BAILEY, "extract", "layout", "punctuation", format="xml")
    assert result.text == (
        "19. Hannah Bradford, was indicted by the prisoner. When we got through\n\nhe lost the little way down. It "
        "ended.\n\nshe began."
    )
    assert result.date == "1732-04-19"


def test_tcp_xml() -> None:
    """Without it 5,882 words would keep their line-end marks, and verse and speakers would run together."""
    assert run(TCP, "extract", "layout", format="xml").text == (
        "THE LIFE\n\nOf all London, ambitious ill men of note.\n\nCUDDEN.\nOne line\nTwo lines\n\nALL.\nBravo!"
    )


def test_tei_p5_reads_its_header_and_nothing_outside() -> None:
    """Without it metadata would be read as text, or a document could read files of the machine."""
    result = run(TEI, "extract", "layout", format="xml")
    assert result.text == "One — two three teh end.\n\nBC"
    assert (result.title, result.author, result.date) == ("A Life", "Defoe", "1722")


def test_plain_and_broken_xml() -> None:
    """Without it XML of another vocabulary would be one long line, and a broken file would end the run."""
    plain = "<doc><meta><name>N</name></meta><item>One <b>bold</b> text.</item><item>Two.</item></doc>"
    assert run(plain, "extract", format="xml").text.split("\n")[-1] == "Two."
    for broken in (b"", b"no xml at all", b"<a></a>", b"<p>" * 3000 + b"x"):
        refusal = rejection(broken, "extract", format="xml")
        assert refusal.reason == "cannot be parsed as xml"
    laughs = "<!DOCTYPE p [<!ENTITY a 'ha'>" + "".join(
        f"<!ENTITY {chr(98 + n)} '&{chr(97 + n)};&{chr(97 + n)};'>" for n in range(20)
    )
    # The parser stops at the limit of expansion, and a part of a document is worse than none.
    assert rejection(f"{laughs}]><p>Not &u; funny.</p>", "extract", format="xml").reason == "cannot be parsed as xml"


def epub(chapters: dict[str, str], spine: list[str]) -> bytes:
    """A small EPUB whose zip order is not its reading order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        )
        items = "".join(f'<item id="{n}" href="{n}.html" media-type="application/xhtml+xml"/>' for n in chapters)
        itemrefs = "".join(f"<itemref idref={n!r}/>" for n in spine)
        archive.writestr(
            "OPS/book.opf",
            '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
            "<dc:title>Leaves</dc:title><dc:creator>Walt Whitman</dc:creator><dc:language>en-GB</dc:language>"
            "</metadata>"
            f'<manifest>{items}<item id="toc" href="toc%20x.html" properties="nav" media-type="application/xhtml+xml"/>'
            f'</manifest><spine><itemref idref="toc"/>{itemrefs}</spine></package>',
        )
        for name, body in chapters.items():
            archive.writestr(f"OPS/{name}.html", f"<html><body>{body}</body></html>")
        archive.writestr("OPS/toc x.html", "<p>CONTENTS</p>")
    return buffer.getvalue()


def test_epub_is_read_in_the_order_of_its_spine() -> None:
    """Without it chapters would come in the order of the zip, and verse lines would be glued together."""
    content = epub({"b": "<p>Second.</p>", "a": "<div>First,<br/>a line.</div>"}, ["a", "b"])
    result = run(content, "extract", "layout", format="epub")
    assert result.text == "First,\na line.\n\nSecond."
    assert (result.title, result.author, result.language) == ("Leaves", "Walt Whitman", "en")


def test_broken_epubs_are_rejected() -> None:
    """Without it half a download would end the run."""
    good = epub({"a": "<p>x</p>"}, ["a"])
    for broken in (b"", b"PK\x03\x04", good[: len(good) // 2], good.replace(b"OPS/a.html", b"OPS/z.html")):
        assert rejection(broken, "extract", format="epub").reason == "cannot be parsed as epub"


def pdf(pages: list[list[str]]) -> bytes:
    """A PDF with one text line below the other on each page."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for lines in pages:
        stream = "BT /F1 10 Tf 14 TL 50 780 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        objects.append(f"<</Length {len(stream)}>>\nstream\n{stream}\nendstream")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {len(objects)} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    body = "%PDF-1.4\n"
    offsets = []
    for number, text in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    body += (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF"
    )
    return body.encode("latin-1")


def test_pdf_pages_become_paragraphs() -> None:
    """Without it running heads would interrupt sentences at every page, and every line would be a paragraph."""
    lines = wrapped(FOG.replace("(and dirty) ", ""), TIME, FOG.replace("(and dirty) ", ""), between="\n").split("\n")
    pages = [
        [f"THE FOG {number + 9}", *lines[start : start + 5]] for number, start in enumerate(range(0, len(lines), 5))
    ]
    result = run(pdf(pages), "extract", "characters", "furniture", "layout", format="pdf")
    assert result.text == "\n\n".join([FOG, TIME, FOG]).replace("(and dirty) ", "")


def test_pdf_heads_are_found_though_misread() -> None:
    """Without it scans would keep every head that OCR has spoilt."""
    pages = [
        ["LETTERS ON THE ENGLISH 7$", "a"],
        ["76 VOLTAIRE", "b"],
        ["LETTERS ON THE ENGLISH 77", "c"],
        ["78 VOLTAIRE", "d"],
    ]
    assert without_heads(pages) == [["a"], ["b"], ["c"], ["d"]]
    plain = [["It was", "a", "12"], ["quite", "b", "13"], ["another", "c", "- 14 -"]]
    assert without_heads(plain) == [["It was", "a"], ["quite", "b"], ["another", "c"]]


def test_broken_pdf_is_rejected() -> None:
    """Without it a web page saved as .pdf would end the run."""
    assert rejection(b"<html>Not found</html>", "extract", format="pdf").reason == "cannot be parsed as pdf"
