"""The engine of cleaning: any number of workers, any failure, any resume give the same corpus."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import build_corpus
import cleaning_pipeline
import pytest
from accounting import Examples, StepAccount, check, first_difference
from cleaning import STEPS, Draft
from datatrove.pipeline.base import PipelineStep
from engine import PieceExecutor, cut_into_pieces, whole_file
from support import Run, files_hash, result, write_config

from chapbook import corpus
from chapbook.config import CorpusConfig
from chapbook.corpus import Document, RawDocument, Reject, ShardWriter, content_hash, read_shards
from chapbook.errors import ChapbookError

CLEAN, COLLECT = "01_data_collection/clean.py", "01_data_collection/collect.py"
ORDER = ["decode", "extract", "length", "duplicates"]
SETTINGS = {"name": "c", "sources": [{"kind": "sample"}], "min_characters": 20}


def word(number: int) -> str:
    """A word of letters, another one for every number."""
    letters = "abcdefghij"
    return "w" + "".join(letters[int(digit)] for digit in str(number))


def write_raw(directory: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw documents in row groups of a few documents, so that small texts make many pieces."""
    monkeypatch.setattr(corpus, "ROW_GROUP_BYTES", 3_000)
    with ShardWriter(directory, RawDocument) as writer:
        for number, text in enumerate(texts):
            content = text.encode()
            writer.write(
                RawDocument(
                    id=f"s/{number:03d}", source="s", sha256=content_hash(content), content=content, format="txt"
                )
            )


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty documents; pieces of about four."""
    texts = [" ".join(map(word, range(number * 150, number * 150 + 150))) + "." for number in range(60)]
    texts[17] = "short"
    texts[40] = texts[3].upper()
    write_raw(tmp_path / "raw", texts, monkeypatch)
    monkeypatch.setattr(build_corpus, "cut_into_pieces", functools.partial(cut_into_pieces, piece_bytes=4_000))
    return tmp_path / "raw"


def build(raw: Path, to: Path, workers: int = 1, order: list[str] = ORDER, **settings: Any) -> dict[str, Any]:
    """Build the corpus in `to`, its work folder beside it."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    work = to.with_suffix(".work")
    work.mkdir(exist_ok=True)
    return build_corpus.build_corpus(to, work, raw, CorpusConfig(**(SETTINGS | settings)), order, workers)


