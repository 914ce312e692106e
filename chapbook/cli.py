"""`python -m chapbook`: run the whole pipeline, see what there is, make the report of a run."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chapbook import artifact, inspection, plan
from chapbook.artifact import ROOT
from chapbook.config import RunConfig, check_config, dump_config, read_yaml, set_key
from chapbook.errors import EXIT_ARTIFACT, EXIT_DONE, ArtifactError, UsageError
from chapbook.log import log, start_logging, table
from chapbook.run_report import write_report
from chapbook.script import Parsed, ScriptParser, run_guarded
from chapbook.stages import NAMES, STAGES, gpu_count, run_stage
from chapbook.workspace import Workspace

USAGE = """python -m chapbook run [INPUT ...] [--config FILE] [--from STAGE] [--until STAGE]
python -m chapbook status
python -m chapbook inspect PATH [--hashes] [--block N] [--histogram]
python -m chapbook report [--config FILE | --run NAME]"""

RUN_FLAGS = ("--batch_size", "--learning_rate", "--max_steps", "--max_length")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of Chapbook; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    verbs = {"run": run, "status": status, "inspect": inspect, "report": report}
    if not words or words[0] in ("-h", "--help"):
        print(f"Raw text in, a small language model you own out.\n\n{USAGE}\n\nEach takes --help.")
        return EXIT_DONE if words else 2
    if words[0] not in verbs:
        start_logging()
        log.error("there is no command %s (there are: %s)", words[0], ", ".join(verbs))
        return 2
    return verbs[words[0]](words[1:])


def run(argv: Sequence[str]) -> int:
    """`run`: all stages, or some, each as a process of its own."""
    parser = ScriptParser("Run the pipeline from raw text to a publishable model.", config=None, short_flags=RUN_FLAGS)
    parser.prog = "python -m chapbook run"
    parser.add_argument("input", nargs="*", help="files or folders with your own text (txt, html, xml, epub, pdf, zip)")
    parser.add_argument("--name", help="name of the run (default: after the input, or the config's)")
    parser.add_argument("--from", dest="first", choices=NAMES, default=NAMES[0], metavar="STAGE", help=", ".join(NAMES))
    parser.add_argument("--until", dest="last", choices=NAMES, default=NAMES[-1], metavar="STAGE", help="the same")
    parser.add_argument("--minutes", type=float, default=15, help="time for training on a CPU (without --config)")
    parser.add_argument("--fresh", action="store_true", help="train anew; earlier checkpoints are moved aside")
    parser.add_argument("--use_cpu", action="store_true", help="train on the CPU")
    exit_code = 0

    def start(parsed: Parsed) -> dict[str, Any]:
        nonlocal exit_code
        exit_code, result = _run(parsed)
        return result

    return run_guarded(start, parser, argv) or exit_code


def _run(parsed: Parsed) -> tuple[int, dict[str, Any]]:
    arguments = parsed.arguments
    first, last = NAMES.index(arguments.first), NAMES.index(arguments.last)
    if first > last:
        raise UsageError(
            f"--from {arguments.first} comes after --until {arguments.last}. In order: {', '.join(NAMES)}."
        )
    content, where, base = _content(arguments)
    for key, value in parsed.overrides.items():
        set_key(content, key, value)
    config = check_config(content, where, base=base, deep=True, construct=True)
    workspace = Workspace.find()
    logs = workspace.logs(config.name)
    start_logging(logs / "logs" / "run.log", quiet=arguments.quiet)
    # The stages read exactly what was checked, paths made absolute.
    resolved = logs / "config.yaml"
    logs.mkdir(parents=True, exist_ok=True)
    artifact.write_atomically(resolved, f"# As resolved by: python -m chapbook run\n{dump_config(config)}".encode())
    results: dict[str, Any] = {}
    timings = []
    for number, stage in enumerate(STAGES[first : last + 1], start=1):
        log.info("\n[%d/%d] %s", number, last - first + 1, stage.name)
        if stage.name == "evaluate" and _nothing_held_back(config, workspace):
            split = config.evaluation.split
            log.warning("no text is held back for %s (corpus.%s_share): there is nothing to evaluate", split, split)
            continue
        flags = [flag for flag in ("--quiet", "--debug") if getattr(arguments, flag.lstrip("-"))]
        if stage.name == "train":
            flags += [flag for flag in ("--fresh", "--use_cpu") if getattr(arguments, flag.lstrip("-"))]
        outcome = run_stage(stage, resolved, flags)
        timings.append((stage.name, outcome))
        if outcome.exit_code:
            log.error(
                "the stage %s ended with exit code %d; what is finished is kept, the same command goes on from there",
                stage.name,
                outcome.exit_code,
            )
            return outcome.exit_code, {}
        results[stage.name] = outcome.result
    measured = {
        name: {
            "seconds": round(o.seconds, 2),
            "peak_bytes": o.result["peak_bytes"],
            "reused": o.result.get("reused", False),
        }
        for name, o in timings
    }
    _remember(logs / "stages.json", measured)
    page = write_report(config, workspace)
    _summary(config, resolved, results, measured, page)
    return 0, {"run": config.name, "report": str(page), "stages": measured, "results": results}


def _content(arguments: argparse.Namespace) -> tuple[dict[str, Any], str, Path | None]:
    """The configuration as plain mappings: from the file, from the input, or from the file with the input in it."""
    if arguments.config is None and not arguments.input:
        raise UsageError(
            "Say what to run: your own text (run my_book.txt) or a config (run --config configs/demo.yaml)."
        )
    paths = [str(Path(name).absolute()) for name in arguments.input]
    if arguments.config is not None:
        content, base = read_yaml(arguments.config), arguments.config.absolute().parent
        if paths:
            # The names of what was read before must not be taken over by other text.
            name = arguments.name or content.get("name") or plan.run_name(paths)
            source = {"kind": "files", "name": plan.run_name(paths), "paths": paths}
            content["corpus"] = {**(content.get("corpus") or {}), "name": name, "sources": [source]}
        where = str(arguments.config)
    else:
        gpus = 0 if arguments.use_cpu else gpu_count()
        name = arguments.name or _free_name(plan.run_name(paths), paths)
        content, reasons = plan.plan(paths, name, gpus=gpus, minutes=arguments.minutes)
        base, where = None, "the planned configuration"
        log.info("Chosen for this text (every choice can be overruled, see --help):")
        for reason in reasons:
            log.info("  - %s", reason)
    if arguments.name:
        content["name"] = arguments.name
    return content, where, base


def _free_name(name: str, paths: list[str]) -> str:
    """`name`, or `name-2` and so on when a run of that name was made from other files: those stay untouched."""
    number, candidate = 1, name
    while (earlier := Workspace.find().logs(candidate) / "config.yaml").is_file():
        sources = read_yaml(earlier)["corpus"]["sources"]
        if [path for source in sources for path in source.get("paths", [])] == paths:
            break
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _remember(path: Path, measured: dict[str, Any]) -> None:
    """Keep what each stage took when it last did its work; a stage that reused its artifact tells nothing new."""
    known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    for name in NAMES:
        if name in measured and (name not in known or not measured[name]["reused"]):
            known[name] = measured[name]
    in_order = {name: known[name] for name in NAMES if name in known}
    artifact.write_atomically(path, json.dumps(in_order, indent=2).encode())


def _nothing_held_back(config: RunConfig, workspace: Workspace) -> bool:
    manifest = artifact.read_manifest(workspace.corpus(config.corpus.name))
    return manifest is not None and not manifest.counts["splits"][config.evaluation.split]["documents"]


def _summary(config: RunConfig, resolved: Path, results: dict[str, Any], measured: dict[str, Any], page: Path) -> None:
    rows = [
        (name, "reused" if m["reused"] else f"{m['seconds']:.1f}", f"{m['peak_bytes'] / 1e6:,.0f}")
        for name, m in measured.items()
    ]
    places = [f"{name:12} {result['path']}" for name, result in results.items() if "path" in result]
    print("\n" + table(f"Run {config.name}", ("stage", "seconds", "peak MB"), rows))
    print("\nEverything lies here:\n  " + "\n  ".join([*places, f"{'report':12} {page}"]))
    if (tokens := results.get("pretokenize")) is not None:
        splits = tokens["splits"]
        print(f"\nTokens: {splits['train']['tokens']:,} for training, {splits['eval']['tokens']:,} held back")
    if (measured_model := results.get("evaluate")) is not None:
        total = measured_model["total"]
        line = f"Bits per byte on held-back text: {total['bits_per_byte']:.4f}"
        if "floor_bits_per_byte" in total:
            line += (
                f"\n  where the truth is known: {total['model_bits_per_byte_there']:.4f}, and the generator's true "
                f"entropy there is {total['floor_bits_per_byte']:.4f}, which no model can beat"
            )
        print(line)
    if (generated := results.get("generate")) is not None:
        for number, sample in enumerate(generated["samples"][:3], start=1):
            print(f"\nSample {number}:\n{(sample['prompt'] + sample['text']).strip()}")
    workspace = os.environ.get("CHAPBOOK_WORKSPACE")
    start = (f"CHAPBOOK_WORKSPACE={shlex.quote(workspace)} " if workspace else "") + _from_here(Path(sys.executable))
    commands = [f"{start} -m chapbook run path/to/your_own_text.txt"]
    if "train" in results:
        generate, talk = (_from_here(ROOT / s) for s in ("05_inference/generate.py", "03_training/test_checkpoint.py"))
        commands = [
            f'{start} {generate} --config {_from_here(resolved)} --prompt "The "',
            f"{start} {talk} --config {_from_here(resolved)} --interactive",
            *commands,
        ]
    print("\nNext:\n  " + "\n  ".join(commands), flush=True)


def _from_here(path: Path) -> str:
    """A path as one types it in a shell in the current folder: relative when it lies below."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here)) if path.is_relative_to(here) else str(path))


