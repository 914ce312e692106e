"""The tokenizer: lossless, deterministic, loadable by stock transformers."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import Run, files_hash
from train_tokenizer import PATTERNS, cut_pieces

from chapbook.corpus import read_texts
from chapbook.errors import ArtifactError
from chapbook.tokenizer import END_OF_TEXT, encode_documents, end_of_text_id, load_tokenizer

NASTY = [
    "",
    " ",
    "\n\n\n",
    "\r\n\t\r",
    "\x00\x01\x7f\x85\u2028",
    "a" * 5_000,
    "Déjà vu, naïve œuvre, ſhort ſ",
    "שלום עולם مرحبا",
    "日本語テキスト",
    "👩‍👩‍👧‍👦🏴‍☠️",
    "\ud7ff\ue000\ufffd\U0001f600\U0010ffff",
    f"a literal {END_OF_TEXT} in the text{END_OF_TEXT}",
    "£3. 4s. 6d. -- 1,234,567 don't DON'T",
]


def test_round_trip_is_exact(tokens_run: Run) -> None:
    """Would break: characters lost, accents stripped, newlines swallowed."""
    tokenizer = load_tokenizer(tokens_run.workspace / "tokenizers" / "tiny-400")
    rng = random.Random(1)
    points = [point for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]
    fuzzed = ["".join(map(chr, rng.choices(points, k=rng.randint(1, 60)))) for _ in range(500)]
    texts = [*NASTY, *fuzzed, *read_texts(tokens_run.workspace / "corpora" / "tiny", "validation")]
    for text, ids in zip(texts, encode_documents(tokenizer, texts), strict=True):
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
        assert end_of_text_id(tokenizer) not in ids


def test_loads_in_stock_transformers(tokens_run: Run) -> None:
    """Would break: AutoTokenizer gives other ids, or does not know where a text ends."""
    from transformers import AutoTokenizer

    directory = tokens_run.workspace / "tokenizers" / "tiny-400"
    stock, ours = AutoTokenizer.from_pretrained(directory), load_tokenizer(directory)
    text = "The baker of Cheapside, in 1750.\n\n“Sir!” said he."
    assert stock(text).input_ids == ours.encode(text, add_special_tokens=False).ids
    assert stock.eos_token_id == stock.bos_token_id == end_of_text_id(ours)
    assert len(stock) == 400
    assert {"tokenizer.json", "vocab.json", "merges.txt"} <= {path.name for path in directory.iterdir()}


def test_same_corpus_same_file_at_any_thread_count(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a fingerprint that does not tell what is in the file."""
    first = tokens_run.workspace / "tokenizers" / "tiny-400"
    again = tokens_run.copy(tmp_path, tokenizer__name="again")
    again.script("02_tokenizer/train_tokenizer.py", RAYON_NUM_THREADS="1")
    assert files_hash(again.workspace / "tokenizers" / "again") == files_hash(first)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_keeps_every_character(tokens_run: Run, tmp_path: Path, pattern: str) -> None:
    """Would break: a pattern that leaves gaps between its matches."""
    run = tokens_run.copy(tmp_path, tokenizer__pattern=pattern, tokenizer__name=pattern)
    run.script("02_tokenizer/train_tokenizer.py")
    tokenizer = load_tokenizer(run.workspace / "tokenizers" / pattern)
    for text, ids in zip(NASTY, encode_documents(tokenizer, NASTY), strict=True):
        assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_pieces_are_the_text() -> None:
    """Would break: text lost where long documents are cut for training."""
    text = "\n\n".join(f"Paragraph {n}. " + "word " * (n % 300) for n in range(400)) + "\n\n"
    pieces = list(cut_pieces(text))
    assert "".join(pieces) == text
    assert len(pieces) > 5


def test_without_corpus_it_says_what_to_do(tmp_path: Path, tokens_run: Run) -> None:
    """Would break: a missing input ends in a traceback or another exit code than 3."""
    done = Run(tokens_run.config, tmp_path).script("02_tokenizer/train_tokenizer.py", code=3)
    assert "There is no corpus" in done.stderr and "clean.py --config" in done.stderr


def test_no_tokenizer_is_an_artifact_error(tmp_path: Path) -> None:
    """Would break: a folder without tokenizer.json read as one."""
    with pytest.raises(ArtifactError, match="There is no tokenizer"):
        load_tokenizer(tmp_path)
