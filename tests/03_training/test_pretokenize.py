"""Pretokenized data: reused when compatible, built beside what differs, refused when asked to, never silently wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import ROOT, Run, environment, files_hash, result

from chapbook.corpus import read_texts
from chapbook.tokenizer import encode_documents, end_of_text_id, load_tokenizer
from chapbook.tokens import TokenBlocks

SCRIPT = "03_training/pretokenize.py"
NAME = "tiny-400-32"


def tokens_of(run: Run, name: str = NAME) -> Path:
    return run.workspace / "pretokenized" / name


def manifest(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((path / "manifest.json").read_text())
    return content


def refused(run: Run, *flags: object) -> str:
    """The one line that `--use_pretokenized` ends with, and exit code 3."""
    done = run.script(SCRIPT, "--use_pretokenized", *flags, code=3)
    (line,) = done.stderr.strip().splitlines()
    return line.removeprefix("error: ").removesuffix(". Without --use_pretokenized it would be built now.")


def test_metadata_says_what_it_is_made_of(tokens_run: Run) -> None:
    """Would break: a cache that nobody can check."""
    directory = tokens_of(tokens_run)
    metadata = json.loads((directory / "metadata.json").read_text())
    inputs = manifest(directory)["inputs"]
    assert metadata["max_length"] == 32 and metadata["vocab_size"] == 400 and metadata["dtype"] == "uint16"
    assert metadata["tokenizer_name"] == "tiny-400" and metadata["tokenizer_fingerprint"] == inputs["tokenizer"]
    assert metadata["corpus_name"] == "tiny" and metadata["corpus_fingerprint"] == inputs["corpus"]
    assert metadata["split_seed"] == 1 and metadata["validation_share"] == 0.1
    assert metadata["separator"] == "<|endoftext|>" and metadata["packing"] == "stream"
    assert metadata["encoder"].startswith("gigatoken ") and metadata["format_version"] == 2
    assert metadata["created_at"].endswith("+00:00")
    assert list(metadata["checksums"]) == ["eval/data-00000.arrow", "train/data-00000.arrow"]
    for name, split in metadata["splits"].items():
        # Every token is in a block or counted as left over.
        assert split["text_tokens"] + split["separators"] == split["tokens"] + split["dropped_tokens"]
        assert split["separators"] == split["documents"] + 1
        assert metadata[f"{name}_samples"] == split["blocks"]


def test_the_blocks_are_the_documents(tokens_run: Run) -> None:
    """Would break: text lost, changed or put into another split on its way into the blocks."""
    tokenizer = load_tokenizer(tokens_run.workspace / "tokenizers" / "tiny-400")
    end = end_of_text_id(tokenizer)
    for split, folder in (("train", "train"), ("validation", "eval")):
        texts = list(read_texts(tokens_run.workspace / "corpora" / "tiny", split))
        stream = [end]
        for ids in encode_documents(tokenizer, texts):
            stream += [*ids, end]
        blocks = TokenBlocks(tokens_of(tokens_run) / folder)
        packed = np.concatenate([part.reshape(-1) for part in blocks.parts()]).tolist()
        assert packed == stream[: len(packed)] and len(stream) - len(packed) < 32


def test_second_call_reuses(tokens_run: Run) -> None:
    """Would break: minutes of tokenizing before every training."""
    assert result(tokens_run.script(SCRIPT, "--json", "--use_pretokenized"))["reused"] is True


def test_no_pretokenized_builds_the_same_again(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: --no_pretokenized ignored, or a build that depends on time or place (only created_at may)."""
    run = tokens_run.copy(tmp_path)
    before = json.loads((tokens_of(run) / "metadata.json").read_text())
    hashes = [files_hash(tokens_of(run) / split) for split in ("train", "eval")]
    assert result(run.script(SCRIPT, "--json", "--no-pretokenized"))["reused"] is False
    assert [files_hash(tokens_of(run) / split) for split in ("train", "eval")] == hashes
    after = json.loads((tokens_of(run) / "metadata.json").read_text())
    assert {**after, "created_at": ""} == {**before, "created_at": ""}
    run.script(SCRIPT, "--no_pretokenized", "--use_pretokenized", code=2)


