"""transformers.Trainer with checkpoints that count only when they are whole, and logs a person can read."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from callbacks import StopWhenAsked
from transformers import Trainer

from chapbook import artifact, checkpoint
from chapbook.errors import ChapbookError
from chapbook.log import log
from chapbook.tokenizer import copy_tokenizer


class ChapbookTrainer(Trainer):
    """Trainer for packed blocks of one length.

    recipe: what the run is made from (kind `checkpoint`, without the step). tokenizer: its directory, copied
    into each checkpoint. bytes_per_token: of each split's text with its end-of-text tokens, to give losses in bits per
    byte. stop: knows whether somebody asked the run to stop.
    """

    def __init__(
        self,
        *,
        recipe: artifact.Recipe,
        tokenizer: Path,
        max_length: int,
        bytes_per_token: dict[str, float],
        stop: StopWhenAsked,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.recipe = recipe
        self.tokenizer_directory = tokenizer
        self.max_length = max_length
        self.bytes_per_token = bytes_per_token
        self.stop = stop
        self._last_log: tuple[int, float] | None = None

    @property
    def tokens_per_step(self) -> int:
        """Tokens in one optimisation step over all ranks."""
        arguments = self.args
        per_rank = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
        return per_rank * arguments.world_size * self.max_length

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add perplexity, bits per byte and speed to what Trainer logs.

        Raises ChapbookError when the training loss is not finite: every later step would be wasted.
        """
        if not math.isfinite(logs.get("loss", 0.0)):
            last = checkpoint.newest(Path(self.args.output_dir))
            raise ChapbookError(
                f"The loss is {logs['loss']} at step {self.state.global_step}: training cannot go on. Try a lower "
                f"--learning_rate or more training.warmup_steps. Last good checkpoint: {last.path if last else 'none'}."
            )
        for name, split in (("loss", "train"), ("eval_loss", "eval")):
            if name in logs:
                prefix = name.removesuffix("loss")
                logs[f"{prefix}perplexity"] = math.exp(min(logs[name], 700.0))
                # Token files that somebody brings do not say how many bytes their text has.
                if split in self.bytes_per_token:
                    logs[f"{prefix}bits_per_byte"] = logs[name] / math.log(2) / self.bytes_per_token[split]
        if "loss" in logs:
            now = time.perf_counter()
            if self._last_log is not None and self.state.global_step > self._last_log[0]:
                steps = self.state.global_step - self._last_log[0]
                seconds = now - self._last_log[1]
                logs["tokens_per_second"] = round(steps * self.tokens_per_step / seconds, 1)
                logs["dt_ms"] = round(1000 * seconds / steps, 2)
            self._last_log = (self.state.global_step, now)
        super().log(logs, start_time)

    def evaluate(self, *arguments: Any, **settings: Any) -> dict[str, float]:
        """As Trainer's, but it leaves no trace: neither in the random state nor in the training time.

        A data loader draws a seed from torch's generator whenever it starts, so that without this the same run
        with other evaluation steps (or one more before a requested stop) would learn something else.
        """
        started = time.perf_counter()
        with torch.random.fork_rng(devices=[self.args.device] if self.args.device.type == "cuda" else []):
            metrics: dict[str, float] = super().evaluate(*arguments, **settings)
        if self._last_log is not None:
            self._last_log = (self._last_log[0], self._last_log[1] + time.perf_counter() - started)
        return metrics

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """As Trainer's, but with the last batch: dropping it is for training, held-back text is measured whole."""
        drop, self.args.dataloader_drop_last = self.args.dataloader_drop_last, False
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.args.dataloader_drop_last = drop

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        # Trainer switches the cache off for training and would leave that in config.json: 10 times slower text.
        use_cache, self.model.config.use_cache = self.model.config.use_cache, True
        super()._save(output_dir, state_dict)
        self.model.config.use_cache = use_cache
        if output_dir is not None and self.args.should_save:
            copy_tokenizer(self.tokenizer_directory, Path(output_dir), self.max_length)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        # Save, then commit (the manifest), then delete old ones: Trainer deletes before anything is committed.
        started = time.perf_counter()
        directory = Path(self.args.output_dir, f"checkpoint-{self.state.global_step}")
        if self.args.should_save and directory.exists():
            shutil.rmtree(directory)
        self.accelerator.wait_for_everyone()
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.save_total_limit = limit
        # Every rank writes its own random state: all of them must be there before the manifest says so.
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            manifest = self._commit(directory)
            evaluated = manifest.counts["eval_loss"]
            log.info("saved %s%s", directory, "" if evaluated is None else f" (eval loss {evaluated:.4f})")
            rotate(Path(self.args.output_dir), limit)
        if self._last_log is not None:
            self._last_log = (self._last_log[0], self._last_log[1] + time.perf_counter() - started)

    def _commit(self, directory: Path) -> artifact.Manifest:
        step = self.state.global_step
        newest = {
            name: entry[name] for entry in self.state.log_history for name in ("loss", "eval_loss") if name in entry
        }
        evaluated = {entry["step"]: entry["eval_loss"] for entry in self.state.log_history if "eval_loss" in entry}
        recipe = artifact.Recipe(
            kind=self.recipe.kind,
            format_version=self.recipe.format_version,
            config=self.recipe.config | {"step": step},
            inputs=self.recipe.inputs,
        )
        counts = {
            "step": step,
            "max_steps": self.state.max_steps,
            "epoch": self.state.epoch,
            "loss": newest.get("loss"),
            "eval_loss": evaluated.get(step),
            # The run ends here by itself: at its last step, or by early stopping.
            "finished": self.control.should_training_stop and self.stop.exit_code is None,
            "tokens_per_step": self.tokens_per_step,
            "tokens_seen": step * self.tokens_per_step,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "world_size": self.args.world_size,
            "device": self.args.device.type,
        }
        return artifact.write_manifest(directory, recipe, counts)


def rotate(run: Path, limit: int | None) -> None:
    """Delete the oldest complete checkpoints beyond `limit`; the newest and the best stay in any case.

    Folders that are not complete are left alone: they may be evidence.
    """
    if not limit:
        return
    complete = [found for found in checkpoint.list_checkpoints(run) if found.problem is None]
    if len(complete) <= limit:
        return
    keep = {complete[-1].name}
    if (best := checkpoint.best(complete)) is not None:
        keep.add(best.name)
    for found in complete:
        if len(complete) <= max(limit, len(keep)):
            return
        if found.name not in keep:
            # The manifest goes first: half a deletion must not look like a checkpoint.
            (found.path / artifact.MANIFEST).unlink()
            shutil.rmtree(found.path)
            complete = [other for other in complete if other.name != found.name]
