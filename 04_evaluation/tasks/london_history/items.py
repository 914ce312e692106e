"""The items of the task group `london_history`, as lm-evaluation-harness asks for them.

A file holds one item a line: `prompt`, the one `right` answer, three `wrong` ones, and `basis`, which says why the
answer is right. Here the choices are put in an order that depends on nothing but the seed and is balanced: in each
category each place holds the right answer equally often. The harness takes the first of equally likely choices, so a
model that cannot tell them apart must find the right one there in one case of four.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
CATEGORIES = ("facts", "language", "places", "law", "trade", "manners")
CHOICES = 4
SEED = 1851


def read(category: str) -> list[dict[str, Any]]:
    """The items of one category with `choices` and `answer`, the place of the right one."""
    lines = (FOLDER / f"{category}.jsonl").read_text("utf-8").splitlines()
    shuffler = random.Random(f"{SEED} {category}")
    answers = [number % CHOICES for number in range(len(lines))]
    shuffler.shuffle(answers)
    items = []
    for line, answer in zip(lines, answers, strict=True):
        item = json.loads(line)
        choices = item.pop("wrong")
        shuffler.shuffle(choices)
        choices.insert(answer, item.pop("right"))
        items.append({**item, "choices": choices, "answer": answer})
    return items


def load(*, category: str, **_: Any) -> dict[str, Any]:
    """The items of one category as the harness wants a data set: a Dataset for each split.

    The harness gives the task's `metadata` as keyword arguments; `category` is one of them.
    """
    import datasets

    return {"test": datasets.Dataset.from_list(read(category))}
