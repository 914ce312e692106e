"""How well a model predicts held-back text: loss, perplexity, bits per byte, by document.

Each document is predicted from its first byte to its last, after an end-of-text token as in training.
Special tokens are context, never counted. A document longer than the context is read in windows that
overlap by half, and each token is scored once, with at least half a context before it.

A model may have more rows than its tokenizer has tokens (padded to a round number). No text can become such a row
and none may be generated, so probabilities are taken over the tokenizer's tokens alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import bootstrap
import numpy as np

from chapbook.corpus import Document, decade_of
from chapbook.tokenizer import encode_documents

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

NATS_PER_BIT = math.log(2)
# Above this exp() overflows; a loss of 700 nats per token is broken in any case.
LARGEST_EXPONENT = 700.0


@dataclass
class DocumentScore:
    """What one document costs the model: `nats` is the summed negative log-likelihood of its tokens."""

    id: str
    source: str
    bytes: int
    tokens: int
    decade: str = "unknown"
    words: int = 0
    """Runs of characters between white space."""
    nats: float = 0.0
    correct: float = 0.0
    """Tokens that the model held for the likeliest; of n equally likely ones each counts 1/n."""
    top5: float = 0.0
    """Tokens among the five likeliest."""
    true_bits: float | None = None
    """What the document costs its true distribution, where that is known."""

    @property
    def bits_per_byte(self) -> float:
        """The model's cost of this document."""
        return self.nats / NATS_PER_BIT / self.bytes

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with the figures that are read."""
        return asdict(self) | {"bits_per_byte": self.bits_per_byte, "accuracy": self.correct / self.tokens}


@dataclass(frozen=True)
class Window:
    """Token ids to read, of which those from `first` on are scored, each from what stands before it."""

    document: int
    ids: list[int]
    first: int
    begins: bool
    """Whether it is the document's first window."""


def windows(document: int, ids: list[int], end_of_text: int, context: int) -> Iterator[Window]:
    """Cut one document into windows of at most `context + 1` ids (inputs and the token after them)."""
    stream = [end_of_text, *ids]
    scored = 1  # the end-of-text token at 0 is context only
    start = 0
    while scored < len(stream):
        end = min(start + context + 1, len(stream))
        yield Window(document, stream[start:end], scored - start, start == 0)
        scored = end
        start = end - context // 2


class PositionLoss:
    """Loss by the number of tokens that the model sees before the one it predicts, from 1 to its context.

    Two curves: over the beginnings of documents, where everything before is seen but texts begin alike; and over whole
    windows that start inside a document, where each position holds the same kind of text, so that what falls from
    left to right is what the context is worth.
    """

    def __init__(self, context: int) -> None:
        self.sums = {name: np.zeros(context) for name in ("beginning", "inside")}
        self.counts = {name: np.zeros(context, np.int64) for name in ("beginning", "inside")}

    def add(self, window: Window, nats: np.ndarray) -> None:
        """nats: (len(window.ids) - 1,), the loss of every token of the window, scored or not."""
        name = "beginning" if window.begins else "inside"
        if name == "inside" and len(nats) < len(self.sums[name]):
            # A window that ends with its document would put the ends of documents under the low positions alone.
            return
        self.sums[name][: len(nats)] += nats
        self.counts[name][: len(nats)] += 1

    def octaves(self) -> dict[str, list[dict[str, Any]]]:
        """Per curve the mean loss with 1, 2-3, 4-7, 8-15, … tokens before it, as far as there are tokens."""
        curves: dict[str, list[dict[str, Any]]] = {}
        for name, counts in self.counts.items():
            rows = []
            low = 1
            while low <= len(counts):
                high = 2 * low - 1 if 2 * low < len(counts) else len(counts)
                tokens = int(counts[low - 1 : high].sum())
                if tokens:
                    loss = float(self.sums[name][low - 1 : high].sum() / tokens)
                    rows.append({"seen_from": low, "seen_to": high, "tokens": tokens, "loss": loss})
                low = high + 1
            curves[name] = rows
        return curves


def score_documents(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    documents: Iterable[Document],
    end_of_text: int,
    batch_size: int,
    positions: PositionLoss | None = None,
) -> Iterator[DocumentScore]:
    """Score documents one after the other; windows of several documents share a batch.

    batch_size: windows per forward pass. Yields in order.
    """
    context: int = model.config.max_position_embeddings
    vocabulary: int = tokenizer.get_vocab_size()
    open_scores: list[DocumentScore] = []
    waiting: list[Window] = []
    unfinished: dict[int, int] = {}
    done = 0

    def drain(minimum: int) -> Iterator[DocumentScore]:
        nonlocal done
        while len(waiting) >= minimum and waiting:
            batch = waiting[:batch_size]
            del waiting[:batch_size]
            for window, (nats, correct, top5) in zip(
                batch, _score_batch(model, batch, end_of_text, vocabulary), strict=True
            ):
                score = open_scores[window.document]
                score.nats += float(nats[window.first - 1 :].sum())
                score.correct += correct
                score.top5 += top5
                unfinished[window.document] -= 1
                if positions is not None:
                    positions.add(window, nats)
            while done < len(open_scores) and not unfinished[done]:
                yield open_scores[done]
                done += 1

    documents = list(documents)
    encoded = encode_documents(tokenizer, (document.text for document in documents))
    for number, (document, ids) in enumerate(zip(documents, encoded, strict=True)):
        open_scores.append(
            DocumentScore(
                document.id,
                document.source,
                document.byte_count(),
                len(ids),
                decade=decade_of(document.date),
                words=len(document.text.split()),
                true_bits=document.true_bits,
            )
        )
        cut = list(windows(number, ids, end_of_text, context))
        unfinished[number] = len(cut)
        waiting.extend(cut)
        yield from drain(batch_size)
    yield from drain(1)


