"""Broker addresses and topic names."""

from __future__ import annotations

import pytest

from tolling.brokers import (
    BrokerAddress,
    LaneTopic,
    broker_address,
    lane_topic,
    parse_lane_topic,
)
from tolling.errors import BadInputError
from tolling.ids import LaneId, PlazaId


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://127.0.0.1:41883", "127.0.0.1", 41883, False),
        ("mqtt://broker.plaza", "broker.plaza", 1883, False),
        ("mqtts://broker.plaza/", "broker.plaza", 8883, True),
        ("mqtt://[::1]:7", "::1", 7, False),
    ],
)
def test_an_address_has_host_port_and_tls(url: str, host: str, port: int, tls: bool) -> None:
    """The scheme tells TLS and the port nobody wrote."""
    assert broker_address(url, where="file, key") == BrokerAddress(host=host, port=port, tls=tls)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:1883",
        "http://127.0.0.1",
        "mqtt://",
        "mqtt://host:0",
        "mqtt://host:70000",
        "mqtt://host:port",
        "mqtt://lane:geheim@host",
        "mqtt://host/topic",
        "mqtt://host?user=geheim",
    ],
)
def test_a_wrong_address_is_named_and_not_repeated(url: str) -> None:
    """The error says where, and holds nothing of a URL that may have a password in it."""
    with pytest.raises(BadInputError, match=r"lane\.toml, broker\.url") as caught:
        broker_address(url, where="lane.toml, broker.url")
    assert "geheim" not in str(caught.value)


def test_a_topic_comes_back_from_its_parts() -> None:
    """What lane_topic makes, parse_lane_topic reads, also with slashes in the leaf."""
    for leaf in ("state", "command/abc/result"):
        found = parse_lane_topic(lane_topic("330101", "007", leaf))
        assert found == LaneTopic(plaza_id=PlazaId("330101"), lane_id=LaneId("007"), leaf=leaf)


@pytest.mark.parametrize(
    "topic", ["", "toll/330101/007", "toll/x/007/state", "toll/330101/7/state", "other/1/2/state"]
)
def test_a_foreign_topic_is_none(topic: str) -> None:
    """Whatever else lies on the broker is passed over."""
    assert parse_lane_topic(topic) is None
