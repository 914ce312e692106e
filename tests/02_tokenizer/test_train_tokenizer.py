"""The tokenizer: lossless, deterministic, from the training split alone, loadable by stock transformers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from round_trip import NAMED, nasty_strings
from support import SHARED, Run, files_hash, result, start
from tokenizer_kinds import PATTERNS, cut_pieces, names_of_bytes, special_tokens, train
from tokenizers import Regex, Tokenizer, pre_tokenizers
from train_tokenizer import save_tokenizer
from training_text import TrainingText

from chapbook.config import TokenizerConfig
from chapbook.corpus import Document, ShardWriter, read_texts
from chapbook.errors import ArtifactError
from chapbook.tokenizer import END_OF_TEXT, PAD, encode_documents, end_of_text_id, load_tokenizer

SCRIPT = "02_tokenizer/train_tokenizer.py"

KINDS: dict[str, dict[str, Any]] = {
    "bpe": {"vocab_size": 600},
    "superbpe": {"vocab_size": 600, "superword_share": 0.3, "pad_token": True},
    "unigram": {"kind": "unigram", "vocab_size": 600},
    "char": {"kind": "char", "vocab_size": 300, "special_tokens": ["<|year|>"]},
    "byte": {"kind": "byte"},
}


@pytest.fixture(scope="session")
def folders(tokens_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved tokenizer of each kind, trained on the tiny corpus and a text in which special tokens are frequent."""
    texts = list(read_texts(tokens_run.workspace / "corpora" / "tiny", "train"))
    texts.append(f"see {END_OF_TEXT} and {PAD} and <|year|>, £3 “so” élan " * 50)
    folder = tmp_path_factory.mktemp("kinds")
    for name, keys in KINDS.items():
        config = TokenizerConfig(**keys)
        (folder / name).mkdir()
        save_tokenizer(train(config, lambda limit: iter(texts)), folder / name, config)
    return {name: folder / name for name in KINDS}


def came_back(tokenizer: Tokenizer, texts: list[str]) -> None:
    special = {id_ for id_, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    for text, ids in zip(texts, encode_documents(tokenizer, texts), strict=True):
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
        assert special.isdisjoint(ids)


# Surrogates are no characters: no UTF-8 text holds one.
CHARACTERS = st.characters(exclude_categories=["Cs"])
# Characters at random hardly ever make words, runs or special tokens: these pieces do.
PIECES = st.sampled_from(
    [" ", "  ", "\n", "\r\n", "\r", "\t", "the", " London", "'s", "1750", "é", "🙂", END_OF_TEXT, "<|"]
)
TEXTS = st.lists(st.one_of(st.text(CHARACTERS, max_size=8), PIECES), max_size=12).map("".join)


def test_ten_thousand_strings_come_back(folders: dict[str, Path]) -> None:
    """Would break, for any kind: characters lost, accents stripped, newlines swallowed; text that becomes special."""
    tokenizers = [load_tokenizer(folder) for folder in folders.values()]
    compared = 0

    # Strings are compared by the hundred: hypothesis needs longer to draw one than a tokenizer to encode it.
    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(TEXTS, min_size=100, max_size=110))
    def compare(texts: list[str]) -> None:
        nonlocal compared
        for tokenizer in tokenizers:
            came_back(tokenizer, texts)
        compared += len(texts)

    compare()
    assert compared >= 10_000


@pytest.mark.parametrize("kind", KINDS)
def test_nasty_strings_come_back(folders: dict[str, Path], kind: str) -> None:
    """Would break: a character of any plane that is unknown; long runs, line ends, control characters changed."""
    came_back(load_tokenizer(folders[kind]), [text for _, text in nasty_strings()])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_keeps_every_character(pattern: str) -> None:
    """Would break: a pattern that leaves gaps between its matches."""
    config = TokenizerConfig(vocab_size=300, pattern=pattern)  # type: ignore[arg-type]
    tokenizer = train(config, lambda limit: ["The baker of Cheapside. " * 20])
    tokenizer.encode_special_tokens = True
    came_back(tokenizer, list(NAMED.values()))


