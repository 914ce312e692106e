"""Write text with a checkpoint of a run.

    python 05_inference/generate.py --config configs/demo.yaml --prompt "The baker of Cheapside"

In: `checkpoints/<run>/`. Out: the samples on stdout; without `--prompt` the configured samples, kept in
`generations/<run>/checkpoint-N/samples.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig
from chapbook.script import DEVICES, ScriptParser, run_script
from chapbook.workspace import Workspace

FORMAT_VERSION = 1


def generate(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Write the samples; returns them. Raises ArtifactError without a complete checkpoint."""
    wanted = arguments.checkpoint or config.evaluation.checkpoint
    found = checkpoint.find(workspace.checkpoints(config.name), wanted)
    settings = config.generation
    if arguments.prompt:
        from chapbook.generation import Writer, best_device

        writer = Writer(found.path, arguments.device or best_device())
        samples = [sample.as_dict() for sample in writer.write_all(arguments.prompt, settings)]
        result: dict[str, Any] = {"stage": "generate", "checkpoint": str(found.path), "samples": samples}
    else:
        result = _configured_samples(arguments, config, workspace, found)
    if not arguments.json:
        for sample in result["samples"]:
            print(f"--- {found.name}\n{sample['prompt']}{sample['text']}\n")
    return result


def _configured_samples(
    arguments: argparse.Namespace, config: RunConfig, workspace: Workspace, found: checkpoint.Checkpoint
) -> dict[str, Any]:
    recipe = artifact.Recipe(
        kind="generation",
        format_version=FORMAT_VERSION,
        config=config.generation.model_dump(),
        inputs={"weights": found.weights_hash},
    )

    def build(path: Path) -> dict[str, Any]:
        from chapbook.generation import Writer, best_device

        writer = Writer(found.path, arguments.device or best_device())
        samples = [sample.as_dict() for sample in writer.write_all(config.generation.prompts, config.generation)]
        (path / "samples.json").write_text(json.dumps(samples, indent=2, ensure_ascii=False) + "\n", "utf-8")
        return {"samples": len(samples), "tokens": sum(sample["tokens"] for sample in samples)}

    directory = workspace.generation(config.name, found.name)
    manifest, reused = artifact.ensure(directory, recipe, build)
    return {
        "stage": "generate",
        "path": str(directory),
        "reused": reused,
        "fingerprint": manifest.fingerprint,
        "checkpoint": str(found.path),
        "samples": json.loads((directory / "samples.json").read_text("utf-8")),
    }


FLAGS = (
    "--num_samples",
    "--max_new_tokens",
    "--temperature",
    "--top_k",
    "--top_p",
    "--repetition_penalty",
    "--seed",
)


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Write text with a checkpoint of a run.", short_flags=FLAGS)
    parser.add_argument(
        "--checkpoint", metavar="NAME", help="best, latest, a name or a path (default: evaluation.checkpoint)"
    )
    parser.add_argument(
        "--prompt", action="append", metavar="TEXT", help="go on from this text; can be given several times"
    )
    parser.add_argument("--device", choices=DEVICES, help="default: the GPU when there is one")
    return run_script(generate, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
