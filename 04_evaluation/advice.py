"""What to do next: continue, stop, get more text, look at the tokenizer, evaluate in full; each with its reason.

The guides decide by loss per token: above 6 train on, at 3 it is ready. Such a number means something else for every
vocabulary (a uniform model is at 10.3 with 30,000 tokens and at 8.3 with 4,096), so here the model is held against
what counting gives on the same bytes, against its own curve, and against its training loss. A rule whose figures were
not measured says nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Relative changes of loss below this are no trend. Runs that differ by the seed alone differ by 0.0013 to 0.0019 nats
# of about 3.3 (records of modded-nanogpt), one part in two thousand; evaluations on few documents differ by more.
TREND = 0.01
# Held-back loss above training loss by this share: the guide's overfitted run had 4.74 against 3.35 (41%), runs that
# see their text once stay below 2%.
GAP = 0.10
# Beyond four passes repeated text adds little (Muennighoff et al. 2023, "Scaling data-constrained language models").
EPOCHS = 4.0
# Tokens per parameter: 20 is compute-optimal in Hoffmann et al. 2022; small models were measured at 10.5 (nanochat).
TOKENS_PER_PARAMETER = 10.5
# With fewer bytes per token than this share of the training text's, the text is not what the tokenizer was made for.
FIT = 0.90
# Within this share of the true entropy there is nothing left to learn.
NEAR_TRUTH = 0.02
GUIDE_LOSS = 6.0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was measured of one checkpoint; None: it was not."""

    total: dict[str, Any]
    """The summary of language_modelling."""
    floors: dict[str, Any] | None
    """The table of floors."""
    vocabulary: int
    parameters: int
    comprehensive: bool = False
    """Whether everything was measured already."""
    tokens_seen: int | None = None
    epoch: float | None = None
    finished: bool = False
    train_loss: float | None = None
    eval_loss: float | None = None
    training_bytes_per_token: float | None = None
    curve: Sequence[tuple[int, float]] = ()
    """(step, held-back loss) in order, up to this checkpoint."""


