r"""Step `punctuation`: one form of dash, no blanks before marks, quotation marks beside what they quote.

Of 70 novels 41 have ` - ` for a dash (47,584 times), 6 have `--` and others ` — `: all become `—` without blanks, as
e-texts of the time print it. Dashes between numbers and lines of dashes stay. Where a compiler took out italics or
brackets, and in all scans, blanks stand before commas and full stops (4,266 in the novels, 5,966 in seven scans):
closed up, but not in ` . . . `.
"""

from __future__ import annotations

import re

from cleaning.draft import CleaningSettings, Draft, Step

# Patterns that begin with a literal character run at 200 MB/s, those that look back first at 22.
_SPACE_BEFORE_MARK = re.compile(
    r" (?:([,;:!?])(?<=[^\s,;:!?] .)(?![^\s\"'”’)\]—–-])|(\.)(?<=[^\s.,;:!?] .)(?! ?\.)(?=[\s\"'”’)\]]|$))"
)
_SPACED_DASH = re.compile(r" (?:-{1,3}|–|—{1,2})(?: |(?=[\"”’,;:!?.\n]|$))")
_DOUBLE_HYPHEN = re.compile(r"--+")
_DASH_AT_BEGINNING = re.compile(r"^- (?=[\w\"“'‘])", re.MULTILINE)
# A text with so many dashes inside its lines for each at a line's beginning has no lists: 1,348 and 75 in one novel.
_DASHES_PER_BEGINNING = 10


def make(settings: CleaningSettings) -> Step:
    """Makes dashes em dashes and closes up blanks before marks; in scans also those inside quotation marks."""

    def step(draft: Draft) -> None:
        text = closed_up(one_dash(draft.text))
        draft.text = quotes_closed_up(text) if draft.scanned or draft.raw.format == "pdf" else text

    return step


def one_dash(text: str) -> str:
    """The text with `—` for ` - `, `--`, ` – ` and ` — `; four hyphens and more, for a name left out, are `——`."""
    if "\n- " in text and text.count(" - ") >= _DASHES_PER_BEGINNING * text.count("\n- "):
        text = _DASH_AT_BEGINNING.sub("—", text)
    if " -" in text or " –" in text or " —" in text:
        text = _SPACED_DASH.sub(lambda dash: _dash(dash, text), text)
    return _DOUBLE_HYPHEN.sub(_hyphens, text) if "--" in text else text


def _dash(dash: re.Match[str], text: str) -> str:
    before, after = text[dash.start() - 1 : dash.start()], text[dash.end() : dash.end() + 1]
    # `3 - 4` is a range or a sum; at a line's beginning a hyphen makes a list.
    if (before.isdigit() and after.isdigit()) or not before or before == "\n":
        return dash[0]
    return "——" if dash[0].strip() == "——" else "—"


def _hyphens(run: re.Match[str]) -> str:
    length = len(run[0])
    if length > 6:
        return run[0]
    return "—" if length < 4 else "——"


def closed_up(text: str) -> str:
    """The text without blanks before `, ; : ! ?` and full stops."""
    return _SPACE_BEFORE_MARK.sub(lambda found: found[0][1], text)


def quotes_closed_up(text: str) -> str:
    """The text with `" Call "` as `"Call"`: a mark between blanks opens or closes by turns in its paragraph.

    A mark with a blank on one side says itself what it does; a paragraph may close what another opened.
    """
    paragraphs = text.split("\n\n")
    for number, paragraph in enumerate(paragraphs):
        if '" ' in paragraph or ' "' in paragraph:
            pieces = paragraph.split('"')
            opened = False
            for at in range(1, len(pieces)):
                before, after = pieces[at - 1], pieces[at]
                free_before, free_after = not before or before[-1] in " \n—(", not after or after[0] in " \n"
                # The first mark of a paragraph has nothing before it, the last nothing after it.
                opened = not opened if free_before == free_after else free_before
                if opened:
                    pieces[at] = after.lstrip(" ")
                else:
                    pieces[at - 1] = before.rstrip(" ")
            paragraphs[number] = '"'.join(pieces)
    return "\n\n".join(paragraphs)
