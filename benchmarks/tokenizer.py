"""Measure tokenizer training: time and memory by amount of text, and bytes per token by kind, pattern and size.

    python benchmarks/tokenizer.py --data_dir path/to/novels --json

The text (a folder, or what the sample generator writes) is collected and cleaned as the product does it; a tenth of
the documents is held back. Two questions, each measurement in a process of its own:

1. time: training a byte-level BPE tokenizer on 20, 40 and 80 MB: as configured by default, with GPT-2's pattern and,
   in turn with that, the ready-made `ByteLevelBPETokenizer` of `tokenizers` (the same pattern) fed with whole
   documents, as training scripts commonly do. Where there is less text it is read again, which costs the same time
   but brings no new words.
2. size: bytes per token on the held-back documents, for each kind, pattern and vocabulary size.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "02_tokenizer"))

# Name and settings of each tokenizer whose size is measured.
SIZES_OF_VOCABULARY = (8_192, 16_384, 30_000, 50_257)
VARIANTS: dict[str, dict[str, Any]] = {
    **{
        f"bpe {pattern} {size:,}": {"pattern": pattern, "vocab_size": size}
        for pattern in ("gpt2", "cl100k", "o200k")
        for size in SIZES_OF_VOCABULARY
    },
    "superbpe 30,000 (1/6 superwords)": {"superword_share": 1 / 6},
    "superbpe 30,000 (1/3 superwords)": {"superword_share": 1 / 3},
    "unigram 30,000": {"kind": "unigram"},
    "char": {"kind": "char"},
    "byte": {"kind": "byte"},
}


# What is timed: trainer and settings.
TIMED: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("chapbook", {}),
    "gpt2": ("chapbook", {"pattern": "gpt2"}),
    "documents": ("documents", {}),
}


def prepare(data_dir: Path | None, workspace: Path) -> Path:
    """Collect and clean the text into `workspace`; returns the corpus."""
    source: dict[str, Any] = {"kind": "sample", "bytes": 25_000_000}
    if data_dir is not None:
        source = {"kind": "files", "paths": [str(data_dir.absolute())]}
    config = workspace / "benchmark.yaml"
    corpus = {"name": "benchmark", "sources": [source], "validation_share": 0.1}
    config.write_text(json.dumps({"name": "benchmark", "corpus": corpus}), "utf-8")
    for script in ("collect", "clean"):
        command = [sys.executable, str(ROOT / "01_data_collection" / f"{script}.py"), "--config", str(config)]
        subprocess.run(command, check=True, env={**os.environ, "CHAPBOOK_WORKSPACE": str(workspace)})
    return workspace / "corpora" / "benchmark"


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """One measurement, in this process. task: corpus, trainer (`chapbook` or `documents`), bytes, settings, test."""
    import tokenizer_kinds as kinds
    from tokenizers import ByteLevelBPETokenizer
    from training_text import TrainingText

    from chapbook.config import TokenizerConfig
    from chapbook.corpus import read_texts
    from chapbook.script import peak_memory

    corpus, wanted = Path(task["corpus"]), task["bytes"]
    settings = TokenizerConfig(**task["settings"])
    read_bytes = 0

    def again(read: Any, limit: int | None) -> Iterator[str]:
        nonlocal read_bytes
        read_bytes = 0
        for _ in itertools.count():
            for text, size in read():
                if limit is not None and read_bytes + size > limit:
                    return
                read_bytes += size
                yield text
            if limit is None:
                return

    def pieces() -> Iterator[tuple[str, int]]:
        for _, text, size in TrainingText(corpus / "train", settings.seed).pieces():
            yield text, size

    def documents() -> Iterator[tuple[str, int]]:
        for text in read_texts(corpus, "train"):
            yield text, len(text.encode("utf-8"))

    started = time.perf_counter()
    if task["trainer"] == "chapbook":
        tokenizer = kinds.train(settings, lambda limit: again(pieces, min(filter(None, (limit, wanted)), default=None)))
    else:
        plain = ByteLevelBPETokenizer()
        plain.train_from_iterator(
            again(documents, wanted), settings.vocab_size, settings.min_frequency, show_progress=False
        )
        tokenizer = plain._tokenizer
    result = {"seconds": time.perf_counter() - started, "peak_bytes": peak_memory(), "read_bytes": read_bytes}
    if task["test"]:
        tokenizer.encode_special_tokens = True
        size = tokens = 0
        for text in read_texts(corpus, "validation"):
            size += len(text.encode("utf-8"))
            tokens += len(tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)
        result |= {"held_back_bytes": size, "bytes_per_token": size / tokens, "vocab_size": tokenizer.get_vocab_size()}
    return result


def in_a_process(task: dict[str, Any]) -> dict[str, Any]:
    """The same in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, __file__, "--task", json.dumps(task)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure_time(corpus: Path, sizes: list[int], rounds: int) -> list[dict[str, Any]]:
    """TIMED in turn at each amount of text (bytes); medians, and the ratio of each pair with the same pattern."""
    rows = []
    for size in sizes:
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in TIMED}
        for name in [*TIMED] * rounds:
            trainer, settings = TIMED[name]
            task = {"corpus": str(corpus), "trainer": trainer, "bytes": size, "settings": settings, "test": False}
            runs[name].append(in_a_process(task))
            print(f"{name}, {size:,} bytes: {runs[name][-1]['seconds']:.1f} s", file=sys.stderr)
        pairs = zip(runs["gpt2"], runs["documents"], strict=True)
        ratios = sorted(theirs["seconds"] / ours["seconds"] for ours, theirs in pairs)
        rows.append(
            {
                "bytes": size,
                "rounds": rounds,
                **{f"{n}_seconds": statistics.median(run["seconds"] for run in runs[n]) for n in runs},
                **{f"{n}_peak_bytes": max(run["peak_bytes"] for run in runs[n]) for n in runs},
                "times_faster": statistics.median(ratios),
                "times_faster_range": [ratios[0], ratios[-1]],
            }
        )
    return rows


