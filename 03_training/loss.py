"""The language-modelling loss without the logits of a whole batch in memory.

Stock GPT-2 makes fp32 logits for every position at once: for 64 blocks of 1,024 tokens and 30,000 words that is 7.9 GB,
held until the backward pass. Here the logits of one chunk of positions exist at a time, and their gradient is taken
while they are there, so that nothing is computed twice (as in Liger Kernel: Hsu et al. 2024, arXiv:2410.10989).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

# The logits of one chunk are about this many numbers, 128 MB in fp32: enough rows to keep matrix units busy.
CHUNK_NUMBERS = 2**25
# transformers' mark for a position whose next token does not count.
IGNORED = -100
# Two roundings of the same sum; a model that does something else to its logits differs in the second digit.
TOLERANCE = 1e-4


def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """The summed cross-entropy (nats, fp32 scalar) of the predictions `hidden @ weight.T`.

    hidden: (positions, width). weight: (vocabulary, width). targets: (positions,) ids, IGNORED where nothing counts.
    Under autocast the matrix products are in its type; sums and the weight's gradient are always in fp32.
    """
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
        return _WithGradient.apply(hidden, weight, targets, dtype)  # type: ignore[no-any-return, no-untyped-call]
    matrix = weight.to(dtype)
    return sum(  # type: ignore[return-value]
        (
            functional.cross_entropy((hidden[rows].to(dtype) @ matrix.T).float(), targets[rows], reduction="sum")
            for rows in _chunks(len(hidden), len(weight))
        ),
        start=torch.zeros((), device=hidden.device),
    )


def _chunks(positions: int, vocabulary: int) -> Iterator[slice]:
    size = max(1, CHUNK_NUMBERS // vocabulary)
    for start in range(0, positions, size):
        yield slice(start, min(start + size, positions))


class _WithGradient(torch.autograd.Function):
    """linear_cross_entropy that makes both gradients in its forward pass, chunk by chunk."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        matrix = weight.to(dtype)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32)
        for rows in _chunks(len(hidden), len(weight)):
            inputs = hidden[rows].to(dtype)
            counts = targets[rows] != IGNORED
            wanted = targets[rows].clamp(min=0)[:, None]
            log_probabilities = torch.log_softmax((inputs @ matrix.T).float(), dim=-1)
            total -= (log_probabilities.gather(1, wanted)[:, 0] * counts).sum()
            # Derivative by the logits: the predicted probabilities, less 1 at the token that came.
            gradient = log_probabilities.exp_()
            gradient.scatter_add_(1, wanted, torch.full_like(wanted, -1, dtype=torch.float32))
            gradient *= counts[:, None]
            slopes = gradient.to(dtype)
            grad_hidden[rows] = (slopes @ matrix).to(hidden.dtype)
            grad_weight += slopes.T @ inputs
        ctx.save_for_backward(grad_hidden, grad_weight.to(weight.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        return grad_hidden * slopes[0].to(grad_hidden.dtype), grad_weight * slopes[0].to(grad_weight.dtype), None, None


def use_chunked_loss(model: PreTrainedModel) -> bool:
    """Have `model(input_ids, labels)` return the loss alone, computed in chunks; weights and saving stay the same.

    Only where the logits are the last hidden state times the output matrix and nothing else: checked on a few
    tokens against the model's own loss. Returns whether it was done. Call it before the model is wrapped or compiled.
    """
    output = model.get_output_embeddings()
    if output is None or getattr(output, "bias", None) is not None:
        return False
    stock = model.forward

    def forward(
        input_ids: Tensor, labels: Tensor | None = None, num_items_in_batch: Tensor | int | None = None, **inputs: Any
    ) -> Any:
        if labels is None:
            return stock(input_ids, **inputs)
        hidden = model.base_model(input_ids=input_ids, use_cache=False, **inputs).last_hidden_state
        # Position t predicts the token at t + 1; the last one of a block predicts nothing.
        targets = functional.pad(labels, (0, 1), value=IGNORED)[:, 1:].reshape(-1)
        total = linear_cross_entropy(hidden.flatten(0, 1), model.get_output_embeddings().weight, targets)
        items = (targets != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        return CausalLMOutput(loss=total / items)

    training = model.training
    model.eval()
    with torch.no_grad():
        ids = torch.arange(32, device=model.device).reshape(2, 16) % model.config.vocab_size
        difference = abs(stock(ids, labels=ids).loss - forward(ids, labels=ids).loss)
    model.train(training)
    if not difference < TOLERANCE:
        return False
    model.forward = forward
    return True
