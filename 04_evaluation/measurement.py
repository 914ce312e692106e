"""One checkpoint measured on one text: everything that goes into its results.json, and the files beside it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import advice
import evaluation_report
import floors
import language_modelling
import measured_text
from context import Context
from language_modelling import DocumentScore, PositionLoss

from chapbook import artifact, checkpoint
from chapbook.checkpoint import Checkpoint
from chapbook.config import RunConfig
from chapbook.corpus import Document
from chapbook.errors import ArtifactError, ChapbookError
from chapbook.log import ProgressBar, log
from chapbook.workspace import Workspace

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

# 2: confidence, floors, positions, decades, measurements by module.
FORMAT_VERSION = 2
RESULTS = "results.json"
# The modules of this folder beside language modelling (as context.py describes), and whether quick mode runs them.
MEASUREMENTS = {
    "continuation": True,
    "knowledge": False,
    "benchmarks": False,
    "memorisation": False,
    "human_sheet": False,
}
# Keys of lm-evaluation-harness's own result; those of all measurements stand together at the top of the results.
HARNESS_KEYS = ("results", "groups", "versions", "n-shot", "higher_is_better", "n-samples")
# How measurements sample; their prompts, lengths and seeds are their own.
SAMPLING = {"temperature", "top_k", "top_p", "repetition_penalty"}
# Vocabularies are padded to multiples of at most this; a model that is larger still has another tokenizer.
LARGEST_PADDING = 256


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be measured."""

    found: Checkpoint
    config: RunConfig
    workspace: Workspace
    mode: str
    """`quick`, `comprehensive` or `dataset`."""
    device: str
    data: Path | None = None
    """In dataset mode: the file or folder of texts."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """The text of a job, and what its fingerprint and results say about it."""

    name: str
    documents: list[Document]
    corpus: Path | None
    inputs: dict[str, str]
    about: dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: its folder, its results, and whether it was there already."""

    directory: Path
    results: dict[str, Any]
    fingerprint: str
    reused: bool


def evaluate(job: Job, *, same_text: bool = False) -> Evaluation:
    """Measure, or reuse what was measured; raises ArtifactError without corpus, text or split.

    same_text: the results will stand beside those of other checkpoints, so a quick evaluation may not be replaced by
    a comprehensive one, which reads more.
    """
    text = text_of(job)
    name = job.found.name + (f"-{text.name}" if job.mode == "dataset" else "")
    directory = job.workspace.evaluation(job.config.name, name)
    if job.mode == "quick" and (full := _finished(directory, _recipe(job, text, "comprehensive"))):
        # A comprehensive evaluation holds what a quick one would tell, and may have taken an hour.
        if not same_text:
            return Evaluation(directory, _read(directory), full.fingerprint, reused=True)
        directory = job.workspace.evaluation(job.config.name, f"{name}-quick")
    recipe = _recipe(job, text, job.mode)
    if earlier := _finished(directory, recipe):
        return Evaluation(directory, _read(directory), earlier.fingerprint, reused=True)
    # Fresh: what is there with this recipe holds failures.
    fresh = artifact.reusable(directory, recipe, warn=False) is not None
    manifest, _ = artifact.ensure(directory, recipe, lambda path: _build(job, text, path), fresh=fresh)
    return Evaluation(directory, _read(directory), manifest.fingerprint, reused=False)


def _finished(directory: Path, recipe: artifact.Recipe) -> artifact.Manifest | None:
    """The evaluation made from this recipe, if nothing in it failed: what failed may work by now."""
    manifest = artifact.reusable(directory, recipe, warn=False)
    return None if manifest is None or manifest.counts["failed"] else manifest


