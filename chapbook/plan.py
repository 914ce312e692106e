"""Sensible sizes for a text that somebody brings: what is chosen, and why, in words.

The choices are rules of thumb, printed so that a person can overrule each with a flag. Sources: about
20 training tokens per parameter where there is that much text (Hoffmann et al. 2022), at most 4 epochs
without loss and more with falling return where there is not (Muennighoff et al. 2023).
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapbook.errors import UsageError

# Rules of thumb for the share of a file's bytes that is text, by suffix: mark-up is two thirds of a richly tagged
# TEI file, an epub is compressed as much as its mark-up adds, a PDF is mostly fonts and pictures.
TEXT_SHARE = {
    ".txt": 1.0, ".text": 1.0, ".md": 1.0, ".utf-8": 1.0,
    ".html": 0.8, ".htm": 0.8, ".xhtml": 0.8,
    ".xml": 0.4, ".tei": 0.4, ".sgm": 0.6, ".sgml": 0.6,
    ".epub": 0.9, ".pdf": 0.1, ".zip": 2.0,
}  # fmt: skip
BYTES_PER_TOKEN = 3.6
# What a CPU core does in training a small GPT-2 in fp32. Two shared server cores reached 5,000 tokens/s with 5.3 M
# parameters (docs/LOG.md), 0.08 TFLOP/s each; half of that, because a promise of time is better kept.
CPU_FLOPS_PER_CORE = 0.04e12


@dataclass(frozen=True)
class Size:
    """A model size: from this much text on (bytes), this many blocks, width, heads, context."""

    text: float
    layers: int
    width: int
    heads: int
    context: int
    learning_rate: float


CPU_SIZES = (
    Size(0, 2, 128, 4, 128, 3e-3),
    Size(300e3, 4, 160, 4, 256, 3e-3),
    Size(10e6, 4, 256, 4, 256, 2e-3),
)
GPU_SIZES = (
    Size(0, 4, 256, 4, 256, 2e-3),
    Size(3e6, 6, 384, 6, 256, 1e-3),
    Size(30e6, 8, 512, 8, 512, 1e-3),
    Size(200e6, 12, 768, 12, 512, 6e-4),
    Size(1e9, 12, 768, 12, 1024, 6e-4),
)


def text_bytes(paths: list[str]) -> int:
    """About how much text these files and folders hold, in bytes, judged by size and suffix."""
    total = 0.0
    for name in paths:
        path = Path(name)
        if not path.exists():
            raise UsageError(f"There is no file or folder {name}.")
        files = [path] if path.is_file() else path.rglob("*")
        total += sum(file.stat().st_size * TEXT_SHARE.get(file.suffix.lower(), 0.0) for file in files if file.is_file())
    return round(total)


def run_name(paths: list[str]) -> str:
    """A run's name after its input: `my_book` for `texts/my_book.txt`."""
    path = Path(paths[0]).absolute()
    stem = path.name if path.is_dir() else path.stem
    return re.sub(r"[^\w.-]+", "-", stem).strip("-._") or "texts"


def plan(paths: list[str], name: str, *, gpus: int, minutes: float) -> tuple[dict[str, Any], list[str]]:
    """A whole configuration named `name` for these inputs, and the reasons for it, one line each.

    gpus: how many there are. minutes: how long training may take on a CPU (an estimate, not a promise).
    Raises UsageError when an input does not exist.
    """
    amount = text_bytes(paths)
    size = [s for s in (GPU_SIZES if gpus else CPU_SIZES) if s.text <= amount][-1]
    vocabulary = int(min(30_000, max(512, 2 ** round(math.log2(max(1, amount) / 2_500)))))
    tokens = amount / BYTES_PER_TOKEN * 0.95
    # 12 width^2 per block, and the embedding, which is the output layer too.
    parameters = 12 * size.layers * size.width**2 + vocabulary * size.width
    epochs = 10 if amount < 1e6 else 6 if amount < 10e6 else 4
    batch = 8 if not gpus else max(16, 65_536 // size.context)
    wanted = epochs * tokens
    reasons = [
        f"text: about {amount / 1e6:.1f} MB, so about {tokens / 1e6:.2f} million tokens",
        f"vocabulary {vocabulary:,}: larger ones need more text than this to learn their rare tokens"
        if vocabulary < 30_000
        else "vocabulary 30,000: the usual size for this much text",
        f"model {size.layers} blocks of width {size.width}, context {size.context}: "
        f"about {parameters / 1e6:.1f} million "
        f"parameters, " + (f"for {gpus} GPU(s)" if gpus else "small enough to train on this CPU"),
    ]
    why = f"{epochs} times through the text; more would be learning by heart"
    if not gpus:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        affordable = minutes * 60 * cores * CPU_FLOPS_PER_CORE / (6 * parameters)
        if affordable < wanted:
            wanted = affordable
            why = (
                f"what fits into about {minutes:g} minutes on {cores} CPU cores (--minutes), "
                f"{wanted / tokens:.1f} times the text"
            )
    steps = max(20, round(wanted / (batch * size.context * max(1, gpus))))
    reasons.append(f"{steps:,} steps of {batch} blocks: {why}")
    every = max(10, steps // 5)
    content: dict[str, Any] = {
        "name": name,
        "corpus": {
            "name": name,
            "sources": [{"kind": "files", "name": name, "paths": [str(Path(p).absolute()) for p in paths]}],
        },
        "tokenizer": {"vocab_size": vocabulary},
        "pretokenize": {"max_length": size.context},
        "model": {
            "model_type": "gpt2",
            "n_layer": size.layers,
            "n_head": size.heads,
            "n_embd": size.width,
            # A text that is read many times is learnt by heart without dropout.
            **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.1 if wanted > 4 * tokens else 0.0),
        },
        "training": {
            "allow_cpu": not gpus,
            "per_device_train_batch_size": batch,
            "per_device_eval_batch_size": batch,
            "max_steps": steps,
            "learning_rate": size.learning_rate,
            # Small models that are pushed hard at the start stay behind for good (docs/LOG.md).
            "warmup_steps": 0.1,
            "logging_steps": max(1, steps // 50),
            "eval_steps": every,
            "save_steps": every,
        },
        "generation": {"prompts": ["", "", ""], "max_new_tokens": min(120, size.context // 2)},
    }
    return content, reasons
