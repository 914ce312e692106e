"""Fixtures: a tiny run, prepared once up to its tokens and once up to a trained model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faults.zygote import COMPILER, Zygote
from support import Run, start, write_config


@pytest.fixture(scope="session")
def tokens_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny run after `pretokenize`. Read only: copy it before changing anything."""
    folder = tmp_path_factory.mktemp("tokens")
    run = Run(write_config(folder / "tiny.yaml"), folder / "workspace")
    start("-m", "chapbook", "run", "--config", run.config, "--until", "pretokenize", workspace=run.workspace)
    return run


@pytest.fixture(scope="session")
def trained_run(tokens_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny run after 8 training steps, with checkpoints 4 and 8. Read only: copy it before changing anything."""
    run = tokens_run.copy(tmp_path_factory.mktemp("trained"))
    run.train()
    return run


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Starts trainings in a fraction of the time that a process of their own takes."""
    if COMPILER is None:
        pytest.skip("no C compiler for the library that kills at a file operation")
    with Zygote() as started:
        yield started
