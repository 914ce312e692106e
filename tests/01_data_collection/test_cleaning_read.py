"""What was wrong when all golden texts were read against their sources: one case of each, on invented lines."""

from __future__ import annotations

from pathlib import Path

from cleaning import STEPS, Draft
from cleaning.characters import repair_lost_marks
from cleaning.extract_html import to_text
from cleaning.gutenberg import strip
from cleaning.layout import Shape, measure, one_line_per_paragraph, unwrap
from cleaning.punctuation import one_dash, quotes_closed_up
from cleaning.running_heads import edges_to_drop
from cleaning.scan import clean_scan
from sources.files import FORMATS

from chapbook.config import CorpusConfig
from chapbook.corpus import RawDocument

SETTINGS = CorpusConfig(name="test", sources=[{"kind": "sample"}], languages=["en"])
PROSE = (
    "The coach was late and all of us were cold as we stood in the yard of the inn and\nwaited, for it had rained.\n"
)


def extracted(xml: str) -> str:
    draft = Draft(raw=RawDocument(id="x", source="test", sha256="", content=xml.encode(), format="xml"))
    STEPS["extract"](SETTINGS)(draft)
    return draft.text


def test_marks_that_a_whole_text_lost_come_back() -> None:
    """Three of 70 novels have not one apostrophe, one has `?` for every hyphen: 2,400 places in all."""
    text = "That s all I ve got, don t you see? A twenty?four. The knight re-entered. " * 30
    assert repair_lost_marks(text).startswith(
        "That's all I've got, don't you see? A twenty-four. The knight re-entered."
    )
    one = "It's his, that s all. " + "He can t say so, she can't, they can't. " * 30
    assert repair_lost_marks(one) == one


def test_a_large_initial_leaves_its_word_whole() -> None:
    """70 chapters of four novels began with a word in capitals as a paragraph of its own."""
    draft = Draft(raw=RawDocument(id="x", source="test", sha256="", content=b"", format="txt"))
    draft.text = (
        f"I.\n\nKAROO\n, red sand and great mounds of stones.\n\nIT\nwas a dark night and {'very ' * 20}cold.\n"
    )
    STEPS["layout"](SETTINGS)(draft)
    assert draft.text.split("\n\n")[1:] == [
        "KAROO, red sand and great mounds of stones.",
        f"IT was a dark night and {'very ' * 20}cold.",
    ]


def test_a_speech_after_a_speech_is_a_paragraph() -> None:
    """In texts without blank lines 1,265 answers hung on to the question, where its line was full by chance."""
    question = '"And do you not know that you are older now than you were before you asked it?"'
    text = (
        f'{PROSE}{question}\n"I did not know that; I am not sure that I know it now, said the other to him,\nand left.'
    )
    shape = Shape(wrapped=True, spaced=False, typeset=False, width=80)
    assert question in unwrap(text, shape).split("\n\n")


def test_lines_cut_around_italics_are_joined_and_title_pages_are_not() -> None:
    """A byline hung on to its title, and `you` in italics stood on a line of its own."""
    assert unwrap(f"A TALE\nof two or three\n\nby Anne Other\n\n{PROSE}", measure(PROSE * 20)).startswith(
        "A TALE\nof two or three\n\nby Anne Other\n\nThe coach"
    )
    text = f"Title\nby\nAnne Other\n\n{'A paragraph of some length. ' * 6}\n\n" + "Another one. " * 12 + "\n\n"
    text += "Word. \n\n" * 12 + "what he meant was that\nyou\ncould go"
    out = one_line_per_paragraph(text, measure(text))
    assert out.startswith("Title\nby\nAnne Other\n\n") and out.endswith("what he meant was that you could go")


def test_quotation_marks_of_scans_keep_their_side() -> None:
    """A mark too many or too few turned all that follow round: `feet."It was`, 60 times in one book."""
    text = 'a note ^\' On the Bones" was read. He said " Come in ; " and she " Not yet." Then "well ," he said.'
    assert quotes_closed_up(text) == (
        'a note ^\' On the Bones" was read. He said "Come in ;" and she "Not yet." Then "well ," he said.'
    )


def test_a_dash_may_open_a_paragraph_but_not_a_list() -> None:
    """Sterne begins 75 paragraphs with one."""
    dashes = "She came - at last - and went. " * 6
    assert one_dash(f"{dashes}\n\n- And what, said I").endswith("\n\n—And what, said I")
    assert one_dash("To buy:\n- bread\n- salt") == "To buy:\n- bread\n- salt"


def test_the_first_of_a_running_head_is_the_title() -> None:
    """Titles, PREFACE and the names of chapters left with the heads that repeat them."""
    edges = ["PREFACE", "iv PREFACE.", "PREFACE. v", "A text.", "PREFACF. vi", "PREFACE"]
    assert edges_to_drop(edges) == {1, 2, 4, 5}


def test_specks_stamps_and_hyphens_of_scans() -> None:
    """`Bax • / ter` became two words; a postal code of today was the last line of a book of 1833."""
    page = "The call of Richard Bax • \nter was heard in all the land, and \n.to it the people came from far. \n"
    text = f"-#-»-—; # \n\n{page}\n\n\n\nSTANFORD, CALIFORNIA 94305-6004 \n"
    assert clean_scan(text).strip() == (
        "The call of Richard Bax-\nter was heard in all the land, and\nto it the people came from far."
    )


def test_tcp_gaps_figures_labels_and_initials() -> None:
    """`tha` and `th` stood as words, a lost word left no trace, captions cut sentences in two, `&c.` lost its `&`."""
    gap = '<GAP EXTENT="{}" DISP="•"/>'
    one, many, word = (gap.format(extent) for extent in ("1 letter", "1+ letters", "1 word"))
    assert extracted(
        '<!DOCTYPE ETS PUBLIC "-//UMDLPS//DTD EEBOPROOF 2.0//EN">\n<ETS><TEXT><P>WHen he came in due '
        f"tim{one} to th{many} house he saw tha{one} man and {word} dogs, <HI>&amp;c.</HI> in "
        "<FIGURE><HEAD>The APE.</HEAD></FIGURE> a cage.</P>"
        "<LIST><LABEL>CLUMP,</LABEL> <ITEM>Mr. A.</ITEM> <LABEL>JUDE,</LABEL> <ITEM>Mrs. B.</ITEM></LIST></TEXT></ETS>"
    ) == (
        "When he came in due time to th… house he saw tha… man and … dogs, &c. in a cage.\n\n"
        "CLUMP, Mr. A.\nJUDE, Mrs. B."
    )


def test_turned_over_verse_and_the_name_of_a_series() -> None:
    """2,582 lines of one book of poems were cut in two; `THE MILLENNIUM FULCRUM EDITION` headed two e-texts."""
    page = "<p>\xa0 A line that goes on and<br/>\xa0\xa0\xa0\xa0\xa0 is turned over,<br/>\xa0 Another.</p>".encode()
    text = to_text(b'<meta charset="utf-8">' + page)[0]
    assert [" ".join(line.split()) for line in text.split("\n")] == [
        "A line that goes on and is turned over,",
        "Another.",
    ]
    start = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nX\n\nTHE MILLENNIUM FULCRUM EDITION 3.0\n\nCHAPTER I\n"
    assert strip(start)[0].split() == ["X", "CHAPTER", "I"]


def test_sgml_files_are_collected_as_xml() -> None:
    """TCP's older files end so."""
    assert {FORMATS[Path(name).suffix] for name in ("a.sgm", "a.sgml")} == {"xml"}
