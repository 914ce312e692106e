"""Splitting and mixing by whole documents, stable when documents are added."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mixture import REASONS, choose, second_key
from split import assign_split, group_keys, split_key
from support import Run, result, write_config

from chapbook.config import MixtureConfig
from chapbook.corpus import Document, Reject, read_shards
from chapbook.errors import ChapbookError

COLLECT, CLEAN = "01_data_collection/collect.py", "01_data_collection/clean.py"
STEPS = ["decode", "extract", "length", "duplicates"]


def keys_of(number: int) -> np.ndarray:
    return np.array([split_key(f"text {n}", 1) for n in range(number)])


def test_groups_are_on_one_side() -> None:
    """Would break: an inquest in training, its twin formula in validation."""
    keys = keys_of(3_000)
    groups = np.arange(3_000) // 3
    grouped = group_keys(keys, groups, second_key(keys), 75)
    boundaries = assign_split(sorted(grouped.tolist()), 0.05, 0.1)
    splits = [boundaries.split_of(key) for key in grouped.tolist()]
    assert all(len(set(splits[n : n + 3])) == 1 for n in range(0, 3_000, 3))
    # The key of a group is that of one member, chosen by chance: neither split draws groups to it.
    assert [splits.count(name) / 3_000 for name in ("validation", "test")] == pytest.approx([0.05, 0.1], abs=0.03)
    alone = group_keys(keys, np.arange(3_000), second_key(keys), 75)
    assert (alone == keys).all()


def test_a_group_rarely_moves_when_one_joins() -> None:
    """Would break: yesterday's validation texts in today's training texts with every new document."""
    keys = keys_of(4_000)
    groups = np.arange(4_000) % 1_000
    boundaries = assign_split([0.5], 0.2, 0.0)

    def splits(number: int) -> list[str]:
        grouped = group_keys(keys[:number], groups[:number], second_key(keys[:number]), 100)
        return [boundaries.split_of(key) for key in grouped[:1_000].tolist()]

    # A fourth member decides for the group in one case of four, and then it changes sides in a third of them.
    assert sum(a != b for a, b in zip(splits(3_000), splits(4_000), strict=True)) < 150


def test_a_group_as_large_as_a_split_is_trained_on() -> None:
    """Would break: half the corpus held back because 500 inquests share a formula."""
    keys = keys_of(1_000)
    groups = np.where(np.arange(1_000) < 500, 0, np.arange(1_000))
    grouped = group_keys(keys, groups, second_key(keys), 25)
    assert (grouped[:500] == 1.0).all() and (grouped[500:] == keys[500:]).all()


def test_weights_caps_and_epochs() -> None:
    """Would break: a large source that drowns the others, or text repeated without being asked for."""
    number = 2_000
    sources = np.repeat([0, 1], number)
    sizes, keys = np.full(2 * number, 100), np.array([split_key(f"d{n}", 2) for n in range(2 * number)])

    def chosen(**mixture: MixtureConfig) -> tuple[np.ndarray, np.ndarray]:
        return choose(sources, ["a", "b"], sizes, keys, mixture)

    reasons, copies = chosen()
    assert not reasons.any() and (copies == 1).all()
    reasons, copies = chosen(a=MixtureConfig(weight=0.25))
    assert (reasons[:number] == REASONS.index("sampled out")).mean() == pytest.approx(0.75, abs=0.03)
    assert not reasons[number:].any() and (copies == 1).all()
    reasons, copies = chosen(a=MixtureConfig(weight=2.5))
    assert not reasons.any() and set(copies[:number].tolist()) == {2, 3} and (copies[number:] == 1).all()
    assert copies[:number].mean() == pytest.approx(2.5, abs=0.05)
    reasons, _ = chosen(a=MixtureConfig(max_bytes=50_050))
    assert (reasons[:number] == 0).sum() == 500 and not reasons[number:].any()
    reasons, _ = chosen(a=MixtureConfig(max_share=0.2))
    assert (reasons[:number] == 0).sum() == pytest.approx(number / 4, abs=1)
    reasons, _ = chosen(a=MixtureConfig(max_share=0.2), b=MixtureConfig(max_bytes=100_000))
    assert (reasons[:number] == 0).sum() == pytest.approx(250, abs=1) and (reasons[number:] == 0).sum() == 1_000
    with pytest.raises(ChapbookError, match="no corpus can be so"):
        chosen(a=MixtureConfig(max_share=0.3), b=MixtureConfig(max_share=0.3))
    # What is sampled out says nothing about the split.
    assert abs(np.corrcoef(second_key(keys), keys)[0, 1]) < 0.05


def test_a_weight_is_stable_when_documents_are_added() -> None:
    """Would break: another half of the documents in every new version of a corpus."""
    keys = keys_of(500)
    half = {"a": MixtureConfig(weight=0.5)}
    few, _ = choose(np.zeros(300, int), ["a"], np.ones(300), keys[:300], half)
    many, _ = choose(np.zeros(500, int), ["a"], np.ones(500), keys, half)
    assert (few == many[:300]).all()


def mixed(tmp_path: Path, **changes: object) -> tuple[Run, Callable[..., dict[str, object]]]:
    sources = [{"kind": "sample", "name": name, "seed": seed, "bytes": 60_000} for name, seed in (("a", 1), ("b", 2))]
    config = write_config(tmp_path / "c.yaml", corpus__sources=sources, corpus__steps=STEPS, **changes)
    run = Run(config, tmp_path / "workspace")
    run.script(COLLECT)
    return run, lambda *flags: result(run.script(CLEAN, "--json", *flags))


def test_the_corpus_holds_the_mixture(tmp_path: Path) -> None:
    """Would break: weights that are read and ignored, or epochs of validation text."""
    mixture = {"a": {"weight": 2}, "b": {"max_bytes": 20_000}}
    run, clean = mixed(tmp_path, corpus__mixture=mixture)
    counts = clean()
    corpus = run.workspace / "corpora" / "tiny"
    train = [document.id for document in read_shards(corpus / "train", Document)]
    held_back = [document.id for document in read_shards(corpus / "validation", Document)]
    first = [name for name in train if name.startswith("a/") and "@" not in name]
    # The second epoch comes after all of the first, so that no text follows on itself.
    assert train[-len(first) :] == [f"{name}@2" for name in first] and not any("@" in name for name in held_back)
    texts = {document.id: document.text for document in read_shards(corpus / "train", Document)}
    assert all(texts[name] == texts[f"{name}@2"] for name in first)
    left_out = [reject for reject in read_shards(corpus / "rejects", Reject) if reject.step == "mixture"]
    assert left_out and {reject.reason for reject in left_out} == {"over the cap: b"}
    by_source = counts["by_source"]
    assert isinstance(by_source, dict) and by_source["b"]["bytes"] <= 20_000
    assert by_source["a"]["repeated_documents"] == len(first)
    assert counts["in"] == counts["kept"] + counts["rejected"]  # type: ignore[operator]
    wrong = run.script(CLEAN, "--corpus.mixture.c.weight", 2, code=2)
    assert "corpus.mixture.c: there is no source of this name (there are: a, b)" in wrong.stderr


def test_sections_of_a_document_stay_together_when_there_are_enough(tmp_path: Path) -> None:
    """Would break: the second half of a story in validation, its first half in training."""
    run, clean = mixed(tmp_path, corpus__section_characters=1_000, corpus__validation_share=0.3)
    counts = clean()
    assert counts["documents"] > counts["kept"]  # type: ignore[operator]
    corpus = run.workspace / "corpora" / "tiny"
    sides = [{d.id.split("#")[0] for d in read_shards(corpus / name, Document)} for name in ("train", "validation")]
    assert not sides[0] & sides[1] and all(sides)


def test_a_corpus_of_pairs_still_has_both_sides(tmp_path: Path) -> None:
    """Would break: every pair of similar documents sent to training, and then the whole corpus to validation."""
    chance = random.Random(4)
    syllables = ["ba", "den", "fir", "gol", "hum", "kes", "lan", "mor", "nit", "pas"]
    vocabulary = [a + b for a in syllables for b in syllables]
    (tmp_path / "texts").mkdir()
    for number in range(15):
        words = chance.choices(vocabulary, k=400)
        other = [chance.choice(vocabulary) if chance.random() < 0.08 else word for word in words]
        (tmp_path / "texts" / f"{number}a.txt").write_text(" ".join(words))
        (tmp_path / "texts" / f"{number}b.txt").write_text(" ".join(other))
    source = {"kind": "files", "paths": "texts"}
    run = Run(write_config(tmp_path / "c.yaml", corpus__sources=[source], corpus__steps=STEPS), tmp_path / "workspace")
    run.script(COLLECT)
    counts = result(run.script(CLEAN, "--json"))
    assert counts["kept"] == 30
    corpus = run.workspace / "corpora" / "tiny"
    sides = [{d.id[:-5] for d in read_shards(corpus / name, Document)} for name in ("train", "validation")]
    assert not sides[0] & sides[1] and len(sides[0]) > len(sides[1]) >= 1
