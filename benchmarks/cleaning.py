"""How fast cleaning is, per step and as a whole, how much memory it takes, and how fast twins are found.

    python benchmarks/cleaning.py                          # on generated texts
    python benchmarks/cleaning.py --data_dir texts --json  # on a folder of texts

Steps are timed in CPU seconds of one core, in rounds that alternate with datatrove's comparable steps on the same
texts. Those split words with a regular expression here: with spaCy, their default, they take 3 to 50 times as long.
Memory is the largest resident size of all processes together, read from /proc (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "01_data_collection"), str(ROOT)]

MB = 1_000_000


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, help="folder of texts (default: the generator's)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the timings (default 3)")
    parser.add_argument("--megabytes", type=int, default=20, help="text for the timings, at most (default 20)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 50, 200], help="MB for the memory (10 50 200)")
    parser.add_argument("--documents", type=int, default=100_000, help="documents for the twins (100,000; 0: none)")
    parser.add_argument("--words", type=int, default=1_000, help="words per document there (default 1,000)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
        "load": [round(value, 2) for value in os.getloadavg()],
        "workers": arguments.workers,
    }
    with tempfile.TemporaryDirectory() as folder:
        raw = collect(Path(folder), arguments.data_dir, arguments.megabytes)
        result["text"] = describe(raw, arguments.data_dir)
        result |= time_steps(raw, arguments.rounds)
        result["whole"] = [run_clean(Path(folder), raw, arguments.workers, twins) for twins in (False, True)]
        result["memory"] = [measure_memory(Path(folder), raw, size, arguments.workers) for size in arguments.sizes]
        if arguments.documents:
            result["twins"] = find_twins(Path(folder), arguments.documents, arguments.words, arguments.workers)
    print(json.dumps(result) if arguments.json else as_text(result))


def script(name: str, config: Path, workspace: Path, *flags: str) -> subprocess.Popen[str]:
    """Start a script of the data stage."""
    command = [sys.executable, str(ROOT / "01_data_collection" / name), "--config", str(config), "--json", "--quiet"]
    environment = os.environ | {"CHAPBOOK_WORKSPACE": str(workspace), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, *flags], env=environment, stdout=subprocess.PIPE, text=True)


def config_of(folder: Path, name: str, source: dict[str, Any], **corpus: Any) -> Path:
    """Write a config for a corpus of one source."""
    path = folder / f"{name}.yaml"
    corpus = {"name": name, "sources": [source], "languages": ["en"], **corpus}
    path.write_text(json.dumps({"name": name, "corpus": corpus}))
    return path


def collect(folder: Path, data_dir: Path | None, megabytes: int) -> list[Any]:
    """The raw documents, up to so many megabytes."""
    from chapbook.corpus import RawDocument, read_shards

    source: dict[str, Any] = {"kind": "sample", "bytes": megabytes * MB}
    if data_dir is not None:
        source = {"kind": "files", "paths": [str(data_dir.resolve())]}
    process = script("collect.py", config_of(folder, "texts", source), folder)
    process.communicate()
    if process.returncode:
        sys.exit(process.returncode)
    documents, size = [], 0
    for raw in read_shards(folder / "raw" / "texts", RawDocument):
        if size >= megabytes * MB:
            break
        documents.append(raw)
        size += len(raw.content)
    return documents


def describe(raw: list[Any], data_dir: Path | None) -> dict[str, Any]:
    """What was measured on."""
    size = sum(len(document.content) for document in raw)
    return {"from": str(data_dir) if data_dir else "generator", "documents": len(raw), "MB": round(size / MB, 2)}


def time_steps(raw: list[Any], rounds: int) -> dict[str, Any]:
    """MB and documents per CPU second of each step, ours and datatrove's, in alternating rounds: medians."""
    from cleaning import DEFAULT_ORDER, Draft
    from cleaning_pipeline import apply_step, make_step
    from fingerprints import fingerprint

    from chapbook.config import CorpusConfig

    settings = CorpusConfig.model_validate({"name": "c", "sources": [{"kind": "sample"}], "languages": ["en"]})
    size = sum(len(document.content) for document in raw)
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    texts: list[str] = []
    for _ in range(rounds):
        drafts = [Draft(raw=document) for document in raw]
        total = 0.0
        for name in DEFAULT_ORDER:
            step = make_step(name, settings)
            started = time.process_time()
            drafts = [draft for draft in drafts if apply_step(name, step, draft) is None]
            seconds = time.process_time() - started
            ours.setdefault(name, []).append(seconds)
            total += seconds
        ours.setdefault("all steps", []).append(total)
        texts = [draft.text for draft in drafts]
        started = time.process_time()
        for start in range(0, len(texts), 100):
            fingerprint(texts[start : start + 100], settings.duplicates.paragraph_letters)
        ours.setdefault("fingerprints of twins", []).append(time.process_time() - started)
        for name, work in datatrove_steps():
            started = time.process_time()
            work(texts)
            theirs.setdefault(f"datatrove {name}", []).append(time.process_time() - started)
    cleaned = sum(len(text.encode()) for text in texts)
    return {
        "steps": {name: rates(size, len(raw), seconds) for name, seconds in ours.items()},
        "peers": {name: rates(cleaned, len(texts), seconds) for name, seconds in theirs.items()},
    }


