"""The sheet as a person uses it, in a real browser, and what its answers are worth."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import human_sheet
import pytest
from context import Context
from controls import copy_model, evaluation_context, random_model
from human_scores import krippendorff_alpha, mean_ratings
from support import ROOT, Run, result, start

from chapbook.errors import ChapbookError, UsageError

SCRIPT = ROOT / "04_evaluation" / "human_sheet.py"


def test_alpha_equals_the_published_example() -> None:
    """Would break: agreement as another number than Krippendorff's (2011, section E: 0.743 and 0.815)."""
    raters = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    units = [[int(rater[place]) for rater in raters if rater[place] != "."] for place in range(12)]
    assert krippendorff_alpha(units, ordinal=False) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(units, ordinal=True) == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha([[1, 1], [2, 2], [3, 3]], ordinal=True) == 1.0
    assert krippendorff_alpha([[1], [2]], ordinal=False) is None
    assert krippendorff_alpha([[1, 1], [1, 1]], ordinal=False) is None


def test_mean_ratings_are_paired() -> None:
    """Would break: a difference that is sure in every pair drowns in how much the pairs differ."""
    found = mean_ratings([[(value, value - 1)] for value in (2, 3, 4, 5) * 5], 1000, 1)
    assert found is not None and found["difference"] == 1.0 and found["difference_interval"] == [1.0, 1.0]
    assert found["first_interval"][1] - found["first_interval"][0] > 0.5
    assert mean_ratings([[], []], 1000, 1) is None


@pytest.fixture(scope="module")
def pair(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, Context]:
    first = evaluation_context(trained_run, tmp_path_factory.mktemp("sheet"))
    good = dataclasses.replace(first, model=copy_model(first, [document.text for document in first.documents]))
    bad = dataclasses.replace(first, model=random_model(first), checkpoint=first.checkpoint.with_name("checkpoint-4"))
    return good, bad


def test_sheet_is_blind_and_shuffled(pair: tuple[Context, Context], tmp_path: Path) -> None:
    """Would break: a rater who can tell whose text is whose from its place or the page's source."""
    good, bad = pair
    content = human_sheet.write_sheet(good, bad, tmp_path / "sheet.html", 12)
    key = json.loads(base64.b64decode(content["sealed"]))
    assert key["names"] == ["checkpoint-8", "checkpoint-4"] and set(key["left"].values()) == {0, 1}
    truths = {document.id: document.text for document in good.documents}.values()
    for item in content["pairs"]:
        true_side = "right" if key["left"][item["id"]] else "left"
        assert any(item["prompt"] + item[true_side] in text for text in truths)
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert "checkpoint-" not in page and "http" not in page
    again = human_sheet.write_sheet(good, bad, tmp_path / "again.html", 12)
    assert again == content and (tmp_path / "again.html").read_text("utf-8") == page
    reseeded = human_sheet.write_sheet(
        dataclasses.replace(good, seed=2), dataclasses.replace(bad, seed=2), tmp_path / "other.html", 12
    )
    assert reseeded["sealed"] != content["sealed"]


def answers_of(content: dict[str, Any], rater: str, choose: Any, ratings: tuple[int, int]) -> dict[str, Any]:
    """Answers of a rater who knows which side is the first writer's."""
    left = json.loads(base64.b64decode(content["sealed"]))["left"]
    answers = []
    for item in content["pairs"]:
        first, second = ("right", "left") if left[item["id"]] else ("left", "right")
        answers.append(
            {
                "item": item["id"],
                "preference": {"first": first, "second": second}.get(wanted := choose(item["id"]), wanted),
                first: dict.fromkeys(("language", "sense", "period"), ratings[0]),
                second: dict.fromkeys(("language", "sense", "period"), ratings[1]),
                "seconds": 1.5,
            }
        )
    return {
        "schema": 1,
        "sheet": content["id"],
        "rater": rater,
        "criteria": ["language", "sense", "period"],
        "sealed": content["sealed"],
        "answers": answers,
    }


def test_score_of_raters_who_know(pair: tuple[Context, Context], tmp_path: Path) -> None:
    """Would break: the wrong side wins, ties count as wins, or two raters as twice the evidence."""
    content = human_sheet.write_sheet(*pair, tmp_path / "sheet.html", 12)
    files = []
    for rater, choose in (
        ("Ann", lambda item: "tie" if item == "1" else "first"),
        ("Ben", lambda item: {"1": "tie", "2": None, "3": "second"}.get(item, "first")),
    ):
        files.append(tmp_path / f"{rater}.json")
        files[-1].write_text(json.dumps(answers_of(content, rater, choose, (5, 2))), "utf-8")
    done = start(SCRIPT, "--score", *files, "--json", workspace=tmp_path)
    found = result(done)
    assert found["names"] == ["checkpoint-8", "checkpoint-4"] and found["raters"] == ["Ann", "Ben"]
    # Pair 1: both see no difference. Pair 3: one against one. Pair 2: one rater alone.
    assert found["preference"] == {
        **{"first": 10, "second": 0, "no_difference": 2, "sign_test_p": pytest.approx(2 / 1024)},
        "share_first": {"count": 10, "total": 10, "value": 1.0, "interval": [pytest.approx(0.7225, abs=1e-4), 1.0]},
    }
    assert (found["pairs_judged"], found["judgements"], found["judgements_missing"]) == (12, 23, 1)
    assert found["ratings"]["language"]["difference"] == 3.0
    assert 0 < found["agreement"]["preference"] < 1 and found["agreement"]["language"] == 1.0
    assert "share that prefers checkpoint-8" in done.stderr and "sign test" in done.stderr


