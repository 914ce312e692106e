"""The HTTP client against a server that misbehaves: nothing lost, nothing outside its folder, the right reason."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from http_cache import Download, HttpCache, Unusable
from http_client import PLAIN_TEXT, HttpClient, NotFetched, Request, retry_after
from loopback import Content, Handler, Server, bomb, endless, hang, redirect, serving, status

from chapbook.errors import UsageError
from chapbook.source_config import CollectConfig

TEXT = b"It was a cold evening in London, and the fog lay on the river. " * 2_000


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def client(folder: Path, *, offline: bool = False, refresh: bool = False, **settings: object) -> HttpClient:
    """A client without patience."""
    quick = {"requests_per_second": 100, "attempts": 3, "read_timeout": 10, "total_timeout": 30, "max_wait": 0.05}
    config = CollectConfig.model_validate(quick | settings)
    return HttpClient(HttpCache(folder), config, "librarian@example.org", offline=offline, refresh=refresh)


def fetch(folder: Path, url: str, *, robots: bool = True, max_bytes: int = 10_000_000, **settings: object) -> Download:
    with client(folder, **settings) as http:  # type: ignore[arg-type]
        return http.get(Request(url=url, types=PLAIN_TEXT, robots=robots, max_bytes=max_bytes))


def reason(folder: Path, url: str, **settings: object) -> str:
    """Why it is not fetched; nothing of it may be taken for an entry."""
    with pytest.raises(NotFetched) as caught:
        fetch(folder, url, **settings)  # type: ignore[arg-type]
    assert HttpCache(folder).find(url) is None
    return str(caught.value)


def test_what_was_fetched_is_fetched_once(server: Server, tmp_path: Path) -> None:
    """Would break: every run downloads everything again."""
    url = server.on("/book.txt", Content(TEXT))
    first = fetch(tmp_path, url)
    assert first.read() == TEXT
    assert fetch(tmp_path, url) == first
    assert server.paths() == ["/book.txt"]
    agent = server.asked[-1].headers["user-agent"]
    assert agent.startswith("Chapbook/") and agent.endswith("(+librarian@example.org)")


def test_refresh_asks_by_etag_and_keeps_the_date_of_what_is_the_same(server: Server, tmp_path: Path) -> None:
    """Would break: a refresh downloads everything, or an unchanged text looks newly fetched."""
    url = server.on("/book.txt", Content(TEXT))
    plain = server.on("/plain.txt", Content(TEXT, etag=False))
    first, first_plain = fetch(tmp_path, url), fetch(tmp_path, plain)
    time.sleep(1.1)
    assert fetch(tmp_path, url, refresh=True) == first
    assert server.asked[-1].headers["if-none-match"] == first.etag
    # Without an ETag the body comes again and is found to be the same.
    assert fetch(tmp_path, plain, refresh=True) == first_plain
    server.on("/book.txt", Content(TEXT + b"More."))
    changed = fetch(tmp_path, url, refresh=True)
    assert changed.read() == TEXT + b"More." and changed.fetched_at > first.fetched_at
    # The old body is gone: two entries, two bodies.
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4


def test_a_refresh_that_fails_keeps_what_is_there(server: Server, tmp_path: Path) -> None:
    """Would break: an archive that is down for an hour empties the corpus."""
    url = server.on("/book.txt", Content(TEXT), status(503))
    first = fetch(tmp_path, url)
    assert fetch(tmp_path, url, refresh=True) == first


def test_offline_asks_nobody(server: Server, tmp_path: Path) -> None:
    """Would break: `--offline` goes online."""
    url = server.on("/book.txt", Content(TEXT))
    assert reason(tmp_path, url, offline=True).startswith("offline")
    assert not server.asked
    fetch(tmp_path, url)
    asked = len(server.asked)
    assert fetch(tmp_path, url, offline=True).read() == TEXT
    assert len(server.asked) == asked


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(server: Server, tmp_path: Path, form: str) -> None:
    """Would break: a server that asks for a moment's rest is asked again at once."""

    def busy(handler: Handler) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=2)
        handler.reply(429, retry_after="1" if form == "seconds" else format_datetime(moment, usegmt=True))

    url = server.on("/book.txt", busy, Content(TEXT))
    assert fetch(tmp_path, url, max_wait=3).read() == TEXT
    first, second = (asked.at for asked in server.asked if asked.path == "/book.txt")
    assert second - first > 0.9


def test_a_host_that_asks_for_an_hour_is_left_alone(server: Server, tmp_path: Path) -> None:
    """Would break: a thousand items knock one after the other at a door that said: not now."""
    one = server.on("/1.txt", status(429, retry_after="3600"))
    two = server.on("/2.txt", Content(TEXT))
    with client(tmp_path) as http:
        with pytest.raises(NotFetched, match=r"HTTP 429.*3,600 s"):
            http.get(Request(url=one, types=PLAIN_TEXT))
        with pytest.raises(NotFetched, match="host resting"):
            http.get(Request(url=two, types=PLAIN_TEXT))
    assert server.paths() == ["/1.txt"]


