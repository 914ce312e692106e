"""Collecting as a whole: what is asked for again and what is not, and what an artifact says of its items."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import collect as collecting
import pytest
from loopback import Content, Handler, Server, hang, serving, status
from support import ROOT, environment, files_hash, result, start, write_config

from chapbook.config import load_config
from chapbook.corpus import RawDocument, read_shards
from chapbook.errors import ChapbookError, UsageError
from chapbook.workspace import Workspace

MANNERS = {
    "contact": "librarian@example.org",
    "requests_per_second": 100,
    "attempts": 2,
    "read_timeout": 10,
    "max_wait": 0.05,
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("CHAPBOOK_CONTACT", raising=False)


def text(name: str) -> bytes:
    return f"The {name} of the river, as it was in those days. ".encode() * 40


class Run:
    """A config over a server's texts, and its workspace."""

    def __init__(self, folder: Path, sources: list[dict[str, Any]], **manners: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.config = write_config(folder / "c.yaml", corpus__sources=sources, collect=MANNERS | manners)
        self.workspace = Workspace(folder / "workspace")
        self.raw = self.workspace.raw("tiny")

    def __call__(self, *flags: str) -> dict[str, Any]:
        """Collect in this process."""
        arguments = argparse.Namespace(offline=False, refresh=False, retry_failed=False)
        for flag in flags:
            setattr(arguments, flag, True)
        return collecting.collect(arguments, load_config(self.config), self.workspace)

    def items(self) -> dict[str, dict[str, Any]]:
        """What `items.jsonl` says, by id."""
        rows = [json.loads(line) for line in (self.raw / "items.jsonl").read_text("utf-8").splitlines()]
        return {row["id"]: row for row in rows}

    def documents(self) -> dict[str, RawDocument]:
        """The documents, by id, in their order."""
        return {document.id: document for document in read_shards(self.raw, RawDocument)}


def pages(server: Server, *names: str) -> dict[str, Any]:
    """A source of pages that the server has."""
    return {"kind": "urls", "name": "pages", "urls": [server.on(f"/{name}.txt", Content(text(name))) for name in names]}


def test_every_item_ends_with_a_status_and_provenance(server: Server, tmp_path: Path) -> None:
    """Would break: an item disappears, or nobody can say where a text came from and when."""
    source = pages(server, "bank", "tide") | {"licence": "CC0-1.0", "language": "en", "date": "1790"}
    source["urls"].append(server.on("/gone.txt", status(404)))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "own_1801.txt").write_bytes(text("ferry"))
    (tmp_path / "texts" / "empty.txt").touch()
    run = Run(tmp_path, [source, {"kind": "files", "paths": "texts"}])
    summary = run()
    assert summary["sources"] == {
        "pages": {"documents": 2, "bytes": 2 * len(text("bank")), "fetched": 2, "unchanged": 0, "failed": 1},
        "files": {"documents": 1, "bytes": len(text("ferry")), "fetched": 1, "unchanged": 0, "failed": 1},
    }
    assert summary["reasons"] == {"HTTP 404": 1, "empty file": 1}
    items = run.items()
    gone = items[f"pages/{server.url}/gone.txt"]
    assert (gone["status"], gone["reason"], gone["url"]) == ("failed", "HTTP 404: Not Found", f"{server.url}/gone.txt")
    assert gone["sha256"] is gone["bytes"] is gone["fetched_at"] is None
    name = f"pages/{server.url}/bank.txt"
    document = run.documents()[name]
    assert document.content == text("bank") and document.url == f"{server.url}/bank.txt"
    assert (document.licence, document.language, document.date) == ("CC0-1.0", "en", "1790")
    assert document.fetched_at == items[name]["fetched_at"] and items[name]["bytes"] == len(text("bank"))
    assert items["files/own_1801.txt"]["fetched_at"] is None
    assert list(items) == [f"pages/{server.url}/{n}.txt" for n in ("bank", "tide", "gone")] + [
        "files/empty.txt",
        "files/own_1801.txt",
    ]


