"""Checkpoints of a training run: which are complete, which one is meant, what is in it.

A checkpoint is a stock Trainer folder `checkpoint-N` with the tokenizer and, written last, a manifest.
Without a whole manifest it does not count.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from chapbook import artifact
from chapbook.errors import ArtifactError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

KIND = "checkpoint"
# Where checkpoints of a run go that are not to be used: torn ones, and later ones when a run goes back.
SET_ASIDE = "set_aside"
WEIGHTS = "model.safetensors"
_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint folder: its step, and what is wrong with it (nothing: it is complete)."""

    path: Path
    step: int
    manifest: artifact.Manifest | None
    problem: str | None

    @property
    def name(self) -> str:
        """The folder's name, `checkpoint-N`."""
        return self.path.name

    @property
    def weights_hash(self) -> str:
        """The hash of the weights: what an evaluation or export of this checkpoint depends on."""
        assert self.manifest is not None
        return next(entry["sha256"][:32] for entry in self.manifest.files if entry["path"] == WEIGHTS)


def inspect(path: Path) -> Checkpoint:
    """Look at one folder: is it a complete checkpoint? Checks the sizes of all files, not their hashes."""
    match = _NAME.fullmatch(path.name)
    step = int(match[1]) if match else 0
    try:
        manifest = artifact.read_manifest(path)
    except ArtifactError as error:
        return Checkpoint(path, step, None, str(error))
    if manifest is None:
        return Checkpoint(path, step, None, "it was never finished (no manifest.json)")
    if manifest.kind != KIND:
        return Checkpoint(path, step, None, f"it is a {manifest.kind}, not a checkpoint")
    problems = artifact.damage(path, manifest)
    return Checkpoint(path, manifest.counts["step"], manifest, "; ".join(problems) or None)


def verify(found: Checkpoint) -> Checkpoint:
    """The same checkpoint after its files were compared with their hashes: reads all of it, at about 2 GB/s a core."""
    if found.problem is not None or found.manifest is None:
        return found
    return replace(found, problem="; ".join(artifact.damage(found.path, found.manifest, hashes=True)) or None)


def set_aside(found: Checkpoint) -> Path:
    """Move a checkpoint out of its run's way, into `set_aside/` under the first free number; returns the new place."""
    folder = found.path.parent / SET_ASIDE
    folder.mkdir(exist_ok=True)
    number = 1
    while (place := folder / f"{found.name}.{number}").exists():
        number += 1
    found.path.rename(place)
    return place


def list_checkpoints(run: Path) -> list[Checkpoint]:
    """All `checkpoint-N` folders of a run, by step, complete or not."""
    if not run.is_dir():
        return []
    found = [inspect(path) for path in run.iterdir() if path.is_dir() and _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def newest(run: Path) -> Checkpoint | None:
    """The newest complete checkpoint of a run, or None."""
    return next((c for c in reversed(list_checkpoints(run)) if c.problem is None), None)


def best(checkpoints: list[Checkpoint]) -> Checkpoint | None:
    """The complete checkpoint with the lowest loss on held-back text; None when none was evaluated."""
    evaluated = [
        (c.manifest.counts["eval_loss"], c.step, c)
        for c in checkpoints
        if c.problem is None and c.manifest is not None and math.isfinite(c.manifest.counts["eval_loss"] or math.nan)
    ]
    return min(evaluated, key=lambda entry: entry[:2])[2] if evaluated else None


def find(run: Path, wanted: str = "latest") -> Checkpoint:
    """The checkpoint a person means: `latest`, `best`, a name such as `checkpoint-500`, or a path.

    A relative path is looked up in the run, then from the current folder. Raises ArtifactError with the
    list of those that would work when it is missing or torn.
    """
    if wanted == "latest":
        if (found := newest(run)) is not None:
            return found
        raise ArtifactError(f"There is no complete checkpoint in {run}. {choices(run)}")
    if wanted == "best":
        return best(list_checkpoints(run)) or find(run, "latest")
    for path in (run / wanted, Path(wanted).absolute()):
        if path.is_dir():
            found = inspect(path)
            if found.problem is None:
                return found
            raise ArtifactError(f"{path} is no complete checkpoint: {found.problem}. {choices(run)}")
    raise ArtifactError(f"There is no checkpoint {wanted}, neither in {run} nor from here. {choices(run)}")


def choices(run: Path) -> str:
    """A sentence that names the complete checkpoints of a run."""
    names = [checkpoint.name for checkpoint in list_checkpoints(run) if checkpoint.problem is None]
    return (
        f"These would work: {', '.join(names)}." if names else "Train one first, or name another run's with --config."
    )


def corpus_of(found: Checkpoint, corpus: Path) -> artifact.Manifest:
    """The manifest of the corpus at `corpus`, which must be the one the checkpoint was trained on.

    Raises ArtifactError when there is none or when it is another one: its held-back text may have been trained
    on, and its sources are not the model's.
    """
    manifest = artifact.require(corpus, "corpus", "Make it with: python -m chapbook run --config FILE --until clean.")
    assert found.manifest is not None
    trained_on = found.manifest.inputs.get("corpus")
    if trained_on is None:
        raise ArtifactError(
            f"{found.path} was trained on token files, not on a corpus: nothing says which text is held back from it, "
            "and which sources it has."
        )
    if manifest.fingerprint != trained_on:
        raise ArtifactError(
            f"{found.path} was trained on another corpus (fingerprint {trained_on}) than the one now at {corpus} "
            f"({manifest.fingerprint}). Clean with the settings it was trained with, or train anew."
        )
    return manifest


def load_model(path: Path, device: str = "cpu") -> PreTrainedModel:
    """The model of a checkpoint in fp32, in evaluation mode, on `device`. Never goes online.

    Raises ArtifactError when the weights do not load or do not fit the tokenizer beside them.
    """
    from transformers import AutoModelForCausalLM

    from chapbook.tokenizer import load_tokenizer

    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(path, local_files_only=True, use_safetensors=True)
    except Exception as error:  # transformers and safetensors raise a dozen kinds for a broken folder
        raise ArtifactError(f"The model in {path} does not load: {error}") from error
    vocabulary = load_tokenizer(path).get_vocab_size()
    if model.config.vocab_size < vocabulary:
        raise ArtifactError(
            f"{path} does not fit together: the model knows {model.config.vocab_size:,} tokens, "
            f"its tokenizer has {vocabulary:,}."
        )
    model.eval()
    return model.to(device)  # type: ignore[arg-type]
