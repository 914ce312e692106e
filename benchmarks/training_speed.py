"""Tokens per second of training: Chapbook, a plain Trainer with stock GPT-2, and nanoGPT, interleaved in one run.

    python benchmarks/training_speed.py --nanogpt ~/nanoGPT                        # 4 blocks of width 256, on the CPU
    python benchmarks/training_speed.py --nanogpt ~/nanoGPT --shape slm            # on a GPU: bf16, 18 x 512 tokens
    python benchmarks/training_speed.py --nanogpt ~/nanoGPT --shape gpt2-124m --batch_size 64 --json

--nanogpt is a clone of github.com/karpathy/nanoGPT; without it the other two are compared. All train the same shape on
the same random tokens with AdamW, in the type the device is best at (bf16 on a GPU, fp32 on a CPU). nanoGPT goes
without biases, as its train.py does by default.
Every arm is a process of its own, because one process's compiled code, memory and threads would be in the
other's way; they alternate for --rounds rounds, and each measures only the steps after its first --warmup ones.
Chapbook's arm is 03_training/train_model.py as anybody runs it. With --json the last line is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "03_training")]

from throughput import flops_per_token, peak_flops  # noqa: E402

from chapbook import artifact  # noqa: E402
from chapbook.log import table  # noqa: E402
from chapbook.script import peak_memory  # noqa: E402

SHAPES: dict[str, dict[str, int]] = {
    "cpu": {"n_layer": 4, "n_head": 4, "n_embd": 256, "length": 256, "vocab_size": 8_192, "batch": 16},
    "slm": {"n_layer": 12, "n_head": 12, "n_embd": 768, "length": 512, "vocab_size": 30_000, "batch": 64},
    "gpt2-124m": {"n_layer": 12, "n_head": 12, "n_embd": 768, "length": 1024, "vocab_size": 50_257, "batch": 32},
}
STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
RATE = 3e-4


def main() -> int:
    """Run all arms in turn, or one arm in this process."""
    arguments = _parser().parse_args()
    if arguments.arm:
        shape = json.loads(arguments.shape_json)
        arm = {"trainer": _plain_trainer, "nanogpt": _nanogpt}[arguments.arm]
        print(json.dumps(arm(arguments, shape)))
        return 0
    shape = dict(SHAPES[arguments.shape])
    if arguments.batch_size:
        shape["batch"] = arguments.batch_size
    arms = ["chapbook", "trainer", *(["nanogpt"] if arguments.nanogpt else [])]
    results: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
    with tempfile.TemporaryDirectory() as folder:
        data = _tokens(Path(folder), shape, arguments.warmup + arguments.steps)
        for number in range(arguments.rounds):
            for arm in arms:
                result = _run(arm, arguments, shape, Path(folder), data)
                results[arm].append(result)
                print(f"round {number + 1} {arm}: {result['tokens_per_second']:,.0f} tokens/s", file=sys.stderr)
    report = _report(arguments, shape, results)
    print(_as_table(report))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    if arguments.json:
        print(json.dumps(report, separators=(",", ":")))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, help="a clone of nanoGPT")
    parser.add_argument("--shape", choices=SHAPES, default="cpu", help="size of model, block and batch (cpu)")
    parser.add_argument("--batch_size", type=int, help="blocks per step, instead of the shape's")
    parser.add_argument("--rounds", type=int, default=3, help="how often each arm runs (3)")
    parser.add_argument("--warmup", type=int, default=10, help="first steps that do not count (10)")
    parser.add_argument("--steps", type=int, default=20, help="steps that count, per round (20)")
    parser.add_argument("--no_compile", action="store_true", help="everything eager, nanoGPT too")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON document here too")
    parser.add_argument("--json", action="store_true", help="one JSON document as the last line of stdout")
    parser.add_argument("--arm", choices=("trainer", "nanogpt"), help=argparse.SUPPRESS)
    parser.add_argument("--shape_json", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    return parser


def _tokens(folder: Path, shape: dict[str, int], steps: int) -> Path:
    """Random ids, as frequent as words are (Zipf), enough for every step once."""
    ids = np.random.default_rng(1).zipf(1.2, size=steps * shape["batch"] * shape["length"])
    path = folder / "tokens.npy"
    np.save(path, (ids % shape["vocab_size"]).astype(np.uint16))
    return path


def _run(arm: str, arguments: argparse.Namespace, shape: dict[str, int], folder: Path, data: Path) -> dict[str, Any]:
    if arm == "chapbook":
        return _chapbook(arguments, shape, folder, data)
    words = [sys.executable, __file__, "--arm", arm, "--shape_json", json.dumps(shape), "--data", str(data)]
    words += ["--warmup", str(arguments.warmup), "--steps", str(arguments.steps)]
    words += ["--nanogpt", str(arguments.nanogpt)] if arguments.nanogpt else []
    words += ["--no_compile"] if arguments.no_compile else []
    output = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])  # type: ignore[no-any-return]


def _chapbook(arguments: argparse.Namespace, shape: dict[str, int], folder: Path, data: Path) -> dict[str, Any]:
    """The product as it is: its training script, its log."""
    workspace = folder / "workspace"
    _tokenizer(workspace / "tokenizers" / "speed-tokenizer", shape["vocab_size"])
    steps = arguments.warmup + arguments.steps
    config = {
        "name": "speed",
        "corpus": {"name": "speed", "sources": [{"kind": "sample"}]},
        "tokenizer": {"name": "speed-tokenizer", "vocab_size": shape["vocab_size"]},
        "pretokenize": {"max_length": shape["length"]},
        "model": {"model_type": "gpt2", **{k: shape[k] for k in ("n_layer", "n_head", "n_embd")}, **STILL},
        "training": {
            "allow_cpu": True,
            "per_device_train_batch_size": shape["batch"],
            "max_steps": steps,
            "learning_rate": RATE,
            "lr_scheduler_type": "constant",
            "logging_steps": arguments.warmup,
            "logging_first_step": False,
            "eval_strategy": "no",
            "save_strategy": "no",
            "report_to": [],
            **({"torch_compile": False} if arguments.no_compile else {}),
        },
    }
    (folder / "speed.yaml").write_text(json.dumps(config), "utf-8")
    words = [ROOT / "03_training" / "train_model.py", "--config", folder / "speed.yaml", "--train_data", data]
    subprocess.run(
        [sys.executable, *map(str, words), "--quiet"],
        env=os.environ | {"CHAPBOOK_WORKSPACE": str(workspace), "HF_HUB_OFFLINE": "1"},
        check=True,
    )
    metrics = workspace / "runs" / "speed" / "metrics.jsonl"
    lines = [json.loads(line) for line in metrics.read_text("utf-8").splitlines()]
    metrics.unlink()
    timed = [line for line in lines if line.get("dt_ms") and line["step"] > arguments.warmup]
    seconds = sum(line["dt_ms"] / 1000 * arguments.warmup for line in timed)
    memory = [line["gpu_memory_bytes"] for line in lines if "gpu_memory_bytes" in line]
    return {
        "tokens_per_second": len(timed) * arguments.warmup * shape["batch"] * shape["length"] / seconds,
        "loss": [line["loss"] for line in lines if "loss" in line][-1],
        "peak_bytes": max(memory, default=None),
    }


def _tokenizer(directory: Path, vocab_size: int) -> None:
    """A tokenizer of exactly this size: training asks for one, and here it only has to say how many ids there are."""
    if (directory / artifact.MANIFEST).exists():
        return
    from tokenizers import Tokenizer, models, pre_tokenizers

    directory.mkdir(parents=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<|endoftext|>", *alphabet, *(f"filler{number}" for number in range(vocab_size - len(alphabet) - 1))]
    tokenizer = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=[]))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}', "utf-8")
    recipe = artifact.Recipe(kind="tokenizer", format_version=1, config={"vocab_size": vocab_size})
    artifact.write_manifest(directory, recipe, {"vocab_size": vocab_size})


def _plain_trainer(arguments: argparse.Namespace, shape: dict[str, int]) -> dict[str, Any]:
    """transformers.Trainer and GPT2LMHeadModel as a tutorial sets them up: PyTorch tensors, bf16 on a GPU, no more."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments, set_seed

    set_seed(42)
    gpu = torch.cuda.is_available()
    blocks = _blocks(arguments.data, shape)
    dataset = [{"input_ids": torch.from_numpy(row), "labels": torch.from_numpy(row)} for row in blocks]
    sizes = {key: shape[key] for key in ("n_layer", "n_head", "n_embd", "vocab_size")}
    model = GPT2LMHeadModel(
        GPT2Config(**sizes, **STILL, n_positions=shape["length"], bos_token_id=0, eos_token_id=0)  # type: ignore[arg-type]
    )
    clock = _Clock(arguments.warmup)

    class Stopwatch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.tick(state.global_step)

    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            use_cpu=not gpu,
            bf16=gpu,
            per_device_train_batch_size=shape["batch"],
            max_steps=arguments.warmup + arguments.steps,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            adam_beta2=0.95,
            weight_decay=0.1,
            logging_steps=arguments.warmup,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(model=model, args=settings, train_dataset=dataset, callbacks=[Stopwatch()])
        trainer.train()
    loss = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry][-1]
    flops = flops_per_token(model, shape["length"])
    return clock.result(arguments.steps * shape["batch"] * shape["length"]) | {"loss": loss, "flops_per_token": flops}


