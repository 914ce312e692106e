"""Every command in the READMEs works as it stands, on a run small enough for seconds."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, Run, environment, prose

READMES = [ROOT / "README.md", *sorted(ROOT.glob("0*/README.md"))]
TORCHRUN = f"{sys.executable} -m torch.distributed.run --standalone"
# The demo itself is timed by hand from a clean clone (docs/LOG.md): it takes minutes. Ratings are people's answers:
# test_human_sheet.py scores some.
BY_HAND = ("make demo", ".venv/bin/python 04_evaluation/human_sheet.py --score ratings-*.json")


def commands(readme: Path) -> list[str]:
    """The commands of a README's bash blocks, comments taken away."""
    blocks = re.findall(r"```bash\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and line not in BY_HAND]


@pytest.fixture(scope="module")
def run(trained_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trained run, and texts under the names that the READMEs use."""
    folder = tmp_path_factory.mktemp("readme")
    run = trained_run.copy(folder)
    # Half trained, so that the commands that train have something to do.
    shutil.rmtree(run.workspace / "checkpoints" / "tiny" / "checkpoint-8")
    (folder / "my_folder").mkdir()
    for name in ("my_book.txt", "my_folder/one.txt"):
        (folder / name).write_text(prose(20_000), "utf-8")
    return run


@pytest.mark.parametrize(
    ("readme", "command"),
    [(readme, command) for readme in READMES for command in commands(readme)],
    ids=lambda value: value if isinstance(value, str) else value.parent.name,
)
def test_command_works(run: Run, readme: Path, command: str, tmp_path: Path) -> None:
    """Would break: a README that promises what the program does not do."""
    texts = run.config.parent
    workspace = run.workspace
    if "--resume" in command or "resume_training" in command or "launch" in command or "torchrun" in command:
        # These write into the run: each on a copy of its own.
        workspace = tmp_path / "workspace"
        shutil.copytree(run.workspace, workspace)
    words = command.replace("configs/demo.yaml", str(run.config)).replace("checkpoint-500", "checkpoint-4")
    words = words.replace("path/to/another", str(workspace / "tokenizers" / "tiny-400"))
    words = words.replace("workspace/corpora/sample", str(workspace / "corpora" / "tiny"))
    words = re.sub(r"\bmy_(book\.txt|folder/)", lambda found: str(texts / found[0]), words)
    if "_slm.py" in words or ".sh" in words:
        words += f" --config {shlex.quote(str(run.config))}"
    if "chapbook run" in words and "--config" not in words:
        # A planned run takes minutes; its sizes are tested elsewhere.
        words += " --max_steps 2 --training.save_steps 2 --training.eval_steps 2 --batch_size 2"
    words = re.sub(r"^(\.\./)?\.venv/bin/python ", f"{sys.executable} ", words)
    words = words.replace(".venv/bin/torchrun", TORCHRUN)
    # These follow a `cd 03_training` in their block.
    cwd = readme.parent if command.startswith(("./", "../")) else ROOT
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=cwd,
        env=environment(workspace),
        input="/quit\n",
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


def test_make_targets_that_the_readme_names_exist() -> None:
    """Would break: `make demo` renamed in one place."""
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"`make (\w+)`|^make (\w+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    for target in (first or second for first, second in named):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
