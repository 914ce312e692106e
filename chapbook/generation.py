"""Text from a checkpoint: the one core behind generate.py, test_checkpoint.py and the model card's samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chapbook.checkpoint import load_model
from chapbook.config import GenerationConfig
from chapbook.log import log
from chapbook.tokenizer import end_of_text_id, load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Sample:
    """One generated text: what it went on from, what was written, and whether the model ended it itself."""

    prompt: str
    text: str
    tokens: int
    ended: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Writer:
    """A model and its tokenizer, ready to write. Loads from a checkpoint or export folder, never online."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.path = path
        self.model: PreTrainedModel = load_model(path, device)
        self.tokenizer: Tokenizer = load_tokenizer(path)
        self.end_of_text = end_of_text_id(self.tokenizer)
        self.context: int = self.model.config.max_position_embeddings

    def prompt_ids(self, prompt: str, max_new_tokens: int) -> tuple[list[int], int]:
        """The token ids the model goes on from, and how many it may add.

        A text starts after an end-of-text token, as in training. When prompt and continuation do not fit
        the model's context, the continuation is shortened to at least half of it and the oldest tokens of
        the prompt are left out; both are said.
        """
        ids = [self.end_of_text, *self.tokenizer.encode(prompt, add_special_tokens=False).ids]
        room = max(self.context - len(ids), self.context // 2)
        if max_new_tokens > room:
            log.warning(
                "the model's context is %d tokens: writing %d instead of %d", self.context, room, max_new_tokens
            )
        new = min(max_new_tokens, room)
        if len(ids) + new > self.context:
            log.warning(
                "the prompt is longer than the model's context: its first %d tokens are left out",
                len(ids) + new - self.context,
            )
            ids = ids[len(ids) + new - self.context :]
        return ids, new

    def write(self, prompt: str, settings: GenerationConfig) -> list[Sample]:
        """`settings.num_samples` continuations of one prompt. Same seed, same texts."""
        ids, new = self.prompt_ids(prompt, settings.max_new_tokens)
        if settings.temperature == 0 and settings.num_samples > 1:
            log.warning("at temperature 0 all samples are equal: writing one instead of %d", settings.num_samples)
        copies = settings.num_samples if settings.temperature > 0 else 1
        written = continue_tokens(self.model, [ids] * copies, new, settings, self.end_of_text)
        return [Sample(prompt, self.tokenizer.decode(row), len(row), ended) for row, ended in written]

    def write_all(self, prompts: Sequence[str], settings: GenerationConfig) -> list[Sample]:
        """Samples for each prompt. Equal prompts get different seeds, so that their samples differ."""
        samples = []
        for number, prompt in enumerate(prompts):
            samples += self.write(prompt, settings.model_copy(update={"seed": settings.seed + number}))
        return samples


def continue_tokens(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    new_tokens: int,
    settings: GenerationConfig,
    end_of_text: int,
) -> list[tuple[list[int], bool]]:
    """What the model writes after each prompt: the token ids before end-of-text, and whether it ended there itself.

    prompts: token ids, all of one length, so that no padding comes between them and what follows; one batch.
    `settings.num_samples` and `settings.max_new_tokens` are not looked at. Same seed and batch, same tokens.
    """
    import torch

    sampling: dict[str, Any] = {"do_sample": False}
    if settings.temperature > 0:
        sampling = {
            "do_sample": True,
            "temperature": settings.temperature,
            "top_k": settings.top_k,
            "top_p": settings.top_p,
        }
    torch.manual_seed(settings.seed)
    inputs = torch.tensor(prompts, device=model.device)
    with torch.inference_mode():
        output = model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            max_new_tokens=new_tokens,
            repetition_penalty=settings.repetition_penalty,
            pad_token_id=end_of_text,
            eos_token_id=end_of_text,
            **sampling,
        )
    written = []
    for row in output[:, inputs.shape[1] :].tolist():
        ended = end_of_text in row
        written.append((row[: row.index(end_of_text)] if ended else row, ended))
    return written


def best_device() -> str:
    """`cuda` (or another accelerator) when there is one, else `cpu`."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator.type if accelerator is not None else "cpu"