def shared_texts() -> Iterator[str]:
    for path in sorted(SHARED.rglob("*")):
        if path.suffix.lower() in (".txt", ".xml", ".html", ".htm", ".md", ".json", ".sgml", ".csv"):
            yield path.read_bytes()[:6_000].decode("utf-8", "replace")


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the shared texts are not at {SHARED}")
def test_all_kinds_of_real_text_come_back(folders: dict[str, Path]) -> None:
    """Would break: real novels, OCR, mark-up or byte order marks that do not come back (6 kB of each file)."""
    texts = list(shared_texts())
    assert len(texts) > 150
    for folder in folders.values():
        came_back(load_tokenizer(folder), texts)


@pytest.mark.parametrize("kind", KINDS)
def test_loads_in_stock_transformers(folders: dict[str, Path], kind: str) -> None:
    """Would break: AutoTokenizer gives other ids, loses text, or does not know where a text ends."""
    from transformers import AutoTokenizer

    stock, ours = AutoTokenizer.from_pretrained(folders[kind]), load_tokenizer(folders[kind])
    for text in ("The baker of Cheapside, in 1750.\n\n“Sir!”  said he. Élan  \r\n", *list(NAMED.values())[:20]):
        ids = ours.encode(text, add_special_tokens=False).ids
        assert stock(text).input_ids == ids
        assert stock.decode(ids) == text
    assert stock.eos_token_id == stock.bos_token_id == end_of_text_id(ours) == 0
    assert stock.pad_token_id == (1 if "pad_token" in KINDS[kind] else None)
    assert set(KINDS[kind].get("special_tokens", [])) <= set(stock.all_special_tokens)
    assert len(stock) == ours.get_vocab_size()
    # Stock loading reads the literal token as the token; told otherwise, as text.
    literal = f"a {END_OF_TEXT} b"
    assert stock(literal).input_ids.count(0) == 1
    as_text = AutoTokenizer.from_pretrained(folders[kind], split_special_tokens=True)
    assert as_text(literal).input_ids == ours.encode(literal, add_special_tokens=False).ids
    written = {path.name for path in folders[kind].iterdir()}
    assert ("merges.txt" in written) == ("vocab.json" in written) == (kind != "unigram")


def test_sizes_of_vocabularies(folders: dict[str, Path]) -> None:
    """Would break: a vocabulary larger than asked for, or bytes missing from one."""
    sizes = {kind: load_tokenizer(folder).get_vocab_size() for kind, folder in folders.items()}
    assert sizes["bpe"] == sizes["superbpe"] == sizes["unigram"] == 600
    assert sizes["byte"] == 257
    # 258, then £ (2 bytes), “ ” (3 bytes, the first two shared), é and É if the corpus has them.
    assert 258 + 5 <= sizes["char"] <= 300
    for folder in folders.values():
        assert set(names_of_bytes()) <= set(load_tokenizer(folder).get_vocab())


def test_char_is_one_token_per_character(folders: dict[str, Path]) -> None:
    """Would break: words or halves of characters as tokens; a character that was never seen lost or unknown."""
    tokenizer = load_tokenizer(folders["char"])
    text = "“The £3 élan,” said he."
    assert len(tokenizer.encode(text, add_special_tokens=False).ids) == len(text)
    assert len(tokenizer.encode("日", add_special_tokens=False).ids) == 3


def test_superwords_cross_words_but_not_sentences_or_numbers(folders: dict[str, Path]) -> None:
    """Would break: superwords that are none, or that swallow numbers, sentence ends or line ends."""
    superbpe, bpe = load_tokenizer(folders["superbpe"]), load_tokenizer(folders["bpe"])
    learnt = [superbpe.decode([n]) for n in range(258, 600)]
    assert any(" " in token.strip() for token in learnt)
    assert not any(" " in bpe.decode([n]).strip() for n in range(257, 600))
    assert not any(re.search(r"[.!?]\s+\w|\d\D|\D\d|\n\S", token) for token in learnt)


