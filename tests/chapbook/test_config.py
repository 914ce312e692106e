"""Configurations: every problem at once, every shipped file valid and explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import ROOT, TINY, write_config

from chapbook.config import check_config, dump_config, load_config, parse_value, read_yaml
from chapbook.errors import ConfigError, UsageError

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def test_three_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Would break: people mend one mistake, start again, and meet the next."""
    path = write_config(
        tmp_path / "bad.yaml",
        tokenizer__vocab_sise=100,
        corpus__validation_share=1.5,
        training__learning_rat=1e-3,
        training__max_steps="many",
        model__n_head=5,
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path, deep=True)
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    assert "tokenizer.vocab_sise: there is no such key (did you mean vocab_size?)" in text
    assert "corpus.validation_share = 1.5: should be less than 1" in text
    assert "training.learning_rat: there is no such key (did you mean learning_rate?)" in text
    assert "training.max_steps = 'many'" in text
    assert "width 32 cannot be shared by 5 attention heads; 4 heads of 8 would work" in text


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("training", {"warmup_ratio": 0.1}, "use warmup_steps"),
        ("training", {"output_dir": "x"}, "the workspace decides"),
        ("training", {"hub_token": "secret"}, "HF_TOKEN"),
        ("training", {"load_best_model_at_end": True, "eval_strategy": "no"}, "training:"),
        ("training", {"per_device_train_batch_size": 0}, "must be at least 1"),
        ("training", {"max_steps": 0}, "must be at least 1"),
        ("training", {"dataloader_num_workers": -1}, "must not be negative"),
        ("model", {"model_type": "gpt2", "n_layer": -2}, "at least 1"),
        ("model", {"model_type": "gpt2", "resid_pdrop": 1.5}, "between 0 and 1"),
        ("model", {"model_type": "gtp2"}, "did you mean"),
        ("model", {"model_type": "gpt2", "vocab_size": 5}, "filled in from the tokenizer"),
        ("model", {"model_type": "gpt2", "n_positions": 99}, "contradicts pretokenize.max_length"),
        ("model", {"model_type": "gpt2", "n_layers": "four"}, "model.n_layers"),
    ],
)
def test_each_mistake_says_what_would_work(section: str, value: dict[str, object], message: str) -> None:
    """Would break: a mistake that transformers ignores or explains in its own words."""
    with pytest.raises(ConfigError, match=message):
        check_config({**TINY, section: value}, "test", deep=True, construct=True)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_valid(path: Path) -> None:
    """Would break: a preset that stops with an error on the first day."""
    assert load_config(path, deep=True).name


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_key_is_explained(path: Path) -> None:
    """Would break: a key in a shipped file that nobody explains."""
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\s+(- )?\w+:\s*\S", line) or re.match(r"name:", line):
            assert lines[number - 1].lstrip().startswith("#"), f"{path.name}:{number + 1}: {line.strip()}"


SIZES = {
    "small": 953_856,
    "medium": 27_435_008,
    "large": 108_292_608,
    "slm": 108_489_216,
    "gpt2-124m": 123_849_984,
    "regular": 334_080_000,
    "custom-300m": 355_871_744,
    "rope": 120_945_408,
}


@pytest.mark.parametrize(("preset", "parameters"), SIZES.items())
def test_presets_have_the_size_they_say(preset: str, parameters: int) -> None:
    """Would break: a preset that silently is another model."""
    import torch

    from chapbook.model import model_config, new_model, parameter_count

    config = load_config(ROOT / "configs" / f"{preset}.yaml")
    with torch.device("meta"):
        model = new_model(
            model_config(
                config.model,
                vocab_size=config.tokenizer.vocab_size,
                max_length=config.pretokenize.max_length,
                end_of_text=0,
            )
        )
    assert parameter_count(model) == parameters
    assert f"{parameters:,}" in (ROOT / "configs" / f"{preset}.yaml").read_text("utf-8")


