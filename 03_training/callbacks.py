"""What happens beside the training steps: metrics as JSONL, evaluation before each save, stopping when asked."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from chapbook import artifact
from chapbook.errors import EXIT_INTERRUPTED, EXIT_TERMINATED
from chapbook.log import log


class MetricsFile(TrainerCallback):
    """Keeps each log entry as a line of JSON with its `step`; a resumed run starts from those of its checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write the file anew from the entries that the checkpoint carries: none doubled, none missing."""
        if not state.is_world_process_zero:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        artifact.write_atomically(self.path, "".join(map(self._line, state.log_history)).encode())

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Append one line, but not Trainer's summary at the end: it averages over this session, not over the run."""
        if state.is_world_process_zero and logs and "train_runtime" not in logs:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(self._line({"step": state.global_step, **logs}))

    @staticmethod
    def _line(entry: dict[str, Any]) -> str:
        return json.dumps({"step": entry["step"], **entry}) + "\n"


class Reporter:
    """Another service's callback (TensorBoard, W&B ...) that may fail without the training: one warning, then silence.

    Measurements also go to `metrics.jsonl`, so that nothing is lost with it.
    """

    def __init__(self, callback: TrainerCallback) -> None:
        self.callback = callback
        self._failed = False

    def prepare(self, purge_after: int) -> None:
        """Open TensorBoard's writer; what it holds of steps after `purge_after` was lost and is not shown any more."""

        def open_writer() -> None:
            from torch.utils.tensorboard import SummaryWriter

            directory = os.environ["TENSORBOARD_LOGGING_DIR"]
            self.callback.tb_writer = SummaryWriter(directory, purge_step=purge_after + 1)

        self._guarded(open_writer)

    def __getattr__(self, event: str) -> Any:
        method = getattr(self.callback, event)

        def guarded(*arguments: Any, **context: Any) -> None:
            self._guarded(lambda: method(*arguments, **context))

        return guarded

    def _guarded(self, call: Callable[[], Any]) -> None:
        if self._failed:
            return
        try:
            call()
        # Each service has its own ways to fail, and none of them is worth a training run.
        except Exception as error:
            self._failed = True
            log.warning(
                "%s failed (%s: %s). The training goes on without it; metrics.jsonl has all measurements.",
                *(type(self.callback).__name__, type(error).__name__, str(error).split("\n")[0]),
            )


class Progress(TrainerCallback):
    """A bar on a terminal, one more while an evaluation goes on, and one line for each log entry."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._evaluation: Any = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the bar where the run starts."""
        if state.is_world_process_zero and sys.stderr.isatty():
            self._bar = tqdm(total=state.max_steps, initial=state.global_step, desc="train", dynamic_ncols=True)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """One step further."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **context: Any
    ) -> None:
        """One batch of an evaluation further."""
        if self._bar is None:
            return
        if self._evaluation is None:
            self._evaluation = tqdm(total=len(context["eval_dataloader"]), desc="evaluate", leave=False, delay=1)
        self._evaluation.update()

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the evaluation's bar away."""
        if self._evaluation is not None:
            self._evaluation.close()
            self._evaluation = None

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Print the entry in a fixed order."""
        if not state.is_world_process_zero or not logs:
            return
        parts = [f"step {state.global_step:,}/{state.max_steps:,}"]
        for prefix in ("", "eval_"):
            if f"{prefix}loss" in logs:
                parts.append(f"{prefix.replace('_', ' ')}loss {logs[f'{prefix}loss']:.4f}")
                if f"{prefix}perplexity" in logs:
                    parts.append(f"ppl {logs[f'{prefix}perplexity']:.2f}")
                if f"{prefix}bits_per_byte" in logs:
                    parts.append(f"{logs[f'{prefix}bits_per_byte']:.4f} bits/byte")
        for name, label, form in (
            ("learning_rate", "lr", ".2e"),
            ("grad_norm", "grad", ".2f"),
            ("tokens_per_second", "tokens/s", ",.0f"),
            ("eval_runtime", "seconds", ".1f"),
        ):
            if name in logs:
                parts.append(f"{label} {logs[name]:{form}}")
        if len(parts) > 1:
            log.info("%s", " | ".join(parts))

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


class Agreement:
    """What ranks have to agree on, by whole numbers; on the CPU, so that no GPU has to wait for its queue."""

    def __init__(self, world_size: int) -> None:
        """Every rank must make one at the same point of the program."""
        self._alone = world_size == 1
        self._group = None
        if not self._alone and torch.distributed.get_backend() != "gloo":
            self._group = torch.distributed.new_group(backend="gloo")

    def highest(self, number: int) -> int:
        """The largest number that any rank gives."""
        if self._alone:
            return number
        value = torch.tensor(number)
        torch.distributed.all_reduce(value, op=torch.distributed.ReduceOp.MAX, group=self._group)
        return int(value)


class StopWhenAsked(TrainerCallback):
    """SIGTERM and SIGINT end the run after the current step, with a checkpoint; a second one at once.

    `exit_code` is 143 or 130 after that, None otherwise. All ranks agree at the end of a step, whichever was asked.
    """

    # torchrun hands each signal on to its ranks, which the terminal or SLURM has already sent it to: within this time
    # a second one is an echo of the first (seconds).
    ECHO = 5.0

    def __init__(self, agreement: Agreement) -> None:
        self.exit_code: int | None = None
        self.agreement = agreement
        self._asked = 0
        self._asked_at = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the signals over."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        if not self._asked:
            self._asked, self._asked_at = number, time.monotonic()
        elif "TORCHELASTIC_RUN_ID" not in os.environ or time.monotonic() - self._asked_at > self.ECHO:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop and save if any rank was asked to."""
        if asked := self.agreement.highest(self._asked):
            self.exit_code = EXIT_INTERRUPTED if asked == signal.SIGINT else EXIT_TERMINATED
            if state.is_world_process_zero:
                log.warning("asked to stop: saving at step %d", state.global_step)
            control.should_save = args.save_strategy != "no"
            control.should_training_stop = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Give the signals back."""
        self.release()

    @staticmethod
    def release() -> None:
        """Let signals end the process again, as before the training."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)


class EvaluateBeforeSaving(TrainerCallback):
    """Every checkpoint is evaluated, so that "best" always names one that exists, and a run that stops early saves.

    Not when somebody asked to stop: who is about to be killed has no time for it.
    """

    def __init__(self, stop: StopWhenAsked) -> None:
        self.stop = stop

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask for an evaluation wherever a save is due."""
        if control.should_save:
            control.should_evaluate = self.stop.exit_code is None

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Save where early stopping ends the run."""
        if control.should_training_stop and args.save_strategy != "no":
            control.should_save = True
