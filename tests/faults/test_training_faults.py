"""What can happen to a training besides a kill: torn files, no memory, no disk, signals, other ranks, services."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults.zygote import Outcome, Zygote
from support import ROOT, Run, environment, write_config

from chapbook import checkpoint

# Small evaluations; a checkpoint every two steps.
SETTINGS = {
    "training__max_steps": 6,
    "training__save_steps": 2,
    "training__eval_steps": 2,
    "training__max_eval_samples": 8,
}
NO_DROPOUT = {"model__resid_pdrop": 0.0, "model__embd_pdrop": 0.0, "model__attn_pdrop": 0.0}


class Training:
    """A tiny run in a folder of its own that starts by fork."""

    def __init__(self, zygote: Zygote, tokens: Run, folder: Path, **changes: Any) -> None:
        self.zygote = zygote
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(tokens.workspace, folder / "workspace")
        self.run = Run(write_config(folder / "tiny.yaml", **{**SETTINGS, **changes}), folder / "workspace")
        self.checkpoints = self.run.checkpoints

    def start(self, *flags: object, code: int = 0, **settings: Any) -> Outcome:
        """Train, and check how it ended."""
        done = self.zygote.start(self.run.config, self.run.workspace, *flags, **settings)
        assert done.code == code, f"{done.codes}\n{done.said}"
        return done

    def hashes(self, step: int = 6) -> dict[str, str]:
        """The hashes of what decides how training goes on."""
        manifest = json.loads((self.checkpoints / f"checkpoint-{step}" / "manifest.json").read_text())
        return {e["path"]: e["sha256"] for e in manifest["files"] if e["path"] != "trainer_state.json"}

    def counts(self, step: int = 6) -> dict[str, Any]:
        """The figures in a checkpoint's manifest."""
        manifest = json.loads((self.checkpoints / f"checkpoint-{step}" / "manifest.json").read_text())
        counts: dict[str, Any] = manifest["counts"]
        return counts

    def names(self) -> list[str]:
        """The checkpoints that are complete, hashes compared."""
        found = [checkpoint.verify(entry) for entry in checkpoint.list_checkpoints(self.checkpoints)]
        return [entry.name for entry in found if entry.problem is None]

    def losses(self) -> list[float]:
        """The training losses, step by step."""
        return [entry["loss"] for entry in self.run.metrics() if "loss" in entry]


@pytest.fixture
def training(zygote: Zygote, tokens_run: Run, tmp_path: Path) -> Training:
    """A run that has not started."""
    return Training(zygote, tokens_run, tmp_path / "run")


