"""The items and the harness that asks them: its numbers equal ours; who knows all has 100%, who guesses 25%."""

from __future__ import annotations

import dataclasses
import http.server
import json
import math
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import knowledge
import pytest
from context import Context
from controls import copy_model, evaluation_context, random_model
from proportion import sign_test, wilson
from support import ROOT, Run, result, start
from tasks.london_history.items import CATEGORIES, CHOICES, read

from chapbook.errors import ChapbookError

ITEMS = [(category, item) for category in CATEGORIES for item in read(category)]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def harness() -> None:
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed: pip install -e '.[harness]'")


def test_items_are_whole_and_different() -> None:
    """Would break: an item without four different choices, without its basis, or asked twice."""
    assert len(ITEMS) >= 200
    for category, item in ITEMS:
        assert set(item) == {"id", "form", "prompt", "choices", "answer", "basis"}, item["id"]
        assert item["id"].startswith(category) and item["form"] in ("question", "cloze")
        assert len({choice.lower() for choice in item["choices"]}) == CHOICES, item["id"]
        assert all(choice == choice.strip() and choice for choice in item["choices"]), item["id"]
        assert item["prompt"].endswith("?") == (item["form"] == "question"), item["id"]
        assert item["basis"].endswith("."), item["id"]
    prompts = Counter(item["prompt"] for _, item in ITEMS)
    assert max(prompts.values()) == 1 and len({item["id"] for _, item in ITEMS}) == len(ITEMS)
    assert Counter(item["form"] for _, item in ITEMS)["cloze"] >= 60
    assert min(Counter(category for category, _ in ITEMS).values()) >= 40


def test_no_cue_in_place_or_length() -> None:
    """Would break: a model scores above chance by always taking the first, the longest or the shortest choice."""
    for category in CATEGORIES:
        places = Counter(item["answer"] for item in read(category))
        assert max(places.values()) - min(places[place] for place in range(CHOICES)) <= 1
    for extreme in (max, min):
        # Of equally long choices a guesser takes one: a fraction of a hit each.
        hits = 0.0
        for _, item in ITEMS:
            lengths = [len(choice) for choice in item["choices"]]
            if lengths[item["answer"]] == extreme(lengths):
                hits += 1 / lengths.count(extreme(lengths))
        low, high = wilson(round(hits), len(ITEMS))
        assert low <= 1 / CHOICES <= high, (extreme, hits)
    # What begins another choice is never less likely than it.
    for _, item in ITEMS:
        right = item["choices"][item["answer"]].lower()
        wrong = [choice.lower() for place, choice in enumerate(item["choices"]) if place != item["answer"]]
        assert not any(choice.startswith(right) or right.startswith(choice) for choice in wrong), item["id"]
    # Nor does the answer stand in its own question.
    for _, item in ITEMS:
        words = re.findall(r"\w+", item["choices"][item["answer"]].lower())
        content = [word for word in words if len(word) > 4]
        if content and all(word in item["prompt"].lower() for word in content):
            others = [
                any(word in item["prompt"].lower() for word in choice.lower().split()) for choice in item["choices"]
            ]
            assert sum(others) > 1, item["id"]


