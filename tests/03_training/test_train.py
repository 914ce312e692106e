"""Training as people call it: flags, devices, resuming, stopping."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import ROOT, Run, environment, files_hash, result, start, write_config

TRAIN = "03_training/train_model.py"


def weights(run: Run, step: int) -> dict[str, str]:
    """The hashes of everything in a checkpoint that decides how training goes on."""
    manifest = json.loads((run.checkpoints / f"checkpoint-{step}" / "manifest.json").read_text())
    # trainer_state.json holds speeds.
    return {e["path"]: e["sha256"] for e in manifest["files"] if e["path"] != "trainer_state.json"}


# Losses of the tiny run (sample order of recipe format 2), transformers 5.23, torch 2.13, CPU. They guard refactors:
# the same data, order, seed and mathematics give the same losses.
GOLDEN = json.loads((Path(__file__).with_name("golden_losses.json")).read_text())


def test_golden_losses(trained_run: Run) -> None:
    """Would break: a refactor that changes what is learnt."""
    losses = [entry["loss"] for entry in trained_run.metrics() if "loss" in entry]
    assert losses == pytest.approx(GOLDEN["loss"], rel=1e-4)
    evaluated = [entry["eval_loss"] for entry in trained_run.metrics() if "eval_loss" in entry]
    assert evaluated == pytest.approx(GOLDEN["eval_loss"], rel=1e-4)
    assert losses[-1] < losses[0]


def test_checkpoints_are_stock_and_complete(trained_run: Run) -> None:
    """Would break: a checkpoint that transformers does not load, or without its tokenizer or manifest."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for step in (4, 8):
        path = trained_run.checkpoints / f"checkpoint-{step}"
        model = AutoModelForCausalLM.from_pretrained(path)
        tokenizer = AutoTokenizer.from_pretrained(path)
        assert model.config.vocab_size == len(tokenizer) == 400
        assert model.config.n_positions == tokenizer.model_max_length == 32
        assert model.config.eos_token_id == tokenizer.eos_token_id
        assert model.config.use_cache is True
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"):
            assert (path / name).is_file(), name
        # It would be a pickle, and hold a Hub token if there were one.
        assert not (path / "training_args.bin").exists()
        counts = json.loads((path / "manifest.json").read_text())["counts"]
        assert counts["step"] == step and counts["eval_loss"] is not None


@pytest.mark.parametrize(("accumulation", "workers", "optim"), [(1, 0, "muon"), (3, 2, "adamw")])
def test_resumed_equals_uninterrupted_bit_for_bit(
    tokens_run: Run, tmp_path: Path, accumulation: int, workers: int, optim: str
) -> None:
    """Would break: weights, optimiser, random state, data order or metrics lost at a resume. Dropout is on."""
    flags = ("--training.gradient_accumulation_steps", accumulation, "--training.dataloader_num_workers", workers)
    flags += ("--training.optim", optim)
    straight = tokens_run.copy(tmp_path / "straight")
    straight.train(*flags)
    resumed = Run(straight.config, tmp_path / "resumed")
    shutil.copytree(straight.workspace, resumed.workspace)
    shutil.rmtree(resumed.checkpoints / "checkpoint-8")
    done = resumed.train(*flags)
    assert "goes on from" in done.stderr and "checkpoint-4" in done.stderr
    assert weights(resumed, 8) == weights(straight, 8)
    assert resumed.metrics() == straight.metrics()


def test_two_ranks_resume_bit_for_bit(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: torchrun on a CPU (gloo), or the random state of the second rank lost at a resume."""
    straight = tokens_run.copy(tmp_path / "straight")
    done = straight.torchrun(2)
    assert "4 per device x 1 accumulated x 2 rank(s) = 8 blocks" in done.stderr
    assert (straight.checkpoints / "checkpoint-8" / "rng_state_1.pth").is_file()
    resumed = Run(straight.config, tmp_path / "resumed")
    shutil.copytree(straight.workspace, resumed.workspace)
    shutil.rmtree(resumed.checkpoints / "checkpoint-8")
    resumed.torchrun(2, "--resume_from_checkpoint", "checkpoint-4")
    assert weights(resumed, 8) == weights(straight, 8)


def test_scripts_work_from_their_folder_and_build_what_they_need(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: `cd 03_training && torchrun … train_model_slm.py`, the guides' command, and its first run."""
    run = tokens_run.copy(tmp_path)
    shutil.rmtree(run.workspace / "pretokenized")
    words = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "train_model_slm.py"]
    flags = ["--config", run.config, "--max-steps", 2]
    done = start(*words, *flags, workspace=run.workspace, cwd=ROOT / "03_training")
    assert "Pre-tokenized data not found" in done.stderr
    assert (run.checkpoints / "checkpoint-2").is_dir()


