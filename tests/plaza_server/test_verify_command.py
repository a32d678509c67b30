"""plaza-server verify: what it says, and where it says it beside a running plaza."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from plaza_server.rules.units import TakeRecords
from plaza_server.rules.verify import BadRow
from plaza_server.store import commit_group, open_store
from plaza_server.store.verify import Proved
from plaza_server.verify_command import verify
from tests.plaza_server.plaza_bench import CASH_LEG, Chain, record
from tests.plaza_server.plaza_process import command, made, spawned
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import ADD_LANE, LEASE
from tolling.errors import BadInputError

CONFIG = """\
[plaza]
id = "310101"
name = "东站"
[store]
url = "sqlite:///plaza.db"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A plaza's file and its database with one cash passage."""
    path = tmp_path / "plaza.toml"
    path.write_text(CONFIG, encoding="utf-8")
    store = open_store(f"sqlite:///{tmp_path}/plaza.db")
    sealed = Chain().seal(record(1, legs=(CASH_LEG,)))
    taken = TakeRecords(lane_id=sealed.lane_id, records=(sealed,), lease=LEASE, at=AT)
    for unit in (ADD_LANE, taken):
        (done,) = commit_group(store.engine, [[unit]])
        assert not isinstance(done, Exception)
    store.close()
    return path


def spoil(folder: Path) -> None:
    """Change a transfer by hand, as nobody may."""
    base = sqlite.connect(folder / "plaza.db")
    base.execute("DROP TRIGGER transfers_no_update")
    base.execute("UPDATE transfers SET amount_fen = 1")
    base.commit()
    base.close()


def test_good_books_are_told_with_counts(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people by lines, for programs as one object; both say how much was proved."""
    assert verify(config, store="", as_json=False)
    said = capsys.readouterr().out
    assert re.search(r"^ +1 sealed records", said, re.MULTILINE)
    assert re.search(r"^ +2,550 fen on cash_lane:001$", said, re.MULTILINE)
    assert said.endswith("proved: nothing in these books is wrong\n")
    assert verify(config, store="", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["problems"], told["bad"]) == (0, None)
    assert told["proved"]["legs"] == told["proved"]["transfers"] == 1
    assert told["balances_fen"] == {"cash_lane:001": 2550, "revenue:cash:310101": -2550}
    assert set(told["proved"]) == set(Proved.__slots__) - {"balances_fen"}


def test_the_first_bad_row_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Table, key and what is wrong; never called proved."""
    spoil(config.parent)
    assert not verify(config, store="", as_json=False)
    where = "BAD M5: transfers 001/001/1/leg/1: "
    assert capsys.readouterr().out.startswith(where)
    assert not verify(config, store="", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert set(told["bad"]) == set(BadRow.__slots__)
    assert (told["problems"], told["bad"]["key"]) == (1, "001/001/1/leg/1")
    assert "proved" not in told


def test_another_store_is_proved_in_its_place(config: Path, tmp_path: Path) -> None:
    """A restored backup, and one that is not there."""
    spoil(config.parent)
    good = tmp_path / "restored.db"
    store = open_store(f"sqlite:///{good}")
    store.close()
    assert verify(config, store=f"sqlite:///{good}", as_json=True)
    with pytest.raises(BadInputError, match="cannot be read"):
        verify(config, store=f"sqlite:///{tmp_path}/nowhere.db", as_json=True)


@pytest.mark.wire
@pytest.mark.slow
@pytest.mark.asyncio
async def test_it_runs_beside_a_running_plaza_and_exits_1_on_a_bad_row(tmp_path: Path) -> None:
    """Nothing is locked; the plaza goes on."""
    said = await made(tmp_path, "http://127.0.0.1:9/gateway.do")
    process, _ = await spawned(tmp_path)
    try:
        code, out, errors = await command("verify", "--config", said["config"], "--json")
        assert (code, json.loads(out)["problems"]) == (0, 0), errors
        assert process.returncode is None
    finally:
        process.terminate()
        assert await process.wait() == 0
    base = sqlite.connect(tmp_path / "plaza.db")
    base.execute("INSERT INTO ledger_streams VALUES ('gone', 5, 'x')")
    base.commit()
    base.close()
    code, out, _ = await command("verify", "--config", said["config"])
    assert (code, out.startswith("BAD M5: ledger_streams gone: ")) == (1, True)
    code, _, errors = await command(
        "verify", "--config", said["config"], "--store", "sqlite:////nowhere/plaza.db"
    )
    assert (code, errors.count("\n")) == (2, 1)