def measure_size(corpus: Path, names: list[str]) -> list[dict[str, Any]]:
    """Bytes per token on the held-back documents."""
    rows = []
    for name in names:
        task = {"corpus": str(corpus), "trainer": "chapbook", "bytes": None, "settings": VARIANTS[name], "test": True}
        rows.append({"name": name, **in_a_process(task)})
        print(f"{name}: {rows[-1]['bytes_per_token']:.3f} bytes per token", file=sys.stderr)
    return rows


def main() -> int:
    """Measure, print tables and, if asked, the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, help="a folder of texts (default: 25 MB of the sample generator)")
    parser.add_argument("--corpus", type=Path, help="a cleaned corpus with a validation split instead")
    parser.add_argument("--megabytes", type=float, nargs="*", default=[20, 40, 80], help="amounts of text for the time")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each time (default 3)")
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS), help="whose size to measure")
    parser.add_argument("--json", action="store_true", help="print one JSON document as the last line of stdout")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(measure(json.loads(arguments.task))))
        return 0

    from chapbook import artifact
    from chapbook.log import table

    with tempfile.TemporaryDirectory() as temporary:
        corpus = arguments.corpus or prepare(arguments.data_dir, Path(temporary))
        manifest = artifact.require(corpus, "corpus", "Name a folder that clean.py has made.")
        times = measure_time(corpus, [round(n * 1e6) for n in arguments.megabytes], arguments.rounds)
        sizes = measure_size(corpus, arguments.variants)
    versions, commit = artifact.environment()
    splits = manifest.counts["splits"]
    print(f"Text: {splits['train']['bytes']:,} bytes to train on, {splits['validation']['bytes']:,} held back\n")
    rows = [
        (
            f"{row['bytes'] / 1e6:,.0f}" + (" (read again)" if row["bytes"] > splits["train"]["bytes"] else ""),
            f"{row['default_seconds']:.1f}",
            f"{row['gpt2_seconds']:.1f}",
            f"{row['documents_seconds']:.1f}",
            f"{row['times_faster']:.2f} ({row['times_faster_range'][0]:.2f} to {row['times_faster_range'][1]:.2f})",
            f"{row['default_peak_bytes'] / 1e6:,.0f}",
            f"{row['documents_peak_bytes'] / 1e6:,.0f}",
        )
        for row in times
    ]
    columns = ("MB", "seconds", "GPT-2's pattern", "whole documents", "times faster", "peak MB", "whole documents")
    print(table("Training BPE, 30,000 tokens", columns, rows) + "\n")
    size_rows = [
        (
            row["name"],
            f"{row['vocab_size']:,}",
            f"{row['bytes_per_token']:.3f}",
            f"{row['seconds']:.1f}",
            f"{row['peak_bytes'] / 1e6:,.0f}",
        )
        for row in sizes
    ]
    print(table("On held-back text", ("tokenizer", "vocabulary", "bytes per token", "seconds", "peak MB"), size_rows))
    if arguments.json:
        document = {
            "benchmark": "tokenizer",
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit,
            "versions": versions,
            "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "load": os.getloadavg()},
            "text": {"splits": splits, "sample": arguments.data_dir is None and arguments.corpus is None},
            "time": times,
            "size": sizes,
        }
        print(json.dumps(document, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
