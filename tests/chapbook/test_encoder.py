"""Encoding with the fast engine: exactly the ids of `tokenizers`, or not with it at all."""

from __future__ import annotations

import json
import logging
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Run

from chapbook.errors import ChapbookError
from chapbook.log import log
from chapbook.tokenizer import END_OF_TEXT, GPT2_PATTERN, PROBES, Encoder, encode_documents


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(log, "propagate", True)
    caplog.set_level(logging.INFO, "chapbook")
    return caplog


def changed(run: Run, to: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The tiny run's tokenizer with a changed tokenizer.json."""
    content = json.loads((run.workspace / "tokenizers" / "tiny-400" / "tokenizer.json").read_text())
    change(content)
    (to / "tokenizer.json").write_text(json.dumps(content))
    return to


def random_texts(count: int) -> list[str]:
    """Texts of characters of all planes, of white space, of letters and of the special token."""
    rng = random.Random(1)
    every = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    kinds: list[list[str]] = [
        every,
        list(" \t\n\r\x0b\x85\u00a0\u2028\u3000"),
        list("abcdefgABCDEFG''  \n"),
        list("0123456789 .,"),
        [END_OF_TEXT, END_OF_TEXT[:-1], "<|", "|>", " ", "\n", "end"],
        [chr(c) for c in range(0x300, 0x370)] + list("aeiou "),
        PROBES[3:11],  # type: ignore[list-item]
    ]
    return [
        "".join(
            rng.choices(rng.choice(kinds), k=rng.randrange(12)) + rng.choices(rng.choice(kinds), k=rng.randrange(12))
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("pattern", ["as trained", "gpt2"])
def test_thousands_of_texts_have_the_ids_of_tokenizers(tokens_run: Run, tmp_path: Path, pattern: str) -> None:
    """Would break: other tokens in training than in evaluation and generation, on whatever text."""
    content = {"pre_tokenizer": None}

    def use_gpt2(content: dict[str, Any]) -> None:
        content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = GPT2_PATTERN

    directory = changed(tokens_run, tmp_path, use_gpt2 if pattern == "gpt2" else content.update)
    encoder = Encoder(directory)
    assert encoder.engine.startswith("gigatoken ")
    texts = random_texts(2_000 if pattern == "gpt2" else 10_000)
    ids, lengths = encoder.encode(texts)
    places = np.cumsum(lengths)
    assert places[-1] == len(ids)
    for text, found, expected in zip(
        texts, np.split(ids, places[:-1]), encode_documents(encoder.tokenizer, texts), strict=True
    ):
        assert found.tolist() == expected, text
    assert encoder.end_of_text not in ids, "the literal text of the special token became the token"
    whole = "".join(texts)
    assert encoder.tokenizer.decode(encoder.encode([whole])[0].tolist(), skip_special_tokens=False) == whole


def set_(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        place: Any = content
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place[name]
        place[last] = value

    return change


# Tokenizers that gigatoken takes and encodes otherwise than `tokenizers` does: what the comparison is for.
WRONG = {
    "removed": set_("pre_tokenizer.pretokenizers.0.behavior", "Removed"),
    "prefix": set_("pre_tokenizer.pretokenizers.1.add_prefix_space", True),
    "truncated": set_("truncation", {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}),
}
# Tokenizers that it refuses.
UNKNOWN = {
    "own pattern": set_("pre_tokenizer.pretokenizers.0.pattern.Regex", r"\p{L}+|\s+|."),
    "lower case": set_("normalizer", {"type": "Lowercase"}),
}


@pytest.mark.parametrize("name", [*WRONG, *UNKNOWN])
def test_what_gigatoken_does_not_do_right_is_done_by_tokenizers(
    tokens_run: Run, tmp_path: Path, messages: pytest.LogCaptureFixture, name: str
) -> None:
    """Would break: wrong tokens from a young library; a fallback in silence."""
    encoder = Encoder(changed(tokens_run, tmp_path, {**WRONG, **UNKNOWN}[name]))
    (line,) = (record.getMessage() for record in messages.records)
    assert encoder.engine.startswith("tokenizers ") and line.startswith("gigatoken is not used (")
    assert line.endswith(f"): tokenizing with {encoder.engine}, which is slower")
    assert ("it gives other ids than tokenizers for" in line) == (name in WRONG)
    texts = random_texts(200)
    ids, lengths = encoder.encode(texts)
    expected = list(encode_documents(encoder.tokenizer, texts))
    assert [row.tolist() for row in np.split(ids, np.cumsum(lengths)[:-1])] == expected


def test_samples_of_the_corpus_are_compared_too(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a difference that no probe shows but this corpus does, here that texts are cut at 3,000 tokens."""
    cut = {"direction": "Right", "max_length": 3_000, "strategy": "LongestFirst", "stride": 0}
    directory = changed(tokens_run, tmp_path, set_("truncation", cut))
    assert Encoder(directory, ["short"]).engine.startswith("gigatoken ")
    assert Encoder(directory, ["short", "a b " * 2_000]).engine.startswith("tokenizers ")


def test_without_gigatoken_it_works_and_says_so(
    tokens_run: Run, messages: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would break: a machine for which there is no gigatoken."""
    monkeypatch.setitem(sys.modules, "gigatoken", None)
    encoder = Encoder(tokens_run.workspace / "tokenizers" / "tiny-400")
    assert encoder.engine.startswith("tokenizers ")
    assert [record.levelname for record in messages.records] == ["WARNING"]


def test_an_id_that_cannot_come_from_text_is_an_error(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: document boundaries read from the blocks, where an end-of-text token stands inside a document."""
    directory = changed(
        tokens_run, tmp_path, lambda content: content["added_tokens"][0].update(special=False, normalized=False)
    )
    with pytest.raises(ChapbookError, match="gave the end-of-text token"):
        list(Encoder(directory).encode_all([f"a{END_OF_TEXT}b"]))
