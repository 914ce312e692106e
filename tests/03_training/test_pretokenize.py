"""Pretokenized data: reused when compatible, rebuilt with the reason, refused when asked to."""

from __future__ import annotations

import json
from pathlib import Path

from support import Run, files_hash, result

SCRIPT = "03_training/pretokenize.py"


def test_metadata_says_what_it_is_made_of(tokens_run: Run) -> None:
    """Would break: a cache that nobody can check."""
    directory = tokens_run.workspace / "pretokenized" / "tiny-400-32"
    metadata = json.loads((directory / "metadata.json").read_text())
    assert metadata["max_length"] == 32
    assert metadata["vocab_size"] == 400
    assert metadata["dtype"] == "uint16"
    for split in metadata["splits"].values():
        # Every token is in a block or counted as left over.
        assert split["text_tokens"] + split["separators"] == split["tokens"] + split["dropped_tokens"]


def test_second_call_reuses(tokens_run: Run) -> None:
    """Would break: minutes of tokenizing before every training."""
    assert result(tokens_run.script(SCRIPT, "--json"))["reused"] is True


def test_no_pretokenized_builds_the_same_again(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: --no_pretokenized ignored, or a build that depends on time or place."""
    run = tokens_run.copy(tmp_path)
    before = files_hash(run.workspace / "pretokenized" / "tiny-400-32" / "train")
    assert result(run.script(SCRIPT, "--json", "--no-pretokenized"))["reused"] is False
    assert files_hash(run.workspace / "pretokenized" / "tiny-400-32" / "train") == before


def test_each_mismatch_by_its_name(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: stale tokens used after a change; the guides' messages."""
    # One name for all, so that they collide.
    run = tokens_run.copy(tmp_path, pretokenize__name="one")
    assert "Pre-tokenized data not found" in run.train("--use_pretokenized", code=3).stderr
    run.script(SCRIPT)
    assert (
        "Max length mismatch (found 32, need 16)" in run.train("--use_pretokenized", "--max_length", 16, code=3).stderr
    )
    run.script("02_tokenizer/train_tokenizer.py", "--tokenizer.name", "other", "--tokenizer.min_frequency", 5)
    done = run.train("--use_pretokenized", "--tokenizer.name", "other", "--tokenizer.min_frequency", 5, code=3)
    assert "Tokenizer mismatch" in done.stderr and "Corpus mismatch" not in done.stderr
    run.script("01_data_collection/clean.py", "--corpus.min_characters", 300)
    assert "Corpus mismatch" in run.train("--use_pretokenized", code=3).stderr
    # Without the flag it says so and builds.
    done = run.script(SCRIPT)
    assert "Corpus mismatch" in done.stderr and "tokenizing" in done.stderr


def test_torn_data_is_rebuilt(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: training on half a file."""
    run = tokens_run.copy(tmp_path)
    arrow = next((run.workspace / "pretokenized" / "tiny-400-32" / "train").glob("*.arrow"))
    whole = arrow.read_bytes()
    arrow.write_bytes(whole[: len(whole) // 2])
    assert "torn" in run.train("--use_pretokenized", code=3).stderr
    assert "torn" in run.script(SCRIPT).stderr
    assert arrow.read_bytes() == whole
