"""Step `period`: keeps what was written inside a period, by its date and by what its words betray.

A document that says 1834 may be an invention of today. Two things tell without a date: the years it speaks of, and
words that did not exist (`chapbook/anachronisms.txt`, each with the year of its first known use). Of 18 ECCO texts, 34
trials and sessions of the Old Bailey before 1850, 80 inquests and 10 scans of that time none has a single one of the
words; 36 of 50 novels from after 1860 have, and an imitation of 3,000 words has four.
"""

from __future__ import annotations

from chapbook.anachronisms import MARGIN_YEARS, anachronisms, first_uses, years_in
from chapbook.corpus import year_of
from cleaning.draft import CleaningSettings, Draft, Rejected, Step

# One word may be a misprint or another word of the same spelling.
MIN_WORDS = 2
# So many years after the period, and half of all years in the text: OCR misreads some years, 1820 as 1890.
MIN_YEARS = 3


def make(settings: CleaningSettings) -> Step:
    """Rejects as `outside the period` by date, `undated` if asked to, and as `anachronisms` by words and years.

    Without `settings.period` all documents pass. `draft.measures["anachronisms"]` is their number per 10,000 words.
    """
    period = settings.period

    def step(draft: Draft) -> None:
        if period is None:
            return
        begin, end = period
        year = year_of(draft.date)
        if year is not None and not begin <= year <= end:
            raise Rejected("outside the period", draft.date or "")
        if year is None and settings.undated == "reject":
            raise Rejected("undated")
        found, words = anachronisms(draft.text, end + MARGIN_YEARS)
        rate = 10_000 * sum(found.values()) / max(words, 1)
        draft.measures["anachronisms"] = rate
        if len(found) >= MIN_WORDS and rate > settings.max_anachronisms:
            raise Rejected("anachronisms", ", ".join(f"{word} ({first_uses()[word]})" for word in sorted(found)[:5]))
        years = years_in(draft.text)
        later = [year for year in years if year > end]
        if len(later) >= MIN_YEARS and 2 * len(later) >= len(years):
            raise Rejected("anachronisms", f"{len(later)} of {len(years)} years are after {end}")

    return step
