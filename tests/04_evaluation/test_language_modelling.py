"""The measure: every token once, exact bytes, and the same loss that training sees."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from language_modelling import score_documents, summarise, windows
from support import Run, result
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from chapbook.corpus import Document, read_shards
from chapbook.tokenizer import end_of_text_id, load_tokenizer

SCRIPT = "04_evaluation/run_evaluation.py"


@pytest.fixture(scope="module")
def tokenizer(tokens_run: Run) -> Tokenizer:
    return load_tokenizer(tokens_run.workspace / "tokenizers" / "tiny-400")


def documents(run: Run) -> list[Document]:
    return list(read_shards(run.workspace / "corpora" / "tiny" / "validation", Document))


@pytest.mark.parametrize("context", [2, 7, 32])
@pytest.mark.parametrize("length", [1, 6, 7, 8, 31, 32, 33, 100])
def test_each_token_is_scored_once_with_half_a_context_before_it(length: int, context: int) -> None:
    """Would break: tokens counted twice or not at all, or scored without what stands before them."""
    ids = list(range(1, length + 1))
    scored = []
    for window in windows(0, ids, 0, context):
        assert len(window.ids) <= context + 1
        start = window.ids[0]
        scored += window.ids[window.first :]
        # What is scored first has half a context, or everything there is, before it.
        assert window.first >= min(context // 2, window.ids[window.first] - start) and window.first >= 1
    assert scored == ids


def test_uniform_model_has_the_vocabulary_as_perplexity(tokens_run: Run, tokenizer: Tokenizer) -> None:
    """Would break: a wrong base, a token too many, padding counted."""
    model = GPT2LMHeadModel(GPT2Config(vocab_size=400, n_positions=32, n_layer=1, n_head=1, n_embd=8)).eval()
    torch.nn.init.zeros_(model.transformer.wte.weight)
    texts = documents(tokens_run)[:5]
    scores = list(score_documents(model, tokenizer, texts, 0, batch_size=3))
    total = summarise(scores)
    assert total["perplexity"] == pytest.approx(400, rel=1e-5)
    assert total["bytes"] == sum(len(document.text.encode()) for document in texts)
    tokens = sum(len(tokenizer.encode(document.text).ids) for document in texts)
    assert total["tokens"] == tokens
    assert total["bits_per_byte"] == pytest.approx(tokens * math.log2(400) / total["bytes"], rel=1e-5)
    assert [score.id for score in scores] == [document.id for document in texts]


def test_batching_changes_nothing(trained_run: Run, tokenizer: Tokenizer) -> None:
    """Would break: a loss that depends on which documents share a batch."""
    from chapbook.checkpoint import load_model

    model = load_model(trained_run.checkpoints / "checkpoint-8")
    end = end_of_text_id(tokenizer)
    texts = documents(trained_run)[:6]
    alone = [score.nats for score in score_documents(model, tokenizer, texts, end, batch_size=1)]
    together = [score.nats for score in score_documents(model, tokenizer, texts, end, batch_size=7)]
    assert together == pytest.approx(alone, rel=1e-5)


def test_equals_stock_loss(trained_run: Run, tokenizer: Tokenizer) -> None:
    """Would break: our loss is another one than GPT2LMHeadModel's on the same tokens."""
    from chapbook.checkpoint import load_model

    model = load_model(trained_run.checkpoints / "checkpoint-8")
    end = end_of_text_id(tokenizer)
    document = Document(id="x", source="s", sha256="", text=documents(trained_run)[0].text[:40])
    ids = [end, *tokenizer.encode(document.text).ids]
    assert len(ids) <= 32
    score = next(score_documents(model, tokenizer, [document], end, batch_size=1))
    with torch.inference_mode():
        stock = model(torch.tensor([ids]), labels=torch.tensor([ids])).loss.item()
    assert score.nats / score.tokens == pytest.approx(stock, rel=1e-5)


def test_results_page_and_floor(trained_run: Run, tmp_path: Path) -> None:
    """Would break: the page or the comparison with the generator's true entropy."""
    run = trained_run.copy(tmp_path)
    found = result(run.script(SCRIPT, "--json"))
    total = found["total"]
    assert found["checkpoint"] == "checkpoint-8"
    assert 0.2 < total["floor_bits_per_byte"] < 1.0
    # A model of 8 steps is far above the floor; below it would be a bug in one of the two.
    assert total["model_bits_per_byte_there"] > total["floor_bits_per_byte"]
    directory = Path(found["path"])
    assert json.loads((directory / "results.json").read_text())["total"] == total
    page = (directory / "report.html").read_text()
    assert f"{total['bits_per_byte']:.4f}" in page and "<script" not in page and "http" not in page
    assert result(run.script(SCRIPT, "--json"))["reused"] is True
    assert result(run.script(SCRIPT, "--json", "--checkpoint", "checkpoint-4"))["checkpoint"] == "checkpoint-4"


def test_what_cannot_be_measured(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a missing split, a missing checkpoint or a broken model ends in a figure or a traceback."""
    run = trained_run.copy(tmp_path)
    done = run.script(SCRIPT, "--evaluation.split", "test", code=3)
    assert "The test split" in done.stderr and "corpus.test_share" in done.stderr
    done = run.script(SCRIPT, "--checkpoint", "checkpoint-5", code=3)
    assert "These would work: checkpoint-4, checkpoint-8" in done.stderr
    _make_nan(run.checkpoints / "checkpoint-8")
    done = run.script(SCRIPT, "--checkpoint", "checkpoint-8", code=1)
    assert "is nan: the model in" in done.stderr
    shutil.rmtree(run.checkpoints)
    assert "no complete checkpoint" in run.script(SCRIPT, code=3).stderr


def _make_nan(path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from chapbook import artifact

    weights = load_file(path / "model.safetensors")
    weights["transformer.ln_f.weight"][0] = float("nan")
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    manifest = artifact.read_manifest(path)
    assert manifest is not None
    artifact.write_manifest(path, manifest.recipe, manifest.counts)
