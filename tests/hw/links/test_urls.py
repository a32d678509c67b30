"""The URLs of a lane file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.links import urls as subject
from hw.links.urls import ListenUrl, ModbusUrl, ModbusWire, SerialUrl, TcpUrl
from tolling.errors import BadInputError


def test_serial_and_tcp_urls_are_read() -> None:
    """Lines are read with their settings, and the usual ones where none are given."""
    read = subject.parse_stream_url("serial:///dev/ttyS1?baud=115200&parity=e&bits=7", where="w")
    assert read == SerialUrl(path="/dev/ttyS1", baud=115_200, parity="E", byte_size=7)
    assert subject.parse_stream_url("serial:///dev/ttyS1", where="w") == SerialUrl(
        path="/dev/ttyS1"
    )
    assert subject.parse_stream_url("tcp://10.0.0.7:4001", where="w") == TcpUrl(
        host="10.0.0.7", port=4001
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "modbus+tcp://io1",
            ModbusUrl(wire=ModbusWire.TCP, line=TcpUrl(host="io1", port=502), timeout_ms=300),
        ),
        (
            "modbus+rtu:///dev/ttyS2?baud=19200&timeout_ms=100",
            ModbusUrl(
                wire=ModbusWire.RTU, line=SerialUrl(path="/dev/ttyS2", baud=19_200), timeout_ms=100
            ),
        ),
        (
            "rtu+tcp://gateway:4002",
            ModbusUrl(
                wire=ModbusWire.RTU_TCP, line=TcpUrl(host="gateway", port=4002), timeout_ms=150
            ),
        ),
    ],
)
def test_modbus_urls_are_read(url: str, expected: ModbusUrl) -> None:
    """All three wires are read; equal URLs are equal values, so that a bus is shared."""
    assert subject.parse_modbus_url(url, where="w") == expected
    assert {subject.parse_modbus_url(url, where="v"): 1} == {expected: 1}


def test_listen_and_etc_urls_are_read() -> None:
    """A listening address has a path, an ETC reader host and port."""
    assert subject.parse_listen_url("http://0.0.0.0:8601/plates", where="w") == ListenUrl(
        host="0.0.0.0", port=8601, path="/plates"
    )
    assert subject.parse_tcp_url("etc+tcp://a:1", scheme="etc+tcp", where="w") == TcpUrl(
        host="a", port=1
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "serial://ttyS1",
        "serial:///dev/ttyS1?baud=9601",
        "serial:///dev/ttyS1?speed=9600",
        "serial:///dev/ttyS1?parity=X",
        "tcp://host",
        "tcp://host:99999",
        "tcp://user:secret@host:1",
        "http://host:1",
        "tcp://[host:1",
    ],
)
def test_wrong_line_is_one_clear_error(url: str) -> None:
    """A wrong URL names where it stands and what is wrong, without any password in it."""
    with pytest.raises(BadInputError, match=r"lane.toml.*the url") as caught:
        subject.parse_stream_url(url, where="lane.toml")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["tcp://a:1", "rtu+tcp://a", "modbus+tcp://a?timeout_ms=5000", "modbus+tcp://a?timeout_ms=x"],
)
def test_wrong_bus_is_one_clear_error(url: str) -> None:
    """A bus that would hold a lane for seconds is refused like any other wrong one."""
    with pytest.raises(BadInputError):
        subject.parse_modbus_url(url, where="w")


@given(url=st.text(max_size=60))
def test_any_text_is_a_line_or_a_bad_input(url: str) -> None:
    """Whatever is written, nothing but BadInputError comes out."""
    for parse in (subject.parse_stream_url, subject.parse_modbus_url, subject.parse_listen_url):
        try:
            parse(url, where="w")
        except BadInputError:
            continue
