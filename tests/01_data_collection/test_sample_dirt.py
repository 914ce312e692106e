"""The source kind `sample` and the dirt it plants: the truth must be what was there before."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from difflib import SequenceMatcher
from types import SimpleNamespace
from typing import get_args

import pytest
from fingerprints import distinct_grams, similarity
from sources import sample
from sources.sample_dirt import DIRT_KINDS, FOREIGN_LANGUAGES, OWN_SCENE_KINDS, REPEATING_KINDS, foreign_patterns, plant
from sources.sample_grammar import Scene, generate
from sources.sample_truths import MODERN_SINCE, planted

from chapbook.anachronisms import anachronisms
from chapbook.corpus import RawDocument, content_hash
from chapbook.errors import ChapbookError
from chapbook.source_config import SampleSource


def source(**settings: object) -> SimpleNamespace:
    return SimpleNamespace(**{"name": "sample", "seed": 5, "bytes": 60_000, "words": None, "dirt": {}, **settings})


def collect(**settings: object) -> list[RawDocument]:
    return list(sample.documents(source(**settings)))


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = random.Random(21)
    return [generate(rng) for _ in range(60)]


def test_kinds_are_those_of_the_configuration() -> None:
    """A kind that only one side knows would be refused, or accepted and never planted."""
    keys = get_args(SampleSource.model_fields["dirt"].annotation)[0]
    assert set(DIRT_KINDS) == set(get_args(keys)) == set(sample.DIRT_KINDS)
    with pytest.raises(ValueError, match="unknown kind of dirt 'mud'"):
        plant("mud", "text", "title", random.Random(1))


def test_boilerplate_surrounds_the_text_with_its_markers(scenes: list[Scene]) -> None:
    """Cleaning finds a licence by the marker lines; the text between them must be whole."""
    rng = random.Random(1)
    for scene in scenes:
        assert scene.title is not None
        dirty = plant("boilerplate", scene.text, scene.title, rng)
        name = scene.title.upper()
        start, end = (f"*** {word} OF THE PROJECT GUTENBERG EBOOK {name} ***" for word in ("START", "END"))
        header, rest = dirty.split(start)
        body, footer = rest.split(end)
        assert scene.text in body
        assert (header + body).count("Produced by ") == 1
        assert len(header) > 200 and len(footer) > 300


def test_hyphens_can_be_undone(scenes: list[Scene]) -> None:
    """Words are divided only where there is one right way to join them, else the truth would be unfair."""
    rng = random.Random(2)
    divided = 0
    for scene in scenes:
        dirty = plant("hyphens", scene.text, "", rng)
        lines = dirty.split("\n")
        assert max(map(len, lines)) <= 72
        divided += len(re.findall(r"[a-z]{3}-\n[a-z]{3}", dirty))
        joined = re.sub(r"-\n(?!\n)", "", dirty)
        assert re.sub(r"(?<!\n)\n(?!\n)", " ", joined) == scene.text
    assert divided > 2 * len(scenes)


def test_page_numbers_can_be_undone(scenes: list[Scene]) -> None:
    """Every such document has a page break, and nothing but wrapping and page breaks sets it apart."""
    rng = random.Random(3)
    page = re.compile(r"\n\n(?:\[\d+\]|- \d+ -|\d+|[A-Z0-9 ,'.-]+\.  \d+|\d+  [A-Z ]+\.)\n(?=\n)")
    for scene in scenes:
        dirty = plant("page_numbers", scene.text, scene.title or "", rng)
        assert len(page.findall(dirty)) >= 1, dirty
        words = page.sub("\n", dirty).split()
        assert words == scene.text.split()


def test_ocr_misreads_a_few_letters(scenes: list[Scene]) -> None:
    """Too few errors would leave the kind without effect, too many would make another text of it."""
    rng = random.Random(4)
    for scene in scenes[:20]:
        dirty = plant("ocr", scene.text, "", rng)
        assert dirty != scene.text
        same = SequenceMatcher(None, scene.text.split(), dirty.split(), autojunk=False).ratio()
        assert 0.8 < same < 1
        assert dirty.count("\n\n") == scene.text.count("\n\n")


def test_duplicates_differ_only_in_white_space(scenes: list[Scene]) -> None:
    """A duplicate with other words would not be one."""
    rng = random.Random(5)
    copies = [(scene.text, plant("duplicate", scene.text, "", rng)) for scene in scenes]
    assert all(text.split() == copy.split() for text, copy in copies)
    assert any(text == copy for text, copy in copies) and any(text != copy for text, copy in copies)


def test_foreign_sentences_are_many_and_complete() -> None:
    """A slot without words, or a handful of sentences, would show in the rejected documents."""
    patterns = foreign_patterns()
    assert sum(map(len, patterns.values())) >= 40
    assert len({p for group in patterns.values() for p in group}) == sum(map(len, patterns.values()))
    rng = random.Random(6)
    texts = [plant("foreign", "", "", rng) for _ in range(300)]
    assert not [text for text in texts if re.search(r"[{}|]|  ", text)]
    assert all(400 <= len(text) <= 2_500 for text in texts)
    assert len(set(texts)) == len(texts)


def test_foreign_documents_are_recognised_as_foreign() -> None:
    """The truth says that they are rejected: a language identifier must be able to tell."""
    import py3langid

    rng = random.Random(7)
    found = Counter(py3langid.classify(plant("foreign", "", "", rng))[0] for _ in range(60))
    assert set(found) == set(FOREIGN_LANGUAGES)


def test_clean_documents_carry_their_truth() -> None:
    """Every field that the score and the entropy report read must be there and right."""
    documents = collect()
    rng = random.Random(5)
    for number, document in enumerate(documents):
        scene = generate(rng)
        assert document.id == f"sample/{number:06d}"
        assert document.content == scene.text.encode("utf-8")
        assert (document.truth, document.true_bits, document.dirt) == (scene.text, scene.bits, [])
        assert (document.title, document.date, document.language) == (scene.title, scene.date, "en")
        assert (document.licence, document.author) == ("CC0-1.0", "Chapbook sample generator")
        assert document.sha256 == content_hash(document.content)
        assert (document.format, document.source) == ("txt", "sample")


def test_bytes_are_those_of_the_clean_texts() -> None:
    """`bytes` promises that much text to train on, whatever dirt is planted."""
    for dirt in ({}, {"boilerplate": 0.3, "foreign": 0.3}):
        sizes = [len(d.truth.encode("utf-8")) for d in collect(dirt=dirt) if d.truth]
        assert sum(sizes[:-1]) < 60_000 <= sum(sizes)


def test_dirt_does_not_change_the_clean_texts() -> None:
    """A run with dirt and one without must be comparable: cleaned perfectly, they are the same corpus."""
    clean = [d.truth for d in collect()]
    dirty = collect(dirt=dict.fromkeys(DIRT_KINDS, 0.04))
    scenes = [d for d in dirty if d.truth and not {*d.dirt} & {*REPEATING_KINDS, *OWN_SCENE_KINDS}]
    assert [d.truth for d in scenes] == clean
    assert [d.true_bits for d in scenes] == [d.true_bits for d in collect()]


def test_kinds_not_asked_for_change_nothing() -> None:
    """Would break: a corpus of yesterday's config that is another one today, and with it every model and figure."""
    old = ("boilerplate", "hyphens", "page_numbers", "ocr", "duplicate", "foreign", "scan", "invisible", "garbage")
    digest = hashlib.sha256()
    for document in collect(seed=3, bytes=100_000, dirt=dict.fromkeys((*old, "loop"), 0.09)):
        digest.update(document.content + (document.truth or "").encode("utf-8"))
    assert digest.hexdigest() == "b54cad70e4c0ee010f13535d6159f5e8688383b38bfac1b7eac930d2629e37b5"


