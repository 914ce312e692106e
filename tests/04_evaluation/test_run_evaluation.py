"""The script: its modes, its page, and what it says when something cannot be measured."""

from __future__ import annotations

import html.parser
import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measurement
import pytest
from in_process import call
from run_evaluation import main
from support import Run, result

from chapbook import artifact, checkpoint
from chapbook.errors import ArtifactError
from chapbook.log import log

SCRIPT = "04_evaluation/run_evaluation.py"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Language modelling and floors only: the other measurements have tests of their own."""
    monkeypatch.setattr(measurement, "MEASUREMENTS", {})


@pytest.fixture(scope="module")
def evaluated(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any]]:
    """The tiny run with a test split, measured comprehensively, everything on."""
    run = trained_run.copy(tmp_path_factory.mktemp("evaluated"))
    _copy_split(run, "validation", "test")
    ended = call(main, run, "--mode", "comprehensive")
    assert ended.code == 0, ended.log
    return run, ended.result


def _copy_split(run: Run, source: str, destination: str) -> None:
    corpus = run.workspace / "corpora" / "tiny"
    manifest = artifact.read_manifest(corpus)
    assert manifest is not None
    shutil.rmtree(corpus / destination, ignore_errors=True)
    shutil.copytree(corpus / source, corpus / destination)
    manifest.counts["splits"][destination] = manifest.counts["splits"][source]
    artifact.write_manifest(corpus, manifest.recipe, manifest.counts)


class Cells(html.parser.HTMLParser):
    """Collects every cell of a page that names the figure it shows: (pointer, format, text)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self._open: tuple[str, str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        values = {name: value or "" for name, value in attrs}
        self._open = (values["data-key"], values["data-format"]) if "data-key" in values else None

    def handle_data(self, data: str) -> None:  # noqa: D102
        if self._open:
            self.found.append((*self._open, data))
            self._open = None


def value_at(results: Any, pointer: str) -> Any:
    """RFC 6901, written a second time: the page must not be checked with its own code."""
    for name in [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("/").split("/")]:
        results = results[int(name) if isinstance(results, list) else name]
    return results


def test_figures_on_the_page_are_those_of_the_results(evaluated: tuple[Run, dict[str, Any]]) -> None:
    """Would break: a page that shows other figures than the file, or asks the network for anything."""
    _, found = evaluated
    directory = Path(found["path"])
    results = json.loads((directory / "results.json").read_text())
    assert {key: found[key] for key in results} == results
    page = (directory / "report.html").read_text()
    cells = Cells(page).found
    assert len(cells) > 100
    for pointer, form, text in cells:
        assert format(value_at(results, pointer), form) == text, pointer
    shown = {pointer for pointer, _, _ in cells}
    for name in ("bits_per_byte", "loss", "perplexity", "accuracy", "top5_accuracy", "floor_bits_per_byte"):
        assert f"/total/{name}" in shown and f"/other_splits/test/total/{name}" in shown
    assert not re.search(r"<script|<link|<img|@import|url\(|\bsrc=|\bhref=.?\w+:", page)
    # Markdown holds the same tables, without bars.
    rows = [line for line in (directory / "report.md").read_text().splitlines() if line.startswith("| bits per byte |")]
    total, (low, high) = results["total"]["bits_per_byte"], results["confidence"]["intervals"]["bits_per_byte"]
    assert rows[0] == f"| bits per byte | {total:.4f} | {low:.4f} | {high:.4f} |"


def test_comprehensive_measures_everything(evaluated: tuple[Run, dict[str, Any]]) -> None:
    """Would break: a part of the results that is missing, or contradicts another."""
    _, found = evaluated
    total = found["total"]
    assert found["measured"]["left_out"] == [] and found["measured"]["documents_available"] == total["documents"]
    # Benchmarks are run by name only, and none is named.
    assert {name for name in measurement.MEASUREMENTS if "failed" not in found.get(name, {"failed": ""})} == set(
        measurement.MEASUREMENTS
    ) - {"benchmarks"}
    # The copied split has the same text, so the same figures.
    assert found["other_splits"]["test"]["total"] == total
    for name, (low, high) in found["confidence"]["intervals"].items():
        assert low <= total[name] <= high, name
    for key in ("by_source", "by_decade"):
        groups = found[key].values()
        for name in ("documents", "bytes", "tokens"):
            assert sum(group[name] for group in groups) == total[name]
    assert len(found["by_decade"]) > 1 and all(re.fullmatch(r"1[78]\d0s", name) for name in found["by_decade"])
    rows = {row["name"]: row["bits_per_byte"] for row in found["floors"]["rows"]}
    assert rows["this model"] == pytest.approx(total["bits_per_byte"])
    assert found["floors"]["bytes"] == total["bytes"]
    truth = next(value for name, value in rows.items() if name.startswith("the generator's true entropy"))
    assert truth == pytest.approx(total["floor_bits_per_byte"]) and truth == min(rows.values())
    # A model of 8 steps is above a 5-gram model, and the advice says so.
    assert total["bits_per_byte"] > rows["5-gram of tokens, Kneser-Ney"] > truth
    assert found["advice"][0]["action"] == "continue"
    task = found["results"]["chapbook_validation"]
    assert task["bits_per_byte,none"] == total["bits_per_byte"]
    assert task["byte_perplexity,none"] == pytest.approx(2 ** total["bits_per_byte"])
    low, high = found["confidence"]["intervals"]["bits_per_byte"]
    assert (high - low) / 4 == pytest.approx(task["bits_per_byte_stderr,none"], rel=0.15)
    assert set(found["results"]) <= set(found["versions"]) and len(found["results"]) > 1


@pytest.mark.usefixtures("alone")
def test_quick_does_not_replace_what_took_an_hour(evaluated: tuple[Run, dict[str, Any]], tmp_path: Path) -> None:
    """Would break: `python -m chapbook run` after a comprehensive evaluation throws it away."""
    run = evaluated[0].copy(tmp_path)
    ended = call(main, run)
    assert ended.result["reused"] and ended.result["mode"] == "comprehensive"
    # More samples to read are none of its business; another setting is another question.
    assert call(main, run, "--generation.num_samples", 9).result["reused"]
    ended = call(main, run, "--evaluation.max_documents", 4)
    assert not ended.result["reused"] and ended.result["mode"] == "quick"
    assert ended.result["total"]["documents"] == 4
    assert "4 of 9 documents were measured, taken evenly." in ended.log
    assert call(main, run, "--evaluation.max_documents", 4).result["reused"]


@pytest.mark.usefixtures("alone")
def test_curve_is_of_one_text(evaluated: tuple[Run, dict[str, Any]], tmp_path: Path) -> None:
    """Would break: a curve whose last point was measured on other text, because it was measured in full before."""
    run = evaluated[0].copy(tmp_path)
    found = call(main, run, "--checkpoint", "all").result
    kept = json.loads((Path(evaluated[1]["path"]) / "results.json").read_text())
    directory = run.workspace / "evaluations" / "tiny"
    assert json.loads((directory / "checkpoint-8" / "results.json").read_text()) == kept
    quick = json.loads((directory / "checkpoint-8-quick" / "results.json").read_text())
    assert quick["mode"] == "quick"
    assert found["checkpoints"][1]["bits_per_byte"] == quick["total"]["bits_per_byte"]
    assert call(main, run, "--checkpoint", "all").result["reused"]


def test_script_as_a_person_starts_it(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a script that works in tests alone; the default mode; a second run that measures again."""
    run = trained_run.copy(tmp_path)
    found = result(run.script(SCRIPT, "--json"))
    assert found["checkpoint"] == "checkpoint-8" and found["mode"] == "quick"
    assert 0.2 < found["total"]["floor_bits_per_byte"] < 1.0
    assert found["total"]["model_bits_per_byte_there"] > found["total"]["floor_bits_per_byte"]
    assert "zstd -22" in found["floors"]["left_out"]
    assert call(main, run).result["reused"] is True


@pytest.mark.usefixtures("alone")
def test_curve_over_checkpoints_and_one_deleted_meanwhile(trained_run: Run, tmp_path: Path) -> None:
    """Would break: evaluation beside training that dies when training deletes a checkpoint, or hides that it did."""
    run = trained_run.copy(tmp_path)
    found = call(main, run, "--checkpoint", "all").result
    assert [point["checkpoint"] for point in found["checkpoints"]] == ["checkpoint-4", "checkpoint-8"]
    first, last = (point["bits_per_byte"] for point in found["checkpoints"])
    assert first > last and found["missing"] == []
    single = call(main, run, "--checkpoint", "checkpoint-4").result
    assert single["reused"] and single["total"]["bits_per_byte"] == first
    page = (Path(found["path"]) / "report.html").read_text()
    assert "<polyline" in page
    for pointer, form, text in Cells(page).found:
        assert format(value_at(found, pointer), form) == text

    class Deletes(logging.Handler):
        """Deletes checkpoint-8, as rotation does, when checkpoint-4 is being measured."""

        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "checkpoint-4":
                shutil.rmtree(run.checkpoints / "checkpoint-8")

    deletes = Deletes()
    log.addFilter(lambda record: deletes.emit(record) or True)
    try:
        ended = call(main, run, "--checkpoint", "all", "--evaluation.seed", 2)
    finally:
        log.filters.clear()
    assert ended.code == 0
    assert ended.result["missing"] == ["checkpoint-8"] and len(ended.result["checkpoints"]) == 1
    assert "checkpoint-8 was deleted while it was read" in ended.log


def test_checkpoint_deleted_after_it_was_found(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a traceback of safetensors where one line and exit code 3 belong."""
    run = trained_run.copy(tmp_path)
    found = checkpoint.find(run.checkpoints, "latest")
    shutil.rmtree(found.path)
    with pytest.raises(ArtifactError, match=r"was deleted while it was read.*--checkpoint latest"):
        measurement.load(found, "cpu")


@pytest.mark.usefixtures("alone")
def test_comparison_finds_the_better_one(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a verdict that follows from chance, from the order, or from other documents for each."""
    run = trained_run.copy(tmp_path)
    ended = call(main, run, "--mode", "compare", "--with", "@checkpoint-4")
    found = ended.result
    assert found["verdict"] == "the first is better" and "the first is better" in ended.log
    sides = [side["total"]["bits_per_byte"] for side in found["sides"]]
    assert found["difference"]["difference"] == pytest.approx(sides[0] - sides[1])
    assert found["difference"]["interval"][1] < 0 and found["difference"]["p_value"] < 0.05
    assert found["difference"]["documents"] == found["sides"][0]["total"]["documents"]
    assert "caution" in found["difference"], "nine documents are few"
    back = call(main, run, "--mode", "compare", "--checkpoint", "checkpoint-4", "--with", f"{run.config}@checkpoint-8")
    assert back.result["verdict"] == "the second is better"
    assert back.result["difference"]["difference"] == pytest.approx(-found["difference"]["difference"])
    for pointer, form, text in Cells((Path(found["path"]) / "report.html").read_text()).found:
        assert format(value_at(found, pointer), form) == text
    same = call(main, run, "--mode", "compare", "--with", "@checkpoint-8")
    assert same.code == 2 and "are the same weights" in same.log


@pytest.mark.usefixtures("alone")
def test_any_text_document_by_document(trained_run: Run, tmp_path: Path) -> None:
    """Would break: bytes lost in reading, documents mixed up, or a corpus demanded where none is needed."""
    run = trained_run.copy(tmp_path)
    folder = tmp_path / "letters"
    (folder / "more").mkdir(parents=True)
    (folder / "a.txt").write_bytes("Dear Sir, I am — yours.\r\nJ. Smith £5".encode())
    (folder / "more" / "b.txt").write_text("It was a cold evening in London. " * 40)
    lines = [
        {"id": "c1", "text": "The price was 3 s.\u2028A line.", "date": "1742"},
        {"text": "Said he."},
        {"text": " "},
    ]
    (folder / "c.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    found = call(main, run, "--mode", "dataset", "--data", folder).result
    documents = {one["id"]: one for one in found["documents"]}
    assert list(documents) == ["a.txt", "c1", "c.jsonl:2", "more/b.txt"]
    assert documents["a.txt"]["bytes"] == len((folder / "a.txt").read_text().encode())
    assert documents["c1"]["bytes"] == len(lines[0]["text"].encode()) and documents["c1"]["decade"] == "1740s"
    assert sum(one["nats"] for one in documents.values()) == pytest.approx(
        found["total"]["loss"] * found["total"]["tokens"]
    )
    assert "5-gram" in str(found["floors"]["rows"]), "the training text is here, so floors are too"
    assert found["path"].endswith("checkpoint-8-letters")
    for pointer, form, text in Cells((Path(found["path"]) / "report.html").read_text()).found:
        assert format(value_at(found, pointer), form) == text
    shutil.rmtree(run.workspace / "corpora")
    ended = call(main, run, "--mode", "dataset", "--data", folder / "more" / "b.txt")
    assert "5-gram" not in str(ended.result["floors"]["rows"]) and "there are no n-gram floors" in ended.log
    one = ended.result["documents"][0]
    assert one["nats"] == pytest.approx(documents["more/b.txt"]["nats"], rel=1e-5)
    assert "intervals" not in ended.result["confidence"], "one document says nothing about chance"

    (folder / "bad.txt").write_bytes(b"caf\xe9")
    ended = call(main, run, "--mode", "dataset", "--data", folder)
    assert ended.code == 3 and "bad.txt is not UTF-8" in ended.log
    (folder / "bad.txt").unlink()
    (folder / "c.jsonl").write_text('{"text": "well"}\n{"text": 5}\n')
    ended = call(main, run, "--mode", "dataset", "--data", folder)
    assert ended.code == 3 and "c.jsonl line 2 is no JSON object with a `text`" in ended.log
    ended = call(main, run, "--mode", "dataset", "--data", folder / "none")
    assert ended.code == 2 and "There is no text at" in ended.log


@pytest.mark.usefixtures("alone")
def test_failed_measurement_is_no_score(trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: a service that was down counted as 0.5, a NaN as a figure, or a failure kept for good."""
    run = trained_run.copy(tmp_path)
    (tmp_path / "broken_measurement.py").write_text(
        "def measure(context):\n    raise ConnectionError('no answer')\n\ndef page(result):\n    return 'SCORE'\n"
    )
    (tmp_path / "nan_measurement.py").write_text(
        "def measure(context):\n    return {'value': float('nan')}\n\ndef page(result):\n    return 'SCORE'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(measurement, "MEASUREMENTS", {"broken_measurement": True, "nan_measurement": True})
    ended = call(main, run)
    assert ended.code == 0
    assert ended.result["broken_measurement"] == {"failed": "ConnectionError: no answer"}
    assert list(ended.result["nan_measurement"]) == ["failed"]
    assert "broken_measurement could not be measured: ConnectionError: no answer" in ended.log
    directory = Path(ended.result["path"])
    for name in ("report.html", "report.md"):
        text = (directory / name).read_text()
        assert "failed: ConnectionError: no answer" in text and "SCORE" not in text
    (tmp_path / "broken_measurement.py").write_text(
        "def measure(context):\n    return {'value': 1}\n\ndef page(result):\n    return f'VALUE {result[\"value\"]}'\n"
    )
    monkeypatch.setattr(measurement, "MEASUREMENTS", {"broken_measurement": True})
    import sys

    del sys.modules["broken_measurement"]
    again = call(main, run)
    assert not again.result["reused"] and again.result["broken_measurement"] == {"value": 1}
    assert "VALUE 1" in (directory / "report.html").read_text()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--mode", "dataset"), "needs --data"),
        (("--data", "x.txt"), "--data goes with"),
        (("--mode", "compare"), "needs --with"),
        (("--with", "@best"), "--with goes with"),
        (("--mode", "compare", "--with", "@best", "--checkpoint", "all"), "takes one checkpoint"),
        (("--mode", "slow"), "invalid choice"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_loaded(trained_run: Run, flags: tuple[str, ...], message: str) -> None:
    """Would break: a flag without effect."""
    ended = call(main, trained_run, *flags)
    assert ended.code == 2 and message in ended.log


@pytest.mark.usefixtures("alone")
def test_what_cannot_be_measured(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a missing split, tokenizer or checkpoint, or a broken model, ends in a figure or a traceback."""
    run = trained_run.copy(tmp_path)

    def fails(code: int, message: str, *flags: object) -> None:
        ended = call(main, run, *flags)
        assert ended.code == code and message in ended.log and "Traceback" not in ended.log, ended.log

    fails(3, "corpus.test_share", "--evaluation.split", "test")
    fails(3, "These would work: checkpoint-4, checkpoint-8", "--checkpoint", "checkpoint-5")
    path = run.checkpoints / "checkpoint-8"
    whole = (path / "tokenizer.json").read_bytes()
    (path / "tokenizer.json").unlink()
    fails(3, "tokenizer.json is missing", "--checkpoint", "checkpoint-8")
    (path / "tokenizer.json").write_bytes(whole)
    _change_weights(path, "transformer.ln_f.weight", lambda weight: weight.index_fill(0, _first(), float("nan")))
    fails(1, "is nan: the model in", "--checkpoint", "checkpoint-8")
    assert not (run.workspace / "evaluations" / "tiny" / "checkpoint-8").exists()
    shutil.rmtree(run.checkpoints)
    fails(3, "no complete checkpoint")
    fails(3, "no complete checkpoint", "--checkpoint", "all")


@pytest.mark.parametrize(("rows", "fits"), [(401, True), (448, True), (399, False), (700, False)])
def test_checkpoint_of_another_vocabulary(trained_run: Run, tmp_path: Path, rows: int, fits: bool) -> None:
    """Would break: a model measured with the tokens of another one."""
    run = trained_run.copy(tmp_path)
    path = run.checkpoints / "checkpoint-8"
    import torch

    _change_weights(path, "transformer.wte.weight", lambda weight: torch.cat([weight, weight])[:rows].clone())
    config = json.loads((path / "config.json").read_text()) | {"vocab_size": rows}
    (path / "config.json").write_text(json.dumps(config))
    _sign(path)
    found = checkpoint.find(run.checkpoints, "checkpoint-8")
    if fits:
        assert measurement.load(found, "cpu")[0].config.vocab_size == rows
    else:
        with pytest.raises(ArtifactError, match=f"the model knows {rows} tokens, its tokenizer has 400"):
            measurement.load(found, "cpu")


@pytest.mark.usefixtures("alone")
def test_another_corpus_is_not_compared(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a model that is better because it was trained on the text it is compared on."""
    run = trained_run.copy(tmp_path)
    path = run.checkpoints / "checkpoint-4"
    manifest = artifact.read_manifest(path)
    assert manifest is not None
    manifest.inputs["corpus"] = "another"
    artifact.write_manifest(path, manifest.recipe, manifest.counts)
    ended = call(main, run, "--mode", "compare", "--with", "@checkpoint-4")
    assert ended.code == 3 and "--data FILE_OR_FOLDER" in ended.log
    text = tmp_path / "text.jsonl"
    text.write_text("".join(json.dumps({"text": f"It was number {n} in the Strand."}) + "\n" for n in range(5)))
    ended = call(main, run, "--mode", "compare", "--with", "@checkpoint-4", "--data", text)
    assert ended.code == 0 and ended.result["difference"]["documents"] == 5


def _first() -> Any:
    import torch

    return torch.tensor([0])


def _change_weights(path: Path, name: str, change: Any) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(path / "model.safetensors")
    weights[name] = change(weights[name])
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    _sign(path)


def _sign(path: Path) -> None:
    manifest = artifact.read_manifest(path)
    assert manifest is not None
    artifact.write_manifest(path, manifest.recipe, manifest.counts)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    yield
    log.handlers.clear()