def status(argv: Sequence[str]) -> int:
    """`status`: every artifact in the workspace, and whether it is whole."""
    parser = ScriptParser("Show every artifact in the workspace, and whether it is whole.", config=None)
    parser.prog = "python -m chapbook status"

    def start(parsed: Parsed) -> dict[str, Any]:
        workspace = Workspace.find()
        entries = list_artifacts(workspace)
        rows = [(e["path"], e["kind"], e["state"], f"{e['bytes'] / 1e6:,.1f}", e["created_at"]) for e in entries]
        print(table(f"Workspace {workspace.root}", ("artifact", "kind", "state", "MB", "made (UTC)"), rows))
        return {"workspace": str(workspace.root), "artifacts": entries}

    return run_guarded(start, parser, argv)


def list_artifacts(workspace: Workspace) -> list[dict[str, Any]]:
    """Every artifact directory, complete or not: path, kind, state, size in bytes, time."""
    entries = []
    for path in inspection.artifact_directories(workspace):
        try:
            manifest = artifact.read_manifest(path)
            problems = artifact.damage(path, manifest) if manifest else ["never finished"]
        except ArtifactError as error:
            manifest, problems = None, [str(error)]
        entries.append(
            {
                "path": path.relative_to(workspace.root).as_posix(),
                "kind": manifest.kind if manifest else "?",
                "state": "; ".join(problems) or "whole",
                "bytes": sum(entry["size"] for entry in manifest.files) if manifest else 0,
                "created_at": manifest.created_at if manifest else "",
            }
        )
    return entries


