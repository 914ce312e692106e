"""What the model knows: the task group `london_history`, run by lm-evaluation-harness on the loaded model.

The harness (Gao et al. 2023) scores each choice by its log-likelihood after the prompt; the likeliest is the answer.
Chance is 1 in 4, and each score stands beside it with its 95% interval (Wilson 1927). The same figures come from

    lm_eval run --model hf --model_args pretrained=CHECKPOINT,dtype=float32 --tasks london_history
        --include_path 04_evaluation/tasks

`run_tasks` runs any other task of the harness by its name; benchmarks.py uses it.
"""

from __future__ import annotations

import html
import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from functools import cache
from pathlib import Path
from typing import Any

from context import Context
from proportion import percent, share
from tasks.london_history.items import CATEGORIES, CHOICES

from chapbook.errors import ChapbookError
from chapbook.report import html_table

GROUP = "london_history"
TASKS = Path(__file__).resolve().parent / "tasks"
ANSWERS = "knowledge.jsonl"
# A model of a few million parameters answers an item in 20 ms on a CPU.
QUICK_ITEMS = 20
# The parts of the harness's own result that do not depend on the machine, its paths or its clock.
PORTABLE = ("results", "groups", "versions", "n-shot", "higher_is_better", "n-samples")


def measure(context: Context) -> dict[str, Any]:
    """Accuracy in each category and in all. In quick mode on the first `QUICK_ITEMS` items of each.

    Each item with the model's answer goes to knowledge.jsonl. Raises ChapbookError without the harness.
    """
    found = run_tasks(context, [GROUP], limit=QUICK_ITEMS if context.quick else None)
    categories, answers = {}, []
    for category in CATEGORIES:
        samples = sorted(found["samples"][f"{GROUP}_{category}"], key=lambda sample: sample["doc_id"])
        categories[category] = _score(samples)
        answers += [_answer(category, sample) for sample in samples]
    lines = [json.dumps(answer, ensure_ascii=False) for answer in answers]
    (context.output / ANSWERS).write_text("\n".join(lines) + "\n", "utf-8")
    lengths = _lengths(context, found)
    return {
        "task": GROUP,
        "harness": found["harness"],
        **{key: found[key] for key in PORTABLE if key in found},
        "chance": 1 / CHOICES,
        "items": len(answers),
        "left_out": f"all but the first {QUICK_ITEMS} items of each category" if context.quick else None,
        "items_cut": sum(length > context.model.config.max_position_embeddings for length in lengths),
        **_score([sample for samples in found["samples"].values() for sample in samples]),
        "categories": categories,
        "answers": ANSWERS,
        **found["portable"],
    }


def _score(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "accuracy": share(round(sum(sample["acc"] for sample in samples)), len(samples)),
        "accuracy_per_character": share(round(sum(sample["acc_norm"] for sample in samples)), len(samples)),
    }


def _answer(category: str, sample: dict[str, Any]) -> dict[str, Any]:
    document = sample["doc"]
    likelihoods = [response[0] for response in sample["filtered_resps"]]
    chosen = max(range(len(likelihoods)), key=likelihoods.__getitem__)
    return {
        "id": document["id"],
        "category": category,
        "prompt": document["prompt"],
        "choices": document["choices"],
        "answer": document["answer"],
        "chosen": chosen,
        "log_likelihoods": likelihoods,
    }


def _lengths(context: Context, found: dict[str, Any]) -> Iterator[int]:
    """The tokens of each item with its longest choice; what exceeds the context is cut from the left."""
    for samples in found["samples"].values():
        for sample in samples:
            # What was asked: (prompt, choice) pairs.
            texts = [prompt + choice for prompt, choice in sample["arguments"]]
            yield max(len(ids.ids) for ids in context.tokenizer.encode_batch(texts, add_special_tokens=False))


