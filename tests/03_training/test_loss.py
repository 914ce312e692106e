"""The chunked loss: the same numbers as transformers' own, in less memory."""

from __future__ import annotations

from typing import Any

import loss
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

WIDTH = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "llama": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
}


def _model(kind: str, **more: Any) -> Any:
    torch.manual_seed(1)
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
    config = AutoConfig.for_model(kind, vocab_size=300, max_position_embeddings=16, **WIDTH[kind], **ids, **more)
    return AutoModelForCausalLM.from_config(config)


def _gradients(model: Any, ids: torch.Tensor, labels: torch.Tensor, items: int | None) -> tuple[float, list[Any]]:
    model.zero_grad()
    value = model(input_ids=ids, labels=labels, num_items_in_batch=items).loss
    value.backward()
    return value.item(), [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("items", [None, 77])
def test_loss_and_every_gradient_equal_the_stock_ones(
    kind: str, items: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would break: a faster loss that trains another model; labels that do not count would count."""
    monkeypatch.setattr(loss, "CHUNK_NUMBERS", 300 * 7)  # 48 positions: 7 chunks, the last one short
    model = _model(kind)
    ids = torch.randint(0, 300, (3, 16))
    labels = ids.clone()
    labels[1, 5:9] = loss.IGNORED
    expected, wanted = _gradients(model, ids, labels, items)
    assert loss.use_chunked_loss(model)
    found, gradients = _gradients(model, ids, labels, items)
    assert found == pytest.approx(expected, rel=1e-6)
    for gradient, want in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, want, rtol=1e-4, atol=1e-6)
    model.eval()
    with torch.no_grad():
        assert model(input_ids=ids, labels=labels, num_items_in_batch=items).loss.item() == pytest.approx(expected)


def test_the_loss_of_a_batch_is_that_of_its_parts() -> None:
    """Would break: another micro-batch or number of accumulation steps, and the run learns something else."""
    model = _model("gpt2")
    assert loss.use_chunked_loss(model)
    ids = torch.randint(0, 300, (4, 16))
    whole, wanted = _gradients(model, ids, ids, 60)
    model.zero_grad()
    parts = [model(input_ids=part, labels=part, num_items_in_batch=60).loss for part in ids.split(1)]
    sum(parts).backward()  # type: ignore[union-attr]
    assert sum(part.item() for part in parts) == pytest.approx(whole, rel=1e-6)
    for parameter, want in zip(model.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, want, rtol=1e-4, atol=1e-6)


def test_a_model_that_changes_its_logits_keeps_its_own_loss() -> None:
    """Would break: families that scale or cap their logits would be trained on a loss they do not have."""
    config = AutoConfig.for_model(
        "granite", vocab_size=300, **WIDTH["llama"], logits_scaling=8.0, bos_token_id=0, eos_token_id=0, pad_token_id=0
    )
    model = AutoModelForCausalLM.from_config(config)
    before = model.forward
    assert not loss.use_chunked_loss(model)
    assert model.forward == before


def test_without_labels_the_model_answers_as_ever() -> None:
    """Would break: samples during training, which need logits."""
    model = _model("gpt2").eval()
    ids = torch.randint(0, 300, (1, 8))
    with torch.no_grad():
        expected = model(ids).logits
        loss.use_chunked_loss(model)
        assert torch.equal(model(ids).logits, expected)


def test_under_autocast_the_loss_stays_close_and_the_weights_gradient_is_fp32() -> None:
    """Would break: bf16 training whose sums over a whole batch lose their digits."""
    model = _model("gpt2")
    ids = torch.randint(0, 300, (4, 16))
    expected, _ = _gradients(model, ids, ids, None)
    loss.use_chunked_loss(model)
    with torch.autocast("cpu", torch.bfloat16):
        found, gradients = _gradients(model, ids, ids, None)
    assert found == pytest.approx(expected, rel=5e-3)
    assert all(gradient.dtype == torch.float32 for gradient in gradients)
