"""Step `language`: which language a document is in, and whether that is wanted."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

from chapbook.errors import UsageError
from cleaning.draft import CleaningSettings, Draft, Rejected, Step
from cleaning.sampling import stretches

# What European libraries of 1500-1950 hold. With all 97 languages "Guilty. Death." is Irish.
CANDIDATES = ("en", "fr", "de", "la", "it", "es", "pt", "nl", "da", "sv", "pl", "ru", "el")
# Below this even the best identifier is guessing.
MIN_CHARACTERS = 200
# py3langid takes 0.57 ms per 1,000 characters: 3 ms for any document, however long.
SAMPLES = 5
SAMPLE_CHARACTERS = 1000


def make(settings: CleaningSettings) -> Step:
    """Sets `draft.language` from the text; rejects as `language` what is not in `settings.languages`.

    Neither titles nor languages that a document declares are trusted: all ECCO headers say English, also of French
    texts. What a person declared for the source stays as the label (it may be a language that nobody can recognise),
    but does not save a document from being rejected. A document of fewer than 200 characters keeps what is declared.
    Without `settings.languages` all languages that py3langid knows are considered. Raises UsageError for a code that
    it does not know.
    """
    wanted = set(settings.languages)
    try:
        identifier = _identifier(tuple(sorted(wanted.union(CANDIDATES))) if wanted else ())
    except ValueError as error:
        raise UsageError(
            f"corpus.languages: {error}. Leave it empty to keep all languages, and name the language of a source "
            "as its `language`."
        ) from error

    def step(draft: Draft) -> None:
        if len(draft.text) < MIN_CHARACTERS:
            return
        votes = Counter(identifier.classify(sample)[0] for sample in samples(draft.text))
        recognised = votes.most_common(1)[0][0]
        draft.language = draft.raw.language or recognised
        if wanted and recognised not in wanted:
            raise Rejected("language", recognised)

    return step


@cache
def _identifier(languages: tuple[str, ...]) -> Any:
    """The identifier for some languages, or for all it knows; loading takes 0.3 s and 40 MB."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    if languages:
        identifier.set_languages(list(languages))
    return identifier


def samples(text: str) -> list[str]:
    """At most five stretches of 1,000 characters, spread evenly over the text."""
    return stretches(text, SAMPLES, SAMPLE_CHARACTERS)
