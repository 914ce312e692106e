"""Training killed at any instant goes on as if nothing had happened: file operation by file operation, and at random.

A sample of the kill points runs in `make test`, all of them in `make test-faults`.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from faults.zygote import COMPILER, Outcome, Zygote
from support import Run, write_config

from chapbook import checkpoint

pytestmark = [pytest.mark.skipif(COMPILER is None, reason="no C compiler for the library that kills")]

# Three saves, the first of them deleted again after the last; dropout is on.
SETTINGS = {
    "training__max_steps": 6,
    "training__save_steps": 2,
    "training__eval_steps": 2,
    "training__max_eval_samples": 8,
    "training__save_total_limit": 2,
}


def final_state(run: Run) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """What training ended with: the hashes of the last checkpoint's files, and the metrics without clock times."""
    manifest = json.loads((run.checkpoints / "checkpoint-6" / "manifest.json").read_text())
    # trainer_state.json holds speeds.
    hashes = {entry["path"]: entry["sha256"] for entry in manifest["files"] if entry["path"] != "trainer_state.json"}
    return hashes, run.metrics()


@dataclass(frozen=True)
class Kill:
    """Where to kill: at a file operation of one rank, or after a share of the time that the run takes."""

    ranks: int
    operation: int = 0
    rank: int = 0
    share: float | None = None
    # A second kill, at an operation of the start that goes on.
    again: int = 0


class Bench:
    """The uninterrupted runs to compare with, and how to kill another."""

    def __init__(self, folder: Path, tokens: Run, zygotes: list[Zygote]) -> None:
        self.folder, self.tokens = folder, tokens
        self.config = write_config(folder / "tiny.yaml", **SETTINGS)
        self.zygotes: Queue[Zygote] = Queue()
        for zygote in zygotes:
            self.zygotes.put(zygote)
        self.expected: dict[int, Any] = {}
        self.operations: dict[int, int] = {}
        self.seconds: dict[int, float] = {}

    def new(self, name: str) -> Run:
        """A run with its tokens and nothing trained."""
        workspace = self.folder / name
        shutil.copytree(self.tokens.workspace, workspace)
        return Run(self.config, workspace)

    def start(self, run: Run, ranks: int, **settings: Any) -> Outcome:
        """Start a training in the next free zygote."""
        zygote = self.zygotes.get()
        try:
            return zygote.start(run.config, run.workspace, ranks=ranks, **settings)
        finally:
            self.zygotes.put(zygote)

    def reference(self, ranks: int) -> None:
        """Run without interruption."""
        run = self.new(f"straight-{ranks}")
        done = self.start(run, ranks)
        assert set(done.codes) == {0}, done.said
        self.expected[ranks] = final_state(run)
        self.operations[ranks] = done.operations
        self.seconds[ranks] = done.seconds

    def check(self, number: int, kill: Kill) -> str | None:
        """Kill a run, look at what is left, go on; returns what went wrong."""
        run = self.new(f"killed-{number}")
        after = None if kill.share is None else kill.share * self.seconds[kill.ranks]
        said = self.start(run, kill.ranks, kill_at=kill.operation, kill_rank=kill.rank, kill_after=after).said
        if problem := self.lost(run, said):
            return f"{kill}: {problem}"
        if kill.again:
            said += self.start(run, kill.ranks, kill_at=kill.again).said
            if problem := self.lost(run, said):
                return f"{kill}, second kill: {problem}"
        done = self.start(run, kill.ranks)
        if set(done.codes) != {0}:
            return f"{kill}: did not go on: {done.codes}\n{done.said}"
        if final_state(run) != self.expected[kill.ranks]:
            return f"{kill}: ended differently\n{done.said}"
        shutil.rmtree(run.workspace)
        return None

    @staticmethod
    def lost(run: Run, said: str) -> str | None:
        """Whether a committed checkpoint is gone, or a torn one looks like one."""
        # The line is written after the commit.
        saved = [int(step) for step in re.findall(r"saved \S*checkpoint-(\d+)", said)]
        found = [checkpoint.verify(entry) for entry in checkpoint.list_checkpoints(run.checkpoints)]
        if torn := [entry for entry in found if entry.problem is not None]:
            return f"{torn[0].name} is torn: {torn[0].problem}"
        if saved and max(saved) > max((entry.step for entry in found), default=0):
            return f"step {max(saved)} was saved, and there is {[entry.name for entry in found]}"
        return None

    def check_all(self, kills: list[Kill]) -> None:
        """Check every kill point, as many at a time as there are zygotes."""
        with ThreadPoolExecutor(self.zygotes.qsize()) as threads:
            problems = [problem for problem in threads.map(self.check, range(len(kills)), kills) if problem]
        assert not problems, f"{len(problems)} of {len(kills)} kill points: " + "\n\n".join(problems[:5])


@pytest.fixture(scope="module")
def bench(tokens_run: Run, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two zygotes: one per core of the smallest machine."""
    with Zygote() as second:
        yield Bench(tmp_path_factory.mktemp("kills"), tokens_run, [zygote, second])


def spread(operations: int, points: int, offset: int = 0) -> list[int]:
    """`points` operations from the first to the last, evenly."""
    return sorted({1 + (offset + number * operations // points) % operations for number in range(points)})


def test_sample_of_kill_points(bench: Bench) -> None:
    """Would break: a kill inside a save, a deletion or anywhere else costs steps or changes what is learnt."""
    bench.reference(1)
    operations = bench.operations[1]
    kills = [Kill(1, operation) for operation in spread(operations, 18, offset=operations // 36)]
    kills += [Kill(1, share=share) for share in (0.5, 0.8)]
    assert len(kills) >= 20
    bench.check_all(kills)


@pytest.mark.kills
@pytest.mark.timeout(1800)
def test_every_kind_of_kill_point(bench: Bench) -> None:
    """Would break: as above, at some operation that the sample does not hit, with two ranks, or killed twice."""
    random.seed(0)
    for ranks in (1, 2):
        if ranks not in bench.expected:
            bench.reference(ranks)
    one, two = bench.operations[1], bench.operations[2]
    kills = [Kill(1, operation) for operation in spread(one, int(os.environ.get("CHAPBOOK_KILL_POINTS", "150")))]
    kills += [Kill(1, share=random.uniform(0.1, 1)) for _ in range(20)]
    kills += [Kill(1, random.randint(1, one), again=random.randint(1, one // 2)) for _ in range(20)]
    kills += [Kill(2, operation) for operation in spread(two, 20)]
    kills += [Kill(2, operation, rank=1) for operation in (1, 3, 6, 9, 12)]
    kills += [Kill(2, share=random.uniform(0.1, 1)) for _ in range(5)]
    assert len(kills) >= 200
    bench.check_all(kills)
