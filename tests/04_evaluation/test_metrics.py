"""The modules for `evaluate.load`: offline, from a local path, equal to what the stage measures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, environment

METRICS = ROOT / "04_evaluation" / "metrics"


def test_load_offline_and_equal_the_stage(tmp_path: Path) -> None:
    """Would break: a metric that needs the Hub, counts characters for bytes, or is the mean of documents."""
    # In a process of its own: `evaluate` reads at import whether it may go online.
    code = f"""
import evaluate
from language_modelling import DocumentScore, summarise
texts = ["Fish — £5 the lot.", "a", "Two  words"]
nats = [12.5, 0.25, 7.0]
scores = [DocumentScore(str(n), "s", len(t.encode()), 3, words=len(t.split()), nats=x)
          for n, (t, x) in enumerate(zip(texts, nats))]
total = summarise(scores)
both = evaluate.combine(["{METRICS}/bits_per_byte", "{METRICS}/word_perplexity"])
found = both.compute(predictions=nats, references=texts)
assert abs(found["bits_per_byte"] - total["bits_per_byte"]) < 1e-12, (found, total)
assert abs(found["word_perplexity"] - total["word_perplexity"]) < 1e-9, (found, total)
assert (found["bytes"], found["words"]) == (32, 8), found
one = evaluate.load("04_evaluation/metrics/bits_per_byte")
for text, x in zip(texts, nats):
    one.add(prediction=x, reference=text)
assert one.compute() == {{k: found[k] for k in ("bits_per_byte", "bytes")}}
try:
    one.compute(predictions=[1.0], references=[""])
except ValueError as error:
    print(error)
"""
    settings = environment(tmp_path, HF_HOME=str(tmp_path), HF_DATASETS_OFFLINE="1", HF_EVALUATE_OFFLINE="1")
    settings["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "04_evaluation")])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "there is no text: bits per byte of nothing is not defined"


@pytest.mark.parametrize("name", ["bits_per_byte", "word_perplexity"])
def test_folder_and_file_have_one_name(name: str) -> None:
    """Would break: `evaluate.load` on a folder, which looks for a file of the same name."""
    assert (METRICS / name / f"{name}.py").is_file()
