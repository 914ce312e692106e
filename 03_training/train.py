"""Train a run's model from scratch, or go on with it: the one module behind all training scripts.

    python 03_training/train_model.py --config configs/demo.yaml
    torchrun --nproc_per_node=2 03_training/train_model_slm.py

In: `pretokenized/<name>/` (built when it is not there) and `tokenizers/<name>/`.
Out: `checkpoints/<run>/checkpoint-N/`, and logs in `runs/<run>/`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipe import run_recipe, without_step
from training_tokens import TrainingTokens, add_flags, tokens_are_there, training_recipe, training_tokens

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig, load_config
from chapbook.errors import ArtifactError, ChapbookError, UsageError
from chapbook.log import is_first_rank, log, start_logging, table
from chapbook.script import Parsed, ScriptParser, run_guarded
from chapbook.workspace import Workspace

if TYPE_CHECKING:
    from callbacks import StopWhenAsked
    from trainer import ChapbookTrainer

    from chapbook.tokens import Blocks
    from chapbook.training_arguments import RunArguments


def parser(preset: str | None) -> ScriptParser:
    """The command line of the training scripts; `preset` names the config used when none is given."""
    result = ScriptParser(
        "Train the model of a run. Without a flag it goes on from the newest complete checkpoint.",
        config=preset or "required",
        short_flags=("--batch_size", "--learning_rate", "--max_steps", "--max_length"),
    )
    start = result.add_mutually_exclusive_group()
    start.add_argument(
        "--resume_from_checkpoint", metavar="NAME", help="go on from this one: checkpoint-3000, a path, or latest"
    )
    start.add_argument(
        "--fresh", action="store_true", help="start anew; earlier checkpoints are moved aside, not deleted"
    )
    add_flags(result)
    cpu = result.add_mutually_exclusive_group()
    cpu.add_argument("--use_cpu", action="store_true", help="train on the CPU")
    cpu.add_argument("--force_cpu", action="store_true", help="one step on the CPU as a smoke test; saves nothing")
    return result


def main(argv: list[str] | None = None, *, preset: str | None = None) -> int:
    """Run a training script; returns its exit code."""
    exit_code = 0

    def start(parsed: Parsed) -> dict[str, Any]:
        nonlocal exit_code
        arguments = parsed.arguments
        if arguments.force_cpu:
            parsed.overrides["training.max_steps"] = 1
        config = load_config(arguments.config, parsed.overrides)
        workspace = Workspace.find()
        if is_first_rank():
            start_logging(workspace.logs(config.name) / "logs" / "train.log", quiet=arguments.quiet)
        if (finished := _finished(arguments, config, workspace)) is not None:
            return finished
        # transformers is needed from here on: check the sections that it defines.
        load_config(arguments.config, parsed.overrides, deep=True)
        result, exit_code = train(arguments, config, workspace)
        return result

    return run_guarded(start, parser(preset), argv) or exit_code


def _finished(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any] | None:
    """The result when there is nothing left to train; found without importing torch."""
    asked = (arguments.resume_from_checkpoint, arguments.fresh, arguments.force_cpu, arguments.no_pretokenized)
    run = workspace.checkpoints(config.name)
    last = checkpoint.newest(run)
    if any(asked) or last is None or last.manifest is None:
        return None
    counts = last.manifest.counts
    tokens = training_recipe(arguments, config, workspace)
    if not counts["finished"] or not tokens_are_there(arguments, config, workspace, tokens):
        return None
    if run_recipe(config, tokens).fingerprint != without_step(last.manifest).fingerprint:
        return None
    if is_first_rank():
        log.info("Trained (reused): %s is the end of this run. --fresh starts anew.", last.path)
    return {"stage": "train", "path": str(run), "reused": True, "checkpoint": last.name, **counts}


def train(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> tuple[dict[str, Any], int]:
    """Train or go on; returns the result and the exit code (130 or 143 after a requested stop)."""
    import torch
    from device import describe, device_settings, use_one_gpu

    from chapbook import training_arguments

    settings = device_settings(config.training, use_cpu=arguments.use_cpu or arguments.force_cpu)
    run, logs = workspace.checkpoints(config.name), workspace.logs(config.name)
    with contextlib.ExitStack() as stack:
        if arguments.force_cpu:
            # A smoke test leaves no trace in the run.
            run = logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings |= {"save_strategy": "no", "eval_strategy": "no", "report_to": []}
        elif is_first_rank():
            stack.enter_context(artifact.lock(run, wait=False))
        # Before there is a process group, whose time limit would end a long tokenization.
        tokens = training_tokens(arguments, config, workspace)
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(logs / "tensorboard"))
        args = training_arguments.build(config.training, output_dir=str(run), run_name=config.name, **settings)
        use_one_gpu(args)

        # Rank 0 first: the others find the earlier run moved aside.
        with args.main_process_first(desc="preparing the data"):
            if arguments.fresh and args.process_index == 0:
                _move_aside(run, logs)
        recipe = run_recipe(config, tokens.recipe)
        resume = None if arguments.force_cpu else _resume_point(arguments, run, recipe)
        if resume is not None and 0 < args.max_steps <= resume.step:
            return _nothing_left(resume, args.max_steps), 0
        trainer, stop = _new_trainer(args, config, workspace, tokens, recipe, logs)
        if args.process_index == 0:
            log.info(_header(trainer, describe(args), resume))
        output = trainer.train(resume_from_checkpoint=str(resume.path) if resume else None)
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()

    state = trainer.state
    result = {
        "stage": "train",
        "reused": False,
        "step": state.global_step,
        "max_steps": state.max_steps,
        "loss": output.training_loss,
        "seconds": output.metrics.get("train_runtime"),
    }
    if arguments.force_cpu:
        log.info("One step on the CPU went through (loss %.3f). Nothing was saved.", output.training_loss)
        return result, 0
    last = checkpoint.newest(run)
    if last is None and args.process_index == 0 and args.save_strategy != "no":
        raise ChapbookError(f"Training ended at step {state.global_step} without a complete checkpoint in {run}.")
    result |= {"path": str(run), "checkpoint": last.name if last else None}
    if args.process_index == 0:
        log.info("Trained: step %s of %s, checkpoints in %s", state.global_step, state.max_steps, run)
    return result, stop.exit_code or 0


def _new_trainer(
    args: RunArguments,
    config: RunConfig,
    workspace: Workspace,
    tokens: TrainingTokens,
    recipe: artifact.Recipe,
    logs: Path,
) -> tuple[ChapbookTrainer, StopWhenAsked]:
    """A trainer with fresh weights, ready to train. Raises UsageError when the text is less than one batch."""
    import transformers
    from callbacks import EvaluateBeforeSaving, MetricsFile, Progress, StopWhenAsked
    from trainer import ChapbookTrainer

    from chapbook.model import model_config, new_model
    from chapbook.tokenizer import end_of_text_id, load_tokenizer
    from chapbook.tokens import collate

    train_blocks, eval_blocks = tokens.train, tokens.held_back
    if not len(eval_blocks) and args.eval_strategy != "no":
        log.warning("no block of text is held back: training without evaluation")
        args.eval_strategy = transformers.trainer_utils.IntervalStrategy.NO
    if len(train_blocks) < args.per_device_train_batch_size * args.world_size:
        raise UsageError(
            f"There are {len(train_blocks)} blocks of {train_blocks.max_length} tokens, and one batch takes "
            f"{args.per_device_train_batch_size} x {args.world_size}: set a smaller --batch_size or --max_length."
        )
    if args.full_determinism:
        transformers.enable_full_determinism(args.seed)
    else:
        transformers.set_seed(args.seed)
    tokenizer = load_tokenizer(workspace.tokenizer(config.tokenizer.name))
    model = new_model(
        model_config(
            config.model,
            vocab_size=tokenizer.get_vocab_size(),
            max_length=train_blocks.max_length,
            end_of_text=end_of_text_id(tokenizer),
        )
    )
    stop = StopWhenAsked()
    callbacks: list[Any] = [stop, MetricsFile(logs / "metrics.jsonl"), Progress()]
    if args.eval_strategy != "no":
        callbacks.append(EvaluateBeforeSaving(stop))
        if args.early_stopping_patience:
            callbacks.append(transformers.EarlyStoppingCallback(args.early_stopping_patience))
    trainer = ChapbookTrainer(
        recipe=recipe,
        tokenizer=workspace.tokenizer(config.tokenizer.name),
        max_length=train_blocks.max_length,
        bytes_per_token=tokens.bytes_per_token,
        model=model,
        args=args,
        train_dataset=train_blocks,
        eval_dataset=_evenly(eval_blocks, args.max_eval_samples) if len(eval_blocks) else None,
        data_collator=collate,
        callbacks=callbacks,
        stop=stop,
    )
    # Progress says the same in a form a person can read.
    for stock in (transformers.ProgressCallback, transformers.PrinterCallback):
        trainer.remove_callback(stock)
    return trainer, stop


def _nothing_left(resume: checkpoint.Checkpoint, max_steps: int) -> dict[str, Any]:
    log.info("%s has %d steps already, and %d were asked for: nothing to train.", resume.path, resume.step, max_steps)
    counts = resume.manifest.counts if resume.manifest else {}
    path = str(resume.path.parent)
    return {"stage": "train", "path": path, "reused": True, "checkpoint": resume.name, **counts}


def _evenly(blocks: Blocks, limit: int | None) -> Any:
    """At most `limit` blocks, taken evenly from all, so that every part of the held-back text is heard."""
    from torch.utils.data import Subset

    if limit is None or len(blocks) <= limit:
        return blocks
    return Subset(blocks, [number * len(blocks) // limit for number in range(limit)])  # type: ignore[arg-type]


def _move_aside(run: Path, logs: Path) -> None:
    """Free the run's name for a fresh start; checkpoints and their metrics stay, under the first free number."""
    if not any(run.glob("checkpoint-*")):
        return
    number = 1
    while (aside := run.with_name(f"{run.name}.{number}")).exists():
        number += 1
    run.rename(aside)
    for name in ("metrics.jsonl", "tensorboard"):
        if (logs / name).exists():
            (logs / name).rename(aside / name)
    log.info("starting fresh; the earlier checkpoints are now in %s", aside)