def test_unigram_learns_whole_words(folders: dict[str, Path]) -> None:
    """Would break: candidates looked for in a list of different words, where each word stands once."""
    tokenizer = load_tokenizer(folders["unigram"])
    assert sum(token.startswith("Ġ") and len(token) > 5 for token in tokenizer.get_vocab()) > 50


@pytest.mark.parametrize("kind", ["bpe", "superbpe", "unigram", "char"])
def test_same_corpus_same_files_at_any_thread_count(tokens_run: Run, tmp_path: Path, kind: str) -> None:
    """Would break: a fingerprint that does not tell what is in the files."""
    keys = {f"tokenizer__{key}": value for key, value in KINDS[kind].items()}
    run = tokens_run.copy(tmp_path, **keys, tokenizer__max_bytes=90_000)
    seen = set()
    for threads in ("1", "2"):
        # Python's hash seed differs too.
        run.script(SCRIPT, "--tokenizer.name", threads, RAYON_NUM_THREADS=threads, PYTHONHASHSEED=threads)
        folder = run.workspace / "tokenizers" / threads
        seen.add((files_hash(folder), json.loads((folder / "manifest.json").read_text())["fingerprint"]))
    assert len(seen) == 1


def test_only_the_training_split_is_read(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a tokenizer that has seen the text it is measured on."""
    run = tokens_run.copy(tmp_path, tokenizer__name="again")
    shards = list((run.workspace / "corpora" / "tiny" / "validation").glob("*.parquet"))
    assert shards
    for shard in shards:
        shard.write_bytes(b"\0" * shard.stat().st_size)
    run.script(SCRIPT)
    first, again = (run.workspace / "tokenizers" / name for name in ("tiny-400", "again"))
    assert files_hash(again) == files_hash(first)


def test_max_bytes_is_a_flag_and_a_limit(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: more text read than was allowed; time, memory and what was read not said."""
    run = tokens_run.copy(tmp_path, tokenizer__name="small")
    done = run.script(SCRIPT, "--max_bytes", 20_000, "--json")
    counts = result(done)
    assert 10_000 < counts["trained_bytes"] <= 20_000
    assert counts["trained_bytes_by_source"] == {"sample": counts["trained_bytes"]}
    assert counts["training_seconds"] > 0 and counts["training_peak_bytes"] > 10e6
    assert "a sample of 20,000 of" in done.stderr


def corpus_of(directory: Path, documents: list[tuple[str, str, int]]) -> Path:
    """A directory of shards with documents of this source, id and size in bytes."""
    with ShardWriter(directory, Document) as shards:
        for source, name, size in documents:
            text = (f"{name} word " * size)[:size]
            shards.write(Document(id=f"{source}/{name}", source=source, sha256=name, text=text))
    return directory


def names(text: TrainingText, limit: int) -> set[str]:
    return {piece.split()[0] for _, piece, _ in text.pieces(limit)}


def test_sample_takes_each_source_in_proportion(tmp_path: Path) -> None:
    """Would break: a small source left out by chance, or a sample larger than its limit."""
    documents = [("big", f"big{n}", 30_000) for n in range(60)] + [("small", f"small{n}", 10_000) for n in range(18)]
    text = TrainingText(corpus_of(tmp_path / "train", documents), seed=1)
    for limit in (100_000, 500_000, 1_900_000):
        sizes = {"big": 0, "small": 0}
        for source, _, size in text.pieces(limit):
            sizes[source] += size
        assert sum(sizes.values()) <= limit
        # The last document of each source is cut at a piece of about 10,000 characters.
        assert limit * 10 / 11 - 12_000 <= sizes["big"] <= limit * 10 / 11
        assert limit / 11 - 12_000 <= sizes["small"] <= limit / 11
    assert sum(size for _, _, size in text.pieces()) == sum(size for _, _, size in documents)


def test_sample_is_seeded(tmp_path: Path) -> None:
    """Would break: a sample that is always the first documents, or another one each time."""
    directory = corpus_of(tmp_path / "train", [("s", f"d{n:03d}", 1_000) for n in range(200)])
    first = names(TrainingText(directory, seed=1), 50_000)
    assert len(first) == 50 and max(first) > "d150"
    assert names(TrainingText(directory, seed=1), 50_000) == first
    assert names(TrainingText(directory, seed=2), 50_000) != first
    assert names(TrainingText(directory, seed=1), 100_000) > first


def test_pieces_are_the_text_and_cut_no_word() -> None:
    """Would break: text lost, or words counted in halves, where long documents are cut for training."""
    text = "\n\n".join(f"Paragraph {n}: “word, don't” 1,234 " + "word " * (n % 300) for n in range(300)) + "\n\n"
    pieces = list(cut_pieces(text))
    assert "".join(pieces) == text
    assert len(pieces) > 10 and max(map(len, pieces)) < 21_000
    for pattern in PATTERNS.values():
        cutter = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        whole = [word for word, _ in cutter.pre_tokenize_str(text)]
        assert [word for piece in pieces for word, _ in cutter.pre_tokenize_str(piece)] == whole


def test_special_tokens_come_first_and_once() -> None:
    """Would break: ids of special tokens that depend on the kind, or one token with two ids."""
    config = TokenizerConfig(pad_token=True, special_tokens=["<|year|>", PAD, END_OF_TEXT])
    assert special_tokens(config) == [END_OF_TEXT, PAD, "<|year|>"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("--tokenizer.kind", "char", "--tokenizer.superword_share", 0.2), "only the kind bpe has superwords"),
        (("--vocab_size", 257, "--tokenizer.pad_token", "true"), "need a vocab_size of at least 258"),
        (("--tokenizer.special_tokens", "[year]"), "tokenizer.special_tokens.0"),
        # Punctuation alone is one word to every pattern, and could be learnt.
        (("--tokenizer.special_tokens", "['<|_|>']"), "tokenizer.special_tokens.0"),
        (("--tokenizer.kind", "wordpiece"), "tokenizer.kind = 'wordpiece'"),
    ],
)
def test_impossible_settings_are_refused(tokens_run: Run, keys: tuple[object, ...], message: str) -> None:
    """Would break: settings that contradict each other start a training."""
    assert message in tokens_run.script(SCRIPT, *keys, code=2).stderr