def test_resume_by_name_relative_and_absolute_path(trained_run: Run, tmp_path: Path) -> None:
    """Would break: one of the three ways in which the guides name a checkpoint."""
    for number, name in enumerate(("checkpoint-4", "latest", "relative", "absolute")):
        run = trained_run.copy(tmp_path / str(number))
        shutil.rmtree(run.checkpoints / "checkpoint-8")
        path = run.checkpoints / "checkpoint-4"
        given = {"relative": path.relative_to(run.workspace), "absolute": path}.get(name, name)
        script = ROOT / TRAIN
        words = (script, "--config", run.config, "--resume-from-checkpoint", given)
        done = start(*words, workspace=run.workspace, cwd=run.workspace)
        assert "step 4" in done.stderr and (run.checkpoints / "checkpoint-8").is_dir()


def test_missing_or_torn_checkpoint_is_never_a_silent_restart(trained_run: Run, tmp_path: Path) -> None:
    """Would break: hours lost because training quietly began anew."""
    run = trained_run.copy(tmp_path)
    done = run.train("--resume_from_checkpoint", "checkpoint-99", code=3)
    assert "There is no checkpoint checkpoint-99" in done.stderr
    assert "These would work: checkpoint-4, checkpoint-8" in done.stderr
    model = run.checkpoints / "checkpoint-8" / "model.safetensors"
    model.write_bytes(model.read_bytes()[:1000])
    done = run.train("--resume_from_checkpoint", "checkpoint-8", code=3)
    assert "model.safetensors has 1000 bytes" in done.stderr and "These would work: checkpoint-4" in done.stderr
    # Without a name: the torn one is reported, set aside and skipped.
    done = run.train()
    assert "checkpoint-8 is no complete checkpoint: model.safetensors has 1000 bytes" in done.stderr
    assert "step 4" in done.stderr
    assert (run.checkpoints / "set_aside" / "checkpoint-8.1" / "model.safetensors").stat().st_size == 1000
    assert weights(run, 8) == weights(trained_run, 8)


def test_finished_run_is_left_alone_and_fresh_moves_it_aside(trained_run: Run, tmp_path: Path) -> None:
    """Would break: a second call trains on, or --fresh overwrites the first run."""
    run = trained_run.copy(tmp_path)
    assert result(run.train("--json"))["reused"] is True
    before = files_hash(run.checkpoints / "checkpoint-8")
    done = run.train("--fresh", "--training.seed", 7)
    assert "the earlier checkpoints are now in" in done.stderr
    aside = run.checkpoints.with_name("tiny.1")
    assert files_hash(aside / "checkpoint-8") == before
    assert (aside / "metrics.jsonl").is_file(), "the curve of the earlier run is part of it"
    assert weights(run, 8) != weights(trained_run, 8)


def test_changes_are_refused_unless_they_are_meant(trained_run: Run, tmp_path: Path) -> None:
    """Would break: resuming into another model, data or schedule that nobody asked for, or no way to ask for one."""
    run = trained_run.copy(tmp_path)
    done = run.train("--model.n_layer", 3, code=3)
    assert "model.n_layer: 2 on disk, 3 wanted" in done.stderr
    allowed = ("--allow_changed", "model.n_layer", "training.max_steps")
    done = run.train("--model.n_layer", 3, "--max_steps", 10, *allowed, code=3)
    assert "of another model" in done.stderr and "transformer.h.2" in done.stderr
    done = run.train("--max_steps", 10, "--learning_rate", 5e-3, code=3)
    assert "training.max_steps: 8 on disk, 10 wanted" in done.stderr
    assert "--allow_changed training.learning_rate --allow_changed training.max_steps" in done.stderr
    done = run.train("--max_steps", 10, "--allow_changed", "training.max_step", code=3)
    assert "add: --allow_changed training.max_steps." in done.stderr
    done = run.train("--max_steps", 10, "--allow_changed", "training.max_steps")
    assert "training.max_steps: 8 on disk, 10 wanted" in done.stderr
    assert (run.checkpoints / "checkpoint-10").is_dir()


def test_fewer_steps_than_there_are_change_nothing(trained_run: Run, tmp_path: Path) -> None:
    """Would break: one step more than asked for, saved over a finished run."""
    run = trained_run.copy(tmp_path)
    done = run.train("--max_steps", 4, "--json")
    assert "nothing to train" in done.stderr and result(done)["reused"] is True
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["checkpoint-4", "checkpoint-8"]


