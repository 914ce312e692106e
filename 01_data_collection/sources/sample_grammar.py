"""The generator of the embedded sample corpus: short period scenes of London, with exact probabilities.

The tables in `sample_words` form a context-free grammar with registers. One start table is expanded from
left to right; every expansion of a table is one weighted choice, so the probability of a document is the
product of the probabilities of its choices. Because every document has exactly one derivation (see
`derivations`), that product is the true probability of the text, and a model's cross-entropy on it can be
compared with the true entropy.

Notation inside a table (a table is one string, its options separated by `|`):

- `{name}` expands table `name`, or writes the register `name` (`A`, `B.he`, `year`);
- `{name@reg}` expands the table `name_<value of reg>`, e.g. `{month@season}`;
- `{reg:=name}` expands a table of plain words and keeps the word in a register;
- `{name!reg}` expands a table without the option that the register holds (renormalised);
- `{reg=value}` sets a register silently; `%other` inside the value stands for another register. Setting
  `<person>.g` to `m` or `f` also sets that person's pronouns (`he`, `him`, `his`, `himself`, `man`, `sir`);
- `{a}` writes `a ` or `an ` as the next word requires, `{^}` makes the next letter a capital, `{par}` starts
  a new paragraph, `{sp}` is a space where the table's layout would lose it;
- `<x|y|z>` is an unnamed table of equally likely options (an option may be empty).
"""

from __future__ import annotations

import functools
import random
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import fsum, log2
from typing import TypeAlias

from sources.sample_words import PHRASES, WORDS

# Raise when the text that a seed produces changes, so that nobody mistakes the new corpus for the old one.
GRAMMAR_VERSION = 1

# Word tables are Zipf-like: the option of rank r (from 0) has weight 1 / (r + ZIPF_SHIFT). With a shift of 40
# the first of 80 words is 3 times as likely as the last. That costs only 0.07 of the 6.3 bits of a uniform
# choice: a steep slope would make the texts repeat the same dozen words and take bits from every byte.
ZIPF_SHIFT = 40

START_TABLE = "document"

_PRONOUNS = {
    "m": {"he": "he", "him": "him", "his": "his", "himself": "himself", "man": "man", "sir": "sir"},
    "f": {"he": "she", "him": "her", "his": "her", "himself": "herself", "man": "woman", "sir": "madam"},
}

# Words whose spelling misleads about their first sound: "an honest man", "a one-eyed waterman".
_AN_DESPITE_CONSONANT = ("hour", "honest", "honour", "heir")
_A_DESPITE_VOWEL = ("one", "uni", "use", "usu", "eu")

_CAPITAL, _ARTICLE = 1, 2


@dataclass(frozen=True)
class Scene:
    """One generated document."""

    text: str
    """One to six paragraphs separated by an empty line."""
    bits: float
    """-log2 of the probability that the generator's output begins with `text`: every choice up to the last
    character, without the decision to stop there."""
    title: str | None
    """The scene's street and year, e.g. `Fleet Street, 1771`."""
    date: str | None
    """The year in which the scene is set."""


class _Choice:
    """A compiled table: its options as sequences of elements, ready to be drawn by bisection."""

    __slots__ = ("bits", "cumulative", "literals", "name", "options", "probabilities", "stacked")

    def __init__(self, name: str) -> None:
        self.name = name

    def fill(self, options: list[tuple[_Element, ...]], weights: list[float]) -> None:
        """Set the options and their weights (any positive scale)."""
        total = fsum(weights)
        self.options = options
        self.probabilities = [weight / total for weight in weights]
        self.bits = [-log2(p) for p in self.probabilities]
        # The last bound is left out: a draw above the others is the last option, whatever the rounding.
        self.cumulative: list[float] = []
        running = 0.0
        for p in self.probabilities[:-1]:
            running += p
            self.cumulative.append(running)
        self.stacked = [tuple(reversed(option)) for option in options]
        # The option's whole text when it is plain words, else None.
        self.literals = [o[0] if len(o) == 1 and isinstance(o[0], str) else None for o in options]


