"""What people think: a blind sheet of pairs of texts, and the score of what they saved.

    python 04_evaluation/human_sheet.py --config configs/demo.yaml --checkpoint best --against checkpoint-500
    python 04_evaluation/human_sheet.py --score ratings-*.json

The sheet is one HTML file that works offline. Each pair goes on from the same held-back passage: two checkpoints, or
a checkpoint and the true text (`--against truth`). Sides are shuffled by the seed and sealed: base64 in the page and in
the saved answers, so that nobody reads by accident which is which. People rate each text from 1 to 5 and choose one.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from context import Context

from chapbook import checkpoint
from chapbook.artifact import canonical_json
from chapbook.config import RunConfig, load_config
from chapbook.errors import ChapbookError, UsageError
from chapbook.log import log, table
from chapbook.report import html_page
from chapbook.script import DEVICES, Parsed, ScriptParser, run_guarded
from chapbook.workspace import Workspace

SCHEMA = 1
SHEET = "human_sheet.html"
TRUTH = "truth"
PAIRS, TOKENS = 30, 100
CRITERIA = (
    {"name": "language", "question": "Language: 1 broken, 5 faultless"},
    {"name": "sense", "question": "Sense after what was given: 1 none, 5 perfect"},
    {"name": "period", "question": "Reads like its period: 1 not at all, 5 fully"},
)
FOLDER = Path(__file__).resolve().parent


def measure(context: Context) -> dict[str, Any]:
    """Write a sheet that sets this checkpoint against the true text; people have yet to score it.

    Raises ChapbookError when no document is long enough.
    """
    pairs = 10 if context.quick else PAIRS
    content = write_sheet(context, None, context.output / SHEET, pairs)
    return {"sheet": SHEET, "id": content["id"], "pairs": len(content["pairs"]), "against": TRUTH, "scored": False}


def page(result: dict[str, Any]) -> str:
    """Where the sheet is and how it is scored."""
    return (
        f'<h2>Human evaluation</h2><p><a href="{html.escape(result["sheet"])}">A blind sheet of {result["pairs"]} pairs'
        "</a>, this checkpoint against the true text. Not scored yet: a person opens it, answers and saves; then</p>"
        "<blockquote>python 04_evaluation/human_sheet.py --score ratings-*.json</blockquote>"
    )


def write_sheet(first: Context, second: Context | None, path: Path, number: int) -> dict[str, Any]:
    """Write the sheet of `first` against `second` (None: the true text) to `path`; returns what is embedded in it."""
    from continuation import write

    size = min(c.model.config.max_position_embeddings for c in (first, second) if c is not None)
    tokens = min(TOKENS, size // 2)
    passages = write(first, number, tokens)
    names = [first.checkpoint.name, TRUTH if second is None else second.checkpoint.name]
    if second is None:
        others = [passage.truth for passage in passages]
    else:
        rivals = write(second, number, tokens)
        if [passage.prompt for passage in rivals] != [passage.prompt for passage in passages]:
            raise ChapbookError(
                f"{names[0]} and {names[1]} have different tokenizers: they cannot be given the same passages."
            )
        others = [passage.written for passage in rivals]
    shuffler = random.Random(first.seed)
    pairs, key = [], {}
    for place, (passage, other) in enumerate(zip(passages, others, strict=True), start=1):
        sides = [passage.written, other]
        swapped = shuffler.random() < 0.5
        pairs.append({"id": str(place), "prompt": passage.prompt, "left": sides[swapped], "right": sides[not swapped]})
        key[str(place)] = int(swapped)
    shuffler.shuffle(pairs)
    sealed = base64.b64encode(canonical_json({"names": names, "left": key})).decode()
    content: dict[str, Any] = {"schema": SCHEMA, "criteria": CRITERIA, "sealed": sealed, "pairs": pairs}
    content["id"] = hashlib.sha256(canonical_json(content)).hexdigest()[:12]
    path.write_text(_html(content), "utf-8")
    return content


def _html(content: dict[str, Any]) -> str:
    # Inside a script element "</" would end it.
    data = json.dumps(content, ensure_ascii=False).replace("</", "<\\/")
    style, script = ((FOLDER / f"human_sheet.{kind}").read_text("utf-8") for kind in ("css", "js"))
    columns = "".join(
        f'<section aria-labelledby="{side}-name"><h3 id="{side}-name">Text {name}</h3>'
        f'<blockquote id="{side}"></blockquote><div id="{side}-ratings"></div></section>'
        for side, name in (("left", "A"), ("right", "B"))
    )
    body = f"""<style>{style}</style>
