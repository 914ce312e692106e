"""Stock GPT-2 models whose answers are known because their weights were set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import GPT2LMHeadModel


def constant_model(logits: torch.Tensor) -> GPT2LMHeadModel:
    """The same logits everywhere, whatever it reads."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=len(logits), n_positions=64, n_layer=1, n_head=1, n_embd=4, bos_token_id=0, eos_token_id=0
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        # The last layer norm gives its bias alone: 1, 0, 0, 0. The first column of the output matrix is the answer.
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.copy_(torch.tensor([1.0, 0, 0, 0]))
        model.transformer.wte.weight[:, 0] = logits
    return model


def successor_model(successors: list[int]) -> GPT2LMHeadModel:
    """After token i it is sure of token successors[i]: it knows a text in which that is so by heart."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    size = len(successors)
    config = GPT2Config(
        vocab_size=size, n_positions=64, n_layer=1, n_head=1, n_embd=size, bos_token_id=0, eos_token_id=0,
        tie_word_embeddings=False,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        # Attention and MLP add nothing and there are no positions: what comes out is the token that went in.
        for block in model.transformer.h:
            for layer in (block.attn.c_proj, block.mlp.c_proj):
                layer.weight.zero_()
                layer.bias.zero_()
        model.transformer.wpe.weight.zero_()
        model.transformer.wte.weight.copy_(torch.eye(size))
        model.lm_head.weight.zero_()
        model.lm_head.weight[torch.tensor(successors), torch.arange(size)] = 10.0
    return model
