"""Which blocks a training step reads: a function of (seed, step) that nobody has to replay.

The order of an epoch is a permutation that is computed where it is needed, so that going on at step 60,000 reads
nothing of what lies before it, and any number of ranks sees the same samples in the same order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from chapbook.tokens import collate

if TYPE_CHECKING:
    from chapbook.tokens import Blocks

# Luby and Rackoff (1988): four rounds of a Feistel network cannot be told from a random permutation; two more because
# the halves are short.
ROUNDS = 6


def permuted(places: np.ndarray, count: int, key: bytes) -> np.ndarray:
    """Where a pseudo-random permutation of range(count) puts `places` (int64, any shape); equal keys, equal order.

    A Feistel network over the next even number of bits, repeated for the places that fall outside of the range
    (cycle walking: Black and Rogaway 2002). Integer arithmetic alone: the same on any machine and version.
    """
    half = np.uint64((max(count - 1, 1).bit_length() + 1) // 2)
    mask = np.uint64((1 << int(half)) - 1)
    keys = np.frombuffer(hashlib.blake2b(key, digest_size=8 * ROUNDS).digest(), "<u8")
    result = places.astype(np.uint64)
    outside = np.ones(result.shape, bool)
    while outside.any():
        left, right = result[outside] >> half, result[outside] & mask
        for round_key in keys:
            left, right = right, left ^ (_mixed(right ^ round_key) & mask)
        result[outside] = (left << half) | right
        outside = result >= count
    return result.astype(np.int64)


def _mixed(value: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64 (Steele, Lea and Flood 2014); arithmetic modulo 2**64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


class SampleOrder:
    """The blocks of every step. Steps count from 0; an epoch is as many whole steps as there are blocks for.

    blocks: how many there are. sequences: the global batch. left_out: batches (places in the order) that are never
    read, because training was rolled back over them.
    """

    def __init__(
        self, blocks: int, sequences: int, seed: int, *, shuffle: bool = True, left_out: Sequence[int] = ()
    ) -> None:
        self.blocks, self.sequences, self.seed, self.shuffle = blocks, sequences, seed, shuffle
        self.left_out = sorted(left_out)
        self.steps_per_epoch = blocks // sequences

    def place(self, step: int) -> int:
        """The batch that `step` reads: the step itself, later by those that were left out before it."""
        place = step
        for skipped in self.left_out:
            place += skipped <= place
        return place

    def numbers(self, step: int) -> np.ndarray:
        """The block numbers of one step over all ranks: int64 of shape (sequences,)."""
        epoch, batch = divmod(self.place(step), self.steps_per_epoch)
        places = np.arange(batch * self.sequences, (batch + 1) * self.sequences, dtype=np.int64)
        return permuted(places, self.blocks, b"%d %d" % (self.seed, epoch)) if self.shuffle else places


class _Steps(Dataset[Any]):
    """`data[step]` is what one rank reads in a step, as a batch."""

    def __init__(self, blocks: Blocks, order: SampleOrder, rank: int, ranks: int) -> None:
        self.data, self.order, self.rank, self.ranks = blocks, order, rank, ranks

    def __len__(self) -> int:
        return self.order.steps_per_epoch

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        # Ranks take turns: a step is the same set of blocks, whoever reads them.
        mine = self.order.numbers(step)[self.rank :: self.ranks]
        return collate(self.data.__getitems__(mine.tolist()))


class _EpochSteps(Sampler[list[int]]):
    """The steps of an epoch, each as a batch of one; they count from the start of the run."""

    def __init__(self, steps_per_epoch: int) -> None:
        self.steps_per_epoch, self.epoch = steps_per_epoch, 0

    def __iter__(self) -> Iterator[list[int]]:
        first = self.epoch * self.steps_per_epoch
        return ([step] for step in range(first, first + self.steps_per_epoch))

    def __len__(self) -> int:
        return self.steps_per_epoch

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, counted from 0."""
        self.epoch = epoch


def _only(batches: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return batches[0]


class StepLoader(DataLoader[Any]):
    """Loads a rank's share of one step after the other: {"input_ids", "labels"}, int64 of (blocks per rank, length)."""

    def __init__(self, blocks: Blocks, order: SampleOrder, rank: int, ranks: int, **settings: Any) -> None:
        steps = _EpochSteps(order.steps_per_epoch)
        # A generator of its own: a loader draws from torch's whenever it starts, and a resumed run starts more often.
        super().__init__(
            _Steps(blocks, order, rank, ranks),
            batch_sampler=steps,
            collate_fn=_only,
            generator=torch.Generator(),
            **settings,
        )
        self._steps = steps

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, counted from 0. Trainer calls this before each."""
        self._steps.set_epoch(epoch)
