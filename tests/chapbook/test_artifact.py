"""Artifacts: exist only when whole, are reused only when nothing that shapes them has changed."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from chapbook import artifact
from chapbook.errors import ArtifactError
from chapbook.log import log


def recipe(**config: Any) -> artifact.Recipe:
    return artifact.Recipe(kind="thing", format_version=1, config=config, inputs={"raw": "abc"})


def build(path: Path) -> dict[str, Any]:
    (path / "sub").mkdir()
    (path / "sub" / "data.bin").write_bytes(b"x" * 1000)
    return {"number": 1}


def test_fingerprint_depends_on_content_only() -> None:
    """Would break: equal work done twice on two machines, or a changed config taken for the same."""
    assert recipe(a=1, b=2).fingerprint == recipe(b=2, a=1).fingerprint
    assert recipe(a=1).fingerprint != recipe(a=2).fingerprint
    other_input = artifact.Recipe(kind="thing", format_version=1, config={"a": 1}, inputs={"raw": "other"})
    assert recipe(a=1).fingerprint != other_input.fingerprint
    # Pinned: a change of the rule would silently rebuild everything that people have.
    assert recipe(a=1).fingerprint == "0905f6458242964b2e9aa895700095d7"


def test_second_run_reuses_and_changed_config_rebuilds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Would break: stale data used after a change, or the difference not named."""
    log.propagate = True
    place = tmp_path / "thing"
    first, reused = artifact.ensure(place, recipe(a=1), build)
    assert not reused
    again, reused = artifact.ensure(place, recipe(a=1), build)
    assert reused and again.created_at == first.created_at
    changed, reused = artifact.ensure(place, recipe(a=2), build)
    assert not reused and changed.fingerprint != first.fingerprint
    assert "a: 1 on disk, 2 wanted" in caplog.text
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == ["thing"]


@pytest.mark.parametrize("damage", ["truncate", "delete"])
def test_torn_artifact_is_never_read(tmp_path: Path, damage: str) -> None:
    """Would break: a file cut off by a full disk read as if it were whole."""
    place = tmp_path / "thing"
    artifact.ensure(place, recipe(a=1), build)
    file = place / "sub" / "data.bin"
    file.unlink() if damage == "delete" else file.write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"sub/data\.bin"):
        artifact.require(place, "thing", "Make it again.")
    _, reused = artifact.ensure(place, recipe(a=1), build)
    assert not reused
    assert file.stat().st_size == 1000


def test_flipped_byte_is_found_by_hash(tmp_path: Path) -> None:
    """Would break: silent corruption of the same size passes verification."""
    manifest, _ = artifact.ensure(tmp_path / "thing", recipe(a=1), build)
    (tmp_path / "thing" / "sub" / "data.bin").write_bytes(b"x" * 999 + b"y")
    assert artifact.damage(tmp_path / "thing", manifest) == []
    assert artifact.damage(tmp_path / "thing", manifest, hashes=True) == [
        "sub/data.bin has other content than when it was written"
    ]


def test_without_manifest_it_does_not_exist(tmp_path: Path) -> None:
    """Would break: leftovers of a killed run taken for an artifact."""
    place = tmp_path / "thing"
    place.mkdir()
    (place / "leftover").write_text("half")
    with pytest.raises(ArtifactError, match="There is no thing"):
        artifact.require(place, "thing", "Make it.")
    artifact.ensure(place, recipe(a=1), build)
    assert not (place / "leftover").exists()


def test_failed_build_keeps_the_old_one(tmp_path: Path) -> None:
    """Would break: a failing rebuild destroys what worked."""

    def fail(path: Path) -> dict[str, Any]:
        (path / "half").write_text("half")
        raise RuntimeError("no")

    place = tmp_path / "thing"
    artifact.ensure(place, recipe(a=1), build)
    with pytest.raises(RuntimeError):
        artifact.ensure(place, recipe(a=2), fail)
    assert artifact.ensure(place, recipe(a=1), build)[1]


KILLED = """
import sys, time
from pathlib import Path
from chapbook import artifact
def build(path):
    for i in range(200):
        (path / f"{i}.bin").write_bytes(b"x" * 100_000)
        if i == 100:
            print("half", flush=True)
        time.sleep(0.001)
    return {}
recipe = artifact.Recipe(kind="thing", format_version=1, config={"n": 200})
manifest, reused = artifact.ensure(Path(sys.argv[1]), recipe, build)
print(manifest.fingerprint, reused, flush=True)
"""


def test_sigkill_in_the_middle_then_again(tmp_path: Path) -> None:
    """Would break: a build killed half-way blocks or poisons the next one."""
    words = [sys.executable, "-c", KILLED, str(tmp_path / "thing")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None and process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert artifact.read_manifest(tmp_path / "thing") is None
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split()[-1] == "False"
    manifest = artifact.read_manifest(tmp_path / "thing")
    assert manifest is not None and len(manifest.files) == 200


def _build_slowly(place: Path, built: Any) -> None:
    def slow(path: Path) -> dict[str, Any]:
        with built.get_lock():
            built.value += 1
        time.sleep(0.5)
        return build(path)

    artifact.ensure(place, recipe(a=1), slow)


def test_two_at_once_build_once(tmp_path: Path) -> None:
    """Would break: two runs writing one folder, each half."""
    context = multiprocessing.get_context("fork")
    built = context.Value("i", 0)
    workers = [context.Process(target=_build_slowly, args=(tmp_path / "thing", built)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert built.value == 1


def test_lock_refuses_a_second_writer(tmp_path: Path) -> None:
    """Would break: two trainings into one folder."""
    with (
        artifact.lock(tmp_path / "run"),
        pytest.raises(ArtifactError, match="Another process"),
        artifact.lock(tmp_path / "run", wait=False),
    ):
        pass


def test_broken_manifest_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """Would break: a manifest that somebody edited ends in a traceback."""
    artifact.ensure(tmp_path / "thing", recipe(a=1), build)
    (tmp_path / "thing" / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError, match="Delete"):
        artifact.read_manifest(tmp_path / "thing")
