"""The tokens a run trains on: its own pretokenized corpus, or token files (`.npy`) that somebody brings."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pretokenize import Mode, Pretokenized, pretokenize, usable

from chapbook import artifact
from chapbook.config import RunConfig
from chapbook.errors import ArtifactError, ChapbookError, UsageError
from chapbook.log import is_first_rank, log
from chapbook.tokenizer import load_tokenizer
from chapbook.tokens import Blocks, NpyBlocks, TokenBlocks, token_recipe
from chapbook.workspace import Workspace

NPY_FORMAT_VERSION = 1
# Ids are looked through in pieces of this many, so that memory stays flat.
RANGE_CHUNK = 1 << 24
# How long the other ranks wait for the first one, in seconds, when training.ddp_timeout says nothing.
DEFAULT_TIMEOUT = 1_800
CLOCKS_APART = 60


@dataclass(frozen=True)
class TrainingTokens:
    """Blocks to train on and blocks held back (perhaps none), and what they were made from.

    bytes_per_token: of the text of `train` and `eval` with its separators, where that is known.
    """

    recipe: artifact.Recipe
    train: Blocks
    held_back: Blocks
    bytes_per_token: dict[str, float] = field(default_factory=dict)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say which tokens to train on."""
    tokens = parser.add_mutually_exclusive_group()
    tokens.add_argument("--use_pretokenized", action="store_true", help="only use pretokenized data that is there")
    tokens.add_argument("--no_pretokenized", action="store_true", help="tokenize anew even if nothing has changed")
    tokens.add_argument(
        "--train_data", type=Path, metavar="FILE", help="train on this .npy file of token ids instead of the corpus"
    )
    parser.add_argument("--val_data", type=Path, metavar="FILE", help="with --train_data: held-back token ids")


def training_recipe(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> artifact.Recipe:
    """What the tokens of a run are made from: what its checkpoints depend on.

    Token files count by their content. Raises ArtifactError when something is not there.
    """
    if arguments.train_data is None:
        if arguments.val_data is not None:
            raise UsageError("--val_data belongs to --train_data; a corpus brings its own held-back text.")
        return token_recipe(config, workspace)
    directory = workspace.tokenizer(config.tokenizer.name)
    tokenizer = artifact.require(directory, "tokenizer", "Token files need the tokenizer that made them.")
    given = {"train_data": arguments.train_data, "val_data": arguments.val_data}
    files = {name: path for name, path in given.items() if path is not None}
    if missing := [str(path) for path in files.values() if not path.is_file()]:
        where = " and no ".join(missing)
        raise ArtifactError(f"There is no token file {where}. Make one with: pretokenize.py --export_npy DIR.")
    return artifact.Recipe(
        kind="npy",
        format_version=NPY_FORMAT_VERSION,
        config={"max_length": config.pretokenize.max_length},
        inputs={
            "tokenizer": tokenizer.fingerprint,
            **{name: artifact.file_hash(path)[:32] for name, path in files.items()},
        },
    )


def tokens_are_there(
    arguments: argparse.Namespace, config: RunConfig, workspace: Workspace, recipe: artifact.Recipe
) -> bool:
    """Whether a training can start without tokenizing."""
    return arguments.train_data is not None or usable(config, workspace, recipe) is not None


def training_tokens(arguments: argparse.Namespace, config: RunConfig, workspace: Workspace) -> TrainingTokens:
    """The tokens of a run, tokenized first when they are not there.

    In a distributed run the first rank tokenizes and the others wait, `training.ddp_timeout` seconds at most. Raises
    ArtifactError for tokens that do not fit, ChapbookError when the waiting took too long.
    """
    recipe = training_recipe(arguments, config, workspace)
    if arguments.train_data is not None:
        return _from_files(arguments, config, workspace, recipe)
    if arguments.use_pretokenized:
        found = pretokenize(config, workspace, "cache_only")
    elif not is_first_rank():
        found = _wait(config, workspace, recipe, fresh=arguments.no_pretokenized)
    else:
        ready = None if arguments.no_pretokenized else usable(config, workspace, recipe)
        others = int(os.environ.get("WORLD_SIZE", "1")) - 1
        if ready is None and others:
            limit = _time_limit(config)
            log.info("tokenizing first; %d other rank(s) wait up to %g s (training.ddp_timeout)", others, limit)
        mode: Mode = "fresh" if arguments.no_pretokenized else "auto"
        found = ready or pretokenize(config, workspace, mode)
    splits = found.manifest.counts["splits"]
    return TrainingTokens(
        recipe,
        TokenBlocks(found.directory / "train"),
        TokenBlocks(found.directory / "eval"),
        {name: s["bytes"] / (s["text_tokens"] + s["separators"]) for name, s in splits.items() if s["text_tokens"]},
    )


def _time_limit(config: RunConfig) -> float:
    return float(config.training.get("ddp_timeout", DEFAULT_TIMEOUT))


def _wait(config: RunConfig, workspace: Workspace, recipe: artifact.Recipe, *, fresh: bool) -> Pretokenized:
    """Wait for the first rank's tokens. Not at a barrier: that would end in a timeout that explains nothing."""
    limit = _time_limit(config)
    started = time.monotonic()
    # With `fresh`, older tokens are not the ones to wait for; ranks start and clocks go a little apart.
    oldest = datetime.now(UTC) - timedelta(seconds=CLOCKS_APART)
    while (found := usable(config, workspace, recipe)) is None or (
        fresh and datetime.fromisoformat(found.manifest.created_at) < oldest
    ):
        if time.monotonic() - started > limit:
            raise ChapbookError(
                f"Rank {os.environ.get('RANK')} has waited {limit:g} s for the first rank to tokenize. Tokenize before "
                "training (pretokenize.py --config FILE), or raise training.ddp_timeout."
            )
        time.sleep(0.5)
    return found


def _from_files(
    arguments: argparse.Namespace, config: RunConfig, workspace: Workspace, recipe: artifact.Recipe
) -> TrainingTokens:
    directory = workspace.tokenizer(config.tokenizer.name)
    vocab_size = load_tokenizer(directory).get_vocab_size()
    max_length = config.pretokenize.max_length
    train = _open_npy(arguments.train_data, max_length, vocab_size)
    if arguments.val_data is None:
        held_back = Blocks([], max_length, train.dtype)
    else:
        held_back = _open_npy(arguments.val_data, max_length, vocab_size)
    log.info("bits per byte are not given: token files do not say how many bytes their text has")
    return TrainingTokens(recipe, train, held_back)


def _open_npy(path: Path, max_length: int, vocab_size: int) -> Blocks:
    """The blocks of a token file whose ids belong to the vocabulary; says what is in it."""
    blocks = NpyBlocks(path, max_length)
    ids = blocks.ids
    if not len(blocks):
        raise ArtifactError(f"{path} holds {len(ids):,} tokens, less than one block of {max_length}.")
    parts = [ids[start : start + RANGE_CHUNK] for start in range(0, len(ids), RANGE_CHUNK)]
    low, high = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
    log.info(
        f"{path}: {len(ids):,} tokens, dtype {ids.dtype}, memory-mapped, ids {low:,} to {high:,}, "
        f"{len(blocks):,} blocks of {max_length} ({len(ids) % max_length} tokens left over)"
    )
    if low < 0 or high >= vocab_size:
        raise ArtifactError(
            f"{path} holds ids from {low:,} to {high:,}, and the tokenizer has {vocab_size:,} tokens (0 to "
            f"{vocab_size - 1:,}). Name the tokenizer that made the file with --tokenizer.name."
        )
    return blocks
