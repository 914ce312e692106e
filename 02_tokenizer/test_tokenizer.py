"""Test the tokenizer of a run: is it lossless, how compact is it, what is in its vocabulary, how do others compare?

    python 02_tokenizer/test_tokenizer.py --config configs/demo.yaml --compare path/to/another

In: `tokenizers/<name>/` and `corpora/<corpus>/` (all of the validation split; the start of the training split for
tokens that never occur). Out: `runs/<run>/tokenizer/results.json` and `report.html`. Exit code 1 when a single
character is lost.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokenizer_measures as measures
from round_trip import lost, nasty_strings
from tokenizer_page import COMPARISON_COLUMNS, GROUP_COLUMNS, comparison_row, figure_row, page, summary_rows

from chapbook import artifact
from chapbook.config import RunConfig
from chapbook.corpus import Document, read_shards, read_texts
from chapbook.errors import ArtifactError, ChapbookError
from chapbook.log import ProgressBar, log, table
from chapbook.script import ScriptParser, run_script
from chapbook.tokenizer import end_of_text_id, load_tokenizer
from chapbook.workspace import Workspace

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Where GPT-2's own tokenizer lies in a Hugging Face cache, if it was ever fetched.
GPT2_REPOSITORIES = ("openai-community/gpt2", "gpt2")
LISTED = 40


def test_tokenizer(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Measure, write the report and return the results.

    Raises ArtifactError without tokenizer or corpus, ChapbookError when something is lost.
    """
    directory, corpus = workspace.tokenizer(config.tokenizer.name), workspace.corpus(config.corpus.name)
    made_by = f"Make it with: train_tokenizer.py --config {arguments.config}"
    manifest = artifact.require(directory, "tokenizer", made_by)
    corpus_manifest = artifact.require(corpus, "corpus", f"Make it with: clean.py --config {arguments.config}")
    splits = corpus_manifest.counts["splits"]
    split = "validation" if splits["validation"]["documents"] else "train"
    if not splits[split]["documents"]:
        raise ArtifactError(f"{corpus} holds no text to test with.")
    if split == "train":
        log.warning(
            "the validation split is empty: measuring the training text (corpus.validation_share holds some back)"
        )
    others = _others(arguments.compare)

    tokenizer = load_tokenizer(directory)
    results: dict[str, Any] = {
        "run": config.name,
        "tokenizer": config.tokenizer.name,
        "fingerprint": manifest.fingerprint,
        "kind": manifest.config["kind"],
        "vocab_size": tokenizer.get_vocab_size(),
        "trained_bytes": manifest.counts["trained_bytes"],
        "training_seconds": manifest.counts["training_seconds"],
        "training_peak_bytes": manifest.counts["training_peak_bytes"],
        "split": split,
    }
    measured = _measure("measure the tokenizer", tokenizer, corpus, split, splits, end_of_text_id(tokenizer))
    strings = dict(nasty_strings())
    changed = list(_changed_strings(tokenizer, strings))
    results["lossless"] = {
        "documents": measured.total.documents,
        "strings": len(strings),
        "changed": [*measured.changed, *changed],
    }
    results["total"] = measured.total.figures()
    results["by_source"] = {name: tally.figures() for name, tally in sorted(measured.by_source.items())}
    results["by_decade"] = {name: tally.figures() for name, tally in sorted(measured.by_decade.items())}
    results["vocabulary"] = _vocabulary(
        tokenizer, read_texts(corpus, "train"), min(arguments.train_bytes, splits["train"]["bytes"])
    )
    contents = measures.token_bytes(tokenizer)
    for name, texts in (("numbers", measures.NUMBERS), ("white_space", measures.WHITE_SPACE)):
        results[name] = [(measures.visible(text.encode()), measures.cut(tokenizer, text, contents)) for text in texts]
    results["comparison"] = [_row(config.tokenizer.name, tokenizer, measured)]
    for name, other in others.items():
        results["comparison"].append(_row(name, other, _measure(f"measure {name}", other, corpus, split, splits, None)))

    folder = workspace.logs(config.name) / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    artifact.write_atomically(folder / "results.json", json.dumps(results, indent=2, ensure_ascii=False).encode())
    artifact.write_atomically(folder / "report.html", page(results).encode())
    _print(results)
    log.info("report: %s", folder / "report.html")
    if lost_texts := results["lossless"]["changed"]:
        name, problem = lost_texts[0]
        raise ChapbookError(
            f"The tokenizer {directory} is not lossless: {len(lost_texts)} texts changed, first {name} ({problem}). "
            f"All are in {folder / 'results.json'}."
        )
    return {"stage": "test_tokenizer", "path": str(folder), **results}


