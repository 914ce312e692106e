"""Artifacts: directories that exist only when their manifest does.

An artifact is a directory with a `manifest.json`, written last and atomically. Without it nobody reads
the directory and the next run replaces it. The manifest carries a **fingerprint**: the hash of what
shapes the content (kind, format version, configuration, fingerprints of the inputs) and of nothing else,
so that equal inputs and configuration give an equal fingerprint on any machine at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from chapbook import __version__
from chapbook.errors import ArtifactError
from chapbook.log import log

MANIFEST = "manifest.json"
ROOT = Path(__file__).resolve().parent.parent

# One thread takes SHA-256 at 1.5 to 2 GB/s; a checkpoint has two or three large files.
_HASHING_THREADS = min(8, os.cpu_count() or 1)

# The packages whose version can change what an artifact contains.
RECORDED_PACKAGES = (
    *("ftfy", "lxml", "py3langid", "pypdfium2", "wordfreq", "datatrove", "rensa", "pyarrow"),
    *("tokenizers", "gigatoken", "sentencepiece", "datasets"),
    *("torch", "transformers", "accelerate", "huggingface_hub"),
)


def canonical_json(value: Any) -> bytes:
    """`value` as JSON bytes that are equal for equal values: sorted keys, no blanks, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping with dotted keys; lists stay whole."""
    if isinstance(value, dict) and value:
        return {k: v for name, item in value.items() for k, v in flatten(item, f"{prefix}{name}.").items()}
    return {prefix.rstrip("."): value}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What shapes an artifact's content.

    kind: one word (`corpus`, `tokenizer`, …). format_version: raised when the same configuration starts to
    give other content or another layout. config: JSON-able, content-shaping values only (no paths, times,
    machine names). inputs: name of each input artifact -> its fingerprint.
    """

    kind: str
    format_version: int
    config: dict[str, Any]
    inputs: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of all four fields, first 32 hexadecimal digits (128 bits)."""
        parts = [self.kind, self.format_version, self.config, self.inputs]
        return hashlib.sha256(canonical_json(parts)).hexdigest()[:32]

    def differences(self, other: Recipe) -> list[str]:
        """One line for each field in which `other` (what is on disk) differs from this recipe."""
        mine = flatten({"kind": self.kind, "format_version": self.format_version, **self.config})
        theirs = flatten({"kind": other.kind, "format_version": other.format_version, **other.config})
        mine |= {f"input {k}": v for k, v in self.inputs.items()}
        theirs |= {f"input {k}": v for k, v in other.inputs.items()}
        # Through JSON, so that a tuple here equals the list that was read back.
        return [
            f"{key}: {_short(theirs.get(key))} on disk, {_short(mine.get(key))} wanted"
            for key in sorted(mine.keys() | theirs.keys())
            if canonical_json(mine.get(key)) != canonical_json(theirs.get(key))
        ]


def _short(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


@dataclass(kw_only=True)
class Manifest:
    """The content of a `manifest.json`."""

    kind: str
    format_version: int
    fingerprint: str
    config: dict[str, Any]
    inputs: dict[str, str]
    counts: dict[str, Any]
    """Figures about the content: documents, bytes, tokens, seconds …"""
    files: list[dict[str, Any]]
    """`path` relative to the artifact, `size` in bytes, `sha256`."""
    versions: dict[str, str]
    git_commit: str | None
    created_at: str

    @property
    def recipe(self) -> Recipe:
        """The recipe this artifact was made from."""
        return Recipe(kind=self.kind, format_version=self.format_version, config=self.config, inputs=self.inputs)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a crash leaves either the old file or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Have the names in a directory on disk, not only in memory."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def environment() -> tuple[dict[str, str], str | None]:
    """Versions of Python, Chapbook and the packages that shape content; the git commit if there is one."""
    versions = {"python": platform.python_version(), "chapbook": __version__}
    for package in RECORDED_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    commit = None
    if (ROOT / ".git").exists() and shutil.which("git"):
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        commit = described.stdout.strip() or None
    return versions, commit


def write_manifest(directory: Path, recipe: Recipe, counts: dict[str, Any]) -> Manifest:
    """Hash and sync every file below `directory`, then write its manifest: from here on it exists.

    Files whose name starts with a dot do not belong to the artifact.
    """
    paths = []
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        relative = path.relative_to(directory)
        if path.name != MANIFEST and not any(part.startswith(".") for part in relative.parts):
            paths.append(path)
    names = [path.relative_to(directory).as_posix() for path in paths]
    # Hashing needs a core and syncing the disk: side by side they take as long as the slower of the two.
    with ThreadPoolExecutor(_HASHING_THREADS) as threads:
        syncing = threads.map(_sync_file, paths)
        digests = list(threads.map(file_hash, paths))
        list(syncing)
    files = [
        {"path": name, "size": path.stat().st_size, "sha256": digest}
        for name, path, digest in zip(names, paths, digests, strict=True)
    ]
    for folder in {path.parent for path in directory.rglob("*")} | {directory}:
        sync_directory(folder)
    versions, commit = environment()
    manifest = Manifest(
        kind=recipe.kind,
        format_version=recipe.format_version,
        fingerprint=recipe.fingerprint,
        config=recipe.config,
        inputs=recipe.inputs,
        counts=counts,
        files=files,
        versions=versions,
        git_commit=commit,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_atomically(directory / MANIFEST, json.dumps(asdict(manifest), indent=2, ensure_ascii=False).encode() + b"\n")
    return manifest


def read_manifest(directory: Path) -> Manifest | None:
    """The manifest of an artifact, or None where there is no artifact.

    Raises ArtifactError when there is a manifest that is not one: it was written whole, so something
    else has changed it since.
    """
    path = directory / MANIFEST
    if not path.is_file():
        return None
    try:
        return Manifest(**json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{path} is not a manifest ({error}). Delete {directory} to have it built anew.") from error


def damage(directory: Path, manifest: Manifest, *, hashes: bool = False) -> list[str]:
    """What is wrong with the files of an artifact: missing, of another size and, if asked, of other content."""
    present = [entry["path"] for entry in manifest.files if hashes and (directory / entry["path"]).is_file()]
    with ThreadPoolExecutor(_HASHING_THREADS) as threads:
        found = dict(zip(present, threads.map(lambda name: file_hash(directory / name), present), strict=True))
    problems = []
    for entry in manifest.files:
        path = directory / entry["path"]
        if not path.is_file():
            problems.append(f"{entry['path']} is missing")
        elif path.stat().st_size != entry["size"]:
            problems.append(f"{entry['path']} has {path.stat().st_size} bytes instead of {entry['size']}")
        elif hashes and found[entry["path"]] != entry["sha256"]:
            problems.append(f"{entry['path']} has other content than when it was written")
    return problems


def require(directory: Path, kind: str, remedy: str) -> Manifest:
    """The manifest of an input artifact that must be there and whole.

    Raises ArtifactError naming the place and `remedy`, the command that makes it.
    """
    manifest = read_manifest(directory)
    if manifest is None:
        raise ArtifactError(f"There is no {kind} at {directory}. {remedy}")
    if manifest.kind != kind:
        raise ArtifactError(f"{directory} holds a {manifest.kind}, not a {kind}. {remedy}")
    if problems := damage(directory, manifest):
        raise ArtifactError(f"The {kind} at {directory} is torn: {'; '.join(problems[:3])}. {remedy}")
    return manifest


def reusable(directory: Path, recipe: Recipe, *, warn: bool = True) -> Manifest | None:
    """The manifest at `directory` when it was made from exactly `recipe` and is whole; otherwise None.

    With `warn`, says what differs or what is torn, because the caller will build anew.
    """
    say = log.warning if warn else log.debug
    manifest = read_manifest(directory)
    if manifest is None:
        return None
    if manifest.fingerprint != recipe.fingerprint:
        say(
            "%s %s was made differently and is built anew: %s",
            manifest.kind,
            directory.name,
            "; ".join(recipe.differences(manifest.recipe)),
        )
        return None
    if problems := damage(directory, manifest):
        say("%s %s is torn and is built anew: %s", manifest.kind, directory.name, "; ".join(problems[:3]))
        return None
    return manifest


# Files of the locks that this process holds.
_held_locks: set[int] = set()


def _release_in_child() -> None:
    # A forked worker inherits the open file, and would hold the lock for seconds after its parent was killed.
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in _held_locks:
        os.dup2(nothing, descriptor)
    os.close(nothing)
    _held_locks.clear()


os.register_at_fork(after_in_child=_release_in_child)


@contextlib.contextmanager
def lock(directory: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the right to write `directory`, across processes; a crash releases it.

    With `wait`, waits for another holder and says so; without, raises ArtifactError at once. The lock file stays
    where it is: the lock is the kernel's, and a file without a living holder locks nothing.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    path = directory.parent / f".{directory.name}.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            if not wait:
                raise ArtifactError(
                    f"Another process is writing {directory} (process {holder}). Wait for it to end, or stop it."
                ) from None
            log.info("waiting for another process (%s) that is writing %s", holder, directory)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{os.getpid()} on {platform.node()}\n")
        file.flush()
        _held_locks.add(file.fileno())
        try:
            yield
        finally:
            _held_locks.discard(file.fileno())


def ensure(
    directory: Path,
    recipe: Recipe,
    build: Callable[[Path], dict[str, Any]],
    *,
    fresh: bool = False,
    warn: bool = True,
    resume: bool = False,
) -> tuple[Manifest, bool]:
    """Reuse the artifact at `directory` if it was made from `recipe`; otherwise have it built.

    `build(path)` fills the empty directory `path` and returns the counts for the manifest. It works beside
    the old artifact, which stays readable until the new one is whole. `fresh` builds in any case. `warn`: say what
    differs from the old one (for callers that have said it better). `resume`: the work of a build that was killed is
    kept under a name with the recipe's fingerprint, and `build` finds it in `path` and goes on from it.
    Returns the manifest and whether it was reused. Two processes at once build once.
    """
    # A folder may be a link to a larger disk: build and rename there.
    directory = directory.resolve()
    with lock(directory):
        work = f"{directory.name}.{recipe.fingerprint[:12]}" if resume else directory.name
        partial = directory.parent / f".{work}.partial"
        # A run that died between the two renames below left the finished artifact under its partial name.
        if not directory.exists() and (partial / MANIFEST).is_file():
            partial.rename(directory)
        if not fresh and (manifest := reusable(directory, recipe, warn=warn)):
            return manifest, True
        if partial.exists() and (fresh or not resume):
            shutil.rmtree(partial)
        partial.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        counts = build(partial)
        counts["seconds"] = round(time.monotonic() - started, 2)
        manifest = write_manifest(partial, recipe, counts)
        if directory.exists():
            old = directory.parent / f".{directory.name}.old"
            if old.exists():
                shutil.rmtree(old)
            directory.rename(old)
            partial.rename(directory)
            shutil.rmtree(old)
        else:
            partial.rename(directory)
        sync_directory(directory.parent)
        return manifest, False
