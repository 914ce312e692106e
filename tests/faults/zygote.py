"""Starts trainings by fork: torch and transformers are imported once, and each start costs milliseconds, not seconds.

A `Zygote` is a process that has imported the training script and waits; for each start it forks one child per rank,
which runs the script's `main` as a process of its own, and can be told to die at the n-th file operation.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from support import ROOT, environment

HERE = Path(__file__).resolve().parent
COMPILER = shutil.which("cc") or shutil.which("gcc")


class Zygote:
    """Use as a context manager. `start` runs one training to its end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        library = Path(self._folder.name, "kill_at.so")
        words = [str(COMPILER), "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "kill_at.c"), "-ldl"]
        subprocess.run(words, check=True)
        paths = (ROOT, ROOT / "tests", ROOT / "03_training")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            env=environment(
                Path(self._folder.name),
                LD_PRELOAD=str(library),
                PYTHONPATH=os.pathsep.join(map(str, paths)),
                TRANSFORMERS_VERBOSITY="error",
                HF_HUB_DISABLE_PROGRESS_BARS="1",
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self._folder.cleanup()

    def start(
        self,
        config: Path,
        workspace: Path,
        *flags: object,
        ranks: int = 1,
        kill_at: int = 0,
        kill_rank: int = 0,
        kill_after: float | None = None,
        limits: dict[str, int] | None = None,
        room: int | None = None,
        alone: bool = False,
        timeout: float = 120,
        **env: str,
    ) -> Outcome:
        """Train to the end, or until killed: at file operation `kill_at` of a rank, or after some seconds.

        limits: names of resource limits (RLIMIT_FSIZE ...) and their values, for the children. room: bytes of address
        space that a forward and backward pass may take. alone: a killed rank does not take the others along.
        """
        order = {
            "argv": ["--config", str(config), *map(str, flags)],
            "workspace": str(workspace),
            "ranks": ranks,
            "kill_at": kill_at,
            "kill_rank": kill_rank,
            "kill_after": kill_after,
            "limits": limits or {},
            "room": room,
            "alone": alone,
            "timeout": timeout,
            "env": env,
        }
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return Outcome(**answer)


class Outcome:
    """How a start ended: exit code by rank (negative: signal), what was said, file operations of the first rank."""

    def __init__(self, codes: list[int], said: str, operations: int, seconds: float) -> None:
        self.codes, self.said, self.operations, self.seconds = codes, said, operations, seconds

    @property
    def code(self) -> int:
        """The exit code of the first rank."""
        return self.codes[0]


def _serve() -> None:
    import accelerate  # noqa: F401
    import callbacks  # noqa: F401
    import device  # noqa: F401
    import torch
    import train
    import trainer  # noqa: F401
    import transformers
    from transformers import GPT2LMHeadModel, TrainingArguments  # noqa: F401

    from chapbook import model, training_arguments  # noqa: F401

    torch.set_num_threads(1)
    # What the first optimiser imports late.
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    transformers.EarlyStoppingCallback(1)
    # Children share what is there, and their collections need not look at it.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(_run(order, train.main)), flush=True)


def _run(order: dict[str, Any], main: Any) -> dict[str, Any]:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        port = 0
        if order["ranks"] > 1:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        children = [_fork(order, main, rank, port, Path(folder)) for rank in range(order["ranks"])]
        codes = _wait(children, order)
        said = "".join(Path(folder, f"{rank}.log").read_text(errors="replace") for rank in range(order["ranks"]))
        counter = Path(folder, "operations")
        operations = int(counter.read_text()) if counter.exists() else 0
    return {"codes": codes, "said": said, "operations": operations, "seconds": time.monotonic() - started}


def _limit_steps(room: int) -> None:
    """Give each forward and backward pass `room` bytes of address space more than there was before it.

    Only these: threads and saves need some of their own, and fail in other ways without it.
    """
    from trainer import ChapbookTrainer

    compute = ChapbookTrainer._micro_batch

    def limited(self: Any, *arguments: Any) -> Any:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, hard))
        try:
            return compute(self, *arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))

    ChapbookTrainer._micro_batch = limited  # type: ignore[method-assign]


def _wait(children: list[int], order: dict[str, Any]) -> list[int]:
    codes: dict[int, int] = {}
    started = time.monotonic()
    first_end = None
    killed = False
    while len(codes) < len(children):
        for child in children:
            if child not in codes:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    codes[child] = os.waitstatus_to_exitcode(status)
                    first_end = first_end or time.monotonic()
        now = time.monotonic()
        # As torchrun does: when one rank is gone, the others go too.
        gone = first_end is not None and now - first_end > 20
        due = order["kill_after"] is not None and now - started > order["kill_after"]
        if (due or gone or now - started > order["timeout"]) and not killed:
            killed = True
            if not due:
                # Have them say where they hang.
                for child in set(children) - set(codes):
                    os.kill(child, signal.SIGUSR1)
                time.sleep(0.5)
            for child in set(children) - set(codes):
                os.kill(child, signal.SIGKILL)
        # SIGKILL of one rank takes the others along at once, as the kernel's memory killer or a lost node would.
        if not order["alone"] and any(code == -signal.SIGKILL for code in codes.values()):
            for child in set(children) - set(codes):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    return [codes[child] for child in children]


def _fork(order: dict[str, Any], main: Any, rank: int, port: int, folder: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        log = os.open(folder / f"{rank}.log", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ |= {"CHAPBOOK_WORKSPACE": order["workspace"], **order["env"]}
        if order["ranks"] > 1:
            os.environ |= {
                **{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(order["ranks"])},
                **{"LOCAL_WORLD_SIZE": str(order["ranks"]), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
            }
        faulthandler.register(signal.SIGUSR1)
        for name, value in order["limits"].items():
            resource.setrlimit(getattr(resource, name), (value, value))
        if order["room"] is not None:
            _limit_steps(order["room"])
        shim = ctypes.CDLL(None)
        at = order["kill_at"] if rank == order["kill_rank"] else 0
        shim.chapbook_kill_at(ctypes.c_long(at), order["workspace"].encode())
        sys.argv = ["train_model.py"]
        code = main(order["argv"])
        if rank == 0:
            count = shim.chapbook_counted()
            (folder / "operations").write_text(str(count))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