@dataclass(frozen=True, slots=True)
class _Set:
    """Write `value` into a register, silently."""

    register: str
    value: str


@dataclass(frozen=True, slots=True)
class _Reference:
    """Emit a register."""

    register: str


@dataclass(frozen=True, slots=True)
class _Flag:
    """Ask for a capital or an article before the next emission."""

    flag: int


@dataclass(frozen=True, slots=True)
class _Slot:
    """Expand a table that depends on registers: chosen by one, kept in one, or without one's value."""

    tables: dict[str, _Choice] = field(hash=False)
    by: str | None
    bind: str | None
    exclude: str | None


_Element: TypeAlias = str | _Choice | _Set | _Reference | _Flag | _Slot


_FIXED_SLOTS: dict[str, _Element] = {"^": _Flag(_CAPITAL), "a": _Flag(_ARTICLE), "par": "\n\n", "sp": " "}


# --- compiling the tables -------------------------------------------------------------------------------


def _split(body: str) -> list[str]:
    """The options of a table body: split at `|` outside angle brackets."""
    options, depth, start = [], 0, 0
    for i, char in enumerate(body):
        depth += (char == "<") - (char == ">")
        if char == "|" and depth == 0:
            options.append(body[start:i])
            start = i + 1
    if depth:
        raise ValueError(f"unbalanced angle brackets in {body[:60]!r}")
    return [*options, body[start:]]


class _Compiler:
    """Turns the tables of `sample_words` into linked `_Choice` objects; of each word table only the first `words`."""

    def __init__(self, words: int | None) -> None:
        self.named = {name: _Choice(name) for name in [*WORDS, *PHRASES]}
        if len(self.named) != len(WORDS) + len(PHRASES):
            raise ValueError(f"a table is defined twice: {sorted(set(WORDS) & set(PHRASES))}")
        self.tables = list(self.named.values())
        for name, body in WORDS.items():
            options = self._options(body)[:words]
            self.named[name].fill(
                [self._sequence(o, name) for o in options], [1 / (r + ZIPF_SHIFT) for r in range(len(options))]
            )
        for name, body in PHRASES.items():
            # A phrase may be preceded by a weight, e.g. `3* text`; others weigh 1.
            parts = [re.fullmatch(r"(?:([\d.]+)\* ?)?(.*)", option) for option in self._options(body)]
            weighted = [(float(part[1] or 1), part[2]) for part in parts if part]
            self.named[name].fill([self._sequence(text, name) for _, text in weighted], [w for w, _ in weighted])

    @staticmethod
    def _options(body: str) -> list[str]:
        return [option.strip() for option in _split(re.sub(r"\s+", " ", body))]

    def _sequence(self, text: str, name: str) -> tuple[_Element, ...]:
        elements: list[_Element] = []
        i = 0
        while i < len(text):
            if text[i] == "{":
                end = text.index("}", i)
                elements.append(self._slot(text[i + 1 : end], name))
            elif text[i] == "<":
                end, depth = i + 1, 1
                while depth:
                    depth += (text[end] == "<") - (text[end] == ">")
                    end += 1
                end -= 1
                options = _split(text[i + 1 : end])
                inline = _Choice(f"{name}<{text[i + 1 : end]}>")
                inline.fill([self._sequence(option, name) for option in options], [1.0] * len(options))
                self.tables.append(inline)
                elements.append(inline)
            else:
                end = min((k for k in (text.find("{", i), text.find("<", i)) if k >= 0), default=len(text)) - 1
                elements.append(text[i : end + 1])
            i = end + 1
        return tuple(elements)

    def _slot(self, slot: str, name: str) -> _Element:
        if slot in _FIXED_SLOTS:
            return _FIXED_SLOTS[slot]
        setting = re.fullmatch(r"([\w.]+)=(.*)", slot)
        if setting:
            return _Set(setting[1], setting[2])
        parts = re.fullmatch(r"(?:([\w.]+):=)?([\w.]+)(?:@([\w.]+))?(?:!([\w.]+))?", slot)
        if not parts:
            raise ValueError(f"table {name}: cannot read the slot {{{slot}}}")
        bind, table, by, exclude = parts.groups()
        if by is None and table not in self.named:
            if bind or exclude:
                raise ValueError(f"table {name}: there is no table {table!r}")
            return _Reference(table)
        if by is None and bind is None and exclude is None:
            return self.named[table]
        if by is None:
            tables = {"": self.named[table]}
        else:
            prefix = table + "_"
            tables = {key[len(prefix) :]: choice for key, choice in self.named.items() if key.startswith(prefix)}
            if not tables:
                raise ValueError(f"table {name}: there is no table {prefix}*")
        return _Slot(tables, by, bind, exclude)


