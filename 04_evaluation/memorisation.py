"""What the model learnt by heart, and what of the evaluation it may have read in training.

Copies: samples written from nothing are compared, token for token, with all of the training text: the longest stretch
that stands there, and the share of their runs of `WINDOW` tokens that do. Held-back text is put to the same question,
because phrases are shared by honest writers too; what the model copies beyond that is memory.

Extraction (Carlini et al. 2022, "Quantifying memorization across neural language models"): given `WINDOW` tokens of a
training document, is the likeliest continuation the next `WINDOW` exactly? The same with held-back documents is what
regular text gives without any memory of it.

Contamination: items of tasks/london_history that stand in the training text, by the rule of GPT-3 that the cleaning
step `decontaminate` uses: 13 words in a row, or the whole item when it has 8 to 12.

All three questions are answered in one reading of the training text (overlap.py), in memory that does not grow with it.
"""

from __future__ import annotations

import html
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bootstrap import interval, resampled_sums
from context import Context
from continuation import TEXTS_AT_ONCE
from overlap import SHORTEST, Overlaps, copied_windows
from proportion import percent, share, wilson
from tasks.london_history.items import CATEGORIES, read

from chapbook.config import GenerationConfig
from chapbook.corpus import read_texts
from chapbook.errors import ChapbookError
from chapbook.generation import continue_tokens
from chapbook.log import ProgressBar
from chapbook.report import html_quote, html_table
from chapbook.tokenizer import BATCH_CHARACTERS, Encoder, encode_documents, text_batches

WINDOW = 50
SAMPLE_TOKENS = 256
CONTAMINATED_WORDS = 13
# 200 prompts give a rate to +-7 points at worst, and a rate of 0 is below 2%.
SAMPLES, PROMPTS = 100, 200
QUICK_SAMPLES, QUICK_PROMPTS = 16, 32
QUICK_BYTES = 2_000_000
_WORD = re.compile(r"[^\W_]+")


@dataclass
class Training:
    """What one reading of the training text gave."""

    documents: int = 0
    tokens: int = 0
    bytes: int = 0
    complete: bool = True