def curve_of(metrics: Path, until: int) -> list[tuple[int, float]]:
    """The held-back loss by step in a run's metrics log, up to a step; empty without a log."""
    if not metrics.is_file():
        return []
    # Training may be writing the last line this moment.
    lines = [line for line in metrics.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
    found = {entry["step"]: entry["eval_loss"] for entry in map(json.loads, lines) if "eval_loss" in entry}
    return sorted((step, loss) for step, loss in found.items() if step <= until)


def advise(facts: Facts) -> list[dict[str, str]]:
    """Advice in order of weight. Each: `action`, `because` (measured), `rule` (the threshold and its source)."""
    found = [rule(facts) for rule in (_tokenizer, _counting, _overfitted, _trend, _truth)]
    advice = [entry for entry in found if entry is not None]
    if not any(entry["action"] in ("check the tokenizer", "check the training") for entry in advice):
        advice += [entry for entry in (_ready(facts),) if entry is not None]
    return advice


def _entry(action: str, because: str, rule: str) -> dict[str, str]:
    return {"action": action, "because": because, "rule": rule}


def _tokenizer(facts: Facts) -> dict[str, str] | None:
    held_back, training = facts.total["bytes_per_token"], facts.training_bytes_per_token
    if training is None or held_back >= FIT * training:
        return None
    return _entry(
        "check the tokenizer",
        f"a token stands for {held_back:.2f} bytes of this text and for {training:.2f} of the training text: "
        "it was made for other text (02_tokenizer/test_tokenizer.py shows where)",
        f"below {FIT:.0%} of the training text's bytes per token",
    )


def _row(facts: Facts, order: int) -> dict[str, Any] | None:
    rows = facts.floors["rows"] if facts.floors else []
    return next((row for row in rows if row.get("order") == order), None)


def _is_above(row: dict[str, Any] | None) -> bool:
    """Whether the model needs more bits than this row, beyond doubt where an interval says how sure that is."""
    return row is not None and "model_minus_this" in row and row["model_minus_this"]["interval"][0] > 0


def _counting(facts: Facts) -> dict[str, str] | None:
    model = facts.total["bits_per_byte"]
    unigram, five = _row(facts, 1), _row(facts, 5)
    if unigram is not None and _is_above(unigram):
        return _entry(
            "continue" if _falling(facts) is not False else "check the training",
            f"{model:.3f} bits per byte, and the frequencies of the tokens alone give {unigram['bits_per_byte']:.3f}: "
            "it has not learnt which tokens are common",
            "a model must be below the unigram line (same bytes, same tokens)",
        )
    if five is not None and _is_above(five):
        return _entry(
            "continue",
            f"{model:.3f} bits per byte, and counting five tokens gives {five['bits_per_byte']:.3f}: the text it "
            "writes cannot hang together for longer than that",
            "a model should be below the 5-gram line; the guides say the same with a loss above "
            f"{GUIDE_LOSS:g} (here {facts.total['loss']:.2f} of {math.log(facts.vocabulary):.2f} for a uniform guess)",
        )
    return None


def _falling(facts: Facts) -> bool | None:
    """Whether held-back loss still fell over the last third of the evaluations; None: too few to say."""
    losses = [loss for _, loss in facts.curve]
    if len(losses) < 3:
        return None
    before = losses[-1 - max(1, len(losses) // 3)]
    return (before - losses[-1]) / before > TREND


def _overfitted(facts: Facts) -> dict[str, str] | None:
    repeats = "" if facts.epoch is None else f"; it has seen its text {facts.epoch:.1f} times"
    lowest = min(facts.curve, key=lambda point: point[1], default=None)
    if lowest is not None and facts.curve[-1][1] > lowest[1] * (1 + TREND):
        return _entry(
            "stop",
            f"held-back loss was {lowest[1]:.3f} at step {lowest[0]:,} and is {facts.curve[-1][1]:.3f} at "
            f"{facts.curve[-1][0]:,}{repeats}: use --checkpoint best, and get more text for a better model",
            f"a rise of more than {TREND:.0%} over the lowest",
        )
    if facts.train_loss is not None and facts.eval_loss is not None and facts.eval_loss > facts.train_loss * (1 + GAP):
        return _entry(
            "get more text",
            f"held-back loss {facts.eval_loss:.3f} against {facts.train_loss:.3f} in training{repeats}: it learns its "
            "text by heart",
            f"a gap of more than {GAP:.0%}; beyond {EPOCHS:g} passes repeated text adds little (Muennighoff 2023)",
        )
    return None


def _trend(facts: Facts) -> dict[str, str] | None:
    falling = _falling(facts)
    if falling is None or _overfitted(facts) is not None:
        return None
    (_, before), (step, now) = facts.curve[-1 - max(1, len(facts.curve) // 3)], facts.curve[-1]
    change = f"held-back loss went from {before:.3f} to {now:.3f} over the last evaluations, to step {step:,}"
    rule = f"a fall of more than {TREND:.0%} over the last third of the evaluations"
    if falling:
        more = "; the run has ended: give it more steps (and, at its end, the learning rate was low)"
        return _entry("continue", change + (more if facts.finished else ""), rule)
    if facts.tokens_seen is not None and facts.tokens_seen < TOKENS_PER_PARAMETER * facts.parameters:
        return _entry(
            "get more text",
            f"{change}: no more gain, after {facts.tokens_seen:,} tokens for {facts.parameters:,} parameters",
            f"flat, with fewer than {TOKENS_PER_PARAMETER:g} tokens per parameter (nanochat; 20 in Hoffmann 2022)",
        )
    return _entry("stop", f"{change}: no more gain from this text at this size", rule)


def _truth(facts: Facts) -> dict[str, str] | None:
    floor = facts.total.get("floor_bits_per_byte")
    if floor is None:
        return None
    there = facts.total["model_bits_per_byte_there"]
    if there > floor * (1 + NEAR_TRUTH):
        return None
    return _entry(
        "stop",
        f"{there:.4f} bits per byte where the generator's own entropy is {floor:.4f}: nothing is left to learn",
        f"within {NEAR_TRUTH:.0%} of the true entropy",
    )


def _ready(facts: Facts) -> dict[str, str] | None:
    five = _row(facts, 5)
    if five is None or _is_above(five) or "model_minus_this" not in five:
        return None
    difference = five["model_minus_this"]
    if difference["interval"][1] >= 0:
        return None
    then = "read what it wrote, then export it" if facts.comprehensive else "--mode comprehensive measures the rest"
    return _entry(
        "use it" if facts.comprehensive else "evaluate in full",
        f"{-difference['difference']:.3f} bits per byte below a 5-gram model of {five['trained_on']:,} bytes: "
        f"it uses more than the last five tokens; {then}",
        "below the 5-gram line with its whole 95% interval",
    )