def inspect(argv: Sequence[str]) -> int:
    """`inspect`: one artifact, what it was made from, and whether it is whole (exit 3 when it is not)."""
    parser = ScriptParser("Show what an artifact is, what it was made from, and whether it is whole.", config=None)
    parser.prog = "python -m chapbook inspect"
    inspection.add_flags(parser)
    exit_code = 0

    def start(parsed: Parsed) -> dict[str, Any]:
        nonlocal exit_code
        facts = inspection.inspect(parsed.arguments, Workspace.find())
        exit_code = EXIT_ARTIFACT if facts["problems"] else EXIT_DONE
        if not parsed.arguments.json:
            print(inspection.describe(facts))
        return facts

    return run_guarded(start, parser, argv) or exit_code


def report(argv: Sequence[str]) -> int:
    """`report`: one HTML page about a run, from its artifacts."""
    parser = ScriptParser("Make the HTML report of a run.", config=None)
    parser.prog = "python -m chapbook report"
    parser.add_argument("--run", metavar="NAME", help="a run of this workspace (default: the newest)")

    def start(parsed: Parsed) -> dict[str, Any]:
        workspace = Workspace.find()
        path: Path | None = parsed.arguments.config
        if path is None:
            path = _resolved_config(workspace, parsed.arguments.run)
        config = check_config(read_yaml(path), str(path), base=path.absolute().parent)
        page = write_report(config, workspace)
        print(page)
        return {"report": str(page)}

    return run_guarded(start, parser, argv)


def _resolved_config(workspace: Workspace, name: str | None) -> Path:
    configs = sorted(workspace.root.glob("runs/*/config.yaml"), key=lambda path: path.stat().st_mtime)
    if name is not None:
        configs = [path for path in configs if path.parent.name == name]
    if not configs:
        known = ", ".join(sorted(path.parent.name for path in workspace.root.glob("runs/*/config.yaml"))) or "none yet"
        raise UsageError(f"There is no run {name or ''} in {workspace.root} (there are: {known}).")
    return configs[-1]
