"""The sources a configuration can name, one class per kind, and how they are collected.

A list of sources may live in a file of its own, which a config names in place of a source or of the whole list.
Relative paths in it start at its own folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, model_validator

from chapbook.section import Section, Share

# No user or password in an address: it is written into every document's provenance.
URL_PATTERN = r"^https?://[^\s/?#@]+([/?#]\S*)?$"
Url = Annotated[str, Field(pattern=URL_PATTERN)]


def is_address(text: str) -> bool:
    """Whether a text is an address that can be fetched, without a user or password in it."""
    return re.fullmatch(URL_PATTERN, text.strip()) is not None


Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class SourceEntry(dict[str, Any]):
    """A source as it stands in a file of sources, not in the config itself; remembers which file and where."""

    def __init__(self, values: dict[str, Any], file: Path, number: int) -> None:
        super().__init__(values)
        self.file = file
        self.number = number


class Source(Section):
    """What all kinds of sources share."""

    # Keys that hold paths on this machine; relative ones start at the folder of the file that names them.
    PATH_KEYS: ClassVar[tuple[str, ...]] = ()

    name: str = Field(default="", pattern=r"^(\w[\w.-]*)?$")
    """Name of the source in reports and document ids. Default: its kind."""
    max_documents: int | None = Field(default=None, ge=1)
    """Stop after this many documents. Default: all."""
    max_bytes: int | None = Field(default=None, ge=1)
    """Stop before the document with which its documents would exceed this many bytes as found. Default: no limit."""

    def model_post_init(self, context: Any, /) -> None:
        """Name the source after its kind when it has no name."""
        self.name = self.name or self.kind  # type: ignore[attr-defined]

    @model_validator(mode="before")
    @classmethod
    def _make_absolute(cls, value: Any, info: ValidationInfo) -> Any:
        base = value.file.parent if isinstance(value, SourceEntry) else (info.context or {}).get("base")
        if not isinstance(value, dict):
            return value
        values = dict(value)
        for key in cls.PATH_KEYS:
            if key in values:
                given = values[key]
                given = [given] if key == "paths" and isinstance(given, str) else given
                values[key] = [_absolute(p, base) for p in given] if isinstance(given, list) else _absolute(given, base)
        return values


def _absolute(path: Any, base: Path | None) -> Any:
    return str(Path(base, Path(path).expanduser())) if isinstance(path, str) and base is not None else path


class SampleSource(Source):
    """The generator of short London scenes that the product carries."""

    kind: Literal["sample"]
    seed: int = 1
    """Same seed, same texts."""
    bytes: int = Field(default=6_000_000, ge=1_000)
    """How much clean text to write, in UTF-8 bytes."""
    words: int | None = Field(default=None, ge=8)
    """Use only this many of each kind of word (names, trades, things …); a small model learns a small language in
    minutes. Default: all."""
    dirt: dict[
        Literal[
            "boilerplate",
            "hyphens",
            "page_numbers",
            "ocr",
            "duplicate",
            "foreign",
            "scan",
            "invisible",
            "garbage",
            "loop",
            "misread_scan",
            "spaced_marks",
            "html",
            "markdown",
            "mojibake",
            "wrong_encoding",
            "footnotes",
            "contents",
            "near_duplicate",
            "similar_not_duplicate",
            "anachronism",
            "outside_period",
            "fragment",
            "illegible",
        ],
        Share,
    ] = {}
    """Share of the documents that get each kind of planted dirt, so that cleaning can be scored. A kind changes nothing
    in the clean texts. Planted in scenes of the corpus, whose text is to be restored:

    - `boilerplate`: header and licence of an electronic text around it
    - `hyphens`: lines cut to fit, words divided at their ends
    - `page_numbers`: lines cut to fit, page numbers or running heads between them
    - `ocr`: letters confused in running text; no step answers for it, for without pages it is no scan
    - `scan`: pages as OCR programs write them, with misread heads, signatures, stamps; words divided
    - `misread_scan`: the same with one to four words misread (`tlie`, `ot`)
    - `invisible`: byte order mark, DOS line ends, no-break blanks, soft hyphens, zero-width marks
    - `spaced_marks`: blanks before a quarter of the marks
    - `html`: a web page, with links, scripts, entities and page numbers inside sentences
    - `markdown`: an article as a model transcribes it, with a head and bold words

    Further documents between the scenes, to be kept with a text of their own:

    - `mojibake`: accents and quotes read in a wrong encoding, one of three
    - `wrong_encoding`: the same letters in the bytes of Windows-1252, UTF-16, or UTF-8 with a byte order mark
    - `footnotes`: marks of notes and pages in sentences, notes between paragraphs
    - `contents`: chapters with a list of contents
    - `similar_not_duplicate`: a scene with every 14th word exchanged (Jaccard of 5-grams about 0.5): no duplicate

    Further documents, to be rejected:

    - `duplicate`: a scene once more, with other white space
    - `near_duplicate`: a scene with every 60th word exchanged (Jaccard of 5-grams about 0.85)
    - `foreign`: Latin, French or German
    - `garbage`: a marbled cover read as letters
    - `loop`: one sentence again and again
    - `illegible`: a scene with four of ten confusable letters misread
    - `fragment`: 40 to 150 characters; scored where that is below corpus.min_characters
    - `anachronism`: a scene that speaks of jeeps and emails; scored where corpus.period ends before such words
    - `outside_period`: a scene dated 1900 to 1999; scored where corpus.period does not reach its date
    """


class FoundSource(Source):
    """Texts that somebody wrote. What is said here holds for all documents and wins over what each says of itself."""

    title: str | None = None
    """Title of all its documents. Default, here and below: what each document or its catalogue says."""
    author: str | None = None
    """Author of all its documents."""
    date: str | None = None
    """Year, ISO date or period of all its documents."""
    language: str | None = None
    """ISO 639-1 code of all its documents."""
    licence: str | None = None
    """SPDX identifier or URL of the licence all its documents stand under."""


class FilesSource(FoundSource):
    """Files on this machine: txt, html, xml/TEI, epub, pdf, and zip files of these."""

    PATH_KEYS = ("paths",)

    kind: Literal["files"]
    paths: list[str] = Field(min_length=1)
    """Files, folders (searched through) or globs; a relative path starts at the folder of the config file."""


class OnlineSource(FoundSource):
    """A source that may go online; collecting hands it the HTTP client."""


class GutendexFilters(Section):
    """What the catalogue is searched for: the parameters of gutendex; all given ones must hold."""

    search: str | None = None
    """Words in titles and authors' names."""
    topic: str | None = None
    """A word in a subject or bookshelf."""
    languages: list[Language] = []
    """Languages of the books (ISO 639-1)."""
    author_year_start: int | None = None
    """An author was alive in this year or later."""
    author_year_end: int | None = None
    """An author was alive in this year or earlier."""