def test_no_gpu_is_an_error_with_choices(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a model meant for a GPU trains for weeks on a CPU, unnoticed."""
    run = tokens_run.copy(tmp_path, training__allow_cpu=False)
    done = run.train(code=2)
    for choice in ("--use_cpu", "--force_cpu", "configs/demo.yaml"):
        assert choice in done.stderr
    assert not run.checkpoints.exists()
    run.train("--use-cpu", "--max_steps", 1)
    assert (run.checkpoints / "checkpoint-1").is_dir()


def test_force_cpu_is_one_step_and_no_trace(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: the smoke test saves over a real run, or takes more than a step."""
    run = tokens_run.copy(tmp_path, training__allow_cpu=False)
    for flag in ("--force_cpu", "--force-cpu"):
        done = run.train(flag, "--json")
        assert result(done)["step"] == 1
        assert "Nothing was saved" in done.stderr
    assert not run.checkpoints.exists()


def test_batch_size_flag(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: the guides' first remedy for a full memory."""
    done = tokens_run.copy(tmp_path).train("--batch_size", 1, "--max_steps", 1)
    assert "1 per device x 1 accumulated x 1 rank(s) = 1 blocks = 32 tokens" in done.stderr


def test_evaluations_do_not_change_what_is_learnt(trained_run: Run, tokens_run: Run, tmp_path: Path) -> None:
    """Would break: other weights only because somebody looked more often."""
    run = tokens_run.copy(tmp_path)
    run.train("--training.eval_steps", 1)
    assert weights(run, 8) == weights(trained_run, 8)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop_saves_and_goes_on_bit_for_bit(
    tokens_run: Run, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Would break: a preempted machine loses the work since the last save."""
    many = {"training__max_steps": 400, "training__save_steps": 400, "training__eval_steps": 400}
    straight = tokens_run.copy(tmp_path / "straight", **many)
    straight.train()
    run = tokens_run.copy(tmp_path / "stopped", **many)
    words = [sys.executable, str(ROOT / TRAIN), "--config", str(run.config)]
    process = subprocess.Popen(words, env=environment(run.workspace), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step 20/"):
            process.send_signal(number)
            break
    rest = process.stderr.read()
    assert process.wait(timeout=60) == code
    stopped = int(re.search(r"asked to stop: saving at step (\d+)", rest)[1])  # type: ignore[index]
    assert 20 <= stopped < 400
    assert (run.checkpoints / f"checkpoint-{stopped}" / "manifest.json").is_file()
    run.train()
    assert weights(run, 400) == weights(straight, 400)


def test_killed_run_leaves_the_last_checkpoint(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: SIGKILL between two saves costs more than the steps since the last one."""
    run = tokens_run.copy(tmp_path, training__max_steps=2000, training__save_steps=10, training__eval_steps=10)
    words = [sys.executable, str(ROOT / TRAIN), "--config", str(run.config)]
    process = subprocess.Popen(words, env=environment(run.workspace), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (run.checkpoints / "checkpoint-30" / "manifest.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = run.train("--max_steps", 60, "--allow_changed", "training.max_steps")
    step = int(re.search(r"goes on from \S+ \(step (\d+)\)", done.stderr)[1])  # type: ignore[index]
    assert step >= 30
    steps = [entry["step"] for entry in run.metrics() if "loss" in entry]
    assert steps == sorted(set(steps)), "metrics doubled or out of order"


def test_keeps_the_newest_and_the_best(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a full disk, or the best checkpoint deleted."""
    run = tokens_run.copy(tmp_path, training__save_steps=2, training__eval_steps=2, training__save_total_limit=2)
    # The rate rises to a height that ruins the model after the first steps: the best one is old.
    run.train("--learning_rate", 10, "--max_steps", 12, "--training.warmup_steps", 12)
    found = {path.name for path in run.checkpoints.iterdir()}
    losses = {entry["step"]: entry["eval_loss"] for entry in run.metrics() if "eval_loss" in entry}
    best = min(losses, key=lambda step: losses[step])
    assert best < 10
    assert found == {f"checkpoint-{best}", "checkpoint-12"}


def test_one_checkpoint_is_kept_when_one_is_asked_for(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: Trainer's own clearing at the end, which looks for a checkpoint that is still being committed."""
    run = tokens_run.copy(tmp_path, training__save_steps=2, training__eval_steps=2, training__save_total_limit=1)
    run.train()
    assert [path.name for path in run.checkpoints.iterdir()] == ["checkpoint-8"]


def test_early_stopping(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: patience in evaluations ignored."""
    run = tokens_run.copy(tmp_path, training__save_steps=2, training__eval_steps=2)
    flags = ("--learning_rate", 5.0, "--training.warmup_steps", 100, "--training.early_stopping_patience", 2)
    done = run.train(*flags, "--max_steps", 100, "--json")
    ended = result(done)["step"]
    assert ended < 100 and (run.checkpoints / f"checkpoint-{ended}").is_dir()
    # What has ended by itself is left alone.
    assert result(run.train(*flags, "--max_steps", 100, "--json"))["reused"] is True


def test_nan_stops_with_advice(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: hours of training on NaN."""
    done = tokens_run.copy(tmp_path).train("--learning_rate", 1e30, "--training.max_grad_norm", 0, code=1)
    assert "training cannot go on" in done.stderr and "lower --learning_rate" in done.stderr


def test_evaluation_takes_blocks_evenly() -> None:
    """Would break: minutes of evaluation on a large corpus, or only its first book heard."""
    from train import _evenly

    assert _evenly([1, 2, 3], None) == [1, 2, 3]  # type: ignore[arg-type]
    assert list(_evenly(list(range(100)), 4)) == [0, 25, 50, 75]  # type: ignore[arg-type]


def test_second_training_into_one_folder_is_refused(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: two runs that write each other's checkpoints."""
    from chapbook import artifact

    run = tokens_run.copy(tmp_path)
    with artifact.lock(run.checkpoints):
        done = run.train(code=3)
    assert "Another process is writing" in done.stderr


def test_too_little_text_for_a_batch(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: a loader without a single batch ends in a division by zero."""
    done = tokens_run.copy(tmp_path).train("--batch_size", 100_000, code=2)
    assert "set a smaller --batch_size" in done.stderr


def test_listing_and_testing_checkpoints(trained_run: Run, tmp_path: Path) -> None:
    """Would break: the guides' commands for looking at a checkpoint, in either spelling."""
    for script in ("test_checkpoint.py", "test_checkpoint_slm.py", "test_slm_checkpoint.py"):
        done = start(ROOT / "03_training" / script, "--list-checkpoints", workspace=trained_run.workspace)
        assert re.search(r"tiny\s+checkpoint-4\s+\d\.\d+\s+complete", done.stdout)
    script = ROOT / "03_training/test_checkpoint.py"
    done = start(script, "--json", workspace=trained_run.workspace)
    assert result(done)["checkpoint"].endswith("checkpoint-8")
    words = (script, "--checkpoint_path", "checkpoint-4", "--prompt", "The baker", "--seed", 3, "--json")
    first, second = (result(start(*words, workspace=trained_run.workspace)) for _ in range(2))
    assert first["checkpoint"].endswith("checkpoint-4")
    assert first["samples"] == second["samples"] and first["samples"][0]["prompt"] == "The baker"
    done = start(script, "--checkpoint-path", "checkpoint-99", workspace=trained_run.workspace, code=3)
    assert "These would work" in done.stderr
    done = start(script, workspace=tmp_path, code=3)
    assert "no complete checkpoint" in done.stderr


def test_interactive_session(trained_run: Run) -> None:
    """Would break: talking to a checkpoint."""
    words = [sys.executable, str(ROOT / "03_training/test_checkpoint.py"), "--interactive", "--max_new_tokens", "5"]
    done = subprocess.run(
        words,
        input="/set temperature=0\nThe baker\n/config\n/set temperature=hot\n/nonsense\n/quit\n",
        env=environment(trained_run.workspace),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "The baker" in done.stdout
    assert "temperature = 0" in done.stdout
    assert "generation.temperature = 'hot'" in done.stdout
    assert "There is no /nonsense" in done.stdout


def test_shell_scripts(tokens_run: Run, tmp_path: Path) -> None:
    """Would break: launch_training.sh (fresh) and resume_training.sh (by name; without one it lists)."""
    run = tokens_run.copy(tmp_path)
    env = environment(run.workspace)
    flags = ["--config", str(run.config), "--use_cpu"]

    def shell(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, env=env, capture_output=True, text=True, cwd=tmp_path, check=True)

    shell(str(ROOT / "03_training/launch_training.sh"), *flags)
    assert (run.checkpoints / "checkpoint-8").is_dir()
    listed = shell(str(ROOT / "03_training/resume_training.sh"))
    assert "checkpoint-4" in listed.stdout and "To go on from one" in listed.stderr
    shutil.rmtree(run.checkpoints / "checkpoint-8")
    shell(str(ROOT / "03_training/resume_training.sh"), "checkpoint-4", *flags)
    assert (run.checkpoints / "checkpoint-8").is_dir()


def test_missing_inputs_are_exit_code_3(tmp_path: Path) -> None:
    """Would break: training without corpus or tokenizer ends in a traceback."""
    run = Run(write_config(tmp_path / "tiny.yaml"), tmp_path / "workspace")
    done = run.train(code=3)
    assert "There is no corpus" in done.stderr and "python -m chapbook run" in done.stderr
