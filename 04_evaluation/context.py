"""What every measurement of this stage is given: one model, the text it is measured on, and where to write.

A measurement is a module of this folder with two functions:

    measure(context: Context) -> dict[str, Any]    figures for results.json, under the module's name
    page(result: dict[str, Any]) -> str            the same figures as an HTML fragment for report.html

`measure` returns plain JSON-able values (no NaN, no infinity), equal for an equal context, and raises when it cannot
measure: run_evaluation.py then records {"failed": reason} and shows that, never a score. `page` is not called for
a failed measurement. Files of its own (a dataset, a sheet) go into `context.output` and are named in the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chapbook.config import RunConfig
from chapbook.corpus import Document
from chapbook.workspace import Workspace

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Context:
    """One evaluation: the model under test and the text it is measured on."""

    checkpoint: Path
    """The checkpoint folder (stock transformers files with the tokenizer beside them); read only."""
    model: PreTrainedModel
    """In fp32 and evaluation mode, on `device`. Its vocabulary may be padded above the tokenizer's."""
    tokenizer: Tokenizer
    """Reads special tokens in texts as text."""
    end_of_text: int
    """Id of the token that separates documents: what a text starts after."""
    config: RunConfig
    workspace: Workspace
    corpus: Path | None
    """The corpus artifact the model was trained on (folders train/, validation/, test/); None for a file of texts
    that no corpus belongs to."""
    split: str
    """`validation`, `test`, or the name of the text that `--data` gave."""
    documents: list[Document]
    """The documents to measure on, in stored order; already the chosen ones in quick mode."""
    device: str
    seed: int
    quick: bool
    """Stay within a few seconds on a CPU and say in the result what was left out."""
    output: Path
    """The folder of this evaluation's files; exists and is empty but for other measurements' files."""
