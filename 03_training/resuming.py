"""Where a run goes on: which checkpoint is whole, whether it belongs to this run, and what gets out of the way."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from recipe import without_step
from saving import DELETED, STAGING

from chapbook import artifact, checkpoint
from chapbook.errors import ArtifactError
from chapbook.log import log

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def clear_remains(run: Path) -> None:
    """Delete what a kill left of a save or of a deletion; neither was a checkpoint any more or yet."""
    for remains in (run / STAGING, *run.glob(f"{DELETED}*")):
        if remains.exists():
            if remains.name == STAGING:
                log.warning("a save was cut off before it was whole; its remains are deleted")
            shutil.rmtree(remains)


def newest_whole(run: Path) -> checkpoint.Checkpoint | None:
    """The newest checkpoint whose files are all as they were written; those that are torn go to `set_aside/`.

    Raises ArtifactError when there were checkpoints and none of them is whole: beginning anew must be said.
    """
    torn: list[checkpoint.Checkpoint] = []
    whole: checkpoint.Checkpoint | None = None
    for found in reversed(checkpoint.list_checkpoints(run)):
        checked = checkpoint.verify(found)
        if checked.problem is None:
            whole = checked
            break
        torn.append(checked)
    if whole is None:
        if torn:
            listed = "; ".join(f"{found.name}: {found.problem}" for found in torn)
            raise ArtifactError(
                f"No checkpoint in {run} is complete ({listed}). Restore one, or begin again at step 0 with --fresh, "
                "which moves all of this aside and deletes nothing."
            )
        if (run / checkpoint.SET_ASIDE).is_dir():
            raise ArtifactError(
                f"There is no checkpoint in {run} any more, but some were set aside in {run / checkpoint.SET_ASIDE}. "
                "Move one back, or begin again at step 0 with --fresh."
            )
        return None
    for found in torn:
        place = checkpoint.set_aside(found)
        log.warning(
            "%s is no complete checkpoint: %s. It is skipped and now lies in %s", found.name, found.problem, place
        )
    return whole


def named(run: Path, wanted: str) -> checkpoint.Checkpoint:
    """The checkpoint that a person named. Raises ArtifactError, with those that would work, when it is not whole."""
    found = checkpoint.verify(checkpoint.find(run, wanted))
    if found.problem is None:
        return found
    others = [checkpoint.verify(other) for other in checkpoint.list_checkpoints(run) if other.path != found.path]
    names = [other.name for other in others if other.problem is None]
    raise ArtifactError(
        f"{found.path} is no complete checkpoint: {found.problem}. "
        + (f"These would work: {', '.join(names)}." if names else "No other one is complete either.")
    )


def go_back_to(resume: checkpoint.Checkpoint, run: Path) -> None:
    """Set aside the checkpoints after `resume`: from here on the run takes another way."""
    if resume.path.parent != run:
        return
    # The newest first: whenever this is cut off, what remains is one line of checkpoints.
    for found in reversed(checkpoint.list_checkpoints(run)):
        if found.step > resume.step:
            place = checkpoint.set_aside(found)
            log.warning("going back to %s: %s now lies in %s", resume.name, found.name, place)


def check_compatible(resume: checkpoint.Checkpoint, recipe: artifact.Recipe, allowed: Collection[str]) -> list[str]:
    """Compare a checkpoint with the run; returns the differences that were allowed.

    allowed: keys whose change is meant, as the refusal names them. Raises ArtifactError for every other difference.
    """
    assert resume.manifest is not None
    differences = {_key(line): line for line in recipe.differences(without_step(resume.manifest))}
    refused = [key for key in differences if key not in allowed]
    if refused:
        raise ArtifactError(
            f"{resume.path} was made with other settings than are asked for now: "
            f"{'; '.join(differences[key] for key in refused)}. If you mean this change, add: "
            f"{' '.join(f'--allow_changed {key}' for key in refused)}. Otherwise start anew with --fresh, or give the "
            "run another name."
        )
    return [differences[key] for key in differences]


def check_weights(resume: checkpoint.Checkpoint, model: PreTrainedModel) -> None:
    """Raise ArtifactError when the weights of a checkpoint are not those of `model`; Trainer loads what fits."""
    from safetensors import safe_open

    wanted = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    found: dict[str, list[int]] = {}
    for path in resume.path.glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            found |= {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    # Tied weights are saved once.
    missing = [name for name, _ in model.named_parameters() if name not in found]
    other = [name for name, shape in found.items() if wanted.get(name) != shape]
    if missing or other:
        name = (missing + other)[0]
        raise ArtifactError(
            f"The weights in {resume.path} are of another model: {name} is {found.get(name, 'missing')} there, and "
            f"{wanted.get(name, 'absent')} here ({len(missing + other)} such). A change of the shape cannot be allowed."
        )


def _key(difference: str) -> str:
    return difference.split(":", maxsplit=1)[0].removeprefix("input ")
