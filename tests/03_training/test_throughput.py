"""Operations per token and the share of the peak."""

from __future__ import annotations

import pytest
import torch
from throughput import flops_per_token, peak_flops
from transformers import GPT2Config, GPT2LMHeadModel


def test_operations_per_token_equal_the_published_count() -> None:
    """Would break: a share of the peak that cannot be compared with anybody's. 855 million is nanoGPT's for 124M."""
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(vocab_size=50_304, bos_token_id=0, eos_token_id=0))
    matrices = 12 * 12 * 768**2 + 50_304 * 768
    assert flops_per_token(model, 1024) == pytest.approx(6 * matrices + 12 * 12 * 768 * 1024, rel=1e-3)
    assert flops_per_token(model, 1024) == pytest.approx(855e6, rel=2e-3)


def test_an_untied_input_embedding_is_not_multiplied() -> None:
    """Would break: a model with two embeddings would seem to work a third faster than it does."""
    with torch.device("meta"):
        tied, untied = (
            GPT2LMHeadModel(GPT2Config(vocab_size=1000, tie_word_embeddings=tie, bos_token_id=0, eos_token_id=0))
            for tie in (True, False)
        )
    assert flops_per_token(tied, 128) == flops_per_token(untied, 128)


def test_an_unknown_device_has_no_peak() -> None:
    """Would break: a share of some other device's peak, 104% on a newer one."""
    assert peak_flops("NVIDIA H200") == 989.4e12
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("NVIDIA A100-SXM4-80GB") == 312e12
    assert peak_flops("Some Future Device") is None
