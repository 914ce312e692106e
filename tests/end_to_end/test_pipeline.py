"""The whole way, as a person goes it: `python -m chapbook run`."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path

import pytest
from support import ROOT, prose, result, start, write_config

from chapbook.stages import NAMES

RUN = ("-m", "chapbook", "run")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str, float]:
    """Config, workspace, output and seconds of a tiny run through all stages."""
    folder = tmp_path_factory.mktemp("e2e")
    config = write_config(folder / "tiny.yaml", generation__prompts=["", "", ""])
    started = time.monotonic()
    done = start(*RUN, "--config", config, workspace=folder / "workspace")
    return config, folder / "workspace", done.stdout, time.monotonic() - started


def test_all_stages_fit_together(everything: tuple[Path, Path, str, float]) -> None:
    """Would break: a stage that does not fit the next one."""
    _, workspace, output, seconds = everything
    # Half a minute where nothing else runs.
    assert seconds < 120
    for kind in (
        "raw",
        "corpora",
        "tokenizers",
        "pretokenized",
        "checkpoints",
        "evaluations",
        "generations",
        "exports",
    ):
        assert list((workspace / kind).rglob("manifest.json")), kind
    assert "Everything lies here:" in output
    assert re.search(r"Tokens: [\d,]+ for training", output)
    assert re.search(r"Bits per byte on held-back text: \d\.\d+", output)
    assert re.search(r"where the truth is known: \d\.\d+, and the generator's true entropy there is 0\.\d+", output)
    assert [f"Sample {n}:" in output for n in (1, 2, 3)] == [True] * 3
    commands = output.split("Next:\n")[1].strip().splitlines()
    assert len(commands) == 3


def test_next_commands_work_as_printed(everything: tuple[Path, Path, str, float]) -> None:
    """Would break: the first thing a newcomer types fails."""
    import subprocess

    from support import environment

    _, workspace, output, _ = everything
    for command in output.split("Next:\n")[1].strip().splitlines()[:2]:
        done = subprocess.run(
            command,
            shell=True,
            cwd=ROOT,
            env=environment(workspace),
            input="",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_second_run_reuses_everything(everything: tuple[Path, Path, str, float]) -> None:
    """Would break: work done again for nothing."""
    config, workspace, _, _ = everything
    started = time.monotonic()
    done = start(*RUN, "--config", config, "--json", workspace=workspace)
    assert time.monotonic() - started < 30
    stages = result(done)["stages"]
    assert tuple(stages) == NAMES
    assert all(stage["reused"] for stage in stages.values()), stages


def test_from_and_until(everything: tuple[Path, Path, str, float]) -> None:
    """Would break: starting or ending in the middle."""
    config, workspace, _, _ = everything
    done = start(*RUN, "--config", config, "--from", "tokenizer", "--until", "evaluate", "--json", workspace=workspace)
    assert list(result(done)["stages"]) == ["tokenizer", "pretokenize", "train", "evaluate"]
    done = start(*RUN, "--config", config, "--from", "train", "--until", "clean", workspace=workspace, code=2)
    assert "comes after" in done.stderr


def test_a_change_rebuilds_what_depends_on_it_and_names_it(
    everything: tuple[Path, Path, str, float], tmp_path: Path
) -> None:
    """Would break: stale artifacts after a change, or everything thrown away for a small one."""
    config, workspace, _, _ = everything
    shutil.copytree(workspace, tmp_path / "workspace")
    words = (*RUN, "--config", config, "--until", "pretokenize", "--json", "--tokenizer.min_frequency", 9)
    done = start(*words, workspace=tmp_path / "workspace")
    assert "min_frequency: 2 on disk, 9 wanted" in done.stderr
    assert "Tokenizer mismatch" in done.stderr
    reused = {name: stage["reused"] for name, stage in result(done)["stages"].items()}
    assert reused == {"collect": True, "clean": True, "tokenizer": False, "pretokenize": False}


def test_status_and_report(everything: tuple[Path, Path, str, float]) -> None:
    """Would break: seeing what there is."""
    _, workspace, _, _ = everything
    done = start("-m", "chapbook", "status", "--json", workspace=workspace)
    listed = result(done)["artifacts"]
    assert {entry["state"] for entry in listed} == {"whole"}
    assert {entry["kind"] for entry in listed} >= {"raw", "corpus", "tokenizer", "pretokenized", "checkpoint", "export"}
    done = start("-m", "chapbook", "report", workspace=workspace)
    page = Path(done.stdout.strip()).read_text()
    for heading in ("Corpus", "Tokens", "Training", "Evaluation of checkpoint-8", "Samples of", "Time and memory"):
        assert heading in page, heading
    assert "<svg" in page and "<script" not in page and "http" not in page.replace("http-equiv", "")


KINDS = {
    "raw": "raw/tiny",
    "corpus": "corpora/tiny",
    "tokenizer": "tokenizers/tiny-400",
    "pretokenized": "pretokenized/tiny-400-32",
    "checkpoint": "checkpoints/tiny/checkpoint-8",
    "evaluation": "evaluations/tiny/checkpoint-8",
    "generation": "generations/tiny/checkpoint-8",
    "export": "exports/tiny",
}


@pytest.mark.parametrize("kind", KINDS)
def test_inspect_knows_every_kind_and_its_lineage(everything: tuple[Path, Path, str, float], kind: str) -> None:
    """Would break: an artifact that cannot say what it is and where it comes from, down to the source."""
    _, workspace, _, _ = everything
    facts = result(start("-m", "chapbook", "inspect", KINDS[kind], "--json", "--hashes", workspace=workspace))
    manifest = json.loads((workspace / KINDS[kind] / "manifest.json").read_text())
    assert facts["kind"] == kind and facts["problems"] == [] and facts["checked"] == "content"
    assert facts["fingerprint"] == manifest["fingerprint"] and facts["counts"] == manifest["counts"]
    assert facts["bytes"] == sum((workspace / KINDS[kind] / e["path"]).stat().st_size for e in manifest["files"])
    assert any(entry["input"] == "source" for entry in facts["lineage"]), "the lineage ends before the source"
    assert all(entry.get("path") for entry in facts["lineage"] if entry["input"] != "source"), facts["lineage"]


def test_lineage_from_export_to_sources(everything: tuple[Path, Path, str, float]) -> None:
    """Would break: the chain of fingerprints from a published model to its documents."""
    _, workspace, _, _ = everything

    def manifest(path: str) -> dict[str, object]:
        content: dict[str, object] = json.loads((workspace / path / "manifest.json").read_text())
        return content

    export, corpus, raw = (manifest(path) for path in ("exports/tiny", "corpora/tiny", "raw/tiny"))
    checkpoint, tokens = manifest("checkpoints/tiny/checkpoint-8"), manifest("pretokenized/tiny-400-32")
    assert export["inputs"]["checkpoint"] == checkpoint["fingerprint"]  # type: ignore[index]
    assert checkpoint["inputs"]["tokens"] == tokens["fingerprint"]  # type: ignore[index]
    assert tokens["inputs"]["corpus"] == corpus["fingerprint"]  # type: ignore[index]
    assert corpus["inputs"]["raw"] == raw["fingerprint"]  # type: ignore[index]


def test_own_text_in_one_command(tmp_path: Path) -> None:
    """Would break: `python -m chapbook run my_book.txt`."""
    book = tmp_path / "My Book.txt"
    book.write_text(prose(35_000), "utf-8")
    flags = ("--max_steps", 6, "--training.save_steps", 6, "--training.eval_steps", 6, "--batch_size", 2)
    done = start(*RUN, book, *flags, workspace=tmp_path / "workspace")
    assert "Chosen for this text" in done.stderr
    assert "vocabulary 512: larger ones need more text" in done.stderr
    assert (tmp_path / "workspace" / "exports" / "My-Book" / "model.safetensors").is_file()
    assert "Run My-Book" in done.stdout


def test_a_folder_of_all_kinds(tmp_path: Path) -> None:
    """Would break: one unreadable or unknown file stops a folder, or disappears without a reason."""
    folder = tmp_path / "texts"
    folder.mkdir()
    one, two, three = (prose(3_000, seed) for seed in (1, 2, 3))
    (folder / "a.txt").write_text(one, "utf-8")
    (folder / "b.html").write_text(f"<html><body><p>{two}</p></body></html>", "utf-8")
    (folder / "c.xml").write_text(f"<TEI><text><body><p>{three} &amp; more.</p></body></text></TEI>", "utf-8")
    (folder / "picture.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "gone.txt").symlink_to(folder / "nowhere.txt")
    (folder / "empty.txt").touch()
    done = start(*RUN, folder, "--until", "clean", "--json", workspace=tmp_path / "workspace")
    counts = result(done)["results"]
    assert counts["collect"]["documents"] == 3 and counts["collect"]["failed"] == 3
    for name in ("picture.jpg", "gone.txt", "empty.txt"):
        assert name in done.stderr, name
    assert counts["clean"]["in"] == counts["clean"]["kept"] + counts["clean"]["rejected"] == 3


def test_a_folder_with_no_text(tmp_path: Path) -> None:
    """Would break: nothing to read ends in a traceback."""
    (tmp_path / "empty").mkdir()
    done = start(*RUN, tmp_path / "empty", workspace=tmp_path / "workspace", code=1)
    assert "No text was found in" in done.stderr and "Traceback" not in done.stderr


def test_two_books_of_one_name(tmp_path: Path) -> None:
    """Would break: the second book takes the place of the first, and its model."""
    books = []
    for seed, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        book = tmp_path / folder / "08.txt"
        book.write_text(prose(8_000, seed))
        books.append(book)
        start(*RUN, book, "--until", "clean", workspace=tmp_path / "workspace")
    names = sorted(
        path.name for path in (tmp_path / "workspace" / "corpora").iterdir() if not path.name.startswith(".")
    )
    assert names == ["08", "08-2"]
    again = start(*RUN, books[0], "--until", "clean", "--json", workspace=tmp_path / "workspace")
    assert result(again)["run"] == "08" and result(again)["stages"]["clean"]["reused"] is True


def test_output_into_a_closed_pipe(everything: tuple[Path, Path, str, float]) -> None:
    """Would break: `… status | head -1` complains."""
    import subprocess

    from support import environment

    _, workspace, _, _ = everything
    words = f"{sys.executable} -m chapbook status | head -1"
    done = subprocess.run(
        ["bash", "-c", words], cwd=ROOT, env=environment(workspace), capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("Workspace") and done.stderr == ""


def test_workspace_that_cannot_be_written(tmp_path: Path) -> None:
    """Would break: a full or missing disk ends in a traceback."""
    (tmp_path / "file").touch()
    config = write_config(tmp_path / "c.yaml")
    done = start(ROOT / "01_data_collection/collect.py", "--config", config, workspace=tmp_path / "file", code=1)
    assert "Is the place there, writable and not full?" in done.stderr and "Traceback" not in done.stderr


def test_artifact_folder_on_another_disk(tmp_path: Path) -> None:
    """Would break: a folder that is a link to a larger disk can be built once and never again."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "workspace" / "raw").mkdir(parents=True)
    (tmp_path / "workspace" / "raw" / "tiny").symlink_to(tmp_path / "disk")
    config = write_config(tmp_path / "c.yaml")
    for seed in (1, 2, 2):
        script = ROOT / "01_data_collection/collect.py"
        done = start(script, "--config", config, "--corpus.sources.0.seed", seed, workspace=tmp_path / "workspace")
    assert "(reused)" in done.stderr


