"""Step `extract`: the text of HTML, XML, EPUB and PDF documents, by format; one module each."""

from __future__ import annotations

from cleaning.draft import CleaningSettings, Draft, Rejected, Step


def make(settings: CleaningSettings) -> Step:
    """Fills `draft.text` and what the document says about itself; plain text passes by.

    Rejects as `cannot be parsed as <format>` what is broken beyond reading.
    """

    def step(draft: Draft) -> None:
        match draft.raw.format:
            case "txt":
                return
            case "html":
                from cleaning.extract_html import extract
            case "xml" | "sgml":
                from cleaning.extract_xml import extract as extract_xml

                extract_xml(draft, front_matter=settings.front_matter == "keep")
                return
            case "epub":
                from cleaning.extract_epub import extract
            case "pdf":
                from cleaning.extract_pdf import extract
            case other:
                raise Rejected("unknown format", other)
        extract(draft)

    return step
