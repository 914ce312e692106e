"""Where everything a run makes lies: one directory, `CHAPBOOK_WORKSPACE`, by default `workspace/`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from chapbook.artifact import ROOT


@dataclass(frozen=True)
class Workspace:
    """The places of all artifacts below one root directory."""

    root: Path

    @classmethod
    def find(cls) -> Workspace:
        """The workspace named by `CHAPBOOK_WORKSPACE` (relative to the current folder), or the repository's own."""
        named = os.environ.get("CHAPBOOK_WORKSPACE")
        return cls(Path(named).absolute() if named else ROOT / "workspace")

    def downloads(self) -> Path:
        """What collect.py has fetched, kept so that it is fetched once; no artifact, may be deleted."""
        return self.root / "downloads"

    def raw(self, corpus: str) -> Path:
        """Raw documents, made by collect.py."""
        return self.root / "raw" / corpus

    def corpus(self, corpus: str) -> Path:
        """The cleaned corpus, made by clean.py."""
        return self.root / "corpora" / corpus

    def tokenizer(self, name: str) -> Path:
        """A tokenizer, made by train_tokenizer.py."""
        return self.root / "tokenizers" / name

    def pretokenized(self, name: str) -> Path:
        """Packed tokens, made by pretokenize.py."""
        return self.root / "pretokenized" / name

    def checkpoints(self, run: str) -> Path:
        """The checkpoints of a training run."""
        return self.root / "checkpoints" / run

    def evaluation(self, run: str, checkpoint: str) -> Path:
        """The evaluation of one checkpoint, made by run_evaluation.py."""
        return self.root / "evaluations" / run / checkpoint

    def generation(self, run: str, checkpoint: str) -> Path:
        """Samples from one checkpoint, made by generate.py."""
        return self.root / "generations" / run / checkpoint

    def export(self, run: str) -> Path:
        """The folder that is published, made by export.py."""
        return self.root / "exports" / run

    def logs(self, run: str) -> Path:
        """Logs, metrics and the resolved configuration of a run; no artifact."""
        return self.root / "runs" / run
