"""Muon and AdamW as one optimiser."""

from __future__ import annotations

import copy

import pytest
import torch
from optimizers import MuonAdamW, matrix_names
from transformers import GPT2Config, GPT2LMHeadModel

WIDTH = 16


def _model() -> GPT2LMHeadModel:
    torch.manual_seed(1)
    sizes = {"vocab_size": 50, "n_positions": 16, "n_embd": WIDTH, "n_layer": 2, "n_head": 2}
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": 0, "eos_token_id": 0}
    return GPT2LMHeadModel(GPT2Config(**sizes, **still))


def _optimizer(model: GPT2LMHeadModel, lr: float = 1e-2) -> MuonAdamW:
    return MuonAdamW(
        model, lr=lr, weight_decay=0.1, decayed={"transformer.wte.weight"}, betas=(0.9, 0.95), eps=1e-8, momentum=0.95
    )


def _learn(model: GPT2LMHeadModel, optimizer: MuonAdamW, steps: int) -> float:
    ids = torch.arange(64).reshape(4, 16) % 50
    value = torch.tensor(0.0)
    for _ in range(steps):
        value = model(input_ids=ids, labels=ids).loss
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
    return value.item()


def test_every_parameter_has_exactly_one_optimizer() -> None:
    """Would break: a weight that nobody trains, or that both move."""
    model = _model()
    names = matrix_names(model)
    assert all(name.startswith("transformer.h.") and name.endswith("weight") for name in names)
    assert len(names) == 8  # c_attn, c_proj, c_fc, c_proj in each of 2 blocks
    optimizer = _optimizer(model)
    before = copy.deepcopy(model.state_dict())
    _learn(model, optimizer, 1)
    assert all(not torch.equal(value, before[name]) for name, value in model.state_dict().items())
    # 2 blocks x (query, key, value, 3 others) for Muon; embedding; positions, biases and norms.
    assert [len(group["params"]) for group in optimizer.param_groups] == [12, 1, 19]


def test_query_key_and_value_are_orthogonalised_apart() -> None:
    """Would break: a large value gradient would leave hardly any update for query and key in their shared matrix."""
    model = _model()
    attention = model.transformer.h[0].attn.c_attn.weight
    optimizer = _optimizer(model, lr=1.0)
    _learn(model, optimizer, 0)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    attention.grad = torch.randn(WIDTH, 3 * WIDTH) * torch.tensor([1.0, 1e-3, 1e3]).repeat_interleave(WIDTH)
    before = attention.detach().clone()
    optimizer.step()
    update = (attention.detach() - before * (1 - 1.0 * 0.1)).split(WIDTH, dim=1)
    sizes = [torch.linalg.matrix_norm(part, 2).item() for part in update]
    assert max(sizes) < 1.5 * min(sizes)


def test_it_learns_and_a_schedule_reaches_both() -> None:
    """Would break: a rate that changes in the log and not in the steps."""
    model = _model()
    optimizer = _optimizer(model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    first = _learn(model, optimizer, 1)
    assert _learn(model, optimizer, 30) < first - 1
    schedule.step()
    assert optimizer.muon.param_groups[0]["lr"] == optimizer.adamw.param_groups[1]["lr"] == pytest.approx(5e-3)


def test_a_restored_optimizer_goes_on_bit_for_bit() -> None:
    """Would break: a resumed run whose momentum starts anew, or whose schedule no longer reaches the optimiser."""
    model = _model()
    optimizer = _optimizer(model)
    _learn(model, optimizer, 5)
    twin = copy.deepcopy(model)
    restored = _optimizer(twin, lr=123.0)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert restored.param_groups[0]["lr"] == 1e-2
    restored.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"] = 2e-2
    _learn(model, optimizer, 3)
    _learn(twin, restored, 3)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))
