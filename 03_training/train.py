"""Train a run's model from scratch, or go on with it: the one module behind all training scripts.

    python 03_training/train_model.py --config configs/demo.yaml
    torchrun --nproc_per_node=2 03_training/train_model_slm.py

In: `pretokenized/<name>/` (built when it is not there) and `tokenizers/<name>/`.
Out: `checkpoints/<run>/checkpoint-N/`, and logs in `runs/<run>/`.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch_size import MicroBatchMemory, resolve
from recipe import global_batch_of, run_recipe, without_step
from resuming import check_compatible, check_weights, clear_remains, go_back_to, named, newest_whole
from training_tokens import TrainingTokens, add_flags, tokens_are_there, training_recipe, training_tokens

from chapbook import artifact, checkpoint
from chapbook.config import RunConfig, load_config
from chapbook.errors import EXIT_FAILED, ChapbookError, UsageError
from chapbook.log import is_first_rank, log, start_logging, table
from chapbook.script import Parsed, ScriptParser, run_guarded
from chapbook.workspace import Workspace

if TYPE_CHECKING:
    from callbacks import Agreement
    from failures import NotFinite
    from trainer import ChapbookTrainer

    from chapbook.tokens import Blocks
    from chapbook.training_arguments import RunArguments


# Rollbacks to the same checkpoint before the training stops all the same.
ROLLBACKS = 3


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
    result.add_argument(
        "--allow_changed",
        metavar="KEY",
        nargs="+",
        action="extend",
        default=[],
        help="go on although these differ from the checkpoint: the keys as the refusal names them",
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
    batch = config.training.get("global_batch_size") or global_batch_of(last.manifest) or 0
    if run_recipe(config, tokens, batch).fingerprint != without_step(last.manifest).fingerprint:
        return None
    if checkpoint.verify(last).problem is not None:
        return None
    if is_first_rank():
        log.info("Trained (reused): %s is the end of this run. --fresh starts anew.", last.path)
    return {"stage": "train", "path": str(run), "reused": True, "checkpoint": last.name, **counts}


def train(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> tuple[dict[str, Any], int]:
    """Train or go on; returns the result and the exit code (130 or 143 after a requested stop)."""
    import torch
    from callbacks import Agreement
    from device import device_settings, use_one_gpu

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
        agreement = Agreement(args.world_size)

        # Rank 0 first: the others find torn checkpoints set aside, or the earlier run moved away.
        with args.main_process_first(desc="preparing the data"):
            if arguments.fresh and args.process_index == 0:
                _move_aside(run, logs)
            resume = None if arguments.force_cpu else _resume_point(arguments, run)
        if (step := resume.step if resume else 0) != agreement.highest(step) or -step != agreement.highest(-step):
            raise ChapbookError(f"The ranks see different checkpoints in {run}: it must be one folder for all of them.")
        configured = resolve(config.training, args.world_size, _started_with(resume))
        recipe = run_recipe(config, tokens.recipe, configured.sequences)
        if resume is not None:
            nothing_left = 0 < args.max_steps <= resume.step
            _check_resume(resume, recipe, [*arguments.allow_changed, *["training.max_steps"] * nothing_left])
            if nothing_left:
                return _nothing_left(resume, args.max_steps), 0
            if args.process_index == 0:
                go_back_to(resume, run)
        start = Start(args, recipe, MicroBatchMemory(logs / "micro_batch.json", configured), agreement, resume, logs)
        trainer, output = _train(start, config, workspace, tokens)
        state, exit_code = trainer.state, trainer.stop.exit_code or 0
        if torch.distributed.is_initialized():
            # What still holds the group must go while the other ranks are there: seen to hang when it went later.
            trainer.accelerator.free_memory()
            del trainer
            gc.collect()
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()

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
    return result, exit_code


@dataclass(frozen=True)
class Start:
    """How a training starts: what is the same on every attempt. resume: None for new weights."""

    args: RunArguments
    recipe: artifact.Recipe
    memory: MicroBatchMemory
    agreement: Agreement
    resume: checkpoint.Checkpoint | None
    logs: Path


def _train(
    start: Start, config: RunConfig, workspace: Workspace, tokens: TrainingTokens
) -> tuple[ChapbookTrainer, Any]:
    """Train to the end, over as many rollbacks as it takes; returns the trainer and its output.

    Raises ChapbookError, in one line, for every way to fail that can be foreseen.
    """
    from failures import NotFinite, explain

    run = Path(start.args.output_dir)
    counts = start.resume.manifest.counts if start.resume and start.resume.manifest else {}
    left_out: list[int] = list(counts.get("left_out", []))
    attempts: Counter[int] = Counter()
    trainer: ChapbookTrainer | None = None
    while True:
        try:
            trainer = _new_trainer(start, config, workspace, tokens, left_out)
            if start.args.process_index == 0:
                log.info(_header(trainer, start.resume))
            output = trainer.train(resume_from_checkpoint=str(start.resume.path) if start.resume else None)
            trainer.finish_saving()
            return trainer, output
        except NotFinite as error:
            assert trainer is not None
            # All ranks must find the same checkpoint to go back to.
            trainer.finish_saving()
            trainer.accelerator.wait_for_everyone()
            last = checkpoint.newest(run)
            if start.args.nonfinite_action == "stop" or last is None or attempts[last.step] == ROLLBACKS:
                if start.args.process_index:
                    # All ranks came to the same end, and the first one says so.
                    raise SystemExit(EXIT_FAILED) from error
                raise ChapbookError(
                    f"{error}{_documents(error, trainer, config, workspace)} "
                    f"Last good checkpoint: {last.path if last else 'none'}."
                ) from error
            attempts[last.step] += 1
            left_out += error.places
            start = replace(start, resume=last)
            log.warning("going back to %s; these batches are left out from now on: %s", last.name, error.places)
        except Exception as error:
            if trainer is not None:
                trainer.finish_saving()
            if isinstance(error, ChapbookError):
                raise
            last = checkpoint.newest(run)
            if (explained := explain(error, last.path if last else None)) is None:
                raise
            raise explained from error
        # Its memory is needed for the next one.
        trainer = None


def _documents(error: NotFinite, trainer: ChapbookTrainer, config: RunConfig, workspace: Workspace) -> str:
    """A sentence that names the documents in the blocks that an error is about; token files have none."""
    from failures import documents_of

    if "corpus" not in trainer.recipe.inputs:
        return ""
    corpus = workspace.corpus(config.corpus.name)
    ids = documents_of(trainer.train_dataset, error.blocks, trainer.model.config.eos_token_id, corpus)
    more = f" and {len(ids) - 20} more" if len(ids) > 20 else ""
    return f" Documents in them: {', '.join(ids[:20])}{more}."


def _new_trainer(
    start: Start, config: RunConfig, workspace: Workspace, tokens: TrainingTokens, left_out: list[int]
) -> ChapbookTrainer:
    """A trainer with fresh weights, ready to train. Raises UsageError when the text is less than one batch."""
    import transformers
    from callbacks import EvaluateBeforeSaving, MetricsFile, Progress, StopWhenAsked
    from loss import use_chunked_loss
    from sample_order import SampleOrder
    from trainer import ChapbookTrainer

    from chapbook.model import model_config, new_model
    from chapbook.tokenizer import end_of_text_id, load_tokenizer
    from chapbook.tokens import collate

    args, batch = start.args, start.memory.recall()
    # Trainer sees whole steps; see trainer.py.
    args.per_device_train_batch_size, args.gradient_accumulation_steps = batch.per_rank, 1
    train_blocks, eval_blocks = tokens.train, tokens.held_back
    if not len(eval_blocks) and args.eval_strategy != "no":
        log.warning("no block of text is held back: training without evaluation")
        args.eval_strategy = transformers.trainer_utils.IntervalStrategy.NO
    if len(train_blocks) < batch.sequences:
        raise UsageError(
            f"There are {len(train_blocks)} blocks of {train_blocks.max_length} tokens, and one step takes "
            f"{batch.sequences}: set a smaller --batch_size or --max_length."
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
    if start.resume is not None:
        check_weights(start.resume, model)
    if not use_chunked_loss(model):
        log.info("%s computes its own loss, with the logits of a whole batch in memory", config.model["model_type"])
    stop = StopWhenAsked(start.agreement)
    callbacks: list[Any] = [stop, MetricsFile(start.logs / "metrics.jsonl"), Progress()]
    if args.eval_strategy != "no":
        callbacks.append(EvaluateBeforeSaving(stop))
        if args.early_stopping_patience:
            callbacks.append(transformers.EarlyStoppingCallback(args.early_stopping_patience))
    seed = args.seed if args.data_seed is None else args.data_seed
    shuffle = args.train_sampling_strategy != "sequential"
    trainer = ChapbookTrainer(
        recipe=start.recipe,
        batch=batch,
        order=SampleOrder(len(train_blocks), batch.sequences, seed, shuffle=shuffle, left_out=left_out),
        agreement=start.agreement,
        memory=start.memory,
        resume=start.resume,
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
    _guard_reporters(trainer, start)
    if start.resume is None and batch.ranks > 1:
        trainer.seed_rank()
    trainer.start_pushes()
    return trainer


def _guard_reporters(trainer: ChapbookTrainer, start: Start) -> None:
    """Let TensorBoard, W&B and the like fail without the training; have TensorBoard forget what was lost."""
    from callbacks import Reporter
    from transformers.integrations import TensorBoardCallback

    callbacks = trainer.callback_handler.callbacks
    for number, callback in enumerate(callbacks):
        if not type(callback).__module__.startswith("transformers.integrations"):
            continue
        callbacks[number] = Reporter(callback)
        if isinstance(callback, TensorBoardCallback) and start.args.process_index == 0:
            callbacks[number].prepare(purge_after=start.resume.step if start.resume else 0)


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
    if not any(run.glob("checkpoint-*")) and not (run / checkpoint.SET_ASIDE).exists():
        return
    number = 1
    while (aside := run.with_name(f"{run.name}.{number}")).exists():
        number += 1
    run.rename(aside)
    for name in ("metrics.jsonl", "tensorboard", "micro_batch.json"):
        if (logs / name).exists():
            (logs / name).rename(aside / name)
    log.info("starting fresh; the earlier checkpoints are now in %s", aside)


def _resume_point(arguments: argparse.Namespace, run: Path) -> checkpoint.Checkpoint | None:
    """The checkpoint to go on from, or None for a new run.

    The first rank reads all of it and sets torn ones aside; the others come after it. Raises ArtifactError when the
    one that was named is missing or torn, or when there are checkpoints and none is whole.
    """
    if arguments.fresh:
        return None
    wanted = arguments.resume_from_checkpoint
    if not is_first_rank():
        return checkpoint.find(run, wanted) if wanted else checkpoint.newest(run)
    clear_remains(run)
    if wanted and wanted != "latest":
        return named(run, wanted)
    return newest_whole(run) or (checkpoint.find(run, wanted) if wanted else None)


def _started_with(resume: checkpoint.Checkpoint | None) -> int | None:
    return global_batch_of(resume.manifest) if resume and resume.manifest else None


def _check_resume(resume: checkpoint.Checkpoint, recipe: artifact.Recipe, allowed: list[str]) -> None:
    if changed := check_compatible(resume, recipe, allowed):
        log.warning("going on from %s with changes that were asked for: %s", resume.name, "; ".join(changed))


def _header(trainer: ChapbookTrainer, resume: checkpoint.Checkpoint | None) -> str:
    from device import describe

    from chapbook.model import parameter_count

    args: RunArguments = trainer.args
    blocks = len(trainer.train_dataset)
    batch = trainer.batch
    steps = args.max_steps if args.max_steps > 0 else None
    epochs = steps * batch.sequences / blocks if steps else args.num_train_epochs
    rows = [
        ("device", describe(args)),
        ("parameters", f"{parameter_count(trainer.model):,}"),
        (
            "batch per step",
            f"{batch.micro} per device x {batch.accumulation} accumulated x {batch.ranks} rank(s) = "
            f"{batch.sequences} blocks = {trainer.tokens_per_step:,} tokens",
        ),
        ("training text", f"{blocks:,} blocks of {trainer.max_length} = {blocks * trainer.max_length:,} tokens"),
        ("steps", f"{steps:,} (about {epochs:.2f} epochs)" if steps else f"{epochs:g} epochs"),
        ("start", f"goes on from {resume.path} (step {resume.step:,})" if resume else "new weights"),
    ]
    return table(f"Training {args.run_name}", ("", ""), rows)
