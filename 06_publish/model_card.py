"""The model card: front matter and text, every figure taken from an artifact."""

from __future__ import annotations

from typing import Any

import yaml

from chapbook.config import RunConfig
from chapbook.errors import ChapbookError


def derive_licence(by_licence: dict[str, dict[str, int]]) -> str | None:
    """The licence that all documents of the corpus share; None when it is unknown for some of them.

    by_licence: licence -> counts. Raises ChapbookError when documents stand under several known licences,
    because which one the model may carry is a decision for a person.
    """
    known = sorted(set(by_licence) - {"unknown"})
    if len(known) > 1:
        raise ChapbookError(
            f"The sources stand under different licences ({', '.join(known)}). Decide, and set publish.licence."
        )
    return known[0] if known and "unknown" not in by_licence else None


def model_card(config: RunConfig, facts: dict[str, Any], licence: str | None) -> str:
    """The README.md of an export.

    facts: the content of training_manifest.json. licence: SPDX identifier; None leaves it out of the front
    matter and says so in the text.
    """
    corpus, trained, measured = facts["corpus"], facts["checkpoint"], facts["evaluation"]
    languages = config.publish.languages or sorted(set(corpus["by_language"]) - {"unknown"})
    front: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["chapbook", "trained-from-scratch", config.model.get("model_type", "gpt2")],
    }
    if languages:
        front["language"] = languages
    if licence:
        front["license"] = licence.lower()
    title = config.publish.title or config.name
    sources = ", ".join(f"{name} ({c['documents']:,} documents)" for name, c in corpus["by_source"].items())
    train = corpus["splits"]["train"]
    parts = [
        "---\n" + yaml.safe_dump(front, sort_keys=False, allow_unicode=True) + "---",
        f"# {title}",
        f"A language model of {trained['parameters']:,} parameters, trained from scratch with Chapbook on "
        f"{train['bytes']:,} bytes of text. It continues texts in the manner of its corpus; it follows no instructions "
        "and knows nothing else.",
        "## Data",
        f"Sources: {sources}. Of {corpus['in']:,} documents collected, {corpus['kept']:,} were kept and "
        f"{corpus['rejected']:,} rejected in cleaning. "
        + (
            f"There are so few that they were cut into sections of about {corpus['section_characters']:,} characters; "
            "held-back sections come from the same documents as those for training."
            if corpus["section_characters"]
            else "Held-back text is split off by document."
        ),
        f"Licence of the texts: {licence or 'not known for all documents; clear it before you publish'}.",
        "## Training",
        f"{trained['step']:,} steps of {trained['tokens_per_step']:,} tokens ({trained['tokens_seen']:,} in all) "
        f"on {trained['device']}; context {_context(facts['model']):,} tokens, vocabulary "
        f"{facts['model']['vocab_size']:,}.",
        "## Evaluation",
        _evaluation(measured),
        "## Limits",
        "It repeats the views, errors and language of its sources, which may be offensive, and invents names, dates "
        "and facts.",
    ]
    if facts["samples"]:
        parts += [
            "## Samples",
            *(f"> {(s['prompt'] + s['text']).strip()}".replace("\n", "\n> ") for s in facts["samples"]),
        ]
    parts += [
        "## How to use",
        "```python\nfrom transformers import pipeline\n\n"
        'print(pipeline("text-generation", model="PATH_OR_NAME")("The ")[0]["generated_text"])\n```',
    ]
    return "\n\n".join(parts) + "\n"


def _context(model: dict[str, Any]) -> int:
    """The context length of a transformers configuration; GPT-2 has a name of its own for it."""
    length: int = model.get("n_positions") or model["max_position_embeddings"]
    return length


def _evaluation(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return "This checkpoint was not evaluated."
    total = measured["total"]
    lines = [
        f"On {total['documents']:,} held-back documents ({total['bytes']:,} bytes) of the {measured['split']} split:",
        "",
        "| measure | value |",
        "|---|---|",
        f"| bits per byte | {total['bits_per_byte']:.4f} |",
        f"| perplexity per token | {total['perplexity']:.2f} |",
        f"| next token right | {total['accuracy']:.1%} |",
    ]
    if "floor_bits_per_byte" in total:
        known = f"{total['floor_documents']:,} generated documents whose probability is known"
        lines.append(f"| bits per byte on {known} | {total['model_bits_per_byte_there']:.4f} |")
        lines.append(f"| true entropy of these, bits per byte | {total['floor_bits_per_byte']:.4f} |")
    return "\n".join(lines)