def test_shares_are_kept_and_a_document_has_one_kind() -> None:
    """The share is a share of the documents; with two kinds in one document no step could be scored alone."""
    documents = collect(bytes=1_500_000, dirt=dict.fromkeys(DIRT_KINDS, 0.04))
    kinds = Counter(kind for d in documents for kind in d.dirt)
    assert max(len(d.dirt) for d in documents) == 1
    assert set(kinds) == set(DIRT_KINDS)
    for kind, count in kinds.items():
        assert abs(count / len(documents) - 0.04) < 0.02, kind


def test_rejected_kinds_have_an_empty_truth() -> None:
    """An empty truth is how scoring knows that a document must not survive."""
    documents = collect(bytes=200_000, dirt={"duplicate": 0.2, "foreign": 0.2, "ocr": 0.2})
    seen: set[str] = set()
    for document in documents:
        text = " ".join(document.content.decode("utf-8").split())
        if document.dirt == ["duplicate"]:
            assert text in seen
        if document.dirt == ["foreign"]:
            assert (document.language, document.title) == (None, None)
        if document.dirt in (["duplicate"], ["foreign"]):
            assert (document.truth, document.true_bits) == ("", None)
        else:
            assert document.truth and document.true_bits
            seen.add(" ".join(document.truth.split()))
    assert len({document.id for document in documents}) == len(documents)


