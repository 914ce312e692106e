"""Step `repetition`: refuses what says the same again and again: menus, spam, loops of a machine."""

from __future__ import annotations

import zlib
from collections import Counter

from cleaning.draft import CleaningSettings, Draft, Rejected, Step
from cleaning.sampling import sample, stretches

# A stretch of 1,000 characters packs to 0.55 of its size in novels (1% below 0.47), to 0.04-0.21 when it repeats
# itself.
STRETCHES, STRETCH_CHARACTERS = 40, 1_000
LOOPED_RATIO = 0.25
MAX_LOOPED_SHARE = {"book": 0.3, "web": 0.1}
# Lines said before, by their share of the characters (Rae et al. 2021, table A1, has 0.2 for web pages). Refrains and
# forms make 0.1 in a book of psalms.
MAX_REPEATED_LINES = {"book": 0.3, "web": 0.2}
# The most frequent sequence of so many words, by its share of the characters (same source).
MAX_TOP_SEQUENCE = {2: 0.20, 3: 0.18, 4: 0.16}


def make(settings: CleaningSettings) -> Step:
    """Rejects as `repetition`; the dear measure, sequences of words, is taken only where the cheap one warns."""
    looped_limit, lines_limit = MAX_LOOPED_SHARE[settings.profile], MAX_REPEATED_LINES[settings.profile]

    def step(draft: Draft) -> None:
        looped = looped_share(draft.text)
        if looped > looped_limit:
            raise Rejected("repetition", f"{looped:.0%} of the text repeats itself within 1,000 characters")
        repeated = repeated_line_share(draft.text)
        draft.measures["repeated_lines"] = repeated
        if repeated > lines_limit:
            raise Rejected("repetition", f"{repeated:.0%} of the text are lines said before")
        if looped:
            words = sample(draft.text).split()
            for length, limit in MAX_TOP_SEQUENCE.items():
                share = top_sequence_share(words, length)
                if share > limit:
                    raise Rejected("repetition", f"one sequence of {length} words makes up {share:.0%}")

    return step


def looped_share(text: str) -> float:
    """The share of stretches of 1,000 characters that pack to less than a quarter of their size."""
    packed = [
        len(zlib.compress(stretch.encode("utf-8"), 1)) / len(stretch.encode("utf-8"))
        for stretch in stretches(text, STRETCHES, STRETCH_CHARACTERS)
        if len(stretch) >= STRETCH_CHARACTERS // 2
    ]
    return sum(ratio < LOOPED_RATIO for ratio in packed) / len(packed) if packed else 0.0


def repeated_line_share(text: str) -> float:
    """The share of the characters that stand in lines of the text that came before."""
    lines = text.split("\n")
    if len(lines) < 4:
        return 0.0
    unique = set(lines)
    if len(unique) + text.count("\n\n") >= len(lines):
        return 0.0
    return max(len(text) - lines.count("") - sum(map(len, unique)) - len(lines), 0) / len(text)


def top_sequence_share(words: list[str], length: int) -> float:
    """The share of the characters that the most frequent sequence of `length` words makes up."""
    sequences = Counter(zip(*(words[start:] for start in range(length)), strict=False))
    if not sequences:
        return 0.0
    sequence, count = sequences.most_common(1)[0]
    if count < 3:
        return 0.0
    return count * sum(map(len, sequence)) / sum(map(len, words))
