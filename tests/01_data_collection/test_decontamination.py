"""Documents that hold evaluation items stay out of the corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cleaning import STEPS, Draft, Rejected
from support import Run, result, write_config

from chapbook.config import CorpusConfig
from chapbook.corpus import RawDocument, Reject, read_shards
from chapbook.errors import UsageError

ITEM = "Which of the bridges over the river was the only one until the year 1750, when another was opened upstream?"


def refusal(text: str, *paths: Path) -> str:
    """The reason for which a text is refused; empty when it is not."""
    settings = CorpusConfig(name="c", sources=[{"kind": "sample"}], decontaminate=[str(path) for path in paths])  # type: ignore[list-item]
    draft = Draft(raw=RawDocument(id="d", source="s", sha256="x", content=b"", format="txt"), text=text)
    try:
        STEPS["decontaminate"](settings)(draft)
    except Rejected as rejected:
        return f"{rejected.reason}: {rejected.detail}"
    return ""


@pytest.fixture
def items(tmp_path: Path) -> Path:
    """A task file as evaluation harnesses have them."""
    path = tmp_path / "bridges.jsonl"
    rows = [
        {
            "question": ITEM,
            "choices": ["London Bridge", "the old bridge of Westminster that stands there to this day"],
            "answer": 0,
        },
        {"question": "What is the capital of France?", "choices": ["Paris", "Rome"], "answer": 0},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def test_items_are_found_whatever_their_layout(items: Path) -> None:
    """Would break: a model that has read the answers."""
    around = "He asked the waterman a question. {} And the waterman laughed."
    assert refusal(around.format(ITEM), items).startswith("evaluation item: 13 words of bridges.jsonl, ")
    shouted = ITEM.upper().replace(" ", "\n").replace(",", " —")
    assert refusal(around.format(shouted), items).startswith("evaluation item: 13 words")
    assert refusal("the Old Bridge of Westminster, that stands there to this day!", items).startswith(
        "evaluation item: 11 words"
    )


def test_ordinary_texts_are_not_refused(items: Path) -> None:
    """Would break: every text that mentions the capital of France is thrown away."""
    assert refusal("What is the capital of France? " * 20, items) == ""
    assert refusal(ITEM[: len(ITEM) // 2], items) == ""
    assert refusal("", items) == refusal("London Bridge", items) == ""
    assert refusal(ITEM) == ""


def test_text_files_and_bad_files(tmp_path: Path) -> None:
    """Would break: a file that is not read, silently."""
    plain = tmp_path / "items.txt"
    plain.write_text(f"one short line\n{ITEM}\n")
    assert refusal(ITEM, plain)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"a": "b"}\nnot json\n')
    with pytest.raises(UsageError, match="line 2 of"):
        refusal("text", broken)
    with pytest.raises(UsageError, match="cannot be read"):
        refusal("text", tmp_path / "absent.txt")


def test_the_script_counts_them_and_notices_other_items(tmp_path: Path) -> None:
    """Would break: decontamination against yesterday's tasks, reused for today's."""
    (tmp_path / "texts").mkdir()
    for number in range(4):
        text = (
            f"Letter {'abcd'[number]}. "
            + f"It was a wet evening in the {['north', 'south', 'east', 'west'][number]}. " * 9
        )
        (tmp_path / "texts" / f"{number}.txt").write_text(text + (ITEM if number == 2 else ""))
    items = tmp_path / "items.txt"
    items.write_text(ITEM + "\n")
    config = write_config(
        tmp_path / "tiny.yaml",
        corpus__sources=[{"kind": "files", "paths": "texts"}],
        corpus__steps=["decode", "extract", "length"],
        corpus__decontaminate=["items.txt"],
        corpus__validation_share=0.3,
    )
    run = Run(config, tmp_path / "workspace")
    run.script("01_data_collection/collect.py")
    counts = result(run.script("01_data_collection/clean.py", "--json"))
    assert counts["reasons"] == {"decontaminate: evaluation item": 1}
    (reject,) = read_shards(run.workspace / "corpora" / "tiny" / "rejects", Reject)
    assert reject.id.endswith("2.txt") and ITEM in reject.text
    items.write_text("something else that nobody has ever written in any of these letters\n")
    counts = result(run.script("01_data_collection/clean.py", "--json"))
    assert not counts["reused"] and not counts["reasons"]
    done = run.script("01_data_collection/clean.py", "--corpus.decontaminate", "[absent.jsonl]", code=2)
    assert "there is no file" in done.stderr
