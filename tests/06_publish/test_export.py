"""The export: complete, verified, and telling the truth about where it comes from."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from export import verify
from model_card import derive_licence
from support import Run, environment, result

from chapbook.errors import ChapbookError

SCRIPT = "06_publish/export.py"


@pytest.fixture(scope="module")
def exported(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = trained_run.copy(tmp_path_factory.mktemp("export"))
    run.script("04_evaluation/run_evaluation.py")
    run.script("05_inference/generate.py")
    run.script(SCRIPT)
    return run


def folder(run: Run) -> Path:
    return run.workspace / "exports" / "tiny"


def test_works_in_a_stranger_process(exported: Run) -> None:
    """Would break: a published folder that only Chapbook can load."""
    code = (
        "import sys; from transformers import pipeline; "
        "print(pipeline('text-generation', model=sys.argv[1])('The ', max_new_tokens=5)[0]['generated_text'])"
    )
    words = [sys.executable, "-c", code, str(folder(exported))]
    done = subprocess.run(words, env=environment(exported.workspace), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("The ")


def test_card_and_lineage_come_from_artifacts(exported: Run) -> None:
    """Would break: figures in the card that no artifact has, or paths of this machine in it."""
    card = (folder(exported) / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["license"] == "cc0-1.0" and front["language"] == ["en"] and front["library_name"] == "transformers"
    facts = json.loads((folder(exported) / "training_manifest.json").read_text())
    assert f"{facts['evaluation']['total']['bits_per_byte']:.4f}" in card
    assert f"{facts['checkpoint']['parameters']:,} parameters" in card
    assert set(facts["inputs"]) == {"weights", "checkpoint", "corpus", "evaluation", "generation"}
    for path in folder(exported).iterdir():
        content = path.read_bytes()
        assert str(exported.workspace).encode() not in content, path.name
        assert str(Path.home()).encode() + b"/" not in content, path.name
    assert not list(folder(exported).glob("*.bin")), "pickles hold tokens and paths"


def test_everybody_may_read_it(exported: Run) -> None:
    """Would break: a server under another user cannot read the weights (safetensors writes mode 0600)."""
    for path in folder(exported).iterdir():
        assert path.stat().st_mode & 0o044 == 0o044, path.name


def test_a_changed_weight_does_not_pass(exported: Run, tmp_path: Path) -> None:
    """Would break: the check that what is published is what was measured."""
    from safetensors.torch import load_file, save_file

    copy = tmp_path / "export"
    shutil.copytree(folder(exported), copy)
    source = exported.checkpoints / "checkpoint-8"
    assert verify(source, copy) == 0.0
    weights = load_file(copy / "model.safetensors")
    weights["transformer.h.0.mlp.c_fc.weight"][0, 0] += 0.01
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ChapbookError, match="logits differ"):
        verify(source, copy)


def test_a_wrong_id_does_not_pass(exported: Run, tmp_path: Path) -> None:
    """Would break: a model that never ends its texts on a server."""
    copy = tmp_path / "export"
    shutil.copytree(folder(exported), copy)
    settings = json.loads((copy / "generation_config.json").read_text()) | {"eos_token_id": 5}
    (copy / "generation_config.json").write_text(json.dumps(settings))
    with pytest.raises(ChapbookError, match="end-of-text ids disagree"):
        verify(exported.checkpoints / "checkpoint-8", copy)


def test_generation_settings_for_servers(exported: Run) -> None:
    """Would break: `transformers serve` ignores the temperature, or overruns the context."""
    settings = json.loads((folder(exported) / "generation_config.json").read_text())
    assert settings["do_sample"] is True
    assert settings["max_new_tokens"] <= 16
    assert json.loads((folder(exported) / "tokenizer_config.json").read_text())["tokenizer_class"] == (
        "PreTrainedTokenizerFast"
    )


def test_unmeasured_checkpoint_says_so(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a card that is silent about what nobody measured."""
    run = trained_run.copy(tmp_path)
    done = run.script(SCRIPT, "--checkpoint", "checkpoint-4", "--json")
    assert "there is no evaluation of this checkpoint" in done.stderr
    assert result(done)["checkpoint"] == "checkpoint-4"
    assert "This checkpoint was not evaluated." in (folder(run) / "README.md").read_text()


def test_another_corpus_is_not_passed_off(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a card that names sources and a licence which the model was not trained on."""
    run = trained_run.copy(tmp_path)
    run.script("01_data_collection/clean.py", "--corpus.split_seed", 2)
    for script in (SCRIPT, "04_evaluation/run_evaluation.py"):
        assert "was trained on another corpus" in run.script(script, code=3).stderr


def test_licence_is_derived_or_asked_for() -> None:
    """Would break: a licence that the sources do not give."""
    assert derive_licence({"CC0-1.0": {}}) == "CC0-1.0"
    assert derive_licence({"CC0-1.0": {}, "unknown": {}}) is None
    assert derive_licence({"unknown": {}}) is None
    with pytest.raises(ChapbookError, match=r"CC-BY-NC-4\.0, CC0-1\.0"):
        derive_licence({"CC0-1.0": {}, "CC-BY-NC-4.0": {}})