def test_pieces_are_of_one_size_and_cover_everything(raw: Path) -> None:
    """Would break: one huge file among small ones keeps one core busy alone; documents between pieces get lost."""
    pieces = cut_into_pieces(raw, "content", 4_000)
    assert len(pieces) > 10
    assert max(piece.bytes for piece in pieces) < 2 * sorted(piece.bytes for piece in pieces)[len(pieces) // 2]
    ids = [document.id for piece in pieces for document in cleaning_pipeline.read_piece(piece, RawDocument)]
    assert ids == [f"s/{number:03d}" for number in range(60)]


def test_any_number_of_workers_gives_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    """Would break: a corpus whose fingerprint means different texts on different machines."""
    counts = build(raw, tmp_path / "one", 1)
    assert (counts["in"], counts["kept"], counts["rejected"]) == (60, 58, 2)
    assert counts["reasons"] == {"duplicates: duplicate": 1, "length: too short": 1}
    build(raw, tmp_path / "two", 2)
    assert files_hash(tmp_path / "one") == files_hash(tmp_path / "two")
    rejects = {reject.id: reject for reject in read_shards(tmp_path / "two" / "rejects", Reject)}
    assert rejects["s/017"].text == "short" and rejects["s/040"].reason == "duplicate: s/003"


def test_a_step_that_fails_costs_one_document(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Would break: a defect in one step stops a corpus of thousands."""

    def make(settings: object) -> Any:
        def step(draft: Draft) -> None:
            if draft.raw.id == "s/030":
                raise ZeroDivisionError("by accident")

        return step

    monkeypatch.setitem(STEPS, "broken", make)
    counts = build(raw, tmp_path / "out", order=["decode", "broken", "extract"])
    assert counts["reasons"] == {"broken: step failed": 1}
    (reject,) = read_shards(tmp_path / "out" / "rejects", Reject)
    assert (reject.id, reject.step) == ("s/030", "broken")
    assert reject.reason == "step failed: ZeroDivisionError: by accident" and reject.text.startswith("we")


def damage(path: Path) -> bytes:
    """Spoil the last row group of a Parquet file; returns what the file was."""
    import pyarrow.parquet as pq

    content = path.read_bytes()
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(file.metadata.num_row_groups - 1).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    path.write_bytes(content[:start] + bytes(64) + content[start + 64 :])
    return content


@pytest.mark.parametrize("workers", [1, 2])
def test_a_piece_that_fails_does_not_stop_the_others(raw: Path, tmp_path: Path, workers: int) -> None:
    """Would break: hours of work lost for one bad block on a disk; or done again when it is mended."""
    shard = raw / "00000.parquet"
    whole = damage(shard)
    with pytest.raises(ChapbookError, match=r"1 of \d+ pieces failed.*tries only these again"):
        build(raw, tmp_path / "out", workers)
    done = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out.work" / "cleaned").iterdir()}
    assert len(done) == len(cut_into_pieces(raw, "content", 4_000)) - 1 > 5
    shard.write_bytes(whole)
    build(raw, tmp_path / "out", workers)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out.work" / "cleaned").iterdir()}
    assert {name: after[name] for name in done} == done
    build(raw, tmp_path / "other", workers)
    assert files_hash(tmp_path / "out") == files_hash(tmp_path / "other")


class Deadly(PipelineStep):
    """Writes a file per piece; kills its own process on piece 2, as the kernel does when memory runs out."""

    name, type = "deadly", "TEST"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Do it."""
        if rank == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        (self.folder / str(rank)).touch()
        yield from ()


def test_a_process_that_dies_costs_its_piece_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: a killed worker leaves the pool waiting for ever, as multiprocessing's does."""
    # The workers have to import this class.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(Deadly, "__module__", "test_engine")
    monkeypatch.setitem(sys.modules, "test_engine", sys.modules[__name__])
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    (tmp_path / "out").mkdir()
    with pytest.raises(ChapbookError, match=r"1 of 6 pieces failed \(piece 2: its process was killed"):
        PieceExecutor("work", [Deadly(tmp_path / "out")], [1] * 6, tmp_path / "progress", 2).run()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0", "1", "3", "4", "5"]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Would break: half a shard taken for a whole one."""
    path = tmp_path / "a.txt"
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with whole_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and len(list(tmp_path.iterdir())) == 1


def test_the_script_leaves_nothing_behind_and_says_nothing_strange(tmp_path: Path) -> None:
    """Would break: datatrove's log on the person's screen, its folders where they stand, our work folder for ever."""
    config = write_config(tmp_path / "tiny.yaml", corpus__steps=ORDER)
    run = Run(config, tmp_path / "workspace")
    (tmp_path / "here").mkdir()
    run.script(COLLECT)
    done = run.script(CLEAN, "--json", "--workers", 2, cwd=tmp_path / "here")
    counts = result(done)
    assert counts["workers"] == 2 and set(counts["step_seconds"]) >= set(ORDER[:-1])
    assert done.stderr.startswith("Cleaned: ") and "|" not in done.stderr and "INFO" not in done.stderr
    assert list((tmp_path / "here").iterdir()) == []
    names = sorted(path.name for path in (tmp_path / "workspace" / "corpora").iterdir())
    assert names == [".tiny.lock", "tiny"]
    # A corpus of another configuration is built anew, and nothing of the unfinished one is taken for it.
    other = run.script(CLEAN, "--json", "--corpus.min_characters", 900)
    assert (
        result(other)["reasons"]["length: too short"] > 0 and "min_characters: 200 on disk, 900 wanted" in other.stderr
    )
    assert "--workers" in run.script(CLEAN, "--workers", "0", code=2).stderr


def test_accounts_must_add_up() -> None:
    """Would break: documents that vanish between two steps."""
    first = StepAccount(documents_in=5, documents_out=4)
    first.rejected["too short"] = 1
    check({"a": first, "b": StepAccount(documents_in=4, documents_out=4)}, 5)
    with pytest.raises(ChapbookError, match="4 documents should have reached b, but 3 did"):
        check({"a": first, "b": StepAccount(documents_in=3, documents_out=3)}, 5)
    with pytest.raises(ChapbookError, match="5 documents should have left a"):
        check({"a": StepAccount(documents_in=5, documents_out=4)}, 5)


def test_statistics_show_each_step(raw: Path, tmp_path: Path) -> None:
    """Would break: a report that cannot say what a step took away, or examples that differ from run to run."""
    build(raw, tmp_path / "out")
    statistics = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert list(statistics["steps"]) == ORDER
    length, twins = statistics["steps"]["length"], statistics["steps"]["duplicates"]
    assert (length["documents_in"], length["documents_out"], length["rejected"]) == (60, 59, {"too short": 1})
    assert length["characters_in"] - length["characters_rejected"] == length["characters_out"] == twins["characters_in"]
    assert twins["rejected"] == {"duplicate": 1} and statistics["documents_kept"] == 58
    kept = [d for split in ("train", "validation", "test") for d in read_shards(tmp_path / "out" / split, Document)]
    assert sum(entry["documents"] for entry in statistics["corpus"]["split"].values()) == len(kept)
    assert statistics["corpus"]["source"]["s"]["bytes"] == sum(document.byte_count() for document in kept)
    (group,) = map(json.loads, (tmp_path / "out" / "duplicates.jsonl").read_text().splitlines())
    assert group["kept"] == "s/003" and [member["id"] for member in group["members"]] == ["s/040"]


def test_examples_are_the_same_in_any_order() -> None:
    """Would break: examples that depend on which worker was first."""
    offers = [("layout", f"d{n}", f"the same {n} then", f"the same {n} now") for n in range(40)]
    chosen = []
    for order in (offers, offers[::-1]):
        parts = [Examples(), Examples()]
        for number, offer in enumerate(order):
            parts[number % 2].offer(*offer)
        together = Examples()
        for part in parts:
            together.add(part.in_order(["layout"]))
        chosen.append(together.in_order(["layout"]))
    assert chosen[0] == chosen[1] and len(chosen[0]) == 5
    assert all(example["before"][example["at"] :] == "then" or example["at"] > 0 for example in chosen[0])


@pytest.mark.parametrize(
    ("one", "other", "place"), [("", "", 0), ("abc", "abd", 2), ("abc", "abcd", 3), ("xbc", "abc", 0), ("a", "", 0)]
)
def test_first_difference(one: str, other: str, place: int) -> None:
    """Would break: examples that show a place where nothing happened."""
    assert first_difference(one, other) == place
    assert first_difference("p" * 999 + one, "p" * 999 + other) == 999 + place


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """Would break: a killed clean.py leaves workers that wait for ever and write into the next run's folder."""
    program = (
        "import os, sys, time; sys.path.insert(0, '01_data_collection')\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "import multiprocessing, engine\n"
        "pool = ProcessPoolExecutor(2, multiprocessing.get_context('forkserver'), engine._start_worker)\n"
        "print(pool.submit(os.getpid).result(), flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker is still there")
