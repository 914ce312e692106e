"""The measure: every token once, exact bytes, and the same loss that training sees."""

from __future__ import annotations

import math

import pytest
import torch
from handmade import successor_model
from language_modelling import score_documents, summarise, windows
from support import Run
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from chapbook.corpus import Document, read_shards
from chapbook.tokenizer import end_of_text_id, load_tokenizer


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
    # Among equally likely tokens a guess is a draw.
    assert total["accuracy"] == pytest.approx(1 / 400) and total["top5_accuracy"] == pytest.approx(5 / 400)
    words = sum(len(document.text.split()) for document in texts)
    assert math.log(total["word_perplexity"]) == pytest.approx(tokens * math.log(400) / words, rel=1e-5)
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


def test_equals_the_trainers_evaluation_loss(trained_run: Run) -> None:
    """Would break: two losses under one name. The real Trainer on the run's own blocks."""
    from datasets import load_from_disk
    from language_modelling import Window, _score_batch
    from transformers import Trainer, TrainingArguments, default_data_collator

    from chapbook.checkpoint import load_model

    model = load_model(trained_run.checkpoints / "checkpoint-8")
    blocks = load_from_disk(str(trained_run.workspace / "pretokenized" / "tiny-400-32" / "eval")).with_format(None)
    rows = [list(row["input_ids"]) for row in blocks]
    nats = 0.0
    for start in range(0, len(rows), 16):
        batch = [Window(0, ids, 1, begins=False) for ids in rows[start : start + 16]]
        nats += sum(float(one.sum()) for one, _, _ in _score_batch(model, batch, 0, 400))
    ours = nats / sum(len(ids) - 1 for ids in rows)
    arguments = TrainingArguments(
        output_dir=str(trained_run.workspace / "unused"), use_cpu=True, per_device_eval_batch_size=16, report_to=[]
    )

    def trainers(first_label: int | None) -> float:
        labels = [[ids[0] if first_label is None else first_label, *ids[1:]] for ids in rows]
        data = [{"input_ids": ids, "labels": wanted} for ids, wanted in zip(rows, labels, strict=True)]
        trainer = Trainer(model, arguments, eval_dataset=data, data_collator=default_data_collator)
        return float(trainer.evaluate()["eval_loss"])

    assert ours == pytest.approx(trainers(-100), abs=1e-5)
    # The first token of a block is predicted from nothing and has no loss, but Trainer divides by it too unless its
    # label says that it is none.
    assert ours * 31 / 32 == pytest.approx(trainers(None), abs=1e-5)


def test_rows_beyond_the_tokenizer_never_count(trained_run: Run, tokenizer: Tokenizer) -> None:
    """Would break: a vocabulary padded for speed that takes probability from the tokens there are."""
    from chapbook.checkpoint import load_model

    model = load_model(trained_run.checkpoints / "checkpoint-8")
    texts = documents(trained_run)[:4]
    before = [
        (score.nats, score.correct, score.top5) for score in score_documents(model, tokenizer, texts, 0, batch_size=4)
    ]
    model.resize_token_embeddings(448, mean_resizing=False)
    with torch.no_grad():
        # Rows like those of real tokens, but larger: counted, they would be the likeliest everywhere.
        model.transformer.wte.weight[400:] = 10 * model.transformer.wte.weight[:48]
    after = [(score.nats, score.correct, score.top5) for score in score_documents(model, tokenizer, texts, 0, 4)]
    for one, other in zip(before, after, strict=True):
        assert other == pytest.approx(one, rel=1e-6)


def test_model_that_knows_the_text_is_never_wrong() -> None:
    """Would break: a figure that does not reach its best value for the best model there is."""
    from language_modelling import PositionLoss, confidence
    from tokenizers import models, pre_tokenizers

    letters = "abcdefghij"
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)} | {"<|endoftext|>": 10}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    model = successor_model([*range(1, 10), 0, 0])
    texts = [
        Document(id=str(n), source="s", sha256="", text=(letters * 30)[: 100 + 37 * n], date="1742") for n in range(5)
    ]
    positions = PositionLoss(64)
    scores = list(score_documents(model, tokenizer, texts, 10, batch_size=3, positions=positions))
    total = summarise(scores)
    assert total["accuracy"] == 1.0 and total["top5_accuracy"] == 1.0
    assert total["bits_per_byte"] < 1e-6 and total["perplexity"] == pytest.approx(1.0, abs=1e-6)
    sure = confidence(scores, 1_000, 1)
    assert sure["intervals"]["accuracy"] == [1.0, 1.0] and sure["intervals"]["bits_per_byte"][1] < 1e-6
    octaves = positions.octaves()
    # Beginnings and whole windows inside: every position of the context, none twice in a curve.
    for rows in octaves.values():
        assert [row["seen_from"] for row in rows] == [1, 2, 4, 8, 16, 32]
        assert rows[-1]["seen_to"] == 64 and all(row["loss"] < 1e-6 for row in rows)
    inside = {row["tokens"] // (row["seen_to"] - row["seen_from"] + 1) for row in octaves["inside"]}
    assert len(inside) == 1, "inside documents each position has the same number of tokens"
    # The wrong successor everywhere: as bad as it can be.
    wrong = successor_model([*range(2, 10), 0, 1, 1])
    assert summarise(list(score_documents(wrong, tokenizer, texts, 10, batch_size=3)))["accuracy"] == 0.0
