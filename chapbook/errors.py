"""The ways a script can end, and the errors that carry them to the person.

Exit codes (docs/DESIGN.md section 4): 0 done, 1 the work failed, 2 wrong usage or configuration,
3 an input artifact is missing, torn or incompatible, 130/143 interrupted after saving.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_ARTIFACT = 3
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class ChapbookError(Exception):
    """The work failed for a reason a person can act on.

    The message says what, where and what to do now; scripts print it as it is, without a traceback.
    """

    exit_code = EXIT_FAILED


class UsageError(ChapbookError):
    """Wrong usage or configuration: nothing was started (exit code 2)."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """One or more problems of a configuration, all reported at once.

    `problems` holds one line each: the key, the value and what would work.
    """

    def __init__(self, problems: list[str], where: str) -> None:
        self.problems = problems
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__("\n".join([f"{count} in {where}:", *(f"  - {line}" for line in problems)]))


class ArtifactError(ChapbookError):
    """An input artifact is missing, torn or incompatible (exit code 3)."""

    exit_code = EXIT_ARTIFACT
