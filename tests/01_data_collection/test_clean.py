"""Collecting and cleaning as stages: everything counted, scored against the truth, split for good."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from split import assign_split, cut_into_sections, section_length, split_key
from support import Run, result, write_config

from chapbook.corpus import SPLITS, Document, Reject, read_shards

COLLECT, CLEAN = "01_data_collection/collect.py", "01_data_collection/clean.py"
ALL_DIRT = dict.fromkeys(("boilerplate", "hyphens", "page_numbers", "ocr", "duplicate", "foreign"), 0.1)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, object]]:
    """A corpus with every kind of planted dirt, cleaned; and what clean.py said."""
    folder = tmp_path_factory.mktemp("dirty")
    source = {"kind": "sample", "seed": 3, "bytes": 600_000, "dirt": ALL_DIRT}
    config = write_config(folder / "tiny.yaml", corpus__sources=[source], corpus__languages=["en"])
    run = Run(config, folder / "workspace")
    run.script(COLLECT)
    return run, result(run.script(CLEAN, "--json"))


def test_nothing_disappears(dirty: tuple[Run, dict[str, object]]) -> None:
    """Would break: documents that are neither kept nor rejected, or counted twice."""
    run, counts = dirty
    corpus = run.workspace / "corpora" / "tiny"
    kept = [document.id for split in SPLITS for document in read_shards(corpus / split, Document)]
    rejected = list(read_shards(corpus / "rejects", Reject))
    assert counts["in"] == len(kept) + len(rejected)
    assert len(set(kept) | {reject.id for reject in rejected}) == counts["in"]
    assert sum(counts["reasons"].values()) == len(rejected)  # type: ignore[attr-defined]
    for reject in rejected:
        assert reject.step and reject.reason and reject.text


def test_scored_against_the_truth(dirty: tuple[Run, dict[str, object]]) -> None:
    """Would break: a step that harms clean text, or stops removing what it is there for."""
    scores = dirty[1]["truth"]
    assert isinstance(scores, dict)
    right = {kind: score["right"] / score["documents"] for kind, score in scores.items()}
    assert right["clean"] == right["boilerplate"] == 1.0
    assert right["hyphens"] > 0.98 and right["page_numbers"] > 0.9
    assert right["duplicate"] > 0.98 and right["foreign"] > 0.98
    # Misread letters cannot be restored to the letter; what counts is that such documents are not lost.
    assert scores["ocr"]["wrongly_rejected"] == 0


def test_true_bits_only_where_the_text_is_exact(dirty: tuple[Run, dict[str, object]]) -> None:
    """Would break: an entropy floor for texts that the generator did not write in this form."""
    run, counts = dirty
    corpus = run.workspace / "corpora" / "tiny"
    known = [d for split in SPLITS for d in read_shards(corpus / split, Document) if d.true_bits is not None]
    scores = counts["truth"]
    assert isinstance(scores, dict)
    rejects = ("duplicate", "foreign")
    assert len(known) == sum(score["right"] for kind, score in scores.items() if kind not in rejects)


def test_provenance_reaches_the_corpus(dirty: tuple[Run, dict[str, object]]) -> None:
    """Would break: a corpus of which nobody can say where it comes from."""
    run, counts = dirty
    document = next(read_shards(run.workspace / "corpora" / "tiny" / "train", Document))
    assert document.source == "sample" and document.licence == "CC0-1.0" and document.language == "en"
    assert document.title and document.author and document.date and len(document.sha256) == 64
    assert set(counts["by_licence"]) == {"CC0-1.0"}  # type: ignore[call-overload]


def test_unknown_step_and_missing_raw_documents(dirty: tuple[Run, dict[str, object]], tmp_path: Path) -> None:
    """Would break: a mistyped step or a missing input ends in a traceback."""
    run, _ = dirty
    assert "there is no step polish" in run.script(CLEAN, "--corpus.steps", "[decode, polish]", code=2).stderr
    done = Run(run.config, tmp_path).script(CLEAN, code=3)
    assert "There is no raw" in done.stderr and "collect.py" in done.stderr


def test_a_language_that_nobody_recognises(tmp_path: Path) -> None:
    """Would break: a corpus in a small language labelled as a large one, or a code that ends in a traceback."""
    (tmp_path / "texts").mkdir()
    # Words by chance, so that nothing repeats itself; no filter of quality knows them.
    chance = random.Random(1)
    words = [
        "".join(chance.choices(["sey", "bil", "tam", "her", "sel", "nor", "kan", "vey"], k=2)) + "u" for _ in range(600)
    ]
    sentences = [" ".join(words[n : n + 10]).capitalize() + "." for n in range(0, 600, 10)]
    (tmp_path / "texts" / "one.txt").write_text(" ".join(sentences))
    source = {"kind": "files", "paths": "texts", "language": "zz"}
    run = Run(
        write_config(tmp_path / "tiny.yaml", corpus__sources=[source], corpus__steps=["decode", "language"]),
        tmp_path / "workspace",
    )
    run.script(COLLECT)
    assert set(result(run.script(CLEAN, "--json"))["by_language"]) == {"zz"}
    done = run.script(CLEAN, "--corpus.languages", "[zz]", code=2)
    assert "Leave it empty to keep all languages" in done.stderr


def test_everything_rejected_says_why(dirty: tuple[Run, dict[str, object]], tmp_path: Path) -> None:
    """Would break: an empty corpus that fails two stages later."""
    run = dirty[0].copy(tmp_path)
    done = run.script(CLEAN, "--corpus.min_characters", 100_000, code=1)
    assert "Cleaning rejected all" in done.stderr and "too short" in done.stderr


def test_a_document_stays_in_its_split_when_others_are_added() -> None:
    """Would break: yesterday's validation text in today's training text."""
    texts = [f"document {n}" for n in range(3000)]

    def splits(some: list[str]) -> dict[str, str]:
        boundaries = assign_split(sorted(split_key(text, 1) for text in some), 0.05, 0.1)
        return {text: boundaries.split_of(split_key(text, 1)) for text in some}

    before, after = splits(texts[:2000]), splits(texts)
    assert all(after[text] == split for text, split in before.items())
    shares = [list(after.values()).count(name) / 3000 for name in ("validation", "test")]
    assert shares == pytest.approx([0.05, 0.1], abs=0.015)


@pytest.mark.parametrize("number", [2, 3, 10, 25])
def test_small_corpora_get_every_split_they_asked_for(number: int) -> None:
    """Would break: an empty validation split by chance."""
    keys = sorted(split_key(f"text {n}", 1) for n in range(number))
    for exact in (False, True):
        boundaries = assign_split(keys, 0.05, 0.0, exact=exact)
        found = [boundaries.split_of(key) for key in keys]
        assert found.count("validation") >= 1 and found.count("train") >= 1 and found.count("test") == 0
    assert found.count("validation") == max(1, round(0.05 * number))


def test_sections_are_the_document() -> None:
    """Would break: text lost or doubled where a book is cut."""
    text = "\n\n".join(f"Paragraph {n}. " + "word " * (n % 90) + "end." for n in range(300))
    book = Document(id="book", source="s", text=text, sha256="x", true_bits=5.0)
    sections = list(cut_into_sections(book, 8_000))
    assert "\n\n".join(section.text for section in sections) == text
    assert len({section.id for section in sections}) == len(sections) > 5
    assert all(section.true_bits is None for section in sections)
    assert list(cut_into_sections(book, 10**9)) == [book]


@pytest.mark.parametrize(
    "text",
    [
        "one line of words without any mark " * 3_000,
        "One. Two sentences here! And? " * 2_000,
        "x" * 100_000,
        "Short. " * 70,
    ],
    ids=["words", "sentences", "one word", "short"],
)
def test_text_without_paragraphs_is_cut_too(text: str) -> None:
    """Would break: a book on one line, or a text of a page, is "only one document"."""
    book = Document(id="book", source="s", text=text.strip(), sha256="x")
    sections = list(cut_into_sections(book, section_length(len(text))))
    assert "".join("".join(section.text for section in sections).split()) == "".join(text.split())
    if " " in text:
        assert len(sections) >= 10
        assert max(len(section.text) for section in sections) <= 3 * section_length(len(text)) + 40


def test_equal_texts_are_on_one_side() -> None:
    """Would break: an empty validation split when the first two sections are equal."""
    boundaries = assign_split([0.1, 0.1, 0.5, 0.9], 0.05, 0.0, exact=True)
    assert [boundaries.split_of(key) for key in (0.1, 0.1, 0.5, 0.9)] == ["validation", "validation", "train", "train"]


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    """Would break: documents overwritten by others of the same id."""
    source = {"kind": "sample", "bytes": 5_000}
    config = write_config(tmp_path / "tiny.yaml", corpus__sources=[source, source])
    done = Run(config, tmp_path / "workspace").script(COLLECT, code=1)
    assert "give the sources in tiny different names" in done.stderr


def test_failures_are_kept_with_their_reason(tmp_path: Path) -> None:
    """Would break: a file that could not be read is forgotten."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "good.txt").write_text("It was a wet evening. " * 50)
    (tmp_path / "texts" / "empty.txt").touch()
    config = write_config(tmp_path / "tiny.yaml", corpus__sources=[{"kind": "files", "paths": "texts"}])
    run = Run(config, tmp_path / "workspace")
    assert result(run.script(COLLECT, "--json"))["failed"] == 1
    lines = (run.workspace / "raw" / "tiny" / "items.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["reason"] == "empty file"