<main>
<p>Two writers went on from the same passage. Read what was given, rate both texts, and say which goes on better.
Who wrote which is not shown. Answers stay in this browser until you save them as a file.</p>
<p><label>Your name <input type="text" id="rater" autocomplete="name"></label></p>
<p>Keys: <kbd>1</kbd> to <kbd>5</kbd> rate the marked line, <kbd>A</kbd> <kbd>B</kbd> choose, <kbd>T</kbd> no
difference, <kbd>N</kbd> next pair, <kbd>P</kbd> previous, <kbd>S</kbd> save.</p>
<h2 id="pair-heading" tabindex="-1"><span id="progress" role="status"></span></h2>
<p>Given:</p><blockquote id="prompt"></blockquote>
<div class="pair">{columns}</div>
<div id="preference"></div>
<div class="bar"><button type="button" id="back">Previous</button><button type="button" id="next">Next</button>
<button type="button" id="save">Save answers</button></div>
<p id="message" role="status"></p>
</main>
<script type="application/json" id="sheet">{data}</script>
<script>{script}</script>"""
    return html_page("Which text goes on better?", body)


def read_answers(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The saved answers of several raters to one sheet.

    Raises UsageError for a file that holds no answers, for answers to another sheet, and for one rater twice.
    """
    read: list[dict[str, Any]] = []
    for path in paths:
        try:
            content = json.loads(path.read_text("utf-8"))
            if content["schema"] != SCHEMA or not isinstance(content["answers"], list):
                raise UsageError(f"{path} is of another version of the sheet (schema {content['schema']!r}).")
            content["key"] = json.loads(base64.b64decode(content["sealed"]))
            for answer in content["answers"]:
                _check(answer, content, path)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} holds no answers saved by a sheet ({error!r}).") from error
        if read and content["sheet"] != read[0]["sheet"]:
            raise UsageError(f"{path} answers another sheet ({content['sheet']}) than {paths[0]} ({read[0]['sheet']}).")
        if content["rater"] in (other["rater"] for other in read):
            raise UsageError(f"{path}: {content['rater']} has answered already in another of the files.")
        read.append(content)
    return read


def _check(answer: dict[str, Any], content: dict[str, Any], path: Path) -> None:
    if answer["item"] not in content["key"]["left"] or answer["preference"] not in ("left", "right", "tie", None):
        raise UsageError(f"{path}: pair {answer['item']!r} is not one of the sheet, or its choice is none.")
    for side in ("left", "right"):
        for name, value in answer[side].items():
            if name not in content["criteria"] or value not in (1, 2, 3, 4, 5):
                raise UsageError(f"{path}: pair {answer['item']}: {name} = {value!r} is no rating from 1 to 5.")


def score(answers: list[dict[str, Any]], resamples: int = 2_000, seed: int = 1) -> dict[str, Any]:
    """What the raters of one sheet found.

    The unit is the pair: judgements of several raters on one pair are summed first, so that more raters do not feign
    more evidence. Preference with its interval (Wilson) and sign test over pairs, ties left out; mean ratings with
    percentile bootstrap intervals over pairs; agreement of raters as Krippendorff's alpha.
    """
    from human_scores import krippendorff_alpha, mean_ratings
    from proportion import share, sign_test

    names, left = answers[0]["key"]["names"], answers[0]["key"]["left"]
    # Per pair and rater: +1 for the first writer, -1 for the second, 0 for no difference.
    choices: dict[str, list[int]] = {item: [] for item in left}
    ratings: dict[str, dict[str, list[tuple[int, int]]]] = {
        criterion: {item: [] for item in left} for criterion in answers[0]["criteria"]
    }
    missing = 0
    for rater in answers:
        given = {answer["item"]: answer for answer in rater["answers"]}
        for item, first_is_right in left.items():
            answer = given.get(item, {"preference": None, "left": {}, "right": {}})
            if answer["preference"] is None:
                missing += 1
            else:
                for_left = {"left": 1, "right": -1, "tie": 0}[answer["preference"]]
                choices[item].append(-for_left if first_is_right else for_left)
            first, second = ("right", "left") if first_is_right else ("left", "right")
            for criterion, by_item in ratings.items():
                if criterion in answer[first] and criterion in answer[second]:
                    by_item[item].append((answer[first][criterion], answer[second][criterion]))
    judged = {item: sum(given) for item, given in choices.items() if given}
    if not judged:
        raise UsageError("Nobody has chosen between the texts of any pair: there is nothing to score.")
    wins, losses = sum(s > 0 for s in judged.values()), sum(s < 0 for s in judged.values())
    return {
        "sheet": answers[0]["sheet"],
        "raters": [rater["rater"] for rater in answers],
        "names": names,
        "pairs": len(left),
        "pairs_judged": len(judged),
        "judgements": sum(map(len, choices.values())),
        "judgements_missing": missing,
        "preference": {
            "first": wins,
            "second": losses,
            "no_difference": len(judged) - wins - losses,
            "share_first": share(wins, wins + losses),
            "sign_test_p": sign_test(wins, losses),
        },
        "agreement": {
            "method": "Krippendorff's alpha (nominal for choices, ordinal for ratings)",
            "preference": krippendorff_alpha(list(choices.values()), ordinal=False),
            **{
                criterion: krippendorff_alpha(
                    [[pair[side] for pair in pairs] for side in (0, 1) for pairs in by_item.values()], ordinal=True
                )
                for criterion, by_item in ratings.items()
            },
        },
        "ratings": {
            criterion: mean_ratings(list(by_item.values()), resamples, seed) for criterion, by_item in ratings.items()
        },
    }


