"""What a training run is made from: the recipe that its checkpoints' fingerprints come from."""

from __future__ import annotations

from typing import Any

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig

# 2: the order of the samples does not depend on the number of ranks; the batch is that of all ranks together.
FORMAT_VERSION = 2

# Fields that change where, when or how something is shown or saved, never what is learnt.
_NOT_SHAPING_PREFIXES = (
    "logging_",
    "save_",
    "hub_",
    "push_",
    "report_",
    "log_",
    "ddp_",
    "dataloader_num",
    "dataloader_p",
    "nonfinite_",
)
_NOT_SHAPING = {
    "use_cpu",
    "allow_cpu",
    "disable_tqdm",
    "run_name",
    "project",
    "trackio_space_id",
    "dataloader_persistent_workers",
    "per_device_eval_batch_size",
    # Only ways to compute the global batch.
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
}
# An evaluation leaves no trace in what is learnt, unless its result may end the run.
_SHAPING_EARLY_STOPPING = {"eval_strategy", "eval_steps", "eval_delay", "max_eval_samples"}


def run_recipe(config: RunConfig, tokens: artifact.Recipe, global_batch: int) -> artifact.Recipe:
    """The recipe of a run's checkpoints, the step left out.

    tokens: the recipe of its pretokenized data. global_batch: blocks in one step over all ranks.
    """
    training = shaping(config.training) | {"global_batch_size": global_batch}
    return artifact.Recipe(
        kind=checkpoint.KIND,
        format_version=FORMAT_VERSION,
        config={"model": config.model, "training": training},
        inputs={"tokens": tokens.fingerprint, **tokens.inputs},
    )


def without_step(manifest: artifact.Manifest) -> artifact.Recipe:
    """The recipe of the run that a checkpoint belongs to."""
    config = {key: value for key, value in manifest.config.items() if key != "step"}
    return artifact.Recipe(
        kind=manifest.kind, format_version=manifest.format_version, config=config, inputs=manifest.inputs
    )


def shaping(training: dict[str, Any]) -> dict[str, Any]:
    """The part of the section that shapes what is learnt: what a checkpoint's fingerprint depends on."""
    left_out = set(_NOT_SHAPING)
    if not training.get("early_stopping_patience"):
        left_out |= _SHAPING_EARLY_STOPPING
    return {
        name: value
        for name, value in training.items()
        if name not in left_out and not name.startswith(_NOT_SHAPING_PREFIXES)
    }


def global_batch_of(manifest: artifact.Manifest) -> int | None:
    """The global batch that a checkpoint's run started with; None for those of format 1."""
    batch: int | None = manifest.config.get("training", {}).get("global_batch_size")
    return batch
