"""The stages in order, and how to start one: each is a script of its own, run as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapbook.artifact import ROOT
from chapbook.errors import EXIT_INTERRUPTED, EXIT_TERMINATED


@dataclass(frozen=True)
class Stage:
    """A step of the pipeline: its name on the command line and its script."""

    name: str
    script: str


STAGES = (
    Stage("collect", "01_data_collection/collect.py"),
    Stage("clean", "01_data_collection/clean.py"),
    Stage("tokenizer", "02_tokenizer/train_tokenizer.py"),
    Stage("pretokenize", "03_training/pretokenize.py"),
    Stage("train", "03_training/train_model.py"),
    Stage("evaluate", "04_evaluation/run_evaluation.py"),
    Stage("generate", "05_inference/generate.py"),
    Stage("export", "06_publish/export.py"),
)
NAMES = tuple(stage.name for stage in STAGES)


@dataclass(frozen=True)
class Outcome:
    """How a stage ended. result: the JSON document it printed, empty when it failed."""

    exit_code: int
    result: dict[str, Any]
    seconds: float


def gpu_count() -> int:
    """How many NVIDIA GPUs this process may use, without importing torch; 0 without a driver."""
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    count = len(listed.stdout.splitlines()) if listed.returncode == 0 else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return count
    return min(count, len([name for name in visible.split(",") if name.strip() and name.strip() != "-1"]))


def command(stage: Stage, config: Path, flags: Sequence[str]) -> list[str]:
    """The command line that starts a stage: torchrun for training on several GPUs, Python otherwise."""
    start = [sys.executable]
    if stage.name == "train" and "--use_cpu" not in flags and (gpus := gpu_count()) > 1:
        start = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={gpus}"]
    return [*start, str(ROOT / stage.script), "--config", str(config), "--json", *flags]


def run_stage(stage: Stage, config: Path, flags: Sequence[str]) -> Outcome:
    """Run one stage to its end. Its log and bars go to this process's stderr.

    Ctrl-C reaches the stage by itself and a SIGTERM is passed on; in both cases the stage is waited for,
    because it may be saving.
    """
    started = time.monotonic()
    process = subprocess.Popen(command(stage, config, flags), stdout=subprocess.PIPE, text=True)
    terminated = False

    def pass_on(number: int, frame: Any) -> None:
        nonlocal terminated
        terminated = True
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    interrupted = False
    output = ""
    assert process.stdout is not None
    while True:
        try:
            output += process.stdout.read()
            code = process.wait()
            break
        except KeyboardInterrupt:
            interrupted = True
    signal.signal(signal.SIGTERM, before)
    if code < 0:
        code = 128 - code
    if code == 0 and (interrupted or terminated):
        # The stage was done before it could hear of it; the run stops all the same.
        code = EXIT_TERMINATED if terminated else EXIT_INTERRUPTED
    lines = output.strip().splitlines()
    result: dict[str, Any] = json.loads(lines[-1]) if code == 0 and lines else {}
    return Outcome(code, result, time.monotonic() - started)
