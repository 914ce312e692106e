"""The one logger of Chapbook, and the bars and tables a person sees.

Logs go to stderr and to a file per run, so that stdout stays free for results. Progress bars are drawn
only where a person can see them; elsewhere (a file, CI) progress is a line now and then.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger("chapbook")

# Where no bar can be drawn, one line is logged after this many seconds.
PROGRESS_LINE_SECONDS = 15.0


def is_first_rank() -> bool:
    """Whether this process speaks for a run: always, but for the other ranks of a distributed one."""
    return os.environ.get("RANK", "0") == "0"


def start_logging(file: Path | None = None, *, quiet: bool = False) -> None:
    """Log to stderr (warnings only when `quiet`) and, with `file`, everything to the end of that file.

    In a distributed run the first rank speaks for all; the others only report errors.
    """
    log.handlers.clear()
    log.setLevel(logging.INFO)
    log.propagate = False
    console = _ConsoleHandler(sys.stderr)
    console.setLevel(logging.ERROR if not is_first_rank() else logging.WARNING if quiet else logging.INFO)
    console.setFormatter(_ConsoleFormatter())
    log.addHandler(console)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(file, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)


class _ConsoleHandler(logging.StreamHandler[Any]):
    """Writes above a progress bar, if one is being drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        if "tqdm" in sys.modules:
            from tqdm import tqdm

            tqdm.write(self.format(record), file=sys.stderr)
        else:
            super().emit(record)


class _ConsoleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


class ProgressBar:
    """A bar on a terminal, a line every 15 seconds elsewhere. Use as a context manager and `advance` it."""

    def __init__(self, description: str, total: float | None, unit: str = "") -> None:
        self.description, self.total, self.unit = description, total, unit
        self.done = 0.0
        self._bar: Any = None
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> ProgressBar:
        if sys.stderr.isatty():
            from tqdm import tqdm

            scaled = self.unit == "B"
            self._bar = tqdm(
                desc=self.description, total=self.total, unit=self.unit or "it", unit_scale=scaled, delay=1, leave=False
            )
        return self

    def advance(self, amount: float) -> None:
        """Count `amount` more of the total as done."""
        self.done += amount
        if self._bar is not None:
            self._bar.update(amount)
        elif time.monotonic() - self._last_line > PROGRESS_LINE_SECONDS:
            self._last_line = time.monotonic()
            share = f" ({self.done / self.total:.0%})" if self.total else ""
            log.info("%s: %s%s%s", self.description, f"{self.done:,.0f}", f" {self.unit}" if self.unit else "", share)

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain-text table: first column left, the others right-aligned."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(columns), *cells]) for i in range(len(columns))]

    def line(row: Sequence[str]) -> str:
        padded = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        return "  ".join(padded).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([title, line(list(columns)), rule, *(line(row) for row in cells)])
