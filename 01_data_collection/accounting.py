"""What cleaning did, step by step, in figures that add up; and examples of it.

Counts are kept per piece and merged, so they are the same at any number of workers and after any resume. Times are
kept apart: they go into the manifest, never into a file whose hash must be the same tomorrow.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chapbook.errors import ChapbookError

EXAMPLES_PER_STEP = 5
# Characters shown before and after the place of a change.
EXAMPLE_BEFORE, EXAMPLE_AFTER = 120, 280


@dataclass
class StepAccount:
    """What one step did to the documents that reached it."""

    documents_in: int = 0
    documents_out: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """Documents refused, by reason."""
    changed: int = 0
    """Documents that went on with another text."""
    characters_in: int = 0
    characters_out: int = 0
    characters_rejected: int = 0
    """In refused documents, as the step got them."""

    def add(self, other: StepAccount) -> None:
        """Count what another piece counted."""
        for name in ("documents_in", "documents_out", "changed", "characters_in", "characters_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.characters_rejected += other.characters_rejected
        self.rejected.update(other.rejected)

    def to_json(self) -> dict[str, Any]:
        """Plain values; reasons in the order of their names."""
        return {**vars(self), "rejected": dict(sorted(self.rejected.items()))}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> StepAccount:
        """The opposite of `to_json`."""
        return cls(**{**values, "rejected": Counter(values["rejected"])})


def merge(pieces: Iterable[dict[str, dict[str, Any]]]) -> dict[str, StepAccount]:
    """The accounts of several pieces (step -> `to_json`) as one, steps in the order of the first piece."""
    accounts: dict[str, StepAccount] = {}
    for piece in pieces:
        for step, values in piece.items():
            accounts.setdefault(step, StepAccount()).add(StepAccount.from_json(values))
    return accounts


def check(accounts: dict[str, StepAccount], documents: int) -> None:
    """Raise ChapbookError unless every document that went into a step came out or was refused, step after step."""
    for step, account in accounts.items():
        if account.documents_in != documents:
            raise ChapbookError(f"{documents} documents should have reached {step}, but {account.documents_in} did")
        documents -= account.rejected.total()
        if account.documents_out != documents:
            raise ChapbookError(f"{documents} documents should have left {step}, but {account.documents_out} did")


class Examples:
    """Before and after, for a few documents per step: those whose hashes are smallest, whoever sees them first."""

    def __init__(self) -> None:
        self.chosen: dict[str, list[dict[str, Any]]] = {}

    def offer(self, step: str, document: str, before: str, after: str) -> None:
        """Keep the example if it is one of the few."""
        order = hashlib.blake2b(f"{step}:{document}".encode(), digest_size=8).hexdigest()
        kept = self.chosen.setdefault(step, [])
        if len(kept) < EXAMPLES_PER_STEP or order < kept[-1]["order"]:
            place = first_difference(before, after)
            start = max(0, place - EXAMPLE_BEFORE)
            self._keep(
                {
                    "step": step,
                    "document": document,
                    "before": before[start : place + EXAMPLE_AFTER],
                    "after": after[start : place + EXAMPLE_AFTER],
                    "at": place,
                    "order": order,
                }
            )

    def add(self, others: Iterable[dict[str, Any]]) -> None:
        """Take in the examples of another piece."""
        for example in others:
            self._keep(example)

    def _keep(self, example: dict[str, Any]) -> None:
        kept = self.chosen.setdefault(example["step"], [])
        kept.append(example)
        kept.sort(key=lambda each: each["order"])
        del kept[EXAMPLES_PER_STEP:]

    def in_order(self, steps: Iterable[str]) -> list[dict[str, Any]]:
        """All that are kept, step by step; `order` is what chose them."""
        return [example for step in steps for example in self.chosen.get(step, [])]


def first_difference(one: str, other: str) -> int:
    """Where two texts begin to differ; the length of the shorter when that is all they differ in."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    # Comparing slices runs at the speed of memory, comparing characters at that of Python.
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


class TruthScore:
    """How cleaning did on generated documents, whose right result is known, per kind of planted dirt."""

    OUTCOMES = ("right", "wrongly_kept", "wrongly_rejected", "other_text")

    def __init__(self, scores: dict[str, dict[str, int]] | None = None) -> None:
        self.scores = scores or {}

    def add(self, kind: str, *, to_reject: bool, rejected: bool, exact: bool) -> None:
        """Count one document: right (rejected as it should be, or the true text to the letter) or wrong."""
        if rejected:
            outcome = "right" if to_reject else "wrongly_rejected"
        elif to_reject:
            outcome = "wrongly_kept"
        else:
            outcome = "right" if exact else "other_text"
        score = self.scores.setdefault(kind, {"documents": 0, **dict.fromkeys(self.OUTCOMES, 0)})
        score["documents"] += 1
        score[outcome] += 1

    def add_all(self, scores: dict[str, dict[str, int]]) -> None:
        """Take in what another piece counted."""
        for kind, counts in scores.items():
            score = self.scores.setdefault(kind, dict.fromkeys(counts, 0))
            for name, number in counts.items():
                score[name] += number