def test_what_cannot_be_scored(pair: tuple[Context, Context], tmp_path: Path) -> None:
    """Would break: answers to two sheets in one score, one person twice, or a traceback for a wrong file."""
    content = human_sheet.write_sheet(*pair, tmp_path / "sheet.html", 4)
    good = answers_of(content, "Ann", lambda _: "first", (5, 2))

    def failing(*contents: Any) -> str:
        files = [tmp_path / f"{number}.json" for number in range(len(contents))]
        for file, saved in zip(files, contents, strict=True):
            file.write_text(saved if isinstance(saved, str) else json.dumps(saved), "utf-8")
        with pytest.raises(UsageError) as caught:
            human_sheet.score(human_sheet.read_answers(files))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "holds no answers saved by a sheet" in failing("<html>")
    assert "holds no answers saved by a sheet" in failing([1])
    assert "another version of the sheet" in failing(good | {"schema": 2})
    assert "Ann has answered already" in failing(good, good)
    assert "answers another sheet" in failing(good, good | {"sheet": "other", "rater": "Ben"})
    broken = json.loads(json.dumps(good))
    broken["answers"][0]["left"]["sense"] = 6
    assert "sense = 6 is no rating from 1 to 5" in failing(broken)
    broken["answers"][0]["item"] = "99"
    assert "pair '99' is not one of the sheet" in failing(broken)
    assert "Nobody has chosen" in failing(answers_of(content, "Ann", lambda _: None, (5, 2)))
    assert "cannot be read" in start(SCRIPT, "--score", tmp_path / "none.json", workspace=tmp_path, code=2).stderr
    assert "Name what to do: --score" in start(SCRIPT, workspace=tmp_path, code=2).stderr


def test_measured_beside_the_true_text(pair: tuple[Context, Context]) -> None:
    """Would break: the sheet that every evaluation brings, or a page that takes it for a score."""
    context = dataclasses.replace(pair[1], quick=True)
    found = human_sheet.measure(context)
    assert found["against"] == "truth" and found["scored"] is False and found["pairs"] == 10
    assert (context.output / found["sheet"]).is_file()
    assert 'href="human_sheet.html"' in human_sheet.page(found) and "Not scored yet" in human_sheet.page(found)
    with pytest.raises(ChapbookError, match="nothing to go on from"):
        human_sheet.measure(dataclasses.replace(context, documents=[]))


def test_sheet_of_two_checkpoints(
    trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Would break: the command in the README."""
    flags = (
        "--checkpoint",
        "checkpoint-8",
        "--against",
        "checkpoint-4",
        "--pairs",
        "3",
        "--output",
        tmp_path / "x.html",
    )
    done = trained_run.script("04_evaluation/human_sheet.py", *flags, "--json")
    assert result(done)["pairs"] == 3 and "Which text goes on better?" in (tmp_path / "x.html").read_text("utf-8")
    monkeypatch.setenv("CHAPBOOK_WORKSPACE", str(trained_run.workspace))
    words = ["--config", str(trained_run.config), "--against", "latest", "--checkpoint", "latest"]
    assert human_sheet.main(words) == 2
    assert "would stand against itself" in capfd.readouterr().err


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


def test_person_at_the_sheet(browser: Any, pair: tuple[Context, Context], tmp_path: Path) -> None:
    """Would break: keys, clicks, what is kept over a reload, the saved file, or a page that asks the network."""
    content = human_sheet.write_sheet(*pair, tmp_path / "sheet.html", 3)
    left = json.loads(base64.b64decode(content["sealed"]))["left"]
    window = browser.new_context(viewport={"width": 360, "height": 740}, accept_downloads=True)
    page = window.new_page()
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda request: noise.append(request.url) if request.url.startswith("http") else None)
    page.goto((tmp_path / "sheet.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    # Every field has a name that a screen reader can say, and every radio belongs to a group with a legend.
    assert page.get_by_role("radio", name="no difference").count() == 1
    assert page.get_by_role("group", name="Language: 1 broken, 5 faultless").count() == 2
    assert page.get_by_label("Your name").count() == 1
    page.keyboard.press("s")
    assert "Enter your name first" in page.locator("#message").inner_text()
    page.get_by_label("Your name").fill("Ann 5")
    assert page.locator("fieldset input:checked").count() == 0, "a digit in the name is no rating"
    page.locator("#pair-heading").focus()
    # By keys: the first writer's text gets 5, 4, 3, the other's 2, 1, 2.
    for number, item in enumerate(content["pairs"]):
        ratings = ["543", "212"]
        for key in "".join(ratings[::-1] if left[item["id"]] else ratings):
            page.keyboard.press(key)
        if number == 0:
            page.get_by_role("radio", name="no difference").check()
        else:
            page.keyboard.press("b" if left[item["id"]] else "a")
        assert f"{number + 1} complete" in page.locator("#progress").inner_text()
        if number == 1:
            page.reload()
            assert "2 complete" in page.locator("#progress").inner_text(), "what was answered is kept"
        page.keyboard.press("n")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save answers").click()
    saved = tmp_path / "saved.json"
    download.value.save_as(saved)
    assert download.value.suggested_filename == f"ratings-{content['id']}-Ann_5.json"
    found = human_sheet.score(human_sheet.read_answers([saved]))
    assert found["preference"] | {"share_first": None, "sign_test_p": None} == {
        **{"first": 2, "second": 0, "no_difference": 1, "share_first": None, "sign_test_p": None}
    }
    means = {name: (figure["first"], figure["second"]) for name, figure in found["ratings"].items()}
    assert means == {"language": (5.0, 2.0), "sense": (4.0, 1.0), "period": (3.0, 2.0)}
    assert noise == []
    window.close()