def rates(size: int, documents: int, seconds: list[float]) -> dict[str, float]:
    """The median of some rounds, as speeds of one core."""
    median = max(statistics.median(seconds), 1e-6)
    return {
        "MB/s": round(size / MB / median, 1),
        "documents/s": round(documents / median),
        "seconds": round(median, 3),
        "slowest": round(max(seconds), 3),
    }


class RegexWords:
    """Words and marks by a regular expression, in place of spaCy."""

    def word_tokenize(self, text: str) -> list[str]:
        """All words and marks."""
        return re.findall(r"\w+|[^\w\s]", text)


def datatrove_steps() -> Iterator[tuple[str, Callable[[list[str]], None]]]:
    """datatrove's steps that do something like ours."""
    import xxhash

    with redirect_stderr(StringIO()):
        from datatrove.data import Document
        from datatrove.pipeline.dedup import minhash
        from datatrove.pipeline.filters import gopher_quality_filter, gopher_repetition_filter
        from datatrove.pipeline.formatters import FTFYFormatter
        from datatrove.utils.hashing import HashConfig

    words = RegexWords()
    for module in (gopher_quality_filter, gopher_repetition_filter):
        module.split_into_words = lambda text, language="eng": words.word_tokenize(text)
    minhash.load_word_tokenizer = lambda language: words
    formatter = FTFYFormatter()
    yield "FTFYFormatter", lambda texts: [formatter.format(text) for text in texts] and None
    for name, judge in (
        ("GopherQualityFilter", gopher_quality_filter.GopherQualityFilter()),
        ("GopherRepetitionFilter", gopher_repetition_filter.GopherRepetitionFilter()),
    ):
        yield (
            name,
            lambda texts, judge=judge: [judge.filter(Document(text=text, id="")) for text in texts] and None,
        )
    with tempfile.TemporaryDirectory() as folder:
        for name, grams, bands, rows in (("5-grams 14x8", 5, 14, 8), ("3-grams 32x4", 3, 32, 4)):
            config = minhash.MinhashConfig(
                n_grams=grams, num_buckets=bands, hashes_per_bucket=rows, hash_config=HashConfig(precision=32)
            )
            signature = minhash.MinhashDedupSignature(folder, config)
            # datatrove hands xxhash a str, which xxhash 4 refuses.
            signature._hash_func = lambda text: xxhash.xxh32_intdigest(text.encode())

            def sign(texts: list[str], signature: Any = signature) -> None:
                # A book of a million words would take 8 GB there: in parts.
                for text in texts:
                    for start in range(0, len(text), 200_000):
                        shingles = signature.get_shingles(text[start : start + 200_000])
                        if shingles.size:
                            signature.get_signature(shingles)

            yield f"MinhashDedupSignature {name}", sign


def write_raw(folder: Path, name: str, raw: list[Any], size: int) -> tuple[Path, float]:
    """Raw documents of so many bytes as an artifact, repeated with other ids and words where they are too few.

    Returns the config and how often the texts were repeated.
    """
    import dataclasses

    from chapbook import artifact
    from chapbook.corpus import RawDocument, ShardWriter, content_hash

    config = config_of(folder, name, {"kind": "sample"})
    directory = folder / "raw" / name
    chance = random.Random(1)
    have = sum(len(document.content) for document in raw)
    written = epoch = 0
    with ShardWriter(directory, RawDocument) as writer:
        while written < size:
            for document in raw:
                content = document.content
                if epoch:
                    # Every tenth word another, so that repetitions are no twins.
                    content = re.sub(rb"\b[a-z]{4,}\b", lambda m: other(m[0], chance), content)
                writer.write(
                    dataclasses.replace(
                        document,
                        id=f"{epoch}/{document.id}",
                        source="sample",
                        content=content,
                        sha256=content_hash(content),
                        truth=None,
                        true_bits=None,
                    )
                )
                written += len(content)
                if written >= size:
                    break
            epoch += 1
    artifact.write_manifest(
        directory, artifact.Recipe(kind="raw", format_version=1, config={"name": name}), {"bytes": written}
    )
    return config, written / have


def other(word: bytes, chance: random.Random) -> bytes:
    """One word in ten with its letters turned round."""
    return word[::-1] if chance.random() < 0.1 else word


