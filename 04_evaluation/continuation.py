"""What the model writes: it goes on from held-back passages, and its texts are measured beside the true ones.

Each passage is cut in two. The model sees the first part and writes as much as the second. ROUGE says how much of the
true continuation it hit, which is little for anybody who does not know the text by heart; so it stands beside what the
same score gives for the true words in random order, for another passage of the same text, and for the truth itself (1).
All else (variety, repetition, readability, words of the period, anachronisms) is measured of the model's texts and of
the true ones in the same way and amount: the difference is the finding.

Intervals are percentile bootstraps over documents.
"""

from __future__ import annotations

import html
import itertools
import json
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import text_figures as figures
from bootstrap import describe, interval, resampled_sums
from context import Context

from chapbook.anachronisms import MARGIN_YEARS, anachronisms, years_in
from chapbook.corpus import read_texts
from chapbook.errors import ChapbookError
from chapbook.generation import continue_tokens
from chapbook.report import html_quote, html_table
from chapbook.tokenizer import encode_documents

SAMPLES = "continuations.jsonl"
PASSAGES, QUICK_PASSAGES = 200, 24
TOKENS, QUICK_TOKENS = 100, 64
# Fixed, not evaluation.batch_size: which texts share a batch decides what is drawn for each.
TEXTS_AT_ONCE = 16
# self-BLEU compares each text with each other: of 100 texts it takes a second.
SELF_BLEU_TEXTS = 100
# Enough to know 99 of 100 running words of a period, and two seconds to read.
VOCABULARY_BYTES = 20_000_000

# What is summed over a document's texts, and divided: name -> (sum, by sum).
RATES = {
    "repeated_4grams": ("repeated", "runs"),
    "loops": ("looping", "texts"),
    "ended": ("ended", "texts"),
    "words_per_text": ("words", "texts"),
    "words_per_sentence": ("words", "sentences"),
    "letters_per_word": ("letters", "words"),
    "period_forms": ("period", "words"),
    "unknown_words": ("unknown", "words"),
    "anachronisms": ("anachronisms", "words"),
    "later_years": ("later_years", "words"),
}
SUMS = sorted({"syllables", *(name for pair in RATES.values() for name in pair)})


@dataclass(frozen=True)
class Passage:
    """A held-back passage and what was written after its first part."""

    document: int
    id: str
    prompt: str
    truth: str
    written: str
    ended: bool


