"""Step `language`: which language a document is in, and whether that is wanted."""

from __future__ import annotations

from collections import Counter

from cleaning.draft import CleaningSettings, Draft, Rejected, Step

# What European libraries of 1500-1950 hold. With all 97 languages "Guilty. Death." is Irish.
CANDIDATES = ("en", "fr", "de", "la", "it", "es", "pt", "nl", "da", "sv", "pl", "ru", "el")
# Below this even the best identifier is guessing.
MIN_CHARACTERS = 200
# py3langid takes 0.57 ms per 1,000 characters: 3 ms for any document, however long.
SAMPLES = 5
SAMPLE_CHARACTERS = 1000


def make(settings: CleaningSettings) -> Step:
    """Sets `draft.language` from the text alone; rejects as `language` what is not in `settings.languages`.

    Neither titles nor declared languages are trusted: all ECCO headers say English, also of French texts. A
    document of fewer than 200 characters keeps what is declared. Raises ValueError for an unknown language code.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    wanted = set(settings.languages)
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(sorted(wanted.union(CANDIDATES)))

    def step(draft: Draft) -> None:
        if len(draft.text) < MIN_CHARACTERS:
            return
        votes = Counter(identifier.classify(sample)[0] for sample in samples(draft.text))
        draft.language = votes.most_common(1)[0][0]
        if wanted and draft.language not in wanted:
            raise Rejected("language", draft.language)

    return step


def samples(text: str) -> list[str]:
    """At most five stretches of 1,000 characters, spread evenly over the text."""
    if len(text) <= SAMPLES * SAMPLE_CHARACTERS:
        return [text[start : start + SAMPLE_CHARACTERS] for start in range(0, len(text), SAMPLE_CHARACTERS)]
    # The middle of each fifth: title pages and indexes lie at the ends.
    fifth = len(text) // SAMPLES
    starts = [number * fifth + (fifth - SAMPLE_CHARACTERS) // 2 for number in range(SAMPLES)]
    return [text[start : start + SAMPLE_CHARACTERS] for start in starts]
