"""Where a model stands: what simple models and compressors need for the same bytes, and what nothing can be below.

All figures are bits per byte of the same held-back documents, so they stand in one table: a model above the 5-gram
line has learnt less than counting gives; compressors show what exact repetition alone is worth.

The n-gram models are trained on the training split over the model's own tokens and, as the model does, read each
document by itself. Compressors read all documents as one stream, which favours them: they learn from one what comes
in the next. "After the training text" is what the held-back text adds to the compressed size of training text and
held-back text together: the compressor has then seen what the model has, up to the bytes named.
"""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bootstrap
import numpy as np
from context import Context
from kneser_ney import KneserNey
from language_modelling import NATS_PER_BIT, DocumentScore

from chapbook import artifact
from chapbook.corpus import Document, read_shards
from chapbook.errors import ChapbookError
from chapbook.tokenizer import encode_documents

# PPMd variant H with contexts up to 8 bytes; longer ones gain nothing on text of these sizes. 256 MiB hold the
# contexts of some tens of megabytes; when they are full the model starts again.
PPM_ORDER = 8
PPM_MEMORY = 2**28
# In quick mode the training text is bounded to this, and slow compressors are left out: three seconds instead of sixty.
QUICK_TRAINING_BYTES = 5_000_000


@dataclass(frozen=True)
class Compressor:
    """How a compressor is named, and the compressed size of a text, alone or after another one."""

    name: str
    size: Callable[[bytes], int]
    reaches: int
    """How many bytes back it can see: with more training text than this "after" means nothing."""
    quick: bool


def _xz(text: bytes) -> int:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 2**26}]
    return len(lzma.compress(text, lzma.FORMAT_XZ, filters=filters))


def _zstd(text: bytes) -> int:
    import pyarrow

    return int(pyarrow.Codec("zstd", compression_level=22).compress(text).size)


COMPRESSORS = (
    Compressor("gzip -9", lambda text: len(gzip.compress(text, 9, mtime=0)), 2**15, quick=True),
    Compressor("zstd -22", _zstd, 2**27, quick=False),
    Compressor("xz -9", _xz, 2**26, quick=False),
)


def ppm_sizes(text: bytes, training: bytes) -> tuple[int, int]:
    """The size that PPMd gives `text`, in bytes: alone, and after `training` (exact to the coder's five bytes)."""
    import pyppmd

    def size(before: bytes) -> int:
        encoder = pyppmd.Ppmd7Encoder(max_order=PPM_ORDER, mem_size=PPM_MEMORY)
        # The coder writes as it reads: what comes out after `before` belongs to the text.
        encoder.encode(before)
        return len(encoder.encode(text)) + len(encoder.flush())

    return size(b""), size(training)


def training_documents(corpus: Path, limit: int) -> tuple[list[str], int]:
    """Texts of the training split up to `limit` bytes, taken evenly; and the bytes of the whole split.

    Raises ChapbookError when there is none.
    """
    manifest = artifact.read_manifest(corpus)
    total = manifest.counts["splits"]["train"]["bytes"] if manifest else 0
    texts: list[str] = []
    share = min(1.0, limit / max(1, total))
    due = size = 0.0
    for document in read_shards(corpus / "train", Document):
        # Each document adds its share to what is due, and is taken when half of it is: an even choice in one pass.
        due += document.byte_count() * share
        # A single book may be longer than the limit by itself.
        wanted = min(document.byte_count(), limit)
        if size + wanted / 2 <= due:
            texts.append(document.text.encode()[:wanted].decode(errors="ignore"))
            size += wanted
    if not texts:
        raise ChapbookError(f"There is no training text in {corpus} to compare with.")
    return texts, total