@functools.cache
def _compiled(words: int | None = None) -> _Compiler:
    return _Compiler(words)


def tables() -> dict[str, list[str | None]]:
    """Every table's options by the table's name (unnamed ones included): the words, or None for a template."""
    return {table.name: list(table.literals) for table in _compiled().tables}


def templates() -> dict[str, list[str]]:
    """Every table's options written out with a stand-in for each slot, to check that they are distinct."""
    return {table.name: [repr(_plain(option)) for option in table.options] for table in _compiled().tables}


def _plain(option: tuple[_Element, ...]) -> list[object]:
    return [("table", e.name) if isinstance(e, _Choice) else e for e in option]


# --- what the elements do; the sampler and the parser share this ----------------------------------------


def _dress(text: str, flags: int) -> str:
    """Put the article before `text` and make its first letter a capital, as asked."""
    if flags & _ARTICLE:
        word = text.lower()
        vowel = word.startswith(_AN_DESPITE_CONSONANT) or (word[0] in "aeiou" and not word.startswith(_A_DESPITE_VOWEL))
        text = ("an " if vowel else "a ") + text
    return text[0].upper() + text[1:] if flags & _CAPITAL else text


def _assign(registers: dict[str, str], register: str, value: str) -> None:
    """Set a register; a person's gender brings the pronouns with it."""
    if "%" in value:
        value = re.sub(r"%([\w.]*\w)", lambda found: registers[found[1]], value)
    registers[register] = value
    if register.endswith(".g"):
        person = register[:-1]
        for case, pronoun in _PRONOUNS[value].items():
            registers[person + case] = pronoun


def _excluded(slot: _Slot, table: _Choice, registers: dict[str, str]) -> int:
    """The index of the option that `slot` must not take here, or -1."""
    value = registers.get(slot.exclude) if slot.exclude else None
    return table.literals.index(value) if value is not None and value in table.literals else -1


def generate(rng: random.Random, words: int | None = None) -> Scene:
    """Draw one document; uses nothing of `rng` but `rng.random()`, which is the same on every platform.

    words: how many of the likeliest options of each word table (names, trades, things …) are used; None: all.
    A small model can learn a small language in minutes.
    """
    draw = rng.random
    out: list[str] = []
    registers: dict[str, str] = {}
    stack: list[_Element] = [_compiled(words).named[START_TABLE]]
    bits = bits_at_last_character = 0.0
    flags = 0
    while stack:
        element = stack.pop()
        kind = type(element)
        if kind is _Reference:
            element = registers[element.register]  # type: ignore[union-attr]
            kind = str
        if kind is str:
            if flags:
                element = _dress(element, flags)  # type: ignore[arg-type]
                flags = 0
            out.append(element)  # type: ignore[arg-type]
            bits_at_last_character = bits
        elif kind is _Choice:
            i = bisect_right(element.cumulative, draw())  # type: ignore[union-attr]
            bits += element.bits[i]  # type: ignore[union-attr]
            stack.extend(element.stacked[i])  # type: ignore[union-attr]
        elif isinstance(element, _Flag):
            flags |= element.flag
        elif isinstance(element, _Set):
            _assign(registers, element.register, element.value)
        elif isinstance(element, _Slot):
            table = element.tables[registers[element.by] if element.by else ""]
            banned = _excluded(element, table, registers)
            # Drawing again until the option is allowed renormalises the others.
            i = bisect_right(table.cumulative, draw())
            while i == banned:
                i = bisect_right(table.cumulative, draw())
            bits += table.bits[i] if banned < 0 else table.bits[i] + log2(1 - table.probabilities[banned])
            if element.bind:
                registers[element.bind] = str(table.literals[i])
            stack.extend(table.stacked[i])
    title = f"{registers['street']}, {registers['year']}"
    return Scene("".join(out), bits_at_last_character, title[0].upper() + title[1:], registers["year"])


