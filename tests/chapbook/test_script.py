"""Command lines: overrides, short flags, hyphens, and what a mistake says."""

from __future__ import annotations

import pytest

from chapbook.errors import UsageError
from chapbook.script import ScriptParser


def parser() -> ScriptParser:
    result = ScriptParser("test", config=None, short_flags=("--batch_size",))
    result.add_argument("input", nargs="*")
    result.add_argument("--list_things", action="store_true")
    return result


def test_values_of_overrides_are_no_positional_arguments() -> None:
    """Would break: `run book.txt --training.max_steps 5` reads a file called 5."""
    parsed = parser().parse(["book.txt", "--training.max_steps", "5", "--tokenizer.vocab_size=300", "--list-things"])
    assert parsed.arguments.input == ["book.txt"]
    assert parsed.overrides == {"training.max_steps": 5, "tokenizer.vocab_size": 300}
    assert parsed.arguments.list_things


def test_short_flags_with_hyphens() -> None:
    """Would break: one of the two spellings."""
    for spelling in (["--batch-size", "4"], ["--batch_size=4"]):
        assert parser().parse(spelling).overrides == {"training.per_device_train_batch_size": 4}


@pytest.mark.parametrize("words", [["--nonsense"], ["--training.max_steps"], ["--training.x", "[1"], ["--batch_size"]])
def test_wrong_usage_is_one_error(words: list[str]) -> None:
    """Would break: argparse leaves the process by itself, or a mistake is ignored."""
    with pytest.raises(UsageError):
        parser().parse(words)