def test_order_of_choices_is_fixed() -> None:
    """Would break: results of two evaluations that cannot be compared because the choices moved."""
    assert [read("law")[place]["answer"] for place in range(6)] == [read("law")[place]["answer"] for place in range(6)]
    code = "from tasks.london_history.items import read; print([item['choices'] for item in read('trade')])"
    outputs = {
        start("-c", code, workspace=ROOT, PYTHONPATH=str(ROOT / "04_evaluation"), PYTHONHASHSEED=seed).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{[item['choices'] for item in read('trade')]}\n"}


def test_wilson_and_sign_test_equal_published_values() -> None:
    """Would break: the interval or the p-value beside every share."""
    # Newcombe (1998), table I, method 3.
    assert wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert wilson(15, 148) == pytest.approx([0.0624, 0.1605], abs=5e-5)
    assert wilson(0, 20) == pytest.approx([0.0, 0.1611], abs=5e-5)
    assert wilson(29, 29)[1] == 1.0 and wilson(0, 0) == [0.0, 1.0]
    assert sign_test(9, 1) == pytest.approx(2 * 11 / 1024) and sign_test(5, 5) == 1.0 == sign_test(0, 0)


def true_sentences() -> Iterator[str]:
    for _, item in ITEMS:
        answer = item["choices"][item["answer"]]
        asked = item["form"] == "question"
        yield f"Question: {item['prompt']}\nAnswer: {answer}" if asked else f"{item['prompt']} {answer}"


@pytest.fixture(scope="module")
def small(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Context:
    return evaluation_context(trained_run, tmp_path_factory.mktemp("knowledge"))


@pytest.mark.usefixtures("offline")
def test_model_that_knows_all_and_model_that_knows_nothing(small: Context) -> None:
    """Would break: answers scored against the wrong place, choices cut off, or a score that is no knowledge."""
    harness()
    knows = knowledge.measure(dataclasses.replace(small, model=copy_model(small, true_sentences())))
    assert knows["accuracy"]["value"] == knows["accuracy_per_character"]["value"] == 1.0
    assert knows["items"] == len(ITEMS) and knows["items_cut"] == 0 and knows["left_out"] is None
    quick = dataclasses.replace(small, model=random_model(small), quick=True)
    guesses = knowledge.measure(quick)
    low, high = guesses["accuracy"]["interval"]
    assert low < guesses["chance"] == 0.25 < high
    assert guesses["items"] == 120 and "first 20 items" in guesses["left_out"]
    assert guesses == knowledge.measure(quick)
    page = knowledge.page(guesses)
    assert "at chance" in page and "guessing gives 25%" in page and f"{guesses['accuracy']['value']:.1%}" in page


@pytest.mark.usefixtures("offline")
def test_harness_as_documented_gives_our_numbers(small: Context, tmp_path: Path) -> None:
    """Would break: our figures are others than the ones anybody gets who runs the harness on the checkpoint."""
    harness()
    ours = knowledge.measure(dataclasses.replace(small, quick=True))
    assert ours["items_cut"] > 60, "the tiny model reads 32 tokens"
    start(
        *("-m", "lm_eval", "run", "--model", "hf", "--tasks", "london_history", "--device", "cpu"),
        *("--model_args", f"pretrained={small.checkpoint},dtype=float32", "--batch_size", "8", "--limit", "20"),
        *("--include_path", ROOT / "04_evaluation" / "tasks", "--output_path", tmp_path / "out"),
        workspace=tmp_path,
        cwd=tmp_path,
        HF_HOME=str(tmp_path / "cache"),
        HF_DATASETS_OFFLINE="1",
    )
    written = json.loads(next((tmp_path / "out").rglob("results_*.json")).read_text("utf-8"))
    for category, figures in ours["categories"].items():
        theirs = written["results"][f"london_history_{category}"]
        assert theirs["acc,none"] == pytest.approx(figures["accuracy"]["value"], abs=1e-12)
        assert theirs["acc_norm,none"] == pytest.approx(figures["accuracy_per_character"]["value"], abs=1e-12)
    assert written["groups"]["london_history"]["acc,none"] == pytest.approx(ours["accuracy"]["value"], abs=1e-12)
    answers = [json.loads(line) for line in (small.output / ours["answers"]).read_text("utf-8").splitlines()]
    assert sum(answer["chosen"] == answer["answer"] for answer in answers) == ours["accuracy"]["count"]
    # What the harness writes by itself names this machine; what we keep does not.
    assert "pretty_env_info" in written
    assert "pretty_env_info" not in json.dumps(ours) and str(ROOT) not in json.dumps(ours)


HELLASWAG = [
    {
        "activity_label": "Cooking",
        "ctx_a": f"Cook number {number} takes an egg.",
        "ctx_b": "he",
        "endings": ["breaks it.", "flies away.", "sings aloud.", "is a tree."],
        "label": str(number % 4),
    }
    for number in range(8)
]


class SmallHub(http.server.BaseHTTPRequestHandler):
    """A Hub on this machine that has one data set, Rowan/hellaswag, of a few items."""

    commit = "a" * 40
    files: ClassVar[dict[str, bytes]] = dict.fromkeys(
        ("train.jsonl", "validation.jsonl"), "\n".join(map(json.dumps, HELLASWAG)).encode()
    )

    def do_GET(self) -> None:
        """What `datasets` asks for: the repository, its tree, its files."""
        path, api = self.path.split("?")[0], "/api/datasets/Rowan/hellaswag"
        name = path.rpartition("/")[2]
        if path in (api, f"{api}/revision/{self.commit}"):
            self._send({"id": "Rowan/hellaswag", "sha": self.commit, "siblings": []})
        elif path == f"{api}/tree/{self.commit}":
            self._send([{"type": "file", "path": n, "size": len(b), "oid": n} for n, b in self.files.items()])
        elif path.startswith("/datasets/Rowan/hellaswag/resolve/") and name in self.files:
            self._send(self.files[name])
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if "hellaswag" in path else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET

    def _send(self, content: Any) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("X-Repo-Commit", self.commit)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


BENCHMARKS = """
import dataclasses, json, sys
from pathlib import Path
import benchmarks
from controls import copy_model, evaluation_context
from support import Run
from chapbook.errors import ChapbookError

config, workspace, folder, sentences = sys.argv[1:]
small = evaluation_context(Run(Path(config), Path(workspace)), Path(folder) / "out")
model = copy_model(small, json.loads(sentences))
found = {}
for names in (["colours", "hellaswag"], ["colors"], ["piqa"]):
    settings = {"tasks": names, "task_folder": folder, "task_items": 6}
    evaluation = small.config.evaluation.model_copy(update=settings)
    config = small.config.model_copy(update={"evaluation": evaluation})
    try:
        measured = benchmarks.measure(dataclasses.replace(small, config=config, model=model))
        found[names[0]] = [measured, benchmarks.page(measured)]
    except ChapbookError as error:
        found[names[0]] = str(error)
print(json.dumps(found, allow_nan=False))
"""


def test_benchmarks_by_name_from_a_local_copy(small: Context, trained_run: Run, tmp_path: Path) -> None:
    """Would break: a benchmark by its name, a task of one's own, chance, or the line that says what cannot be run."""
    harness()
    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SmallHub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    online = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HUB_OFFLINE": "0"}
    code = "import datasets; datasets.load_dataset('Rowan/hellaswag')"
    start("-c", code, workspace=tmp_path, HF_HOME=str(tmp_path / "home"), HF_HUB_DISABLE_XET="1", **online)
    hub.shutdown()
    hub.server_close()

    lines = [
        {"question": f"The colour of number {n}?", "choices": ["red", "blue", "green"][: 2 + n % 2], "label": n % 2}
        for n in range(12)
    ]
    (tmp_path / "colours.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    task: dict[str, Any] = {
        "task": "colours",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "colours.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "choices",
        "doc_to_target": "label",
        "metric_list": [{"metric": "acc"}],
    }
    (tmp_path / "colours.yaml").write_text(json.dumps(task), "utf-8")
    sentences = [f"{line['question']} {line['choices'][line['label']]}" for line in lines]
    sentences += [f"Cooking: {item['ctx_a']} He {item['endings'][int(str(item['label']))]}" for item in HELLASWAG]
    done = start(
        *("-c", BENCHMARKS, trained_run.config, trained_run.workspace, tmp_path, json.dumps(sentences)),
        workspace=tmp_path,
        PYTHONPATH=f"{ROOT / 'tests'}:{ROOT / '04_evaluation'}",
        HF_HOME=str(tmp_path / "home"),
        HF_DATASETS_OFFLINE="1",
    )
    found = result(done)
    measured, page = found["colours"]
    colours, hellaswag = measured["tasks"]["colours"], measured["tasks"]["hellaswag"]
    assert colours["shares"]["acc"]["value"] == colours["metrics"]["acc"] == hellaswag["shares"]["acc"]["value"] == 1.0
    assert colours["items"] == hellaswag["items"] == 6 and hellaswag["chance"] == 0.25
    assert math.isclose(colours["chance"], (1 / 2 + 1 / 3) / 2)
    assert "sits at chance" in page and "41.7%" in page and "first 6 items" in page
    assert "knows no task colors. List those it ships with: lm_eval ls tasks" in found["colors"]
    assert (
        found["piqa"].startswith("The task piqa cannot be run: ") and "Offline, its data must lie in" in found["piqa"]
    )


def test_without_the_harness_one_line_says_what_to_install(small: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: a missing optional package ends in a traceback."""
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(ChapbookError, match=r"not installed\. Install it: .*\[harness\]"):
        knowledge.measure(small)
