"""Cleaning on real files. They are not part of the repository: without them beside it these tests are skipped."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from cleaning import DEFAULT_ORDER, STEPS, Draft, Rejected
from cleaning.front_matter import without_contents
from sources import Failed, files
from support import SHARED

from chapbook.config import CorpusConfig

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real files (../shared/corpus) are not on this machine")

SETTINGS = CorpusConfig(name="shared", sources=[{"kind": "sample"}], languages=["en"])


@dataclass
class Source:
    """A `files` source."""

    paths: list[str]
    name: str = "shared"
    title: str | None = None
    author: str | None = None
    date: str | None = None
    language: str | None = None
    licence: str | None = None


@dataclass
class Result:
    """What a folder gave."""

    kept: dict[str, Draft] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def clean(*folders: str, pattern: str = "") -> Result:
    """The documents of folders of the corpus through all steps, by file name."""
    steps = [(name, STEPS[name](SETTINGS)) for name in DEFAULT_ORDER]
    result = Result()
    for item in files.documents(Source([str(SHARED / folder / pattern) for folder in folders])):
        if isinstance(item, Failed):
            result.failed[item.item.rpartition("/")[2]] = item.reason
            continue
        name = item.id.rpartition("/")[2]
        draft = Draft(raw=item)
        try:
            for _, step in steps:
                step(draft)
        except Rejected as refusal:
            result.rejected[name] = str(refusal)
        else:
            result.kept[name] = draft
    return result


def test_gutenberg_books_lose_their_wrapping_and_nothing_else() -> None:
    """Without it every book would bring 19 kB of licence, or pg4657 would be thrown away whole."""
    result = clean("gutenberg_raw")
    assert result.rejected == {"Persuasion_fr.txt": "language: fr", "pg24823.txt": "language: es"}
    assert len(result.kept) == 18
    for name, draft in result.kept.items():
        text = draft.text
        for edge in (text[:2000], text[-2000:]):
            assert "project gutenberg" not in edge.lower(), name
            assert not re.search(r"^(Produced|Transcribed|HTML version) (by|from)|^Transcriber", edge, re.MULTILINE), (
                name
            )
        assert "\r" not in text
        assert "\ufeff" not in text
    assert 890_000 < len(result.kept["pg4657.txt"].text) < 910_000
    assert result.kept["pg4657.txt"].text.endswith("END OF VOLUME I.")
    assert result.kept["alice30.txt"].text.endswith("THE END")
    assert result.kept["43-0.txt"].author == "Robert Louis Stevenson"
    # alice30 names no author in its header.
    assert [name for name, draft in result.kept.items() if not draft.title] == ["alice30.txt"]
    # The list of contents goes, the book begins with its first heading.
    assert (
        "By Charles Dickens\n\nBook the First—Recalled to Life\n\nI. The Period\n\nIt was the"
        in result.kept["98-0.txt"].text
    )


def test_novels_become_paragraphs_whatever_their_layout() -> None:
    """Without it 36 of 70 novels would be read as one-line paragraphs, or 34 as one paragraph each."""
    result = clean("novels", pattern="[A-H]*.txt")
    assert not result.rejected
    assert len(result.kept) > 35
    for name, draft in result.kept.items():
        text = draft.text
        assert "\r" not in text
        assert "\ufeff" not in text
        assert "\n\n\n" not in text
        assert "  " not in text
        paragraphs = text.split("\n\n")
        average = len(text) / len(paragraphs)
        assert 80 < average < 1500, (name, average)
        # A paragraph that begins in lower case was cut out of a sentence.
        assert sum(paragraph[0].islower() for paragraph in paragraphs) < 0.02 * len(paragraphs), name
        # Layout is white space: the marks are all there, but for underscores of italics and the like.
        # A dash has one form now, where it had one to three characters; contents lists are gone.
        before, after = (
            re.sub("[-—\\s]", "", one) for one in (without_contents(draft.raw.content.decode("utf-8-sig")), text)
        )
        assert 0.994 < len(after) / len(before) <= 1, name
        assert draft.date is not None
        assert draft.language == "en"
        # One form of dash, no list of contents, no Mac or Latin-2 mojibake.
        assert not re.search(r"\w (?:--?|—) \w|--(?!-)\w", text), name
        assert not re.search("^CONTENTS", text, re.MULTILINE), name
        assert not re.search("[ťŰĂĹ](?=[a-z])", text), name
    audley = result.kept["Braddon_Audley_1862.txt"].text
    assert "ť" not in audley
    assert "é" in audley


def test_xml_leaves_no_mark_up() -> None:
    """Without it tags, line-end marks and headers of the transcribers would be in the text."""
    result = clean("old_bailey_xml", "tei_ecco_tcp/xml")
    assert result.rejected == {"K066039.000.xml": "language: fr"}
    assert len(result.kept) == 42 + 17
    for name, draft in result.kept.items():
        assert not re.search(r"[<∣¦]|&[a-z]+;", draft.text), name
        assert " , " not in draft.text, name
        assert "See summary" not in draft.text, name
    trial = result.kept["t17320419-15.xml"]
    assert trial.date == "1732-04-19"
    assert trial.text.startswith("19. Hannah Bradford, of St. Giles's without Cripplegate")


def test_html_epub_and_pdf() -> None:
    """Without it page numbers would stand in sentences, verse lines would be glued and licences would be learnt."""
    result = clean("html", "epub", "pdf")
    jack = result.kept["16215-h.htm"]
    assert not re.search(r"Page \d+|Gutenberg", jack.text)
    assert jack.text.endswith("THE END.")
    assert jack.author == "William Harrison Ainsworth"
    leaves = result.kept["pg1322_leaves_of_grass.epub"]
    assert leaves.text.startswith("LEAVES OF GRASS\n\nBy Walt Whitman\n\nCome, said my soul,\nSuch verses for my Body")
    assert leaves.text.endswith("Good-bye—and hail! my Fancy.")
    assert (leaves.title, leaves.author) == ("Leaves of Grass", "Walt Whitman")
    mathematics = result.kept["41568_intro_to_mathematics_p001-150.pdf"].text
    assert "INTRODUCTION TO MATHEMATICS 9" not in mathematics
    assert "the answer being “an apple.”" in mathematics
    assert not re.search("[ﬀ-ﬆ]", mathematics)
    voltaire = result.kept["voltaire_letters_on_the_english_pp75-77.pdf"].text
    assert "VOLTAIRE" not in voltaire
    # This text layer has lost its hyphens: `Hol` / `land`, `after` / `wards`, `con` / `verse`.
    for word in ("embarked for Holland", "afterwards King James", "see and converse with", "Philadelphia"):
        assert word in voltaire, word
    assert result.rejected == {"stgiles_music.pdf": "quality: words of 3.1 letters on average"}
    assert "court as weil as the city ladies flocked very devoutly" in voltaire


def test_ocr_and_small_texts() -> None:
    """Without it OCR would keep its divided words and heads, and its tables and Latin would pass as English."""
    result = clean("ocr", "london_lives_txt")
    assert result.rejected == {
        "jstor-101871.md": "table: 99% of the text",
        "jstor-103447.md": "table: 90% of the text",
        "jstor-104588.md": "language: la",
    }
    assert set(result.failed.values()) == {"not a text format: .json"}
    call = result.kept["calltounconv00baxt_djvu.txt"].text
    assert "the repentance which is unto salvation—the repentance which sinners undergo when" in call
    assert "prove the inadequacy" in call
    assert not re.search(r"^INTRODUCTION\. \d+$", call, re.MULTILINE)
    inquest = result.kept["WACWIC652000013_652000012.txt"].text
    assert "Samuel Adams, John Eldridge, David Burnsal" in inquest
    # The seven scans divide about 5,000 words; none of these endings is left alone.
    scans = " ".join(draft.text for name, draft in result.kept.items() if "djvu" in name)
    # Google's notice, stamps and the heads of pages are gone, the references of the Bible are not.
    assert not re.search("digital copy of a book|DATE DUE|Deacidified|LIBRARY OF CONGRESS|CI <C", scans)
    assert not re.search(r"^\W*\d{1,3} (?:LIFE OF|GOSPEL TRUTH|A CALL TO)|BRAINERD TAYLOR\. \d+$", scans, re.MULTILINE)
    assert "Lev. 16: 10, 21, 22; cf. Lev. 14:6, 7." in scans
    assert len(re.findall(r"\b(?:tlie|tbe|tliat|ihe|liis|hia|witb)\b", scans)) == 0
    divided = re.findall(r"[a-z]-(?:ing|tion|ed|ness|ment)\b", scans)
    assert len(divided) < 5, divided[:20]
