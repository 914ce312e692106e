"""What every script shares: parse -> call -> report, and how it ends.

A script is a function `work(arguments, config, workspace) -> dict` and a parser. The dict is the result:
`--json` prints it as the last line of stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chapbook.artifact import ROOT
from chapbook.config import RunConfig, describe_keys, load_config, parse_value
from chapbook.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, ChapbookError, UsageError
from chapbook.log import is_first_rank, log, start_logging
from chapbook.workspace import Workspace

# The short flags that the guides use, and the key each one sets.
SHORT_FLAGS = {
    "--vocab_size": "tokenizer.vocab_size",
    "--max_bytes": "tokenizer.max_bytes",
    "--batch_size": "training.per_device_train_batch_size",
    "--learning_rate": "training.learning_rate",
    "--max_steps": "training.max_steps",
    "--max_length": "pretokenize.max_length",
    "--num_samples": "generation.num_samples",
    "--max_new_tokens": "generation.max_new_tokens",
    "--temperature": "generation.temperature",
    "--top_k": "generation.top_k",
    "--top_p": "generation.top_p",
    "--repetition_penalty": "generation.repetition_penalty",
    "--seed": "generation.seed",
    "--tasks": "evaluation.tasks",
}


DEVICES = ("cpu", "cuda", "mps")


@dataclass
class Parsed:
    """A parsed command line: the script's own arguments and the configuration overrides."""

    arguments: argparse.Namespace
    overrides: dict[str, Any] = field(default_factory=dict)


class ScriptParser(argparse.ArgumentParser):
    """argparse with our manners: `--a-b` equals `--a_b`, usage errors are UsageError, `--section.key value` overrides.

    config: `required`, the name of a preset in configs/ that is used when `--config` is not given, or None where a
    script can do without.
    """

    def __init__(self, description: str, *, config: str | None = "required", short_flags: Sequence[str] = ()) -> None:
        super().__init__(
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog="Any key of the configuration can be given as --section.key VALUE:\n" + describe_keys(),
            allow_abbrev=False,
        )
        preset = config if config != "required" else None
        default = ROOT / "configs" / f"{preset}.yaml" if preset else None
        self.add_argument(
            "--config",
            type=Path,
            default=default,
            required=config == "required",
            help="YAML file of the run" + (f" (default: configs/{preset}.yaml)" if preset else ""),
        )
        self.add_argument(
            "--json", action="store_true", help="print the result as one JSON document, last line of stdout"
        )
        self.add_argument("--quiet", action="store_true", help="show warnings and errors only")
        self.add_argument("--debug", action="store_true", help="show the traceback of an error")
        for flag in short_flags:
            self.add_argument(flag, metavar="N", help=f"short for --{SHORT_FLAGS[flag]}")
        self.short_flags = tuple(short_flags)

    def error(self, message: str) -> Any:
        """Called by argparse for wrong usage; raises instead of leaving the process."""
        raise UsageError(f"{message}. See {self.prog} --help.")

    def parse(self, argv: Sequence[str]) -> Parsed:
        """Parse a command line. Raises UsageError."""
        # Keys of the configuration go first: argparse would take their values for positional arguments.
        rest, overrides = self._take_overrides([_underscores(word) for word in argv])
        arguments = self.parse_args(rest)
        for flag in self.short_flags:
            value = getattr(arguments, flag.lstrip("-"))
            if value is not None:
                overrides[SHORT_FLAGS[flag]] = parse_value(value)
        return Parsed(arguments, overrides)

    def _take_overrides(self, words: list[str]) -> tuple[list[str], dict[str, Any]]:
        rest, overrides = [], {}
        remaining = iter(words)
        for word in remaining:
            name, equals, value = word.partition("=")
            if not name.startswith("--") or "." not in name:
                rest.append(word)
                continue
            if not equals:
                try:
                    value = next(remaining)
                except StopIteration:
                    self.error(f"{name} needs a value")
            overrides[name.removeprefix("--")] = parse_value(value)
        return rest, overrides


def _underscores(word: str) -> str:
    """`--list-checkpoints` as `--list_checkpoints`; values stay as they are."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


Work = Callable[[argparse.Namespace, RunConfig, Workspace], dict[str, Any]]


def run_script(work: Work, parser: ScriptParser, argv: Sequence[str] | None = None) -> int:
    """Parse, load the configuration, call `work` and report; returns the exit code."""

    def start(parsed: Parsed) -> dict[str, Any]:
        config = load_config(parsed.arguments.config, parsed.overrides)
        workspace = Workspace.find()
        if is_first_rank():
            file = workspace.logs(config.name) / "logs" / f"{Path(sys.argv[0]).stem}.log"
            start_logging(file, quiet=parsed.arguments.quiet)
        return work(parsed.arguments, config, workspace)

    return run_guarded(start, parser, argv)


def run_guarded(
    start: Callable[[Parsed], dict[str, Any]], parser: ScriptParser, argv: Sequence[str] | None = None
) -> int:
    """Parse and call `start`; turn every way it can end into a clear line and an exit code (DESIGN section 4)."""
    words = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in words
    start_logging()
    # Read when transformers is imported: its bars for loading and saving say nothing that we do not say.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        parsed = parser.parse(words)
        result = start(parsed)
    except ChapbookError as error:
        if debug:
            traceback.print_exc()
        # Every rank of a distributed run meets the same problem; one line is enough.
        if is_first_rank() or error.exit_code == EXIT_FAILED:
            log.error("%s", error)
        return error.exit_code
    except KeyboardInterrupt:
        log.error("interrupted; the same command goes on from what is finished")
        return EXIT_INTERRUPTED
    except SystemExit as leave:  # argparse leaves this way after --help
        return leave.code if isinstance(leave.code, int) else EXIT_USAGE
    except BrokenPipeError:
        # Whoever read our output (head, less) has seen enough. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        if debug:
            traceback.print_exc()
        log.error(
            "%s: %s. Is the place there, writable and not full?", error.filename or "a file", error.strerror or error
        )
        return EXIT_FAILED
    except Exception as error:
        if debug:
            traceback.print_exc()
        log.error("%s: %s (an error nobody expected; --debug shows where)", type(error).__name__, error)
        return EXIT_FAILED
    result["peak_bytes"] = peak_memory()
    if parsed.arguments.json and is_first_rank():
        print(json.dumps(result, ensure_ascii=False, separators=(",", ":")), flush=True)
    return EXIT_DONE


def peak_memory() -> int:
    """The largest resident size of this process or any one of its ended children, in bytes."""
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    status = Path("/proc/self/status")
    if status.is_file():
        # ru_maxrss also counts the process that started this one, as it was before exec; VmHWM does not.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        own = int(line.split()[1]) * 1024
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)