# --- parsing --------------------------------------------------------------------------------------------

# What is still to be expanded, as a linked list: alternatives share their tails.
_Rest: TypeAlias = "tuple[_Element, _Rest] | None"


@dataclass(slots=True)
class _Branch:
    """A derivation under way."""

    rest: _Rest
    position: int
    """How much of the text is written."""
    registers: dict[str, str]
    """Shared between branches: copied before it is changed."""
    flags: int
    bits: float
    bits_at_last_character: float


def _alternatives(branch: _Branch, element: _Choice | _Slot, text: str) -> Iterator[_Branch]:
    """The branches that go on with one option each of `element`, but for those that plainly disagree with `text`."""
    bind, table, banned = None, element, -1
    if isinstance(element, _Slot):
        bind = element.bind
        table = element.tables[branch.registers[element.by] if element.by else ""]
        banned = _excluded(element, table, branch.registers)
    assert isinstance(table, _Choice)
    room = len(text) - branch.position
    for i, option in enumerate(table.options):
        if i == banned:
            continue
        if option and isinstance(option[0], str):
            # A first look at the option's first words saves most of the branches.
            first = _dress(option[0], branch.flags) if branch.flags else option[0]
            if not text.startswith(first[:room], branch.position):
                continue
        rest = branch.rest
        for part in reversed(option):
            rest = (part, rest)
        registers = {**branch.registers, bind: str(table.literals[i])} if bind else branch.registers
        cost = table.bits[i] if banned < 0 else table.bits[i] + log2(1 - table.probabilities[banned])
        yield _Branch(rest, branch.position, registers, branch.flags, branch.bits + cost, branch.bits_at_last_character)


def _replay(text: str, words: int | None, prefix: bool) -> list[float]:
    """Bits of every derivation of `text`, or (prefix) of every partial derivation that just covers it.

    A depth-first search over the choices of the generator; a branch ends as soon as what it emits differs
    from the text.
    """
    found: list[float] = []
    pending = [_Branch((_compiled(words).named[START_TABLE], None), 0, {}, 0, 0.0, 0.0)]
    while pending:
        branch = pending.pop()
        while branch.rest is not None:
            element, branch.rest = branch.rest
            if isinstance(element, _Reference):
                element = branch.registers[element.register]
            if isinstance(element, str):
                emitted = _dress(element, branch.flags) if branch.flags else element
                branch.flags = 0
                if prefix and branch.position + len(emitted) >= len(text):
                    if emitted.startswith(text[branch.position :]):
                        found.append(branch.bits)
                    break
                if not text.startswith(emitted, branch.position):
                    break
                branch.position += len(emitted)
                branch.bits_at_last_character = branch.bits
            elif isinstance(element, _Flag):
                branch.flags |= element.flag
            elif isinstance(element, _Set):
                branch.registers = dict(branch.registers)
                _assign(branch.registers, element.register, element.value)
            else:
                pending.extend(_alternatives(branch, element, text))
                break
        else:
            if branch.position == len(text) and not prefix:
                found.append(branch.bits_at_last_character)
    return found


def derivations(text: str, words: int | None = None) -> list[float]:
    """The information content, in bits and in `Scene.bits`' sense, of every derivation of exactly `text`."""
    return _replay(text, words, prefix=False)


def prefix_bits(text: str, words: int | None = None) -> float:
    """-log2 of the probability that a document begins with `text`; infinite when none does.

    Summed over every partial derivation that covers the text; for a generated document it equals `Scene.bits`.
    """
    covering = _replay(text, words, prefix=True)
    if not covering:
        return float("inf")
    least = min(covering)
    return least - log2(fsum(2.0 ** (least - bits) for bits in covering))
