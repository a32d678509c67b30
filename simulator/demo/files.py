"""The files of one run: the site's, the plaza's and every lane's, as a person would write them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.broker import Broker, lane_user
from simulator.demo.toml import toml_text
from simulator.models.wallets import ALL_WALLETS
from simulator.plant import LaneGeometry
from tolling.paycodes import Wallet

_NO_MERCHANTS = frozenset({"platform", "control_url"})
"""Facts of a platform that are for testers alone."""
SOCKET_PATH_MAX = 107
"""Bytes of a unix socket's name in Linux."""


class BadPlaceError(Exception):
    """The run's folder cannot be used; one line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything of one run lies."""

    root: Path
    plaza_id: str
    lanes: tuple[str, ...]

    @property
    def broker(self) -> Path:
        """Return the broker's folder."""
        return self.root / "broker"

    @property
    def plaza(self) -> Path:
        """Return the plaza's folder."""
        return self.root / "plaza"

    @property
    def plaza_file(self) -> Path:
        """Return the plaza's TOML file."""
        return self.plaza / "plaza.toml"

    @property
    def plaza_store(self) -> Path:
        """Return the plaza's SQLite file."""
        return self.plaza / "plaza.db"

    @property
    def site_file(self) -> Path:
        """Return the site's JSON file."""
        return self.root / "site.json"

    @property
    def logs(self) -> Path:
        """Return the folder of the children's logs."""
        return self.root / "logs"

    def lane(self, lane: str) -> Path:
        """Return a lane's folder."""
        return self.root / f"lane-{lane}"

    def lane_file(self, lane: str) -> Path:
        """Return a lane's TOML file."""
        return self.lane(lane) / "lane.toml"

    def journal(self, lane: str) -> Path:
        """Return a lane's SQLite file."""
        return self.lane(lane) / "journal.db"

    def socket(self, lane: str) -> Path:
        """Return a lane's operator port."""
        return self.lane(lane) / "operator.sock"

    def make(self) -> None:
        """Make the folders. Raises: BadPlaceError: they cannot be, or a socket's name is too
        long."""
        longest = max(len(os.fsencode(self.socket(lane).absolute())) for lane in self.lanes)
        if longest > SOCKET_PATH_MAX:
            raise BadPlaceError(
                f"{self.root}: too long for the lanes' unix sockets by "
                f"{longest - SOCKET_PATH_MAX} bytes; choose a shorter --dir"
            )
        used = (self.plaza, self.broker, *map(self.lane, self.lanes))
        if any(path.exists() for path in used):
            raise BadPlaceError(f"{self.root}: holds an earlier run; choose another --dir")
        try:
            for path in (self.root, self.logs, *map(self.lane, self.lanes)):
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise BadPlaceError(f"{self.root}: {error.strerror}") from None


def write_site(layout: Layout, *, seed: int, wallets: Sequence[Wallet] = ALL_WALLETS) -> None:
    """Write the site's file: as many lanes, all on their usual wires, drivers with these wallets in
    turn."""
    config = {
        "run_dir": str(layout.root / "site"),
        "lanes": [{"lane_id": lane} for lane in layout.lanes],
        "seed": seed,
        "wallets": list(wallets),
    }
    layout.site_file.write_text(json.dumps(config, indent=1), encoding="utf-8")


def finish_plaza(
    layout: Layout, *, broker: Broker, mqtt_port: int, platforms: Mapping[str, Mapping[str, Any]]
) -> None:
    """Add broker and platforms to the file that ``plaza-server init`` wrote, and say it is a
    simulation.

    Args:   platforms: what each simulated platform says of itself, by name.
    """
    password = layout.plaza / "keys" / "broker.password"
    write_secret(password, broker.users["plaza"].password)
    text = layout.plaza_file.read_text(encoding="utf-8")
    text = text.replace("[plaza]\n", "[plaza]\nsimulation = true\n", 1)
    mqtt = {
        "url": f"mqtt://127.0.0.1:{mqtt_port}",
        "user": "plaza",
        "password_file": "keys/broker.password",
    }
    tables = {name: platform_table(facts) for name, facts in platforms.items()}
    more = toml_text({"mqtt": mqtt, "platforms": tables})
    layout.plaza_file.write_text(f"{text}\n{more}", encoding="utf-8")


def platform_table(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ``[platforms.<name>]`` by what the simulated platform says of itself.

    Args:   facts: in the plaza file's own names, ``_file`` behind those of files; Alipay's gateway
            is called ``url``.
    """
    return {
        "gateway_url" if key == "url" else key.removesuffix("_file"): value
        for key, value in facts.items()
        if key not in _NO_MERCHANTS
    }


def fix_plaza_port(layout: Layout, url: str) -> None:
    """Have the plaza take the same port again when it is started again."""
    port = url.rsplit(":", 1)[1].strip("/")
    text = layout.plaza_file.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^port = \d+$", f"port = {port}", text, count=1)
    layout.plaza_file.write_text(text, encoding="utf-8")


def write_lane(
    layout: Layout,
    lane: str,
    *,
    devices: Mapping[str, Any],
    plaza_url: str,
    token: str,
    public_file: Path,
    broker: Broker,
    mqtt_port: int,
) -> None:
    """Write one lane's file and the secrets it names.

    Args:   devices: the ``[devices]`` that fit the site's wires, as the site tells them.
    """
    home = layout.lane(lane)
    user = broker.users[lane_user(lane)]
    write_secret(home / "plaza.token", token)
    write_secret(home / "broker.password", user.password)
    geometry = LaneGeometry()
    tables = {
        "lane": {
            "plaza_id": layout.plaza_id,
            "lane_id": lane,
            "journal": layout.journal(lane).name,
            "attended": True,
            "loop_gap_mm": geometry.loop_2.start_mm - geometry.loop_1.end_mm,
        },
        "plaza": {
            "url": plaza_url,
            "token_file": "plaza.token",
            "key_file": os.path.relpath(public_file, home),
        },
        "broker": {
            "url": f"mqtt://{user.name}@127.0.0.1:{mqtt_port}",
            "password_file": "broker.password",
        },
        "operator": {"socket": layout.socket(lane).name},
        "devices": dict(devices),
    }
    head = "A lane of the demo. Point the URLs at real ports and it runs a real lane."
    layout.lane_file(lane).write_text(toml_text(tables, head=head), encoding="utf-8")


def lane_names(count: int) -> tuple[str, ...]:
    """Return the numbers of *count* lanes."""
    return tuple(f"{number:03d}" for number in range(1, count + 1))


def write_secret(path: Path, text: str) -> None:
    """Write a file for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