@pytest.fixture(scope="module")
def straight(zygote: Zygote, tokens_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """The run that nothing happens to."""
    done = Training(zygote, tokens_run, tmp_path_factory.mktemp("straight") / "run")
    done.start()
    return done


def damaged_copies(path: Path) -> dict[str, bytes]:
    """A file's content truncated, with one bit flipped, and emptied."""
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    return {"truncated": content[:-1], "flipped": bytes(flipped), "emptied": b""}


def test_every_damage_to_every_file_is_seen(straight: Training, tmp_path: Path) -> None:
    """Would break: going on from a file of a checkpoint that is not as it was written."""
    whole = straight.checkpoints / "checkpoint-6"
    folder = shutil.copytree(whole, tmp_path / "checkpoint-6")
    assert checkpoint.verify(checkpoint.inspect(folder)).problem is None
    names = [entry["path"] for entry in json.loads((folder / "manifest.json").read_text())["files"]]
    assert {"model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"} <= set(names)
    for name in [*names, "manifest.json"]:
        for damage, content in damaged_copies(whole / name).items():
            (folder / name).write_bytes(content)
            problem = checkpoint.verify(checkpoint.inspect(folder)).problem
            # A manifest may lose its last line break, and a figure in it may change, without a file being torn.
            if name != "manifest.json" or damage == "emptied":
                assert problem is not None and name in problem, (name, damage)
        (folder / name).unlink()
        assert checkpoint.verify(checkpoint.inspect(folder)).problem is not None, name
        shutil.copy2(whole / name, folder / name)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_torn_checkpoint_is_set_aside_and_the_one_before_is_used(
    straight: Training, zygote: Zygote, tokens_run: Run, tmp_path: Path, damage: str
) -> None:
    """Would break: a torn newest checkpoint ends the run, is deleted, or changes what is learnt."""
    run = Training(zygote, tokens_run, tmp_path / "run")
    shutil.copytree(straight.checkpoints, run.checkpoints)
    path = run.checkpoints / "checkpoint-6" / "optimizer.pt"
    torn = damaged_copies(path)[damage]
    path.write_bytes(torn)
    named = run.start("--resume_from_checkpoint", "checkpoint-6", code=3)
    assert "optimizer.pt has" in named.said and "These would work: checkpoint-2, checkpoint-4." in named.said
    assert path.read_bytes() == torn, "naming it must not move it"
    done = run.start()
    assert "checkpoint-6 is no complete checkpoint: optimizer.pt has" in done.said
    assert "goes on from" in done.said and "(step 4)" in done.said
    assert (run.checkpoints / "set_aside" / "checkpoint-6.1" / "optimizer.pt").read_bytes() == torn
    assert run.hashes() == straight.hashes()


def test_only_torn_checkpoints_are_never_a_silent_restart(training: Training) -> None:
    """Would break: a damaged disk, and the run begins at step 0 as if nothing had been learnt."""
    training.start("--max_steps", 2)
    (training.checkpoints / "checkpoint-2" / "model.safetensors").write_bytes(b"")
    for _ in range(2):
        done = training.start("--max_steps", 2, code=3)
        assert "No checkpoint" in done.said and "--fresh" in done.said and "model.safetensors has 0 bytes" in done.said
    checkpoint.set_aside(checkpoint.inspect(training.checkpoints / "checkpoint-2"))
    assert "set aside" in training.start("--max_steps", 2, code=3).said
    training.start("--max_steps", 2, "--fresh")
    aside = training.checkpoints.with_name("tiny.1") / "set_aside" / "checkpoint-2.1"
    assert aside.is_dir() and training.names() == ["checkpoint-2"]


def test_going_back_sets_the_later_ones_aside(straight: Training, training: Training) -> None:
    """Would break: after going back, a kill leads to the abandoned line of checkpoints."""
    shutil.copytree(straight.checkpoints, training.checkpoints)
    # Killed soon after it went back: the next start must not find checkpoint-6.
    training.start("--resume_from_checkpoint", "checkpoint-2", code=-signal.SIGKILL, kill_at=25)
    assert training.names() == ["checkpoint-2"]
    training.start()
    assert training.hashes() == straight.hashes()


def test_metrics_are_those_of_the_checkpoint_whatever_happened_to_the_file(
    straight: Training, training: Training
) -> None:
    """Would break: curves with doubled or missing points after a crash."""
    shutil.copytree(straight.checkpoints, training.checkpoints)
    shutil.rmtree(training.checkpoints / "checkpoint-6")
    file = training.run.workspace / "runs" / "tiny" / "metrics.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"step": 1, "loss": 1.0}\n{"step": 5, "loss": 2.0}\n{"step": 6, "lo')
    training.start()
    assert training.run.metrics() == straight.run.metrics()


def test_ranks_change_and_nothing_else_does(zygote: Zygote, tokens_run: Run, tmp_path: Path) -> None:
    """Would break: 2 ranks stopped and gone on with by 1, 3 or 4 see other samples, or learn something else."""
    changes = {**NO_DROPOUT, "training__global_batch_size": 12, "training__per_device_train_batch_size": 1}
    whole = Training(zygote, tokens_run, tmp_path / "whole", **changes)
    whole.start(ranks=2)
    for way in ((1, 4), (3,)):
        changed = Training(zygote, tokens_run, tmp_path / f"to-{way[0]}", **changes)
        changed.checkpoints.mkdir(parents=True)
        shutil.copytree(whole.checkpoints / "checkpoint-2", changed.checkpoints / "checkpoint-2")
        for ranks in way:
            done = changed.start(ranks=ranks)
            assert f"1 per device x {12 // ranks} accumulated x {ranks} rank(s) = 12 blocks" in done.said
            assert changed.losses() == pytest.approx(whole.losses(), rel=1e-5)
            assert changed.counts()["world_size"] == ranks
            shutil.rmtree(changed.checkpoints / "checkpoint-6")


def test_global_batch_that_ranks_cannot_make(training: Training) -> None:
    """Would break: another batch than the declared one, without a word."""
    done = training.start("--training.global_batch_size", 10, code=2)
    assert (
        "training.global_batch_size = 10 is not made by 4 per device" in done.said
        and "--batch_size 1 or 2" in done.said
    )
    flags = ("--training.global_batch_size", 12, "--training.gradient_accumulation_steps", 2)
    assert "4 per device x 2 accumulated x 1 rank(s)" in training.start(*flags, code=2).said
    done = training.start("--training.global_batch_size", 9, "--batch_size", 3, ranks=2, code=2)
    assert "cannot be shared by 2 ranks" in done.said


def test_batch_of_the_first_start_stays(training: Training) -> None:
    """Would break: --batch_size as a remedy for a full memory changes what is learnt, or the run is refused."""
    training.start("--max_steps", 2)
    done = training.start("--batch_size", 1, "--allow_changed", "training.max_steps")
    assert "1 per device x 4 accumulated x 1 rank(s) = 4 blocks" in done.said
    assert "global batch of 4 blocks stays" in done.said


def test_signal_to_one_rank_stops_all_at_the_same_step(zygote: Zygote, tokens_run: Run, tmp_path: Path) -> None:
    """Would break: ranks that stop at different steps wait for each other until they are killed, nothing saved."""
    run = Training(zygote, tokens_run, tmp_path / "run", training__max_steps=3000, training__save_steps=3000)
    log = run.run.workspace / "runs" / "tiny" / "metrics.jsonl"

    def ask() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not log.is_file() or '"step": 5' not in log.read_text()):
            time.sleep(0.02)
        # The second rank alone.
        os.kill(ranks_of(zygote)[1], signal.SIGTERM)

    asking = threading.Thread(target=ask)
    asking.start()
    flags = ("--training.eval_strategy", "no")
    done = zygote.start(run.run.config, run.run.workspace, *flags, ranks=2)
    asking.join()
    assert done.codes == [143, 143], done.said
    stopped = int(re.search(r"asked to stop: saving at step (\d+)", done.said)[1])  # type: ignore[index]
    assert run.names() == [f"checkpoint-{stopped}"]


