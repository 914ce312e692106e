"""What the commit of a checkpoint costs on top of writing it, and how long it takes to skip to a step.

    python benchmarks/checkpoint_cost.py [--rounds 5] [--folder DIR]

A GPT-2 of 124 million parameters and its AdamW state (1.5 GB) are written as training writes them. Training waits for
`write` and `hand_over`; `commit` (sync, SHA-256 of everything, manifest, rename) goes on beside it in a thread. Prints
one JSON document.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "03_training"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from accelerate import skip_first_batches  # noqa: E402
from sample_order import SampleOrder, StepLoader  # noqa: E402
from saving import commit  # noqa: E402
from transformers import GPT2Config, GPT2LMHeadModel  # noqa: E402

from chapbook import artifact  # noqa: E402
from chapbook.tokens import Blocks  # noqa: E402


def save_times(rounds: int, place: str | None) -> dict[str, Any]:
    """Seconds of each part of a save; the first round is not counted."""
    model = GPT2LMHeadModel(GPT2Config())
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    seconds: dict[str, list[float]] = {"write": [], "hand_over": [], "commit": []}
    recipe = artifact.Recipe(kind="checkpoint", format_version=1, config={})
    size = 0
    with ThreadPoolExecutor(1) as thread:
        for number in range(rounds + 1):
            folder = Path(tempfile.mkdtemp(dir=place))
            written = folder / ".saving" / "checkpoint-1"
            written.mkdir(parents=True)
            times = [time.perf_counter()]
            model.save_pretrained(written)
            torch.save(optimizer.state_dict(), written / "optimizer.pt")
            times.append(time.perf_counter())
            committing = thread.submit(commit, written, folder / "checkpoint-1", recipe, {"step": 1})
            times.append(time.perf_counter())
            committing.result()
            times.append(time.perf_counter())
            if number:
                for name, start, end in zip(seconds, times, times[1:], strict=False):
                    seconds[name].append(round(end - start, 5))
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            shutil.rmtree(folder)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {"bytes": size, "seconds": seconds, "waited_for_commit": round(medians["hand_over"] / medians["write"], 5)}


def skip_time(step: int) -> float:
    """Seconds from nothing to the first batch after `step` steps of 36 blocks of 512 tokens."""
    blocks, length = 36 * (step + 10), 512
    # One real block stands for all: what is skipped is not read.
    data = Blocks([np.broadcast_to(np.zeros(length, np.uint16), (blocks, length))], length, np.dtype(np.uint16))
    started = time.perf_counter()
    loader = StepLoader(data, SampleOrder(blocks, sequences=36, seed=1), rank=0, ranks=1)
    loader.set_epoch(0)
    next(iter(skip_first_batches(loader, step)))
    return round(time.perf_counter() - started, 3)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to write (default: the temporary folder)")
    arguments = parser.parse_args()
    result = {"skip_to_60000_seconds": skip_time(60_000), **save_times(arguments.rounds, arguments.folder)}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