def test_each_mismatch_by_its_name(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: stale tokens used after a change; the guides' messages, word for word."""
    # One name for all, so that they collide.
    run = tokens_run.copy(tmp_path, pretokenize__name="one")
    one = tokens_of(run, "one")
    assert refused(run) == f"Pre-tokenized data not found at {one}"
    run.script(SCRIPT)
    inputs = manifest(one)["inputs"]
    assert refused(run, "--max_length", 16) == "Max length mismatch (found 32, need 16)"
    other = ("--tokenizer.name", "other", "--tokenizer.min_frequency", 5)
    run.script("02_tokenizer/train_tokenizer.py", *other)
    new = manifest(run.workspace / "tokenizers" / "other")["fingerprint"]
    assert refused(run, *other) == f"Tokenizer mismatch (found {inputs['tokenizer']}, need {new})"
    # Everything that differs, at once.
    both = refused(run, *other, "--max_length", 16)
    assert both.startswith("Max length mismatch (found 32, need 16); Tokenizer mismatch (found ")
    run.script("01_data_collection/clean.py", "--corpus.min_characters", 300)
    new = manifest(run.workspace / "corpora" / "tiny")["fingerprint"]
    assert refused(run) == f"Corpus mismatch (found {inputs['corpus']}, need {new})"
    # Without the flag it says so and builds beside it.
    before = manifest(one)
    done = run.script(SCRIPT, "--json")
    built = Path(result(done)["path"])
    assert f"warning: Corpus mismatch (found {inputs['corpus']}, need {new}): tokenizing anew into {built}" in (
        done.stderr
    )
    assert built.parent == one.parent and built != one and manifest(one) == before


def test_a_tokenizer_edited_by_hand_is_another(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: tokens of the old vocabulary under the new one, because name and fingerprint are the same."""
    run = tokens_run.copy(tmp_path)
    path = run.workspace / "tokenizers" / "tiny-400" / "tokenizer.json"
    # Of the same size, so that only its content tells.
    path.write_text(path.read_text().replace('"behavior": "Isolated"', '"behavior": "Removed" '))
    line = refused(run)
    assert line.startswith("Tokenizer mismatch (found ") and line.count("mismatch") == 1


def test_lengths_live_side_by_side_under_one_name(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: two lengths that overwrite each other in turns, tokenizing each time."""
    run = tokens_run.copy(tmp_path, pretokenize__name="one")
    paths = {}
    for reused in (False, True):
        for length in (32, 16):
            done = result(run.script(SCRIPT, "--json", "--max_length", length))
            assert done["reused"] is reused
            assert paths.setdefault(length, done["path"]) == done["path"]
    assert len(set(paths.values())) == 2


def torn(run: Run, change: str) -> str:
    """Damage the tokens in one way; returns the line that says so."""
    directory = tokens_of(run)
    arrow = directory / "train" / "data-00000.arrow"
    size = arrow.stat().st_size
    if change == "truncated":
        arrow.write_bytes(arrow.read_bytes()[:1000])
        return f"Pre-tokenized data is torn at {directory} (train/data-00000.arrow has 1000 bytes instead of {size})"
    if change == "flipped byte":
        content = bytearray(arrow.read_bytes())
        content[size // 2] ^= 1
        arrow.write_bytes(content)
        return (
            f"Pre-tokenized data is damaged at {directory} (train/data-00000.arrow has other content than when it was "
            "written)"
        )
    if change == "missing metadata":
        (directory / "metadata.json").unlink()
        return f"Pre-tokenized data is torn at {directory} (metadata.json is missing)"
    if change == "edited metadata":
        path = directory / "metadata.json"
        path.write_text(path.read_text().replace('"max_length": 32', '"max_length": 23'))
        return (
            f"Pre-tokenized data is damaged at {directory} (metadata.json has other content than when it was written)"
        )
    assert change == "missing manifest"
    (directory / "manifest.json").unlink()
    return f"Pre-tokenized data not found at {directory}"


@pytest.mark.parametrize(
    "change", ["truncated", "flipped byte", "missing metadata", "edited metadata", "missing manifest"]
)
def test_damage_is_found_named_and_repaired(tokens_run: Run, tmp_path: Path, change: str) -> None:
    """Would break: training on half a file or on flipped bits. Asked not to build: exit 3. Otherwise: built anew."""
    run = tokens_run.copy(tmp_path)
    before = {split: files_hash(tokens_of(run) / split) for split in ("train", "eval")}
    line = torn(run, change)
    assert refused(run) == line
    if change == "flipped byte":
        assert line in run.train("--use_pretokenized", code=3).stderr
    done = run.script(SCRIPT, "--json")
    assert f"{line}: tokenizing" in done.stderr and result(done)["path"] == str(tokens_of(run))
    assert {split: files_hash(tokens_of(run) / split) for split in ("train", "eval")} == before


def test_an_older_format_is_named_and_stays(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: files of an older layout read as if they were of this one."""
    from chapbook import artifact

    run = tokens_run.copy(tmp_path)
    directory = tokens_of(run)
    # An artifact as format 1 wrote it: whole, with fewer fields.
    old = artifact.read_manifest(directory)
    assert old is not None
    metadata = json.loads((directory / "metadata.json").read_text())
    for name in ("checksums", "shard_tokens", "tokenizer_sha256"):
        del metadata[name]
    (directory / "metadata.json").write_text(json.dumps(metadata | {"format_version": 1}))
    recipe = artifact.Recipe(kind="pretokenized", format_version=1, config={"max_length": 32}, inputs=old.inputs)
    artifact.write_manifest(directory, recipe, old.counts)
    assert refused(run) == "Format version mismatch (found 1, need 2)"
    done = run.script(SCRIPT, "--json")
    assert "warning: Format version mismatch (found 1, need 2): tokenizing anew into" in done.stderr
    assert result(done)["path"] != str(directory) and manifest(directory)["format_version"] == 1
    assert result(run.script(SCRIPT, "--json", "--use_pretokenized"))["reused"] is True


def test_two_runs_at_once_build_once(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: two processes writing the same files, or the work done twice."""
    run = tokens_run.copy(tmp_path)
    shutil.rmtree(run.workspace / "pretokenized")
    words = [sys.executable, ROOT / SCRIPT, "--config", run.config, "--json", "--pretokenize.shard_tokens", "1000"]
    both = [subprocess.Popen(words, env=environment(run.workspace), stdout=subprocess.PIPE) for _ in range(2)]
    results = [json.loads(process.communicate(timeout=120)[0].splitlines()[-1]) for process in both]
    assert sorted(done["reused"] for done in results) == [False, True]
    assert len({done["fingerprint"] for done in results}) == 1


def test_another_rank_waits_for_the_first_with_a_limit(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: ranks that tokenize too, that wait for ever, or that end in a timeout nobody understands."""
    run = tokens_run.copy(tmp_path)
    shutil.rmtree(run.workspace / "pretokenized")
    started = time.monotonic()
    done = run.train("--training.ddp_timeout", 2, code=1, RANK="1", WORLD_SIZE="2")
    assert "Rank 1 has waited 2 s for the first rank to tokenize" in done.stderr
    assert time.monotonic() - started < 60 and not (run.workspace / "pretokenized").exists()


def test_text_shorter_than_a_block_is_said(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: an empty training set found out hours later."""
    run = tokens_run.copy(tmp_path)
    done = run.script(SCRIPT, "--max_length", 100_000, code=1)
    assert "less than one block of 100000" in done.stderr
    assert not list((run.workspace / "pretokenized").glob("tiny-400-100000*/manifest.json"))


def test_exported_npy_holds_the_blocks(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: token files for other programs with other tokens, or that cannot be memory-mapped."""
    done = result(tokens_run.script(SCRIPT, "--json", "--export_npy", tmp_path / "npy"))
    assert done["reused"] is True
    for folder, name in (("train", "train.npy"), ("eval", "val.npy")):
        ids = np.load(tmp_path / "npy" / name, mmap_mode="r")
        assert ids.dtype == np.uint16 and done["npy"][name] == len(ids)
        blocks = TokenBlocks(tokens_of(tokens_run) / folder)
        assert np.array_equal(ids, np.concatenate([part.reshape(-1) for part in blocks.parts()]))
    assert sorted(path.name for path in (tmp_path / "npy").iterdir()) == ["train.npy", "val.npy"]
