"""What several tests need: start a script as a person would, and a run small enough for seconds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "corpus"

TINY: dict[str, Any] = {
    "name": "tiny",
    "corpus": {
        "name": "tiny",
        "sources": [{"kind": "sample", "seed": 7, "bytes": 150_000, "dirt": {"boilerplate": 0.05, "duplicate": 0.05}}],
        "validation_share": 0.1,
    },
    "tokenizer": {"vocab_size": 400},
    "pretokenize": {"max_length": 32},
    # Dropout is on: a resumed run must restore the random state too.
    "model": {"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 32},
    "training": {
        "allow_cpu": True,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 16,
        "max_steps": 8,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "logging_steps": 1,
        "eval_steps": 4,
        "save_steps": 4,
        "report_to": [],
    },
    "evaluation": {"max_documents": 10},
    "generation": {"prompts": ["", "The "], "max_new_tokens": 12},
}


def prose(characters: int, seed: int = 1) -> str:
    """Text of the sample generator, at least so long: varied enough that no filter takes it for a loop."""
    from random import Random

    from sources.sample_grammar import generate

    random, scenes, length = Random(seed), [], 0
    while length < characters:
        scenes.append(generate(random).text)
        length += len(scenes[-1]) + 2
    return "\n\n".join(scenes)


def environment(workspace: Path, **more: str) -> dict[str, str]:
    """The environment of a script: its own workspace, nothing online, one thread (results equal on any machine)."""
    return {
        **{
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("CHAPBOOK", "PYTEST", "RANK", "WORLD_SIZE", "LOCAL_"))
        },
        "CHAPBOOK_WORKSPACE": str(workspace),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        **more,
    }


def start(
    *words: object, workspace: Path, cwd: Path = ROOT, code: int | None = 0, timeout: float = 240, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run `python words…` and check its exit code (None: any)."""
    process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        env=environment(workspace, **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        # The ranks of a torchrun outlive it unless the whole group goes.
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        raise AssertionError(f"{words}: still running after {timeout} s\n{output}\n{errors}") from None
    done = subprocess.CompletedProcess(words, process.returncode, output, errors)
    if code is not None:
        assert done.returncode == code, f"{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON document on the last line of stdout."""
    document: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return document


def write_config(path: Path, **changes: Any) -> Path:
    """Write the tiny run as YAML; `training__max_steps=4` changes one key."""
    content = json.loads(json.dumps(TINY))
    for name, value in changes.items():
        *parents, last = name.split("__")
        place = content
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    # JSON is YAML in which every text is quoted.
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
    return path


@dataclass
class Run:
    """A config and its workspace."""

    config: Path
    workspace: Path

    def script(self, script: str, *flags: object, **settings: Any) -> subprocess.CompletedProcess[str]:
        """Start a stage's script with this run's config."""
        return start(ROOT / script, "--config", self.config, *flags, workspace=self.workspace, **settings)

    def train(self, *flags: object, **settings: Any) -> subprocess.CompletedProcess[str]:
        """Start the training script."""
        return self.script("03_training/train_model.py", *flags, **settings)

    def torchrun(self, ranks: int, *flags: object, **settings: Any) -> subprocess.CompletedProcess[str]:
        """Start the training script under torchrun."""
        return start(
            "-m",
            "torch.distributed.run",
            f"--nproc_per_node={ranks}",
            # A free port of its own, so that two tests never meet.
            "--standalone",
            ROOT / "03_training/train_model.py",
            "--config",
            self.config,
            *flags,
            workspace=self.workspace,
            **settings,
        )

    @property
    def checkpoints(self) -> Path:
        """The run's checkpoint folder."""
        return self.workspace / "checkpoints" / "tiny"

    def copy(self, to: Path, **changes: Any) -> Run:
        """The same run in a workspace of its own, with a changed config."""
        shutil.copytree(self.workspace, to / "workspace")
        return Run(write_config(to / "tiny.yaml", **changes), to / "workspace")

    def metrics(self) -> list[dict[str, Any]]:
        """The metrics log without what depends on the clock."""
        lines = (self.workspace / "runs" / "tiny" / "metrics.jsonl").read_text("utf-8").splitlines()
        timed = ("tokens_per_second", "dt_ms", "runtime", "per_second", "total_flos")
        return [
            {key: value for key, value in json.loads(line).items() if not key.endswith(timed) and key not in timed}
            for line in lines
        ]


def files_hash(directory: Path) -> str:
    """One hash over the names and contents of all files of a directory, its manifest left out."""
    import hashlib

    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file() and p.name != "manifest.json"):
        digest.update(path.relative_to(directory).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
