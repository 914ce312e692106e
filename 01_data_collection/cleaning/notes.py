"""Step `notes`: the marks of footnotes leave the sentences; notes that stand in the middle of a text go to its end.

Marks are `[12]`, `{3}`, `[A]`, `[*]`, as transcribers of e-texts write them. They are taken for notes where a text has
the note as well: a paragraph or a line that begins with the same mark, or `[Footnote 12: …]`.
"""

from __future__ import annotations

import re

from cleaning.draft import CleaningSettings, Draft, Step

_MARK = r"[\[{](\d{1,3}|[A-Z]|[*†‡§])[\]}]"
# A note's own beginning: at a line's beginning, after a blank line or another note.
_NOTE = re.compile(rf"(?:^|\n)[ \t]*{_MARK}[ \t]+(?=\S)")
_ANCHOR = re.compile(rf"(?<=[^\s\[{{])[ \t]?{_MARK}(?=[\s.,;:!?\"'”’)—-]|$)")
# Between blank lines it is lifted out whole; one level of brackets may be inside.
_FOOTNOTE = re.compile(
    r"(?:(?<=\n)|^)[ \t]*\[Footnotes?(?: (?:\d{1,3}|[A-Z*†‡§]))?: *"
    r"((?:[^\[\]]|\[[^\[\]]{0,300}\]){1,6000})\][ \t]*(?:\n|$)"
)
_PAGE = re.compile(r"[ \t]?[\[{](?:Pg|p\.|Page) ?\d{1,4}[\]}]")


def make(settings: CleaningSettings) -> Step:
    """Drops the marks of notes and of pages (`[Pg 57]`) inside sentences; lifts `[Footnote: …]` to the end."""

    def step(draft: Draft) -> None:
        text = draft.text
        if "[" in text or "{" in text:
            draft.text = without_marks(text)

    return step


def without_marks(text: str) -> str:
    """The text without the marks; a text whose marks belong to no note keeps them."""
    if "[Footnote" in text:
        notes: list[str] = []

        def lift(match: re.Match[str]) -> str:
            notes.append(match[1].strip())
            return "\n"

        text = _FOOTNOTE.sub(lift, text)
        if notes:
            text = "\n\n".join([text.rstrip(), *notes]) + "\n"
            # Their marks: `[Footnote 1:` says enough.
            text = _ANCHOR.sub("", text)
    marks = {match[1] for match in _NOTE.finditer(text)}
    if marks:
        text = _ANCHOR.sub(lambda match: "" if match[1] in marks else match[0], text)
        text = _NOTE.sub(lambda match: "\n" if match[0].startswith("\n") else "", text)
    return _PAGE.sub("", text) if "[P" in text or "[p" in text or "{P" in text else text
