"""count_tokens.py: exact figures per source, or an estimate that says it is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Run, start

from chapbook.corpus import read_texts
from chapbook.tokenizer import load_tokenizer

SCRIPT = "01_data_collection/count_tokens.py"


def test_a_corpus_is_counted_to_the_token(tokens_run: Run) -> None:
    """Would break: a size of the corpus that training then contradicts."""
    result = start(SCRIPT, "--config", tokens_run.config, "--json", workspace=tokens_run.workspace)
    found = json.loads(result.stdout.splitlines()[-1])
    tokenizer = load_tokenizer(next((tokens_run.workspace / "tokenizers").glob("*/tokenizer.json")).parent)
    corpus = next((tokens_run.workspace / "corpora").glob("*/manifest.json")).parent
    for split, count in found["by_split"].items():
        texts = list(read_texts(corpus, split))
        assert count["files"] == len(texts)
        assert count["bytes"] == sum(len(text.encode()) for text in texts)
        assert count["tokens"] == sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)
    assert found["tokens"] == sum(count["tokens"] for count in found["by_source"].values())
    assert not found["estimate"]


def test_a_folder_is_counted_by_its_folders_and_an_estimate_says_so(tmp_path: Path) -> None:
    """Would break: the first look at a folder of texts, before there is anything else."""
    for name, text in {"a/one.txt": "London is large.", "a/two.txt": "Ünd", "b/three.html": "<p>Thames</p>"}.items():
        (tmp_path / "texts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / name).write_text(text, "utf-8")
    result = start(SCRIPT, "--data_dir", tmp_path / "texts", "--json", workspace=tmp_path / "workspace")
    found = json.loads(result.stdout.splitlines()[-1])
    assert "estimated as bytes / 4" in result.stderr
    assert found["estimate"]
    assert {name: (count["files"], count["bytes"]) for name, count in found["by_source"].items()} == {
        "a": (2, 20),
        "b": (1, 6),
    }


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "Say what to count"),
        (("--data_dir", "nowhere"), 2, "There is no folder"),
        (("--data_dir", "tests", "--tokenizer", "nowhere"), 3, "There is no tokenizer"),
    ],
)
def test_what_cannot_be_counted_is_said(tmp_path: Path, words: tuple[str, ...], code: int, message: str) -> None:
    """Would break: a traceback, or a count of nothing."""
    assert message in start(SCRIPT, *words, workspace=tmp_path, code=code).stderr
