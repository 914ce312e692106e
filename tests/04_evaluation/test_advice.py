"""Advice: each situation of the guides' table gets its own, with the measured values in its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from advice import Facts, advise, curve_of


def facts(**changes: Any) -> Facts:
    """A trained model, better than a 5-gram model, whose curve has become flat."""
    values: dict[str, Any] = {
        "total": {"bits_per_byte": 1.1, "loss": 3.1, "bytes_per_token": 4.0},
        "floors": floors(-2.0, -0.2),
        "vocabulary": 30_000,
        "parameters": 1_000_000,
        "tokens_seen": 20_000_000,
        "epoch": 2.0,
        "finished": True,
        "train_loss": 3.05,
        "eval_loss": 3.1,
        "training_bytes_per_token": 4.1,
        "curve": [(100, 5.0), (200, 3.5), (300, 3.12), (400, 3.11), (500, 3.105), (600, 3.1)],
    }
    return Facts(**values | changes)


def floors(unigram: float, five: float) -> dict[str, Any]:
    """A table in which the model needs so many bits per byte more (less, below zero) than the n-gram models."""
    rows = [
        {"order": order, "bits_per_byte": 1.1 - difference, "trained_on": 1_000_000}
        | {"model_minus_this": {"difference": difference, "interval": [difference - 0.01, difference + 0.01]}}
        for order, difference in ((1, unigram), (5, five))
    ]
    return {"rows": rows}


FALLING = [(100, 5.0), (200, 4.4), (300, 4.0), (400, 3.6), (500, 3.3), (600, 3.1)]
RISING = [(100, 5.0), (200, 3.5), (300, 3.0), (400, 3.05), (500, 3.2), (600, 3.4)]


@pytest.mark.parametrize(
    ("changes", "actions", "reason"),
    [
        ({}, ["stop", "evaluate in full"], "no more gain"),
        ({"curve": FALLING, "finished": False}, ["continue", "evaluate in full"], "from 3.600 to 3.100"),
        ({"curve": FALLING}, ["continue", "evaluate in full"], "the run has ended: give it more steps"),
        ({"curve": RISING}, ["stop", "evaluate in full"], "was 3.000 at step 300 and is 3.400 at 600; it has seen"),
        ({"curve": (), "train_loss": 2.0}, ["get more text", "evaluate in full"], "3.100 against 2.000 in training"),
        ({"tokens_seen": 5_000_000}, ["get more text", "evaluate in full"], "5,000,000 tokens for 1,000,000 param"),
        ({"training_bytes_per_token": 5.0}, ["check the tokenizer", "stop"], "4.00 bytes of this text and for 5.00"),
        ({"floors": floors(-1.0, 0.3), "curve": FALLING}, ["continue", "continue"], "counting five tokens gives 0.800"),
        ({"floors": floors(0.5, 0.9), "curve": FALLING}, ["continue", "continue"], "frequencies of the tokens alone"),
        ({"floors": floors(0.5, 0.9)}, ["check the training", "stop"], "it has not learnt which tokens are common"),
        ({"floors": floors(-1.0, 0.005)}, ["stop"], "no more gain"),
        ({"curve": FALLING[:2], "floors": None}, [], ""),
        ({"curve": (), "comprehensive": True}, ["use it"], "0.200 bits per byte below a 5-gram model of 1,000,000"),
    ],
)
def test_each_case_of_the_table(changes: dict[str, Any], actions: list[str], reason: str) -> None:
    """Would break: advice that does not follow from the figures beside it, or is given where nothing was measured."""
    found = advise(facts(**changes))
    assert [entry["action"] for entry in found] == actions
    if reason:
        assert reason in found[0]["because"] and found[0]["rule"]


def test_at_the_true_entropy_nothing_is_left() -> None:
    """Would break: more training of a model that knows all there is to know."""
    total = {"bits_per_byte": 1.1, "loss": 3.1, "bytes_per_token": 4.0, "floor_bits_per_byte": 0.5}
    found = advise(facts(total=total | {"model_bits_per_byte_there": 0.505}))
    assert found[1]["action"] == "stop" and "nothing is left to learn" in found[1]["because"]
    found = advise(facts(total=total | {"model_bits_per_byte_there": 0.6}))
    assert not any("nothing is left" in entry["because"] for entry in found)


def test_curve_stops_at_the_checkpoint_and_at_a_torn_line(tmp_path: Path) -> None:
    """Would break: a checkpoint judged by what came after it, or evaluation that fails while training writes."""
    path = tmp_path / "metrics.jsonl"
    assert curve_of(path, 10) == []
    path.write_text(
        '{"step": 1, "loss": 3}\n{"step": 2, "eval_loss": 4.5}\n{"step": 6, "eval_loss": 4.0}\n{"step": 4, "ev'
    )
    assert curve_of(path, 10) == [(2, 4.5), (6, 4.0)]
    assert curve_of(path, 5) == [(2, 4.5)]
