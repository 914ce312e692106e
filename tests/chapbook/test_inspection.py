"""`python -m chapbook inspect`: what an artifact is, from what, whether it is whole, and what is in its tokens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from support import Run, result, start

from chapbook.tokenizer import load_tokenizer
from chapbook.tokens import TokenBlocks

TOKENS = "pretokenized/tiny-400-32"


def inspect(run: Run, *words: object, **settings: Any) -> str:
    return start("-m", "chapbook", "inspect", *words, workspace=run.workspace, **settings).stdout


def test_a_person_reads_it(trained_run: Run) -> None:
    """Would break: the page for people; a checkpoint without its step and loss."""
    # Its folder, from anywhere, is as good as its path in the workspace.
    page = inspect(trained_run, trained_run.checkpoints / "checkpoint-8")
    counts = json.loads((trained_run.checkpoints / "checkpoint-8" / "manifest.json").read_text())["counts"]
    for line in ("kind         checkpoint", "state        whole (sizes compared)", "  step: 8", "    corpus: "):
        assert line in page, line
    assert f"  loss: {counts['loss']}" in page and f"  eval_loss: {counts['eval_loss']}" in page
    assert f"  tokens: {trained_run.workspace / TOKENS}" in page


def test_blocks_are_decoded_and_tokens_counted(trained_run: Run) -> None:
    """Would break: looking at what a model is really trained on."""
    words = (TOKENS, "--block", 0, "--histogram", "--split", "eval")
    facts = json.loads(inspect(trained_run, *words, "--json").splitlines()[-1])
    blocks = TokenBlocks(trained_run.workspace / TOKENS / "eval")
    tokenizer = load_tokenizer(trained_run.workspace / "tokenizers" / "tiny-400")
    assert facts["block"]["ids"] == blocks.row(0).tolist()
    assert facts["block"]["text"].startswith("<|endoftext|>")
    assert facts["block"]["text"] == tokenizer.decode(facts["block"]["ids"], skip_special_tokens=False)
    ids = np.concatenate([part.reshape(-1) for part in blocks.parts()])
    counts = np.bincount(ids, minlength=400)
    histogram = facts["histogram"]
    assert histogram["tokens"] == len(ids) and histogram["unused"] == int((counts == 0).sum())
    assert [entry["count"] for entry in histogram["top"]] == sorted(counts.tolist(), reverse=True)[:25]
    assert all(counts[entry["id"]] == entry["count"] for entry in histogram["top"])
    single = [number for number in range(400) if len(tokenizer.id_to_token(number)) == 1]
    assert len(single) == 256 and histogram["single_byte_share"] == counts[single].sum() / len(ids)
    page = inspect(trained_run, *words)
    assert "Block 0 of eval (32 tokens)\n<|endoftext|>" in page and "of 400 in the vocabulary do not occur" in page


def test_damage_is_said_and_is_an_exit_code(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a script that goes on with what is torn."""
    run = trained_run.copy(tmp_path)
    path = run.workspace / "tokenizers" / "tiny-400" / "vocab.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))
    assert "whole (sizes compared)" in inspect(run, "tokenizers/tiny-400")
    page = inspect(run, "tokenizers/tiny-400", "--hashes", code=3)
    assert "state        vocab.json has other content than when it was written" in page
    path.unlink()
    assert "vocab.json is missing" in inspect(run, "tokenizers/tiny-400", code=3)
    # What its inputs were is known also where they are not.
    shutil.rmtree(run.workspace / "corpora")
    page = inspect(run, TOKENS)
    assert "(not in this workspace)" in page


def test_what_is_no_artifact_is_said(trained_run: Run) -> None:
    """Would break: a traceback for a wrong path."""
    for path, code, line in (
        ("nothing/there", 3, "There is no nothing/there, neither from here nor in"),
        ("checkpoints/tiny", 3, "These in it are: checkpoint-4, checkpoint-8."),
        (trained_run.config, 3, "is no artifact: it has no manifest.json"),
    ):
        done = start("-m", "chapbook", "inspect", path, workspace=trained_run.workspace, code=code)
        assert line in done.stderr
    for words in ((TOKENS, "--block", 9_999_999), ("raw/tiny", "--histogram")):
        start("-m", "chapbook", "inspect", *words, workspace=trained_run.workspace, code=2)
    done = start("-m", "chapbook", "inspect", TOKENS, "--json", workspace=trained_run.workspace)
    assert result(done)["kind"] == "pretokenized"
