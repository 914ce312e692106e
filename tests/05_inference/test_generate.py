"""Text from a checkpoint: repeatable, within the context, the same as stock transformers."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from support import Run, result

from chapbook.config import GenerationConfig
from chapbook.generation import Writer

SCRIPT = "05_inference/generate.py"


@pytest.fixture(scope="module")
def writer(trained_run: Run) -> Writer:
    return Writer(trained_run.checkpoints / "checkpoint-8")


def test_same_seed_same_text(trained_run: Run, tmp_path: Path) -> None:
    """Would break: samples that nobody can reproduce."""
    run = trained_run.copy(tmp_path)
    flags = ("--prompt", "The baker", "--num-samples", 2, "--seed", 5, "--json")
    first, second = (result(run.script(SCRIPT, *flags))["samples"] for _ in range(2))
    assert first == second
    assert first[0]["text"] != first[1]["text"]
    other = result(run.script(SCRIPT, *flags[:-2], 6, "--json"))["samples"]
    assert other != first


def test_configured_samples_are_kept(trained_run: Run, tmp_path: Path) -> None:
    """Would break: the samples of a run are lost, or made anew for nothing."""
    run = trained_run.copy(tmp_path)
    first = result(run.script(SCRIPT, "--json"))
    assert [sample["prompt"] for sample in first["samples"]] == ["", "The "]
    assert (Path(first["path"]) / "samples.json").is_file()
    again = result(run.script(SCRIPT, "--json"))
    assert again["reused"] is True and again["samples"] == first["samples"]


def test_greedy_equals_stock_generate(writer: Writer) -> None:
    """Would break: other text than GPT2LMHeadModel.generate gives on the same tokens."""
    settings = GenerationConfig(temperature=0, max_new_tokens=10)
    ids, _ = writer.prompt_ids("The baker", 10)
    assert ids[0] == writer.end_of_text and writer.end_of_text not in ids[1:]
    stock = writer.model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=10, pad_token_id=0)
    assert writer.write("The baker", settings)[0].text == writer.tokenizer.decode(stock[0, len(ids) :].tolist())


def test_context_is_never_overrun_and_it_is_said(writer: Writer, caplog: pytest.LogCaptureFixture) -> None:
    """Would break: an index error, or a prompt cut in silence."""
    logging.getLogger("chapbook").propagate = True
    samples = writer.write("The baker of Cheapside " * 20, GenerationConfig(max_new_tokens=500))
    assert samples[0].tokens <= 32
    assert "the model's context is 32 tokens: writing 16 instead of 500" in caplog.text
    assert "tokens are left out" in caplog.text


def test_a_sample_ends_where_the_model_ends_it(writer: Writer) -> None:
    """Would break: `<|endoftext|>` printed in the text."""
    # An embedding far along the model's own output for this prompt makes the end the likeliest next token.
    writer = Writer(writer.path)
    ids, _ = writer.prompt_ids("The", 20)
    with torch.no_grad():
        hidden = writer.model.transformer(torch.tensor([ids])).last_hidden_state[0, -1]
        writer.model.transformer.wte.weight[writer.end_of_text] = 10 * hidden
    sample = writer.write("The", GenerationConfig(temperature=0, max_new_tokens=20))[0]
    assert sample.ended and sample.tokens == 0 and sample.text == ""
