"""Uploads of committed checkpoints during training (`push_to_hub`, `hub_strategy`): beside it, never in its way."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import threading
import time
from pathlib import Path

from chapbook import artifact
from chapbook.log import log

# Where a checkpoint waits for its upload; its files are links, so that rotation cannot take them away.
OUTBOX = ".outbox"
# How long the end of a training waits for the last upload (seconds).
LAST_WAIT = 30.0
# What an optimiser needs to go on, and nobody who uses the model.
_TRAINING_STATE = ("optimizer.pt", "scheduler.pt", "scaler.pt", "trainer_state.json", "rng_state*")


class HubPushes:
    """A worker that uploads one checkpoint at a time, the newest first; what it cannot upload it says once.

    strategy: as TrainingArguments.hub_strategy. repository: `user/name`. private: of a repository that is made.
    """

    def __init__(self, run: Path, *, repository: str, strategy: str, private: bool | None) -> None:
        self.run, self.repository, self.strategy, self.private = run, repository, strategy, private
        self._waiting: queue.Queue[Path | None] = queue.Queue(maxsize=1)
        self._said: set[str] = set()
        shutil.rmtree(run / OUTBOX, ignore_errors=True)
        # A daemon: an upload that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name="hub-pushes", daemon=True)
        self._thread.start()

    def push(self, checkpoint: Path) -> None:
        """Have a committed checkpoint uploaded. Returns at once; one that still waits gives way to it."""
        copy = self.run / OUTBOX / checkpoint.name
        try:
            copy.mkdir(parents=True)
            for path in checkpoint.iterdir():
                os.link(path, copy / path.name)
        except OSError as error:
            self._say(f"{checkpoint.name} cannot be prepared for the upload: {error}")
            return
        while True:
            try:
                self._waiting.put_nowait(copy)
                return
            except queue.Full:
                self._drop()

    def finish(self) -> None:
        """Wait for the last upload, but not for ever."""
        deadline = time.monotonic() + LAST_WAIT
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=LAST_WAIT)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._say(f"the last upload was not done after {LAST_WAIT:.0f} s and is given up")

    def _drop(self) -> None:
        with contextlib.suppress(queue.Empty):
            if (old := self._waiting.get_nowait()) is not None:
                shutil.rmtree(old, ignore_errors=True)

    def _work(self) -> None:
        while (copy := self._waiting.get()) is not None:
            try:
                self._upload(copy)
            # The Hub client raises what httpx, requests, OpenSSL and its own code raise.
            except Exception as error:
                self._say(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}")
            shutil.rmtree(copy, ignore_errors=True)

    def _upload(self, copy: Path) -> None:
        from huggingface_hub import HfApi

        hub = HfApi()
        hub.create_repo(self.repository, private=self.private, exist_ok=True)
        message = f"Training in progress: {copy.name}"
        uploads: list[tuple[str | None, list[str]]] = [(None, [artifact.MANIFEST, *_TRAINING_STATE])]
        if self.strategy == "checkpoint":
            uploads.append(("last-checkpoint", []))
        elif self.strategy == "all_checkpoints":
            uploads.append((copy.name, []))
        for place, ignored in uploads:
            hub.upload_folder(
                repo_id=self.repository,
                folder_path=copy,
                path_in_repo=place,
                commit_message=message,
                ignore_patterns=ignored,
            )
        log.info("uploaded %s to %s", copy.name, self.repository)

    def _say(self, problem: str) -> None:
        if problem not in self._said:
            self._said.add(problem)
            log.warning("upload to the Hub: %s. The training goes on; the checkpoint is on this disk.", problem)
