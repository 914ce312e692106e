"""What an artifact is: its kind, what it was made from down to the sources, how big it is, whether it is whole."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chapbook import artifact, checkpoint, tokens
from chapbook.artifact import Manifest
from chapbook.errors import ArtifactError, UsageError
from chapbook.log import table
from chapbook.workspace import Workspace

# Where artifacts lie in a workspace.
PATTERNS = (
    *("raw/*", "corpora/*", "tokenizers/*", "pretokenized/*", "checkpoints/*/checkpoint-*"),
    *("evaluations/*/*", "generations/*/*", "exports/*"),
)
# The most frequent tokens that a histogram shows.
TOP_TOKENS = 25
# Tokens are counted in pieces of this many: counting widens them to 8 bytes.
COUNTED_AT_ONCE = 1 << 22


def artifact_directories(workspace: Workspace) -> Iterator[Path]:
    """Every directory of a workspace that is or should become an artifact, by stage and name."""
    for pattern in PATTERNS:
        for path in sorted(workspace.root.glob(pattern)):
            if path.is_dir() and not path.name.startswith("."):
                yield path


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The command line of `inspect`."""
    parser.add_argument("path", type=Path, help="an artifact: its folder, or its path in the workspace as in `status`")
    parser.add_argument("--hashes", action="store_true", help="compare the content of all files, not only their sizes")
    parser.add_argument("--split", choices=("train", "eval"), default="train", help="of tokens (default: train)")
    parser.add_argument("--block", type=int, metavar="N", help="of tokens: decode block N, special tokens visible")
    parser.add_argument("--histogram", action="store_true", help="of tokens: how often each occurs")


def inspect(arguments: argparse.Namespace, workspace: Workspace) -> dict[str, Any]:
    """All that is known of one artifact. Raises ArtifactError when there is none at the path."""
    path = _find(arguments.path, workspace)
    manifest = _read(path)
    problems = artifact.damage(path, manifest, hashes=arguments.hashes)
    known = _known(workspace)
    facts: dict[str, Any] = {
        "path": str(path),
        "kind": manifest.kind,
        "fingerprint": manifest.fingerprint,
        "format_version": manifest.format_version,
        "created_at": manifest.created_at,
        "chapbook": manifest.versions.get("chapbook"),
        "git_commit": manifest.git_commit,
        "files": len(manifest.files),
        "bytes": sum(entry["size"] for entry in manifest.files),
        "checked": "content" if arguments.hashes else "sizes",
        "problems": problems,
        "config": manifest.config,
        "counts": manifest.counts,
        "lineage": list(_lineage(manifest, known)),
    }
    asked = arguments.block is not None or arguments.histogram
    if manifest.kind != tokens.KIND:
        if asked:
            raise UsageError(f"{path} is a {manifest.kind}: --block and --histogram are for pretokenized data.")
        return facts
    if asked and not problems:
        blocks = tokens.TokenBlocks(path / arguments.split)
        tokenizer = _tokenizer(path, manifest, known)
        if arguments.block is not None:
            facts["block"] = _block(blocks, arguments.split, arguments.block, tokenizer)
        if arguments.histogram:
            facts["histogram"] = _histogram(blocks, arguments.split, tokenizer)
    return facts


def _find(path: Path, workspace: Workspace) -> Path:
    for candidate in (path.absolute(), workspace.root / path):
        if candidate.exists():
            return candidate
    raise ArtifactError(
        f"There is no {path}, neither from here nor in {workspace.root}. See: python -m chapbook status"
    )


def _read(path: Path) -> Manifest:
    manifest = artifact.read_manifest(path)
    if manifest is not None:
        return manifest
    inside = sorted(file.parent.name for file in path.glob(f"*/{artifact.MANIFEST}")) if path.is_dir() else []
    hint = f" These in it are: {', '.join(inside)}." if inside else ""
    raise ArtifactError(
        f"{path} is no artifact: it has no {artifact.MANIFEST}, so it was never finished or is something else.{hint}"
    )


def _known(workspace: Workspace) -> dict[str, tuple[Path, Manifest]]:
    """The artifacts of a workspace by fingerprint, and checkpoints also by the hash of their weights."""
    known = {}
    for path in artifact_directories(workspace):
        try:
            manifest = artifact.read_manifest(path)
        except ArtifactError:
            # It is not what is asked about; `status` shows it.
            continue
        if manifest is None:
            continue
        known[manifest.fingerprint] = (path, manifest)
        if manifest.kind == checkpoint.KIND:
            known[checkpoint.Checkpoint(path, 0, manifest, None).weights_hash] = (path, manifest)
    return known


