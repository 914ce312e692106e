"""SIGKILL at random instants of cleaning; the same command then makes what it would have made without."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import ROOT, environment, files_hash, write_config

from chapbook import artifact

# The script itself, on pieces so small that a small corpus has many of them.
PROGRAM = """
import functools, sys
sys.path.insert(0, {folder!r})
if {script!r} == "collect":
    from chapbook import corpus
    corpus.ROW_GROUP_BYTES = 20_000
else:
    import build_corpus, engine
    build_corpus.cut_into_pieces = functools.partial(engine.cut_into_pieces, piece_bytes=40_000)
import {script}
sys.exit({script}.main(sys.argv[1:]))
"""
STEPS = ["decode", "extract", "gutenberg", "characters", "layout", "length", "duplicates"]
DIRT = dict.fromkeys(("boilerplate", "hyphens", "ocr", "duplicate"), 0.1)


def command(script: str, config: Path) -> list[str]:
    program = PROGRAM.format(folder=str(ROOT / "01_data_collection"), script=script)
    return [sys.executable, "-c", program, "--config", str(config), "--quiet"]


def run(script: str, config: Path, workspace: Path, *flags: str) -> float:
    """Run a script to its end; returns the seconds it took."""
    started = time.monotonic()
    subprocess.run([*command(script, config), *flags], env=environment(workspace), check=True, timeout=300)
    return time.monotonic() - started


def kill_after(seconds: float, config: Path, workspace: Path, *, alone: bool) -> bool:
    """Start cleaning and kill it, alone or with its workers; returns whether it was still at work."""
    process = subprocess.Popen(
        [*command("clean", config), "--workers", "2"],
        env=environment(workspace),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    raise AssertionError("workers outlived the script by 20 s")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """A config, a workspace with raw documents and the corpus as it must become; and how long cleaning takes."""
    folder = tmp_path_factory.mktemp("kills")
    source = {"kind": "sample", "seed": 3, "bytes": 300_000, "dirt": DIRT}
    config = write_config(
        folder / "tiny.yaml",
        corpus__sources=[source],
        corpus__steps=STEPS,
        corpus__mixture={"sample": {"weight": 1.5}},
    )
    run("collect", config, folder / "workspace")
    seconds = run("clean", config, folder / "workspace", "--workers", "1")
    return config, folder / "workspace", seconds


def check(prepared: tuple[Path, Path, float], instants: list[float], tmp_path: Path) -> int:
    """Kill cleaning at these shares of its time, one after the other; returns how many kills found it at work."""
    config, whole, seconds = prepared
    workspace = tmp_path / "workspace"
    shutil.copytree(whole / "raw", workspace / "raw")
    corpus, expected = workspace / "corpora" / "tiny", whole / "corpora" / "tiny"
    kills = 0
    for number, share in enumerate(instants):
        kills += kill_after(share * seconds, config, workspace, alone=number % 2 == 0)
        if corpus.exists():
            # Between the last rename and the end of the process it is whole; begin again.
            assert files_hash(corpus) == files_hash(expected)
            shutil.rmtree(corpus)
    run("clean", config, workspace, "--workers", "2")
    one, other = artifact.read_manifest(corpus), artifact.read_manifest(expected)
    assert one is not None and other is not None and one.fingerprint == other.fingerprint
    assert files_hash(corpus) == files_hash(expected)
    assert {key: one.counts[key] for key in ("in", "kept", "reasons", "splits", "truth")} == {
        key: other.counts[key] for key in ("in", "kept", "reasons", "splits", "truth")
    }
    assert sorted(path.name for path in corpus.parent.iterdir()) == [".tiny.lock", "tiny"]
    return kills


def test_killed_three_times(prepared: tuple[Path, Path, float], tmp_path: Path) -> None:
    """Would break: a corpus that is cleaned from the start, or otherwise, after a crash."""
    assert check(prepared, [0.4, 0.7, 0.95], tmp_path) >= 1


@pytest.mark.kills
@pytest.mark.timeout(1800)
def test_killed_at_thirty_instants(prepared: tuple[Path, Path, float], tmp_path: Path) -> None:
    """Would break: an instant at which a crash leaves something that the next run takes for whole."""
    chance = random.Random(11)
    kills = 0
    for number in range(10):
        kills += check(prepared, [chance.uniform(0.2, 1.3) for _ in range(3)], tmp_path / str(number))
    assert kills >= 15