def watch(process: subprocess.Popen[str]) -> tuple[dict[str, Any], float, int]:
    """Wait for a script: its result, its wall time, and the largest resident size of it and all its children."""
    started, peak = time.monotonic(), 0
    while process.poll() is None:
        peak = max(peak, sum(resident(number) for number in descendants(process.pid)))
        time.sleep(0.05)
    output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(f"clean.py ended with exit code {process.returncode}")
    return json.loads(output.strip().splitlines()[-1]), time.monotonic() - started, peak


def descendants(number: int) -> list[int]:
    """A process and all below it."""
    found = [number]
    for task in Path(f"/proc/{number}/task").glob("*/children"):
        try:
            found += [below for child in task.read_text().split() for below in descendants(int(child))]
        except OSError:
            continue
    return found


def resident(number: int) -> int:
    """The resident bytes of a process, pages it shares counted in part; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def run_clean(folder: Path, raw: list[Any], workers: int, twins: bool) -> dict[str, Any]:
    """The whole of clean.py, with and without the search for twins."""
    from cleaning import DEFAULT_ORDER

    size = sum(len(document.content) for document in raw)
    config, _ = write_raw(folder, f"whole{twins:d}", raw, size)
    steps = [*DEFAULT_ORDER, "duplicates"] if twins else DEFAULT_ORDER
    counts, seconds, peak = watch(
        script("clean.py", config, folder, "--workers", str(workers), f"--corpus.steps=[{', '.join(steps)}]")
    )
    cpu = sum(counts["step_seconds"].values())
    return {
        "twins": twins,
        "wall seconds": round(seconds, 2),
        "MB/s": round(size / MB / seconds, 2),
        "CPU seconds in steps": round(cpu, 2),
        "peak MB": round(peak / MB),
    }


def measure_memory(folder: Path, raw: list[Any], megabytes: int, workers: int) -> dict[str, Any]:
    """The peak memory of clean.py, twins and all, on so much text."""
    config, repeated = write_raw(folder, f"memory{megabytes}", raw, megabytes * MB)
    _, seconds, peak = watch(script("clean.py", config, folder, "--workers", str(workers)))
    return {
        "MB": megabytes,
        "repeated": round(repeated, 2),
        "peak MB": round(peak / MB),
        "wall seconds": round(seconds, 1),
    }


def find_twins(folder: Path, documents: int, words: int, workers: int) -> dict[str, Any]:
    """Twins among generated documents, one in ten a copy with 2% of the words replaced."""
    from chapbook.corpus import RawDocument, content_hash

    chance = random.Random(2)
    syllables = ["ba", "den", "fir", "gol", "hum", "kes", "lan", "mor", "nit", "pas", "rud", "sel", "tam", "vin", "wor"]
    vocabulary = [a + b + c for a in syllables for b in syllables for c in syllables]
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    raw, planted = [], 0
    previous: list[str] = []
    for number in range(documents):
        if number % 10 == 9:
            text = [chance.choice(vocabulary) if chance.random() < 0.02 else word for word in previous]
            planted += 1
        else:
            text = previous = chance.choices(vocabulary, weights, k=words)
        content = " ".join(text).encode()
        raw.append(
            RawDocument(
                id=f"d/{number:06d}", source="sample", sha256=content_hash(content), content=content, format="txt"
            )
        )
    size = sum(len(document.content) for document in raw)
    config, _ = write_raw(folder, "twins", raw, size)
    _, without, _ = watch(
        script("clean.py", config, folder, "--workers", str(workers), "--corpus.steps=[decode, extract]")
    )
    counts, seconds, peak = watch(
        script("clean.py", config, folder, "--workers", str(workers), "--corpus.steps=[decode, extract, duplicates]")
    )
    spent = counts["step_seconds"]
    found = sum(number for reason, number in counts["reasons"].items() if reason.startswith("duplicates"))
    return {
        "documents": documents,
        "MB": round(size / MB, 1),
        "planted": planted,
        "found": found,
        "wall seconds": round(seconds, 1),
        "without the search": round(without, 1),
        "CPU seconds of fingerprints": spent["fingerprints"],
        "CPU seconds of the search": spent["planning"],
        "peak MB": round(peak / MB),
    }


def as_text(result: dict[str, Any]) -> str:
    """Tables for a person."""
    from chapbook.log import table

    text = result["text"]
    title = f"{text['MB']} MB, {text['documents']:,} documents from {text['from']}"
    title += f" ({result['machine']}, load {result['load'][0]})"
    columns = ("step", "MB/s/core", "documents/s/core", "seconds")
    both = {**result["steps"], **result["peers"]}
    parts = [table(title, columns, [(n, r["MB/s"], f"{r['documents/s']:,}", r["seconds"]) for n, r in both.items()])]
    for name, rows in (
        ("The whole of clean.py", result["whole"]),
        ("Memory, all processes together", result["memory"]),
        ("Twins among generated documents", [result["twins"]] if "twins" in result else []),
    ):
        if rows:
            parts.append(
                table(f"{name} ({result['workers']} workers)", list(rows[0]), [list(row.values()) for row in rows])
            )
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
