"""SIGKILL at random instants of collecting; the same command then makes what it would have made without."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Content, Server, serving, status
from support import ROOT, environment, files_hash, result, start, write_config

from chapbook.corpus import RawDocument, read_shards

SCRIPT = ROOT / "01_data_collection/collect.py"
PAGES = 40


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def furnish(server: Server) -> list[str]:
    """Pages of many sizes; some come packed, some break off, one is not there. Returns their addresses."""
    random_text = random.Random(3)
    addresses = []
    for number in range(PAGES):
        body = f"{number:03d} {random_text.randbytes(200 * (number % 7 + 1) ** 3).hex()}".encode()
        page = Content(body, packed=number % 5 == 0)
        answers: list[Any] = [page]
        if number % 4 == 1:
            answers = [Content(body, cut=len(body) // 2), page]
        if number % 10 == 2:
            answers = [status(503), page]
        addresses.append(server.on(f"/{number}.txt", *answers))
    return [*addresses, server.on("/gone.txt", status(404))]


def prepare(folder: Path, addresses: list[str]) -> Path:
    """A config with pages of the server, files, a zip, and generated texts."""
    texts = folder / "texts"
    texts.mkdir(parents=True)
    for number in range(20):
        (texts / f"{number}.txt").write_text(f"Letter {number}. " * 500)
    with zipfile.ZipFile(texts / "more.zip", "w") as archive:
        archive.writestr("a.txt", "A letter in a zip. " * 5_000)
        archive.writestr("b.jpg", "no text")
    return write_config(
        folder / "c.yaml",
        corpus__sources=[
            {"kind": "urls", "urls": addresses},
            {"kind": "files", "paths": "texts"},
            {"kind": "sample", "bytes": 200_000},
        ],
        collect={
            "contact": "librarian@example.org",
            "requests_per_second": 100,
            "connections_per_host": 4,
            "attempts": 4,
            "max_wait": 0.05,
        },
    )


def documents(workspace: Path) -> list[Any]:
    """All documents, without when they were fetched."""
    rows = [vars(document) for document in read_shards(workspace / "raw/tiny", RawDocument)]
    return [{key: value for key, value in row.items() if key != "fetched_at"} for row in rows]


def kill_again_and_again(server: Server, folder: Path, kills: int, seed: int) -> None:
    """Kill `kills` times, then finish, and compare with a run that nobody killed."""
    instants = random.Random(seed)
    config = prepare(folder, furnish(server))
    whole = folder / "whole"
    started = time.monotonic()
    expected = result(start(SCRIPT, "--config", config, "--json", workspace=whole, HF_HUB_OFFLINE="0"))
    duration = time.monotonic() - started
    killed = folder / "killed"
    furnish(server)
    struck = 0
    for _ in range(5 * kills):
        if struck == kills:
            break
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "--config", str(config)],
            env=environment(killed, HF_HUB_OFFLINE="0"),
            stderr=subprocess.DEVNULL,
        )
        try:
            # The first tenths are Python's own start, where there is nothing to break.
            process.wait(timeout=instants.uniform(0.2, 1.0) * duration)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            struck += 1
        else:
            # With what is downloaded already it takes less time than the first run did.
            duration = time.monotonic() - started
        if (killed / "raw/tiny").exists():
            # It was through before it could be killed: again, with the downloads that are there.
            shutil.rmtree(killed / "raw/tiny")
    assert struck == kills
    found = result(start(SCRIPT, "--config", config, "--json", workspace=killed, HF_HUB_OFFLINE="0"))
    assert found["fingerprint"] == expected["fingerprint"]
    assert found["sources"] == expected["sources"] and found["reasons"] == expected["reasons"] == {
        "HTTP 404": 1,
        "not a text format": 1,
    }
    assert documents(killed) == documents(whole)
    # From the same downloads the same bytes: shards and list of items. Only what was not there is asked for again.
    made = files_hash(killed / "raw/tiny")
    shutil.rmtree(killed / "raw/tiny")
    server.asked.clear()
    start(SCRIPT, "--config", config, workspace=killed, HF_HUB_OFFLINE="0")
    assert files_hash(killed / "raw/tiny") == made and server.paths() == ["/gone.txt"]
    # Nothing is left lying about.
    assert {path.name for path in (killed / "raw").iterdir() if path.is_dir()} == {"tiny"}
    assert not list((killed / "downloads").rglob("*.part"))


def test_three_kills(server: Server, tmp_path: Path) -> None:
    """Would break: a killed run leaves a corpus that differs, or one that looks whole and is not."""
    kill_again_and_again(server, tmp_path, kills=3, seed=1)


@pytest.mark.kills
@pytest.mark.parametrize("seed", range(10))
def test_thirty_kills(server: Server, tmp_path: Path, seed: int) -> None:
    """Would break: the same, at rarer instants."""
    kill_again_and_again(server, tmp_path, kills=3, seed=100 + seed)
