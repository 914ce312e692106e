"""The source kind `sample`: text from the generator that the product carries, with known dirt if wanted."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

from chapbook.corpus import RawDocument, content_hash
from chapbook.errors import ChapbookError
from sources.sample_dirt import DIRT_KINDS, FOREIGN_KINDS, OWN_SCENE_KINDS, REPEATING_KINDS
from sources.sample_grammar import GRAMMAR_VERSION, Scene, generate
from sources.sample_truths import Planted, planted

__all__ = ["DIRT_KINDS", "documents", "identity"]

AUTHOR = "Chapbook sample generator"
LICENCE = "CC0-1.0"
# A copy repeats one of this many clean documents before it (of spoilt ones it could be the better copy).
DUPLICATE_REACH = 200


class SampleSettings(Protocol):
    """What this source reads of its section of the configuration."""

    name: str
    seed: int
    bytes: int
    words: int | None

    @property
    def dirt(self) -> Any:
        """The share of the documents that each kind of dirt is planted in, by kind."""


def identity(source: SampleSettings) -> dict[str, Any]:
    """Everything that shapes the documents of `source`, as JSON-able values; two equal ones mean equal documents."""
    return {
        "kind": "sample",
        "grammar_version": GRAMMAR_VERSION,
        "name": source.name,
        "seed": source.seed,
        "bytes": source.bytes,
        "words": source.words,
        "dirt": {kind: source.dirt[kind] for kind in DIRT_KINDS if source.dirt.get(kind)},
    }


def documents(source: SampleSettings) -> Iterator[RawDocument]:
    """Yield documents until their clean texts reach `source.bytes` UTF-8 bytes.

    Every document is of one kind, clean or dirty, drawn by the shares in `source.dirt`. The scenes come from
    a random stream of their own: for one seed the clean texts are the same with any dirt, which only puts
    further documents between them.
    """
    _check(source)
    scenes, dirt = random.Random(source.seed), random.Random(f"dirt {source.seed}")
    earlier: deque[Scene] = deque(maxlen=DUPLICATE_REACH)
    number = clean_bytes = 0
    while clean_bytes < source.bytes:
        kind = _draw_kind(source.dirt, dirt)
        # Before the first clean document there is nothing to repeat.
        if kind in REPEATING_KINDS and not earlier:
            kind = None
        if kind in REPEATING_KINDS:
            scene = earlier[int(dirt.random() * len(earlier))]
        elif kind in FOREIGN_KINDS:
            scene = Scene("", 0.0, None, None)
        elif kind in OWN_SCENE_KINDS:
            scene = generate(dirt, source.words)
        else:
            scene = generate(scenes, source.words)
            if kind is None:
                earlier.append(scene)
            clean_bytes += len(scene.text.encode("utf-8"))
        yield _document(f"{source.name}/{number:06d}", source.name, scene, kind, dirt)
        number += 1


def _check(source: SampleSettings) -> None:
    shares = dict(source.dirt)
    further = (*REPEATING_KINDS, *FOREIGN_KINDS, *OWN_SCENE_KINDS)
    if sum(shares.values()) > 1 or sum(shares.get(kind, 0.0) for kind in further) >= 1:
        raise ChapbookError(
            f"The shares of dirt in the source {source.name} add up to {sum(shares.values()):g}: a document carries at "
            f"most one kind, and {', '.join(further)} must leave room for others. Lower them below 1 in all."
        )


def _draw_kind(shares: dict[str, float], rng: random.Random) -> str | None:
    place = rng.random()
    for kind in DIRT_KINDS:
        place -= shares.get(kind, 0.0)
        if place < 0:
            return kind
    return None


def _document(document: str, source: str, scene: Scene, kind: str | None, rng: random.Random) -> RawDocument:
    if kind:
        result = planted(kind, scene.text, scene.title or "", rng)
    else:
        result = Planted(scene.text.encode("utf-8"), scene.text)
    return RawDocument(
        id=document,
        source=source,
        title=scene.title,
        author=AUTHOR,
        date=result.date or scene.date,
        # Nobody told the collector that a foreign document is foreign; cleaning has to find out.
        language=None if kind in FOREIGN_KINDS else "en",
        licence=LICENCE,
        sha256=content_hash(result.content),
        content=result.content,
        format=result.format,
        truth=result.truth,
        # The generator's probability belongs to exactly its text.
        true_bits=scene.bits if result.truth == scene.text and kind not in FOREIGN_KINDS else None,
        dirt=[kind] if kind else [],
    )
