"""Models whose figures are known beforehand, and the context they are measured in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from context import Context
from support import Run
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.modeling_outputs import CausalLMOutput

from chapbook.checkpoint import load_model
from chapbook.config import load_config
from chapbook.corpus import Document, read_shards
from chapbook.tokenizer import end_of_text_id, load_tokenizer
from chapbook.workspace import Workspace


class CopyModel(GPT2LMHeadModel):
    """Knows texts by heart: it is sure of the token that follows the longest stretch of the last ones it remembers.

    What stands first in the texts decides; after a token that is in none of them it ends the text.
    """

    def __init__(self, config: GPT2Config, texts: Iterable[Sequence[int]], end_of_text: int) -> None:
        super().__init__(config)
        self.end_of_text = end_of_text
        ids = [end_of_text, *(token for text in texts for token in [*text, end_of_text])]
        # As characters, so that Python's own search finds a stretch.
        self.stream = "".join(map(chr, ids))

    def forward(self, input_ids: torch.Tensor, logits_to_keep: int = 0, **_: Any) -> CausalLMOutput:
        """Logits of shape (batch, tokens, vocabulary): 50 for what follows, 0 for all else."""
        first = input_ids.shape[1] - logits_to_keep if logits_to_keep else 0
        logits = torch.zeros(input_ids.shape[0], input_ids.shape[1] - first, self.config.vocab_size)
        for row, ids in enumerate(input_ids.tolist()):
            stream = "".join(map(chr, ids))
            for place in range(first, len(ids)):
                logits[row, place - first, self._follows(stream[: place + 1])] = 50.0
        return CausalLMOutput(logits=logits)

    def _follows(self, ids: str) -> int:
        # If a stretch stands in the texts, so does each that ends it: halve the lengths that remain.
        known, unknown, follower = 0, len(ids) + 1, self.end_of_text
        while unknown - known > 1:
            length = (known + unknown) // 2
            place = self.stream.find(ids[-length:], 0, len(self.stream) - 1)
            if place < 0:
                unknown = length
            else:
                known, follower = length, ord(self.stream[place + length])
        return follower


def _config(vocabulary: int, context: int, end_of_text: int) -> GPT2Config:
    return GPT2Config(
        vocab_size=vocabulary,
        n_positions=context,
        n_layer=1,
        n_head=1,
        n_embd=8,
        use_cache=False,
        bos_token_id=end_of_text,
        eos_token_id=end_of_text,
    )


def evaluation_context(run: Run, output: Path, *, quick: bool = False, checkpoint: str = "checkpoint-8") -> Context:
    """The context of the tiny run's checkpoint, on all its held-back documents."""
    workspace = Workspace(run.workspace)
    config = load_config(run.config, {})
    corpus = workspace.corpus(config.corpus.name)
    path = run.checkpoints / checkpoint
    tokenizer = load_tokenizer(path)
    output.mkdir(parents=True, exist_ok=True)
    return Context(
        checkpoint=path,
        model=load_model(path),
        tokenizer=tokenizer,
        end_of_text=end_of_text_id(tokenizer),
        config=config,
        workspace=workspace,
        corpus=corpus,
        split="validation",
        documents=list(read_shards(corpus / "validation", Document)),
        device="cpu",
        seed=1,
        quick=quick,
        output=output,
    )


def copy_model(context: Context, texts: Iterable[str], *, positions: int = 256) -> CopyModel:
    """A model that knows `texts` by heart, in the tokens of `context`."""
    vocabulary = context.tokenizer.get_vocab_size()
    encoded = [context.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    return CopyModel(_config(vocabulary, positions, context.end_of_text), encoded, context.end_of_text).eval()


def random_model(context: Context, *, positions: int = 256, seed: int = 1) -> GPT2LMHeadModel:
    """A model that was never trained, with weights large enough for its likelihoods to differ."""
    torch.manual_seed(seed)
    config = _config(context.tokenizer.get_vocab_size(), positions, context.end_of_text)
    config.initializer_range = 0.3
    return GPT2LMHeadModel(config).eval()