def test_retry_after_in_all_its_forms() -> None:
    """Would break: a header that cannot be read ends the run."""
    assert retry_after("7") == 7
    assert 8 < retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=10))) <= 10
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after(None) == retry_after("soon") == retry_after("-5") == retry_after("") == 0


def test_what_fails_for_a_while_is_tried_again(server: Server, tmp_path: Path) -> None:
    """Would break: one 503 costs a book."""
    url = server.on("/book.txt", status(503), status(500), Content(TEXT))
    assert fetch(tmp_path, url).read() == TEXT


@pytest.mark.parametrize(
    ("code", "expected", "tries"),
    [(503, "HTTP 503: Service Unavailable (tried 3 times)", 3), (404, "HTTP 404: Not Found", 1), (403, "HTTP 403", 1)],
)
def test_what_stays_refused_says_so(server: Server, tmp_path: Path, code: int, expected: str, tries: int) -> None:
    """Would break: a missing page is asked for again and again, or fails without saying why."""
    assert reason(tmp_path, server.on("/book.txt", status(code))).startswith(expected)
    assert len(server.paths()) == tries


def test_silence_is_a_timeout(server: Server, tmp_path: Path) -> None:
    """Would break: one stuck server holds up the run for ever."""
    assert reason(tmp_path, server.on("/book.txt", hang(1.0)), read_timeout=0.3).startswith("timeout: read")


def test_a_body_that_drips_is_a_timeout(server: Server, tmp_path: Path) -> None:
    """Would break: a byte every minute keeps a connection for ever, each byte in time."""
    url = server.on("/book.txt", endless(b"drip", pause=0.05))
    started = time.monotonic()
    assert reason(tmp_path, url, total_timeout=0.4, attempts=2).startswith("timeout: not whole after 0.4 s")
    assert time.monotonic() - started < 4


def test_a_body_without_end_is_too_big(server: Server, tmp_path: Path) -> None:
    """Would break: the disk fills up."""
    url = server.on("/book.txt", endless(b"x" * 100_000))
    assert reason(tmp_path, url, max_bytes=1_000_000) == "too big: more than 1.0 MB"
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 10_000


def test_a_size_that_is_announced_is_refused_unread(server: Server, tmp_path: Path) -> None:
    """Would break: gigabytes come before the limit is noticed."""
    url = server.on("/book.txt", Content(TEXT))
    assert reason(tmp_path, url, max_bytes=1_000).startswith("too big: 0.1 MB")


def test_a_cut_connection_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    """Would break: a large file never arrives over a bad line."""
    url = server.on("/book.txt", Content(TEXT, cut=50_000), Content(TEXT, cut=50_000), Content(TEXT))
    assert fetch(tmp_path, url).read() == TEXT
    ranges = [asked.headers.get("range") for asked in server.asked if asked.path == "/book.txt"]
    assert ranges == [None, "bytes=50000-", "bytes=100000-"]


def test_another_run_goes_on_with_what_has_come(server: Server, tmp_path: Path) -> None:
    """Would break: what a killed run had fetched of a large file is fetched again."""
    url = server.on("/book.txt", Content(TEXT, cut=70_000))
    reason(tmp_path, url, attempts=1)
    server.on("/book.txt", Content(TEXT))
    assert fetch(tmp_path, url).read() == TEXT
    assert server.asked[-1].headers["range"] == "bytes=70000-"


def test_a_file_that_changed_between_is_not_patched_together(server: Server, tmp_path: Path) -> None:
    """Would break: the first half of one edition and the second half of the next."""
    other = TEXT.upper()
    url = server.on("/book.txt", Content(TEXT, cut=70_000), Content(other))
    assert fetch(tmp_path, url).read() == other


def test_without_a_promise_from_the_server_nothing_is_patched(server: Server, tmp_path: Path) -> None:
    """Would break: a body without ETag or date is continued though nobody knows whether it is the same."""
    url = server.on("/book.txt", Content(TEXT, cut=70_000, etag=False), Content(TEXT, etag=False))
    assert fetch(tmp_path, url).read() == TEXT
    assert "range" not in server.asked[-1].headers


def test_a_part_is_never_taken_for_the_whole(server: Server, tmp_path: Path) -> None:
    """Would break: a truncated book in the corpus; a 206 that nobody asked for."""
    url = server.on("/book.txt", Content(TEXT, cut=70_000, etag=False))
    assert reason(tmp_path, url).startswith("connection lost")
    part = server.on(
        "/part.txt",
        lambda handler: handler.reply(
            206, TEXT[:100], content_type="text/plain", content_range=f"bytes 0-99/{len(TEXT)}"
        ),
    )
    assert reason(tmp_path, part).startswith("HTTP 206")


