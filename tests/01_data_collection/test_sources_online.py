"""The connectors against a server that replays recorded answers of the real APIs.

The recordings are not part of the repository: without them beside it these tests are skipped.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_cache import HttpCache
from http_client import HttpClient
from loopback import Content, Server, serving, status
from sources import (
    Failed,
    ecco_tcp,
    gutenberg,
    huggingface,
    internet_archive,
    london_lives,
    old_bailey,
    urls,
)
from support import SHARED

from chapbook.corpus import RawDocument
from chapbook.errors import UsageError
from chapbook.source_config import (
    CollectConfig,
    EccoTcpSource,
    GutenbergSource,
    HuggingFaceSource,
    InternetArchiveSource,
    LondonLivesSource,
    OldBaileySource,
    Source,
    UrlsSource,
)

needs_recordings = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the recorded answers (../shared/corpus) are not on this machine"
)
MODULES: dict[type[Source], Any] = {
    EccoTcpSource: ecco_tcp,
    GutenbergSource: gutenberg,
    HuggingFaceSource: huggingface,
    InternetArchiveSource: internet_archive,
    LondonLivesSource: london_lives,
    OldBaileySource: old_bailey,
    UrlsSource: urls,
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def http(tmp_path: Path) -> Iterator[HttpClient]:
    settings = CollectConfig(requests_per_second=100, attempts=2, read_timeout=10, max_wait=0.05)
    with HttpClient(HttpCache(tmp_path / "downloads"), settings, "librarian@example.org") as client:
        yield client


def collect(source: Source, http: HttpClient) -> tuple[dict[str, RawDocument], dict[str, str]]:
    """The documents and the reasons of a source, by id."""
    found = list(MODULES[type(source)].documents(source, http))
    documents = {item.id: item for item in found if isinstance(item, RawDocument)}
    failed = {item.item: item.reason for item in found if isinstance(item, Failed)}
    assert len(documents) + len(failed) == len(found), "an id came twice"
    return documents, failed


def as_json(value: Any) -> Content:
    return Content(json.dumps(value).encode(), "application/json")


def recorded(name: str) -> Any:
    return json.loads((SHARED / "api" / name).read_text("utf-8"))


@needs_recordings
def test_gutenberg_reads_the_catalogue_and_texts_from_the_mirror(server: Server, http: HttpClient) -> None:
    """Would break: texts from the site that is for humans; a book under copyright; a `next` that leads elsewhere."""
    page = recorded("gutendex_books_page1.json")
    server.on("/books", as_json({"count": 32, "next": None, "results": []}))
    server.on(
        "/books?topic=London&languages=en&copyright=false&sort=ascending", as_json({**page, "next": page["next"]})
    )
    for book in page["results"]:
        number = book["id"]
        server.on(f"/cache/epub/{number}/pg{number}.txt", Content(f"Text of {book['title']}".encode()))
    server.on("/cache/epub/1513/pg1513.txt", status(404))
    source = GutenbergSource(
        kind="gutenberg",
        filters={"languages": ["en"], "topic": "London"},  # type: ignore[arg-type]
        api=f"{server.url}/books",
        mirror=server.url,
        licence="PD",
    )
    documents, failed = collect(source, http)
    copyrighted = [str(book["id"]) for book in page["results"] if book["copyright"] is not False]
    textless = [
        str(book["id"])
        for book in page["results"]
        if book["copyright"] is False and not any(kind.startswith("text/plain") for kind in book["formats"])
    ]
    assert failed.pop("gutenberg/1513") == "HTTP 404: Not Found"
    assert failed == {f"gutenberg/{n}": "under copyright, or Gutenberg does not know" for n in copyrighted} | {
        f"gutenberg/{n}": "no plain text" for n in textless
    }
    assert len(copyrighted) == 1 and len(documents) + len(failed) + 1 == 32
    frankenstein = documents["gutenberg/84"]
    assert frankenstein.content == b"Text of Frankenstein; Or, The Modern Prometheus"
    assert frankenstein.url == f"{server.url}/cache/epub/84/pg84.txt"
    assert (frankenstein.author, frankenstein.date) == ("Shelley, Mary Wollstonecraft", "1797-1851")
    assert (frankenstein.language, frankenstein.licence, frankenstein.format) == ("en", "PD", "txt")
    assert frankenstein.fetched_at is not None
    # The second page was asked of our server, though the first calls it https://gutendex.com/books/?page=2.
    assert "/books?page=2" in server.paths()


@needs_recordings
def test_gutenberg_books_by_number(server: Server, http: HttpClient) -> None:
    """Would break: a number that is not in the catalogue vanishes; the year that the person gave is forgotten."""
    page = recorded("gutendex_books_page1.json")
    server.on("/books?ids=84%2C999999", as_json({"next": None, "results": page["results"][:1]}))
    server.on("/cache/epub/84/pg84.txt", Content(b"Frankenstein"))
    source = GutenbergSource(
        kind="gutenberg", ids={"84": 1818, "999999": None}, api=f"{server.url}/books", mirror=server.url
    )
    documents, failed = collect(source, http)
    assert documents["gutenberg/84"].date == "1818"
    assert failed == {"gutenberg/999999": "not in the catalogue"}


def test_gutenberg_files_of_all_layouts_are_found_on_a_mirror() -> None:
    """Would break: texts that the catalogue lists in an older form are asked for where no mirror has them."""
    for url, expected in {
        "https://www.gutenberg.org/ebooks/84.txt.utf-8": "https://mirror/cache/epub/84/pg84.txt",
        "https://www.gutenberg.org/cache/epub/84/pg84.txt": "https://mirror/cache/epub/84/pg84.txt",
        "https://www.gutenberg.org/files/84/84-0.txt": "https://mirror/8/84/84-0.txt",
        "http://www.gutenberg.org/files/1342/1342-8.txt": "https://mirror/1/3/4/1342/1342-8.txt",
        "https://www.gutenberg.org/files/5/5.txt": "https://mirror/0/5/5.txt",
    }.items():
        number = int(url.rstrip("/").split("/")[4].partition(".")[0]) if "/cache/" not in url else 84
        assert gutenberg._on_mirror(url, "https://mirror", number) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status(503), "catalogue: HTTP 503"),
        (Content(b"<html>", "text/html"), "catalogue: wrong type: text/html"),
        (Content(b'{"results": [', "application/json"), "catalogue: no answer of the API"),
        (Content(b'{"detail": "throttled"}', "application/json"), "catalogue: 'results'"),
        (Content(b"[" * 100_000, "application/json"), "catalogue: no answer of the API"),
    ],
)
def test_a_catalogue_that_fails_is_an_item_that_failed(
    server: Server, http: HttpClient, answer: Any, expected: str
) -> None:
    """Would break: half a catalogue looks like a whole one."""
    server.on("/books", answer)
    source = GutenbergSource(kind="gutenberg", ids=[84], api=f"{server.url}/books", mirror=server.url)
    documents, failed = collect(source, http)
    assert not documents
    assert failed.pop("gutenberg/catalogue?ids=84").startswith(expected)


@needs_recordings
def test_internet_archive_search_metadata_and_text(server: Server, http: HttpClient) -> None:
    """Would break: endless paging (the last page has a cursor too), guessed file names, lists for texts."""
    found = recorded("ia_scrape.json")
    assert found["cursor"] and found["count"] == found["total"] == 100
    scrape = "/services/search/v1/scrape"
    # The recorded page first, then one of our own, then none.
    server.on(scrape, as_json(found), as_json({"items": [{"identifier": "calltounconv00baxt"}], "cursor": "next"}))
    server.routes[scrape].append(as_json({"items": [], "count": 0, "total": 101, "cursor": "again"}))
    text = (SHARED / "ocr/archive_org/calltounconv00baxt_djvu.txt").read_bytes()
    metadata = recorded("ia_metadata_nasa.json")
    server.on("/metadata/00-042-154", as_json(metadata))
    lent = {**metadata, "metadata": {**metadata["metadata"], "access-restricted-item": "true"}}
    server.on("/metadata/00-042-32", as_json(lent))
    server.on("/metadata/00-042-43", as_json({}))
    about = {"title": "A call to the unconverted", "creator": ["Baxter, Richard, 1615-1691"], "date": "1835"}
    files = [{"name": "calltounconv00baxt.djvu"}, {"name": "call to/../x_djvu.txt", "size": "790312"}]
    item = {"metadata": {**about, "language": "eng"}, "files": files}
    server.on("/metadata/calltounconv00baxt", as_json(item))
    server.on("/download/calltounconv00baxt/call%20to/../x_djvu.txt", Content(text))
    server.on("/download/calltounconv00baxt/x_djvu.txt", Content(text))
    source = InternetArchiveSource(kind="internet_archive", query="baxter", base_url=server.url)
    documents, failed = collect(source, http)
    assert len(failed) == 100 and list(documents) == ["internet_archive/calltounconv00baxt"]
    assert failed["internet_archive/00-042-154"].startswith("no recognised text")
    assert failed["internet_archive/00-042-32"] == "lending only"
    assert failed["internet_archive/00-042-43"] == "no such item"
    document = documents["internet_archive/calltounconv00baxt"]
    assert document.content == text
    assert (document.title, document.author) == (about["title"], "Baxter, Richard, 1615-1691")
    assert (document.date, document.language) == ("1835", "en")
    assert [path.split("cursor=")[-1] for path in server.paths() if scrape in path][1:] == [
        "W3siaWRlbnRpZmllciI6IjE5NjEtTC0wNTkxNCJ9XQ%3D%3D",
        "next",
    ]


def test_internet_archive_reads_identifiers_from_a_file(server: Server, http: HttpClient, tmp_path: Path) -> None:
    """Would break: thousands of identifiers would have to stand in the YAML; a cap would not spare the server."""
    (tmp_path / "ids.txt").write_text("# books\nfirst\n\nsecond\nfirst\nthird\n")
    for name in ("first", "second"):
        server.on(f"/metadata/{name}", as_json({"metadata": {"title": [name, 2]}, "files": [{"name": "t_djvu.txt"}]}))
        server.on(f"/download/{name}/t_djvu.txt", Content(name.encode()))
    server.on("/download/second/t_djvu.txt", Content(b""))
    source = InternetArchiveSource(
        kind="internet_archive", ids_file=str(tmp_path / "ids.txt"), base_url=server.url, name="ia"
    )
    documents, failed = collect(source, http)
    assert {name: document.title for name, document in documents.items()} == {"ia/first": "first; 2"}
    assert failed == {"ia/second": "empty file", "ia/third": "HTTP 404: Not Found"}
    assert internet_archive.identity(source)["ids"] == ["first", "second", "first", "third"]
    assert str(tmp_path) not in str(internet_archive.identity(source))
    with pytest.raises(UsageError, match=r"nothere\.txt cannot be read"):
        internet_archive.identity(source.model_copy(update={"ids_file": "nothere.txt"}))


@needs_recordings
def test_old_bailey_api_gives_each_record_once(server: Server, http: HttpClient) -> None:
    """Would break: cut-off texts of the search; a key that the search gives twice ends the run."""
    hits = recorded("oldbailey_record_search_hits.json")
    single = recorded("oldbailey_record_single_t17540116-4.json")
    server.on("/oldbailey_record", as_json({"hits": {"total": len(hits) + 1, "hits": []}}))
    first = [*hits, {"_source": {"idkey": "t17540116-4", "title": "Kempster", "text": "cut"}}, hits[0]]
    server.on("/oldbailey_record?text=pottage&from=0&size=10", as_json({"hits": {"total": 9, "hits": first}}))
    server.on("/oldbailey_record_single?idkey=t17540116-4", as_json(single))
    keys = list(dict.fromkeys(hit["_source"]["idkey"] for hit in hits))
    # One key, two records.
    twice = {"hits": {"hits": single["hits"]["hits"] * 2, "total": 2}}
    server.on(f"/oldbailey_record_single?idkey={keys[0]}", as_json(twice))
    server.on(f"/oldbailey_record_single?idkey={keys[1]}", as_json({"hits": {"hits": [], "total": 0}}))
    source = OldBaileySource(kind="old_bailey", query={"text": "pottage"}, api=server.url)
    documents, failed = collect(source, http)
    assert set(documents) == {"old_bailey/t17540116-4", f"old_bailey/{keys[0]}", f"old_bailey/{keys[0]}~2"}
    assert failed.pop(f"old_bailey/{keys[1]}") == "no such record"
    assert failed == {f"old_bailey/{key}": "HTTP 404: Not Found" for key in keys[2:]}
    trial = documents["old_bailey/t17540116-4"]
    assert trial.content.decode() == single["hits"]["hits"][0]["_source"]["xml"]
    assert (trial.date, trial.licence, trial.language) == ("1754-01-16", "CC-BY-NC-4.0", "en")
    assert trial.format == "xml"
    assert trial.title == "Elizabeth Kempster. Theft; theft from a specified place. 16th January 1754."


@needs_recordings
def test_old_bailey_files_here_and_in_a_downloaded_zip(server: Server, http: HttpClient) -> None:
    """Would break: the twins that macOS puts into zips; dates, which stand in the names; zip slip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((SHARED / "old_bailey_xml/sessionsPapers").glob("*.xml")):
            archive.write(path, f"sessionsPapers/{path.name}")
            archive.writestr(f"__MACOSX/sessionsPapers/._{path.name}", b"\0\5\26\7")
        archive.writestr("../../../x.xml", "<p>Out</p>")
        archive.writestr("bomb.xml", b"<" * 50_000_000)
    server.on("/OBO_XML.zip", Content(packed.getvalue(), "application/zip"))
    source = OldBaileySource(
        kind="old_bailey",
        paths=[str(SHARED / "old_bailey_xml/ordinarysAccounts")],
        urls=[f"{server.url}/OBO_XML.zip"],
    )
    documents, failed = collect(source, http)
    assert documents["old_bailey/OA17040922.xml"].date == "1704-09-22"
    session = documents["old_bailey/OBO_XML.zip/sessionsPapers/16740717.xml"]
    assert (session.date, session.url) == ("1674-07-17", f"{server.url}/OBO_XML.zip")
    assert session.content == (SHARED / "old_bailey_xml/sessionsPapers/16740717.xml").read_bytes()
    assert len(documents) == 6 + 6 + 1 and "old_bailey/OBO_XML.zip/x.xml" in documents
    assert failed.pop("old_bailey/OBO_XML.zip/bomb.xml").startswith("zip bomb")
    assert set(failed.values()) == {"hidden file or folder"} and len(failed) == 6


