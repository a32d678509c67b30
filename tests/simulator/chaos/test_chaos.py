"""Two minutes of chaos on real processes: start, faults, rest and audit together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.chaos.actions import DATABASE_KINDS, Kind
from tests.simulator.chaos.running import chaos, figures, still_running

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]
MINUTES = "1.6"


def test_a_plaza_lives_through_every_kind_of_trouble(tmp_path: Path) -> None:
    """Killed, frozen, cut off, filled up: no rule is broken, everything ends, nobody is left."""
    home = tmp_path / "c"
    done = chaos("--minutes", MINUTES, "--seed", "1", "--lanes", "3", "--dir", str(home))
    assert done.returncode == 0, done.stderr[-4_000:]
    subject = figures(done)
    assert not any(subject["violations"].values()), done.stderr[-4_000:]
    assert subject["at_rest"]
    assert subject["open_orders"] == subject["unsent_records"] == 0
    assert subject["vehicles"] >= 30
    tenders = subject["by_tender"]
    assert min(tenders["alipay"], tenders["wechat"], tenders["unionpay"]) >= 1
    assert min(tenders["alipay"] + tenders["wechat"] + tenders["unionpay"], tenders["cash"]) >= 5
    usual = {kind.value for kind in Kind if kind not in DATABASE_KINDS}
    lines = (home / "actions.jsonl").read_text().splitlines()
    actions = [json.loads(line) for line in lines]
    assert {action["kind"] for action in actions} == usual
    assert sum(subject["actions"].values()) >= len(actions) - 4
    restarts = subject["restarts"]
    assert restarts["plaza"] >= 1
    assert restarts["broker"] >= 1
    assert sum(count for name, count in restarts.items() if name.startswith("lane")) >= 1
    assert restarts["site"] == 0
    assert still_running(home) == []
