"""All lines of a stack live in one thread and are changed from another."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from simulator.stack.part import until
from simulator.stack.proxy import Cut, Manners
from simulator.stack.wires import Wires, address_of

pytestmark = pytest.mark.wire
LINES = ("one", "other")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def subject() -> Iterator[Wires]:
    """Give two open lines, one of them tapped."""
    wires = Wires(lambda: 7, LINES, tapped=("one",))
    wires.start()
    yield wires
    wires.close()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Give a server that answers every request alike."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def serve(listener: socket.socket) -> None:
    """Answer until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            while connection.recv(4_096):
                connection.sendall(ANSWER)


def asks(url: str) -> bytes:
    """Return what a server behind a line answers to one request."""
    with socket.create_connection(address_of(url), timeout=5) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        return connection.recv(4_096)


def test_every_line_has_its_own_port_and_server(subject: Wires, server: socket.socket) -> None:
    """A line that leads nowhere refuses; a tapped one keeps what was answered."""
    where = "http://{}:{}/x".format(*server.getsockname())
    subject.lead("one", where)
    assert subject.url("one") != subject.url("other")
    assert asks(subject.url("one")) == ANSWER
    until(lambda: subject.heard, "the tap")
    assert [(one.at_us, one.channel, one.text) for one in subject.heard] == [
        (7, "GET /healthz 200", "ok")
    ]
    with pytest.raises(ConnectionRefusedError):
        asks(subject.url("other"))
    subject.lead("other", where)
    assert asks(subject.url("other")) == ANSWER
    assert len(subject.heard) == 1


def test_lines_are_cut_one_by_one_and_mended_together(
    subject: Wires, server: socket.socket
) -> None:
    """``cut`` takes the tapped lines away, ``behave`` any; ``mend`` brings all back."""
    for line in LINES:
        subject.lead(line, "http://{}:{}".format(*server.getsockname()))
    subject.cut()
    subject.behave("other", Manners(cut=Cut.RESET))
    with pytest.raises(ConnectionRefusedError):
        asks(subject.url("one"))
    with pytest.raises(ConnectionResetError):
        asks(subject.url("other"))
    subject.mend()
    assert [asks(subject.url(line)) for line in LINES] == [ANSWER, ANSWER]


def test_lines_that_were_never_opened_are_closed_without_a_trace() -> None:
    """A stack that fails to start leaves no loop behind."""
    Wires(lambda: 0, LINES).close()
