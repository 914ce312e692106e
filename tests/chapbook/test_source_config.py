"""Files of sources: read in place, every problem at once and with the file it stands in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import ROOT, write_config

from chapbook.config import dump_config, load_config, read_sources
from chapbook.errors import ConfigError, UsageError
from chapbook.source_config import KINDS, FilesSource

LISTS = sorted((ROOT / "configs" / "sources").glob("*.yaml"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_file_of_sources_stands_for_its_entries(tmp_path: Path) -> None:
    """Would break: paths in it would start at the config, or its sources would replace the others."""
    write(tmp_path / "lists/more.yaml", "sources:\n- {kind: files, paths: books}\n- {kind: sample, seed: 5}\n")
    config = write_config(
        tmp_path / "c.yaml", corpus__sources=[{"kind": "files", "name": "own", "paths": "own"}, "lists/more.yaml"]
    )
    own, books, sample = load_config(config, {"corpus.sources.2.seed": 7}).corpus.sources
    assert isinstance(own, FilesSource) and own.paths == [str(tmp_path / "own")]
    assert isinstance(books, FilesSource) and books.paths == [str(tmp_path / "lists" / "books")]
    assert sample.kind == "sample" and sample.seed == 7
    config = write_config(tmp_path / "c.yaml", corpus__sources="lists/more.yaml")
    loaded = load_config(config)
    assert len(loaded.corpus.sources) == 2
    # The resolved configuration needs the file no more.
    resolved = write(tmp_path / "elsewhere/resolved.yaml", dump_config(loaded))
    assert load_config(resolved) == loaded


def test_every_problem_is_told_with_its_file(tmp_path: Path) -> None:
    """Would break: a mistake in a long list would be reported for a place that does not exist."""
    path = write(
        tmp_path / "lists/bad.yaml",
        "sources:\n"
        "- {kind: gutenberg}\n"
        "- {kind: urls, urls: [ftp://example.org/x], url: x}\n"
        "- {kind: gutenberg, filters: {topics: London, languages: [English]}}\n"
        "- {kind: huggingface, dataset: a/b, columns: {text: body, titel: t}}\n"
        "- {kind: carrier_pigeon}\n"
        "- {kind: old_bailey, max_documents: 0, paths: x}\n"
        "- {kind: urls, urls: ['https://me:secret@example.org/x']}\n",
    )
    config = write_config(tmp_path / "c.yaml", corpus__sources="lists/bad.yaml", corpus__min_characters=0)
    with pytest.raises(ConfigError) as caught:
        load_config(config)
    problems = caught.value.problems
    for expected in (
        f"{path}: sources.0: name books in `ids` or a search in `filters`",
        f"{path}: sources.1.urls.0 = 'ftp://example.org/x'",
        f"{path}: sources.1.url: there is no such key (did you mean urls?)",
        f"{path}: sources.2.filters.topics: there is no such key (did you mean topic?)",
        f"{path}: sources.2.filters.languages.0 = 'English'",
        f"{path}: sources.3.columns.titel: there is no such key (did you mean title?)",
        f"{path}: sources.4",
        f"{path}: sources.5.max_documents = 0",
        "corpus.min_characters = 0",
    ):
        assert any(problem.startswith(expected) for problem in problems), (expected, problems)
    # A password is not repeated.
    assert any(problem.startswith(f"{path}: sources.6.urls.0: ") for problem in problems)
    assert "secret" not in str(caught.value) and len(problems) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no file of sources"),
        ("- {kind: sample}\n", "must hold the key `sources` alone"),
        ("sources: [other.yaml]\n", "must hold the key `sources` alone"),
        ("sources: [}\n", "is not a YAML file"),
    ],
)
def test_what_is_no_file_of_sources(tmp_path: Path, text: str | None, message: str) -> None:
    """Would break: a mistyped name gives a traceback, or an empty corpus."""
    if text is not None:
        write(tmp_path / "list.yaml", text)
    with pytest.raises(UsageError, match=message):
        load_config(write_config(tmp_path / "c.yaml", corpus__sources="list.yaml"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_shipped_list_is_valid_and_explained(tmp_path: Path, path: Path) -> None:
    """Would break: a list of real sources that cannot be loaded, or a key in it that nobody explains."""
    config = write_config(tmp_path / "c.yaml", corpus__sources=str(path))
    sources = load_config(config).corpus.sources
    assert len(sources) == len(read_sources(path))
    assert len({source.name for source in sources}) == len(sources)
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\s+(- )?\w+:\s*\S", line):
            above = lines[number - 1].lstrip()
            assert above.startswith("#"), f"{path.name}:{number + 1}: {line.strip()}"
    # Each source says what is known of its rights, the same for all its parts once.
    text = path.read_text("utf-8")
    assert text.count("# Rights:") >= len({source.kind for source in sources}) - 1


def test_every_kind_has_its_connector() -> None:
    """Would break: a kind that the configuration knows and collecting does not."""
    folder = ROOT / "01_data_collection" / "sources"
    assert all((folder / f"{kind}.py").is_file() for kind in KINDS)