def run_tasks(
    context: Context,
    names: list[str],
    *,
    limit: int | None = None,
    few_shot: int | None = None,
    folder: Path | None = None,
    shipped: bool = False,
) -> dict[str, Any]:
    """Run tasks of the harness on the model of `context`.

    limit: items of each task, the first ones (None: all). few_shot: examples before each item (None: as the task
    says). folder: where to look for task files beside our own. shipped: also know the tasks that come with the
    harness. Returns `portable`, those parts of its result that belong into ours, and `samples`: task -> its items with
    what the model gave.
    Raises ChapbookError without the harness, for an unknown task and for one whose data cannot be loaded.
    """
    lm_eval = _harness()
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoTokenizer

    with _quiet():
        include = [str(TASKS), *([str(folder)] if folder else [])]
        manager = _manager(tuple(include), shipped)
        unknown = [name for name in names if name not in manager.all_tasks]
        if unknown:
            raise ChapbookError(
                f"The harness knows no task {', '.join(unknown)}. List those it ships with: lm_eval ls tasks; "
                "for task files of your own set evaluation.task_folder."
            )
        model = HFLM(
            pretrained=context.model,
            tokenizer=AutoTokenizer.from_pretrained(context.checkpoint, local_files_only=True),
            # Items are short: as many tokens in a batch as windows of the whole context have.
            batch_size=context.config.evaluation.batch_size
            * max(1, context.model.config.max_position_embeddings // 64),
        )
        try:
            found = lm_eval.simple_evaluate(
                model=model,
                tasks=names,
                num_fewshot=few_shot,
                limit=limit,
                # For metrics without a closed standard error.
                bootstrap_iters=1_000,
                task_manager=manager,
                random_seed=context.seed,
                numpy_random_seed=context.seed,
                torch_random_seed=context.seed,
                fewshot_random_seed=context.seed,
            )
        except (OSError, ValueError) as error:  # what `datasets` raises for data that is not there
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ChapbookError(
                f"The task {', '.join(names)} cannot be run: {reason}. Offline, its data must lie in the datasets "
                "cache (HF_HOME) of this machine: run the task once online, or copy that folder from where it was."
            ) from error
    return {
        "portable": {key: found[key] for key in PORTABLE if key in found},
        "harness": f"lm-evaluation-harness {lm_eval.__version__}",
        "samples": found["samples"],
    }


@cache
def _manager(folders: tuple[str, ...], shipped: bool) -> Any:
    """The harness's list of tasks; that of the shipped ones takes seconds to make."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=list(folders), include_defaults=shipped)


def _harness() -> Any:
    try:
        import lm_eval
    except ModuleNotFoundError as error:
        raise ChapbookError(
            "Historical knowledge and benchmarks are measured by lm-evaluation-harness, which is not installed. "
            "Install it: .venv/bin/python -m pip install -e '.[harness]'"
        ) from error
    return lm_eval


@contextmanager
def _quiet() -> Iterator[None]:
    """The harness reports its own defaults as warnings, one for each task, and draws bars where there is no terminal.

    Errors are still shown.
    """
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def verdict(figure: dict[str, Any], chance: float) -> str:
    """What a score means beside chance: `above chance`, `below chance` or `at chance`."""
    low, high = figure["interval"]
    return "above chance" if low > chance else "below chance" if high < chance else "at chance"


def page(result: dict[str, Any]) -> str:
    """The scores by category with their intervals, chance first."""
    rows = [
        (
            name,
            figures["accuracy"]["total"],
            percent(figures["accuracy"]),
            f"{result['chance']:.0%}",
            # Of six categories one leaves its interval by chance alone in every fourth run: only the sum is judged.
            verdict(figures["accuracy"], result["chance"]) if name == "all" else "",
            percent(figures["accuracy_per_character"]),
        )
        for name, figures in [("all", result), *result["categories"].items()]
    ]
    notes = [
        f"Four choices each: guessing gives {result['chance']:.0%}, whatever the text. A small model trained from "
        "scratch sits there until it has read about these things; a score whose interval holds chance shows no "
        f"knowledge. Scored by {result['harness']}, task {result['task']}; every answer stands in {result['answers']}."
    ]
    if result["items_cut"]:
        notes.append(f"{result['items_cut']} items are longer than the model's context and lost their beginning.")
    if result["left_out"]:
        notes.append(f"Left out: {result['left_out']}.")
    columns = ("category", "items", "right (95% interval)", "chance", "verdict", "right by likelihood per character")
    return html_table("Historical knowledge", columns, rows) + "".join(f"<p>{html.escape(note)}</p>" for note in notes)
