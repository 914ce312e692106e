"""What is said of written texts: each figure against its published definition, and models whose figures are known."""

from __future__ import annotations

import dataclasses
import json
import random

import continuation
import pytest
import text_figures as figures
from context import Context
from controls import CopyModel, copy_model, evaluation_context, random_model
from support import Run

from chapbook.corpus import Document
from chapbook.errors import ChapbookError

WORDS = ["the", "a", "cat", "dog", "sat", "on", "under", "mat", "moon", "17", "and", "then", "it's", "O'Clock"]


def random_texts(seed: int, number: int) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choice(WORDS) for _ in range(chance.randrange(0, 25))) for _ in range(number)]


def test_rouge_equals_rouge_score() -> None:
    """Would break: our ROUGE is another than the one everybody reports."""
    scorer = pytest.importorskip("rouge_score.rouge_scorer", reason="rouge_score comes with lm-eval")
    reference = scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    for first, second in zip(random_texts(1, 60), random_texts(2, 60), strict=True):
        theirs = reference.score(target=second, prediction=first)
        a, b = figures.rouge_words(first), figures.rouge_words(second)
        assert figures.rouge_n(a, b, 1) == pytest.approx(theirs["rouge1"].fmeasure, abs=1e-12)
        assert figures.rouge_n(a, b, 2) == pytest.approx(theirs["rouge2"].fmeasure, abs=1e-12)
        assert figures.rouge_l(a, b) == pytest.approx(theirs["rougeL"].fmeasure, abs=1e-12)


def test_self_bleu_equals_nltk() -> None:
    """Would break: our self-BLEU is another than the one of the paper."""
    bleu = pytest.importorskip("nltk.translate.bleu_score", reason="nltk comes with lm-eval")
    texts = [text.split() for text in random_texts(3, 12) if text]
    smooth = bleu.SmoothingFunction().method1
    theirs = [
        bleu.sentence_bleu([other for other in texts if other is not text], text, smoothing_function=smooth)
        for text in texts
    ]
    assert figures.self_bleu(texts) == pytest.approx(sum(theirs) / len(theirs), rel=1e-9)
    assert figures.self_bleu([["one"]]) is None
    same = ["it", "was", "a", "fair", "day", "in", "town"]
    assert figures.self_bleu([same, same]) == pytest.approx(1.0)


def test_variety_repetition_and_loops() -> None:
    """Would break: a model that says one thing for ever looks like any other."""
    assert figures.distinct([["a", "b"], ["a", "b"]], 1) == 0.5 and figures.distinct([["a"]], 2) is None
    assert figures.repeated(list("abcdabcd")) == (1, 5)
    assert figures.loops(["he", "said", *["and", "then"] * 5])
    assert figures.loops(["no"] * 9) and not figures.loops(["no"] * 8)
    assert not figures.loops([*["very"] * 3, "good", "and", "then", "the", "cat", "sat", "on", "a", "mat"])


def test_readability() -> None:
    """Would break: the formula, or what a word, a sentence, a syllable is."""
    text = "The cat sat on the mat. It was happy, and Mr O'Brien's table made little noise!"
    own = figures.words(text)
    assert len(own) == 16 and figures.sentences(text) == 2
    assert [figures.syllables(word) for word in ("cat", "happy", "table", "made", "noise", "free", "evening")] == [
        *(1, 2, 2, 1, 1, 1, 3)
    ]
    assert figures.flesch(100, 5, 150) == pytest.approx(206.835 - 1.015 * 20 - 84.6 * 1.5)


def test_forms_of_the_period() -> None:
    """Would break: modern words taken for old ones."""
    assert all(map(figures.is_period_form, ["Thou", "hath", "goeth", "walkedst", "shew", "'tis".strip("'")]))
    assert not any(map(figures.is_period_form, ["teeth", "twentieth", "Elizabeth", "beneath", "art", "the", "tested"]))


