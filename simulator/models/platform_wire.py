"""What every platform's byte face shares: one HTTP request in, one reply with its pace out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MAX_BODY_BYTES = 65_536
"""The longest request body read; a pay call has under 2 kB."""

Fields = dict[str, object]
"""Members of an answer in the order they are written."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request as it came over HTTP."""

    method: str
    path: str
    """As sent; it may carry the query string behind a ``?``, or leave it to *query*."""
    query: bytes = b""
    """Raw, still percent-encoded."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def bare_path(self) -> str:
        """The path without its query string."""
        return self.path.partition("?")[0]

    @property
    def query_bytes(self) -> bytes:
        """The query string, wherever it was given; empty where there is none."""
        return self.query or self.path.partition("?")[2].encode("ascii", "replace")

    @property
    def target(self) -> str:
        """Path and query as they stood in the request line."""
        query = self.query_bytes
        return self.bare_path + ("?" + query.decode("ascii", "replace") if query else "")

    def header(self, name: str) -> str:
        """Return the last header called *name* in any case, or empty text."""
        wanted = name.lower()
        found = [value for key, value in self.headers if key.lower() == wanted]
        return found[-1] if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to do with the connection, and when."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Content-Length included: that of the whole answer, also where *body* is only its first
    half."""
    body: bytes
    delay_ns: int
    """From the request's last byte to the first byte of the answer, or to the break."""
    dropped: bool = False
    """Break the connection after *body*; with an empty body not even the status line is written."""
    unsent: bool = False
    """The connection was never good: the caller knows that nothing of the request was sent."""


def broken(delay_ns: int) -> Reply:
    """Return a connection that breaks after *delay_ns* without a byte."""
    return Reply(status=0, headers=(), body=b"", delay_ns=delay_ns, dropped=True)


def framing(content_type: str, length: int, wall_ns: int) -> tuple[tuple[str, str], ...]:
    """Return the headers every answer has; ``Date`` is the platform's own clock."""
    return (
        ("Content-Type", content_type),
        ("Content-Length", str(length)),
        ("Date", http_date(wall_ns)),
    )


def http_date(wall_ns: int) -> str:
    """Return a unix time in ns as an HTTP date, whole seconds."""
    return format_datetime(_EPOCH + timedelta(seconds=wall_ns // NS_PER_S), usegmt=True)


def json_text(fields: Fields, *, awkward: str = "") -> str:
    """Return the JSON text of *fields*; *awkward* names a member that is added with a text full of
    brackets and escapes, and the whole is written as a legal writer rarely does."""
    if not awkward:
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    odd = {**fields, awkward: 'toll } plaza " { \\'}
    return json.dumps(odd, ensure_ascii=True, separators=(" , ", " : ")).replace("/", "\\/")
