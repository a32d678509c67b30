"""Where a broker is and what its topics are called: ``toll/{plaza}/{lane}/...``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tolling.errors import BadInputError
from tolling.ids import LaneId, PlazaId, lane_id, plaza_id

MQTT_PORT = 1883
MQTTS_PORT = 8883
"""IANA's ports of MQTT in clear and over TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """One MQTT broker, without who we are there."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTopic:
    """A topic of one lane, taken apart."""

    plaza_id: PlazaId
    lane_id: LaneId
    leaf: str
    """``state``, ``event``, ``alarm``, ``online``, ``command`` or ``command/{id}/result``."""


def broker_address(url: str, *, where: str) -> BrokerAddress:
    """Return the address in ``mqtt://host[:port]`` or ``mqtts://host[:port]``.

    Args:   where: file and key, for the error.
    Raises: BadInputError: another form; a user or password in the URL, where logs would show it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInputError(where=where, what="no URL with a port of 1..65535") from None
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or port == 0:
        raise BadInputError(where=where, what="not mqtt://host:port or mqtts://host:port")
    if parts.username is not None or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise BadInputError(
            where=where,
            what="more than scheme, host and port",
            do="Name the user and the file of its password in their own keys",
        )
    tls = parts.scheme == "mqtts"
    return BrokerAddress(
        host=parts.hostname, port=port or (MQTTS_PORT if tls else MQTT_PORT), tls=tls
    )


def lane_topic(plaza: PlazaId | str, lane: LaneId | str, leaf: str) -> str:
    """Return a lane's topic. *lane* ``+`` makes it a filter over all lanes."""
    return f"toll/{plaza}/{lane}/{leaf}"


def parse_lane_topic(topic: str) -> LaneTopic | None:
    """Return what a topic names, None where it is none of a lane."""
    parts = topic.split("/", 3)
    if len(parts) != 4 or parts[0] != "toll":
        return None
    try:
        return LaneTopic(plaza_id=plaza_id(parts[1]), lane_id=lane_id(parts[2]), leaf=parts[3])
    except ValueError:
        return None