@needs_recordings
def test_london_lives_texts(http: HttpClient) -> None:
    """Would break: manuscripts without a period, which a filter by period would throw away."""
    source = LondonLivesSource(kind="london_lives", paths=[str(SHARED / "london_lives_txt")])
    documents, failed = collect(source, http)
    assert len(documents) == 80 and not failed
    some, _ = collect(source.model_copy(update={"members": "WACWIC6522*"}), http)
    assert 1 < len(some) < 80
    assert {(d.date, d.language, d.licence) for d in documents.values()} == {("1690-1800", "en", None)}


@needs_recordings
def test_ecco_tcp_reads_what_the_header_says(server: Server, http: HttpClient) -> None:
    """Would break: French books as English ones, the date of the keying for that of the book."""
    source = EccoTcpSource(kind="ecco_tcp", paths=[str(SHARED / "tei_ecco_tcp")])
    documents, failed = collect(source, http)
    assert len(documents) == 18 and failed == {"ecco_tcp/sgml/K094902.001.sgm": "no TCP or TEI text: .sgm"}
    gibbon = documents["ecco_tcp/xml/K066039.000.xml"]
    assert (gibbon.language, gibbon.date, gibbon.author) == ("fr", "1779", "Gibbon, Edward, 1737-1794.")
    assert b'LANG="eng"' in gibbon.content
    citizen = documents["ecco_tcp/xml/K001334.002.xml"]
    assert (citizen.date, citizen.language) == ("1762", "en")
    assert citizen.title is not None and citizen.title.endswith("[pt.2]")
    london, _ = collect(source.model_copy(update={"place": "London"}), http)
    assert 5 < len(london) < 18 and "ecco_tcp/xml/K001334.002.xml" not in london
    # The same from a zip on a server, which the second look takes from the cache.
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((SHARED / "tei_ecco_tcp").rglob("K06*.*")):
            archive.write(path, f"ECCO-TCP-master/{path.parent.name}/{path.name}")
    server.on("/ecco.zip", Content(packed.getvalue(), "application/zip"))
    zipped, _ = collect(EccoTcpSource(kind="ecco_tcp", urls=[f"{server.url}/ecco.zip"]), http)
    twin = zipped["ecco_tcp/ecco.zip/ECCO-TCP-master/xml/K066039.000.xml"]
    assert (twin.content, twin.language, twin.date) == (gibbon.content, "fr", "1779")
    assert server.paths() == ["/ecco.zip"]