def test_other_architectures_work() -> None:
    """Would break: `model` is any causal language model, not only gpt2."""
    from chapbook.model import model_config, new_model

    described = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    described |= {"intermediate_size": 64, "num_key_value_heads": 2}
    config = model_config(described, vocab_size=300, max_length=16, end_of_text=0)
    assert config.max_position_embeddings == 16
    assert new_model(config).num_parameters() > 0


def test_numbers_as_people_write_them() -> None:
    """Would break: 3e-4 read as text, as YAML 1.1 does."""
    assert parse_value("3e-4") == 3e-4
    assert parse_value("1E6") == 1e6
    assert parse_value("6_000_000") == 6_000_000
    assert parse_value("checkpoint-500") == "checkpoint-500"
    assert parse_value("1e-4x") == "1e-4x"
    assert parse_value("[en, fr]") == ["en", "fr"]


def test_a_key_given_twice_is_an_error(tmp_path: Path) -> None:
    """Would break: the last of two values wins in silence."""
    path = tmp_path / "twice.yaml"
    path.write_text("name: a\nname: b\n")
    with pytest.raises(UsageError, match="given twice"):
        read_yaml(path)


def test_paths_start_at_the_config_file(tmp_path: Path) -> None:
    """Would break: the same config means other files from another folder."""
    path = write_config(tmp_path / "c.yaml", corpus__sources=[{"kind": "files", "paths": "texts"}])
    source = load_config(path).corpus.sources[0]
    assert source.kind == "files" and source.paths == [str(tmp_path / "texts")]


def test_resolved_config_reads_back_equal(tmp_path: Path) -> None:
    """Would break: `run` hands its stages another configuration than it checked."""
    config = load_config(write_config(tmp_path / "c.yaml"))
    path = tmp_path / "resolved.yaml"
    path.write_text(dump_config(config), "utf-8")
    assert load_config(path) == config


@pytest.mark.parametrize("word", ["08", "1e5", "no", "yes", "1750-01-01", "null", "true", "Война", "a b"])
def test_any_word_survives_the_resolved_config(tmp_path: Path, word: str) -> None:
    """Would break: a book called 08.txt, a prompt that looks like a number."""
    config = load_config(write_config(tmp_path / "c.yaml", generation__prompts=[word], publish__title=word))
    path = tmp_path / "resolved.yaml"
    path.write_text(dump_config(config), "utf-8")
    assert load_config(path) == config


def test_every_common_schedule_can_be_made() -> None:
    """Would break: a default that belongs to one schedule handed to another."""
    import torch
    from transformers import get_scheduler

    from chapbook.training_arguments import build

    for schedule in ("linear", "cosine", "constant", "constant_with_warmup", "cosine_with_min_lr"):
        arguments = build({"lr_scheduler_type": schedule}, output_dir="unused", use_cpu=True)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        kwargs = arguments.lr_scheduler_kwargs or {}
        assert get_scheduler(schedule, optimizer, 1, 10, scheduler_specific_kwargs=kwargs)


def test_what_a_person_says_about_sources_may_look_like_a_number(tmp_path: Path) -> None:
    """Would break: `date: 1853`, `title: 1984`."""
    source = {"kind": "files", "paths": "texts", "date": 1853, "title": 1984}
    found = load_config(write_config(tmp_path / "c.yaml", corpus__sources=[source])).corpus.sources[0]
    assert found.kind == "files" and (found.date, found.title) == ("1853", "1984")


def test_overrides_reach_lists_and_new_keys(tmp_path: Path) -> None:
    """Would break: `--corpus.sources.0.seed 9` on the command line."""
    path = write_config(tmp_path / "c.yaml")
    config = load_config(path, {"corpus.sources.0.seed": 9, "training.weight_decay": 0.5})
    assert config.corpus.sources[0].seed == 9  # type: ignore[union-attr]
    assert config.training["weight_decay"] == 0.5
    with pytest.raises(UsageError, match=r"corpus\.sources\.5"):
        load_config(path, {"corpus.sources.5.seed": 9})
