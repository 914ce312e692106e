"""Stretches of a text that stand for the whole: what is measured on them costs the same for a pamphlet and a novel."""

from __future__ import annotations


def stretches(text: str, count: int, characters: int) -> list[str]:
    """At most `count` stretches of so many characters, spread evenly; a short text is cut up whole."""
    if len(text) <= count * characters:
        return [text[start : start + characters] for start in range(0, len(text), characters)]
    # The middle of each part: title pages and indexes lie at the ends.
    part = len(text) // count
    starts = [number * part + (part - characters) // 2 for number in range(count)]
    return [text[start : start + characters] for start in starts]


def sample(text: str) -> str:
    """What the filters look at: a text of up to 24,000 characters whole, else eight stretches of 3,000, 4,300 words."""
    return text if len(text) <= 24_000 else "\n".join(stretches(text, 8, 3_000))