def measure(context: Context, scores: Sequence[DocumentScore]) -> dict[str, Any]:
    """The table of figures for the documents that `scores` are about, in bits per byte.

    Each row: `name`, `bits_per_byte`, `trained_on` (bytes, 0: nothing) and for n-grams, whose cost is known by
    document, `model_minus_this` with the paired interval.
    """
    held_back = "".join(document.text for document in context.documents).encode()
    limit = QUICK_TRAINING_BYTES if context.quick else context.config.evaluation.floor_bytes
    rows: list[dict[str, Any]] = []
    result: dict[str, Any] = {"bytes": len(held_back)}
    seen = b""
    if context.corpus is not None:
        training, available = training_documents(context.corpus, limit)
        seen = "".join(training).encode()
        ids = list(encode_documents(context.tokenizer, training))
        rows += list(_trained(context, scores, ids, seen, held_back))
        result |= {
            "training_bytes": available,
            "training_bytes_used": len(seen),
            "training_bytes_per_token": len(seen) / sum(map(len, ids)),
        }
    rows += list(_compressed(held_back, seen, quick=context.quick))
    model = sum(score.nats for score in scores) / NATS_PER_BIT / len(held_back)
    rows.append(_row("this model", model))
    known = [score for score in scores if score.true_bits is not None]
    if known:
        # Of other bytes than the rest of the table where not all documents are known: the name says so.
        truth = sum(score.true_bits or 0.0 for score in known) / sum(score.bytes for score in known)
        rows.append(_row(f"the generator's true entropy ({len(known):,} of {len(scores):,} documents)", truth))
    return result | {
        "left_out": [c.name for c in COMPRESSORS if context.quick and not c.quick],
        "rows": sorted(rows, key=lambda row: -row["bits_per_byte"]),
    }


def _row(name: str, bits_per_byte: float, trained_on: int = 0) -> dict[str, Any]:
    return {"name": name, "bits_per_byte": bits_per_byte, "trained_on": trained_on}


def _trained(
    context: Context, scores: Sequence[DocumentScore], training: list[list[int]], seen: bytes, held_back: bytes
) -> Iterator[dict[str, Any]]:
    # One is added to each of the 256 counts: a byte that was never seen must cost something finite.
    counts = np.bincount(np.frombuffer(seen, np.uint8), minlength=256) + 1
    costs = -np.log2(counts / counts.sum())
    yield _row("unigram of bytes", float(costs[np.frombuffer(held_back, np.uint8)].mean()), len(seen))
    vocabulary = context.tokenizer.get_vocab_size()
    ids = list(encode_documents(context.tokenizer, (document.text for document in context.documents)))
    sizes = np.array([score.bytes for score in scores], np.float64)
    model = np.array([score.nats for score in scores]) / NATS_PER_BIT
    resamples = context.config.evaluation.resamples
    for order in (1, 5) if context.quick else (1, 2, 3, 5):
        bits = KneserNey(training, vocabulary, context.end_of_text, order).nats(ids) / NATS_PER_BIT
        name = "unigram of tokens" if order == 1 else f"{order}-gram of tokens, Kneser-Ney"
        row = _row(name, float(bits.sum() / sizes.sum()), len(seen))
        if len(scores) > 1:
            row["model_minus_this"] = bootstrap.paired_difference(model, bits, sizes, resamples, context.seed)
        yield row | {"order": order}


def _compressed(held_back: bytes, seen: bytes, *, quick: bool) -> Iterator[dict[str, Any]]:
    for compressor in COMPRESSORS:
        if quick and not compressor.quick:
            continue
        yield _row(compressor.name, 8 * compressor.size(held_back) / len(held_back))
        if seen and len(seen) + len(held_back) <= compressor.reaches:
            added = compressor.size(seen + held_back) - compressor.size(seen)
            yield _row(f"{compressor.name}, after the training text", 8 * added / len(held_back), len(seen))
    alone, after = ppm_sizes(held_back, seen)
    yield _row("PPMd", 8 * alone / len(held_back))
    if seen:
        yield _row("PPMd, after the training text", 8 * after / len(held_back), len(seen))