class GutenbergSource(OnlineSource):
    """Project Gutenberg: books by number, or found in the gutendex catalogue."""

    kind: Literal["gutenberg"]
    ids: list[int] | dict[Annotated[str, Field(pattern=r"^\d+$")], int | None] = []
    """Numbers of books (`[1342, 84]`), or each with the year of its first publication (`{"1342": 1813, "84": null}`).
    The catalogue knows no such years: without one, a book is dated by its authors' lives."""
    filters: GutendexFilters | None = None
    """Search the catalogue instead of naming books, or as well."""
    api: Url = "https://gutendex.com/books"
    """The catalogue."""
    mirror: Url = "https://gutenberg.pglaf.org"
    """Where texts are fetched. www.gutenberg.org is for human readers: its rules send programs to a mirror."""

    @model_validator(mode="after")
    def _something_is_asked(self) -> GutenbergSource:
        if not self.ids and self.filters is None:
            raise ValueError("name books in `ids` or a search in `filters`")
        return self


class InternetArchiveSource(OnlineSource):
    """The Internet Archive: the recognised text (OCR) of scanned books, by identifier or query."""

    PATH_KEYS = ("ids_file",)

    kind: Literal["internet_archive"]
    ids: list[str] = []
    """Identifiers of items."""
    ids_file: str | None = None
    """A file with one identifier per line."""
    query: str | None = None
    """A search in the Archive's own syntax, such as `mediatype:texts AND date:[1700-01-01 TO 1799-12-31]`."""
    base_url: Url = "https://archive.org"
    """The Archive."""

    @model_validator(mode="after")
    def _something_is_asked(self) -> InternetArchiveSource:
        if not self.ids and self.ids_file is None and not self.query:
            raise ValueError("give `ids`, `ids_file` or `query`")
        return self


class ArchiveSource(OnlineSource):
    """A collection that lies in files here, or in files to be downloaded."""

    PATH_KEYS = ("paths",)

    paths: list[str] = []
    """Folders, files, zips or globs on this machine."""
    urls: list[Url] = []
    """Where files or zips of them can be downloaded. robots.txt is not asked: these are named by a person, one by
    one, not found by following links."""
    members: str = "*"
    """Of folders and zips only the files whose path matches this pattern (* matches any characters, / included)."""

    def _is_asked(self) -> bool:
        return bool(self.paths or self.urls)

    @model_validator(mode="after")
    def _something_is_asked(self) -> ArchiveSource:
        if not self._is_asked():
            keys = [key for key in ("paths", "urls", "ids", "query") if key in type(self).model_fields]
            raise ValueError(f"give {' or '.join(f'`{key}`' for key in keys)}")
        return self


class OldBaileySource(ArchiveSource):
    """The Proceedings of the Old Bailey: XML files of the project, or single records of its API."""

    kind: Literal["old_bailey"]
    ids: list[str] = []
    """Records, such as t17540116-4."""
    query: dict[str, str] = {}
    """Search parameters as the site's own search page writes them into its address, such as `{text: pottage}`."""
    api: Url = "https://www.dhi.ac.uk/api/data"
    """The API."""

    def _is_asked(self) -> bool:
        return bool(self.paths or self.urls or self.ids or self.query)


class LondonLivesSource(ArchiveSource):
    """London Lives 1690–1800: its XML, or texts made from it."""

    kind: Literal["london_lives"]


