"""Step `decontaminate`: refuses documents that hold an item of an evaluation set.

The rule is that of GPT-3 (Brown et al. 2020, appendix C): runs of 13 words, letters and digits alone, lower case. A
document that shares one such run with an item has seen the item. Items of 8 to 12 words count as a whole; shorter ones
("What is the capital of France?") stand in innocent texts and are not looked for. Each answer, question and choice of
a JSON line is an item of its own, so that a text that merely quotes the question is refused too.

The whole document goes, and the reason names the file: a passage cut out of the middle of a trial leaves its context,
which gives the answer away as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chapbook.errors import UsageError
from cleaning.draft import CleaningSettings, Draft, Rejected, Step

NGRAM_WORDS = 13
SHORTEST_ITEM_WORDS = 8


def make(settings: CleaningSettings) -> Step:
    """Rejects as `evaluation item` what holds an item of one of the files `settings.decontaminate`.

    Raises UsageError for a file that is missing or not JSON Lines.
    """
    from fingerprints import gram_hashes, normalise, word_hashes

    paths = [Path(path) for path in settings.decontaminate]
    # By length of the run in words: the sorted hashes, and for each the number of the file it stands in.
    tables: dict[int, dict[int, int]] = {}
    for number, path in enumerate(paths):
        for item in items(path):
            words = word_hashes(normalise(item))
            length = min(len(words), NGRAM_WORDS)
            if length >= SHORTEST_ITEM_WORDS:
                for value in gram_hashes(words, length).tolist():
                    tables.setdefault(length, {}).setdefault(value, number)
    known = {length: np.array(sorted(table), np.uint64) for length, table in tables.items()}

    def step(draft: Draft) -> None:
        if not known:
            return
        words = word_hashes(normalise(draft.text))
        for length, values in known.items():
            # A text shorter than the run would be hashed as a shorter run, which equals none of these.
            hashes = gram_hashes(words, length)
            place = np.searchsorted(values, hashes)
            found = np.flatnonzero(values[np.minimum(place, len(values) - 1)] == hashes)
            if len(found):
                name = paths[tables[length][int(hashes[found[0]])]].name
                raise Rejected("evaluation item", f"{length} words of {name}, {len(found)} times")

    return step


def items(path: Path) -> Iterator[str]:
    """The texts of a file: all strings of each line of a .jsonl file, each line of any other.

    Raises UsageError when the file cannot be read.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"corpus.decontaminate: {path} cannot be read as a text file ({error})") from error
    for number, line in enumerate(lines, start=1):
        if path.suffix != ".jsonl":
            yield line
        elif line.strip():
            try:
                yield from _strings(json.loads(line))
            except json.JSONDecodeError as error:
                raise UsageError(f"corpus.decontaminate: line {number} of {path} is not JSON ({error})") from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)
