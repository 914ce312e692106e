"""Find a learning rate: a range test in one short run, then short trainings over a grid of rates and batch sizes.

    python 03_training/find_learning_rate.py --config configs/small.yaml --use_cpu
    python 03_training/find_learning_rate.py --config configs/small.yaml --use_cpu --rates 3e-4 1e-3 3e-3 --steps 300
    python 03_training/find_learning_rate.py --config configs/small.yaml --use_cpu --rates 1e-3 3e-3 --batch_sizes 16 32

In: what training needs. Out: `runs/<run>/learning_rate/` with `results.json` and `report.html`. Each training of the
grid is a run of its own, named `<run>.lr-<rate>-batch-<size>`, so that a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pretokenize import pretokenize

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig, dump_config
from chapbook.errors import ChapbookError, UsageError
from chapbook.log import ProgressBar, log, table
from chapbook.report import html_page, html_table, svg_curves
from chapbook.script import ScriptParser, run_script
from chapbook.workspace import Workspace

# The range test goes from far too low to far too high for any transformer.
LOWEST_RATE, HIGHEST_RATE = 1e-6, 1.0
# It ends when the smoothed loss is this much above its lowest: nothing more is learnt from watching it explode.
DIVERGED = 1.5
SMOOTHING = 0.9


@dataclass(frozen=True)
class Trial:
    """One training of the grid and what came of it; losses in nats per token, None when it stopped early."""

    learning_rate: float
    batch_size: int
    loss: float | None
    eval_loss: float | None
    tokens: int
    seconds: float


def parser() -> ScriptParser:
    """The command line."""
    result = ScriptParser("Find a learning rate: a range test, or short trainings over a grid.")
    result.add_argument("--rates", type=float, nargs="+", metavar="RATE", help="train once with each of these rates")
    result.add_argument(
        "--batch_sizes",
        type=int,
        nargs="+",
        metavar="N",
        help="with each of these numbers of blocks per step (default: the configuration's)",
    )
    result.add_argument("--steps", type=int, default=200, help="steps of each training or of the range test (200)")
    result.add_argument("--use_cpu", action="store_true", help="train on the CPU")
    return result


def find_learning_rate(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Range test or grid, as asked; returns the suggestion and what it rests on."""
    if arguments.steps < 10:
        raise UsageError(f"--steps {arguments.steps} is too few to tell rates apart: take 10 or more.")
    if arguments.batch_sizes and not arguments.rates:
        raise UsageError("--batch_sizes belongs to a grid: give --rates too.")
    folder = workspace.logs(config.name) / "learning_rate"
    folder.mkdir(parents=True, exist_ok=True)
    result = (
        _grid(arguments, config, workspace) if arguments.rates else _range_test(arguments, config, workspace, folder)
    )
    artifact.write_atomically(folder / "results.json", json.dumps(result, indent=2).encode() + b"\n")
    artifact.write_atomically(folder / "report.html", _page(config.name, result).encode())
    log.info("%s\nReport: %s", result["advice"], folder / "report.html")
    return {"stage": "find_learning_rate", "path": str(folder), **result}


def _range_test(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace, folder: Path) -> dict[str, Any]:
    """Train while the rate grows by the same factor each step (Smith 2017, arXiv:1506.01186); keep nothing."""
    import torch
    from device import device_settings

    from chapbook import training_arguments
    from chapbook.model import model_config, new_model
    from chapbook.tokenizer import end_of_text_id, load_tokenizer
    from chapbook.tokens import TokenBlocks, collate

    tokens = pretokenize(config, workspace)
    settings = device_settings(config.training, use_cpu=arguments.use_cpu)
    args = training_arguments.build(config.training, output_dir=str(folder), **settings)
    blocks = TokenBlocks(tokens.directory / "train")
    tokenizer = load_tokenizer(workspace.tokenizer(config.tokenizer.name))
    torch.manual_seed(args.seed)
    model = new_model(
        model_config(
            config.model,
            vocab_size=tokenizer.get_vocab_size(),
            max_length=blocks.max_length,
            end_of_text=end_of_text_id(tokenizer),
        )
    ).to(args.device)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=LOWEST_RATE,
        betas=(args.adam_beta1, args.adam_beta2),
        eps=args.adam_epsilon,
        weight_decay=args.weight_decay,
    )
    batch = args.per_device_train_batch_size
    loader: Any = torch.utils.data.DataLoader(blocks, batch_size=batch, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    batches = iter(loader)
    growth = (HIGHEST_RATE / LOWEST_RATE) ** (1 / (arguments.steps - 1))
    points: list[tuple[float, float]] = []
    average = 0.0
    with ProgressBar("range test", arguments.steps, "step") as bar:
        for step in range(arguments.steps):
            try:
                inputs = next(batches)
            except StopIteration:
                batches = iter(loader)
                inputs = next(batches)
            rate = LOWEST_RATE * growth**step
            optimizer.param_groups[0]["lr"] = rate
            with torch.autocast(
                args.device.type, torch.bfloat16 if args.bf16 else torch.float16, args.bf16 or args.fp16
            ):
                loss = model(**{name: tensor.to(args.device) for name, tensor in inputs.items()}).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.max_grad_norm or math.inf)
            optimizer.step()
            optimizer.zero_grad()
            average = SMOOTHING * average + (1 - SMOOTHING) * loss.item()
            smoothed = average / (1 - SMOOTHING ** (step + 1))
            bar.advance(1)
            if not math.isfinite(smoothed) or (points and smoothed > DIVERGED * min(y for _, y in points)):
                break
            points.append((rate, smoothed))
    lowest_rate = min(points, key=lambda point: point[1])[0]
    suggestion = float(f"{lowest_rate / 10:.1g}")
    return {
        "method": "range test",
        "suggestion": suggestion,
        "advice": f"The loss is lowest at a rate of {lowest_rate:.1e}, where it starts to diverge: try a tenth of it, "
        f"{suggestion:.0e}, and its neighbours in a grid (--rates).",
        "points": points,
    }


