"""How many blocks make one optimisation step, and how they are shared among ranks and micro-batches.

The run declares its global batch. Everything else (ranks, blocks per device, accumulation) only says how it is
computed, and may differ from one start to the next.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chapbook import artifact
from chapbook.errors import UsageError
from chapbook.log import log

# TrainingArguments' own default.
DEFAULT_PER_DEVICE = 8


@dataclass(frozen=True)
class BatchSize:
    """sequences: blocks in one optimisation step over all ranks. micro: blocks that a device computes at a time."""

    sequences: int
    ranks: int
    micro: int

    @property
    def per_rank(self) -> int:
        """Blocks of one step that each rank computes."""
        return self.sequences // self.ranks

    @property
    def accumulation(self) -> int:
        """Micro-batches of one step on each rank; the last one may be smaller."""
        return math.ceil(self.per_rank / self.micro)

    def halved(self) -> BatchSize:
        """The same step in micro-batches of half the size."""
        return replace(self, micro=math.ceil(self.micro / 2))


class MicroBatchMemory:
    """What a run has learnt about the memory of its devices, kept in a file from one start to the next.

    path: the file. configured: the batch as the configuration has it; the file only counts for the same one.
    """

    def __init__(self, path: Path, configured: BatchSize) -> None:
        self.path, self.configured = path, configured

    def recall(self) -> BatchSize:
        """The configured batch, in the micro-batches that an earlier start ended up with."""
        if self.path.is_file():
            content = json.loads(self.path.read_text("utf-8"))
            if content["configured"] == asdict(self.configured):
                log.warning("an earlier start ran out of memory: %d blocks per device at a time", content["micro"])
                return replace(self.configured, micro=content["micro"])
        return self.configured

    def remember(self, batch: BatchSize) -> None:
        """Keep the micro-batch of `batch` for the next start."""
        content = {"configured": asdict(self.configured), "micro": batch.micro}
        artifact.write_atomically(self.path, artifact.canonical_json(content))


def resolve(training: dict[str, Any], ranks: int, started_with: int | None = None) -> BatchSize:
    """The batch size of a run.

    training: the section's values. started_with: the global batch of the checkpoint that the run goes on from; it
    stays unless the section declares another one. Raises UsageError when the numbers do not make the global batch.
    """
    per_device = training.get("per_device_train_batch_size")
    accumulation = training.get("gradient_accumulation_steps")
    declared = training.get("global_batch_size")
    product = (per_device or DEFAULT_PER_DEVICE) * (accumulation or 1) * ranks
    sequences = declared or started_with or product
    if sequences % ranks:
        works = [count for count in range(1, 2 * ranks) if sequences % count == 0]
        raise UsageError(
            f"The run's global batch of {sequences} blocks cannot be shared by {ranks} ranks. "
            f"Numbers of ranks that would work: {', '.join(map(str, works))}."
        )
    per_rank = sequences // ranks
    if declared is None and started_with is not None and product != started_with:
        log.warning(
            "the run's global batch of %d blocks stays, whatever the batch per device and the number of ranks now. "
            "For another: --training.global_batch_size %d --allow_changed training.global_batch_size",
            started_with,
            product,
        )
        accumulation = None
    if declared is None:
        return BatchSize(sequences, ranks, _largest_divisor(per_rank, per_device or DEFAULT_PER_DEVICE))
    if per_device is None:
        if accumulation and per_rank % accumulation:
            raise UsageError(_no_fit(sequences, f"{accumulation} accumulated x {ranks} rank(s)", per_rank))
        size = per_rank // accumulation if accumulation else _largest_divisor(per_rank, DEFAULT_PER_DEVICE)
        return BatchSize(sequences, ranks, size)
    if accumulation is not None and product != sequences:
        raise UsageError(
            _no_fit(sequences, f"{per_device} per device x {accumulation} accumulated x {ranks} rank(s)", per_rank)
        )
    if per_rank % per_device:
        raise UsageError(_no_fit(sequences, f"{per_device} per device x {ranks} rank(s)", per_rank))
    return BatchSize(sequences, ranks, per_device)


def _no_fit(sequences: int, product: str, per_rank: int) -> str:
    works = [size for size in range(1, per_rank + 1) if per_rank % size == 0]
    shown = [*works[:3], *works[-3:]] if len(works) > 6 else works
    return (
        f"training.global_batch_size = {sequences} is not made by {product}. Each rank takes {per_rank} blocks a step: "
        f"--batch_size {' or '.join(map(str, shown))} would work; leave training.gradient_accumulation_steps out and "
        "it follows."
    )


def _largest_divisor(number: int, limit: int) -> int:
    return next(size for size in range(min(number, limit), 0, -1) if number % size == 0)
