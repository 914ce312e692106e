"""The search for duplicates on generated texts, whose twins are known."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_index import CorpusIndex
from duplicates import KINDS, Duplicates, find_duplicates, near_candidates
from fingerprints import (
    BANDS,
    ROWS,
    Fingerprints,
    distinct_grams,
    fingerprint,
    gram_hashes,
    letters_and_digits,
    normalise,
    similarity,
    word_hashes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from chapbook.config import DuplicatesConfig

VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "ld", "m", "sh")]


def prose(rng: random.Random, words: int) -> str:
    """Words by chance, some often and most rarely, in paragraphs."""
    chosen = [VOCABULARY[int(len(VOCABULARY) * rng.random() ** 2)] for _ in range(words)]
    for place in range(90, words, 90):
        chosen[place] += ".\n\n"
    return " ".join(chosen)


def noisy(text: str, share: float, rng: random.Random) -> str:
    """The text with a share of its words replaced."""
    return " ".join(rng.choice(VOCABULARY) if rng.random() < share else word for word in text.split(" "))


class Known(CorpusIndex):
    """An index made of texts in memory."""

    def __init__(self, texts: dict[str, str], paragraph_letters: int | None = 300) -> None:
        import pyarrow as pa

        self.prints: Fingerprints = fingerprint(list(texts.values()), paragraph_letters)
        self.table = pa.table(
            {"id": list(texts), "source": ["s"] * len(texts), "letters": pa.array(self.prints.letters, pa.int64())}
        )

    def fingerprints(self, name: str) -> np.ndarray:
        """The arrays as they are."""
        array: np.ndarray = getattr(self.prints, name)
        return array


def find(texts: dict[str, str], **changes: Any) -> tuple[dict[str, tuple[str, str]], dict[str, int], Duplicates]:
    """Which documents go, for whom and why; and the number of the split group of each."""
    config = DuplicatesConfig(**changes)
    index = Known(texts, config.paragraph_letters)
    all_texts, ids = list(texts.values()), list(texts)
    found = find_duplicates(index, config, lambda rows: lambda row: distinct_grams(all_texts[row]))
    gone = {
        ids[row]: (ids[int(found.winner[row])], KINDS[found.kind[row]])
        for row in range(len(ids))
        if found.winner[row] >= 0
    }
    return gone, dict(zip(ids, found.group.tolist(), strict=True)), found


def test_words_are_hashed_alike_wherever_they_stand() -> None:
    """Would break: fingerprints that differ between machines, or for words across the blocks of a long text."""
    text = " ".join(f"w{number}" for number in range(400_000))
    hashes = word_hashes(normalise(text))
    assert len(hashes) == len(set(hashes.tolist())) == 400_000
    assert hashes[399_999] == word_hashes(b"w399999")[0]
    assert word_hashes(normalise("Don’t—STOP, “élan” 7.5")).tolist() == [
        int(word_hashes(word.encode())[0]) for word in ("don", "t", "stop", "élan", "7", "5")
    ]
    # A word longer than a block is some word, not an endless loop.
    assert 1 <= len(word_hashes(b"a" * 3_000_000)) <= 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_fingerprints_do_not_depend_on_the_batch(texts: list[str]) -> None:
    """Would break: another corpus when documents travel in other batches."""
    together = fingerprint(texts, 10)
    for number, text in enumerate(texts):
        alone = fingerprint([text], 10)
        grams = gram_hashes(word_hashes(normalise(text)), 5)
        assert together.sampled_counts[number] == len(np.unique(grams[grams < np.uint64(2**60)]))
        assert (together.exact[number] == alone.exact[0]).all()
        assert together.letters[number] == len(letters_and_digits(normalise(text)))
        if together.letters[number]:
            assert (together.digests[number] == alone.digests[0]).all()


def test_twins_that_differ_in_layout_are_duplicates() -> None:
    """Would break: the same text with other quotes is trained on twice, and leaks into validation."""
    texts = {"b": "“It’s a café,” he said.", "a": '"Its a CAFÉ" he\nsaid', "c": "It is another", "d": "...", "e": "!!!"}
    gone, _, _ = find(texts)
    assert gone == {"b": ("a", "duplicate")}


def planted(rng: random.Random, number: int) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Texts, and which of them have which kind of twin."""
    texts = {f"t{n:04d}": prose(rng, 300 + int(rng.random() * 900)) for n in range(number)}
    truth: dict[str, set[str]] = {"duplicate": set(), "near-duplicate": set(), "contained": set(), "noise": set()}
    for n in range(0, number // 2, 5):
        original = texts[f"t{n:04d}"]
        kind = ("duplicate", "near-duplicate", "contained", "noise")[n // 5 % 4]
        name = f"u{n:04d}"
        if kind == "duplicate":
            texts[name] = original.upper().replace(" ", "  ")
        elif kind == "near-duplicate":
            texts[name] = noisy(original, 0.02, rng)
        elif kind == "contained":
            # The text stands in the middle of a longer one.
            texts[name] = prose(rng, 1_500) + "\n\n" + noisy(original, 0.01, rng) + "\n\n" + prose(rng, 1_500)
        else:
            texts[name] = noisy(original, 0.3, rng)
        truth[kind].add(name)
    return texts, truth


def test_planted_twins_are_found_and_nothing_else() -> None:
    """Would break: a corpus of copies, or one that loses texts that are like no other."""
    texts, truth = planted(random.Random(5), 1_000)
    gone, _, _ = find(texts)
    pair = {name: f"t{name[1:]}" for names in truth.values() for name in names}
    expected = {
        frozenset((name, pair[name])) for kind in ("duplicate", "near-duplicate", "contained") for name in truth[kind]
    }
    got = {frozenset((loser, winner)) for loser, (winner, _) in gone.items()}
    assert len(got & expected) / len(expected) == 1.0, "recall"
    assert len(got & expected) / len(got) == 1.0, "precision"
    for loser, (winner, kind) in gone.items():
        assert kind in {k for k, names in truth.items() if loser in names or winner in names}
    # The contained ones are the shorter: the volume stays.
    assert all(gone[pair[name]][0] == name for name in truth["contained"])


def test_what_stays_does_not_depend_on_the_order() -> None:
    """Would break: another corpus when a source is named first."""
    texts, _ = planted(random.Random(6), 200)
    first, _, _ = find(texts)
    names = list(texts)
    random.Random(1).shuffle(names)
    second, _, _ = find({name: texts[name] for name in names})
    assert first == second and first


def test_similarity_is_not_handed_on() -> None:
    """Would break: a chain of texts, each like the next, reduced to one although its ends have little in common."""
    rng = random.Random(7)
    words = prose(rng, 1_300).split()
    # Windows that move on by 150 words share 0.74; every second one 0.54.
    texts = {f"c{n}": " ".join(words[n * 150 : n * 150 + 1_000]) for n in range(3)}
    letters = {name: len(letters_and_digits(normalise(text))) for name, text in texts.items()}
    gone, groups, _ = find(texts, containment=1.0)
    stays = [name for name in texts if name not in gone]
    for one in stays:
        for other in stays:
            if one < other:
                assert similarity(distinct_grams(texts[one]), distinct_grams(texts[other]))[0] < 0.7
    assert 1 <= len(gone) <= 2
    # Those that stay are alike enough to belong on one side of the split.
    assert len({groups[name] for name in stays}) == 1
    assert max(letters, key=lambda name: letters[name]) in stays


def test_similar_texts_that_stay_are_one_group() -> None:
    """Would break: half of an inquest's formula in training, the other half in validation."""
    rng = random.Random(8)
    base = prose(rng, 600)
    texts = {"a": base, "b": noisy(base, 0.09, rng), "c": prose(rng, 600)}
    gone, groups, _ = find(texts)
    assert not gone and groups["a"] == groups["b"] != groups["c"]


def test_a_thousand_copies_leave_one() -> None:
    """Would break: a bucket larger than the window keeps a copy per window."""
    rng = random.Random(9)
    base = prose(rng, 400)
    texts = {f"t{n:04d}": f"{base} {VOCABULARY[n % 300]} {VOCABULARY[n // 300]}" for n in range(1_000)}
    gone, _, _ = find(texts)
    assert len(gone) == 999


def test_repeated_paragraphs_stay_once() -> None:
    """Would break: a library's notice in every book of it; or a paragraph lost altogether."""
    rng = random.Random(10)
    notice = prose(rng, 85)
    texts = {f"t{n}": f"{prose(rng, 400 + 50 * n)}\n\n{notice}\n\n{prose(rng, 300)}" for n in range(4)}
    twice = prose(rng, 85)
    texts["t0"] += "\n\n" + twice
    texts["t1"] += "\n\n" + twice.upper()
    gone, _, found = find(texts, paragraph_letters=200)
    assert not gone
    # The longest keeps it; what stands in two documents only stays in both.
    assert found.paragraph_rows.tolist() == [0, 1, 2] and len(set(found.paragraph_hashes.tolist())) == 1
    from assembly import without_paragraphs

    left = without_paragraphs(texts["t0"], set(found.paragraph_hashes.tolist()))
    assert notice not in left and twice in left and left.count("\n\n") == texts["t0"].count("\n\n") - 1
    assert not len(find(texts, paragraph_letters=None)[2].paragraph_rows)


@pytest.mark.parametrize(("share", "least"), [(0.05, 0.98), (0.1, 0.85)])
def test_digests_find_misread_copies(share: float, least: float) -> None:
    """Would break: two scans of one book are two books."""
    rng = random.Random(11)
    # Words drawn from many, so that 3-grams do not repeat as they do in `prose`.
    words = [f"{one}{other}" for one in VOCABULARY[:120] for other in VOCABULARY[:80]]
    texts = [" ".join(rng.choices(words, k=1_000)) for _ in range(200)]
    texts += [" ".join(rng.choice(words) if rng.random() < share else w for w in text.split()) for text in texts]
    digests = fingerprint(texts, None).digests
    pairs = {(int(p) >> 32, int(p) & (2**32 - 1)) for p in near_candidates(digests, np.arange(400))}
    assert digests.shape == (400, BANDS * ROWS)
    assert sum((n, n + 200) in pairs for n in range(200)) / 200 >= least
    assert not [pair for pair in pairs if pair[1] - pair[0] != 200]


def test_equal_ids_sort_the_same_everywhere(tmp_path: Path) -> None:
    """Would break: of two equal texts another one stays when pieces are cut differently."""
    index = Known({"b": "one two three", "a": "one two three", "c": "one two three four"})
    assert [index.value("id", int(row)) for row in index.preferred] == ["c", "a", "b"]
