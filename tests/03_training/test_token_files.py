"""Training straight from `.npy` token files: the same tokens give the same model, wrong ones are refused."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support import Run, result
from training_tokens import training_tokens

from chapbook import checkpoint
from chapbook.config import load_config
from chapbook.errors import ArtifactError, ChapbookError, UsageError
from chapbook.workspace import Workspace

SCRIPT = "03_training/pretokenize.py"


@pytest.fixture(scope="module")
def files_run(tokens_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny run with nothing but its tokenizer, and its tokens as train.npy and val.npy beside the workspace."""
    run = tokens_run.copy(tmp_path_factory.mktemp("files"))
    run.script(SCRIPT, "--export_npy", run.config.parent)
    for folder in ("raw", "corpora", "pretokenized"):
        shutil.rmtree(run.workspace / folder)
    return run


def test_files_train_the_same_model_without_a_corpus(files_run: Run, trained_run: Run, tmp_path: Path) -> None:
    """Would break: guide D's way of training, other blocks than from the corpus, or a figure made up for them."""
    folder = files_run.config.parent
    run = files_run.copy(tmp_path)
    flags = ("--train_data", folder / "train.npy", "--val_data", folder / "val.npy")
    done = run.train(*flags)
    assert "train.npy: 75,712 tokens, dtype uint16, memory-mapped, ids 0 to 3" in done.stderr
    assert "2,366 blocks of 32 (0 tokens left over)" in done.stderr
    assert "bits per byte are not given" in done.stderr and "bits/byte" not in done.stderr
    with_corpus = [
        {name: value for name, value in line.items() if not name.endswith("bits_per_byte")}
        for line in trained_run.metrics()
    ]
    assert run.metrics() == with_corpus and any("eval_loss" in line for line in with_corpus)
    weights = [r.checkpoints / "checkpoint-8" / "model.safetensors" for r in (run, trained_run)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    # The checkpoint knows its data by its content.
    manifest = json.loads((run.checkpoints / "checkpoint-8" / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {"tokens", "tokenizer", "train_data", "val_data"}
    assert result(run.train(*flags, "--json"))["reused"] is True
    # The same files elsewhere are the same data; others are not.
    for name in ("train.npy", "val.npy"):
        shutil.copy(folder / name, tmp_path / name)
    elsewhere = ("--train_data", tmp_path / "train.npy", "--val_data", tmp_path / "val.npy")
    assert result(run.train(*elsewhere, "--json"))["reused"] is True
    ids = np.load(tmp_path / "train.npy")
    np.save(tmp_path / "train.npy", ids[::-1])
    done = run.train(*elsewhere, code=3)
    assert "train_data" in done.stderr.splitlines()[-1]
    # What needs to know which text was held back says that nobody knows.
    found = checkpoint.find(run.checkpoints)
    with pytest.raises(ArtifactError, match="was trained on token files, not on a corpus"):
        checkpoint.corpus_of(found, trained_run.workspace / "corpora" / "tiny")


def test_wrong_files_are_refused_before_training(files_run: Run, tmp_path: Path) -> None:
    """Would break: an index error on the GPU, or nonsense learnt, from another tokenizer's ids."""
    other = tmp_path / "other.npy"
    np.save(other, np.array([5, 400, 50_256] * 50, np.int64))
    done = files_run.train("--train_data", other, code=3)
    assert "other.npy: 150 tokens, dtype int64, memory-mapped, ids 5 to 50,256, 4 blocks of 32" in done.stderr
    assert "holds ids from 5 to 50,256, and the tokenizer has 400 tokens (0 to 399)" in done.stderr

    config, workspace = load_config(files_run.config), Workspace(files_run.workspace)

    def refused(kind: type[ChapbookError], **paths: Path) -> str:
        arguments = argparse.Namespace(
            **{"train_data": None, "val_data": None, "use_pretokenized": False, "no_pretokenized": False} | paths
        )
        with pytest.raises(kind) as error:
            training_tokens(arguments, config, workspace)
        return str(error.value)

    np.save(other, np.array([1, -1] * 50, np.int16))
    assert "holds ids from -1 to 1, and the tokenizer has" in refused(ArtifactError, train_data=other)
    assert "There is no token file" in refused(ArtifactError, train_data=tmp_path / "none.npy")
    assert "--val_data belongs to --train_data" in refused(UsageError, val_data=other)
    np.save(other, np.array([1] * 31, np.uint16))
    assert "holds 31 tokens, less than one block of 32" in refused(ArtifactError, train_data=other)


def test_without_held_back_files_it_trains_without_evaluation(files_run: Run, tmp_path: Path) -> None:
    """Would break: training data evaluated as if it were held back."""
    run = files_run.copy(tmp_path)
    done = run.train("--train_data", files_run.config.parent / "train.npy", "--max_steps", 2)
    assert "no block of text is held back: training without evaluation" in done.stderr
    assert not any("eval_loss" in line for line in run.metrics())
