"""The one HTTP client of collecting: patient with servers that fail, polite to all, and never trusting what comes.

Libraries: httpx2 (which huggingface_hub brings anyway) speaks HTTP, tenacity repeats, protego reads robots.txt.
Ours are the manners (a pace per host across all sources), resuming, the limits, and the cache (`http_cache.py`):
HTTP caches that can be had keep whole answers in memory and know no broken-off downloads.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from archives import MEMBER_BYTES
from http_cache import Download, HttpCache, Partial, Unusable

from chapbook import __version__
from chapbook.errors import UsageError
from chapbook.log import log
from chapbook.source_config import CollectConfig

if TYPE_CHECKING:
    import httpx2
    from protego import Protego
    from tenacity import RetryCallState

AGENT = "Chapbook"
MAX_REDIRECTS = 10
# RFC 9309 has crawlers read at least this much of a robots.txt.
ROBOTS_BYTES = 512_000
# Requests that are prepared ahead of the document that is being written, per source.
LOOKAHEAD = 256
# Answers that mean: later. All others of 400 and above mean: no.
LATER = frozenset({408, 425, 429, 500, 502, 503, 504, 509, 520, 521, 522, 523, 524})

JSON = ("application/json", "text/json", "text/javascript")
PLAIN_TEXT = ("text/plain",)
ZIP = ("application/zip", "application/x-zip-compressed", "application/x-zip", "application/octet-stream")
XML = ("text/xml", "application/xml", "application/tei+xml")

T = TypeVar("T")


class NotFetched(Exception):
    """What could not be had; the message says why, countable before the first colon."""


class Stopped(Exception):
    """Collecting was interrupted."""


class _Later(Exception):
    """A try that failed in a way that another may not."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be fetched, and what is taken for it."""

    url: str
    types: tuple[str, ...]
    """Media types that are taken; anything else (a login page, a captcha) is not what was asked for."""
    robots: bool = True
    """Whether robots.txt is asked. Not for an API that is documented for programs: robots.txt is for crawlers."""
    max_bytes: int = MEMBER_BYTES
    """Largest size taken, before and after decompression; collect.max_download_bytes bounds it too."""


