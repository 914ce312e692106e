"""Measure the token store beside what others do: encoding, building, reading, size, start.

    python benchmarks/tokens.py --data_dir my_texts/ --json
    python benchmarks/tokens.py                              # on text of the sample generator

Competing ways are measured in turns, round by round on the same texts, and compared by the ratio within a round, so
that a machine that is busy with something else slows both. Every way is written here as its public source has it:
`run_clm.py` of transformers (map, group_texts, Python lists) and `train.py` of nanoGPT (uint16 memory map).
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "03_training"), str(ROOT / "01_data_collection")]

from chapbook import artifact  # noqa: E402
from chapbook.config import RunConfig, check_config  # noqa: E402
from chapbook.corpus import Document, ShardWriter, read_texts  # noqa: E402
from chapbook.log import start_logging, table  # noqa: E402
from chapbook.tokenizer import BATCH_CHARACTERS, Encoder, encode_documents, load_tokenizer  # noqa: E402
from chapbook.tokens import BlockWriter, NpyBlocks, TokenBlocks, checksums, collate  # noqa: E402
from chapbook.workspace import Workspace  # noqa: E402

BATCH = 16
# Every tenth document is held back; the figures are about the others.
HELD_BACK = 10


def main() -> int:
    """Run all measurements; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, help="folder with .txt files (default: the sample generator)")
    parser.add_argument("--max_mb", type=float, default=60.0, help="use at most this much text (default 60)")
    parser.add_argument("--sample_mb", type=float, default=20.0, help="text to generate without --data_dir")
    parser.add_argument("--vocab_size", type=int, default=30_000)
    parser.add_argument("--max_length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store_mb", default="10,1000", help="sizes of stores for the start, in MB (default 10,1000)")
    parser.add_argument("--work", type=Path, help="folder for the files (default: a temporary one)")
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON, last")
    parser.add_argument("--start_of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.start_of is not None:
        print(json.dumps(start_of(arguments.start_of)))
        return 0
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # run_clm.py's maps are processes; with both, processes and threads, they would fight for the cores.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    start_logging(quiet=True)
    with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
        result = measure(arguments, Path(folder))
    rows = [(name, *map(_shown, values)) for name, values in result["ratios"].items()]
    print(table("Ratios within a round", ("", "median", "lowest", "highest"), rows))
    print(
        table("Figures (median)", ("", "value"), [(name, _shown(value)) for name, value in result["figures"].items()])
    )
    starts = [
        (f"{s['bytes'] / 1e6:,.0f} MB", s["files"], f"{s['seconds']:.2f}", f"{s['own_mb']:.0f}", f"{s['grown_mb']:.1f}")
        for s in result["start"]
    ]
    columns = ("store", "files", "seconds to the first batch", "own memory MB", "of it for the store")
    print(table("Start, content of all files compared, page cache warm", columns, starts))
    if arguments.json:
        print(json.dumps(result, separators=(",", ":")))
    return 0


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All measurements, in `folder`."""
    os.environ["CHAPBOOK_WORKSPACE"] = str(folder / "workspace")
    workspace = Workspace.find()
    config = prepare(arguments, folder, workspace)
    texts = list(read_texts(workspace.corpus("bench"), "train"))
    directory = workspace.tokenizer(config.tokenizer.name)
    figures: dict[str, float] = {}
    ratios: dict[str, tuple[float, float, float]] = {}

    def compare(name: str, unit: str, ways: dict[str, Callable[[], float]]) -> None:
        """Measure the ways in turns; the first is ours, the others get a ratio."""
        speeds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, run in ways.items():
                speeds[way].append(run())
        for way, values in speeds.items():
            figures[f"{name}, {way} ({unit})"] = statistics.median(values)
        ours = next(iter(ways))
        for way in list(ways)[1:]:
            within = [mine / theirs for mine, theirs in zip(speeds[ours], speeds[way], strict=True)]
            ratios[f"{name}, ours to {way}"] = (statistics.median(within), min(within), max(within))

    compare(
        "encoding",
        "MB/s/core",
        {"ours": lambda: encode_ours(directory, texts), "tokenizers": lambda: encode_tokenizers(directory, texts)},
    )
    compare(
        "building the store",
        "tokens/s",
        {
            "ours": lambda: build_ours(config, workspace),
            "run_clm": lambda: build_run_clm(directory, texts, arguments.max_length, folder),
        },
    )
    tokens = workspace.pretokenized(config.pretokenize.name)
    blocks = TokenBlocks(tokens / "train")
    compare("loading", "tokens/s", loaders(blocks, folder, directory, texts, arguments.max_length))
    files = list((tokens / "train").glob("*.arrow"))
    figures["disk (bytes/token)"] = sum(path.stat().st_size for path in files) / (len(blocks) * blocks.max_length)
    figures["text (MB)"] = sum(len(text.encode()) for text in texts) / 1e6
    figures["tokens"] = len(blocks) * blocks.max_length
    starts = [start(float(size), arguments, folder) for size in arguments.store_mb.split(",") if size]
    return {
        "schema": 1,
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "rounds": arguments.rounds,
        "engine": Encoder(directory).engine,
        "versions": artifact.environment()[0],
        "git_commit": artifact.environment()[1],
        "figures": figures,
        "ratios": ratios,
        "start": starts,
    }


def prepare(arguments: argparse.Namespace, folder: Path, workspace: Workspace) -> RunConfig:
    """A corpus of the texts as they are, and a tokenizer trained on it by the product's script."""
    content = {
        "name": "bench",
        "corpus": {"name": "bench", "sources": [{"kind": "sample"}]},
        "tokenizer": {"vocab_size": arguments.vocab_size},
        "pretokenize": {"max_length": arguments.max_length},
    }
    path = folder / "bench.yaml"
    path.write_text(json.dumps(content))
    counts = {split: {"documents": 0, "bytes": 0} for split in ("train", "validation", "test")}
    corpus = workspace.corpus("bench")
    with ShardWriter(corpus / "train", Document) as train, ShardWriter(corpus / "validation", Document) as validation:
        for number, text in enumerate(read_input(arguments)):
            split, writer = ("validation", validation) if number % HELD_BACK == 0 else ("train", train)
            size = len(text.encode())
            digest = hashlib.sha256(text.encode()).hexdigest()
            writer.write(Document(id=f"bench/{number}", source="bench", sha256=digest, text=text))
            counts[split]["documents"] += 1
            counts[split]["bytes"] += size
    recipe = artifact.Recipe(kind="corpus", format_version=1, config={})
    artifact.write_manifest(corpus, recipe, {"splits": counts})
    script = ROOT / "02_tokenizer" / "train_tokenizer.py"
    subprocess.run([sys.executable, str(script), "--config", str(path), "--quiet"], check=True)
    return check_config(content, str(path))


def read_input(arguments: argparse.Namespace) -> Iterator[str]:
    """The texts of the folder, or generated ones, until there is enough."""
    left = 1e6 * arguments.max_mb
    if arguments.data_dir is not None:
        found = sorted(arguments.data_dir.rglob("*.txt"))
        texts = (path.read_text("utf-8", errors="replace") for path in found)
    else:
        from sources import sample

        source = {"kind": "sample", "bytes": int(1e6 * arguments.sample_mb)}
        config = check_config({"name": "bench", "corpus": {"name": "bench", "sources": [source]}}, "the benchmark")
        texts = (document.content.decode() for document in sample.documents(config.corpus.sources[0]))
    for text in texts:
        yield text
        left -= len(text)
        if left <= 0:
            return


def encode_ours(directory: Path, texts: list[str]) -> float:
    """MB of text per CPU second, of a new encoder: what it remembers of words it has to learn first."""
    encoder = Encoder(directory)
    started = time.process_time()
    for _ in encoder.encode_all(texts):
        pass
    return sum(map(len, texts)) / 1e6 / (time.process_time() - started)


def encode_tokenizers(directory: Path, texts: list[str]) -> float:
    """MB of text per CPU second of `tokenizers`, on the beginning of the texts: its speed does not change."""
    some: list[str] = []
    for text in texts:
        some.append(text)
        if sum(map(len, some)) > 2 * BATCH_CHARACTERS:
            break
    tokenizer = load_tokenizer(directory)
    started = time.process_time()
    for _ in encode_documents(tokenizer, some):
        pass
    return sum(map(len, some)) / 1e6 / (time.process_time() - started)


def build_ours(config: RunConfig, workspace: Workspace) -> float:
    """Training tokens per second from the corpus to a finished artifact, hashes and manifest included."""
    from pretokenize import pretokenize

    started = time.perf_counter()
    built = pretokenize(config, workspace, "fresh")
    seconds = time.perf_counter() - started
    return sum(split["tokens"] for split in built.manifest.counts["splits"].values()) / seconds


def run_clm_dataset(directory: Path, texts: list[str], max_length: int, folder: Path) -> Any:
    """Blocks as transformers' run_clm.py makes them: map(tokenize), map(group_texts), 1,000 texts at a time."""
    import datasets
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    cores = len(os.sched_getaffinity(0))

    def group_texts(examples: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
        joined = {name: list(itertools.chain(*rows)) for name, rows in examples.items()}
        whole = len(joined["input_ids"]) // max_length * max_length
        result = {name: [ids[i : i + max_length] for i in range(0, whole, max_length)] for name, ids in joined.items()}
        result["labels"] = result["input_ids"].copy()
        return result

    cache = folder / "run_clm"
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir()
    datasets.disable_progress_bars()
    raw = datasets.Dataset.from_dict({"text": texts})
    tokenized = raw.map(
        lambda examples: tokenizer(examples["text"]),
        batched=True,
        num_proc=cores,
        remove_columns=["text"],
        cache_file_name=str(cache / "tokenized.arrow"),
    )
    return tokenized.map(group_texts, batched=True, num_proc=cores, cache_file_name=str(cache / "grouped.arrow"))


def build_run_clm(directory: Path, texts: list[str], max_length: int, folder: Path) -> float:
    """Training tokens per second with run_clm.py's way, on all cores."""
    started = time.perf_counter()
    grouped = run_clm_dataset(directory, texts, max_length, folder)
    return len(grouped) * max_length / (time.perf_counter() - started)


def loaders(
    blocks: TokenBlocks, folder: Path, directory: Path, texts: list[str], max_length: int
) -> dict[str, Callable[[], float]]:
    """Ways to feed training, each as a function that gives tokens per second; batches of 16 random blocks."""
    import torch
    from torch.utils.data import DataLoader
    from transformers import default_data_collator

    ids = np.concatenate([part.reshape(-1) for part in blocks.parts()])
    ids.astype(np.uint16).tofile(folder / "tokens.bin")
    np.save(folder / "tokens.npy", ids)
    few = texts[: max(1, len(texts) // 10)]
    lists = run_clm_dataset(directory, few, max_length, folder)
    memory_map = np.memmap(folder / "tokens.bin", dtype=np.uint16, mode="r")

    def of_loader(dataset: Any, collator: Any) -> Callable[[], float]:
        def run() -> float:
            loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, collate_fn=collator, drop_last=True)
            return _tokens_per_second(batch["input_ids"].numel() for batch in _again(loader))

        return run

    def nanogpt(with_targets: bool) -> Callable[[], float]:
        def batches() -> Iterator[int]:
            while True:
                places = torch.randint(len(memory_map) - max_length, (BATCH,)).tolist()
                x = torch.stack([torch.from_numpy(memory_map[i : i + max_length].astype(np.int64)) for i in places])
                if with_targets:
                    later = [memory_map[i + 1 : i + 1 + max_length].astype(np.int64) for i in places]
                    torch.stack([torch.from_numpy(row) for row in later])
                yield x.numel()

        return lambda: _tokens_per_second(batches())

    return {
        "ours": of_loader(blocks, collate),
        "run_clm Python lists": of_loader(lists, default_data_collator),
        "nanoGPT memmap, inputs and targets": nanogpt(True),
        "nanoGPT memmap, inputs alone": nanogpt(False),
        "our loader on a plain .npy": of_loader(NpyBlocks(folder / "tokens.npy", max_length), collate),
    }


def _again(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _tokens_per_second(batches: Iterator[int], seconds: float = 1.0) -> float:
    """Tokens per second over about `seconds`, after a short run to warm up."""
    for _ in range(5):
        next(batches)
    tokens = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        tokens += next(batches)
    return tokens / elapsed


def start(megabytes: float, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Time and memory from nothing to the first batch of a store of this size, in a process of its own."""
    directory = folder / f"store-{megabytes:g}"
    writer = BlockWriter(
        directory,
        max_length=arguments.max_length,
        shard_tokens=RunConfig.model_fields["pretokenize"].default.shard_tokens,
        dtype=np.dtype(np.uint16),
        end_of_text=0,
    )
    rng = np.random.default_rng(1)
    left = int(megabytes * 1e6 / 2)
    while left > 0:
        some = min(left, 1 << 24)
        writer.add(rng.integers(1, 30_000, some, np.uint32), np.array([some], np.int64))
        left -= some
    writer.close()
    names = sorted(path.name for path in directory.glob("*.arrow"))
    (directory / "checksums.json").write_text(json.dumps(dict(zip(names, checksums(directory, names), strict=True))))
    words = [sys.executable, __file__, "--start_of", str(directory)]
    measured = [
        json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        for _ in range(arguments.rounds)
    ]
    shutil.rmtree(directory)
    return min(measured, key=lambda one: one["seconds"])


def start_of(directory: Path) -> dict[str, Any]:
    """In a new process: compare the content of all files, open them, read one batch of random blocks."""
    from torch.utils.data import DataLoader

    before = _own_memory()
    started = time.perf_counter()
    expected = json.loads((directory / "checksums.json").read_text())
    assert checksums(directory, list(expected)) == list(expected.values())
    blocks = TokenBlocks(directory)
    next(iter(DataLoader(blocks, batch_size=BATCH, shuffle=True, collate_fn=collate)))
    seconds = time.perf_counter() - started
    after = _own_memory()
    return {
        "bytes": sum(path.stat().st_size for path in directory.glob("*.arrow")),
        "files": len(expected),
        "seconds": seconds,
        "own_mb": after / 1e6,
        "grown_mb": (after - before) / 1e6,
    }


def _own_memory() -> int:
    """Memory of this process alone, in bytes; pages of mapped files belong to the page cache."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("RssAnon:")).split()[1])


if __name__ == "__main__":
    sys.exit(main())