def ranks_of(zygote: Zygote) -> list[int]:
    """The processes of the ranks that a zygote has started, in their order."""
    listed = Path(f"/proc/{zygote.process.pid}/task/{zygote.process.pid}/children").read_text().split()
    return sorted(map(int, listed))


def test_second_signal_ends_at_once_and_keeps_the_last_checkpoint(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a process that cannot be ended, or a torn checkpoint from ending it."""
    run = tokens_run.copy(tmp_path, **{**SETTINGS, "training__max_steps": 2000, "training__report_to": []})
    words = [sys.executable, str(ROOT / "03_training/train_model.py"), "--config", str(run.config)]
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(words, env=environment(run.workspace, PYTHONFAULTHANDLER="1"), stderr=log)
    deadline = time.monotonic() + 90
    while not (run.checkpoints / "checkpoint-2").is_dir() and time.monotonic() < deadline:
        time.sleep(0.01)
    # Both arrive while one step is computed.
    process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(timeout=60) in (-signal.SIGTERM, 143)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        process.wait()
        raise AssertionError((tmp_path / "log").read_text()) from None
    found = [checkpoint.verify(entry) for entry in checkpoint.list_checkpoints(run.checkpoints)]
    assert found and all(entry.problem is None for entry in found)


def test_echo_of_a_signal_under_torchrun_does_not_end_the_save(monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: Ctrl-C at a terminal reaches each rank twice (terminal and torchrun), and nothing is saved."""
    from callbacks import Agreement, StopWhenAsked

    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    stop = StopWhenAsked(Agreement(1))
    stop._ask(signal.SIGINT, None)
    stop._ask(signal.SIGINT, None)
    assert stop.exit_code is None and stop._asked == signal.SIGINT


@pytest.mark.parametrize("ranks", [1, 2])
def test_out_of_memory_halves_the_micro_batch(zygote: Zygote, tokens_run: Run, tmp_path: Path, ranks: int) -> None:
    """Would break: one long night without a model because a batch did not fit.

    The address space of the process is limited, so that torch's own allocator fails in the forward or backward pass.
    """
    # 512 blocks of 32 tokens and 400 words are 26 MB of logits, and several times that in a backward pass.
    blocks, room = 512, 60_000_000
    changes = {
        **NO_DROPOUT,
        "training__global_batch_size": blocks * ranks,
        "training__max_steps": 2,
        "training__eval_strategy": "no",
    }
    free = Training(zygote, tokens_run, tmp_path / "free", **changes, training__per_device_train_batch_size=128)
    free.start(ranks=ranks)
    short = Training(zygote, tokens_run, tmp_path / "short", **changes, training__per_device_train_batch_size=blocks)
    done = short.start(ranks=ranks, room=room)
    assert "OUT OF MEMORY at step" in done.said
    micro = short.counts(2)["micro_batch"]
    assert micro < blocks
    assert short.losses() == pytest.approx(free.losses(), rel=1e-4)
    # Remembered, and not learnt the hard way again.
    shutil.rmtree(short.checkpoints / "checkpoint-2")
    again = short.start(ranks=ranks, room=room)
    assert f"an earlier start ran out of memory: {micro} blocks per device at a time" in again.said
    assert short.losses() == pytest.approx(free.losses(), rel=1e-4)


def test_out_of_memory_with_one_block_says_what_to_do(training: Training) -> None:
    """Would break: an endless loop of halving."""
    flags = ("--batch_size", 2, "--model.n_embd", 1024, "--training.save_steps", 100)
    done = training.start(*flags, code=1, room=100_000)
    assert "Out of memory with one block of 32 tokens at a time" in done.said and "max_length" in done.said


def test_not_finite_stops_and_names_what_was_read(training: Training) -> None:
    """Would break: hours of training on NaN, weights ruined by it, or nobody knows which text did it."""
    flags = ("--learning_rate", "1e30", "--training.max_grad_norm", 0, "--training.save_steps", 1)
    done = training.start(*flags, "--training.warmup_steps", 0, "--training.eval_strategy", "no", code=1)
    assert done.said.count("its update is left out") == 3
    assert "the third in a row: training cannot go on" in done.said and "lower --learning_rate" in done.said
    blocks = re.search(r"Blocks of these steps: ([\d, ]+)", done.said)
    documents = re.search(r"Documents in them: (.+)\.", done.said)
    assert blocks and len(blocks[1].split(",")) == 12
    assert documents and documents[1]
    assert re.search(r"Last good checkpoint: \S+checkpoint-\d", done.said)


def test_not_finite_steps_change_no_weights(training: Training) -> None:
    """Would break: one bad batch, and every weight is NaN."""
    import torch
    from safetensors.torch import load_file

    flags = ("--learning_rate", "1e30", "--training.max_grad_norm", 0, "--training.save_steps", 1)
    flags = (*flags, "--training.warmup_steps", 0, "--training.nonfinite_patience", 5)
    training.start(*flags, "--training.eval_strategy", "no", code=1)
    for name in training.names():
        weights = load_file(training.checkpoints / name / "model.safetensors")
        assert all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()), name