class HttpClient:
    """Fetches into a cache. Thread-safe; use as a context manager."""

    def __init__(
        self,
        cache: HttpCache,
        settings: CollectConfig,
        contact: str | None,
        *,
        offline: bool = False,
        refresh: bool = False,
    ) -> None:
        """offline: take everything from the cache. refresh: ask servers whether what the cache holds has changed."""
        import httpx2
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        if contact and not (contact.isascii() and contact.isprintable()):
            raise UsageError(f"collect.contact (or CHAPBOOK_CONTACT) must be plain ASCII, not {contact!r}.")
        self.cache, self.settings, self.contact = cache, settings, contact
        self.offline, self.refresh = offline, refresh
        self._client = httpx2.Client(
            headers={"User-Agent": f"{AGENT}/{__version__} (+{contact})", "Accept-Encoding": "gzip"},
            timeout=httpx2.Timeout(settings.read_timeout, connect=settings.connect_timeout),
            # How many there are at once is decided here (`_pool`), not there.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=settings.connections),
            proxy=settings.proxy,
            # Neither proxies nor passwords (.netrc) from the environment: only what the config says.
            trust_env=False,
        )
        backoff = wait_random_exponential(multiplier=1, max=settings.max_wait)

        def wait(state: RetryCallState) -> float:
            """Exponential with full jitter, and at least as long as the server asks for."""
            failure = state.outcome.exception() if state.outcome else None
            return max(backoff(state), failure.wait if isinstance(failure, _Later) else 0.0)

        def call_it(call: Callable[[], Any]) -> Any:
            return call()

        # Wrapped, because then each call has a state of its own: reading robots.txt repeats within a repetition.
        self._retrying: Callable[..., Any] = Retrying(
            stop=stop_after_attempt(settings.attempts),
            wait=wait,
            retry=retry_if_exception_type(_Later),
            sleep=self._sleep,
            reraise=True,
        ).wraps(call_it)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}
        self._address_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        # Nothing is asked for twice in a run.
        self._asked: set[str] = set()
        self._failed: dict[str, NotFetched] = {}
        self._pool = ThreadPoolExecutor(settings.connections, thread_name_prefix="fetch")

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def stop(self) -> None:
        """End everything under way as soon as it can; what has arrived stays to be gone on from."""
        self._stop.set()
        with self._lock:
            for host in self._hosts.values():
                for _, future in host.queue:
                    future.cancel()

    def get(self, request: Request) -> Download:
        """One download, from the cache if it is there. Raises NotFetched with the reason."""
        with self._lock:
            address_lock = self._address_locks[request.url]
        with address_lock:
            kept = self.cache.find(request.url)
            if request.url in self._failed:
                raise self._failed[request.url]
            if kept is not None and (self.offline or not self.refresh or request.url in self._asked):
                return kept
            if self.offline:
                raise NotFetched("offline: not fetched before")
            if not self.contact:
                raise UsageError(
                    "Going online needs a contact that archives can write to: set collect.contact in the config or "
                    "the environment's CHAPBOOK_CONTACT to a mail address or URL, or collect with --offline."
                )
            try:
                download = self._repeat(lambda: self._try(request, kept))
            except NotFetched as failure:
                if kept is None:
                    self._failed[request.url] = failure
                    raise
                # An old copy is better than none.
                log.warning("%s: could not be asked again, kept as of %s: %s", request.url, kept.fetched_at, failure)
                download = kept
            self._asked.add(request.url)
            return download

    def get_many(
        self, wanted: Iterable[T], request: Callable[[T], Request | None], lookahead: int = LOOKAHEAD
    ) -> Iterator[tuple[T, Download | NotFetched | None]]:
        """Fetch many at once and yield them in the order of `wanted`, of which at most `lookahead` are read ahead.

        What has no request (None) passes through with None.
        """
        window: deque[tuple[T, Future[Download] | None]] = deque()

        def result(future: Future[Download] | None) -> Download | NotFetched | None:
            try:
                return future.result() if future else None
            except NotFetched as failure:
                return failure

        try:
            for item in wanted:
                asked = request(item)
                window.append((item, self._submit(asked) if asked else None))
                if len(window) >= lookahead:
                    first, future = window.popleft()
                    yield first, result(future)
            while window:
                first, future = window.popleft()
                yield first, result(future)
        finally:
            for _, future in window:
                if future:
                    future.cancel()

    def _submit(self, request: Request) -> Future[Download]:
        """Queue a request behind its host's others: a slow host fills its own queue, not the pool."""
        future: Future[Download] = Future()
        try:
            host = self._host(request.url)
        except NotFetched as failure:
            future.set_exception(failure)
            return future
        with self._lock:
            if self._stop.is_set():
                raise Stopped
            host.queue.append((request, future))
            if host.working < self.settings.connections_per_host:
                host.working += 1
                self._pool.submit(self._work, host)
        return future

    def _work(self, host: _Host) -> None:
        """Serve one request of a host, then go to the end of the pool's queue, so that all hosts get their turn."""
        with self._lock:
            if not host.queue:
                host.working -= 1
                return
            request, future = host.queue.popleft()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(self.get(request))
            except BaseException as error:
                # Whoever waits for the future gets it.
                future.set_exception(error)
        if not self._stop.is_set():
            self._pool.submit(self._work, host)

    def _repeat(self, call: Callable[[], Download]) -> Download:
        try:
            download: Download = self._retrying(call)
        except _Later as failure:
            raise NotFetched(f"{failure} (tried {self.settings.attempts} times)") from failure
        return download

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _host(self, url: str) -> _Host:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise NotFetched(f"no address: {error}") from error
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if origin not in self._hosts:
                self._hosts[origin] = _Host(origin, self.settings, self._sleep)
            return self._hosts[origin]

    def _try(self, request: Request, kept: Download | None) -> Download:
        """One try. Raises _Later or NotFetched."""
        import httpx2

        partial = self.cache.partial(request.url)
        have, headers = partial.size(), {}
        if have and (validator := partial.validator()):
            headers = {"Range": f"bytes={have}-", "If-Range": validator}
        elif kept is not None:
            have = 0
            validators = {"If-None-Match": kept.etag, "If-Modified-Since": kept.last_modified}
            headers = {name: value for name, value in validators.items() if value}
        else:
            have = 0
        deadline = time.monotonic() + self.settings.total_timeout
        url = request.url
        try:
            for _ in range(MAX_REDIRECTS + 1):
                host = self._host(url)
                if request.robots:
                    self._obey_robots(url, host)
                with host.turn(), self._client.stream("GET", url, headers=headers) as response:
                    if response.has_redirect_location:
                        url = str(response.url.join(response.headers["location"]))
                        if not url.startswith(("http://", "https://")):
                            raise NotFetched(f"bad redirect: to {url[:80]}")
                        continue
                    if response.status_code == 304 and kept is not None:
                        return kept
                    self._check_status(response, host, partial, have)
                    self._receive(request, response, partial, have if response.status_code == 206 else 0, deadline)
                    return self._keep(request, partial, kept)
        except httpx2.TimeoutException as error:
            raise _Later(f"timeout: {_waiting_for(error)}") from error
        except httpx2.TransportError as error:
            raise _Later(f"connection lost: {error or type(error).__name__}") from error
        except (httpx2.InvalidURL, httpx2.HTTPError) as error:
            raise NotFetched(f"no HTTP: {error}") from error
        raise NotFetched(f"redirect loop: more than {MAX_REDIRECTS} redirects")

    def _check_status(self, response: httpx2.Response, host: _Host, partial: Partial, have: int) -> None:
        status = f"HTTP {response.status_code}: {response.reason_phrase[:60]}".removesuffix(": ")
        if response.status_code in LATER:
            wait = retry_after(response.headers.get("retry-after"))
            host.pause(wait)
            if wait > self.settings.max_wait:
                raise NotFetched(f"{status}; asks to wait {wait:,.0f} s, more than collect.max_wait")
            raise _Later(status, wait)
        if response.status_code == 416 or (response.status_code == 206 and not _is_the_rest(response, have)):
            partial.discard()
            raise _Later(f"{status}: the rest of the file was not to be had, beginning anew")
        if response.status_code not in (200, 206):
            raise NotFetched(status)

    def _receive(
        self, request: Request, response: httpx2.Response, partial: Partial, have: int, deadline: float
    ) -> None:
        """Append the body to `partial`, which holds `have` bytes of it; a lost connection leaves what has come."""
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type not in request.types:
            raise NotFetched(f"wrong type: {content_type[:60] or 'none'} instead of {request.types[0]}")
        limit = self._limit(request)
        announced = response.headers.get("content-length", "")
        if announced.isdigit() and have + int(announced) > limit:
            raise NotFetched(f"too big: {(have + int(announced)) / 1e6:,.1f} MB (at most {limit / 1e6:,.1f})")
        if not have:
            partial.begin(
                {
                    "content_type": response.headers.get("content-type", ""),
                    "etag": response.headers.get("etag"),
                    "last_modified": response.headers.get("last-modified"),
                    "encoding": response.headers.get("content-encoding", "").strip().lower(),
                }
            )
        with partial.path.open("ab") as file:
            for piece in response.iter_raw():
                have += len(piece)
                if have > limit:
                    partial.discard()
                    raise NotFetched(f"too big: more than {limit / 1e6:,.1f} MB")
                file.write(piece)
                if time.monotonic() > deadline:
                    raise _Later(f"timeout: not whole after {self.settings.total_timeout:g} s")
                if self._stop.is_set():
                    raise Stopped

    def _keep(self, request: Request, partial: Partial, kept: Download | None) -> Download:
        try:
            return self.cache.keep(request.url, partial, self._limit(request), kept)
        except Unusable as error:
            partial.discard()
            if str(error).startswith("damaged"):
                raise _Later(str(error)) from error
            raise NotFetched(str(error)) from error

    def _limit(self, request: Request) -> int:
        return min(request.max_bytes, self.settings.max_download_bytes)

    def _obey_robots(self, url: str, host: _Host) -> None:
        """Raises NotFetched when robots.txt forbids, or cannot be read (RFC 9309: then everything is forbidden)."""
        with host.robots_lock:
            if host.robots is None:
                try:
                    self._retrying(lambda: self._read_robots(host))
                except _Later as failure:
                    host.robots = f"robots.txt: cannot be read ({failure})"
        if isinstance(host.robots, str):
            raise NotFetched(host.robots)
        assert host.robots is not None
        if not host.robots.can_fetch(url, AGENT):
            raise NotFetched("robots.txt: forbids this address")

    def _read_robots(self, host: _Host) -> None:
        # Read once per run and not kept: it may have changed since the last.
        import httpx2
        from protego import Protego

        text = b""
        try:
            with (
                host.turn(),
                self._client.stream("GET", f"{host.origin}/robots.txt", follow_redirects=True) as response,
            ):
                if response.status_code in LATER:
                    raise _Later(f"HTTP {response.status_code}", retry_after(response.headers.get("retry-after")))
                if response.status_code == 200:
                    for piece in response.iter_bytes():
                        text += piece
                        if len(text) > ROBOTS_BYTES:
                            break
        except httpx2.TooManyRedirects:
            # As if there were none (RFC 9309, 2.3.1.2).
            text = b""
        except httpx2.TransportError as error:
            raise _Later(str(error) or type(error).__name__) from error
        host.obey(Protego.parse(text[:ROBOTS_BYTES].decode("utf-8", "replace")))