def _resume_point(arguments: argparse.Namespace, run: Path, recipe: artifact.Recipe) -> checkpoint.Checkpoint | None:
    """The checkpoint to go on from, or None for a new run.

    Raises ArtifactError when the one that was named is missing or torn, or when it belongs to another
    model, tokenizer or data.
    """
    if arguments.fresh:
        return None
    for found in checkpoint.list_checkpoints(run):
        if found.problem is not None:
            log.warning("%s is no complete checkpoint and is skipped: %s", found.name, found.problem)
    if arguments.resume_from_checkpoint:
        resume = checkpoint.find(run, arguments.resume_from_checkpoint)
    elif (newest := checkpoint.newest(run)) is not None:
        resume = newest
    else:
        return None
    assert resume.manifest is not None
    # Sizes were compared so far; before building on it, the content is.
    if damage := artifact.damage(resume.path, resume.manifest, hashes=True):
        raise ArtifactError(
            f"{resume.path} is damaged: {'; '.join(damage)}. Move it away and start again, or name another with "
            f"--resume_from_checkpoint. {checkpoint.choices(run)}"
        )
    differences = recipe.differences(without_step(resume.manifest))
    # Another schedule can be meant (more steps, another rate); another model or other data cannot.
    if fatal := [line for line in differences if not line.startswith("training.")]:
        raise ArtifactError(
            f"{resume.path} belongs to another run and cannot be resumed here: {'; '.join(fatal)}. "
            "Start anew with --fresh, or give the run another name."
        )
    if differences:
        log.warning("resuming with other settings than %s was made with: %s", resume.name, "; ".join(differences))
    return resume


def _header(trainer: ChapbookTrainer, device: str, resume: checkpoint.Checkpoint | None) -> str:
    from chapbook.model import parameter_count

    args: RunArguments = trainer.args
    blocks = len(trainer.train_dataset)
    sequences = trainer.tokens_per_step // trainer.max_length
    steps = args.max_steps if args.max_steps > 0 else None
    epochs = steps * sequences / blocks if steps else args.num_train_epochs
    rows = [
        ("device", device),
        ("parameters", f"{parameter_count(trainer.model):,}"),
        (
            "batch per step",
            f"{args.per_device_train_batch_size} per device x {args.gradient_accumulation_steps} accumulated x "
            f"{args.world_size} rank(s) = {sequences} blocks = {trainer.tokens_per_step:,} tokens",
        ),
        ("training text", f"{blocks:,} blocks of {trainer.max_length} = {blocks * trainer.max_length:,} tokens"),
        ("steps", f"{steps:,} (about {epochs:.2f} epochs)" if steps else f"{epochs:g} epochs"),
        ("start", f"goes on from {resume.path} (step {resume.step:,})" if resume else "new weights"),
    ]
    return table(f"Training {args.run_name}", ("", ""), rows)