def measure(context: Context) -> dict[str, Any]:
    """Likeness, variety, repetition, readability and period marks. All texts go to continuations.jsonl.

    Raises ChapbookError when no document is long enough for a passage.
    """
    size = context.model.config.max_position_embeddings
    tokens = min(QUICK_TOKENS if context.quick else TOKENS, size // 2)
    passages = write(context, QUICK_PASSAGES if context.quick else PASSAGES, tokens)
    lines = [
        json.dumps({"id": p.id, "prompt": p.prompt, "truth": p.truth, "written": p.written}, ensure_ascii=False)
        for p in passages
    ]
    (context.output / SAMPLES).write_text("\n".join(lines) + "\n", "utf-8")
    period = context.config.evaluation.period or context.config.corpus.period
    known = None if context.corpus is None else _vocabulary(context)
    documents = len({passage.document for passage in passages})
    example = passages[len(passages) // 2]
    return {
        "passages": len(passages),
        "prompt_tokens": tokens,
        "written_tokens": tokens,
        "period": list(period) if period else None,
        "vocabulary_bytes": None if known is None else VOCABULARY_BYTES,
        "left_out": f"all but {len(passages)} passages" if context.quick else None,
        "confidence": describe(documents, context.config.evaluation.resamples, context.seed),
        "rouge": _rouge(context, passages),
        "model": _describe(context, passages, [p.written for p in passages], period, known),
        "truth": _describe(context, passages, [p.truth for p in passages], period, known),
        "example": {"id": example.id, "prompt": example.prompt, "truth": example.truth, "written": example.written},
        "samples": SAMPLES,
    }


def write(context: Context, number: int, tokens: int) -> list[Passage]:
    """Held-back passages of twice `tokens` tokens, drawn from all documents, and what the model makes of each.

    Sampled as the configuration samples, with the context's seed. Raises ChapbookError when no document is long enough.
    """
    lengths = [len(ids) for ids in encode_documents(context.tokenizer, (d.text for d in context.documents))]
    # Room to move a passage until it begins, and is cut, between two words.
    stride = 2 * tokens + tokens // 2
    blocks = [(row, start) for row, length in enumerate(lengths) for start in range(0, length - stride + 1, stride)]
    if not blocks:
        raise ChapbookError(
            f"No document of the {context.split} text has {stride} tokens: there is nothing to go on from."
        )
    chosen = sorted(random.Random(context.seed).sample(blocks, min(number, len(blocks))))
    places = []
    for row, group in itertools.groupby(chosen, key=lambda block: block[0]):
        ids, begins = _words_begin(context, context.documents[row].text)
        for _, start in group:
            shifts = range(start, start + tokens // 2 + 1)
            # A word boundary at the cut matters more than one at the beginning.
            shift = max(shifts, key=lambda place: (begins[place + tokens], begins[place], -place))
            places.append((row, ids[shift : shift + 2 * tokens]))
    settings = context.config.generation
    passages = []
    for first in range(0, len(places), TEXTS_AT_ONCE):
        batch = places[first : first + TEXTS_AT_ONCE]
        prompts = [ids[:tokens] for _, ids in batch]
        seeded = settings.model_copy(update={"seed": context.seed + first})
        written = continue_tokens(context.model, prompts, tokens, seeded, context.end_of_text)
        for (row, ids), (own, ended) in zip(batch, written, strict=True):
            prompt, truth, text = map(context.tokenizer.decode, (ids[:tokens], ids[tokens:], own))
            passages.append(Passage(row, context.documents[row].id, prompt, truth, text, ended))
    return passages


def _words_begin(context: Context, text: str) -> tuple[list[int], list[bool]]:
    """The token ids of a text, and for each whether it begins where a word does."""
    encoding = context.tokenizer.encode(text, add_special_tokens=False)
    begins = [start == 0 or text[start].isspace() or text[start - 1].isspace() for start, _ in encoding.offsets]
    return encoding.ids, begins


def _vocabulary(context: Context) -> frozenset[str]:
    """The words of the first `VOCABULARY_BYTES` of training text, lower case."""
    assert context.corpus is not None
    known: set[str] = set()
    size = 0
    for text in read_texts(context.corpus, "train"):
        known.update(word.lower() for word in figures.words(text))
        size += len(text)
        if size >= VOCABULARY_BYTES:
            break
    return frozenset(known)


def _rouge(context: Context, passages: list[Passage]) -> dict[str, Any]:
    """ROUGE-1/2/L F1 of the model's texts and of the controls, with intervals by document."""
    shuffler = random.Random(context.seed)
    truths = [figures.rouge_words(passage.truth) for passage in passages]
    candidates = {
        "model": [figures.rouge_words(passage.written) for passage in passages],
        "shuffled_truth": [shuffler.sample(truth, len(truth)) for truth in truths],
        "other_passage": [truths[_other(passages, number)] for number in range(len(truths))],
        "truth": truths,
    }
    rows = _rows(passages)
    found = {}
    for name, texts in candidates.items():
        scores = np.array(
            [
                [figures.rouge_n(a, b, 1), figures.rouge_n(a, b, 2), figures.rouge_l(a, b), 1.0]
                for a, b in zip(texts, truths, strict=True)
            ]
        )
        sums = _by_document(scores, rows)
        drawn = resampled_sums(sums, context.config.evaluation.resamples, context.seed)
        means = sums.sum(0)
        found[name] = {
            metric: {"value": means[i] / means[3], "interval": interval(drawn[:, i] / drawn[:, 3])}
            for i, metric in enumerate(("rouge1", "rouge2", "rougeL"))
        }
    return found


def _other(passages: list[Passage], number: int) -> int:
    """Another passage to compare with: half-way round, so of another document where there are several."""
    return (number + max(1, len(passages) // 2)) % len(passages)


def _rows(passages: list[Passage]) -> list[int]:
    """For each passage the number of its document among those that have one."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(passage.document, len(numbers)) for passage in passages]


def _by_document(values: Any, rows: list[int]) -> Any:
    """Values of passages (passages, quantities) summed by document: (documents, quantities)."""
    sums = np.zeros((max(rows) + 1, values.shape[1]))
    np.add.at(sums, rows, values)
    return sums


def _describe(
    context: Context,
    passages: list[Passage],
    texts: list[str],
    period: tuple[int, int] | None,
    known: frozenset[str] | None,
) -> dict[str, Any]:
    """All figures of the model's texts, or of the true ones, that do not need a reference."""
    split = [figures.words(text) for text in texts]
    # Variety falls with the amount of text: both sides are cut to the shorter of each pair.
    pairs = [(figures.words(passage.truth), figures.words(passage.written)) for passage in passages]
    cut = [own[: min(map(len, pair))] for own, pair in zip(split, pairs, strict=True)]
    counted = [
        _count(text, own, passage.ended, period, known)
        for text, own, passage in zip(texts, split, passages, strict=True)
    ]
    sums = _by_document(np.array([[row[name] for name in SUMS] for row in counted], np.float64), _rows(passages))
    drawn = resampled_sums(sums, context.config.evaluation.resamples, context.seed)
    total, column = sums.sum(0), SUMS.index
    result: dict[str, Any] = {f"distinct_{size}": figures.distinct(cut, size) for size in (1, 2, 3)}
    result["self_bleu"] = figures.self_bleu(cut[:SELF_BLEU_TEXTS])
    for name, (upper, lower) in RATES.items():
        result[name] = _rate(total, drawn, column(upper), column(lower))
    parts = (column("words"), column("sentences"), column("syllables"))
    result["flesch_reading_ease"] = None
    if total[parts[0]]:
        usable = drawn[drawn[:, parts[0]] > 0]
        values = [figures.flesch(*row) for row in usable[:, parts].tolist()]
        result["flesch_reading_ease"] = {
            "value": figures.flesch(*(float(total[part]) for part in parts)),
            "interval": interval(np.array(values)),
        }
    if period is None:
        result["anachronisms"] = result["later_years"] = None
    else:
        found = sum((anachronisms(text, period[1] + MARGIN_YEARS)[0] for text in texts), start=anachronisms("", 0)[0])
        result["anachronistic_words"] = dict(found.most_common(20))
    if known is None:
        result["unknown_words"] = None
    return result


def _count(
    text: str, own: list[str], ended: bool, period: tuple[int, int] | None, known: frozenset[str] | None
) -> dict[str, float]:
    again, runs = figures.repeated([word.lower() for word in own])
    later = 0 if period is None else sum(year > period[1] for year in years_in(text))
    return {
        "texts": 1,
        "ended": ended,
        "words": len(own),
        "sentences": figures.sentences(text) if own else 0,
        "syllables": sum(map(figures.syllables, own)),
        "letters": sum(map(len, own)),
        "repeated": again,
        "runs": runs,
        "looping": figures.loops([word.lower() for word in own]),
        "period": sum(map(figures.is_period_form, own)),
        # The last word of a text that stops at a number of tokens may be cut in two.
        "unknown": 0 if known is None else sum(word.lower() not in known for word in own[:-1]),
        "anachronisms": 0 if period is None else anachronisms(text, period[1] + MARGIN_YEARS)[0].total(),
        "later_years": later,
    }


def _rate(total: Any, drawn: Any, upper: int, lower: int) -> dict[str, Any] | None:
    if not total[lower]:
        return None
    if not total[upper]:
        # Resampling nothing gives nothing; the rule of three (Hanley and Lippman-Hand 1983) says how much it may be.
        return {"value": 0.0, "interval": [0.0, min(1.0, 3 / float(total[lower]))]}
    usable = drawn[drawn[:, lower] > 0]
    return {"value": float(total[upper] / total[lower]), "interval": interval(usable[:, upper] / usable[:, lower])}


LABELS = {
    "repeated_4grams": ("runs of 4 words that stood in the text before", ".1%"),
    "loops": ("texts that end in a loop", ".1%"),
    "words_per_text": ("words per text", ".1f"),
    "words_per_sentence": ("words per sentence", ".1f"),
    "letters_per_word": ("letters per word", ".2f"),
    "flesch_reading_ease": ("Flesch reading ease", ".1f"),
    "period_forms": ("forms of the period (thou, hath, shew ...), of all words", ".2%"),
    "unknown_words": ("words that the training text does not have", ".2%"),
    "anachronisms": ("words younger than the period", ".3%"),
    "later_years": ("years after the period, of all words", ".3%"),
}


def page(result: dict[str, Any]) -> str:
    """Likeness with its controls, then the model's texts beside the true ones, and one example."""
    names = {
        "model": "the model",
        "shuffled_truth": "the true words in random order",
        "other_passage": "another passage",
        "truth": "the true continuation",
    }
    likeness = [
        (label, *(_cell(result["rouge"][name][metric], ".3f") for metric in ("rouge1", "rouge2", "rougeL")))
        for name, label in names.items()
    ]
    model, truth = result["model"], result["truth"]
    rows = [(f"distinct-{size}", *(_plain(side[f"distinct_{size}"]) for side in (model, truth))) for size in (1, 2, 3)]
    rows.append(("self-BLEU (1: all texts alike)", _plain(model["self_bleu"]), _plain(truth["self_bleu"])))
    rows += [(label, *(_cell(side[key], form) for side in (model, truth))) for key, (label, form) in LABELS.items()]
    notes = [
        f"{result['passages']} held-back passages: {result['prompt_tokens']} tokens given, {result['written_tokens']} "
        f"written. 95% intervals: {result['confidence']['method']}. Likeness is ROUGE F1 to the true continuation; who "
        "does not know the text by heart does not come far above another passage. distinct-n and self-BLEU are "
        "measured on equal numbers of words."
    ]
    if caution := result["confidence"].get("caution"):
        notes.append(f"Caution: {caution}.")
    if result["period"] is None:
        notes.append("Anachronisms are not counted: set evaluation.period, e.g. [1500, 1850].")
    elif found := model["anachronistic_words"]:
        notes.append("Words younger than the period: " + ", ".join(f"{word} ({n})" for word, n in found.items()) + ".")
    if result["left_out"]:
        notes.append(f"Left out: {result['left_out']} (quick mode).")
    example = result["example"]
    return "".join(
        [
            html_table("Likeness to the true continuation", ("", "ROUGE-1", "ROUGE-2", "ROUGE-L"), likeness),
            html_table("The model's texts beside the true ones", ("", "the model", "the truth"), rows),
            *(f"<p>{html.escape(note)}</p>" for note in notes),
            f"<p>One passage ({html.escape(example['id'])}), given:</p>{html_quote(example['prompt'])}",
            f"<p>The model went on:</p>{html_quote(example['written'])}",
            f"<p>The text goes on:</p>{html_quote(example['truth'])}",
        ]
    )


def _plain(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"


def _cell(figure: dict[str, Any] | None, form: str) -> str:
    if figure is None:
        return "not measured"
    low, high = figure["interval"]
    return f"{figure['value']:{form}} ({low:{form}} to {high:{form}})"
