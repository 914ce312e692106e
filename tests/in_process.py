"""A script's `main` called in this process: seconds saved where several calls need torch and transformers."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from support import Run

from chapbook.log import log


@dataclass(frozen=True)
class Ended:
    """How a call ended: its exit code, the JSON document it printed (empty when it failed), its log."""

    code: int
    result: dict[str, Any]
    log: str


def call(main: Callable[[list[str]], int], run: Run, *flags: object) -> Ended:
    """`main` with the run's config and workspace, one thread, and `--json`."""
    import torch

    torch.set_num_threads(1)
    output, errors = io.StringIO(), io.StringIO()
    words = ["--config", str(run.config), "--json", *map(str, flags)]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), _workspace(run):
        code = main(words)
    lines = output.getvalue().strip().splitlines()
    return Ended(code, json.loads(lines[-1]) if lines and code == 0 else {}, errors.getvalue())


@contextlib.contextmanager
def _workspace(run: Run) -> Iterator[None]:
    before = os.environ.get("CHAPBOOK_WORKSPACE")
    os.environ["CHAPBOOK_WORKSPACE"] = str(run.workspace)
    try:
        yield
    finally:
        del os.environ["CHAPBOOK_WORKSPACE"]
        if before is not None:
            os.environ["CHAPBOOK_WORKSPACE"] = before
        # They write to what was stderr during the call.
        log.handlers.clear()