def test_a_login_page_is_no_book(server: Server, tmp_path: Path) -> None:
    """Would break: captchas and error pages in the corpus."""
    page = server.on("/book.txt", Content(b"<html>Are you human?", content_type="text/html"))
    assert reason(tmp_path, page) == "wrong type: text/html instead of text/plain"
    none = server.on("/none.txt", lambda handler: handler.reply(200, TEXT))
    assert reason(tmp_path, none) == "wrong type: none instead of text/plain"


def test_redirects_end(server: Server, tmp_path: Path) -> None:
    """Would break: two pages that send each other's visitors round for ever; a way to files of this machine."""
    url = server.on("/book.txt", redirect("/there.txt"))
    server.on("/there.txt", Content(TEXT))
    assert fetch(tmp_path, url).read() == TEXT
    ping = server.on("/ping.txt", redirect("/pong.txt"))
    server.on("/pong.txt", redirect("/ping.txt"))
    assert reason(tmp_path, ping) == "redirect loop: more than 10 redirects"
    passwords = server.on("/file.txt", redirect("file:///etc/passwd"))
    assert reason(tmp_path, passwords).startswith("bad redirect: to file:")
    assert server.paths().count("/ping.txt") + server.paths().count("/pong.txt") == 11


def test_packed_bodies_are_unpacked_within_limits(server: Server, tmp_path: Path) -> None:
    """Would break: ten kilobytes that become ten gigabytes."""
    url = server.on("/book.txt", Content(TEXT, packed=True))
    assert fetch(tmp_path, url).read() == TEXT
    assert server.asked[-1].headers["accept-encoding"] == "gzip"
    zeros = server.on("/zeros.txt", bomb(30_000_000))
    assert reason(tmp_path, zeros, max_bytes=100_000_000).startswith("decompression bomb")
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 9_000_000
    odd = server.on("/odd.txt", Content(TEXT, headers={"content_encoding": "br"}))
    assert reason(tmp_path, odd) == "unknown content encoding: br"
    torn = server.on("/torn.txt", Content(b"\x1f\x8b not gzip", headers={"content_encoding": "gzip"}))
    assert reason(tmp_path, torn).startswith("damaged compression")


def test_a_packed_body_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    """Would break: a resumed gzip stream is unpacked from its middle."""
    noise = random.Random(1).randbytes(60_000).hex().encode()
    url = server.on("/book.txt", Content(noise, packed=True, cut=20_000), Content(noise, packed=True))
    assert fetch(tmp_path, url).read() == noise
    assert server.asked[-1].headers["range"] == "bytes=20000-"


@pytest.mark.parametrize(
    "path", ["/../../x.txt", "/..%2f..%2fx.txt", "/%2e%2e/%2e%2e/x", "//x", "/a\\..\\..\\x", "/" + "n" * 3_000]
)
def test_names_cannot_leave_the_folder(server: Server, tmp_path: Path, path: str) -> None:
    """Would break: a server chooses where we write."""
    folder = tmp_path / "a" / "b" / "downloads"
    server.routes = {name: [Content(TEXT)] for name in (path, "/x.txt", "/x", "//x", path.replace("\\", "%5C"))}
    fetched = fetch(folder, server.url + path)
    assert fetched.read() == TEXT and fetched.path.is_relative_to(folder)
    assert {p.name for p in tmp_path.rglob("*") if not p.is_relative_to(folder)} <= {"a", "b"}


def test_robots_txt_is_obeyed(server: Server, tmp_path: Path) -> None:
    """Would break: Chapbook reads what a site has asked programs not to read."""
    rules = b"User-agent: *\nDisallow: /private/\nUser-agent: Chapbook\nDisallow: /private/*.txt$\nDisallow: /never"
    server.on("/robots.txt", Content(rules))
    private, never = server.on("/private/book.txt", Content(TEXT)), server.on("/never.txt", Content(TEXT))
    assert reason(tmp_path, private) == reason(tmp_path, never) == "robots.txt: forbids this address"
    assert not server.paths()
    assert fetch(tmp_path, server.on("/book.txt", Content(TEXT))).read() == TEXT
    # An API that is documented for programs.
    assert fetch(tmp_path, private, robots=False).read() == TEXT


def test_robots_txt_that_cannot_be_read_forbids(server: Server, tmp_path: Path) -> None:
    """Would break: a site whose rules cannot be had is read as if it had none (RFC 9309, 2.3.1.4)."""
    server.on("/robots.txt", status(503))
    url = server.on("/book.txt", Content(TEXT))
    assert reason(tmp_path, url).startswith("robots.txt: cannot be read (HTTP 503)")
    assert not server.paths() and len(server.asked) == 3


