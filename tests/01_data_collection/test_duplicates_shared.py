"""The duplicates among real files, each group reduced to one. Without the files beside the repository: skipped."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from fingerprints import distinct_grams, similarity
from support import SHARED, Run, result, write_config

from chapbook.corpus import SPLITS, Document, read_shards

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real files (../shared/corpus) are not on this machine")

# Groups of files of one work, as counted by hand.
GROUPS = [
    {"british_fiction/Dickens_Bleak.txt", "novels/Dickens_Bleak_1853.txt"},
    {"british_fiction/CBronte_Villette.txt", "novels/Cbronte_Villette_1853.txt"},
    {"gutenberg_raw/16215-8.txt", "gutenberg_raw/16215.txt", "html/16215-h.htm"},
    {"gutenberg_raw/nwsnw10.txt", "gutenberg_raw/3261.txt", "html/3261-h.htm"},
    {"gutenberg_raw/alice30.txt", "gutenberg_raw/11-0.txt"},
    {"gutenberg_raw/Great_Expectations_CharlesDickens.txt", "novels/Dickens_Expectations_1861.txt"},
    {"gutenberg_raw/2852-0.txt", "novels/Doyle_Hound_1902.txt"},
    {"tei_ecco_tcp/xml/K001334.002.xml", "tei_ecco_tcp/xml/K113552.002.xml"},
    {"ocr/archive_org/remember00palm_djvu.txt", "ocr/archive_org/remembermeorholy00palm_djvu.txt"},
    # Two works bound in one volume.
    {"ocr/archive_org/lifeofrevrichard00baxt_djvu.txt", "ocr/archive_org/calltounconv00baxt_djvu.txt"},
]
# Works of the same authors and kinds, of which there is one copy.
SINGLE = [
    "gutenberg_raw/98-0.txt",
    "gutenberg_raw/pg844.txt",
    "british_fiction/Sterne_Sentimental.txt",
    "ocr/archive_org/gospeltruth00whit_djvu.txt",
]
# The steps that make paragraphs of files; filters are not what is tested here.
STEPS = ["decode", "extract", "gutenberg", "characters", "scan", "furniture", "layout", "length", "duplicates"]


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The corpus of all groups, the single works and 80 inquests; and what clean.py said."""
    folder = tmp_path_factory.mktemp("shared")
    names = sorted({name for group in GROUPS for name in group}.union(SINGLE))
    sources = [
        # One source per file: an id is then the name of the file as it stands above.
        *({"kind": "files", "name": f"f{n}", "paths": [str(SHARED / name)]} for n, name in enumerate(names)),
        {"kind": "files", "name": "inquests", "paths": [str(SHARED / "london_lives_txt")]},
    ]
    config = write_config(folder / "c.yaml", corpus__sources=sources, corpus__steps=STEPS, corpus__validation_share=0.2)
    run = Run(config, folder / "workspace")
    run.script("01_data_collection/collect.py")
    counts = result(run.script("01_data_collection/clean.py", "--json"))
    (folder / "names.json").write_text(json.dumps({f"f{n}": name for n, name in enumerate(names)}))
    return folder, counts


def kept_files(cleaned: tuple[Path, dict[str, Any]]) -> dict[str, str]:
    """The split of each file that stays."""
    folder, _ = cleaned
    names = json.loads((folder / "names.json").read_text())
    corpus = folder / "workspace" / "corpora" / "tiny"
    return {
        names.get(document.source, document.id): split
        for split in SPLITS
        for document in read_shards(corpus / split, Document)
    }


def test_every_group_is_reduced_to_one(cleaned: tuple[Path, dict[str, Any]]) -> None:
    """Would break: a novel trained on three times, and held back once."""
    kept = kept_files(cleaned)
    for group in GROUPS:
        assert len(group & set(kept)) == 1, group
    assert set(SINGLE) <= set(kept)
    assert "ocr/archive_org/calltounconv00baxt_djvu.txt" in kept, "the volume stays, not the part"
    # Counted before the inquests come in: exactly the surplus of the groups is gone.
    surplus = sum(len(group) - 1 for group in GROUPS)
    reasons = cleaned[1]["reasons"]
    assert sum(number for reason, number in reasons.items() if reason.startswith("duplicates: ")) == surplus
    records = [
        json.loads(line)
        for line in (cleaned[0] / "workspace" / "corpora" / "tiny" / "duplicates.jsonl").read_text().splitlines()
    ]
    assert sum(len(record["members"]) for record in records) == surplus
    kinds = {member["kind"] for record in records for member in record["members"]}
    assert {"near-duplicate", "contained"} <= kinds


def test_all_inquests_survive(cleaned: tuple[Path, dict[str, Any]]) -> None:
    """Would break: a legal formula filled in by hand taken for one document, as the web's thresholds do."""
    inquests = {name: split for name, split in kept_files(cleaned).items() if name.startswith("inquests/")}
    assert len(inquests) == 80


def test_similar_inquests_are_on_one_side(cleaned: tuple[Path, dict[str, Any]]) -> None:
    """Would break: a formula learnt in training and asked for in validation."""
    folder, _ = cleaned
    corpus = folder / "workspace" / "corpora" / "tiny"
    inquests = [
        (split, distinct_grams(document.text))
        for split in SPLITS
        for document in read_shards(corpus / split, Document)
        if document.source == "inquests"
    ]
    assert len({split for split, _ in inquests}) == 2
    pairs = [
        (one, other) for one, other in itertools.combinations(inquests, 2) if similarity(one[1], other[1])[0] > 0.42
    ]
    assert len(pairs) > 5 and all(one[0] == other[0] for one, other in pairs)