def _score_batch(
    model: PreTrainedModel, batch: list[Window], padding: int, vocabulary: int
) -> list[tuple[np.ndarray, float, float]]:
    """For each window: each token's loss (nats), and how many scored ones were the likeliest, or in the first five."""
    import torch

    longest = max(len(window.ids) for window in batch)
    ids = torch.full((len(batch), longest), padding)
    for row, window in enumerate(batch):
        ids[row, : len(window.ids)] = torch.tensor(window.ids)
    ids = ids.to(model.device)
    with torch.inference_mode():
        # Padding stands on the right, where causal attention never sees it: no mask is needed.
        logits: torch.Tensor = model(ids[:, :-1], use_cache=False).logits
        # Row by row: a second copy of all logits would be the largest thing in memory.
        rows = [
            _score_row(logits[row, : len(window.ids) - 1, :vocabulary].float(), ids[row, 1 : len(window.ids)], window)
            for row, window in enumerate(batch)
        ]
    return [(nats.cpu().numpy(), float(hits[0]), float(hits[1])) for nats, hits in rows]


def _score_row(logits: torch.Tensor, targets: torch.Tensor, window: Window) -> tuple[torch.Tensor, torch.Tensor]:
    """logits: (tokens, vocabulary), targets: (tokens,). Loss of each token, and the guesses of the scored ones."""
    import torch

    picked = logits.gather(1, targets[:, None])
    nats = (logits.logsumexp(1) - picked[:, 0]).double()
    scored = logits[window.first - 1 :], picked[window.first - 1 :]
    likelier = (scored[0] > scored[1]).sum(1)
    # Among equally likely tokens a guess is a draw: a model that knows nothing is right once in its vocabulary.
    equal = (scored[0] == scored[1]).sum(1).clamp(min=1)
    hits = [((k - likelier) / equal).clamp(0, 1).sum() for k in (1, 5)]
    return nats, torch.stack(hits)


def rates(nats: Any, tokens: Any, size: Any, words: Any) -> dict[str, Any]:
    """Loss (nats per token), perplexity per token and per word, bits per byte, from sums or from arrays of sums."""
    return {
        "loss": nats / tokens,
        "perplexity": np.exp(np.minimum(nats / tokens, LARGEST_EXPONENT)),
        "word_perplexity": np.exp(np.minimum(nats / np.maximum(words, 1), LARGEST_EXPONENT)),
        "bits_per_byte": nats / NATS_PER_BIT / size,
    }


def summarise(scores: list[DocumentScore]) -> dict[str, float | int]:
    """Figures over several documents. Loss is nats per token; perplexity = exp(loss)."""
    tokens, size, words = (sum(getattr(s, name) for s in scores) for name in ("tokens", "bytes", "words"))
    nats = sum(s.nats for s in scores)
    summary: dict[str, float | int] = {
        "documents": len(scores),
        "bytes": size,
        "tokens": tokens,
        "words": words,
        "bytes_per_token": size / tokens,
        **{name: float(value) for name, value in rates(nats, tokens, size, words).items()},
        "accuracy": sum(s.correct for s in scores) / tokens,
        "top5_accuracy": sum(s.top5 for s in scores) / tokens,
    }
    known = [s for s in scores if s.true_bits is not None]
    if known:
        # Both on the same bytes: the documents whose probability under the generator is known exactly.
        known_bytes = sum(s.bytes for s in known)
        summary["floor_documents"] = len(known)
        summary["floor_bits_per_byte"] = sum(s.true_bits or 0.0 for s in known) / known_bytes
        summary["model_bits_per_byte_there"] = sum(s.nats for s in known) / NATS_PER_BIT / known_bytes
    return summary


def confidence(scores: list[DocumentScore], resamples: int, seed: int) -> dict[str, Any]:
    """95% intervals of the figures of `summarise`; none from a single document."""
    result = bootstrap.describe(len(scores), resamples, seed)
    if len(scores) < 2:
        return result
    names = ("nats", "tokens", "bytes", "words", "correct", "top5")
    columns = np.array([[getattr(s, name) for name in names] for s in scores], np.float64)
    nats, tokens, size, words, correct, top5 = bootstrap.resampled_sums(columns, resamples, seed).T
    resampled = rates(nats, tokens, size, words) | {"accuracy": correct / tokens, "top5_accuracy": top5 / tokens}
    return result | {
        "intervals": {name: bootstrap.interval(np.asarray(values)) for name, values in resampled.items()},
        "bits_per_byte_stderr": float(resampled["bits_per_byte"].std(ddof=1)),
    }


def by_group(scores: list[DocumentScore], group: Callable[[DocumentScore], str]) -> dict[str, dict[str, float | int]]:
    """`summarise` for each group of documents, groups in alphabetical order."""
    groups: dict[str, list[DocumentScore]] = {}
    for score in scores:
        groups.setdefault(group(score), []).append(score)
    return {name: summarise(groups[name]) for name in sorted(groups)}


def describe(scores: list[DocumentScore], resamples: int, seed: int) -> dict[str, Any]:
    """The part of results.json about one text: in all, how sure, by source and by decade."""
    return {
        "total": summarise(scores),
        "confidence": confidence(scores, resamples, seed),
        "by_source": by_group(scores, lambda score: score.source),
        "by_decade": by_group(scores, lambda score: score.decade),
    }
