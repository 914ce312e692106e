"""Compare an export with its checkpoint as a stranger would: with stock transformers and nothing of Chapbook.

    python verify_export.py CHECKPOINT EXPORT

Prints the largest difference between the logits of both on fixed prompts; exits 1 with the reason when the
export does not load, when its special ids disagree, or when the logits differ.
"""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

PROMPTS = ("The ", "In the year 1750, ", "Déjà vu — 3d. & 4s.\n\n“Sir!”")


def main(checkpoint: str, export: str) -> float:
    """The largest absolute logit difference over all prompts. Raises SystemExit with a reason."""
    tokenizer = AutoTokenizer.from_pretrained(export)
    reference, exported = (AutoModelForCausalLM.from_pretrained(path).eval() for path in (checkpoint, export))
    settings = GenerationConfig.from_pretrained(export)
    ids = {tokenizer.eos_token_id, exported.config.eos_token_id, settings.eos_token_id, exported.config.bos_token_id}
    if len(ids) != 1 or None in ids:
        sys.exit(f"the end-of-text ids disagree: {ids}")
    if len(tokenizer) > exported.config.vocab_size:
        sys.exit(f"the tokenizer has {len(tokenizer)} tokens, the model {exported.config.vocab_size}")
    largest = 0.0
    for prompt in PROMPTS:
        ids = tokenizer(prompt).input_ids
        inputs = torch.tensor([[tokenizer.eos_token_id, *ids][: exported.config.max_position_embeddings]])
        if tokenizer.decode(ids) != prompt:
            sys.exit(f"the tokenizer changes the text {prompt!r}")
        with torch.inference_mode():
            difference = (reference(inputs).logits - exported(inputs).logits).abs().max().item()
        largest = max(largest, difference)
    # Same weights, same code: anything but 0 means that something was changed on the way.
    if largest != 0.0:
        sys.exit(f"the logits differ by {largest}")
    return largest


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