def _lineage(
    manifest: Manifest, known: dict[str, tuple[Path, Manifest]], depth: int = 1, seen: frozenset[str] = frozenset()
) -> Iterator[dict[str, Any]]:
    """The inputs of an artifact and theirs, depth first, each once, down to the sources of the raw documents."""
    shown = set(seen)
    for name, fingerprint in manifest.inputs.items():
        path, found = known.get(fingerprint, (None, None))
        yield {"depth": depth, "input": name, "fingerprint": fingerprint, "path": str(path) if path else None}
        if found is not None and found.fingerprint not in shown:
            below = list(_lineage(found, known, depth + 1, frozenset(shown)))
            shown |= {found.fingerprint, *(entry.get("fingerprint", "") for entry in below)}
            yield from below
    if not manifest.inputs:
        for source in manifest.config.get("sources", []):
            yield {"depth": depth, "input": "source", "source": source}


def _tokenizer(path: Path, manifest: Manifest, known: dict[str, tuple[Path, Manifest]]) -> Any:
    from chapbook.tokenizer import load_tokenizer

    fingerprint = manifest.inputs["tokenizer"]
    if fingerprint not in known:
        name = json.loads((path / tokens.METADATA).read_text("utf-8")).get("tokenizer_name")
        raise ArtifactError(
            f"The tokenizer {name} (fingerprint {fingerprint}) that made {path} is not in this workspace: its tokens "
            "cannot be read."
        )
    return load_tokenizer(known[fingerprint][0])


def _block(blocks: tokens.Blocks, split: str, number: int, tokenizer: Any) -> dict[str, Any]:
    if not 0 <= number < len(blocks):
        raise UsageError(f"There is no block {number}: {split} has {len(blocks):,} blocks, from 0.")
    ids = blocks.row(number).tolist()
    return {"split": split, "number": number, "ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)}


def _histogram(blocks: tokens.Blocks, split: str, tokenizer: Any) -> dict[str, Any]:
    """How often each token occurs: the most frequent, and what says whether the vocabulary fits the text."""
    import numpy as np

    size: int = tokenizer.get_vocab_size()
    counts = np.zeros(size, np.int64)
    for part in blocks.parts():
        flat = part.reshape(-1)
        for start in range(0, len(flat), COUNTED_AT_ONCE):
            counts += np.bincount(flat[start : start + COUNTED_AT_ONCE], minlength=size)
    total = int(counts.sum())
    order = np.argsort(-counts, kind="stable")[:TOP_TOKENS]
    byte_level = '"ByteLevel"' in json.dumps(json.loads(tokenizer.to_str())["decoder"])
    names = [tokenizer.id_to_token(number) or "" for number in range(size)]
    # Byte-level vocabularies write each byte as one character, others as <0x0A>.
    single = [len(name) == 1 if byte_level else len(name) == 6 and name.startswith("<0x") for name in names]
    return {
        "split": split,
        "tokens": total,
        "vocab_size": size,
        "unused": int((counts == 0).sum()),
        "single_byte_share": int(counts[np.array(single)].sum()) / max(1, total),
        "top": [
            {
                "id": int(number),
                "text": tokenizer.decode([int(number)], skip_special_tokens=False),
                "count": int(counts[number]),
                "share": int(counts[number]) / max(1, total),
            }
            for number in order
            if counts[number]
        ],
    }


def describe(facts: dict[str, Any]) -> str:
    """The facts as text for a person."""
    state = "; ".join(facts["problems"]) or f"whole ({facts['checked']} compared)"
    rows = [
        ("kind", facts["kind"]),
        ("state", state),
        ("size", f"{facts['bytes']:,} bytes in {facts['files']} file(s)"),
        ("made (UTC)", f"{facts['created_at']} by Chapbook {facts['chapbook']}, commit {facts['git_commit']}"),
        ("fingerprint", f"{facts['fingerprint']} (format {facts['format_version']})"),
    ]
    lines = [facts["path"], *(f"  {label:12} {value}" for label, value in rows), "", "Made from"]
    for entry in facts["lineage"]:
        what = entry.get("path") or entry.get("fingerprint") or json.dumps(entry["source"], ensure_ascii=False)
        missing = " (not in this workspace)" if "path" in entry and entry["path"] is None else ""
        lines.append(f"{'  ' * entry['depth']}{entry['input']}: {what}{missing}")
    if not facts["lineage"]:
        lines.append("  nothing that is recorded")
    for title, values in (("Configuration", facts["config"]), ("Counts", facts["counts"])):
        lines += ["", title]
        lines += [f"  {name}: {_value(value)}" for name, value in artifact.flatten(values).items()]
    if (block := facts.get("block")) is not None:
        lines += ["", f"Block {block['number']} of {block['split']} ({len(block['ids'])} tokens)", block["text"]]
    if (histogram := facts.get("histogram")) is not None:
        counted = [
            (repr(entry["text"]), entry["id"], f"{entry['count']:,}", f"{entry['share']:.2%}")
            for entry in histogram["top"]
        ]
        lines += ["", table(f"Tokens of {histogram['split']}", ("token", "id", "count", "share"), counted)]
        lines.append(
            f"{histogram['tokens']:,} tokens; {histogram['single_byte_share']:.2%} of them are single bytes; "
            f"{histogram['unused']:,} of {histogram['vocab_size']:,} in the vocabulary do not occur"
        )
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int):
        return f"{value:,}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:299]}…"
