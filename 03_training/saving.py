"""How a checkpoint comes and goes: written aside, committed by one rename, deleted by another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from chapbook import artifact, checkpoint
from chapbook.errors import ChapbookError

# Where a checkpoint is written before it is one; a name that nobody takes for a checkpoint.
STAGING = ".saving"
# What a checkpoint is called while it is deleted.
DELETED = ".deleted-"
# A save needs this much more than the last one took: the log in trainer_state.json grows.
MARGIN = 1.1


def check_disk(run: Path, estimate: int) -> None:
    """Raise ChapbookError when the disk has less room than the next checkpoint needs.

    estimate: bytes of a checkpoint when there is none yet to go by.
    """
    newest = checkpoint.newest(run)
    size = sum(entry["size"] for entry in newest.manifest.files) if newest and newest.manifest else estimate
    needed, free = int(size * MARGIN), shutil.disk_usage(run).free
    if free < needed:
        raise ChapbookError(
            f"The disk of {run} has {free / 1e9:.2f} GB free, and the next checkpoint needs {needed / 1e9:.2f} GB: "
            f"training stops here. Last complete checkpoint: {newest.path if newest else 'none'}. Free some room "
            "(training.save_total_limit says how many are kept) and start the same command again."
        )


def commit(written: Path, directory: Path, recipe: artifact.Recipe, counts: dict[str, object]) -> artifact.Manifest:
    """Make the folder `written` the checkpoint `directory`: sync, manifest, and one rename by which it exists."""
    manifest = artifact.write_manifest(written, recipe, counts)
    if directory.exists():
        checkpoint.set_aside(checkpoint.inspect(directory))
    written.rename(directory)
    written.parent.rmdir()
    artifact.sync_directory(directory.parent)
    return manifest


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
            # One rename ends it: half a deletion must not look like a checkpoint.
            doomed = found.path.with_name(f"{DELETED}{found.name}-{os.getpid()}")
            found.path.rename(doomed)
            shutil.rmtree(doomed)
            complete = [other for other in complete if other.name != found.name]
