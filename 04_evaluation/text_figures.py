"""Figures of written texts: likeness to a reference, variety, repetition, readability, marks of the period.

Each is a function of texts alone, so that the same is measured of the model's texts and of true ones.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

# A loop is a block of words that stands at least so often, and fills so many words, at the end of a text.
LOOP_TIMES, LOOP_WORDS = 3, 9
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?]+(?=\s|[\"'”’)]|$)")
_VOWELS = re.compile(r"[aeiouyæœ]+")
# Loveth, walkedst; not teeth, nor twentieth, nor Elizabeth.
_PERIOD_VERB = re.compile(r"^(?!teeth$|shibboleth$)[a-z]{2,}(?<!ti)(?:eth|edst)$")


def rouge_words(text: str) -> list[str]:
    """The words as ROUGE counts them: lower case, runs of a to z and digits (as rouge_score 0.1.2, no stemming)."""
    return [word for word in _SEPARATORS.split(text.lower()) if word]


def words(text: str) -> list[str]:
    """The words of a text as written: letters of any script, with apostrophes inside."""
    return _WORD.findall(text)


def ngrams(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    """All runs of `size` tokens with their number."""
    return Counter(zip(*(tokens[offset:] for offset in range(size)), strict=False))


def rouge_n(candidate: Sequence[str], reference: Sequence[str], size: int) -> float:
    """ROUGE-N as F1 (Lin 2004): shared runs of `size` words, 0 to 1; 0 when either text has none."""
    first, second = ngrams(candidate, size), ngrams(reference, size)
    return _f1((first & second).total(), first.total(), second.total())


def rouge_l(candidate: Sequence[str], reference: Sequence[str]) -> float:
    """ROUGE-L as F1 (Lin 2004): the longest common subsequence of words, 0 to 1."""
    row = [0] * (len(reference) + 1)
    for word in candidate:
        diagonal = 0
        for place, other in enumerate(reference, start=1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return _f1(row[-1], len(candidate), len(reference))


def _f1(shared: int, first: int, second: int) -> float:
    return 2 * shared / (first + second) if shared else 0.0


def distinct(texts: Iterable[Sequence[str]], size: int) -> float | None:
    """distinct-n (Li et al. 2016): different runs of `size` words as a share of all; None when there is no run.

    It falls with the amount of text: compare only texts of the same number of words.
    """
    total: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        total += ngrams(text, size)
    return len(total) / total.total() if total else None


def self_bleu(texts: Sequence[Sequence[str]]) -> float | None:
    """Mean BLEU-4 of each text against all others (Zhu et al. 2018): 1 when all are alike. None below two texts.

    Smoothed as method 1 of Chen and Cherry (2014), brevity by the closest length, as nltk's `sentence_bleu`.
    """
    texts = [text for text in texts if text]
    if len(texts) < 2:
        return None
    counts = [[ngrams(text, size) for size in (1, 2, 3, 4)] for text in texts]
    total = 0.0
    for number, text in enumerate(texts):
        logs = 0.0
        for size in range(4):
            own = counts[number][size]
            most: Counter[tuple[str, ...]] = Counter()
            for other, grams in enumerate(counts):
                if other != number:
                    for gram in own.keys() & grams[size].keys():
                        most[gram] = max(most[gram], grams[size][gram])
            shared = (own & most).total()
            if size == 0 and not shared:
                logs = -math.inf
                break
            logs += 0.25 * math.log((shared or 0.1) / max(1, own.total()))
        closest = min(
            (len(other) for place, other in enumerate(texts) if place != number),
            key=lambda length: (abs(length - len(text)), length),
        )
        brevity = 1.0 if len(text) > closest else math.exp(1 - closest / len(text))
        total += brevity * math.exp(logs)
    return total / len(texts)


def repeated(text: Sequence[str], size: int = 4) -> tuple[int, int]:
    """How many runs of `size` words stood in the text before, and how many runs it has (seq-rep-4, Welleck 2020)."""
    grams = ngrams(text, size)
    return grams.total() - len(grams), grams.total()


def loops(text: Sequence[str]) -> bool:
    """Whether a text ends in a loop: a block of words `LOOP_TIMES` times in a row, `LOOP_WORDS` words together."""
    for length in range(1, len(text) // LOOP_TIMES + 1):
        times = max(LOOP_TIMES, -(-LOOP_WORDS // length))
        end = text[len(text) - length * times :]
        if len(end) == length * times and all(end[place] == end[place % length] for place in range(len(end))):
            return True
    return False


def syllables(word: str) -> int:
    """The syllables of an English word, by rule: groups of vowels, less a silent e at the end; at least one."""
    lower = word.lower()
    groups = len(_VOWELS.findall(lower))
    if lower.endswith("e") and not lower.endswith(("le", "ee")) and groups > 1:
        groups -= 1
    return max(1, groups)


def sentences(text: str) -> int:
    """Sentences by their full stops, question and exclamation marks; at least one where there are words."""
    return max(1, len(_SENTENCE_END.findall(text)))


def flesch(word_count: float, sentence_count: float, syllable_count: float) -> float:
    """Flesch reading ease (Flesch 1948): 100 is very easy, 0 very hard; prose of the period lies between 40 and 70."""
    return 206.835 - 1.015 * word_count / sentence_count - 84.6 * syllable_count / word_count


def is_period_form(word: str) -> bool:
    """Whether a word is a form of the years 1500 to 1850 that later prose does not use (thou, hath, goeth, shew)."""
    return word.lower() in _period_words() or bool(_PERIOD_VERB.match(word))


@cache
def _period_words() -> frozenset[str]:
    lines = Path(__file__).with_name("period_forms.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
