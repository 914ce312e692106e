"""Intervals and p-values: they cover what they say they cover."""

from __future__ import annotations

import bootstrap
import numpy as np
import pytest


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Would break: intervals from tokens instead of documents, which are several times too narrow."""
    random = np.random.default_rng(7)
    covered = 0
    for trial in range(150):
        # Documents of very different length, each with a difficulty of its own: what text is like.
        sizes = random.integers(100, 3_000, 60).astype(float)
        costs = sizes * random.normal(1.2, 0.3, 60)
        sums = bootstrap.resampled_sums(np.stack([costs, sizes], axis=1), 1_000, trial)
        low, high = bootstrap.interval(sums[:, 0] / sums[:, 1])
        covered += low <= 1.2 <= high
    assert 0.88 <= covered / 150 <= 0.99


def test_equal_models_are_rarely_called_different() -> None:
    """Would break: significance where there is nothing, or none where there is something."""
    random = np.random.default_rng(8)
    false_alarms = found = 0
    for trial in range(150):
        sizes = random.integers(100, 3_000, 60).astype(float)
        hard = sizes * random.normal(1.2, 0.3, 60)
        first, second = (hard + sizes * random.normal(0, 0.02, 60) for _ in range(2))
        false_alarms += bootstrap.paired_difference(first, second, sizes, 1_000, trial)["p_value"] < 0.05
        # One percent better: hidden in what makes documents hard, plain when paired.
        better = bootstrap.paired_difference(first - 0.012 * sizes, second, sizes, 1_000, trial)
        found += better["p_value"] < 0.05 and better["difference"] < 0
    assert false_alarms / 150 <= 0.12
    assert found / 150 >= 0.8


def test_same_seed_same_figures_and_no_p_of_zero() -> None:
    """Would break: a report that differs from run to run, or a certainty that resampling cannot give."""
    sizes = np.arange(1.0, 31.0)
    result = bootstrap.paired_difference(sizes, 2 * sizes, sizes, 1_000, 5)
    assert result == bootstrap.paired_difference(sizes, 2 * sizes, sizes, 1_000, 5)
    assert result["difference"] == pytest.approx(-1) and result["interval"] == pytest.approx([-1, -1])
    assert result["p_value"] == pytest.approx(2 / 1_001)
    assert (result["first_better"], result["second_better"]) == (30, 0)
    assert bootstrap.paired_difference(sizes, sizes, sizes, 1_000, 5)["p_value"] == 1.0
    other = bootstrap.resampled_sums(sizes[:, None], 1_000, 6)
    assert not np.array_equal(other, bootstrap.resampled_sums(sizes[:, None], 1_000, 5))


def test_few_documents_are_said_to_be_few() -> None:
    """Would break: an interval from three documents that looks like one from three hundred."""
    assert "only 3 documents" in bootstrap.describe(3, 1_000, 1)["caution"]
    assert "caution" not in bootstrap.describe(20, 1_000, 1)


def test_pieces_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: gigabytes for many documents, or pairs drawn apart when the matrix is cut."""
    columns = np.random.default_rng(1).random((50, 2))
    whole = bootstrap.resampled_sums(columns, 1_000, 3)
    monkeypatch.setattr(bootstrap, "CHUNK", 700)
    assert np.allclose(bootstrap.resampled_sums(columns, 1_000, 3), whole)
