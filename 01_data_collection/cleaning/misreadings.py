"""Step `misreadings`: words that OCR misread and that can be only one other word, `tlie` for `the`.

A word that English hardly knows is replaced when an exchange of letters that OCR confuses makes a common word of it, a
thousand times as frequent, and no exchange of any one letter makes another nearly as frequent (`riew` may be `new` or
`view`). Names, old spellings and all that is doubtful stay. Only scans are touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_lowercase

from cleaning.draft import CleaningSettings, Draft, Step
from cleaning.lexicon import frequencies

# What OCR reads, and what is printed. A misread long s is not among them: `fame` and `same` are both words.
CONFUSIONS = (
    ("li", "h"), ("b", "h"), ("h", "b"), ("U", "ll"), ("Il", "ll"), ("c", "e"), ("e", "c"), ("n", "u"), ("u", "n"),
    ("rn", "m"), ("m", "rn"), ("ni", "m"), ("in", "m"), ("m", "in"), ("ri", "n"), ("ii", "n"), ("ii", "u"), ("vv", "w"),
    ("Av", "w"), ("cl", "d"), ("1", "l"), ("1", "i"), ("0", "o"), ("3", "s"), ("8", "s"), ("i", "t"), ("l", "t"),
    ("f", "t"), ("t", "f"), ("i", "l"), ("l", "i"), ("tl", "th"), ("lh", "th"), ("o", "e"), ("e", "o"), ("a", "s"),
    ("r", "t"), ("y", "v"), ("v", "y"),
)  # fmt: skip
# Two letters say too little for the rule; these can be read in one way only.
CERTAIN = {
    "iu": "in", "ot": "of", "aud": "and", "ihe": "the", "modem": "modern", "bom": "born", "hia": "his", "yoa": "you",
    "lias": "has", "liad": "had", "liave": "have", "wiih": "with", "ihat": "that", "ihem": "them", "haye": "have",
    "onr": "our", "heen": "been", "wiU": "will", "aU": "all", "shaU": "shall", "rne": "me", "iny": "my",
}  # fmt: skip
# Rare today, or not in the list as what they are, and right in old texts.
OLD_WORDS = frozenset(
    str.split(
        "shew shews shewn shewed shewing whoso fop fops quire quires hew waif leas crost drest clart dono donc oui "
        "ruat zere menially multitudo hoy eld weal ween wend wot tho thro altho bad hist hove lief loth mien nigh oft "
        "oped sooth trow yclept bier bole cit ere fain fens firs hie hied lave lea lees lorn lour marl mead moot rood "
        "rime shod sward tarn thee thou wan"
    )
)
# Words of today that no old print can have meant.
MODERN = frozenset(str.split("hiv dvd york thats avi dont wont isnt usa url blog app apps cant im ive hes"))

# In running words per word. Above the first a form is a word; a replacement reaches the second.
_IS_WORD, _IS_COMMON = 5e-7, 3e-6
_VERY_COMMON = 1e-3
_TIMES, _MARGIN = 1000, 50
_CANDIDATE = re.compile(r"(?<![\w'’-])[A-Za-z][A-Za-z0-9]*[a-zU](?![\w'’-])")


def make(settings: CleaningSettings) -> Step:
    """Repairs the text of scans; `draft.measures["words_repaired"]` counts."""

    def step(draft: Draft) -> None:
        if draft.scanned:
            draft.text, count = repair(draft.text)
            draft.measures["words_repaired"] = count

    return step


def repair(text: str) -> tuple[str, int]:
    """The text with certain misreadings put right, and how many."""
    known: dict[str, str | None] = {}
    count = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal count
        word = match[0]
        if word not in known:
            known[word] = reading(word)
        right = known[word]
        if right is None:
            return word
        count += 1
        return right

    return _CANDIDATE.sub(replace, text), count


def reading(word: str) -> str | None:
    """The word that a misread form must be, or None where nothing is certain."""
    if word in CERTAIN:
        return CERTAIN[word]
    if len(word) < 3:
        return None
    if word.lower() in OLD_WORDS:
        return None
    frequency = frequencies()
    own = frequency.get(word.lower(), 0.0)
    # `aU` and `wiU` are words only in lower case.
    odd = any(mark in word for mark in ("U", "Av", "Il")) or any(map(str.isdigit, word))
    if own >= _IS_WORD and not (odd and word[1:] != word[1:].lower()):
        return None
    form = max(_candidates(word), key=lambda candidate: (frequency.get(candidate.lower(), 0.0), candidate), default="")
    best = frequency.get(form.lower(), 0.0)
    # A capital may begin a name that no list has, and short words have many neighbours.
    enough = _IS_COMMON if word[0].islower() and len(word) > 4 else 30 * _IS_COMMON
    if best < enough or best < _TIMES * own * (not odd) or not form[1:].islower() or form.lower() in MODERN:
        return None
    others = (frequency.get(other, 0.0) for other in _neighbours(word.lower()) if other != form.lower())
    return form if best >= _MARGIN * max(others, default=0.0) and not _is_two_words(word) else None


def _neighbours(word: str) -> Iterator[str]:
    """All forms with one other letter."""
    for place in range(len(word)):
        for letter in ascii_lowercase:
            yield word[:place] + letter + word[place + 1 :]


def _is_two_words(word: str) -> bool:
    """Whether only the blank is missing, `beof`."""
    frequency = frequencies()
    return any(
        frequency.get(word[:at].lower(), 0.0) > _VERY_COMMON and frequency.get(word[at:].lower(), 0.0) > _VERY_COMMON
        for at in range(2, len(word) - 1)
    )


def _candidates(word: str) -> set[str]:
    found: set[str] = set()
    for seen, printed in CONFUSIONS:
        start = word.find(seen)
        while start >= 0:
            found.add(word[:start] + printed + word[start + len(seen) :])
            start = word.find(seen, start + 1)
    if "U" in word[1:]:
        found.add(word[0] + word[1:].replace("U", "ll"))
    return found
