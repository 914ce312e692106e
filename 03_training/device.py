"""Which device trains: the GPU, or the CPU when somebody said so. Never the CPU in silence."""

from __future__ import annotations

import os
from typing import Any

import torch

from chapbook.errors import UsageError
from chapbook.log import log
from chapbook.training_arguments import RunArguments

CHOICES = """No GPU was found, and this run is meant for one. You can
  - start it on a machine with a GPU (is the driver installed? try: nvidia-smi);
  - train on the CPU all the same: add --use_cpu (10 to 100 times slower; choose a small model);
  - try the set-up with one step on the CPU: add --force_cpu;
  - start with a model made for a CPU: python -m chapbook run --config configs/demo.yaml"""


def device_settings(training: dict[str, Any], *, use_cpu: bool) -> dict[str, Any]:
    """The TrainingArguments that fit this machine.

    training: the section's values. use_cpu: somebody asked for the CPU on the command line.
    Raises UsageError when there is no GPU and nobody accepted the CPU.
    """
    wants_cpu = use_cpu or bool(training.get("use_cpu"))
    gpu = torch.accelerator.is_available()
    if wants_cpu or not gpu:
        if not wants_cpu and not training.get("allow_cpu"):
            raise UsageError(CHOICES)
        settings: dict[str, Any] = {"use_cpu": True}
        if training.get("precision") in ("bf16", "fp16"):
            log.warning("training.precision = %s is for GPUs; the CPU computes in fp32", training["precision"])
        if "LOCAL_RANK" in os.environ:
            settings["ddp_backend"] = "gloo"
        return settings
    settings = {}
    if torch.cuda.is_available():
        # What the configuration says about a format is what runs; `precision` decides only where it says nothing.
        if not {"bf16", "fp16"} & training.keys():
            precision = training.get("precision", "auto")
            if precision == "auto":
                # Emulated bf16 (before Ampere) is slower than fp16.
                precision = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
            settings = {"bf16": precision == "bf16", "fp16": precision == "fp16"}
        if "tf32" not in training and torch.cuda.get_device_capability() >= (8, 0):
            settings["tf32"] = True
    return settings


def use_one_gpu(arguments: RunArguments) -> None:
    """Without torchrun, train on one GPU even if there are more: Trainer would choose nn.DataParallel."""
    if arguments.n_gpu > 1:
        log.warning("%d GPUs found, one is used. For all: torchrun --nproc_per_node=%d ...", *[arguments.n_gpu] * 2)
        arguments._n_gpu = 1


def describe(arguments: RunArguments) -> str:
    """The device in words, e.g. `CPU, 2 threads` or `2 × NVIDIA H200, bf16`."""
    if arguments.device.type == "cpu":
        ranks = f"{arguments.world_size} processes × " if arguments.world_size > 1 else ""
        precision = "bf16" if arguments.bf16 else "fp32"
        return f"CPU, {ranks}{torch.get_num_threads()} threads, {precision}"
    name = torch.cuda.get_device_name() if arguments.device.type == "cuda" else arguments.device.type
    precision = "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "fp32"
    count = f"{arguments.world_size} × " if arguments.world_size > 1 else ""
    return f"{count}{name}, {precision}"