def measure(context: Context) -> dict[str, Any]:
    """Copies in samples, extraction from prompts, and contamination. In quick mode on `QUICK_BYTES` of training text.

    Raises ChapbookError when nothing says which text the model was trained on, or when that holds no document of twice
    `WINDOW` tokens (half the context, for a model of a short one).
    """
    if context.corpus is None:
        raise ChapbookError("What the model copies is measured against its corpus: evaluate without --data.")
    size = context.model.config.max_position_embeddings
    window = min(WINDOW, size // 2)
    written = _samples(context, QUICK_SAMPLES if context.quick else SAMPLES, min(SAMPLE_TOKENS, size - 1))
    wanted = QUICK_PROMPTS if context.quick else PROMPTS
    held_out = list(encode_documents(context.tokenizer, (document.text for document in context.documents)))
    passages = _passages(held_out, min(SAMPLE_TOKENS, size - 1), len(written), context.seed)

    copies = Overlaps([*written, *passages])
    vocabulary = Words()
    items = {item["id"]: vocabulary.ids(f"{item['prompt']} {item['choices'][item['answer']]}") for item in _items()}
    questions = Overlaps(list(items.values()))
    prompts = Reservoir(wanted, 2 * window, context.seed)
    training = _read_training(context, copies, questions, vocabulary, prompts)
    if not prompts.chosen:
        raise ChapbookError(f"No training document has {2 * window} tokens: nothing can be asked to be continued.")

    endings = copies.longest_ending()
    found = {
        name: max(ends, default=0) >= min(CONTAMINATED_WORDS, len(words))
        for (name, words), ends in zip(items.items(), questions.longest_ending(), strict=True)
        if len(words) >= SHORTEST
    }
    return {
        "window": window,
        "shortest_found": SHORTEST,
        "training": vars(training),
        "samples": _copies(context, written, endings[: len(written)], window),
        "held_out": _copies(context, passages, endings[len(written) :], window),
        "extraction": _extract(context, prompts.chosen, window),
        "extraction_held_out": _extract(context, _passages(held_out, 2 * window, wanted, context.seed), window),
        "items": {
            **share(sum(found.values()), len(found)),
            "found": [name for name, is_there in found.items() if is_there],
            "too_short": len(items) - len(found),
        },
    }


def _samples(context: Context, number: int, tokens: int) -> list[list[int]]:
    """Texts that the model writes from nothing, as the configuration samples."""
    settings = context.config.generation
    rows = []
    for start in range(0, number, TEXTS_AT_ONCE):
        batch = min(TEXTS_AT_ONCE, number - start)
        seeded = settings.model_copy(update={"seed": context.seed + start})
        prompts = [[context.end_of_text]] * batch
        rows += [ids for ids, _ in continue_tokens(context.model, prompts, tokens, seeded, context.end_of_text)]
    return rows


def _passages(documents: Sequence[Sequence[int]], tokens: int, number: int, seed: int) -> list[list[int]]:
    """At most `number` passages of `tokens` ids, none overlapping another, drawn from all of the documents."""
    places = [
        (row, start) for row, ids in enumerate(documents) for start in range(0, len(ids) - tokens + 1, max(1, tokens))
    ]
    chosen = random.Random(seed).sample(places, min(number, len(places)))
    return [list(documents[row][start : start + tokens]) for row, start in sorted(chosen)]


class Reservoir:
    """A sample of passages of `tokens` ids, one a document, each document equally likely (Vitter 1985)."""

    def __init__(self, number: int, tokens: int, seed: int) -> None:
        self.number, self.tokens = number, tokens
        self.chosen: list[list[int]] = []
        self._seen = 0
        self._random = random.Random(seed)

    def offer(self, ids: Any) -> None:
        """Consider one document."""
        if len(ids) < self.tokens:
            return
        self._seen += 1
        place = len(self.chosen) if len(self.chosen) < self.number else self._random.randrange(self._seen)
        if place < self.number:
            start = self._random.randrange(len(ids) - self.tokens + 1)
            self.chosen[place : place + 1] = [ids[start : start + self.tokens].tolist()]


class Words:
    """Numbers for the words of some texts: letters and digits, lower case. Words never seen are 0 in other texts."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def ids(self, text: str) -> list[int]:
        """The words of a text that is asked about, as numbers from 1 on."""
        return [self._numbers.setdefault(word, len(self._numbers) + 1) for word in _WORD.findall(text.lower())]

    def look_up(self, text: str) -> Any:
        """The words of any text: shape (words,)."""
        words = _WORD.findall(text.lower())
        return np.fromiter((self._numbers.get(word, 0) for word in words), np.int64, len(words))


def _items() -> Iterator[dict[str, Any]]:
    return itertools.chain.from_iterable(map(read, CATEGORIES))


def _read_training(
    context: Context, copies: Overlaps, questions: Overlaps, vocabulary: Words, prompts: Reservoir
) -> Training:
    """Read the training text once for all that is asked of it."""
    assert context.corpus is not None
    encoder = Encoder(context.checkpoint)
    training = Training()
    with ProgressBar("training text", None, "B") as bar:
        for batch in text_batches(read_texts(context.corpus, "train"), BATCH_CHARACTERS):
            if context.quick and training.bytes >= QUICK_BYTES:
                training.complete = False
                break
            ids, lengths = encoder.encode(batch)
            for document in np.split(ids, np.cumsum(lengths)[:-1]):
                copies.read([document])
                prompts.offer(document)
            questions.read(map(vocabulary.look_up, batch))
            size = sum(len(text.encode()) for text in batch)
            training.documents += len(batch)
            training.tokens += int(lengths.sum())
            training.bytes += size
            bar.advance(size)
    return training


def _copies(context: Context, texts: list[list[int]], endings: list[list[int]], window: int) -> dict[str, Any]:
    """How much of some texts stands in the training text, token for token."""
    longest = [max(ends, default=0) for ends in endings]
    counts = np.array([copied_windows(ends, window) for ends in endings], np.float64).reshape(-1, 2)
    copied, windows = counts.sum(0)
    result: dict[str, Any] = {
        "texts": len(texts),
        "tokens": sum(map(len, texts)),
        "longest": max(longest, default=0),
        "longest_mean": float(np.mean(longest)) if longest else 0.0,
        "longest_text": "",
        "windows": int(windows),
        "copied": float(copied / windows) if windows else None,
        "copied_interval": None,
    }
    if result["longest"]:
        row = longest.index(result["longest"])
        end = endings[row].index(result["longest"]) + 1
        result["longest_text"] = context.tokenizer.decode(texts[row][end - result["longest"] : end])
    if windows:
        counts = counts[counts[:, 1] > 0]
        if 0 < copied < windows:
            sums = resampled_sums(counts, context.config.evaluation.resamples, context.seed)
            result["copied_interval"] = interval(sums[:, 0] / sums[:, 1])
        else:
            # Resampling equal texts gives an interval without width; what can be said is how many texts were alike.
            result["copied_interval"] = wilson(len(counts) if copied else 0, len(counts))
    return result


def _extract(context: Context, passages: list[list[int]], window: int) -> dict[str, Any]:
    """How many passages the model finishes exactly when it is given their first `window` tokens."""
    greedy = GenerationConfig(temperature=0.0)
    exact = right = 0
    for start in range(0, len(passages), TEXTS_AT_ONCE):
        batch = passages[start : start + TEXTS_AT_ONCE]
        prompts = [ids[:window] for ids in batch]
        written = continue_tokens(context.model, prompts, window, greedy, context.end_of_text)
        for ids, (continuation, _) in zip(batch, written, strict=True):
            exact += continuation == ids[window:]
            right += sum(a == b for a, b in zip(continuation, ids[window:], strict=False))
    return {
        "exact": share(exact, len(passages)),
        "tokens_right": right / (window * len(passages)) if passages else None,
    }


def page(result: dict[str, Any]) -> str:
    """Copies and extraction beside the same for held-back text, the longest copy, and contamination."""
    window = result["window"]

    def copied(figures: dict[str, Any]) -> str:
        if figures["copied"] is None:
            return f"no text of {window} tokens"
        low, high = figures["copied_interval"]
        return f"{figures['copied']:.1%} ({low:.1%} to {high:.1%})"

    def longest(figures: dict[str, Any]) -> str:
        return f"{figures['longest']:,}" if figures["longest"] else f"below {result['shortest_found']}"

    samples, held_out = result["samples"], result["held_out"]
    extraction, control = result["extraction"], result["extraction_held_out"]
    rows = [
        (f"runs of {window} tokens that stand in the training text", copied(samples), copied(held_out)),
        ("longest stretch that does (tokens)", longest(samples), longest(held_out)),
        ("the same, mean of all texts", f"{samples['longest_mean']:.1f}", f"{held_out['longest_mean']:.1f}"),
        (
            f"{window} tokens given, the next {window} written exactly",
            percent(extraction["exact"]),
            percent(control["exact"]),
        ),
        (
            "share of those tokens that are right",
            *(
                "not measured" if figures["tokens_right"] is None else f"{figures['tokens_right']:.1%}"
                for figures in (extraction, control)
            ),
        ),
    ]
    training, items = result["training"], result["items"]
    read_all = "all of it" if training["complete"] else "its beginning only (quick mode)"
    notes = [
        "First column: samples of the model, and prompts from its training text. Second: held-back text, which it "
        "never read: what shared phrases and regular text give by themselves. The excess is memory. Intervals: 95%, "
        "by text.",
        f"Compared with {training['tokens']:,} tokens of training text ({read_all}), token for token.",
        f"Evaluation items that stand in the training text: {items['count']} of {items['total']} "
        f"(13 words in a row, or the whole item; {items['too_short']} of less than {result['shortest_found']} words "
        "are not looked for)" + (f": {', '.join(items['found'])}." if items["found"] else "."),
    ]
    quote = f"<p>The longest copy in a sample:</p>{html_quote(samples['longest_text'])}" if samples["longest"] else ""
    columns = ("", "model", "held-back text")
    text = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
    return html_table("Memorisation and contamination", columns, rows) + text + quote