def test_no_such_input(tmp_path: Path) -> None:
    """Would break: a mistyped name."""
    done = start(*RUN, tmp_path / "nothing.txt", workspace=tmp_path / "workspace", code=2)
    assert "There is no file or folder" in done.stderr


def test_config_with_three_mistakes(tmp_path: Path) -> None:
    """Would break: mistakes reported one at a time, or a stage started all the same."""
    config = write_config(
        tmp_path / "bad.yaml", tokenizer__vocab_size=10, training__max_step=5, corpus__sources=[{"kind": "web"}]
    )
    done = start(*RUN, "--config", config, workspace=tmp_path / "workspace", code=2)
    assert "3 problems in" in done.stderr
    for part in (
        "tokenizer.vocab_size = 10",
        "training.max_step: there is no such key (did you mean max_steps?)",
        "web",
    ):
        assert part in done.stderr
    assert not (tmp_path / "workspace" / "raw").exists()


def test_a_failing_stage_stops_the_run_with_its_code(tmp_path: Path) -> None:
    """Would break: the run goes on after a failure, or hides its exit code."""
    config = write_config(tmp_path / "c.yaml", training__allow_cpu=False)
    done = start(*RUN, "--config", config, workspace=tmp_path / "workspace", code=2)
    assert "No GPU was found" in done.stderr and "the stage train ended with exit code 2" in done.stderr
    assert not (tmp_path / "workspace" / "evaluations").exists()


