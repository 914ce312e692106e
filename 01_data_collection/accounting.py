"""What cleaning did, step by step, in figures that add up; and examples of it.

Counts are kept per piece and merged, so they are the same at any number of workers and after any resume. Times are
kept apart: they go into the manifest, never into a file whose hash must be the same tomorrow.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from sources.sample_dirt import REJECTED_KINDS
from sources.sample_truths import MODERN_SINCE

from chapbook.anachronisms import MARGIN_YEARS
from chapbook.corpus import RawDocument, year_of
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


# The step that answers for each kind of planted dirt, and others that may refuse such a document as well. Nothing
# answers for letters misread in running text: without pages it is no scan, and outside scans a rule for them would harm
# old spellings. A similar document that is no duplicate asks for nothing.
ANSWERS: dict[str, tuple[str, ...]] = {
    "boilerplate": ("gutenberg",),
    "hyphens": ("layout",),
    "page_numbers": ("furniture",),
    "ocr": (),
    "duplicate": ("duplicates",),
    "foreign": ("language",),
    "scan": ("scan",),
    "invisible": ("characters",),
    "garbage": ("quality", "length", "language"),
    "loop": ("repetition", "quality"),
    "misread_scan": ("misreadings",),
    "spaced_marks": ("punctuation",),
    "html": ("extract",),
    "markdown": ("markdown",),
    "mojibake": ("characters",),
    "wrong_encoding": ("decode",),
    "footnotes": ("notes",),
    "contents": ("front_matter",),
    "near_duplicate": ("duplicates",),
    "similar_not_duplicate": (),
    "anachronism": ("period",),
    "outside_period": ("period",),
    "fragment": ("length",),
    "illegible": ("quality", "language"),
}
# The name under which kinds stand that no step answers for, if they are dirt.
NO_STEP, NO_DIRT = "none", ("similar_not_duplicate", "clean")
_PARAGRAPH_END = re.compile(r"\n\s*\n")


class TruthSettings(Protocol):
    """What of the configuration decides whether a planted kind has a truth."""

    @property
    def period(self) -> tuple[int, int] | None:
        """First and last year of what is kept."""

    @property
    def min_characters(self) -> int:
        """Shortest text that is kept, in characters."""


def scored_kind(raw: RawDocument, settings: TruthSettings) -> str:
    """The kind of dirt as which a generated document is scored, `clean` without any; empty: it has no known truth.

    What a configuration asks for is no fault of a step: a document of another time has to go where there is a period
    (which the source, without knowing it, calls the truth only of `outside_period`), and stays where there is none.
    """
    if raw.truth is None:
        return ""
    kind = "+".join(raw.dirt) or "clean"
    period, year = settings.period, year_of(raw.date)
    outside = period is not None and year is not None and not period[0] <= year <= period[1]
    if kind == "outside_period" or outside:
        return kind if kind == "outside_period" and outside else ""
    if kind == "anachronism" and (period is None or period[1] + MARGIN_YEARS >= MODERN_SINCE):
        return ""
    if kind == "fragment" and len(raw.content) >= settings.min_characters:
        return ""
    return kind


@dataclass
class StepTruth:
    """What one step did to generated documents, held against the known truth."""

    refused: Counter[str] = field(default_factory=Counter)
    """Documents that it refused, by kind of dirt (`clean` without any)."""
    touched: int = 0
    """Documents to be kept, without dirt that it answers for, that it gave another text."""
    harmed: int = 0
    """Those of them that were harmed by it, as `harms` says."""

    def note_change(self, step: str, kind: str, truth: str, before: str, after: str) -> None:
        """Count a document that goes on with another text; of one that must be rejected no text is the right one."""
        if truth and ANSWERS.get(kind, ())[:1] != (step,):
            self.touched += 1
            self.harmed += harms(truth, before, after)

    def add(self, values: dict[str, Any]) -> None:
        """Count what another piece counted (`to_json`)."""
        self.refused.update(values["refused"])
        self.touched += values["touched"]
        self.harmed += values["harmed"]

    def to_json(self) -> dict[str, Any]:
        """Plain values; kinds in the order of their names."""
        return {"refused": dict(sorted(self.refused.items())), "touched": self.touched, "harmed": self.harmed}


def harms(truth: str, before: str, after: str) -> bool:
    """Whether a change led away from the truth.

    It did when a text that was the truth to the letter no longer is, or when, after the change, more of the truth's
    pairs of neighbours (words, paragraph ends) are missing than before, or more are there that the truth has not. So a
    change that leaves dirt for other steps does no harm. Single words would not do: a stamp that is rightly removed
    holds words that are misread elsewhere.
    """
    if truth in (before, after):
        return after != truth
    wanted, one, other = _neighbours(truth), _neighbours(before), _neighbours(after)
    lost = (wanted - other).total() > (wanted - one).total()
    return lost or (other - wanted).total() > (one - wanted).total()


def _neighbours(text: str) -> Counter[tuple[str, str]]:
    """Words as they stand between blanks, and paragraph ends, in pairs."""
    return Counter(pairwise(["¶", *_PARAGRAPH_END.sub(" ¶ ", text).split(), "¶"]))


def truth_by_step(
    order: Iterable[str], scores: dict[str, dict[str, int]], steps: dict[str, StepTruth]
) -> dict[str, dict[str, Any]]:
    """Precision and recall of each step on generated documents, steps in this order; `none`: dirt without a step.

    Per step: `kinds`, the planted dirt that the step answers for (ANSWERS), and

    - `planted`: documents with such dirt; `right`: those that ended as they should: refused by this step or another
      one that ANSWERS names for the kind, or kept with the true text to the letter, at the end of all steps.
      `recall` = right / planted.
    - `acted`: documents that it refused, and documents to be kept without such dirt that it gave another text;
      `wrong`: of the refused ones those without dirt for which ANSWERS names the step, of the others those that it
      harmed (`harms`). `precision` = 1 - wrong / acted.

    recall and precision are None where nothing was planted, or the step did not act. scores: `TruthScore.scores`.
    """
    table: dict[str, dict[str, Any]] = {}
    for step in [*order, NO_STEP]:
        own = [kind for kind in scores if kind not in NO_DIRT and (*ANSWERS.get(kind, ()), NO_STEP)[0] == step]
        if step == NO_STEP and not own:
            continue
        truth = steps.get(step, StepTruth())
        planted = sum(scores[kind]["documents"] for kind in own)
        right = sum(
            sum(steps[name].refused[kind] for name in ANSWERS[kind] if name in steps)
            if kind in REJECTED_KINDS
            else scores[kind]["right"]
            for kind in own
        )
        acted = truth.refused.total() + truth.touched
        wrong = truth.harmed + sum(
            number for kind, number in truth.refused.items() if step not in ANSWERS.get(kind, ())
        )
        table[step] = {
            "kinds": sorted(own),
            "planted": planted,
            "right": right,
            "recall": round(right / planted, 4) if planted else None,
            "acted": acted,
            "wrong": wrong,
            "precision": round(1 - wrong / acted, 4) if acted else None,
        }
    return table


TRUTH_BY_STEP_COLUMNS = ("step", "planted dirt", "planted", "right", "recall", "acted", "wrong", "precision")


def truth_by_step_rows(table: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows of `truth_by_step` as text, under TRUTH_BY_STEP_COLUMNS."""

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    return [
        (
            "(no step)" if step == NO_STEP else step,
            ", ".join(row["kinds"]) or "-",
            *(f"{row[name]:,}" for name in ("planted", "right")),
            share(row["recall"]),
            *(f"{row[name]:,}" for name in ("acted", "wrong")),
            share(row["precision"]),
        )
        for step, row in table.items()
    ]