@pytest.fixture(scope="module")
def small(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Context:
    return evaluation_context(trained_run, tmp_path_factory.mktemp("continuation"))


def test_model_that_knows_the_text_and_model_that_knows_nothing(small: Context) -> None:
    """Would break: the true continuation compared with another, or controls that do not stand where they must."""
    knows = dataclasses.replace(small, model=copy_model(small, [document.text for document in small.documents]))
    found = continuation.measure(knows)
    likeness = {name: figure["rougeL"]["value"] for name, figure in found["rouge"].items()}
    assert likeness["model"] == likeness["truth"] == 1.0
    assert found["rouge"]["shuffled_truth"]["rouge1"]["value"] == 1.0
    assert likeness["other_passage"] < likeness["shuffled_truth"] < 0.5
    # What is measured of both sides is equal where both sides are.
    assert {**found["model"], "ended": None} == {**found["truth"], "ended": None}
    assert found["model"]["unknown_words"]["value"] < 0.2 and found["passages"] > 10
    guesses = dataclasses.replace(small, model=random_model(small), quick=True)
    found = continuation.measure(guesses)
    assert found["rouge"]["model"]["rouge2"]["value"] < found["rouge"]["shuffled_truth"]["rouge2"]["value"]
    assert found["model"]["unknown_words"]["value"] > 2 * found["truth"]["unknown_words"]["value"]
    assert found == continuation.measure(guesses), "equal contexts must give equal figures"
    other = small.config.evaluation.model_copy(update={"batch_size": 3})
    smaller = dataclasses.replace(guesses, config=small.config.model_copy(update={"evaluation": other}))
    assert found == continuation.measure(smaller), (
        "the fingerprint leaves the batch size out, so figures must not know it"
    )
    lines = [json.loads(line) for line in (small.output / found["samples"]).read_text("utf-8").splitlines()]
    assert len(lines) == found["passages"]
    texts = {document.id: document.text for document in small.documents}
    for line in lines:
        # Whole words on both sides of the cut, and the truth is what stands there.
        assert line["prompt"] + line["truth"] in texts[line["id"]]
        assert line["truth"][0].isspace() or line["prompt"][-1].isspace()


class StuckModel(CopyModel):
    """Says one word for ever."""

    def _follows(self, ids: str) -> int:
        return ord(self.stream[1])


def test_model_that_is_stuck(small: Context) -> None:
    """Would break: the best known failure of small models is not seen."""
    copied = copy_model(small, [" the"])
    model = StuckModel(copied.config, [small.tokenizer.encode(" the").ids], small.end_of_text).eval()
    found = continuation.measure(dataclasses.replace(small, model=model, quick=True))
    assert found["model"]["loops"]["value"] == 1.0 and found["model"]["repeated_4grams"]["value"] > 0.9
    assert found["model"]["self_bleu"] > 0.9 and found["model"]["distinct_1"] < 0.05
    assert found["truth"]["loops"]["value"] == 0.0
    page = continuation.page(found)
    assert "100.0%" in page and "Anachronisms are not counted: set evaluation.period" in page


def test_anachronisms_are_counted_and_named(small: Context) -> None:
    """Would break: an aeroplane over the London of 1850."""
    modern = "He took the bicycle and called the aeroplane of 1912, for in 1840 no one could. " * 12
    settings = small.config.evaluation.model_copy(update={"period": (1500, 1850)})
    context = dataclasses.replace(
        small,
        config=small.config.model_copy(update={"evaluation": settings}),
        documents=[Document(id="modern", source="test", sha256="", text=modern)],
        model=copy_model(small, [modern]),
        quick=True,
    )
    found = continuation.measure(context)
    assert found["model"]["anachronisms"]["value"] > 0.05 and found["model"]["later_years"]["value"] > 0
    assert set(found["model"]["anachronistic_words"]) == {"bicycle", "aeroplane"}
    assert "only 1 document" in found["confidence"]["caution"]
    assert "aeroplane (" in continuation.page(found)


def test_nothing_to_go_on_from(small: Context) -> None:
    """Would break: figures of no text at all."""
    short = [Document(id="x", source="test", sha256="", text="Too short.")]
    with pytest.raises(ChapbookError, match="No document of the validation text has 40 tokens"):
        continuation.measure(dataclasses.replace(small, documents=short))
