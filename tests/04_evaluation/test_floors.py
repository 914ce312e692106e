"""The table of floors: the same bytes, trained on the training split alone, and in the right order."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from floors import COMPRESSORS, ppm_sizes, training_documents
from handmade import constant_model
from support import Run

from chapbook.corpus import Document, read_shards


def test_compressors_on_text_whose_content_is_known() -> None:
    """Would break: a compressor that is given other bytes, or whose size is not what it would write."""
    letters = random.Random(1).choices("abcdefghijklmnop", k=60_000)
    text = "".join(letters).encode()
    for compressor in COMPRESSORS:
        # 16 letters drawn evenly hold 4 bits each. Nothing can be below; gzip takes chance for repetition: 4.63.
        assert 4.0 <= 8 * compressor.size(text) / len(text) < 4.7, compressor.name
    alone, after_other = ppm_sizes(text, b"something else entirely. " * 40)
    assert 3.99 < 8 * alone / len(text) < 4.6
    assert after_other == pytest.approx(alone, rel=0.01)


def test_after_a_copy_nothing_is_new() -> None:
    """Would break: "after the training text" that does not look at the training text."""
    text = "".join(random.Random(2).choices("abcdefghijklmnop ", k=30_000)).encode()
    alone, after = ppm_sizes(text, text)
    assert after < 0.1 * alone
    assert ppm_sizes(text, b"")[1] == alone
    for compressor in COMPRESSORS[1:]:
        assert len(text) * 2 <= compressor.reaches
        assert compressor.size(text + text) - compressor.size(text) < 0.05 * compressor.size(text), compressor.name


def test_training_text_is_bounded_and_taken_evenly(tokens_run: Run) -> None:
    """Would break: a floor from the first book alone, or minutes of n-grams from gigabytes."""
    corpus = tokens_run.workspace / "corpora" / "tiny"
    every = [document.text for document in read_shards(corpus / "train", Document)]
    texts, available = training_documents(corpus, 10**9)
    assert texts == every and available == sum(len(text.encode()) for text in every)
    few, _ = training_documents(corpus, available // 5)
    longest = max(len(text.encode()) for text in every)
    assert available / 5 - longest <= sum(len(text.encode()) for text in few) <= available / 5 + longest
    places = [every.index(text) for text in few]
    assert np.mean(places) == pytest.approx(len(every) / 2, rel=0.1)
    held_back = {document.text for document in read_shards(corpus / "validation", Document)}
    assert not held_back & set(texts)
    first, _ = training_documents(corpus, 100)
    assert [len(text.encode()) for text in first] == [100], "one document longer than the limit is cut to it"


def test_byte_model_equals_the_floor(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: bits per byte that depend on the tokenizer, or two meanings of a byte in one table.

    A byte tokenizer with a real GPT-2 that always predicts the byte frequencies of the training text is the floor
    "unigram of bytes", and both equal the sum written out by hand.
    """
    import torch
    from context import Context
    from floors import measure
    from language_modelling import score_documents
    from tokenizers import Tokenizer, models, pre_tokenizers

    from chapbook.config import load_config
    from chapbook.workspace import Workspace

    corpus = tokens_run.workspace / "corpora" / "tiny"
    documents = list(read_shards(corpus / "validation", Document))[:8]
    documents[0].text += " naïve £5 — “quoted” 😀"
    training, _ = training_documents(corpus, 10**9)
    counts = np.bincount(np.frombuffer("".join(training).encode(), np.uint8), minlength=256) + 1
    share = counts / counts.sum()

    # How byte-level tokenizers write bytes: printable Latin-1 letters as they are, the others from U+0100 on.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {value: chr(value) for value in printable}
    letters |= {value: chr(256 + n) for n, value in enumerate(v for v in range(256) if v not in letters)}
    ids = {letters[value]: value for value in range(256)} | {"<|endoftext|>": 256}
    tokenizer = Tokenizer(models.BPE(ids, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    assert tokenizer.encode("£5 😀").ids == list("£5 😀".encode())
    model = constant_model(torch.tensor([*np.log(share), -1e4]))

    scores = list(score_documents(model, tokenizer, documents, 256, batch_size=4))
    held_back = "".join(document.text for document in documents).encode()
    by_hand = float(-np.log2(share)[np.frombuffer(held_back, np.uint8)].mean())
    by_model = sum(score.nats for score in scores) / math.log(2) / sum(score.bytes for score in scores)
    assert by_model == pytest.approx(by_hand, rel=1e-5)

    context = Context(
        checkpoint=tmp_path, model=model, tokenizer=tokenizer, end_of_text=256,
        config=load_config(tokens_run.config, {}), workspace=Workspace(tokens_run.workspace), corpus=corpus,
        split="validation", documents=documents, device="cpu", seed=1, quick=False, output=tmp_path,
    )  # fmt: skip
    floors = measure(context, scores)
    rows = {row["name"]: row for row in floors["rows"]}
    assert rows["unigram of bytes"]["bits_per_byte"] == pytest.approx(by_hand, rel=1e-9)
    assert rows["this model"]["bits_per_byte"] == pytest.approx(by_model, rel=1e-9)
    assert floors["bytes"] == len(held_back) and floors["training_bytes_per_token"] == pytest.approx(1.0)
    # What sees more is not worse, and a text is easier after one of its kind.
    in_order = [rows[name]["bits_per_byte"] for name in (
        "unigram of bytes", "2-gram of tokens, Kneser-Ney", "3-gram of tokens, Kneser-Ney",
        "5-gram of tokens, Kneser-Ney",
    )]  # fmt: skip
    assert in_order == sorted(in_order, reverse=True)
    for name in ("PPMd", "xz -9", "zstd -22"):
        assert rows[f"{name}, after the training text"]["bits_per_byte"] < 0.7 * rows[name]["bits_per_byte"]
    assert "gzip -9, after the training text" not in rows, "gzip sees 32 KB: after a longer text means nothing"
    against = rows["5-gram of tokens, Kneser-Ney"]["model_minus_this"]
    assert against["difference"] == pytest.approx(by_model - rows["5-gram of tokens, Kneser-Ney"]["bits_per_byte"])
    assert against["interval"][0] > 0 and against["p_value"] < 0.01