def _read(directory: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((directory / RESULTS).read_text("utf-8"))
    return results


def _recipe(job: Job, text: Text, mode: str) -> artifact.Recipe:
    settings = job.config.evaluation
    inputs = {"weights": job.found.weights_hash, **text.inputs}
    if mode == "comprehensive":
        inputs["tasks"] = _hash_of_files([Path(__file__).with_name("tasks"), settings.task_folder])
    return artifact.Recipe(
        kind="evaluation",
        format_version=FORMAT_VERSION,
        config={
            **settings.model_dump(exclude={"checkpoint", "batch_size", "mode", "task_folder"}),
            "mode": mode,
            "generation": job.config.generation.model_dump(include=SAMPLING),
        },
        inputs=inputs,
    )


def _hash_of_files(folders: Sequence[Path | str | None]) -> str:
    """One hash over the names and contents of all files in some folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")) if folder else ():
            if path.is_file():
                digest.update(f"{path.name}\0{artifact.file_hash(path)}\n".encode())
    return digest.hexdigest()[:32]


def text_of(job: Job) -> Text:
    """The documents of a job. Raises ArtifactError for an empty split, another corpus or a file without text."""
    settings = job.config.evaluation
    corpus = job.workspace.corpus(job.config.corpus.name)
    if job.data is not None:
        return _named_text(job, job.data, corpus)
    manifest = checkpoint.corpus_of(job.found, corpus)
    if not (available := manifest.counts["splits"][settings.split]["documents"]):
        raise ArtifactError(
            f"The {settings.split} split of {corpus} is empty. Set corpus.{settings.split}_share and clean again."
        )
    documents = measured_text.choose(corpus, settings.split, available, settings.max_documents)
    cut: dict[str, int] = {}
    if job.mode == "quick":
        documents, cut = measured_text.shorten(documents)
    size = manifest.counts["splits"][settings.split]["bytes"]
    return Text(
        name=settings.split,
        documents=documents,
        corpus=corpus,
        inputs={"corpus": manifest.fingerprint},
        about={"documents_available": available, "bytes_available": size, **cut},
    )


def _named_text(job: Job, data: Path, corpus: Path) -> Text:
    documents = measured_text.read_files(data)
    size = sum(document.byte_count() for document in documents)
    digest = hashlib.sha256()
    for document in documents:
        digest.update(artifact.canonical_json([document.id, document.source, document.date, document.sha256]))
    inputs = {"text": digest.hexdigest()[:32]}
    manifest = artifact.read_manifest(corpus)
    assert job.found.manifest is not None
    # Floors need the text that this model was trained on; without it they are left out.
    known = manifest is not None and manifest.fingerprint == job.found.manifest.inputs.get("corpus")
    if known and manifest is not None:
        inputs["corpus"] = manifest.fingerprint
    return Text(
        name=data.resolve().stem,
        documents=documents,
        corpus=corpus if known else None,
        inputs=inputs,
        about={"documents_available": len(documents), "bytes_available": size},
    )


class DeletedError(ArtifactError):
    """A checkpoint went away while it was read."""


@contextlib.contextmanager
def reading(found: Checkpoint) -> Iterator[None]:
    """While a checkpoint is read: training beside us may delete it. Raises DeletedError when that happened."""
    try:
        yield
    except Exception as error:
        if (found.path / artifact.MANIFEST).is_file():
            raise
        raise DeletedError(
            f"{found.path} was deleted while it was read: training keeps the newest checkpoints only "
            "(training.save_total_limit). Evaluate the newest one with --checkpoint latest."
        ) from error


def load(found: Checkpoint, device: str) -> tuple[PreTrainedModel, Tokenizer, int]:
    """The model, its tokenizer and its end-of-text id. Raises ArtifactError when they do not fit together."""
    from chapbook.tokenizer import end_of_text_id, load_tokenizer

    with reading(found):
        model = checkpoint.load_model(found.path, device)
        tokenizer = load_tokenizer(found.path)
    if model.config.vocab_size > tokenizer.get_vocab_size() + LARGEST_PADDING:
        raise ArtifactError(
            f"{found.path} does not fit together: the model knows {model.config.vocab_size:,} tokens, "
            f"its tokenizer has {tokenizer.get_vocab_size():,}."
        )
    return model, tokenizer, end_of_text_id(tokenizer)


def score(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    end_of_text: int,
    documents: list[Document],
    batch_size: int,
    where: Path,
    positions: PositionLoss | None = None,
) -> list[DocumentScore]:
    """Score all documents with a progress bar. Raises ChapbookError for a loss that is no number."""
    scores = []
    with ProgressBar("evaluate", sum(document.byte_count() for document in documents), "B") as bar:
        for one in language_modelling.score_documents(model, tokenizer, documents, end_of_text, batch_size, positions):
            if not math.isfinite(one.nats):
                raise ChapbookError(f"The loss on {one.id} is {one.nats}: the model in {where} is broken.")
            scores.append(one)
            bar.advance(one.bytes)
    return scores


def _build(job: Job, text: Text, path: Path) -> dict[str, Any]:
    settings = job.config.evaluation
    model, tokenizer, end_of_text = load(job.found, job.device)
    positions = PositionLoss(model.config.max_position_embeddings)
    scores = score(model, tokenizer, end_of_text, text.documents, settings.batch_size, job.found.path, positions)
    context = Context(
        checkpoint=job.found.path,
        model=model,
        tokenizer=tokenizer,
        end_of_text=end_of_text,
        config=job.config,
        workspace=job.workspace,
        corpus=text.corpus,
        split=text.name,
        documents=text.documents,
        device=job.device,
        seed=settings.seed,
        quick=job.mode == "quick",
        output=path,
    )
    described = language_modelling.describe(scores, settings.resamples, settings.seed)
    results: dict[str, Any] = {
        "schema": FORMAT_VERSION,
        "run": job.config.name,
        "checkpoint": job.found.name,
        "step": job.found.step,
        "mode": job.mode,
        "split": text.name,
        "model": {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "vocabulary": tokenizer.get_vocab_size(),
            "rows": model.config.vocab_size,
            "context": model.config.max_position_embeddings,
        },
        "measured": text.about | {"left_out": _left_out(job, text)},
        **described,
        "by_position": positions.octaves(),
        "other_splits": _other_splits(job, model, tokenizer, end_of_text),
        "floors": floors.measure(context, scores),
    }
    if job.mode == "dataset":
        results["documents"] = [one.as_dict() for one in scores]
    results["advice"] = advice.advise(_facts(job, results))
    results |= _harness_keys(text.name, described)
    fragments = _measurements(job, context, results)
    failed = [name for name in MEASUREMENTS if "failed" in results.get(name, {})]
    (path / RESULTS).write_text(json.dumps(results, indent=2, allow_nan=False) + "\n", "utf-8")
    evaluation_report.write(results, fragments, path)
    return {
        **{key: value for key, value in results.items() if isinstance(value, int | float | str)},
        "bits_per_byte": results["total"]["bits_per_byte"],
        "failed": failed,
    }


def _left_out(job: Job, text: Text) -> list[str]:
    """Sentences on what a reader of the figures must know was not measured."""
    said = []
    available, chosen = text.about["documents_available"], len(text.documents)
    if chosen < available:
        said.append(f"{chosen:,} of {available:,} documents were measured, taken evenly.")
    if cut := text.about.get("documents_cut"):
        length = text.about["cut_to_characters"]
        said.append(f"Of {cut:,} of the documents only {length:,} characters from the middle were read.")
    if job.mode == "quick":
        names = [name.replace("_", " ") for name, quick in MEASUREMENTS.items() if not quick and name != "benchmarks"]
        said.append(f"Left to --mode comprehensive: {', '.join(['the other split', *names])}.")
    if text.corpus is None:
        said.append(
            "The corpus that the model was trained on is not in this workspace, so there are no n-gram floors, and "
            "nothing says whether this text was trained on."
        )
    elif job.mode == "dataset":
        said.append("Whether the model was trained on parts of this text is not known here (see memorisation).")
    return said


def _other_splits(job: Job, model: PreTrainedModel, tokenizer: Tokenizer, end_of_text: int) -> dict[str, Any]:
    """The same figures for the other held-back split, in comprehensive mode and where there is one."""
    if job.mode != "comprehensive":
        return {}
    settings = job.config.evaluation
    name = "test" if settings.split == "validation" else "validation"
    corpus = job.workspace.corpus(job.config.corpus.name)
    available = checkpoint.corpus_of(job.found, corpus).counts["splits"][name]["documents"]
    if not available:
        return {}
    documents = measured_text.choose(corpus, name, available, settings.max_documents)
    scores = score(model, tokenizer, end_of_text, documents, settings.batch_size, job.found.path)
    return {name: language_modelling.describe(scores, settings.resamples, settings.seed)}


def _facts(job: Job, results: dict[str, Any]) -> advice.Facts:
    assert job.found.manifest is not None
    counts = job.found.manifest.counts if job.mode != "dataset" else {}
    metrics = job.workspace.logs(job.config.name) / "metrics.jsonl"
    return advice.Facts(
        total=results["total"],
        floors=results["floors"],
        vocabulary=results["model"]["vocabulary"],
        parameters=results["model"]["parameters"],
        comprehensive=job.mode == "comprehensive",
        tokens_seen=counts.get("tokens_seen"),
        epoch=counts.get("epoch"),
        finished=bool(counts.get("finished")),
        train_loss=counts.get("loss"),
        eval_loss=counts.get("eval_loss"),
        training_bytes_per_token=results["floors"].get("training_bytes_per_token"),
        curve=advice.curve_of(metrics, job.found.step) if counts else (),
    )


def _harness_keys(split: str, described: dict[str, Any]) -> dict[str, Any]:
    """The figures under the names that lm-evaluation-harness gives them, so that its readers find them."""
    task = f"chapbook_{split}"
    total = described["total"]
    values = {
        "word_perplexity": total["word_perplexity"],
        "byte_perplexity": 2 ** total["bits_per_byte"],
        "bits_per_byte": total["bits_per_byte"],
    }
    shown: dict[str, Any] = {"alias": task, **{f"{name},none": value for name, value in values.items()}}
    if "bits_per_byte_stderr" in described["confidence"]:
        shown["bits_per_byte_stderr,none"] = described["confidence"]["bits_per_byte_stderr"]
    documents = total["documents"]
    return {
        "results": {task: shown},
        "versions": {task: FORMAT_VERSION},
        "higher_is_better": {task: dict.fromkeys(values, False)},
        "n-samples": {task: {"original": documents, "effective": documents}},
    }


def _measurements(job: Job, context: Context, results: dict[str, Any]) -> dict[str, str]:
    """Add what the other modules of this folder measure to `results`; returns their parts of the page.

    Harness keys of theirs join ours.
    """
    fragments: dict[str, str] = {}
    for name, quick in MEASUREMENTS.items():
        if job.mode == "dataset" or (context.quick and not quick):
            continue
        if name == "benchmarks" and not job.config.evaluation.tasks:
            continue
        try:
            module = importlib.import_module(name)
            measured = module.measure(context)
            json.dumps(measured, allow_nan=False)
            fragments[name] = module.page(measured)
        except Exception as error:  # any failure of a measurement is a result: that it failed, and why
            reason = str(error) if isinstance(error, ChapbookError) else f"{type(error).__name__}: {error}"
            log.warning("%s could not be measured: %s", name, reason)
            results[name] = {"failed": reason}
            continue
        results[name] = measured
        for key in HARNESS_KEYS:
            results.setdefault(key, {}).update(measured.pop(key, {}))
    return fragments
