"""transformers.Trainer whose runs cannot be lost: see docs/training_safety.md for what is promised.

Trainer sees one batch per optimisation step (accumulation 1); how it is cut into micro-batches is decided here, so
that memory can be made to suffice while training goes on.
"""

from __future__ import annotations

import contextlib
import gc
import math
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from batch_size import BatchSize, MicroBatchMemory
from callbacks import Agreement, StopWhenAsked
from failures import NotFinite, failed_save, is_lost_rank, is_out_of_memory
from hub_pushes import HubPushes
from optimizers import MuonAdamW
from safetensors import SafetensorError
from sample_order import SampleOrder, StepLoader
from saving import STAGING, check_disk, commit, rotate
from throughput import flops_per_token, peak_flops
from transformers import Trainer, set_seed

from chapbook import artifact, checkpoint
from chapbook.errors import ChapbookError
from chapbook.log import is_first_rank, log
from chapbook.tokenizer import copy_tokenizer


class ChapbookTrainer(Trainer):
    """Trainer for packed blocks of one length.

    recipe: what the run is made from (kind `checkpoint`, without the step). tokenizer: its directory, copied
    into each checkpoint. bytes_per_token: of each split's text with its end-of-text tokens, to give losses in bits per
    byte. batch, order: how many and which blocks a step reads. stop: knows whether somebody asked the run to stop.
    agreement: between the ranks. memory: remembers a smaller micro-batch. resume: the checkpoint to go on from.
    """

    def __init__(
        self,
        *,
        recipe: artifact.Recipe,
        tokenizer: Path,
        max_length: int,
        bytes_per_token: dict[str, float],
        batch: BatchSize,
        order: SampleOrder,
        stop: StopWhenAsked,
        agreement: Agreement,
        memory: MicroBatchMemory,
        resume: checkpoint.Checkpoint | None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.recipe = recipe
        self.tokenizer_directory = tokenizer
        self.max_length = max_length
        self.bytes_per_token = bytes_per_token
        self.batch, self.order = batch, order
        self.stop, self.agreement = stop, agreement
        self.memory = memory
        self.resume = resume
        # The first step of an optimiser makes its state: only the second one shows what memory a step takes.
        self._trials = 0 if batch.ranks == 1 else 1 if resume else 2
        self._not_finite: list[int] = []
        self._skipped = 0
        self._last_loss: torch.Tensor | None = None
        self._last_log: tuple[int, float] | None = None
        self._run = Path(self.args.output_dir)
        self._saving_to: Path | None = None
        self._saved = resume.step if resume else 0
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._committing: Future[None] | None = None
        self._pushes: HubPushes | None = None

    @property
    def tokens_per_step(self) -> int:
        """Tokens in one optimisation step over all ranks."""
        return self.batch.sequences * self.max_length

    # Data

    def get_train_dataloader(self) -> StepLoader:
        """One batch per step: what this rank computes of it."""
        arguments = self.args
        workers = arguments.dataloader_num_workers
        return StepLoader(
            self.train_dataset,
            self.order,
            arguments.process_index,
            self.batch.ranks,
            num_workers=workers,
            persistent_workers=arguments.dataloader_persistent_workers,
            prefetch_factor=arguments.dataloader_prefetch_factor if workers else None,
            pin_memory=arguments.dataloader_pin_memory,
        )

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """As Trainer's, but with the last batch: dropping it is for training, held-back text is measured whole."""
        drop, self.args.dataloader_drop_last = self.args.dataloader_drop_last, False
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.args.dataloader_drop_last = drop

    # A step

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Gradients of one step's batch, micro-batch by micro-batch; returns its loss (this rank's share, detached).

        When memory does not suffice, the step starts again from where it was, in micro-batches of half the size.
        """
        if self._committing is not None and self._committing.done():
            self.finish_saving()
        while self._trials:
            self._try_memory(model, inputs, num_items_in_batch)
        while True:
            states = self._random_states()
            try:
                loss = self._micro_batches(model, inputs, num_items_in_batch)
                break
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                said = str(error).strip().split("\n")[0]
            # Here the failed pass is no longer referred to, and its memory can be had.
            self._start_step_again(model, states)
            self._halve(said)
            if self.batch.ranks > 1:
                # The others are waiting for gradients that will not come: they cannot be asked to start again.
                raise ChapbookError(
                    f"Out of memory on rank {self.args.process_index} ({said}). The next start computes "
                    f"{self.batch.micro} blocks per device at a time: give the same command again."
                )
        # A step that is not finite changes no weights, and must not hide the others' loss either.
        if self._last_loss is None:
            self._last_loss = torch.zeros_like(loss)
        self._last_loss = torch.where(torch.isfinite(loss), loss, self._last_loss)
        return self._last_loss.clone()

    def _micro_batches(self, model: Any, inputs: dict[str, Any], items: Any) -> torch.Tensor:
        blocks = len(inputs["labels"])
        total = torch.zeros((), device=self.args.device)
        for start in range(0, blocks, self.batch.micro):
            end = start + self.batch.micro
            # Ranks exchange their gradients once, with the last micro-batch.
            with self.accelerator.no_sync(model) if end < blocks else contextlib.nullcontext():
                part = {name: values[start:end] for name, values in inputs.items()}
                total += self._micro_batch(model, part, items, blocks)
        return total

    def _micro_batch(self, model: Any, inputs: dict[str, Any], items: Any, blocks: int) -> torch.Tensor:
        # Losses are sums over the step's token count. A model that cannot take that count gives means, which Trainer
        # divides by this: each is weighted by the part of the step that it is of.
        self.current_gradient_accumulation_steps = blocks / len(inputs["labels"])
        return super().training_step(model, inputs, items)

    def _try_memory(self, model: Any, inputs: dict[str, Any], items: Any) -> None:
        """Compute one micro-batch for nothing, and agree with the other ranks whether its memory was there.

        In a step itself a rank cannot tell the others, which wait for its gradients.
        """
        states = self._random_states()
        said = ""
        try:
            with self.accelerator.no_sync(model):
                first = {name: values[: self.batch.micro] for name, values in inputs.items()}
                self._micro_batch(model, first, items, len(inputs["labels"]))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            said = str(error).strip().split("\n")[0]
        self._start_step_again(model, states)
        if self.agreement.highest(int(bool(said))):
            self._halve(said or "another rank said so")
        else:
            self._trials -= 1

    def _halve(self, said: str) -> None:
        if self.batch.micro == 1:
            raise ChapbookError(
                f"Out of memory with one block of {self.max_length} tokens at a time ({said}). Set a smaller "
                "pretokenize.max_length or model, or training.activation_checkpointing: true."
            )
        before, self.batch = self.batch, self.batch.halved()
        self.memory.remember(self.batch)
        if is_first_rank():
            log.warning(
                "OUT OF MEMORY at step %d (%s). Each device now computes %d blocks at a time instead of %d, %d times a "
                "step; the step of %d blocks, and so what is learnt, stays. This is remembered for the next start.",
                *(self.state.global_step + 1, said, self.batch.micro, before.micro, self.batch.accumulation),
                self.batch.sequences,
            )

    def _start_step_again(self, model: Any, states: dict[str, torch.Tensor]) -> None:
        model.zero_grad(set_to_none=True)
        gc.collect()
        if self.args.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.set_rng_state(states["cuda"])
        torch.set_rng_state(states["cpu"])

    def _random_states(self) -> dict[str, torch.Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.args.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state()
        return states

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if math.isfinite(norm):
            self._not_finite.clear()
        else:
            self._leave_out(model, float(norm))
        return norm

    def _leave_out(self, model: Any, norm: float) -> None:
        """Have the optimiser change nothing in this step; end the training after too many of them in a row.

        All ranks see the same norm, so that they agree without a word.
        """
        scaler = self.accelerator.scaler
        if scaler is not None and scaler.get_scale() > 1:
            # In fp16 the scaler leaves out steps until it has found its scale: the way it works.
            return
        if scaler is None:
            # Optimisers skip what has no gradient, moments and weight decay included.
            model.zero_grad(set_to_none=True)
        step = self.state.global_step
        self._not_finite.append(step)
        self._skipped += 1
        patience = self.args.nonfinite_patience
        if is_first_rank():
            log.warning(
                "the gradient's norm is %s at step %d: its update is left out (%d of %d in a row)",
                *(norm, step + 1, len(self._not_finite), patience),
            )
        if len(self._not_finite) < patience:
            return
        blocks = sorted({int(number) for step in self._not_finite for number in self.order.numbers(step)})
        raise NotFinite(
            f"The gradient's norm is {norm} at step {step + 1}, {_ordinal(len(self._not_finite))} in a row: training "
            "cannot go on. The weights are those before these steps. Try a lower --learning_rate or more "
            "training.warmup_steps; if the text is to blame, training.nonfinite_action: roll_back leaves it out. "
            f"Blocks of these steps: {_list(blocks)}.",
            places=[self.order.place(step) for step in self._not_finite],
            blocks=blocks,
        )

    def create_optimizer(self, *arguments: Any) -> Any:
        """As Trainer's, and `optim: muon`."""
        args = self.args
        if not args.muon:
            return super().create_optimizer(*arguments)
        self.optimizer: Any = MuonAdamW(
            self.model,
            lr=args.learning_rate,
            weight_decay=args.weight_decay,
            decayed=set(self.get_decay_parameter_names(self.model)),
            betas=(args.adam_beta1, args.adam_beta2),
            eps=args.adam_epsilon,
            fused=args.device.type == "cuda",
        )
        return self.optimizer

    # Measuring

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add perplexity, bits per byte and speed to what Trainer logs."""
        if not math.isfinite(logs.get("grad_norm", 0.0)):
            # JSON has no word for it.
            del logs["grad_norm"]
        for name, split in (("loss", "train"), ("eval_loss", "eval")):
            if name in logs:
                prefix = name.removesuffix("loss")
                logs[f"{prefix}perplexity"] = math.exp(min(logs[name], 700.0))
                # Token files that somebody brings do not say how many bytes their text has.
                if split in self.bytes_per_token:
                    logs[f"{prefix}bits_per_byte"] = logs[name] / math.log(2) / self.bytes_per_token[split]
        if "loss" in logs:
            if self._skipped:
                logs["skipped_steps"], self._skipped = self._skipped, 0
            now = time.perf_counter()
            if self._last_log is not None and self.state.global_step > self._last_log[0]:
                steps = self.state.global_step - self._last_log[0]
                seconds = now - self._last_log[1]
                logs["tokens_per_second"] = round(steps * self.tokens_per_step / seconds, 1)
                logs["dt_ms"] = round(1000 * seconds / steps, 2)
                logs |= self._device_figures(logs["tokens_per_second"])
            self._last_log = (self.state.global_step, now)
        super().log(logs, start_time)

    def _device_figures(self, tokens_per_second: float) -> dict[str, float]:
        """GPU memory in bytes, the most so far, and the share of the GPUs' peak (MFU) where that is known."""
        if self.args.device.type != "cuda":
            return {}
        figures: dict[str, float] = {"gpu_memory_bytes": torch.cuda.max_memory_allocated()}
        peak = peak_flops(torch.cuda.get_device_name())
        if peak is not None and (self.args.bf16 or self.args.fp16):
            used = tokens_per_second * flops_per_token(self.model, self.max_length)
            figures["mfu"] = round(used / (peak * self.batch.ranks), 4)
        return figures

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

    # Saving

    def _get_output_dir(self, trial: Any) -> str:
        # While a checkpoint is written it lies where nobody takes it for one.
        return str(self._saving_to) if self._saving_to else super()._get_output_dir(trial)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        # Written aside here; synced, hashed and committed in a thread while the training goes on. Old ones are deleted
        # after that: Trainer deletes before anything is on the disk.
        step = self.state.global_step
        if step == self._saved:
            return
        started = time.perf_counter()
        self.finish_saving()
        if self.args.should_save:
            check_disk(self._run, 3 * sum(p.numel() * p.element_size() for p in self.model.parameters()))
        self.accelerator.wait_for_everyone()
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        self._saving_to = self._run / STAGING
        written = self._saving_to / f"checkpoint-{step}"
        try:
            super()._save_checkpoint(model, trial)
            # Every rank writes its own random state: all of them must be there before the manifest says so.
            self.accelerator.wait_for_everyone()
            if self.args.should_save and self.state.best_model_checkpoint == str(written):
                self.state.best_model_checkpoint = str(self._run / written.name)
                self.state.save_to_json(str(written / "trainer_state.json"))
        except (OSError, SafetensorError, RuntimeError) as error:
            if is_out_of_memory(error) or is_lost_rank(error):
                raise
            raise self._failed_save(error, step) from error
        finally:
            self._saving_to = None
            self.args.save_total_limit = limit
        self._saved = step
        if self.args.should_save:
            self._committing = self._committer.submit(self._commit, written, self._counts(), limit)
        if self._last_log is not None:
            self._last_log = (self._last_log[0], self._last_log[1] + time.perf_counter() - started)

    def _finalize_training(self, *arguments: Any) -> Any:
        # With save_total_limit 1 Trainer would look for the last checkpoint here, and delete others, on its own.
        self.finish_saving()
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            return super()._finalize_training(*arguments)
        finally:
            self.args.save_total_limit = limit

    def finish_saving(self) -> None:
        """Wait until the last save is committed. Raises ChapbookError when that failed."""
        if self._committing is not None:
            committing, self._committing = self._committing, None
            committing.result()

    def _failed_save(self, error: Exception, step: int) -> ChapbookError:
        # Room for whoever needs it; what is left of a killed save is deleted at the next start.
        shutil.rmtree(self._run / STAGING, ignore_errors=True)
        last = checkpoint.newest(self._run)
        return failed_save(error, step, last.path if last else None)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        # Not Trainer's: it would also pickle its arguments, with whatever secret is among them.
        if output_dir is None or not self.args.should_save:
            return
        directory = Path(output_dir)
        directory.mkdir(parents=True, exist_ok=True)
        model = self.accelerator.unwrap_model(self.model, keep_torch_compile=False)
        # Trainer switches the cache off for training and would leave that in config.json: 10 times slower text.
        use_cache, model.config.use_cache = model.config.use_cache, True
        model.save_pretrained(directory, state_dict=state_dict)
        model.config.use_cache = use_cache
        copy_tokenizer(self.tokenizer_directory, directory, self.max_length)

    def _commit(self, written: Path, counts: dict[str, Any], limit: int | None) -> None:
        """Make what was written a checkpoint. Runs beside the training: it reads nothing that a step changes."""
        directory = self._run / written.name
        recipe = artifact.Recipe(
            kind=self.recipe.kind,
            format_version=self.recipe.format_version,
            config=self.recipe.config | {"step": counts["step"]},
            inputs=self.recipe.inputs,
        )
        try:
            commit(written, directory, recipe, counts)
        except OSError as error:
            raise self._failed_save(error, counts["step"]) from error
        evaluated = counts["eval_loss"]
        log.info("saved %s%s", directory, "" if evaluated is None else f" (eval loss {evaluated:.4f})")
        rotate(self._run, limit)
        if self._pushes is not None and (self.args.hub_strategy != "end" or counts["finished"]):
            self._pushes.push(directory)

    def _counts(self) -> dict[str, Any]:
        step = self.state.global_step
        losses = [entry["loss"] for entry in self.state.log_history if "loss" in entry]
        evaluated = {entry["step"]: entry["eval_loss"] for entry in self.state.log_history if "eval_loss" in entry}
        return {
            "step": step,
            "max_steps": self.state.max_steps,
            "epoch": self.state.epoch,
            "loss": losses[-1] if losses else None,
            "eval_loss": evaluated.get(step),
            # The run ends here by itself: at its last step, or by early stopping.
            "finished": self.control.should_training_stop and self.stop.exit_code is None,
            "tokens_per_step": self.tokens_per_step,
            "tokens_seen": step * self.tokens_per_step,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "world_size": self.args.world_size,
            "micro_batch": self.batch.micro,
            "left_out": self.order.left_out,
            "device": self.args.device.type,
        }

    # Going on

    def _load_rng_state(self, checkpoint: str | None) -> None:
        # The random states of other ranks than there are now cannot be gone on with.
        counts = self.resume.manifest.counts if self.resume and self.resume.manifest else {}
        if checkpoint is not None and counts.get("world_size") != self.batch.ranks:
            self.seed_rank()
        else:
            super()._load_rng_state(checkpoint)

    def seed_rank(self) -> None:
        """Give each rank random numbers of its own, the same at every start from this step."""
        set_seed((self.args.seed + 1_000_003 * self.args.process_index + 7_919 * self.state.global_step) % 2**32)

    # The Hub

    def init_hf_repo(self, *arguments: Any, **settings: Any) -> None:
        """Nothing yet: whether the Hub answers must not decide whether a training starts."""

    def start_pushes(self) -> None:
        """Upload committed checkpoints from now on, when the configuration asks for it."""
        if self.args.push_to_hub and self.is_world_process_zero():
            self._pushes = HubPushes(
                self._run,
                repository=self.args.hub_model_id or self._run.name,
                strategy=str(getattr(self.args.hub_strategy, "value", self.args.hub_strategy)),
                private=self.args.hub_private_repo,
            )

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        # Trainer would upload a checkpoint that is not committed yet, with its pickled arguments.
        pass

    def _finish_current_push(self) -> None:
        if self._pushes is not None:
            self._pushes.finish()


def _ordinal(number: int) -> str:
    return {1: "the first", 2: "the second", 3: "the third"}.get(number, f"the {number}th")


def _list(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:20]))
    return f"{shown} and {len(numbers) - 20} more" if len(numbers) > 20 else shown
