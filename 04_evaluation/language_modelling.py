"""How well a model predicts held-back text: loss, perplexity, bits per byte, by document.

Each document is predicted from its first byte to its last, after an end-of-text token as in training.
Special tokens are context, never counted. A document longer than the context is read in windows that
overlap by half, and each token is scored once, with at least half a context before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chapbook.corpus import Document
from chapbook.tokenizer import encode_documents

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel


@dataclass
class DocumentScore:
    """What one document costs the model: `nats` is the summed negative log-likelihood of its tokens."""

    id: str
    source: str
    bytes: int
    tokens: int
    nats: float = 0.0
    correct: int = 0
    """Tokens that the model held for the likeliest."""
    true_bits: float | None = None
    """What the document costs its true distribution, where that is known."""


@dataclass(frozen=True)
class Window:
    """Token ids to read, of which those from `first` on are scored, each from what stands before it."""

    document: int
    ids: list[int]
    first: int


def windows(document: int, ids: list[int], end_of_text: int, context: int) -> Iterator[Window]:
    """Cut one document into windows of at most `context + 1` ids (inputs and the token after them)."""
    stream = [end_of_text, *ids]
    scored = 1  # the end-of-text token at 0 is context only
    start = 0
    while scored < len(stream):
        end = min(start + context + 1, len(stream))
        yield Window(document, stream[start:end], scored - start)
        scored = end
        start = end - context // 2


def score_documents(
    model: PreTrainedModel, tokenizer: Tokenizer, documents: Iterable[Document], end_of_text: int, batch_size: int
) -> Iterator[DocumentScore]:
    """Score documents one after the other; windows of several documents share a batch.

    batch_size: windows per forward pass. Yields in order.
    """
    context: int = model.config.max_position_embeddings
    open_scores: list[DocumentScore] = []
    waiting: list[Window] = []
    unfinished: dict[int, int] = {}
    done = 0

    def drain(minimum: int) -> Iterator[DocumentScore]:
        nonlocal done
        while len(waiting) >= minimum and waiting:
            batch = waiting[:batch_size]
            del waiting[:batch_size]
            for window, (nats, correct) in zip(batch, _score_batch(model, batch, end_of_text), strict=True):
                score = open_scores[window.document]
                score.nats += nats
                score.correct += correct
                unfinished[window.document] -= 1
            while done < len(open_scores) and not unfinished[done]:
                yield open_scores[done]
                done += 1

    documents = list(documents)
    encoded = encode_documents(tokenizer, (document.text for document in documents))
    for number, (document, ids) in enumerate(zip(documents, encoded, strict=True)):
        open_scores.append(
            DocumentScore(document.id, document.source, document.byte_count(), len(ids), true_bits=document.true_bits)
        )
        cut = list(windows(number, ids, end_of_text, context))
        unfinished[number] = len(cut)
        waiting.extend(cut)
        yield from drain(batch_size)
    yield from drain(1)


def _score_batch(model: PreTrainedModel, batch: list[Window], padding: int) -> list[tuple[float, int]]:
    """For each window: the summed negative log-likelihood of its scored tokens (nats), and how many were guessed."""
    import torch

    longest = max(len(window.ids) for window in batch)
    ids = torch.full((len(batch), longest), padding)
    scored = torch.zeros((len(batch), longest - 1), dtype=torch.bool)
    for row, window in enumerate(batch):
        ids[row, : len(window.ids)] = torch.tensor(window.ids)
        scored[row, window.first - 1 : len(window.ids) - 1] = True
    ids, scored = ids.to(model.device), scored.to(model.device)
    with torch.inference_mode():
        # Padding stands on the right, where causal attention never sees it: no mask is needed.
        logits: torch.Tensor = model(ids[:, :-1], use_cache=False).logits.float()
        targets = ids[:, 1:]
        nats = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
        correct = (logits.argmax(-1) == targets) & scored
        sums = (nats.double() * scored).sum(1).tolist()
        return list(zip(sums, correct.sum(1).tolist(), strict=True))


def summarise(scores: list[DocumentScore]) -> dict[str, float | int]:
    """Figures over several documents. Loss is nats per token; perplexity = exp(loss)."""
    tokens, size = sum(s.tokens for s in scores), sum(s.bytes for s in scores)
    nats = sum(s.nats for s in scores)
    summary: dict[str, float | int] = {
        "documents": len(scores),
        "bytes": size,
        "tokens": tokens,
        "bytes_per_token": size / tokens,
        "loss": nats / tokens,
        "perplexity": math.exp(min(nats / tokens, 700.0)),
        "bits_per_byte": nats / math.log(2) / size,
        "accuracy": sum(s.correct for s in scores) / tokens,
    }
    known = [s for s in scores if s.true_bits is not None]
    if known:
        # Both on the same bytes: the documents whose probability under the generator is known exactly.
        known_bytes = sum(s.bytes for s in known)
        summary["floor_documents"] = len(known)
        summary["floor_bits_per_byte"] = sum(s.true_bits or 0.0 for s in known) / known_bytes
        summary["model_bits_per_byte_there"] = sum(s.nats for s in known) / math.log(2) / known_bytes
    return summary
