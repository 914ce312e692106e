"""Copies are found wherever they stand: a model that knows the training text by heart has 100%, a random one 0%."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import memorisation
import numpy as np
import pytest
from context import Context
from controls import copy_model, evaluation_context, random_model
from overlap import SHORTEST, Overlaps, copied_windows
from support import Run
from tasks.london_history.items import read

from chapbook.corpus import Document, ShardWriter, content_hash, read_texts
from chapbook.errors import ChapbookError


def longest_by_trying(text: list[int], corpus: list[list[int]]) -> list[int]:
    """The definition: for each token the longest run up to it that a document of the corpus holds."""
    found = []
    for end in range(1, len(text) + 1):
        holds = [
            length
            for length in range(SHORTEST, end + 1)
            if any(bytes(text[end - length : end]) in bytes(document) for document in corpus)
        ]
        found.append(max(holds, default=0))
    return found


@pytest.mark.parametrize("alphabet", [2, 3, 30])
def test_overlaps_are_those_of_the_definition(alphabet: int) -> None:
    """Would break: a copy that is missed, or found where there is none, or across the end of a text or document."""
    chance = random.Random(alphabet)
    for _ in range(15):
        corpus = [[chance.randrange(alphabet) for _ in range(chance.randrange(100))] for _ in range(4)]
        texts = [[chance.randrange(alphabet) for _ in range(chance.randrange(50))] for _ in range(3)]
        for text in texts:
            source = chance.choice(corpus)
            start = chance.randrange(len(source) + 1)
            text[len(text) // 2 : len(text) // 2] = source[start : start + chance.randrange(40)]
        overlaps = Overlaps(texts)
        assert overlaps.read(map(np.array, corpus)) == sum(map(len, corpus))
        assert overlaps.longest_ending() == [longest_by_trying(text, corpus) for text in texts]


def test_overlaps_over_the_border_of_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: a copy from a document longer than what is hashed at once."""
    monkeypatch.setattr("overlap._PIECE", 64)
    document = np.random.default_rng(1).integers(0, 1000, 1000)
    texts = [document[start : start + 90].tolist() for start in range(0, 900, 30)]
    overlaps = Overlaps(texts)
    overlaps.read([document])
    assert all(endings[-1] == 90 for endings in overlaps.longest_ending())


def test_copied_windows() -> None:
    """Would break: windows counted at the beginning of a text, or of texts that are too short."""
    endings = [0] * 7 + [8, 9, 10, 0, 0]
    assert copied_windows(endings, 9) == (2, 4)
    assert copied_windows([8], 9) == (0, 0)


def with_corpus(context: Context, folder: Path, texts: list[str]) -> Context:
    with ShardWriter(folder / "train", Document) as writer:
        for number, text in enumerate(texts):
            digest = content_hash(text.encode())
            writer.write(Document(id=str(number), source="test", sha256=digest, text=text))
    return dataclasses.replace(context, corpus=folder)


@pytest.fixture(scope="module")
def small(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Context:
    return dataclasses.replace(evaluation_context(trained_run, tmp_path_factory.mktemp("memory")), quick=True)


def test_model_that_copies_and_model_that_does_not(small: Context) -> None:
    """Would break: memory that is not seen, or seen where there is none."""
    assert small.corpus is not None
    training = list(read_texts(small.corpus, "train"))
    copies = memorisation.measure(dataclasses.replace(small, model=copy_model(small, training)))
    assert copies["window"] == 50 and copies["training"]["complete"] and copies["samples"]["windows"] > 500
    assert copies["samples"]["copied"] == 1.0 and copies["samples"]["longest"] > 100
    assert copies["samples"]["longest_text"] in training[0]
    assert copies["extraction"]["exact"]["value"] == copies["extraction"]["tokens_right"] == 1.0
    # Held-back text is not in the training text, and who knows that alone cannot finish it.
    assert copies["held_out"]["copied"] < 0.2 and copies["extraction_held_out"]["exact"]["value"] < 0.2
    guesses = memorisation.measure(dataclasses.replace(small, model=random_model(small)))
    assert guesses["samples"]["copied"] == 0.0 and guesses["samples"]["longest"] == 0
    assert guesses["extraction"]["exact"]["count"] == 0 and guesses["extraction"]["tokens_right"] < 0.05
    # None of at most 16 texts leaves up to a fifth and more possible; it is not "0% to 0%".
    assert guesses["samples"]["copied_interval"][0] == 0.0 and 0.19 < guesses["samples"]["copied_interval"][1] < 0.5
    assert guesses == memorisation.measure(dataclasses.replace(small, model=random_model(small)))
    json.dumps(guesses, allow_nan=False)
    page = memorisation.page(copies)
    assert "100.0%" in page and "below 8" in memorisation.page(guesses) and "all of it" in page


def test_short_context_and_texts_that_end(small: Context) -> None:
    """Would break: a model of 32 tokens, for which runs of 50 do not exist."""
    found = memorisation.measure(small)
    assert found["window"] == 16 and found["samples"]["windows"] > 0


def test_items_in_the_training_text_are_named(small: Context, tmp_path: Path) -> None:
    """Would break: an item that was read in training counts as knowledge."""
    law = read("law")
    planted = {item["id"]: f"{item['prompt'].upper()} -- {item['choices'][item['answer']]}!" for item in law[:3]}
    filler = "A coach went by, and the rain fell upon the Strand as it had fallen since noon. " * 12
    texts = [f"{filler}{sentence} {filler}" for sentence in planted.values()]
    found = memorisation.measure(with_corpus(small, tmp_path, texts))
    assert found["items"]["found"] == list(planted) and found["items"]["count"] == 3
    assert "law-01" in memorisation.page(found)
    clean = memorisation.measure(with_corpus(small, tmp_path / "clean", [filler]))
    assert clean["items"]["count"] == 0 < clean["items"]["total"]


def test_quick_mode_says_that_it_read_a_part(small: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: "not a copy" after looking at a part of the training text."""
    monkeypatch.setattr(memorisation, "QUICK_BYTES", 1000)
    monkeypatch.setattr(memorisation, "BATCH_CHARACTERS", 500)
    texts = [f"{number} " + "the quick brown fox jumps over the lazy dog " * 20 for number in range(9)]
    found = memorisation.measure(with_corpus(small, tmp_path, texts))
    assert not found["training"]["complete"] and found["training"]["documents"] == 2
    assert "its beginning only (quick mode)" in memorisation.page(found)


def test_what_cannot_be_measured(small: Context, tmp_path: Path) -> None:
    """Would break: a figure where nothing was there to measure."""
    with pytest.raises(ChapbookError, match="evaluate without --data"):
        memorisation.measure(dataclasses.replace(small, corpus=None))
    with pytest.raises(ChapbookError, match="No training document has 32 tokens"):
        memorisation.measure(with_corpus(small, tmp_path, ["Short."]))
