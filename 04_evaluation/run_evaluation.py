"""Measure a checkpoint of a run on text that it was not trained on.

    python 04_evaluation/run_evaluation.py --config configs/demo.yaml
    python 04_evaluation/run_evaluation.py --config configs/demo.yaml --mode comprehensive --checkpoint latest
    python 04_evaluation/run_evaluation.py --config configs/demo.yaml --checkpoint all
    python 04_evaluation/run_evaluation.py --config configs/demo.yaml --mode dataset --data letters/
    python 04_evaluation/run_evaluation.py --config A.yaml --mode compare --with B.yaml@best

In: `checkpoints/<run>/` and `corpora/<corpus>/`, or the files that --data names. Out: a folder in
`evaluations/<run>/` with `results.json`, `report.html` and `report.md`. Checkpoints are read only: training may go on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import compare
import evaluation_report
import measurement
import over_time
from measurement import Evaluation, Job

from chapbook import checkpoint
from chapbook.config import RunConfig
from chapbook.errors import ArtifactError, UsageError
from chapbook.log import log, table
from chapbook.script import DEVICES, ScriptParser, run_script
from chapbook.workspace import Workspace

MODES = ("quick", "comprehensive", "dataset", "compare")


def run(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Measure and report; returns the results. Raises ArtifactError without checkpoint, corpus or split."""
    mode = arguments.mode or config.evaluation.mode
    wanted = arguments.checkpoint or config.evaluation.checkpoint
    _check_usage(mode, wanted, arguments)
    if wanted == "all":
        return _over_time(mode, arguments, config, workspace)
    job = _job(mode, _find(workspace.checkpoints(config.name), wanted), arguments, config, workspace)
    if mode == "compare":
        done = compare.compare(job, compare.other_side(arguments.other, config, workspace))
        rows = [(side["name"], f"{side['total']['bits_per_byte']:.4f}") for side in done.results["sides"]]
        difference = done.results["difference"]
        rows += [
            ("difference", f"{difference['difference']:+.4f}"),
            ("p", f"{difference['p_value']:.4f}"),
            ("verdict", done.results["verdict"]),
        ]
        return _report(done, "Compared", ("", "bits per byte"), rows)
    done = measurement.evaluate(job)
    _say(done)
    return _report(
        done,
        f"Evaluated: {job.found.name} on {done.results['split']}",
        ("", ""),
        evaluation_report.summary_rows(done.results["total"]),
    )


def _check_usage(mode: str, wanted: str, arguments: argparse.Namespace) -> None:
    if mode == "dataset" and arguments.data is None:
        raise UsageError("--mode dataset needs --data FILE_OR_FOLDER: the text to measure on.")
    if arguments.data is not None and mode not in ("dataset", "compare"):
        raise UsageError("--data goes with --mode dataset or --mode compare.")
    if mode == "compare" and arguments.other is None:
        raise UsageError("--mode compare needs --with CONFIG.yaml, CONFIG.yaml@CHECKPOINT or @CHECKPOINT of this run.")
    if arguments.other is not None and mode != "compare":
        raise UsageError("--with goes with --mode compare.")
    if arguments.tasks is not None and mode != "comprehensive":
        raise UsageError("--tasks goes with --mode comprehensive: benchmarks take minutes to hours.")
    if mode == "compare" and wanted == "all":
        raise UsageError("--mode compare takes one checkpoint; --checkpoint all shows them side by side by itself.")


def _find(directory: Path, wanted: str) -> checkpoint.Checkpoint:
    try:
        return checkpoint.find(directory, wanted)
    except FileNotFoundError as error:
        # Training deletes old checkpoints while we look at them.
        raise ArtifactError(f"{error.filename} was deleted while it was read. Start again.") from error


def _job(
    mode: str,
    found: checkpoint.Checkpoint,
    arguments: argparse.Namespace,
    config: RunConfig,
    workspace: Workspace,
) -> Job:
    from chapbook.generation import best_device

    device = arguments.device or best_device()
    return Job(found=found, config=config, workspace=workspace, mode=mode, device=device, data=arguments.data)


def _over_time(mode: str, arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    directory = workspace.checkpoints(config.name)
    complete = [found for found in checkpoint.list_checkpoints(directory) if found.problem is None]
    if not complete:
        raise ArtifactError(f"There is no complete checkpoint in {directory}. {checkpoint.choices(directory)}")
    done, missing = [], []
    for found in complete:
        log.info("%s", found.name)
        try:
            job = _job(mode, found, arguments, config, workspace)
            done.append(measurement.evaluate(job, same_text=True))
        except measurement.DeletedError as error:
            log.warning("%s", error)
            missing.append(found.name)
    if not done:
        raise ArtifactError(f"All checkpoints of {directory} were deleted while they were read. Start again.")
    _say(done[-1])
    columns = ("checkpoint", "bits per byte", "from", "to")
    rows = []
    whole = over_time.write(job, done, missing)
    for point in whole.results["checkpoints"]:
        ends = [f"{end:.4f}" for end in point.get("interval", ())] or ["", ""]
        rows.append((point["checkpoint"], f"{point['bits_per_byte']:.4f}", *ends))
    return _report(whole, "Over time", columns, rows)


def _say(done: Evaluation) -> None:
    for sentence in done.results["measured"]["left_out"]:
        log.info("%s", sentence)
    for entry in done.results["advice"]:
        log.info("%s: %s", entry["action"], entry["because"])


def _report(done: Evaluation, title: str, columns: tuple[str, ...], rows: list[Any]) -> dict[str, Any]:
    log.info(table(f"{title}{' (reused)' if done.reused else ''}, {done.directory}", columns, rows))
    return {
        "stage": "evaluate",
        "path": str(done.directory),
        "reused": done.reused,
        "fingerprint": done.fingerprint,
        **done.results,
    }


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Measure a checkpoint of a run on text that it was not trained on.", short_flags=("--tasks",))
    parser.add_argument("--mode", choices=MODES, help="default: evaluation.mode of the configuration (quick)")
    parser.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="best, latest, all, a name or a path (default: evaluation.checkpoint)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="text to measure on: .txt, .jsonl or a folder of such"
    )
    parser.add_argument(
        "--with",
        dest="other",
        metavar="CONFIG[@NAME]",
        help="what to compare with: another run's configuration, @NAME: another checkpoint",
    )
    parser.add_argument("--device", choices=DEVICES, help="default: the GPU when there is one")
    return run_script(run, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