def _grid(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    from chapbook import training_arguments

    training = config.training
    sizes = arguments.batch_sizes or [
        training.get("per_device_train_batch_size", 8) * training.get("gradient_accumulation_steps", 1)
    ]
    if problems := training_arguments.problems(training):
        raise UsageError("; ".join(problems))
    trials = []
    with ProgressBar("trainings", len(sizes) * len(arguments.rates), "run") as bar:
        for size in sizes:
            for rate in arguments.rates:
                trials.append(_train(arguments, config, workspace, rate, size))
                bar.advance(1)
    rows = [
        (
            f"{trial.learning_rate:.1e}",
            trial.batch_size,
            "stopped" if trial.loss is None else f"{trial.loss:.4f}",
            "-" if trial.eval_loss is None else f"{trial.eval_loss:.4f}",
            f"{trial.tokens:,}",
            f"{trial.seconds:.0f} s",
        )
        for trial in trials
    ]
    log.info(table("Short trainings", ("rate", "batch", "loss", "eval loss", "tokens", "time"), rows))
    judged = [trial for trial in trials if trial.eval_loss is not None]
    if not judged:
        raise ChapbookError("No training of the grid ended with an evaluation. Try lower rates.")
    best = min(judged, key=lambda trial: trial.eval_loss or math.inf)
    advice = (
        f"Lowest loss on held-back text after {arguments.steps} steps: a rate of {best.learning_rate:.1e} with "
        f"batches of {best.batch_size} blocks."
    )
    if len(arguments.rates) > 1 and best.learning_rate in (min(arguments.rates), max(arguments.rates)):
        beyond = "lower" if best.learning_rate == min(arguments.rates) else "higher"
        advice += f" It is at the edge of the grid: try {beyond} rates too."
    advice += " One seed each: differences in the third digit mean nothing; long runs prefer somewhat lower rates."
    return {
        "method": "grid",
        "suggestion": best.learning_rate,
        "batch_size": best.batch_size,
        "advice": advice,
        "trials": [asdict(trial) for trial in trials],
    }


def _train(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace, rate: float, size: int) -> Trial:
    """One training as a process of its own, so that nothing of one can leak into the next."""
    name = f"{config.name}.lr-{rate:.1e}-batch-{size}"
    run = config.model_copy(deep=True)
    run.name = name
    for key in ("gradient_accumulation_steps", "global_batch_size", "num_train_epochs", "early_stopping_patience"):
        run.training.pop(key, None)
    run.training |= {
        "learning_rate": rate,
        "per_device_train_batch_size": size,
        "max_steps": arguments.steps,
        "eval_steps": arguments.steps,
        "save_steps": arguments.steps,
        "save_total_limit": 1,
        "report_to": [],
    }
    # A warm-up longer than the trial would never reach the rate that is tried.
    if run.training.get("warmup_steps", 0) > arguments.steps / 4:
        run.training["warmup_steps"] = 0.1
    path = workspace.logs(name) / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    artifact.write_atomically(path, dump_config(run).encode())
    words = [sys.executable, Path(__file__).with_name("train_model.py"), "--config", path, "--quiet", "--json"]
    process = subprocess.run(
        [*map(str, words), *(["--use_cpu"] if arguments.use_cpu else [])],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    last = checkpoint.newest(workspace.checkpoints(name))
    tokens = seconds = 0
    if process.returncode == 0 and last is not None and last.manifest is not None:
        counts = last.manifest.counts
        tokens = counts["tokens_seen"]
        seconds = json.loads(process.stdout.splitlines()[-1]).get("seconds") or 0
        return Trial(rate, size, counts["loss"], counts["eval_loss"], tokens, seconds)
    if process.returncode != 1:
        raise ChapbookError(f"The training with rate {rate:g} and batch {size} could not start; its message is above.")
    return Trial(rate, size, None, None, tokens, seconds)


def _page(name: str, result: dict[str, Any]) -> str:
    if result["method"] == "range test":
        curves = {"smoothed loss": [(math.log10(rate), loss) for rate, loss in result["points"]]}
        body = svg_curves(curves, "log10 of the learning rate", "loss (nats per token)")
    else:
        trials = [Trial(**trial) for trial in result["trials"]]
        curves = {
            f"batch {size}": [
                (math.log10(t.learning_rate), t.eval_loss) for t in trials if t.batch_size == size and t.eval_loss
            ]
            for size in sorted({t.batch_size for t in trials})
        }
        rows = [(f"{t.learning_rate:.1e}", t.batch_size, t.loss or "stopped", t.eval_loss or "-") for t in trials]
        body = svg_curves(curves, "log10 of the learning rate", "eval loss (nats per token)")
        body += html_table("Trainings", ("rate", "batch", "loss", "eval loss"), rows)
    return html_page(f"Learning rate of {name}", f"<p>{result['advice']}</p>{body}")


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    return run_script(find_learning_rate, parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
