"""find_learning_rate.py: a suggestion that rests on real trainings."""

from __future__ import annotations

import json
from pathlib import Path

from support import ROOT, Run, start

SCRIPT = ROOT / "03_training" / "find_learning_rate.py"


def test_range_test_finds_a_rate_that_learns(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a suggestion from a loss that was never measured, or a test that goes on after it has exploded."""
    run = tokens_run.copy(tmp_path)
    done = start(SCRIPT, "--config", run.config, "--steps", 60, "--json", workspace=run.workspace)
    found = json.loads(done.stdout.splitlines()[-1])
    rates, losses = zip(*found["points"], strict=True)
    assert list(rates) == sorted(rates) and rates[0] == 1e-6
    # A model of this size learns between 1e-3 and 1e-1; far below nothing happens.
    assert 1e-3 <= found["suggestion"] <= 1e-1
    assert min(losses) < losses[0] - 0.05
    page = (run.workspace / "runs" / "tiny" / "learning_rate" / "report.html").read_text("utf-8")
    assert "<svg" in page and found["advice"] in page
    assert not (run.workspace / "checkpoints" / "tiny").exists()


def test_grid_trains_each_rate_and_goes_on_where_it_was(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: arms that share weights or data order, a best one that is not, a sweep that begins anew."""
    run = tokens_run.copy(tmp_path)
    words = (SCRIPT, "--config", run.config, "--steps", 10, "--rates", "1e-5", "1e-2", "--json")
    found = json.loads(start(*words, workspace=run.workspace).stdout.splitlines()[-1])
    low, high = found["trials"]
    assert high["eval_loss"] < low["eval_loss"] and found["suggestion"] == 1e-2
    assert "at the edge of the grid: try higher" in found["advice"]
    manifest = run.workspace / "checkpoints" / "tiny.lr-1.0e-02-batch-4" / "checkpoint-10" / "manifest.json"
    assert json.loads(manifest.read_text())["counts"]["eval_loss"] == high["eval_loss"]
    written = manifest.stat().st_mtime_ns
    again = json.loads(start(*words, workspace=run.workspace).stdout.splitlines()[-1])
    assert manifest.stat().st_mtime_ns == written and again["suggestion"] == 1e-2


def test_what_makes_no_sense_is_refused(tokens_run: Run) -> None:
    """Would break: a grid without rates, or a verdict from three steps."""
    for flags, message in ((("--steps", 3), "too few"), (("--batch_sizes", 8), "give --rates too")):
        done = start(SCRIPT, "--config", tokens_run.config, *flags, workspace=tokens_run.workspace, code=2)
        assert message in done.stderr
