"""The engine of cleaning: datatrove runs pipelines over pieces of a corpus; here is what it leaves open.

datatrove gives the pipeline of steps, the executors (on this machine; Slurm and Ray take the same list of steps) and
one completion mark per task. `PieceExecutor` closes what it leaves open on one machine:

- a piece is a range of row groups, so pieces are of one size however the documents came in;
- a piece that fails, or takes its process down, does not stop the others; at the end one error names them;
- outputs appear under their names whole or not at all, before the completion mark;
- nothing is printed, and nothing is written outside the work folder.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor

from chapbook.errors import ChapbookError, UsageError
from chapbook.log import ProgressBar, log

# A piece takes a core some seconds: short enough to lose little in a crash and to end together with the others, long
# enough that starting it (3 ms) is nothing.
PIECE_BYTES = 16_000_000


@dataclass(frozen=True)
class Piece:
    """Row groups of consecutive shards, to be worked on by one process: (file, first group, end) each."""

    ranges: tuple[tuple[Path, int, int], ...]
    bytes: int
    """Size of what is to be worked on, uncompressed."""


def cut_into_pieces(directory: Path, column: str, piece_bytes: int = PIECE_BYTES) -> list[Piece]:
    """Cut the shards of a directory, in order, into pieces with about `piece_bytes` in `column`.

    Row groups stay whole: nothing smaller can be read by itself.
    """
    import pyarrow.parquet as pq

    pieces: list[Piece] = []
    groups: list[tuple[Path, int]] = []
    size = 0

    def close() -> None:
        nonlocal groups, size
        ranges: list[tuple[Path, int, int]] = []
        for path, group in groups:
            if ranges and ranges[-1][0] == path:
                ranges[-1] = (path, ranges[-1][1], group + 1)
            else:
                ranges.append((path, group, group + 1))
        if groups:
            pieces.append(Piece(tuple(ranges), size))
        groups, size = [], 0

    for path in sorted(directory.glob("*.parquet")):
        with pq.ParquetFile(path) as shard:
            for group in range(shard.metadata.num_row_groups):
                groups.append((path, group))
                size += _column_bytes(shard.metadata.row_group(group), column)
                # Half a row group over is nearer to the size asked for than a whole one under.
                if size >= 0.75 * piece_bytes:
                    close()
    close()
    return pieces


def _column_bytes(group: Any, column: str) -> int:
    chunks = (group.column(number) for number in range(group.num_columns))
    return int(next(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema == column))


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it gets its name when the block ends well, and no trace stays when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def cpu_count() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PieceExecutor(LocalPipelineExecutor):
    """Runs a pipeline once per piece, in at most `workers` processes; finished pieces are not run again.

    name: what the bar says. sizes: bytes of each piece, for the bar. directory: where completion marks, statistics and
    logs of this pipeline lie.
    """

    def __init__(self, name: str, pipeline: list[Any], sizes: Sequence[int], directory: Path, workers: int) -> None:
        super().__init__(pipeline, tasks=len(sizes), workers=workers, logging_dir=str(directory))
        self.name, self.sizes, self.marks = name, sizes, directory

    def run(self) -> None:
        """Run what is not finished. Raises ChapbookError naming the pieces that failed, after all others are done."""
        self.marks.mkdir(parents=True, exist_ok=True)
        for mark in self.marks.glob("*.begun"):
            mark.unlink()
        pending = self.get_incomplete_ranks()
        if 0 < len(pending) < self.tasks:
            log.info("%s: %d of %d pieces are done already", self.name, self.tasks - len(pending), self.tasks)
        workers = min(self.workers, len(pending))
        failures: dict[int, str] = {}
        with ProgressBar(self.name, sum(self.sizes[rank] for rank in pending), "B") as bar:
            if workers <= 1:
                for rank in pending:
                    self._note(rank, self.run_piece(rank), failures, bar)
            else:
                self._run_in_processes(pending, workers, failures, bar)
        if failures:
            shown = "; ".join(f"piece {rank}: {problem}" for rank, problem in sorted(failures.items())[:3])
            raise ChapbookError(
                f"{self.name}: {len(failures)} of {self.tasks} pieces failed ({shown}). The others are done and kept; "
                "the same command tries only these again."
            )

    def _run_in_processes(self, pending: list[int], workers: int, failures: dict[int, str], bar: ProgressBar) -> None:
        while pending:
            pending = self._pool(pending, workers, failures, bar)
            # A process died and took the pool with it. Which of the pieces under work killed it shows when each runs
            # alone; those that had not begun go on together.
            suspects = [rank for rank in pending if self._begun(rank).exists()]
            if pending and not suspects:
                raise ChapbookError(f"{self.name}: the processes end before they begin. Try --workers 1.")
            for rank in suspects:
                if self._pool([rank], 1, failures, bar):
                    failures[rank] = "its process was killed (out of memory?)"
            pending = [rank for rank in pending if rank not in suspects]

    def _begun(self, rank: int) -> Path:
        """A mark that is there while a piece is under work."""
        return self.marks / f"{rank:05d}.begun"

    def _pool(self, ranks: list[int], workers: int, failures: dict[int, str], bar: ProgressBar) -> list[int]:
        """Run pieces in processes; returns those that are not done because a process died."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["cleaning_pipeline"])
        lost = []
        futures: dict[Future[Outcome], int] = {}
        with ProcessPoolExecutor(workers, context, _start_worker) as pool:
            for number, rank in enumerate(ranks):
                try:
                    futures[pool.submit(self.run_piece, rank)] = rank
                except BrokenProcessPool:
                    lost += ranks[number:]
                    break
            try:
                for future in as_completed(futures):
                    try:
                        self._note(futures[future], future.result(), failures, bar)
                    except BrokenProcessPool:
                        lost.append(futures[future])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return sorted(lost)

    def _note(self, rank: int, outcome: Outcome, failures: dict[int, str], bar: ProgressBar) -> None:
        for message in outcome.warnings:
            log.warning("%s", message)
        if outcome.problem:
            failures[rank] = outcome.problem
        bar.advance(self.sizes[rank])

    def run_piece(self, rank: int) -> Outcome:
        """Run the pipeline on one piece, in this process. Raises UsageError, which no other piece would escape."""
        collector = _Collector()
        executor = self._of_one_task()
        self._begun(rank).touch()
        handlers, log.handlers = log.handlers, [collector]
        try:
            # datatrove's logger writes to what stderr is when a task starts; its log file in the work folder is enough.
            with contextlib.redirect_stderr(io.StringIO()):
                executor._run_for_rank(rank)
        except UsageError:
            raise
        except Exception as error:
            return Outcome(collector.messages, " ".join(f"{type(error).__name__}: {error}".split()))
        finally:
            log.handlers = handlers
            self._begun(rank).unlink(missing_ok=True)
        return Outcome(collector.messages, "")

    def _of_one_task(self) -> PieceExecutor:
        """A copy with steps of its own: their statistics are those of one task."""
        import copy

        executor = copy.copy(self)
        executor.pipeline = copy.deepcopy(self.pipeline)
        return executor


@dataclass
class Outcome:
    """How a piece ended: warnings logged on the way, and what went wrong (nothing: it is done)."""

    warnings: list[str]
    problem: str


class _Collector(logging.Handler):
    """Keeps the warnings of a piece, so that the process that speaks to the person can repeat them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _start_worker() -> None:
    # Ctrl-C reaches the whole process group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=functools.partial(_end_with, parent.sentinel), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End this process when its parent has ended: a killed parent cannot do it, and we would wait for work forever."""
    wait([sentinel])
    os._exit(1)
