"""Source kind `huggingface`: any dataset of the Hugging Face Hub as a stream, or Parquet, JSON and CSV files here.

The Hub's own library does the asking (it honours HF_TOKEN and HF_ENDPOINT), so no page of it is in our cache: what is
kept is which commit was read and when, and that commit is read until `--refresh`.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from http_cache import now
from http_client import HttpClient

from chapbook.artifact import canonical_json, file_hash, write_atomically
from chapbook.corpus import RawDocument, content_hash
from chapbook.errors import UsageError
from chapbook.source_config import HuggingFaceSource
from sources import Failed
from sources.fetching import identity as configured

# By suffix, the reader of `datasets`.
READERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv", ".txt": "text"}


def identity(source: HuggingFaceSource) -> dict[str, Any]:
    """The source's keys, and the content of its files on this machine."""
    files = [file_hash(path) for path in _files(source)] if source.paths else []
    return configured(source) | ({"files": files} if files else {})


def documents(source: HuggingFaceSource, http: HttpClient) -> Iterator[RawDocument | Failed]:
    """One document per row. Raises UsageError for a column that is not there."""
    import datasets

    fetched_at, url = None, None
    if source.paths:
        paths = _files(source)
        reader = {READERS[path.suffix.lower()] for path in paths}
        if len(reader) > 1:
            raise UsageError(f"corpus.sources {source.name}: files of one format only, found {', '.join(reader)}.")
        rows = datasets.load_dataset(reader.pop(), data_files=[str(p) for p in paths], split="train", streaming=True)
    else:
        assert source.dataset is not None
        if http.offline:
            yield Failed(f"{source.name}/{source.dataset}", "offline: datasets of the Hub are not kept here")
            return
        url = f"https://huggingface.co/datasets/{source.dataset}"
        try:
            commit, fetched_at = _commit(source, http)
            url = f"{url}/tree/{commit}"
            rows = datasets.load_dataset(
                source.dataset, source.config, split=source.split, revision=commit, streaming=True
            )
        except Exception as error:
            # The library raises what its many parts raise; to us all of it means: not to be had.
            yield Failed(f"{source.name}/{source.dataset}", f"{type(error).__name__}: {_first_line(error)}", url)
            return
    number = -1
    stream = iter(rows)
    while True:
        try:
            row = next(stream)
        except StopIteration:
            return
        except Exception as error:
            reason = f"{type(error).__name__}: {_first_line(error)}"
            yield Failed(f"{source.name}/row {number + 1}", f"stream broke off: {reason}", url)
            return
        number += 1
        if any(text.lower() not in str(row.get(column)).lower() for column, text in source.where.items()):
            continue
        yield _document(source, number, row, url, fetched_at)


def _document(
    source: HuggingFaceSource, number: int, row: dict[str, Any], url: str | None, fetched_at: str | None
) -> RawDocument | Failed:
    columns = source.columns.model_dump(exclude_none=True)
    wanted = columns | dict(zip(source.where, source.where, strict=True))
    if missing := [f"{key}: {column}" for key, column in wanted.items() if column not in row]:
        raise UsageError(
            f"corpus.sources {source.name}: the dataset has no column {', '.join(missing)} (it has: {', '.join(row)})."
        )
    found = {key: str(row[column]) for key, column in columns.items() if row[column] not in (None, "")}
    name = f"{source.name}/{found.get('id', f'{number:08d}')}"
    content = found.get("text", "").encode("utf-8", "surrogatepass")
    if not content:
        return Failed(name, "empty text", url)
    return RawDocument(
        id=name,
        source=source.name,
        url=found.get("url", url),
        title=source.title or found.get("title"),
        author=source.author or found.get("author"),
        date=source.date or found.get("date"),
        language=source.language or found.get("language"),
        licence=source.licence or found.get("licence"),
        sha256=content_hash(content),
        fetched_at=fetched_at,
        content=content,
        format="txt",
    )


def _commit(source: HuggingFaceSource, http: HttpClient) -> tuple[str, str]:
    """The commit to read and when it was first found; from the cache but for `--refresh`."""
    from huggingface_hub import HfApi

    key = content_hash(canonical_json([source.dataset, source.revision]))[:40]
    place = http.cache.folder / "huggingface" / f"{key}.json"
    known: dict[str, str] = json.loads(place.read_text("utf-8")) if place.is_file() else {}
    if not known or http.refresh:
        commit = HfApi().dataset_info(source.dataset or "", revision=source.revision).sha
        if commit != known.get("commit"):
            known = {"dataset": str(source.dataset), "commit": str(commit), "fetched_at": now()}
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, json.dumps(known, indent=1).encode())
    return known["commit"], known["fetched_at"]


def _files(source: HuggingFaceSource) -> list[Path]:
    found: list[Path] = []
    for given in source.paths:
        path = Path(given)
        candidates = sorted(path.rglob("*")) if path.is_dir() else sorted(map(Path, glob.glob(given, recursive=True)))  # noqa: PTH207
        readable = [file for file in candidates if file.is_file() and file.suffix.lower() in READERS]
        if not readable:
            raise UsageError(
                f"corpus.sources {source.name}: there is no file ({', '.join(READERS)}) at {given}. Check `paths`."
            )
        found += readable
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
