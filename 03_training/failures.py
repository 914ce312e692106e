"""What can go wrong in a training step, in words: memory, numbers that are not finite, other ranks, the disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from chapbook.errors import ChapbookError

if TYPE_CHECKING:
    from chapbook.tokens import Blocks

# How torch says on each device that there is no memory; only CUDA has an exception of its own for it.
_NO_MEMORY = ("out of memory", "can't allocate memory")
# How gloo and NCCL say that a rank is gone.
_LOST_RANK = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "ncclRemoteError", "Timed out")


class NotFinite(ChapbookError):
    """Several steps in a row had a loss or gradient that is not finite.

    places: the batches (places in the sample order) that they read. blocks: the numbers of the blocks in them.
    """

    def __init__(self, message: str, *, places: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__(message)
        self.places, self.blocks = places, blocks


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the memory of a device or of this machine was not enough."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def is_lost_rank(error: BaseException) -> bool:
    """Whether `error` says that another rank is gone."""
    return torch.distributed.is_initialized() and any(words in str(error) for words in _LOST_RANK)


def explain(error: Exception, last: Path | None) -> ChapbookError | None:
    """The error as one clear line for a person; None when nobody foresaw it. last: the newest complete checkpoint."""
    where = f"Last complete checkpoint: {last or 'none'}. The same command goes on from it."
    if is_out_of_memory(error):
        return ChapbookError(
            f"Out of memory outside of a training step ({_first_line(error)}). Try a smaller --batch_size or "
            f"training.per_device_eval_batch_size. {where}"
        )
    if is_lost_rank(error):
        return ChapbookError(
            f"Rank {os.environ.get('RANK')} stops because another rank has ended; its own message says why. {where}"
        )
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        return ChapbookError(f"{error.strerror or error}{place}. {where}")
    return None


def failed_save(error: Exception, step: int, last: Path | None) -> ChapbookError:
    """A save that did not go through."""
    return ChapbookError(
        f"The checkpoint of step {step} could not be saved: {_first_line(error)}. Is the place there, writable and "
        f"not full? Last complete checkpoint: {last or 'none'}. The same command goes on from it."
    )


def documents_of(blocks: Blocks, numbers: Sequence[int], end_of_text: int, corpus: Path) -> list[str]:
    """The ids of the documents that some blocks hold text of, in corpus order.

    The stream of a split is `<eot> doc <eot> doc ...`: a document's number is that of the end-of-text tokens before
    it. corpus: the corpus artifact; its training split is the one that is looked up.
    """
    import pyarrow.parquet as pq

    separators = np.concatenate([(part == end_of_text).sum(axis=1) for part in blocks.parts()])
    before = np.concatenate([[0], np.cumsum(separators)])
    wanted: set[int] = set()
    for number in numbers:
        # A block that starts inside a document belongs to it too.
        first = before[number] - (blocks.row(number)[0] != end_of_text)
        # The separator at the end of a block has no text of the next document behind it, but starts it.
        wanted.update(range(int(first), int(before[number + 1])))
    ids: list[str] = []
    start = 0
    for path in sorted((corpus / "train").glob("*.parquet")):
        column = pq.read_table(path, columns=["id"]).column(0)
        ids += [column[number - start].as_py() for number in sorted(wanted) if start <= number < start + len(column)]
        start += len(column)
    return ids


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