def test_ecco_tcp_tei_with_its_own_header(http: HttpClient, tmp_path: Path) -> None:
    """Would break: the newer TEI edition, which has its header inside; an entity that reads files of this machine."""
    tei = """<?xml version="1.0"?>
<!DOCTYPE TEI [<!ENTITY secret SYSTEM "file:///etc/hostname"><!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>
<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title>Fog&secret;&b;</title>
<author>A. Lamplighter</author></titleStmt><publicationStmt><date>2007</date><pubPlace>Oxford</pubPlace>
</publicationStmt><sourceDesc><bibl><pubPlace>London :</pubPlace><date>MDCCXC. [1790].</date></bibl></sourceDesc>
</fileDesc><profileDesc><langUsage><language ident="eng">eng</language></langUsage></profileDesc></teiHeader>
<text><body><p>Text.</p></body></text></TEI>"""
    (tmp_path / "tei").mkdir()
    (tmp_path / "tei" / "K1.xml").write_text(tei)
    (tmp_path / "tei" / "bare.xml").write_text("<ETS><TEXT><P>No header.</P></TEXT></ETS>")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE TEI [<!ENTITY l0 "ha">{laughs}]><TEI><teiHeader><title>&l9;</title></teiHeader></TEI>'
    (tmp_path / "tei" / "bomb.xml").write_text(bomb)
    (tmp_path / "tei" / "torn.xml").write_text("</teiHeader>")
    documents, _ = collect(EccoTcpSource(kind="ecco_tcp", paths=[str(tmp_path / "tei")]), http)
    book = documents["ecco_tcp/K1.xml"]
    assert (book.title, book.author, book.date) == ("Fog", "A. Lamplighter", "MDCCXC. [1790]")
    assert book.language == "en"
    assert {documents[f"ecco_tcp/{name}.xml"].title for name in ("bare", "bomb", "torn")} == {None}


