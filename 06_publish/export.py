"""Make the folder that is published: the best checkpoint, checked, with its card and its lineage.

    python 06_publish/export.py --config configs/demo.yaml

In: `checkpoints/<run>/`, and `evaluations/` and `generations/` of that checkpoint where they exist.
Out: `exports/<run>/`. It is there only if stock transformers, in a process of its own, loads it and gives
the same logits as the checkpoint.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from model_card import derive_licence, model_card

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig
from chapbook.errors import ArtifactError, ChapbookError
from chapbook.log import log, table
from chapbook.script import ScriptParser, run_script
from chapbook.tokenizer import TOKENIZER_FILES
from chapbook.workspace import Workspace

FORMAT_VERSION = 1
# safetensors writes its files readable for the owner alone; what is published is for everybody.
READABLE = 0o644


def export(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Make and verify the export; returns its counts. Raises ArtifactError without a complete checkpoint."""
    found = checkpoint.find(workspace.checkpoints(config.name), arguments.checkpoint or config.evaluation.checkpoint)
    assert found.manifest is not None
    corpus = checkpoint.corpus_of(found, workspace.corpus(config.corpus.name))
    inputs = {"weights": found.weights_hash, "checkpoint": found.manifest.fingerprint, "corpus": corpus.fingerprint}
    measured = _results(workspace.evaluation(config.name, found.name), "results.json", inputs, "evaluation")
    samples = _results(workspace.generation(config.name, found.name), "samples.json", inputs, "generation")
    recipe = artifact.Recipe(
        kind="export",
        format_version=FORMAT_VERSION,
        config={"run": config.name, **config.publish.model_dump(), "generation": config.generation.model_dump()},
        inputs=inputs,
    )

    def build(path: Path) -> dict[str, Any]:
        if found.manifest and (damage := artifact.damage(found.path, found.manifest, hashes=True)):
            raise ArtifactError(f"{found.path} is damaged and cannot be published: {'; '.join(damage)}.")
        licence = config.publish.licence or derive_licence(corpus.counts["by_licence"])
        _copy_model(found.path, path, config)
        facts = {
            "run": config.name,
            "model": json.loads((path / "config.json").read_text("utf-8")),
            "checkpoint": found.manifest.counts if found.manifest else {},
            "corpus": corpus.counts,
            "evaluation": measured,
            "samples": samples,
            "config": config.model_dump(exclude={"corpus": {"sources": {"__all__": {"paths"}}}}),
            "inputs": inputs,
            "versions": artifact.environment()[0],
            "git_commit": artifact.environment()[1],
        }
        (path / "training_manifest.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
        (path / "README.md").write_text(model_card(config, facts, licence), "utf-8")
        difference = verify(found.path, path)
        for file in path.iterdir():
            file.chmod(READABLE)
        return {
            "checkpoint": found.name,
            "licence": licence,
            "parameters": found.manifest.counts["parameters"] if found.manifest else 0,
            "largest_logit_difference": difference,
        }

    directory = workspace.export(config.name)
    manifest, reused = artifact.ensure(directory, recipe, build)
    rows = [(entry["path"], f"{entry['size']:,}") for entry in manifest.files]
    log.info(table(f"Exported{' (reused)' if reused else ''}: {directory}", ("file", "bytes"), rows))
    return {
        "stage": "export",
        "path": str(directory),
        "reused": reused,
        "fingerprint": manifest.fingerprint,
        **manifest.counts,
    }


def _results(directory: Path, name: str, inputs: dict[str, str], kind: str) -> Any:
    """What an earlier stage found about exactly these weights, or None; its fingerprint joins `inputs`."""
    manifest = artifact.read_manifest(directory)
    if manifest is None or manifest.inputs.get("weights") != inputs["weights"]:
        log.warning("there is no %s of this checkpoint: the card will say so", kind)
        return None
    inputs[kind] = manifest.fingerprint
    return json.loads((directory / name).read_text("utf-8"))


def _copy_model(source: Path, destination: Path, config: RunConfig) -> None:
    for name in (checkpoint.WEIGHTS, "config.json", *TOKENIZER_FILES):
        if (source / name).is_file():
            shutil.copyfile(source / name, destination / name)
    described = json.loads((source / "config.json").read_text("utf-8"))
    # Servers ignore the temperature without do_sample, and overrun the context without a length.
    settings = {
        "bos_token_id": described["bos_token_id"],
        "eos_token_id": described["eos_token_id"],
        "pad_token_id": described["eos_token_id"],
        "do_sample": config.generation.temperature > 0,
        "temperature": config.generation.temperature or 1.0,
        "top_k": config.generation.top_k,
        "top_p": config.generation.top_p,
        "repetition_penalty": config.generation.repetition_penalty,
        "max_new_tokens": min(config.generation.max_new_tokens, config.pretokenize.max_length // 2),
    }
    (destination / "generation_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def verify(source: Path, exported: Path) -> float:
    """Load both folders with stock transformers in a process of its own; returns the largest logit difference.

    Raises ChapbookError when the export does not load, has other ids, or gives other logits than the checkpoint.
    """
    script = Path(__file__).with_name("verify_export.py")
    done = subprocess.run(
        [sys.executable, str(script), str(source), str(exported)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ChapbookError(f"The export does not stand the check with stock transformers: {reason}")
    return float(done.stdout.strip().splitlines()[-1])


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Make and verify the folder that is published.")
    parser.add_argument(
        "--checkpoint", metavar="NAME", help="best, latest, a name or a path (default: evaluation.checkpoint)"
    )
    return run_script(export, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