def test_the_same_again_asks_nobody(server: Server, tmp_path: Path) -> None:
    """Would break: every run of the pipeline goes online."""
    run = Run(tmp_path, [pages(server, "bank")])
    first = run()
    asked = len(server.asked)
    again = run()
    assert again["reused"] and again["fingerprint"] == first["fingerprint"]
    assert len(server.asked) == asked


def test_retry_failed_asks_only_for_what_failed(server: Server, tmp_path: Path) -> None:
    """Would break: one page that was down costs a second download of all others, or stays away for ever."""
    source = pages(server, "bank", "tide", "ferry")
    server.on("/tide.txt", status(503), status(503), Content(text("tide")))
    run = Run(tmp_path, [source])
    first = run()
    assert first["failed"] == 1 and run()["reused"]
    before = run.documents()
    server.asked.clear()
    second = run("retry_failed")
    assert server.paths() == ["/tide.txt"]
    assert (second["fetched"], second["unchanged"], second["failed"]) == (1, 2, 0)
    assert second["fingerprint"] != first["fingerprint"]
    after = run.documents()
    assert all(after[name] == document for name, document in before.items()) and len(after) == 3
    # Nothing failed: nothing to try.
    server.asked.clear()
    assert run("retry_failed")["reused"] and not server.asked


def test_refresh_that_finds_nothing_new_changes_nothing(server: Server, tmp_path: Path) -> None:
    """Would break: a refresh makes everything that was built from the corpus outdated."""
    run = Run(tmp_path, [pages(server, "bank", "tide")])
    first = run()
    manifest = (run.raw / "manifest.json").read_bytes()
    server.asked.clear()
    again = run("refresh")
    assert sorted(server.paths()) == ["/bank.txt", "/tide.txt"]
    assert (again["fetched"], again["unchanged"]) == (0, 2)
    assert again["reused"] and again["fingerprint"] == first["fingerprint"]
    assert (run.raw / "manifest.json").read_bytes() == manifest


def test_refresh_that_finds_something_makes_another_corpus(server: Server, tmp_path: Path) -> None:
    """Would break: a tokenizer is kept that was made from other texts; unchanged texts look newly fetched."""
    run = Run(tmp_path, [pages(server, "bank", "tide")])
    first, before = run(), run.documents()
    time.sleep(1.1)
    server.on("/tide.txt", Content(text("ebb")))
    again, after = run("refresh"), run.documents()
    assert (again["fetched"], again["unchanged"], again["reused"]) == (1, 1, False)
    assert again["fingerprint"] != first["fingerprint"]
    bank, tide = (f"pages/{server.url}/{name}.txt" for name in ("bank", "tide"))
    assert after[bank] == before[bank]
    assert after[tide].content == text("ebb") and str(after[tide].fetched_at) > str(before[tide].fetched_at)
    assert {name: row["status"] for name, row in run.items().items()} == {bank: "unchanged", tide: "fetched"}


def test_offline_gives_the_same_bytes_from_the_cache(server: Server, tmp_path: Path) -> None:
    """Would break: a corpus could not be made again once its archive is gone."""
    source = pages(server, *(f"page{n}" for n in range(20)))
    run = Run(tmp_path, [source, {"kind": "sample", "bytes": 20_000}])
    first = run()
    bytes_before = files_hash(run.raw)
    shutil.rmtree(run.raw)
    server.asked.clear()
    again = run("offline")
    assert not server.asked and again["fingerprint"] == first["fingerprint"]
    assert files_hash(run.raw) == bytes_before
    shutil.rmtree(run.workspace.downloads())
    shutil.rmtree(run.raw)
    without = run("offline")
    assert without["reasons"] == {"offline": 20} and not server.asked
    with pytest.raises(UsageError, match="--refresh asks servers"):
        run("offline", "refresh")


