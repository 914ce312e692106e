"""What a training run is made from: the recipe that its checkpoints' fingerprints come from."""

from __future__ import annotations

from typing import Any

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig

FORMAT_VERSION = 1

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
)
_NOT_SHAPING = {
    "use_cpu",
    "allow_cpu",
    "disable_tqdm",
    "run_name",
    "project",
    "trackio_space_id",
    "dataloader_persistent_workers",
}


def run_recipe(config: RunConfig, tokens: artifact.Recipe) -> artifact.Recipe:
    """The recipe of a run's checkpoints, the step left out; `tokens` is that of its pretokenized data."""
    return artifact.Recipe(
        kind=checkpoint.KIND,
        format_version=FORMAT_VERSION,
        config={"model": config.model, "training": shaping(config.training)},
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
    return {
        name: value
        for name, value in training.items()
        if name not in _NOT_SHAPING and not name.startswith(_NOT_SHAPING_PREFIXES)
    }
