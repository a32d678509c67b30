"""The tap keeps whole answers with their requests' first lines, and never a request."""

from __future__ import annotations

import pytest

from simulator.auditor import Tapped
from simulator.stack.taps import Tap

ASKED = b"POST /v1/payments HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nsecret"
ANSWERED = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"state":"paid"}'
CHUNKED = (
    b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
)
POLLED = b"GET /v1/payments/1?wait_ms=5 HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_answers_are_kept_in_order_whatever_the_pieces(size: int) -> None:
    """Two exchanges on one connection; the channel says method, path and status."""
    subject = Tap(lambda: 5)
    talk = subject.http()
    for asked, answered in ((ASKED, ANSWERED), (POLLED, CHUNKED)):
        for at in range(0, len(asked), size):
            talk.asked(asked[at : at + size])
        for at in range(0, len(answered), size):
            talk.answered(answered[at : at + size])
    assert subject.seen == [
        Tapped(at_us=5, channel="POST /v1/payments 200", text='{"state":"paid"}'),
        Tapped(at_us=5, channel="GET /v1/payments/1?wait_ms=5 404", text="abcde"),
    ]
    assert "secret" not in str(subject.seen)


def test_a_connection_that_broke_leaves_no_half_answer() -> None:
    """What never arrived whole was never told."""
    subject = Tap(lambda: 0)
    talk = subject.http()
    talk.asked(ASKED)
    talk.answered(ANSWERED[:-1])
    assert subject.seen == []


def test_what_is_not_http_is_left_alone() -> None:
    """Garbage ends the listening, not the line."""
    subject = Tap(lambda: 0)
    talk = subject.http()
    talk.asked(b"\x00\xffgarbage\r\n\r\n")
    talk.asked(ASKED)
    talk.answered(b"no HTTP either\r\n\r\n")
    talk.answered(ANSWERED)
    assert subject.seen == []
