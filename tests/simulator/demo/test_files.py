"""The plaza's file of a run: every simulated platform is in it as the plaza wants it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from plaza_server.config import PlazaConfig, load_config
from simulator.broker import Broker, prepare
from simulator.demo.files import Layout, finish_plaza, platform_table
from simulator.platforms.clock import RealClock
from simulator.platforms.hosts import HOSTS, Setup
from tolling.paycodes import Wallet

BASE = '[plaza]\nid = "330101"\nname = "x"\n\n[store]\nurl = "sqlite:///plaza.db"\n'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Give a run's folder with the file that ``plaza-server init`` leaves."""
    subject = Layout(root=tmp_path / "r", plaza_id="330101", lanes=("001",))
    subject.make()
    subject.plaza.mkdir()
    subject.plaza_file.write_text(BASE, encoding="utf-8")
    return subject


def broker_of(layout: Layout) -> Broker:
    """Return the broker's accounts of a run."""
    return prepare(layout.broker, plaza_id=layout.plaza_id, lanes=layout.lanes)


@pytest.mark.slow
def test_the_plaza_takes_all_three_platforms_as_they_say_of_themselves(
    layout: Layout, tmp_path: Path
) -> None:
    """The plaza's own reader finds nothing wrong, every key file is there, each wallet has a
    platform, and it is said that no real money moves."""
    setup = Setup(keys_dir=tmp_path / "keys", clock=RealClock(), wechat_mode="public_key")
    facts = {name: host(setup)[1].opened("http://127.0.0.1:9") for name, host in HOSTS.items()}
    finish_plaza(layout, broker=broker_of(layout), mqtt_port=1883, platforms=facts)
    subject: PlazaConfig = load_config(layout.plaza_file)
    assert subject.plaza.simulation
    assert {wallet for wallet, _ in subject.platforms.enabled()} == set(Wallet)
    tables = tomllib.loads(layout.plaza_file.read_text(encoding="utf-8"))["platforms"]
    files = [value for table in tables.values() for value in table.values() if "/keys/" in value]
    assert len(files) >= 9
    assert all(Path(file).is_file() for file in files)


def test_what_is_for_testers_is_not_in_the_plazas_file() -> None:
    """The control API hands out money: the plaza does not know where it is."""
    facts = {"platform": "alipay", "url": "u", "x_file": "f", "y": 1, "control_url": "c"}
    assert platform_table(facts) == {"gateway_url": "u", "x": "f", "y": 1}