def test_the_environment_can_forbid_going_online(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would break: HF_HUB_OFFLINE=1 is what people set where nothing may go out."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ChapbookError, match=r"No text was found in pages .*1 x offline"):
        Run(tmp_path, [pages(server, "bank")])()
    assert not server.asked


def test_caps_stop_a_source_and_spare_its_server(server: Server, tmp_path: Path) -> None:
    """Would break: a trial with ten documents downloads an archive; one source outweighs all others."""
    source = pages(server, *(f"page{n}" for n in range(30)))
    size = len(text("page1"))
    run = Run(tmp_path, [source | {"max_documents": 4}, source | {"name": "few", "max_bytes": 3 * size + 5}])
    summary = run()
    assert {name: own["documents"] for name, own in summary["sources"].items()} == {"pages": 4, "few": 3}
    run = Run(tmp_path / "other", [source | {"max_documents": 4}])
    server.asked.clear()
    run()
    assert len(server.paths()) <= 8


def test_shards_follow_the_sources_whoever_comes_first(tmp_path: Path) -> None:
    """Would break: which archive answers faster decides the order of the corpus."""
    with serving() as slow, serving() as fast:
        first, second = pages(slow, "bank", "tide"), pages(fast, "ferry", "fair")

        def after_the_others(handler: Handler) -> None:
            until = time.monotonic() + 8
            while len(fast.paths()) < 2 and time.monotonic() < until:
                time.sleep(0.01)
            # One source after the other would find an empty page here.
            Content(text("bank") if len(fast.paths()) == 2 else b"")(handler)

        for name in ("bank", "tide"):
            slow.on(f"/{name}.txt", after_the_others)
        run = Run(tmp_path, [first | {"name": "slow"}, second | {"name": "fast"}])
        run()
        assert [document.split("/")[0] for document in run.documents()] == ["slow", "slow", "fast", "fast"]


def test_another_mirror_with_the_same_texts_is_the_same_corpus(tmp_path: Path) -> None:
    """Would break: an address in the fingerprint, which would say that equal texts differ."""
    fingerprints = []
    for place in ("one", "two"):
        with serving() as mirror:
            mirror.on("/books", Content(json.dumps(_catalogue()).encode(), "application/json"))
            mirror.on("/cache/epub/84/pg84.txt", Content(text("monster")))
            source = {"kind": "gutenberg", "ids": [84], "api": f"{mirror.url}/books", "mirror": mirror.url}
            fingerprints.append(Run(tmp_path / place, [source])()["fingerprint"])
    assert fingerprints[0] == fingerprints[1]


def _catalogue() -> dict[str, Any]:
    formats = {"text/plain; charset=us-ascii": "https://www.gutenberg.org/ebooks/84.txt.utf-8"}
    book = {"id": 84, "title": "Frankenstein", "authors": [], "languages": ["en"], "copyright": False}
    return {"next": None, "results": [book | {"formats": formats}]}


def test_a_changed_question_is_asked(server: Server, tmp_path: Path) -> None:
    """Would break: a source added to the config is not collected."""
    source = pages(server, "bank")
    run = Run(tmp_path, [source])
    first = run()
    server.asked.clear()
    run = Run(tmp_path, [source | {"licence": "CC0-1.0"}])
    again = run()
    # The text comes from the cache, its licence from the config.
    assert not server.asked and again["fingerprint"] != first["fingerprint"]
    assert {document.licence for document in run.documents().values()} == {"CC0-1.0"}


def test_the_script_says_what_failed_and_how_to_go_on(server: Server, tmp_path: Path) -> None:
    """Would break: the command line that people use: flags, table, exit codes."""
    source = pages(server, "bank")
    source["urls"].append(server.on("/gone.txt", status(404)))
    run = Run(tmp_path, [source])
    script = ROOT / "01_data_collection/collect.py"
    online = {"workspace": run.workspace.root, "HF_HUB_OFFLINE": "0"}
    done = start(script, "--config", run.config, "--json", **online)
    assert result(done)["documents"] == 1
    assert "fetched  unchanged  failed" in done.stderr and "HTTP 404" in done.stderr and "--retry_failed" in done.stderr
    done = start(script, "--config", run.config, "--refresh", "--offline", code=2, **online)
    assert "give one of them" in done.stderr
    Run(tmp_path, [source], contact=None)
    done = start(script, "--config", run.config, "--retry_failed", code=2, **online)
    assert "CHAPBOOK_CONTACT" in done.stderr and "Traceback" not in done.stderr


def test_a_dataset_is_streamed_from_the_hub_at_one_commit(server: Server, tmp_path: Path) -> None:
    """Would break: a dataset of the Hub cannot be read, or another commit of it tomorrow without anybody asking."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    commit = "a" * 40
    file = tmp_path / "train.parquet"
    pq.write_table(
        pa.table({"text": ["A letter.", "A bill."], "year": [1742, 1743], "place": ["London", "York"]}), file
    )
    packed = file.read_bytes()
    about = {"_id": "1", "id": "library/letters", "sha": commit, "siblings": [{"rfilename": "train.parquet"}]}
    listed = [{"type": "file", "path": "train.parquet", "size": len(packed), "oid": "b" * 40}]
    api = "/api/datasets/library/letters"
    for path, answer in {"": about, f"/revision/{commit}": about, f"/tree/{commit}": listed}.items():
        server.on(api + path, Content(json.dumps(answer).encode(), "application/json"))

    def ranged(handler: Handler) -> None:
        first, _, last = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        end = min(int(last or len(packed)), len(packed) - 1)
        content_range = f"bytes {first}-{end}/{len(packed)}"
        handler.reply(206, packed[int(first) : end + 1], content_range=content_range, x_repo_commit=commit, etag='"e"')

    server.on(f"/datasets/library/letters/resolve/{commit}/train.parquet", ranged)
    server.otherwise = status(404, x_error_code="EntryNotFound", x_repo_commit=commit)
    columns = {"text": "text", "date": "year"}
    source = {"kind": "huggingface", "dataset": "library/letters", "columns": columns, "where": {"place": "london"}}
    run = Run(tmp_path, [source])
    env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hub")}
    script = ROOT / "01_data_collection/collect.py"
    done = start(script, "--config", run.config, "--json", workspace=run.workspace.root, **env)
    assert result(done)["documents"] == 1
    (letter,) = run.documents().values()
    assert (letter.id, letter.content, letter.date) == ("huggingface/00000000", b"A letter.", "1742")
    assert letter.url == f"https://huggingface.co/datasets/library/letters/tree/{commit}"
    (pinned,) = (run.workspace.downloads() / "huggingface").glob("*.json")
    known = json.loads(pinned.read_text())
    assert known["commit"] == commit and known["fetched_at"] == letter.fetched_at


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(server: Server, tmp_path: Path) -> None:
    """Would break: a person waits for a thousand queued downloads, or loses those that were finished."""
    source = pages(server, *(f"page{n}" for n in range(40)))
    server.on("/page20.txt", hang(0.8), Content(text("page20")))
    run = Run(tmp_path, [source], requests_per_second=20)
    command = [sys.executable, str(ROOT / "01_data_collection/collect.py"), "--config", str(run.config)]
    env = environment(run.workspace.root, HF_HUB_OFFLINE="0")
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while len(server.paths()) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "goes on" in errors and "Traceback" not in errors
    assert time.monotonic() - started < 5 and not run.raw.exists()
    finished = len(server.paths()) - 3
    server.asked.clear()
    assert run()["documents"] == 40
    assert len(server.paths()) <= 40 - finished + 1
    assert {path.name for path in run.raw.parent.iterdir() if path.is_dir()} == {"tiny"}