def _nanogpt(arguments: argparse.Namespace, shape: dict[str, int]) -> dict[str, Any]:
    """nanoGPT's model and optimiser, compiled as its train.py does it, in its order of operations."""
    import contextlib

    import torch

    sys.path.insert(0, str(arguments.nanogpt))
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    torch.manual_seed(1337)
    gpu = torch.cuda.is_available()
    device = "cuda" if gpu else "cpu"
    if gpu:
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    # Its own README pads the vocabulary to a multiple of 64.
    vocabulary = -(-shape["vocab_size"] // 64) * 64
    sizes = {key: shape[key] for key in ("n_layer", "n_head", "n_embd")}
    with contextlib.redirect_stdout(sys.stderr):
        model = GPT(GPTConfig(**sizes, block_size=shape["length"], vocab_size=vocabulary, dropout=0.0, bias=False))
        model.to(device)
        optimizer = model.configure_optimizers(0.1, RATE, (0.9, 0.95), device)
    stepper = model if arguments.no_compile else torch.compile(model)
    precision = torch.autocast("cuda", torch.bfloat16) if gpu else contextlib.nullcontext()
    blocks = torch.from_numpy(_blocks(arguments.data, shape))
    clock = _Clock(arguments.warmup)
    losses = []

    def batch(step: int) -> tuple[Any, Any]:
        rows = blocks[step * shape["batch"] : (step + 1) * shape["batch"]]
        # The targets of its own loader are the next tokens; a block's last one has none here, as in the other arms.
        targets = torch.nn.functional.pad(rows[:, 1:], (0, 1), value=-1)
        if not gpu:
            return rows, targets
        return rows.pin_memory().to(device, non_blocking=True), targets.pin_memory().to(device, non_blocking=True)

    inputs, targets = batch(0)
    for step in range(arguments.warmup + arguments.steps):
        with precision:
            _, loss = stepper(inputs, targets)
        if step + 1 < arguments.warmup + arguments.steps:
            inputs, targets = batch(step + 1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())
        clock.tick(step + 1)
    return clock.result(arguments.steps * shape["batch"] * shape["length"]) | {
        "loss": float(torch.stack(losses[-arguments.warmup :]).mean())
    }


def _blocks(path: Path, shape: dict[str, int]) -> np.ndarray:
    return np.load(path).reshape(-1, shape["length"]).astype(np.int64)


class _Clock:
    """Time from the end of step `warmup` to the last one; waits for the GPU at both."""

    def __init__(self, warmup: int) -> None:
        self.warmup, self.started = warmup, 0.0

    def tick(self, step: int) -> None:
        import torch

        if step == self.warmup:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.started = time.perf_counter()

    def result(self, tokens: int) -> dict[str, Any]:
        import torch

        memory = None
        if torch.cuda.is_available():
            torch.cuda.synchronize()
            memory = torch.cuda.max_memory_allocated()
        return {
            "tokens_per_second": tokens / (time.perf_counter() - self.started),
            "peak_bytes": memory or peak_memory(),
        }


def _report(
    arguments: argparse.Namespace, shape: dict[str, int], results: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    import torch
    import transformers

    gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if gpu else f"{platform.machine()}, {torch.get_num_threads()} threads"
    flops = results["trainer"][0]["flops_per_token"]
    peak = peak_flops(device)
    arms = {}
    for arm, rounds in results.items():
        speeds = [result["tokens_per_second"] for result in rounds]
        memory = [result["peak_bytes"] for result in rounds if result["peak_bytes"]]
        arms[arm] = {
            "tokens_per_second": [round(speed, 1) for speed in speeds],
            "median": round(statistics.median(speeds), 1),
            "mfu": None if peak is None else round(statistics.median(speeds) * flops / peak, 4),
            "peak_bytes": max(memory, default=None),
            "loss": round(rounds[-1]["loss"], 4),
        }
    ratios = {
        f"ratio_vs_{arm}": [
            round(ours["tokens_per_second"] / theirs["tokens_per_second"], 3)
            for ours, theirs in zip(results["chapbook"], results[arm], strict=True)
        ]
        for arm in results
        if arm != "chapbook"
    }
    return {
        "benchmark": "training_speed",
        "date": datetime.now(UTC).date().isoformat(),
        "commit": artifact.environment()[1],
        "device": device,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "shape": shape | {"name": arguments.shape},
        "compiled": not arguments.no_compile,
        "rounds": arguments.rounds,
        "arms": arms,
        **{name: round(statistics.median(values), 3) for name, values in ratios.items()},
        **{f"{name}_per_round": values for name, values in ratios.items()},
    }


def _as_table(report: dict[str, Any]) -> str:
    rows = [
        (
            arm,
            f"{figures['median']:,.0f}",
            f"{min(figures['tokens_per_second']):,.0f} to {max(figures['tokens_per_second']):,.0f}",
            "-" if arm == "chapbook" else f"{report[f'ratio_vs_{arm}']:.3f}",
            "-" if figures["mfu"] is None else f"{figures['mfu']:.1%}",
            "-" if figures["peak_bytes"] is None else f"{figures['peak_bytes'] / 1e9:.2f} GB",
            f"{figures['loss']:.4f}",
        )
        for arm, figures in report["arms"].items()
    ]
    columns = ("arm", "tokens/s", "spread", "Chapbook's over it", "MFU", "peak memory", "loss")
    return table(f"Training speed, {report['shape']['name']} on {report['device']}", columns, rows)


if __name__ == "__main__":
    sys.exit(main())