class _Host:
    """The manners towards one host: how many requests at once, and when the next may start."""

    def __init__(self, origin: str, settings: CollectConfig, sleep: Callable[[float], None]) -> None:
        self.origin = origin
        self.queue: deque[tuple[Request, Future[Download]]] = deque()
        self.working = 0
        self.robots: Protego | str | None = None
        """Its rules; a text: why nothing may be fetched; None: not asked yet."""
        self.robots_lock = threading.Lock()
        self._interval = 1 / settings.requests_per_second
        self._max_wait = settings.max_wait
        self._sleep = sleep
        self._slots = threading.BoundedSemaphore(settings.connections_per_host)
        self._lock = threading.Lock()
        self._next = self._resting_until = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the host's connections, from its next free moment. Raises NotFetched while it rests."""
        with self._slots:
            with self._lock:
                moment = time.monotonic()
                if self._resting_until - moment > self._max_wait:
                    raise NotFetched(f"host resting: it asks to wait {self._resting_until - moment:,.0f} s more")
                start = max(moment, self._next, self._resting_until)
                self._next = start + self._interval
            self._sleep(start - moment)
            yield

    def pause(self, seconds: float) -> None:
        """Start nothing for this long."""
        with self._lock:
            self._resting_until = max(self._resting_until, time.monotonic() + seconds)

    def obey(self, robots: Protego) -> None:
        """Take over the rules, a slower pace among them."""
        self.robots = robots
        self._interval = max(self._interval, float(robots.crawl_delay(AGENT) or 0.0))


def retry_after(value: str | None) -> float:
    """The seconds a `Retry-After` header asks for, as a number or as a date; 0 without a readable one."""
    if value is None:
        return 0.0
    if value.strip().isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _is_the_rest(response: httpx2.Response, have: int) -> bool:
    """Whether a 206 holds everything behind the first `have` bytes."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("content-range", ""))
    return bool(found and have and int(found[1]) == have and found[3] in ("*", str(int(found[2]) + 1)))


def _waiting_for(error: Exception) -> str:
    """`ReadTimeout` as `read`."""
    return type(error).__name__.removesuffix("Timeout").lower()