def test_single_texts_of_one_name_are_two_documents(server: Server, http: HttpClient) -> None:
    """Would break: the second of two files called text.xml ends the run."""
    texts = [server.on(f"/{shelf}/text.xml", Content(shelf.encode(), "text/xml")) for shelf in ("one", "two")]
    documents, failed = collect(EccoTcpSource(kind="ecco_tcp", urls=texts), http)
    contents = {name: document.content for name, document in documents.items()}
    assert contents == {"ecco_tcp/text.xml": b"one", "ecco_tcp/2~text.xml": b"two"} and not failed


def test_urls_of_a_list_and_a_file(server: Server, http: HttpClient, tmp_path: Path) -> None:
    """Would break: formats guessed from names, an address in the list twice."""
    page = server.on("/essay", Content(b"<p>An essay.</p>", "text/html; charset=utf-8"))
    book = server.on("/book.bin", Content(b"%PDF-1.7", "application/pdf"))
    photo = server.on("/photo.txt", Content(b"\xff\xd8", "image/jpeg"))
    (tmp_path / "list.txt").write_text(f"# mine\n{book}\n\n{page}\n{photo}\n")
    source = UrlsSource(kind="urls", urls=[page], urls_file=str(tmp_path / "list.txt"), date="1802")
    documents, failed = collect(source, http)
    assert {(d.id, d.format, d.date) for d in documents.values()} == {
        (f"urls/{page}", "html", "1802"),
        (f"urls/{book}", "pdf", "1802"),
    }
    assert failed == {f"urls/{photo}": "wrong type: image/jpeg instead of text/html"}
    (tmp_path / "list.txt").write_text("https://me:secret@example.org/a.txt\n")
    with pytest.raises(UsageError, match="lines 1 are no address"):
        urls.identity(source)


