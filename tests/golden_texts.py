"""Head, middle and tail of cleaned real texts, as hashes: the texts themselves do not belong in the repository.

python tests/golden_texts.py show novels/Dickens_Bleak_1853.txt    # read the three passages
python tests/golden_texts.py accept                                # take today's texts as right, after reading them
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "01_data_collection")]

from support import SHARED  # noqa: E402

GOLDEN = ROOT / "tests" / "01_data_collection" / "golden" / "cleaned.json"
CHARACTERS = 500
FORMATS = {".htm": "html", ".xml": "xml", ".sgm": "sgml", ".epub": "epub", ".pdf": "pdf"}


def cleaned(name: str) -> str:
    """The text that cleaning makes of a shared file; a refusal as `rejected: …`."""
    from cleaning import DEFAULT_ORDER, STEPS, Draft, Rejected

    from chapbook.config import CorpusConfig
    from chapbook.corpus import RawDocument, content_hash

    content = (SHARED / name).read_bytes()
    settings = CorpusConfig(name="golden", sources=[{"kind": "sample"}], languages=["en"])
    raw = RawDocument(
        id=name,
        source="golden",
        sha256=content_hash(content),
        content=content,
        format=FORMATS.get(Path(name).suffix, "txt"),
    )
    draft = Draft(raw=raw)
    try:
        for step in DEFAULT_ORDER:
            STEPS[step](settings)(draft)
    except Rejected as refusal:
        return f"rejected: {refusal}"
    return draft.text


def passages(text: str) -> dict[str, str]:
    """The first, middle and last 500 characters."""
    middle = (len(text) - CHARACTERS) // 2
    return {"head": text[:CHARACTERS], "middle": text[middle : middle + CHARACTERS], "tail": text[-CHARACTERS:]}


def summary(text: str) -> dict[str, Any]:
    """What is stored of a text: its length and the hash of each passage."""
    hashes = {place: hashlib.sha256(passage.encode()).hexdigest()[:16] for place, passage in passages(text).items()}
    return {"characters": len(text), **hashes}


def main() -> None:
    """Show the passages of a file, or store the hashes of all."""
    if sys.argv[1:2] == ["show"]:
        for name in sys.argv[2:]:
            for place, passage in passages(cleaned(name)).items():
                print(f"--- {name}: {place}\n{passage}")
    elif sys.argv[1:2] == ["accept"]:
        golden = {name: summary(cleaned(name)) for name in json.loads(GOLDEN.read_text("utf-8"))}
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", "utf-8")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