def test_roll_back_leaves_the_bad_batch_out(training: Training) -> None:
    """Would break: training.nonfinite_action: roll_back meets the same text again, or a later resume does."""
    from safetensors.torch import load_file, save_file
    from sample_order import SampleOrder

    from chapbook import artifact
    from chapbook.tokens import TokenBlocks

    flags = ("--model.tie_word_embeddings", "false", "--training.eval_strategy", "no")
    flags = (*flags, "--training.nonfinite_action", "roll_back", "--training.nonfinite_patience", 1)
    allowed = ("--allow_changed", "training.max_steps")
    training.start(*flags, "--max_steps", 2)
    # A word that only the fourth batch has gets an embedding that no loss is finite with.
    (store,) = training.run.workspace.glob("pretokenized/*/train")
    blocks = TokenBlocks(store)
    order = SampleOrder(len(blocks), sequences=4, seed=42)
    read = [{int(token) for number in order.numbers(step) for token in blocks.row(number)} for step in range(8)]
    bad = min(read[3] - set.union(*(words for step, words in enumerate(read) if step != 3)))
    path = training.checkpoints / "checkpoint-2"
    weights = load_file(path / "model.safetensors")
    weights["transformer.wte.weight"][bad] = float("inf")
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    manifest = artifact.read_manifest(path)
    assert manifest is not None
    artifact.write_manifest(path, manifest.recipe, manifest.counts)

    done = training.start(*flags, *allowed)
    assert "going back to checkpoint-2; these batches are left out from now on: [3]" in done.said
    assert training.counts()["left_out"] == [3]
    straight = training.hashes()
    shutil.rmtree(training.checkpoints / "checkpoint-6")
    assert "going back" not in training.start(*flags).said
    assert training.hashes() == straight


