"""Look at a checkpoint while training goes on: list them, or let one write.

python 03_training/test_checkpoint.py                        # the newest of all runs writes a few lines
python 03_training/test_checkpoint.py --list-checkpoints
python 03_training/test_checkpoint.py --checkpoint-path checkpoint-500 --prompt "The Lord Mayor"
python 03_training/test_checkpoint.py --interactive
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from chapbook import checkpoint
from chapbook.config import GenerationConfig, check_config, load_config, parse_value
from chapbook.errors import ArtifactError, UsageError
from chapbook.log import log, table
from chapbook.script import DEVICES, Parsed, ScriptParser, run_guarded
from chapbook.workspace import Workspace

FLAGS = ("--num_samples", "--max_new_tokens", "--temperature", "--top_k", "--top_p", "--repetition_penalty", "--seed")
PROMPTS = ("", "The ", "It was ")
HELP = (
    "Write the beginning of a text and press Enter. "
    "/set temperature=0.9 changes a setting, /config shows all, /quit ends."
)


def parser() -> ScriptParser:
    """The command line."""
    result = ScriptParser("List a run's checkpoints, or let one write.", config=None, short_flags=FLAGS)
    result.add_argument("--run", metavar="NAME", help="look at this run only (default: all, or that of --config)")
    result.add_argument(
        "--checkpoint_path", "--checkpoint", metavar="NAME", default="latest", help="latest, best, a name or a path"
    )
    result.add_argument("--list_checkpoints", action="store_true", help="list them and end")
    result.add_argument("--interactive", action="store_true", help="go on from what you type")
    result.add_argument("--prompt", action="append", metavar="TEXT", help="go on from this; can be given several times")
    result.add_argument("--device", default="cpu", choices=DEVICES, help="default: cpu, which disturbs no training")
    return result


def test_checkpoint(parsed: Parsed) -> dict[str, Any]:
    """List, write or talk, as asked. Raises ArtifactError when there is no such checkpoint."""
    arguments = parsed.arguments
    workspace = Workspace.find()
    config = load_config(arguments.config) if arguments.config else None
    name = arguments.run or (config.name if config else None)
    runs = [workspace.checkpoints(name)] if name else sorted((workspace.root / "checkpoints").glob("*/"))
    if arguments.list_checkpoints:
        return _list(runs)
    found = _find(runs, arguments.checkpoint_path)
    overrides = {key.removeprefix("generation."): value for key, value in parsed.overrides.items()}
    configured = config.generation.model_dump(exclude={"prompts"}) if config else {"max_new_tokens": 60}
    settings = _settings({**configured, **overrides})

    from chapbook.generation import Writer

    writer = Writer(found.path, arguments.device)
    counts = found.manifest.counts if found.manifest else {}
    loss = "" if counts.get("eval_loss") is None else f", eval loss {counts['eval_loss']:.4f}"
    log.info("%s: step %s of %s%s", found.path, counts.get("step"), counts.get("max_steps"), loss)
    if arguments.interactive:
        _interact(writer, settings)
        return {"checkpoint": str(found.path)}
    samples = writer.write_all(arguments.prompt or PROMPTS, settings)
    if not arguments.json:
        for sample in samples:
            print(f"---\n{sample.prompt}{sample.text}")
    return {"checkpoint": str(found.path), "samples": [sample.as_dict() for sample in samples]}


def _settings(values: dict[str, Any]) -> GenerationConfig:
    content = {"name": "test", "corpus": {"name": "test", "sources": [{"kind": "sample"}]}, "generation": values}
    return check_config(content, "the command line").generation


def _list(runs: list[Path]) -> dict[str, Any]:
    found = [(run.name, entry) for run in runs for entry in checkpoint.list_checkpoints(run)]
    rows = []
    for run, entry in found:
        counts = entry.manifest.counts if entry.manifest else {}
        loss = counts.get("eval_loss")
        rows.append((run, entry.name, "-" if loss is None else f"{loss:.4f}", entry.problem or "complete"))
    print(
        table("Checkpoints", ("run", "name", "eval loss", "state"), rows) if rows else "There are no checkpoints yet."
    )
    return {"checkpoints": [{"run": run, "name": entry.name, "problem": entry.problem} for run, entry in found]}


def _find(runs: list[Path], wanted: str) -> checkpoint.Checkpoint:
    """The checkpoint that is meant; of several runs, in the one that saved last among those that have it."""
    if wanted == "latest":
        newest = [entry for run in runs if (entry := checkpoint.newest(run)) is not None]
        if not newest:
            raise ArtifactError(
                f"There is no complete checkpoint in {', '.join(map(str, runs)) or 'this workspace'} yet."
            )
        return max(newest, key=lambda entry: (entry.path / "manifest.json").stat().st_mtime)
    having = [run for run in runs if (run / wanted).is_dir()] or [run for run in runs if checkpoint.newest(run)]
    having.sort(key=lambda run: run.stat().st_mtime)
    return checkpoint.find((having or runs or [Path()])[-1], wanted)


def _interact(writer: Any, settings: GenerationConfig) -> None:
    print(HELP)
    while True:
        try:
            line = input("> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        word = line.strip().removeprefix("/")
        if word in ("quit", "exit", "q"):
            return
        if word == "help":
            print(HELP)
        elif word in ("config", "status"):
            print("\n".join(f"{key} = {value}" for key, value in settings.model_dump(exclude={"prompts"}).items()))
        elif line.startswith("/set "):
            settings = _changed(settings, line.removeprefix("/set ").strip())
        elif line.startswith("/"):
            print(f"There is no {line.split()[0]}. {HELP}")
        elif line:
            for sample in writer.write(line, settings):
                print(line + sample.text)


def _changed(settings: GenerationConfig, assignment: str) -> GenerationConfig:
    key, _, value = assignment.partition("=")
    try:
        return _settings({**settings.model_dump(), key.strip(): parse_value(value.strip())})
    except UsageError as error:
        print(error)
        return settings


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    return run_guarded(test_checkpoint, parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
