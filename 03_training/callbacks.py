"""What happens beside the training steps: metrics as JSONL, evaluation before each save, stopping when asked."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from chapbook.errors import EXIT_INTERRUPTED, EXIT_TERMINATED
from chapbook.log import log


class MetricsFile(TrainerCallback):
    """Appends each log entry to a JSONL file: one object per line, with `step`.

    A resumed run first drops the lines after its checkpoint, which the run before it wrote and lost.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the file anew, or cut it back to the step that training resumes from."""
        if not state.is_world_process_zero:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        if state.global_step and self.path.is_file():
            for line in self.path.read_text("utf-8").splitlines(keepends=True):
                # A line cut off by a kill has no end and lies after the last checkpoint in any case.
                if line.endswith("\n") and json.loads(line)["step"] <= state.global_step:
                    kept.append(line)
        self.path.write_text("".join(kept), "utf-8")

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Append one line, but not Trainer's summary at the end: it averages over this session, not over the run."""
        if state.is_world_process_zero and logs and "train_runtime" not in logs:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, **logs}) + "\n")


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


class StopWhenAsked(TrainerCallback):
    """SIGTERM and SIGINT end the run after the current step, with a checkpoint; a second one at once.

    `exit_code` is 143 or 130 after that, None otherwise. All ranks agree at the end of a step.
    """

    def __init__(self) -> None:
        self.exit_code: int | None = None
        self._asked = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the signals over."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        if self._asked:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._asked = number

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop and save if any rank was asked to."""
        asked = self._asked
        if args.world_size > 1:
            flag = torch.tensor([asked], device=args.device)
            torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
            asked = int(flag.item())
        if asked:
            self.exit_code = EXIT_INTERRUPTED if asked == signal.SIGINT else EXIT_TERMINATED
            if state.is_world_process_zero:
                log.warning("asked to stop: saving at step %d", state.global_step)
            control.should_save = True
            control.should_training_stop = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Give the signals back."""
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