def run(parsed: Parsed) -> dict[str, Any]:
    """Score saved answers, or write a sheet for two checkpoints."""
    arguments = parsed.arguments
    if arguments.score:
        result = score(read_answers(arguments.score))
        _show(result)
        return {"stage": "human evaluation", **result}
    if arguments.config is None or arguments.against is None:
        raise UsageError(
            "Name what to do: --score FILE… for saved answers, or --config FILE --against CHECKPOINT for a new sheet."
        )
    config = load_config(arguments.config, parsed.overrides)
    workspace = Workspace.find()
    first = _context(arguments.checkpoint or config.evaluation.checkpoint, config, workspace, arguments)
    second = None if arguments.against == TRUTH else _context(arguments.against, config, workspace, arguments)
    if second is not None and second.checkpoint == first.checkpoint:
        raise UsageError(f"{first.checkpoint.name} would stand against itself: name another with --against.")
    sides = f"{first.checkpoint.name}-{TRUTH if second is None else second.checkpoint.name}"
    path = arguments.output or workspace.logs(config.name) / f"human_sheet-{sides}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = write_sheet(first, second, path, arguments.pairs)
    log.info("%s: %d pairs. Open it in a browser; score what is saved with --score.", path, len(content["pairs"]))
    return {"stage": "human evaluation", "path": str(path), "id": content["id"], "pairs": len(content["pairs"])}


def _context(wanted: str, config: RunConfig, workspace: Workspace, arguments: argparse.Namespace) -> Context:
    from measurement import load

    from chapbook.corpus import Document, read_shards
    from chapbook.generation import best_device

    found = checkpoint.find(workspace.checkpoints(config.name), wanted)
    corpus = workspace.corpus(config.corpus.name)
    checkpoint.corpus_of(found, corpus)
    device = arguments.device or best_device()
    model, tokenizer, end_of_text = load(found, device)
    return Context(
        checkpoint=found.path,
        model=model,
        tokenizer=tokenizer,
        end_of_text=end_of_text,
        config=config,
        workspace=workspace,
        corpus=corpus,
        split=config.evaluation.split,
        documents=list(read_shards(corpus / config.evaluation.split, Document)),
        device=device,
        seed=config.evaluation.seed,
        quick=False,
        output=Path.cwd(),
    )


def _show(result: dict[str, Any]) -> None:
    from proportion import percent

    first, second = result["names"]
    preference = result["preference"]
    rows = [
        ("raters", ", ".join(result["raters"])),
        ("pairs judged", f"{result['pairs_judged']} of {result['pairs']}"),
        (f"{first} preferred, {second} preferred, no difference", f"{preference['first']}, {preference['second']}, "
         f"{preference['no_difference']}"),
        (f"share that prefers {first} (95%, Wilson)", percent(preference["share_first"])),
        ("sign test, p", f"{preference['sign_test_p']:.4f}"),
    ]  # fmt: skip
    for criterion, figures in result["ratings"].items():
        if figures is not None:
            low, high = figures["difference_interval"]
            means = f"{figures['first']:.2f}, {figures['second']:.2f}"
            text = f"{means}, {figures['difference']:+.2f} ({low:+.2f} to {high:+.2f})"
            rows.append((f"{criterion}: {first}, {second}, difference (95%)", text))
    for name, alpha in result["agreement"].items():
        if name != "method":
            rows.append(
                (f"agreement on {name} (Krippendorff's alpha)", "not defined" if alpha is None else f"{alpha:.3f}")
            )
    log.info(table(f"Sheet {result['sheet']}", ("", ""), rows))


def main(argv: list[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = ScriptParser("A blind sheet on which people compare texts, and its score.", config=None)
    parser.add_argument("--score", nargs="+", type=Path, metavar="FILE", help="score the answers saved from one sheet")
    parser.add_argument("--checkpoint", metavar="NAME", help="best, latest, a name or a path (default: as configured)")
    parser.add_argument("--against", metavar="NAME", help="the other checkpoint, or truth: the held-back text itself")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"pairs on the sheet (default: {PAIRS})")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write the sheet (default: runs/<run>/)")
    parser.add_argument("--device", choices=DEVICES, help="default: the GPU when there is one")
    return run_guarded(run, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
