"""Measure how fast a corpus is read past the texts that are searched in it (04_evaluation/overlap.py).

    python benchmarks/overlap.py --tokens 20000000

Two corpora bound what happens with real ones: one of random tokens, which shares nothing with the texts, and one that
consists of them. Time is that of the process on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "04_evaluation")]

from overlap import Overlaps  # noqa: E402

from chapbook.log import log, start_logging, table  # noqa: E402

VOCABULARY, TEXTS, TEXT_TOKENS, DOCUMENT_TOKENS, ROUNDS = 30_000, 200, 256, 5_000, 3


def fastest(work: Callable[[], Any]) -> float:
    """The least process time of `ROUNDS` runs, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=20_000_000, help="size of each corpus")
    arguments = parser.parse_args()
    start_logging()
    chance = np.random.default_rng(1)
    texts = chance.integers(0, VOCABULARY, (TEXTS, TEXT_TOKENS))
    tracemalloc.start()
    overlaps = Overlaps(texts.tolist())
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    documents = arguments.tokens // DOCUMENT_TOKENS
    strange = [chance.integers(0, VOCABULARY, DOCUMENT_TOKENS, np.uint32) for _ in range(documents)]
    copies = [np.resize(texts[number % TEXTS], DOCUMENT_TOKENS).astype(np.uint32) for number in range(documents)]
    rows = [
        ("corpus that shares nothing", f"{arguments.tokens / fastest(lambda: overlaps.read(strange)) / 1e6:.1f}"),
        ("corpus that is all copies", f"{arguments.tokens / fastest(lambda: overlaps.read(copies)) / 1e6:.1f}"),
    ]
    log.info(table("Millions of tokens a second, one core", ("", ""), rows))
    log.info("memory: %.0f bytes for each token of the texts", memory / texts.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