def _others(paths: Sequence[Path]) -> dict[str, Tokenizer]:
    """The tokenizers to compare with, by the name of their folder."""
    from huggingface_hub import try_to_load_from_cache

    others: dict[str, Tokenizer] = {}
    for path in paths:
        name = path.absolute().name if path.is_dir() else path.absolute().parent.name
        others[str(path) if name in others else name] = measures.open_tokenizer(path)
    for repository in GPT2_REPOSITORIES:
        cached = try_to_load_from_cache(repository, "tokenizer.json")
        if isinstance(cached, str):
            others["GPT-2's own"] = measures.open_tokenizer(Path(cached))
            break
    return others


def _measure(
    what: str, tokenizer: Tokenizer, corpus: Path, split: str, splits: dict[str, Any], forbidden: int | None
) -> measures.Measurement:
    with ProgressBar(what, splits[split]["bytes"], "B") as bar:

        def documents() -> Iterator[Document]:
            for document in read_shards(corpus / split, Document):
                yield document
                bar.advance(document.byte_count())

        return measures.measure(tokenizer, documents(), forbidden)


def _changed_strings(tokenizer: Tokenizer, strings: dict[str, str]) -> Iterator[tuple[str, str]]:
    end = end_of_text_id(tokenizer)
    for name, text in strings.items():
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if problem := lost(text, tokenizer.decode(ids, skip_special_tokens=False), ids, end):
            yield name, problem


def _vocabulary(tokenizer: Tokenizer, texts: Iterable[str], limit: int) -> dict[str, Any]:
    """Tokens that never occur in at most `limit` bytes of training text, that cannot occur, and the longest."""
    read = 0

    def start() -> Iterator[str]:
        nonlocal read
        with ProgressBar("look for tokens that never occur", limit, "B") as bar:
            for text in texts:
                size = len(text.encode("utf-8"))
                read += size
                bar.advance(size)
                yield text
                if read >= limit:
                    return

    counts = measures.count_tokens(tokenizer, start())
    contents = measures.token_bytes(tokenizer)
    impossible = measures.unreachable(tokenizer)
    known = [(number, content) for number, content in enumerate(contents) if content is not None]
    never = [number for number, _ in known if not counts[number]]
    longest = sorted(known, key=lambda item: (-len(item[1]), item[0]))[:LISTED]

    def show(numbers: Iterable[int]) -> list[str]:
        return [measures.visible(contents[number] or b"") for number in numbers]

    return {
        "read_bytes": read,
        "learnt": sum(len(content) > 1 for _, content in known),
        "never": len(never),
        "never_learnt": sum(len(contents[number] or b"") > 1 for number in never),
        "never_examples": show([number for number in never if len(contents[number] or b"") > 1][:LISTED]),
        "unreachable": len(impossible),
        "unreachable_examples": show(impossible[:LISTED]),
        "with_digits": sum(any(0x30 <= byte <= 0x39 for byte in content) for _, content in known),
        "white_space_only": sum(content.isspace() for _, content in known),
        "longest": [(measures.visible(content), len(content), int(counts[number])) for number, content in longest],
    }


def _row(name: str, tokenizer: Tokenizer, measured: measures.Measurement) -> dict[str, Any]:
    figures = measured.total.figures()
    # What bytes a token holds is known of byte-level tokenizers only.
    del figures["single_byte_share"]
    return {
        "name": name,
        "vocab_size": tokenizer.get_vocab_size(),
        "changed_documents": len(measured.changed),
        **figures,
    }


def _print(results: dict[str, Any]) -> None:
    log.info(table(f"Tokenizer {results['tokenizer']}", ("", ""), summary_rows(results)))
    groups = [("all", results["total"])]
    groups += [(f"source {name}", figures) for name, figures in results["by_source"].items()]
    groups += [(f"decade {name}", figures) for name, figures in results["by_decade"].items()]
    rows = [figure_row(*group) for group in groups]
    log.info("\n%s", table(f"On the {results['split']} split", GROUP_COLUMNS, rows))
    if len(results["comparison"]) > 1:
        rows = [comparison_row(row) for row in results["comparison"]]
        log.info("\n%s", table("Other tokenizers on the same text", COMPARISON_COLUMNS, rows))


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("Test the tokenizer of a run: lossless, compact, nothing wasted.")
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="other tokenizers, measured on the same text: tokenizer.json, or a folder with one or with vocab.json and "
        "merges.txt; GPT-2's own comes by itself when it is in the Hugging Face cache",
    )
    parser.add_argument(
        "--train_bytes",
        type=int,
        default=20_000_000,
        metavar="N",
        help="look for tokens that never occur in this much training text (default 20,000,000)",
    )
    return run_script(test_tokenizer, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
