"""The test of a tokenizer: its figures are right, and it fails when a single character is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Run, result, start
from tokenizer_measures import open_tokenizer, token_bytes, unreachable, visible
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from chapbook import artifact
from chapbook.corpus import Document, decade_of, read_shards
from chapbook.tokenizer import END_OF_TEXT, load_tokenizer

SCRIPT = "02_tokenizer/test_tokenizer.py"


@pytest.fixture
def run(tokens_run: Run, tmp_path: Path) -> Run:
    """The tiny run in a workspace of its own."""
    return tokens_run.copy(tmp_path)


def test_figures_are_those_of_the_text(run: Run) -> None:
    """Would break: bytes, words, tokens or groups counted wrongly; a report without them."""
    folder = run.workspace / "tokenizers" / "tiny-400"
    found = result(run.script(SCRIPT, "--compare", folder, "--json"))
    documents = list(read_shards(run.workspace / "corpora" / "tiny" / "validation", Document))
    tokenizer = load_tokenizer(folder)
    ids = [tokenizer.encode(document.text, add_special_tokens=False).ids for document in documents]
    size, tokens = sum(document.byte_count() for document in documents), sum(map(len, ids))
    single = [n for n, content in enumerate(token_bytes(tokenizer)) if content is not None and len(content) == 1]
    assert len(single) == 256

    total = found["total"]
    assert (total["documents"], total["bytes"], total["tokens"]) == (len(documents), size, tokens)
    assert total["words"] == sum(len(document.text.split()) for document in documents)
    assert total["bytes_per_token"] == size / tokens
    assert total["single_byte_share"] == sum(row.count(n) for row in ids for n in single) / size
    assert set(found["by_decade"]) == {decade_of(document.date) for document in documents}
    for groups in (found["by_source"], found["by_decade"]):
        assert sum(group["tokens"] for group in groups.values()) == tokens
    assert found["lossless"] == {"documents": len(documents), "strings": found["lossless"]["strings"], "changed": []}
    assert found["lossless"]["strings"] > 4_000
    ours, same = found["comparison"]
    assert same == {**ours, "name": "tiny-400"}

    page = (run.workspace / "runs" / "tiny" / "tokenizer" / "report.html").read_text("utf-8")
    assert f"{total['bytes_per_token']:.3f}" in page and "␣" in page
    assert "http" not in page and "<script" not in page
    stored = json.loads((run.workspace / "runs" / "tiny" / "tokenizer" / "results.json").read_text("utf-8"))
    assert stored["total"] == total


def test_tokens_that_never_occur(run: Run) -> None:
    """Would break: dead weight in the vocabulary that nobody sees; more or less text read than is said."""
    found = result(run.script(SCRIPT, "--train_bytes", 5_000, "--json"))["vocabulary"]
    tokenizer = load_tokenizer(run.workspace / "tokenizers" / "tiny-400")
    seen: set[int] = set()
    read = 0
    for document in read_shards(run.workspace / "corpora" / "tiny" / "train", Document):
        seen |= set(tokenizer.encode(document.text, add_special_tokens=False).ids)
        read += document.byte_count()
        if read >= 5_000:
            break
    assert found["read_bytes"] == read
    # All but the special token, which no text gives.
    assert found["never"] == 400 - 1 - len(seen)
    assert found["learnt"] == 400 - 257


def lossy(folder: Path) -> None:
    """Replace the tokenizer of an artifact by one that strips accents, and make the artifact whole again."""
    tokenizer = load_tokenizer(folder)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    tokenizer.save(str(folder / "tokenizer.json"))
    manifest = artifact.read_manifest(folder)
    assert manifest is not None
    artifact.write_manifest(folder, manifest.recipe, manifest.counts)


def test_a_lossy_tokenizer_fails(run: Run) -> None:
    """Would break: a tokenizer that loses accents goes into training unnoticed."""
    lossy(run.workspace / "tokenizers" / "tiny-400")
    done = run.script(SCRIPT, code=1)
    assert "is not lossless" in done.stderr
    stored = json.loads((run.workspace / "runs" / "tiny" / "tokenizer" / "results.json").read_text("utf-8"))
    assert "composed and decomposed" in dict(stored["lossless"]["changed"])


def test_comparison_takes_other_formats_and_counts_what_they_lose(run: Run, tmp_path: Path) -> None:
    """Would break: GPT-2's own files refused, or a tokenizer that swallows spaces compared as an equal."""
    ours = run.workspace / "tokenizers" / "tiny-400"
    gpt2, words = tmp_path / "gpt2", tmp_path / "words.json"
    gpt2.mkdir()
    load_tokenizer(ours).model.save(str(gpt2))
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "the": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(words))
    _, same, worse = result(run.script(SCRIPT, "--compare", gpt2, words, "--json"))["comparison"]
    assert (same["name"], same["changed_documents"]) == ("gpt2", 0)
    assert worse["changed_documents"] == worse["documents"] > 0


def test_unreachable_tokens_are_found() -> None:
    """Would break: a token without a merge, or one that the pattern always cuts, taken for useful."""
    names = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: number for number, name in enumerate([*names, "ab", "abc", "aĠ", END_OF_TEXT])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("a", "b"), ("a", "Ġ")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, special=True)])
    # abc has no merge; "a " is merged by the model, but the pattern cuts it.
    assert unreachable(tokenizer) == [vocabulary["abc"], vocabulary["aĠ"]]


def test_tokens_can_be_read() -> None:
    """Would break: white space and halves of characters that nobody can see in the report."""
    assert visible(b" the\n") == "␣the↵"
    assert visible("é".encode()) == "é"
    assert visible(b"\xc3") == "<C3>"
    assert visible(b"\x00\xc2\xa0") == "<U+0000><U+00A0>"


@pytest.mark.parametrize(
    ("content", "message"), [(None, "There is no tokenizer at"), ("{}", "is not a tokenizer.json")]
)
def test_what_is_no_tokenizer_is_refused(run: Run, tmp_path: Path, content: str | None, message: str) -> None:
    """Would break: a wrong path to compare with found out after the whole measurement, or as a traceback."""
    path = tmp_path / "other" / "tokenizer.json"
    path.parent.mkdir()
    if content is not None:
        path.write_text(content)
    assert message in run.script(SCRIPT, "--compare", path, code=2).stderr


def test_without_tokenizer_it_says_what_to_do(tmp_path: Path, tokens_run: Run) -> None:
    """Would break: a missing input ends in a traceback or another exit code than 3."""
    done = start(SCRIPT, "--config", tokens_run.config, workspace=tmp_path, code=3)
    assert "There is no tokenizer" in done.stderr and "train_tokenizer.py --config" in done.stderr


def test_opened_tokenizers_read_special_tokens_as_text(tokens_run: Run) -> None:
    """Would break: another tokenizer measured with ids that no text gives, or cut at its longest input."""
    tokenizer = open_tokenizer(tokens_run.workspace / "tokenizers" / "tiny-400")
    assert 0 not in tokenizer.encode(END_OF_TEXT, add_special_tokens=False).ids