def test_archives_of_texts_by_address(server: Server, http: HttpClient) -> None:
    """Would break: a repository as one zip, whose pages, pictures and twins in other formats are not wanted."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("repository-1a2b/site/downloads/one.md", "# One\n\nText.")
        archive.writestr("repository-1a2b/site/articles/one.html", "<p>Text.</p>")
        archive.writestr("repository-1a2b/../../site/downloads/../x.md", "Out.")
    server.on("/robots.txt", Content(b"User-agent: *\nDisallow: /"))
    address = server.on("/zip/1a2b", Content(packed.getvalue(), "application/zip"))
    source = UrlsSource(kind="urls", archives=[address], members="*/site/downloads/*.md", licence="CC0-1.0")
    documents, failed = collect(source, http)
    assert list(documents) == [
        "urls/1a2b/repository-1a2b/site/downloads/one.md",
        "urls/1a2b/repository-1a2b/site/downloads/x.md",
    ]
    assert {(d.format, d.licence, d.url) for d in documents.values()} == {("txt", "CC0-1.0", address)} and not failed
    # Named by a person, not found by a robot.
    assert len(server.asked) == 1


def test_datasets_in_files_and_their_columns(http: HttpClient, tmp_path: Path) -> None:
    """Would break: a dataset whose columns have other names; a row without text ends the run."""
    rows = [
        {"body": "A walk by the river.", "key": "a", "year": 1742, "by": None},
        {"body": "", "key": "b", "year": 1743, "by": "N. N."},
        {"body": "The fair on the ice.", "key": "c", "year": 1814, "by": "N. N."},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = HuggingFaceSource(
        kind="huggingface",
        paths=[str(tmp_path / "rows.jsonl")],
        columns={"text": "body", "id": "key", "date": "year", "author": "by"},  # type: ignore[arg-type]
        licence="CC0-1.0",
    )
    documents, failed = collect(source, http)
    assert failed == {"huggingface/b": "empty text"}
    walk, fair = documents["huggingface/a"], documents["huggingface/c"]
    assert (walk.date, walk.author, walk.licence) == ("1742", None, "CC0-1.0")
    assert (fair.content, fair.author) == (b"The fair on the ice.", "N. N.")
    later, _ = collect(source.model_copy(update={"where": {"year": "18"}}), http)
    assert list(later) == ["huggingface/c"]
    before = huggingface.identity(source)
    assert str(tmp_path) not in str(before)
    with pytest.raises(UsageError, match=r"no column text: text .it has: body, key"):
        collect(source.model_copy(update={"columns": source.columns.model_copy(update={"text": "text"})}), http)
    (tmp_path / "rows.jsonl").write_text(json.dumps(rows[0]) + "\n")
    assert huggingface.identity(source) != before


def test_datasets_of_the_hub_are_not_asked_for_offline(tmp_path: Path) -> None:
    """Would break: `--offline` goes online through another library."""
    source = HuggingFaceSource(kind="huggingface", dataset="TheBritishLibrary/blbooks")
    with HttpClient(HttpCache(tmp_path), CollectConfig(), None, offline=True) as http:
        documents, failed = collect(source, http)
    assert not documents
    assert failed == {
        "huggingface/TheBritishLibrary/blbooks": "offline: datasets of the Hub are not kept here",
    }