def test_robots_txt_can_slow_us_down(server: Server, tmp_path: Path) -> None:
    """Would break: Crawl-delay is ignored."""
    server.on("/robots.txt", Content(b"User-agent: *\nCrawl-delay: 0.4"))
    urls = [server.on(f"/{number}.txt", Content(TEXT)) for number in range(3)]
    with client(tmp_path) as http:
        list(http.get_many(urls, lambda url: Request(url=url, types=PLAIN_TEXT)))
    times = sorted(asked.at for asked in server.asked if asked.path != "/robots.txt")
    assert times[1] - times[0] > 0.35 and times[2] - times[1] > 0.35


def test_a_host_is_asked_at_its_pace_by_few_at_once(server: Server, tmp_path: Path) -> None:
    """Would break: hundreds of items hammer one archive."""
    urls = [server.on(f"/{number}.txt", Content(TEXT)) for number in range(12)]
    with client(tmp_path, requests_per_second=20) as http:
        results = list(http.get_many(urls, lambda url: Request(url=url, types=PLAIN_TEXT)))
    assert [url for url, _ in results] == urls
    assert all(isinstance(download, Download) for _, download in results)
    times = sorted(asked.at for asked in server.asked)
    assert times[-1] - times[0] > 0.95 * 12 / 20
    assert server.most_busy <= 2


def test_a_slow_host_holds_up_only_itself(tmp_path: Path) -> None:
    """Would break: the slowest of many archives sets the pace of all, or a big one fills every connection."""
    with serving() as slow, serving() as fast:

        def after_the_others(handler: Handler) -> None:
            until = time.monotonic() + 8
            while len(fast.paths()) < 30 and time.monotonic() < until:
                time.sleep(0.01)
            Content(TEXT if len(fast.paths()) == 30 else b"")(handler)

        urls = [slow.on(f"/{number}.txt", after_the_others) for number in range(6)]
        urls += [fast.on(f"/{number}.txt", Content(TEXT)) for number in range(30)]
        with client(tmp_path, connections=4) as http:
            results = [download for _, download in http.get_many(urls, lambda u: Request(url=u, types=PLAIN_TEXT))]
        assert all(isinstance(download, Download) and download.size == len(TEXT) for download in results)


def test_one_address_wanted_by_many_is_fetched_once(server: Server, tmp_path: Path) -> None:
    """Would break: two sources that share a catalogue fetch it twice, or write into each other's file."""
    url = server.on("/book.txt", Content(TEXT))
    with client(tmp_path) as http:
        results = list(http.get_many([url] * 20, lambda u: Request(url=u, types=PLAIN_TEXT)))
    assert all(isinstance(download, Download) and download.read() == TEXT for _, download in results)
    assert server.paths() == ["/book.txt"]


def test_a_damaged_entry_is_noticed_and_fetched_anew(server: Server, tmp_path: Path) -> None:
    """Would break: a bit that flipped on the disk goes into the corpus under the old hash."""
    url = server.on("/book.txt", Content(TEXT))
    download = fetch(tmp_path, url)
    download.path.write_bytes(TEXT[:-1] + b"?")
    with pytest.raises(Unusable, match="damaged in the cache"):
        download.read()
    assert fetch(tmp_path, url).read() == TEXT
    next(tmp_path.rglob("*.json")).write_text("{")
    assert fetch(tmp_path, url).read() == TEXT


def test_going_online_needs_a_contact(server: Server, tmp_path: Path) -> None:
    """Would break: archives see a program that nobody answers for."""
    with (
        HttpClient(HttpCache(tmp_path), CollectConfig(), None) as http,
        pytest.raises(UsageError, match="CHAPBOOK_CONTACT"),
    ):
        http.get(Request(url=server.url + "/book.txt", types=PLAIN_TEXT))
    assert not server.asked
    with pytest.raises(UsageError, match="plain ASCII"):
        HttpClient(HttpCache(tmp_path), CollectConfig(), "a@example.org\r\nX-Injected: 1")


def test_the_environment_chooses_no_proxy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would break: requests take a way that the configuration does not name."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(tmp_path, server.on("/book.txt", Content(TEXT))).read() == TEXT


def test_no_server_at_all_is_a_reason(tmp_path: Path) -> None:
    """Would break: a name that does not exist ends the run with a traceback."""
    with serving() as gone:
        url = gone.url + "/book.txt"
    assert reason(tmp_path, url, robots=False).startswith("connection lost")
    assert reason(tmp_path, "http://[broken/book.txt", robots=False).startswith("no address")
