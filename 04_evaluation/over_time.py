"""All checkpoints of a run measured on the same text: the curve, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation_page import Cell, Figure, Table, plot, to_html, to_markdown
from measurement import RESULTS, Evaluation, Job

from chapbook import artifact

FORMAT_VERSION = 1
FIVE_GRAM = 5


def write(job: Job, evaluations: Sequence[Evaluation], missing: Sequence[str]) -> Evaluation:
    """Put the evaluations of a run's checkpoints, in order, side by side. missing: names of those deleted meanwhile."""
    name = "over-time" + (f"-{job.data.resolve().stem}" if job.data else "")
    directory = job.workspace.evaluation(job.config.name, name)
    recipe = artifact.Recipe(
        kind="evaluations over time",
        format_version=FORMAT_VERSION,
        config={"missing": list(missing)},
        inputs={f"{one.results['checkpoint']}": one.fingerprint for one in evaluations},
    )

    def build(path: Path) -> dict[str, Any]:
        results = _results(job, evaluations, missing)
        (path / RESULTS).write_text(json.dumps(results, indent=2, allow_nan=False) + "\n", "utf-8")
        title = f"{job.config.name}: {len(evaluations)} checkpoints on {results['split']}"
        blocks = _blocks(results)
        (path / "report.html").write_text(to_html(results, blocks, title), "utf-8")
        (path / "report.md").write_text(to_markdown(results, blocks, title), "utf-8")
        return {"checkpoints": len(evaluations)}

    manifest, reused = artifact.ensure(directory, recipe, build)
    results = json.loads((directory / RESULTS).read_text("utf-8"))
    return Evaluation(directory, results, manifest.fingerprint, reused)


def _results(job: Job, evaluations: Sequence[Evaluation], missing: Sequence[str]) -> dict[str, Any]:
    last = evaluations[-1].results
    points = [
        {
            "checkpoint": one.results["checkpoint"],
            "step": one.results["step"],
            **{key: one.results["total"][key] for key in ("bits_per_byte", "loss", "perplexity", "accuracy")},
            **(
                {"interval": intervals["bits_per_byte"]}
                if (intervals := one.results["confidence"].get("intervals"))
                else {}
            ),
        }
        for one in evaluations
    ]
    five = [row for row in last["floors"]["rows"] if row.get("order") == FIVE_GRAM]
    return {
        "schema": FORMAT_VERSION,
        "mode": "over time",
        "run": job.config.name,
        "split": last["split"],
        "checkpoints": points,
        "missing": list(missing),
        "five_gram_bits_per_byte": five[0]["bits_per_byte"] if five else None,
        "truth_bits_per_byte": last["total"].get("floor_bits_per_byte"),
        "advice": last["advice"],
    }


def _blocks(results: dict[str, Any]) -> list[Table | str]:
    points = results["checkpoints"]
    curves = {"model": [(point["step"], point["bits_per_byte"]) for point in points]}
    if (five := results["five_gram_bits_per_byte"]) is not None:
        curves["5-gram"] = [(point["step"], five) for point in points]
    rows: list[list[Cell]] = []
    for number, point in enumerate(points):
        place = f"/checkpoints/{number}"
        ends: list[Cell] = [Figure(f"{place}/interval/{end}", ".4f") if "interval" in point else "" for end in (0, 1)]
        figures = (("step", ",d"), ("bits_per_byte", ".4f"))
        more = (("loss", ".4f"), ("perplexity", ".2f"), ("accuracy", ".1%"))
        rows.append(
            [
                point["checkpoint"],
                *(Figure(f"{place}/{key}", form) for key, form in figures),
                *ends,
                *(Figure(f"{place}/{key}", form) for key, form in more),
            ]
        )
    columns = ("checkpoint", "step", "bits per byte", "from", "to", "loss", "perplexity", "next token right")
    notes = [f"{name} was deleted by training before it was read." for name in results["missing"]]
    lines: list[list[Cell]] = [
        [Figure(f"/advice/{number}/{name}") for name in ("action", "because", "rule")]
        for number in range(len(results["advice"]))
    ]
    return [
        plot("Bits per byte over training", curves, "steps", "bits per byte"),
        Table("", columns, rows, notes, bars=2),
        Table("What to do next", ("do", "because", "rule"), lines, words=True),
    ]
