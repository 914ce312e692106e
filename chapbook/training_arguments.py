"""The `training` section: transformers.TrainingArguments, field for field, and a few fields of our own."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import io
import tempfile
import typing
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from transformers import TrainingArguments

from chapbook.errors import ConfigError

# What Chapbook decides otherwise than TrainingArguments, because pretraining from scratch needs it.
DEFAULTS: dict[str, Any] = {
    # The schedule and the optimiser of GPT-2 pretraining as the guides have it (decay to a tenth).
    "lr_scheduler_type": "cosine_with_min_lr",
    "learning_rate": 3e-4,
    "adam_beta2": 0.95,
    "weight_decay": 0.1,
    "seed": 42,
    "eval_strategy": "steps",
    "save_strategy": "steps",
    "save_total_limit": 5,
    "metric_for_best_model": "eval_loss",
    "greater_is_better": False,
    "logging_strategy": "steps",
    "logging_first_step": True,
    "report_to": ["tensorboard"],
    # The default hides NaN losses from the log, and costs a host sync per micro-batch to do it.
    "logging_nan_inf_filter": False,
    "remove_unused_columns": False,
    "prediction_loss_only": True,
    # Blocks have one length; a smaller last batch would only force a second set of kernels.
    "dataloader_drop_last": True,
    # A language model uses all of its parameters; looking for others costs a walk over the graph in every step.
    "ddp_find_unused_parameters": False,
}

# Fields that Chapbook sets itself, with the way to say the same.
OURS = {
    "output_dir": "the workspace decides; set CHAPBOOK_WORKSPACE or the run's name",
    "resume_from_checkpoint": "give --resume_from_checkpoint on the command line",
    "hub_token": "set HF_TOKEN in the environment: tokens never belong into a file",
}

# transformers 4 names that 5 dropped: what to write instead.
RENAMED = {
    "warmup_ratio": "warmup_steps (a value below 1 is a share of all steps)",
    "no_cuda": "use_cpu",
    "evaluation_strategy": "eval_strategy",
    "group_by_length": "train_sampling_strategy: group_by_length",
    "save_safetensors": "nothing: safetensors is the only format",
    "overwrite_output_dir": "--fresh on the command line",
    "logging_dir": "nothing: logs lie in the workspace's runs/<name>",
    "tokenizer": "the tokenizer section",
}


@dataclasses.dataclass
class RunArguments(TrainingArguments):
    """TrainingArguments with the fields that Chapbook adds."""

    allow_cpu: bool = dataclasses.field(
        default=False, metadata={"help": "Train on the CPU when there is no GPU; otherwise that is an error."}
    )
    precision: Literal["auto", "bf16", "fp16", "fp32"] = dataclasses.field(
        default="auto", metadata={"help": "auto: bf16 on a GPU that has it, else fp16 on a GPU, else fp32."}
    )
    global_batch_size: int | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Blocks in one optimisation step over all ranks. Default: per device x accumulation x ranks at "
            "the run's first start; what is not given of these follows from it, on any number of ranks."
        },
    )
    nonfinite_patience: int = dataclasses.field(
        default=3,
        metadata={"help": "Stop after this many steps in a row whose gradient is not finite; they change no weights."},
    )
    nonfinite_action: Literal["stop", "roll_back"] = dataclasses.field(
        default="stop",
        metadata={"help": "roll_back: do not stop; go back to the last checkpoint and leave their batches out."},
    )
    early_stopping_patience: int | None = dataclasses.field(
        default=None, metadata={"help": "Stop after this many evaluations without a better one. Default: never."}
    )
    muon: bool = dataclasses.field(init=False, default=False, metadata={"help": "Whether `optim` says muon."})
    max_eval_samples: int | None = dataclasses.field(
        default=3_000, metadata={"help": "Blocks of held-back text in an evaluation, taken evenly from all."}
    )

    def __post_init__(self) -> None:
        """Take in the optimisers that Trainer has no name for."""
        asked: Any = self.optim  # type: ignore[has-type]
        self.muon = asked == "muon"
        if asked in ("muon", "adamw"):
            self.optim = "adamw_torch_fused"
        super().__post_init__()


@functools.cache
def _types() -> dict[str, Any]:
    hints = typing.get_type_hints(RunArguments)
    return {field.name: hints[field.name] for field in dataclasses.fields(RunArguments) if field.init}


def _coerce(training: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    problems = []
    for name, value in training.items():
        key = f"training.{name}"
        if name in OURS:
            problems.append(f"{key}: is not set here ({OURS[name]})")
        elif name in RENAMED:
            problems.append(f"{key}: is no TrainingArguments field any more; use {RENAMED[name]}")
        elif name not in _types():
            close = difflib.get_close_matches(name, _types(), n=1)
            hint = f"did you mean {close[0]}?" if close else "see transformers.TrainingArguments"
            problems.append(f"{key}: there is no such key ({hint})")
        else:
            try:
                values[name] = TypeAdapter(_types()[name]).validate_python(value)
            except ValidationError as error:
                message = error.errors()[0]["msg"].removeprefix("Input ")
                problems.append(f"{key} = {value!r}: {message}")
    return values, problems


def problems(training: dict[str, Any], *, construct: bool = False) -> list[str]:
    """Everything that is wrong with a `training` section, one line each.

    construct: also find fields that contradict each other, by making TrainingArguments of them. That sets up
    devices and, under torchrun, waits for the other ranks, so the process that trains must not ask for it.
    """
    values, found = _coerce(training)
    for name, lowest in (("learning_rate", 0.0), ("max_grad_norm", 0.0), ("weight_decay", 0.0)):
        if isinstance(values.get(name), float) and values[name] < lowest:
            found.append(f"training.{name} = {values[name]!r}: must not be negative")
    for name in (
        *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"),
        *("global_batch_size", "nonfinite_patience"),
    ):
        if isinstance(values.get(name), int) and values[name] < 1:
            found.append(f"training.{name} = {values[name]!r}: must be at least 1")
    if values.get("max_steps", 1) < 1 and values["max_steps"] != -1:
        found.append(f"training.max_steps = {values['max_steps']!r}: must be at least 1 (or -1: by epochs)")
    if values.get("dataloader_num_workers", 0) < 0:
        found.append(f"training.dataloader_num_workers = {values['dataloader_num_workers']!r}: must not be negative")
    if found or not construct:
        return found
    # Fields that contradict each other are found by TrainingArguments itself.
    for device_dependent in ("bf16", "fp16", "tf32", "optim"):
        values.pop(device_dependent, None)
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            RunArguments(**(_defaults(values) | values | {"output_dir": folder, "use_cpu": True}))
    except (ValueError, TypeError) as error:
        return [f"training: {' '.join(str(error).split())}"]
    return []


def _defaults(values: dict[str, Any]) -> dict[str, Any]:
    """DEFAULTS, and those that depend on the section's own values."""
    defaults = dict(DEFAULTS)
    if values.get("lr_scheduler_type", DEFAULTS["lr_scheduler_type"]) == DEFAULTS["lr_scheduler_type"]:
        defaults["lr_scheduler_kwargs"] = {"min_lr_rate": 0.1}
    if values.get("early_stopping_patience"):
        # Otherwise a resumed run would count its patience from 0.
        defaults["restore_callback_states_from_checkpoint"] = True
    return defaults


def build(training: dict[str, Any], **settings: Any) -> RunArguments:
    """The arguments of a run: DEFAULTS, then the section, then what the caller decides.

    Raises ConfigError for values that contradict each other on this machine.
    """
    values, _ = _coerce(training)
    try:
        return RunArguments(**(_defaults(values) | values | settings))
    except ValueError as error:
        raise ConfigError([f"training: {' '.join(str(error).split())}"], "the training section") from error