def test_nothing_held_back(tmp_path: Path) -> None:
    """Would break: a run without validation text stops in the middle."""
    config = write_config(tmp_path / "c.yaml", corpus__validation_share=0.0, training__max_steps=2)
    done = start(*RUN, "--config", config, "--until", "export", "--json", workspace=tmp_path / "workspace")
    assert "training without evaluation" in done.stderr and "nothing to evaluate" in done.stderr
    assert "evaluate" not in result(done)["stages"]
    card = (tmp_path / "workspace" / "exports" / "tiny" / "README.md").read_text()
    assert "This checkpoint was not evaluated." in card


def test_scripts_by_path_from_elsewhere(everything: tuple[Path, Path, str, float], tmp_path: Path) -> None:
    """Would break: a script that only works from the repository root."""
    config, workspace, _, _ = everything
    scripts = ("01_data_collection/collect.py", "02_tokenizer/train_tokenizer.py", "04_evaluation/run_evaluation.py")
    for script in scripts:
        done = start(ROOT / script, "--config", config, "--json", workspace=workspace, cwd=tmp_path)
        assert result(done)["reused"] is True


def test_help_of_every_command_is_fast(tmp_path: Path) -> None:
    """Would break: --help imports torch."""
    scripts = [ROOT / stage for stage in (
        "01_data_collection/collect.py", "01_data_collection/clean.py", "02_tokenizer/train_tokenizer.py",
        "03_training/pretokenize.py", "03_training/train_model_slm.py", "03_training/test_checkpoint.py",
        "04_evaluation/run_evaluation.py", "05_inference/generate.py", "06_publish/export.py",
    )]  # fmt: skip
    for script in scripts:
        started = time.monotonic()
        done = start(script, "--help", workspace=tmp_path)
        assert "--config" in done.stdout
        assert time.monotonic() - started < 2.5, script
    start("-m", "chapbook", "run", "--help", workspace=tmp_path)
    assert "there is no command" in start("-m", "chapbook", "bake", workspace=tmp_path, code=2).stderr
    assert (
        "unrecognized arguments" in start(scripts[0], "--nonsense", "--config", "x", workspace=tmp_path, code=2).stderr
    )