def test_disk_full_in_the_middle_of_a_save(straight: Training, training: Training) -> None:
    """Would break: a full disk tears the last checkpoint, or ends in a traceback."""
    shutil.copytree(straight.checkpoints, training.checkpoints)
    shutil.rmtree(training.checkpoints / "checkpoint-6")
    # The weights fit, the optimiser does not. The signal is ignored by Python, so that the write fails with EFBIG.
    size = (training.checkpoints / "checkpoint-4" / "model.safetensors").stat().st_size
    done = training.start(code=1, limits={"RLIMIT_FSIZE": size + 10_000})
    assert "step 6 could not be saved" in done.said and "not full?" in done.said
    assert "Traceback" not in done.said
    assert training.names() == ["checkpoint-2", "checkpoint-4"]
    assert not (training.checkpoints / ".saving").exists(), "what was written is in the way of others"
    training.start()
    assert training.hashes() == straight.hashes()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")
def test_small_disk_and_read_only_disk(straight: Training, zygote: Zygote, tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a real full disk, seen before the save or in it, and one that turns read-only."""
    run = Training(zygote, tokens_run, tmp_path / "run")
    run.checkpoints.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1400k", "tmpfs", run.checkpoints], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        done = run.start("--training.save_total_limit", 5, code=1)
        assert "GB free, and the next checkpoint needs" in done.said or "could not be saved" in done.said
        assert run.names(), "the first checkpoints fit"
        kept = run.names()
        subprocess.run(["mount", "-o", "remount,ro,size=64m", run.checkpoints], check=True)
        done = run.start(code=1)
        assert "Read-only file system" in done.said and "Traceback" not in done.said
        assert run.names() == kept
        subprocess.run(["mount", "-o", "remount,rw", run.checkpoints], check=True)
        run.start()
        assert run.hashes() == straight.hashes()
    finally:
        subprocess.run(["umount", run.checkpoints], check=True)


def test_vanished_dataset_does_not_stop_a_running_training(straight: Training, training: Training) -> None:
    """Would break: somebody tidies up, and the run is lost."""
    pretokenized = training.run.workspace / "pretokenized"
    log = training.run.workspace / "runs" / "tiny" / "metrics.jsonl"

    def vanish() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not log.is_file() or '"step": 1' not in log.read_text()):
            time.sleep(0.005)
        shutil.rmtree(pretokenized)

    vanishing = threading.Thread(target=vanish)
    vanishing.start()
    training.start()
    vanishing.join()
    assert training.hashes() == straight.hashes()


def test_rank_that_dies_leaves_the_last_checkpoint(zygote: Zygote, tokens_run: Run, tmp_path: Path) -> None:
    """Would break: the surviving rank hangs, or says something nobody understands."""
    run = Training(zygote, tokens_run, tmp_path / "run", training__max_steps=3000, training__eval_strategy="no")

    def kill() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (run.checkpoints / "checkpoint-2").is_dir():
            time.sleep(0.01)
        os.kill(ranks_of(zygote)[1], signal.SIGKILL)

    killing = threading.Thread(target=kill)
    killing.start()
    done = zygote.start(run.run.config, run.run.workspace, ranks=2, alone=True)
    killing.join()
    assert done.codes == [1, -signal.SIGKILL], done.said
    assert "another rank has ended" in done.said and "Traceback" not in done.said
    assert run.names()


def test_failing_reporters_do_not_stop_a_training(
    straight: Training, zygote: Zygote, tokens_run: Run, tmp_path: Path
) -> None:
    """Would break: a full log disk or a broken TensorBoard ends the training."""
    run = Training(zygote, tokens_run, tmp_path / "run", training__report_to=["tensorboard"])
    logs = run.run.workspace / "runs" / "tiny"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "tensorboard").write_text("a file where a folder should be")
    done = run.start()
    assert done.said.count("TensorBoardCallback failed") == 1
    assert run.hashes() == straight.hashes()


def test_tensorboard_forgets_what_was_lost(zygote: Zygote, tokens_run: Run, tmp_path: Path) -> None:
    """Would break: curves that run back and forth after each resume."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = Training(zygote, tokens_run, tmp_path / "run", training__report_to=["tensorboard"])
    run.start()
    shutil.rmtree(run.checkpoints / "checkpoint-6")
    run.start()
    events = EventAccumulator(str(run.run.workspace / "runs" / "tiny" / "tensorboard"))
    events.Reload()
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == sorted(set(steps)) == [1, 2, 3, 4, 5, 6]


def test_dead_hub_neither_blocks_nor_fails(straight: Training, zygote: Zygote, tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a Hub that is down at the start, or goes down, costs the training."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        run = Training(
            zygote,
            tokens_run,
            tmp_path / "run",
            training__push_to_hub=True,
            training__hub_model_id="somebody/tiny",
            training__hub_strategy="all_checkpoints",
        )
        port = nobody.getsockname()[1]
        started = time.monotonic()
        words = [sys.executable, str(ROOT / "03_training/train_model.py"), "--config", str(run.run.config)]
        env = environment(
            run.run.workspace, HF_ENDPOINT=f"http://127.0.0.1:{port}", HF_TOKEN="hf_secret", HF_HUB_OFFLINE="0"
        )
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 120
    assert 1 <= done.stderr.count("upload to the Hub") <= 3
    assert run.hashes() == straight.hashes()
    assert not any(b"hf_secret" in path.read_bytes() for path in run.run.workspace.rglob("*") if path.is_file())


def test_lock_is_free_after_a_kill_even_with_loader_workers(training: Training) -> None:
    """Would break: after a kill the run is refused for as long as its orphaned loader workers live."""
    flags = ("--training.dataloader_num_workers", 2)
    training.start(*flags, code=-signal.SIGKILL, kill_at=20)
    training.start(*flags)


def test_order_is_a_permutation_and_skips_instantly() -> None:
    """Would break: text read twice or never in an epoch, or minutes of skipping at step 60,000."""
    from accelerate import skip_first_batches
    from sample_order import SampleOrder, StepLoader

    from chapbook.tokens import Blocks

    blocks, length = 4_000_000, 16
    data = Blocks([np.zeros((blocks, length), np.uint16)], length, np.dtype(np.uint16))
    order = SampleOrder(blocks, sequences=32, seed=1)
    loader = StepLoader(data, order, rank=0, ranks=1)
    started = time.perf_counter()
    loader.set_epoch(0)
    next(iter(skip_first_batches(loader, 60_000)))
    assert time.perf_counter() - started < 1
    small = SampleOrder(1_000, sequences=8, seed=1)
    epochs = [np.concatenate([small.numbers(step) for step in range(n * 125, n * 125 + 125)]) for n in range(3)]
    assert all(sorted(epoch.tolist()) == list(range(1_000)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[1], epochs[2])
    # Left out: the others follow one after another.
    left_out = SampleOrder(1_000, sequences=8, seed=1, left_out=[3, 4])
    assert [left_out.place(step) for step in range(6)] == [0, 1, 2, 5, 6, 7]