class EccoTcpSource(ArchiveSource):
    """Eighteenth Century Collections Online in the keyed edition of the Text Creation Partnership (TCP or TEI XML)."""

    kind: Literal["ecco_tcp"]
    place: str | None = None
    """Only books whose header names this place of printing, such as London. Default: all."""


class HuggingFaceColumns(Section):
    """Which column of a dataset is what."""

    text: str = "text"
    """The text."""
    id: str | None = None
    """What identifies a row. Default: its number."""
    title: str | None = None
    """The title."""
    author: str | None = None
    """The author."""
    date: str | None = None
    """Year or date."""
    language: str | None = None
    """The language."""
    licence: str | None = None
    """The licence."""
    url: str | None = None
    """Where the text comes from."""


class HuggingFaceSource(OnlineSource):
    """Any dataset of the Hugging Face Hub, read as a stream, or one that lies in files here."""

    PATH_KEYS = ("paths",)

    kind: Literal["huggingface"]
    dataset: str | None = Field(default=None, pattern=r"^[\w.-]+(/[\w.-]+)?$")
    """Name on the Hub, such as TheBritishLibrary/blbooks."""
    paths: list[str] = []
    """Instead of a dataset: Parquet, JSON Lines, CSV or text files on this machine, all of one format."""
    config: str | None = None
    """Name of the dataset's configuration. Default: its only or default one."""
    split: str = "train"
    """The split that is read."""
    revision: str | None = None
    """Branch, tag or commit. Default: the commit that is newest at the first collection; `--refresh` asks again."""
    columns: HuggingFaceColumns = HuggingFaceColumns()
    """Which column is what."""
    where: dict[str, str] = {}
    """Only rows in which each of these columns contains this text (`{place: London}`), whatever the case."""

    @model_validator(mode="after")
    def _one_is_asked(self) -> HuggingFaceSource:
        if (self.dataset is None) == (not self.paths):
            raise ValueError("give either `dataset` or `paths`")
        return self


class UrlsSource(OnlineSource):
    """Web pages and files by address."""

    PATH_KEYS = ("urls_file",)

    kind: Literal["urls"]
    urls: list[Url] = []
    """Addresses of texts: txt, html, xml, epub, pdf."""
    archives: list[Url] = []
    """Addresses of zips of such texts; robots.txt is asked for `urls` only."""
    members: str = "*"
    """Of zips only the members whose path matches this pattern (* matches any characters, / included)."""
    urls_file: str | None = None
    """A file with one address per line; empty lines and lines that start with # are passed over."""

    @model_validator(mode="after")
    def _something_is_asked(self) -> UrlsSource:
        if not self.urls and not self.archives and self.urls_file is None:
            raise ValueError("give `urls`, `urls_file` or `archives`")
        return self


KINDS: dict[str, type[Source]] = {
    "sample": SampleSource,
    "files": FilesSource,
    "gutenberg": GutenbergSource,
    "internet_archive": InternetArchiveSource,
    "old_bailey": OldBaileySource,
    "london_lives": LondonLivesSource,
    "ecco_tcp": EccoTcpSource,
    "huggingface": HuggingFaceSource,
    "urls": UrlsSource,
}
"""The class of each kind; a kind's connector is `01_data_collection/sources/<kind>.py`."""

AnySource = Annotated[
    SampleSource
    | FilesSource
    | GutenbergSource
    | InternetArchiveSource
    | OldBaileySource
    | LondonLivesSource
    | EccoTcpSource
    | HuggingFaceSource
    | UrlsSource,
    Field(discriminator="kind"),
]


class CollectConfig(Section):
    """Manners and patience towards other people's servers; nothing here shapes the corpus."""

    contact: str | None = Field(default=None, min_length=3)
    """Mail address or URL that archives find in our requests. Default: the environment's CHAPBOOK_CONTACT; going
    online needs one of them."""
    requests_per_second: float = Field(default=1.0, gt=0, le=100)
    """At most this many requests per second to one host; its robots.txt may ask for fewer."""
    connections_per_host: int = Field(default=2, ge=1, le=16)
    """Requests to one host at the same time."""
    connections: int = Field(default=64, ge=1, le=512)
    """Requests to all hosts at the same time."""
    attempts: int = Field(default=5, ge=1)
    """Tries per item before it counts as failed."""
    connect_timeout: float = Field(default=20.0, gt=0)
    """Seconds to reach a server."""
    read_timeout: float = Field(default=60.0, gt=0)
    """Seconds without a byte after which an answer counts as stuck."""
    total_timeout: float = Field(default=900.0, gt=0)
    """Seconds for one try of one item; what has arrived by then is kept and the next try goes on from there."""
    max_wait: float = Field(default=120.0, gt=0)
    """Longest wait between tries in seconds. A server that asks for more is left alone for this run."""
    max_download_bytes: int = Field(default=2_000_000_000, ge=1)
    """Largest download, before and after decompression."""
    proxy: Url | None = None
    """Proxy for all requests. The environment's HTTP_PROXY is not asked."""