def test_copies_with_other_words_are_clearly_twins_or_clearly_not(scenes: list[Scene]) -> None:
    """A copy near the threshold of 0.7 would be scored by luck, and one longer than its original would be kept."""
    rng = random.Random(8)
    for kind, low, high in (("near_duplicate", 0.75, 0.95), ("similar_not_duplicate", 0.3, 0.6)):
        for scene in scenes:
            copy = planted(kind, scene.text, "", rng).content.decode("utf-8")
            jaccard, containment = similarity(distinct_grams(scene.text), distinct_grams(copy))
            assert low <= jaccard <= high, (kind, jaccard)
            assert kind == "near_duplicate" or containment < 0.75
            assert len(copy) <= len(scene.text)


def test_every_mistake_of_encoding_is_planted_and_known_to_be_repairable(scenes: list[Scene]) -> None:
    """A letter that a wrong encoding loses for good would make the truth unfair; an unused table would test nothing."""
    rng = random.Random(9)
    documents = [planted("mojibake", scene.text, "", rng) for scene in scenes]
    tells = {"cp1252 as Mac": "[ťŰ]", "UTF-8 as ISO 8859-2": "ĂŠ", "UTF-8 as cp1252": "Ã©"}
    for name, tell in tells.items():
        assert any(re.search(tell, document.content.decode("utf-8")) for document in documents), name
    assert all("é" in document.truth and not re.search("[àâ\xa0]", document.truth) for document in documents)
    starts = {planted("wrong_encoding", scene.text, "", rng).content[:2] for scene in scenes}
    assert {b"\xff\xfe", b"\xfe\xff", b"\xef\xbb"} < starts


def test_anachronisms_are_known_words_of_after_the_year_that_is_promised(scenes: list[Scene]) -> None:
    """A document with one such word, or with older ones, may rightly stay in the period."""
    rng = random.Random(10)
    for scene in scenes:
        found, _ = anachronisms(planted("anachronism", scene.text, "", rng).content.decode("utf-8"), MODERN_SINCE - 1)
        assert len(found) >= 2


def test_same_settings_same_documents_and_identity() -> None:
    """A collected corpus is reused by its identity: it must name all that shapes it, and nothing of the machine."""
    settings: dict[str, object] = {"dirt": {"ocr": 0.2, "duplicate": 0.1, "foreign": 0.0}}
    assert collect(**settings) == collect(**settings)
    identity = sample.identity(source(**settings))
    assert json.loads(json.dumps(identity)) == identity
    assert identity["dirt"] == {"ocr": 0.2, "duplicate": 0.1}
    for changed in ({"seed": 6}, {"bytes": 70_000}, {"dirt": {}}, {"name": "other"}):
        assert sample.identity(source(**{**settings, **changed})) != identity


@pytest.mark.parametrize("dirt", [{"ocr": 0.7, "hyphens": 0.7}, {"duplicate": 0.5, "foreign": 0.5}])
def test_shares_that_leave_no_room_are_refused(dirt: dict[str, float]) -> None:
    """Otherwise one kind would silently get less than its share, or collecting would never end."""
    with pytest.raises(ChapbookError, match="add up to 1"):
        collect(dirt=dirt)
