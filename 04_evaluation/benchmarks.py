"""Standard benchmarks by name (`evaluation.tasks`): HellaSwag, LAMBADA, MMLU and whatever the harness knows.

Their texts are modern and their data come from the Hugging Face Hub: online the harness fetches them, offline they
must lie in the datasets cache (HF_HOME) or be task files of your own (`evaluation.task_folder`).
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from context import Context
from knowledge import PORTABLE, run_tasks
from proportion import percent, share

from chapbook.report import html_table


def measure(context: Context) -> dict[str, Any]:
    """The metrics of each task, with standard errors and the chance level where choices are given.

    Raises ChapbookError without the harness, for an unknown task and for one whose data cannot be loaded.
    """
    settings = context.config.evaluation
    found = run_tasks(
        context,
        settings.tasks,
        limit=settings.task_items or None,
        few_shot=settings.few_shot,
        folder=Path(settings.task_folder) if settings.task_folder else None,
        shipped=True,
    )
    tasks = {}
    for name, samples in found["samples"].items():
        tasks[name] = {
            "items": len(samples),
            "examples": found["portable"]["n-shot"].get(name, 0),
            "version": found["portable"]["versions"].get(name),
            "chance": _chance(samples),
            "metrics": _numbers(found["portable"]["results"][name]),
            "shares": {
                metric: share(round(sum(sample[metric] for sample in samples)), len(samples))
                for metric in samples[0]["metrics"]
                # Of items that are right or wrong the interval is known; other figures stand without one.
                if all(sample[metric] in (0, 1) for sample in samples)
            },
        }
    return {
        "harness": found["harness"],
        **{key: found[key] for key in PORTABLE if key in found},
        "left_out": f"all but the first {settings.task_items} items of each task" if settings.task_items else None,
        "tasks": tasks,
        "totals": {name: _numbers(figures) for name, figures in found["portable"].get("groups", {}).items()},
        **found["portable"],
    }


def _numbers(figures: dict[str, Any]) -> dict[str, float]:
    """The harness's metrics of one task or group, without standard errors (it is asked for none)."""
    return {
        name.removesuffix(",none"): value
        for name, value in figures.items()
        if isinstance(value, int | float) and name.endswith(",none") and "_stderr" not in name
    }


def _chance(samples: list[dict[str, Any]]) -> float | None:
    """What guessing gets: the mean of 1 / choices; None where a task gives no choices."""
    choices = [len(sample["doc"].get("choices", ())) or len(sample["arguments"]) for sample in samples]
    return sum(1 / number for number in choices) / len(choices) if min(choices) > 1 else None


def page(result: dict[str, Any]) -> str:
    """Each task's metrics with interval and chance level."""
    rows = []
    for name, task in result["tasks"].items():
        chance = "no choices" if task["chance"] is None else f"{task['chance']:.1%}"
        for metric, value in task["metrics"].items():
            figure = percent(task["shares"][metric]) if metric in task["shares"] else f"{value:.4f}"
            rows.append((name, metric, figure, chance, task["items"], task["examples"]))
    rows += [
        (f"{name} (all)", metric, f"{value:.4f}", "", "", "")
        for name, metrics in result["totals"].items()
        for metric, value in metrics.items()
    ]
    notes = [
        "A small model trained from scratch sits at chance in these; what it shows there is not knowledge. "
        f"Scored by {result['harness']}; intervals (95%, Wilson) where an item is right or wrong."
    ]
    if result["left_out"]:
        notes.append(f"Left out: {result['left_out']}.")
    columns = ("task", "metric", "value", "chance", "items", "examples")
    return html_table("Benchmarks", columns, rows) + "".join(f"<p>{html.escape(note)}</p>" for note in notes)
