"""Tokenizing is killed and started again: the tokens are the same, and half a cache is never used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import ROOT, Run, environment, files_hash, result

SCRIPT = "03_training/pretokenize.py"
# Small files, so that a build of a second has many instants: 77 of training, 7 held back.
FLAGS = ("--pretokenize.shard_tokens", "1000")
FILES = 84


def start_build(run: Run) -> subprocess.Popen[bytes]:
    words = [sys.executable, ROOT / SCRIPT, "--config", run.config, *FLAGS, "--quiet"]
    return subprocess.Popen(words, env=environment(run.workspace), start_new_session=True)


def files_there(run: Run) -> int:
    """Whole shards, wherever the build keeps them."""
    return sum(1 for _ in run.workspace.glob("pretokenized/.*.partial/*/data-*.arrow"))


def kill_at(run: Run, files: int, delay: float = 0.0) -> None:
    """Start a build and SIGKILL it when so many files are there (at the latest when it has ended)."""
    process = start_build(run)
    while files_there(run) < files and process.poll() is None:
        time.sleep(0.001)
    time.sleep(delay)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def straight(tokens_run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The fingerprint and the bytes of a build that nobody disturbed."""
    run = without_tokens(tokens_run, tmp_path_factory.mktemp("straight"))
    done = run.script(SCRIPT, *FLAGS, "--json")
    assert sum(1 for _ in run.workspace.glob("pretokenized/*/*/*.arrow")) == FILES
    return result(done)["fingerprint"], content(run)


def without_tokens(run: Run, to: Path) -> Run:
    copy = run.copy(to)
    subprocess.run(["rm", "-rf", copy.workspace / "pretokenized"], check=True)
    return copy


def content(run: Run) -> dict[str, str]:
    """The hashes of both datasets, and metadata.json but for its time."""
    (directory,) = (path for path in run.workspace.glob("pretokenized/*") if path.is_dir() and path.name[0] != ".")
    metadata = json.loads((directory / "metadata.json").read_text())
    del metadata["created_at"]
    hashes = {split: files_hash(directory / split) for split in ("train", "eval")}
    return hashes | {"metadata": json.dumps(metadata, sort_keys=True)}


def check(run: Run, straight: tuple[str, dict[str, str]]) -> None:
    """Whatever a kill has left is not used; the same command goes on to the same result."""
    left = [path for path in run.workspace.glob("pretokenized/*") if path.is_dir() and path.name[0] != "."]
    if not left:
        done = run.script(SCRIPT, *FLAGS, "--use_pretokenized", code=3)
        assert "Pre-tokenized data not found" in done.stderr
    done = run.script(SCRIPT, *FLAGS, "--json")
    assert result(done)["fingerprint"] == straight[0]
    assert content(run) == straight[1]
    assert not list(run.workspace.glob("pretokenized/.*.partial")), "the work folder of a finished build"


def test_killed_once_goes_on_and_gives_the_same(
    tokens_run: Run, tmp_path: Path, straight: tuple[str, dict[str, str]]
) -> None:
    """Would break: a build that starts over, or that uses half of what was there."""
    run = without_tokens(tokens_run, tmp_path)
    kill_at(run, 40)
    kept = files_there(run)
    assert 40 <= kept < FILES
    done = run.script(SCRIPT, *FLAGS, "--json")
    assert f"train: going on after {min(kept, 77)} finished file(s)" in done.stderr
    assert (result(done)["fingerprint"], content(run)) == straight


def test_killed_again_and_again(tokens_run: Run, tmp_path: Path, straight: tuple[str, dict[str, str]]) -> None:
    """Would break: a second kill that loses what the first had left."""
    run = without_tokens(tokens_run, tmp_path)
    before = 0
    for files in (3, 78):
        kill_at(run, files)
        assert files_there(run) >= max(files, before)
        before = files_there(run)
    check(run, straight)


@pytest.mark.kills
@pytest.mark.parametrize("instant", range(20))
def test_killed_at_twenty_instants(
    tokens_run: Run, tmp_path: Path, straight: tuple[str, dict[str, str]], instant: int
) -> None:
    """Would break: any instant at which a kill changes the result."""
    run = without_tokens(tokens_run, tmp_path)
    if instant < 14:
        kill_at(run, instant * FILES // 14)
    else:
        # Behind the last file, where metadata, hashes and manifest are written and the folder gets its name.
        kill_at(run, FILES, delay=(instant - 14) * 0.02)
    check(run, straight)