def test_kinds_have_names_of_their_own(tokens_run: Run) -> None:
    """Would break: tokenizers of two kinds that replace each other in the workspace."""
    from chapbook.config import load_config

    settings = [{"tokenizer.kind": kind} for kind in ("bpe", "unigram", "char", "byte")]
    settings.append({"tokenizer.superword_share": 0.3})
    found = [load_config(tokens_run.config, keys).tokenizer.name for keys in settings]
    assert found == ["tiny-400", "tiny-unigram-400", "tiny-char-400", "tiny-byte", "tiny-superbpe-400"]


def test_without_corpus_it_says_what_to_do(tmp_path: Path, tokens_run: Run) -> None:
    """Would break: a missing input ends in a traceback or another exit code than 3."""
    done = Run(tokens_run.config, tmp_path).script(SCRIPT, code=3)
    assert "There is no corpus" in done.stderr and "clean.py --config" in done.stderr


def test_no_tokenizer_is_an_artifact_error(tmp_path: Path) -> None:
    """Would break: a folder without tokenizer.json read as one."""
    with pytest.raises(ArtifactError, match="There is no tokenizer"):
        load_tokenizer(tmp_path)


def test_help_is_fast_and_names_the_keys(tmp_path: Path) -> None:
    """Would break: --help that loads the libraries, or keys nobody can find."""
    done = start(SCRIPT, "--help", workspace=tmp_path)
    assert "--tokenizer.superword_share" in done.stdout and "--max_bytes" in done.stdout
