"""Cleaning against what was read by a person once: passages of real texts, and 300 words divided at line ends."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cleaning import STEPS, Draft
from cleaning.decode import decode
from golden_texts import GOLDEN, SHARED, cleaned, summary

from chapbook.config import CorpusConfig
from chapbook.corpus import RawDocument

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real files (../shared/corpus) are not on this machine")

EXPECTED: dict[str, Any] = json.loads(GOLDEN.read_text("utf-8"))
HYPHENS = Path(__file__).with_name("golden") / "ocr_hyphens.json"
_LETTERS = re.compile(r"[A-Za-z]+")
# Steps up to the one that joins lines; later ones may repair the words.
LINES = ["decode", "extract", "gutenberg", "markdown", "characters", "notes", "scan", "furniture", "layout"]


@pytest.mark.parametrize("name", EXPECTED)
def test_head_middle_and_tail_are_as_read(name: str) -> None:
    """Without it a change of one step could spoil what another kind of text needs; see golden_texts.py."""
    text = cleaned(name)
    assert summary(text) == EXPECTED[name], f"python tests/golden_texts.py show {name}"
    assert not re.search("[∣¦▪\x00-\x08\x0b-\x1f\ufeff\xad]|&[a-z]{1,6};|\n\n\n|  ", text)


def test_three_hundred_divided_words() -> None:
    """Without it a rule for hyphens could be right on invented lines alone: checked by reading, 296 join and 4 keep."""
    rows = json.loads(HYPHENS.read_text("utf-8"))
    assert len(rows) == 300
    settings = CorpusConfig(name="test", sources=[{"kind": "sample"}])
    texts: dict[str, tuple[str, str]] = {}
    wrong = []
    for name, left_at, right_at, decision, digest in rows:
        if name not in texts:
            content = (SHARED / "ocr" / "archive_org" / name).read_bytes()
            draft = Draft(raw=RawDocument(id=name, source="test", sha256="", content=content, format="txt"))
            for step in LINES:
                STEPS[step](settings)(draft)
            texts[name] = decode(content), draft.text
        before, after = texts[name]
        left, right = (_letters(before, at) for at in (left_at, right_at))
        assert hashlib.sha256(f"{left}/{right}".encode()).hexdigest()[:16] == digest, "another file than was read"
        # Where it must be in the cleaned text, give or take what was dropped before it.
        place = int(left_at / len(before) * len(after))
        around = after[max(place - 20_000, 0) : place + 20_000]
        joined = re.search(rf"(?<!\w){left}{right}(?!\w)", around) is not None
        kept = re.search(rf"(?<!\w){left}-\s?{right}(?!\w)", around) is not None
        if (joined, kept) != (decision == "join", decision == "keep"):
            wrong.append(f"{name}: {left}/{right} ({decision})")
    assert len(wrong) <= 0.02 * len(rows), wrong


def _letters(text: str, position: int) -> str:
    match = _LETTERS.match(text, position)
    return match[0] if match else ""
