"""plaza-server coupons: an issuer's file whole or not at all, and what became of coupons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaza_server.coupon_command import held, listing, release, take
from plaza_server.rules.coupon_file import COLUMNS
from plaza_server.rules.coupons import CouponState
from plaza_server.rules.units import GiveEpoch
from plaza_server.store import open_store
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import LANE
from tests.plaza_server.store.coupon_bench import ask, bring, coupon, reserve
from tests.plaza_server.store.test_units import ADD_LANE, do
from tests.plaza_server.test_verify_command import CONFIG
from tolling.coupons import HoldState
from tolling.errors import BadInputError

TEXT = "TLC1" + "A" * 28


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A plaza's file and its database with one lane."""
    path = tmp_path / "plaza.toml"
    path.write_text(CONFIG, encoding="utf-8")
    store = open_store(f"sqlite:///{tmp_path}/plaza.db")
    do(store, ADD_LANE)
    store.close()
    return path


def issuer(folder: Path, *lines: str) -> Path:
    """Write an issuer's file."""
    path = folder / "coupons.csv"
    path.write_text("\n".join((",".join(COLUMNS), *lines)), encoding="utf-8")
    return path


def row(number: str, text: str = TEXT) -> str:
    """Return one coupon of 5 yuan."""
    return f"{number},{text},issuer,coupon_fixed,券,500,0,2026-01-01,2099-12-31,"


@pytest.mark.slow
def test_a_file_is_taken_once_and_listed(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Again it changes nothing; the list says who holds what, and no text of any coupon."""
    file = issuer(tmp_path, row("K-1"))
    take(file, config)
    take(file, config, as_json=True)
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("1 coupons, 1 of them new")
    assert json.loads(said[1]) == {"coupons": 1, "new": 0}
    store = open_store(f"sqlite:///{tmp_path}/plaza.db")
    assert ask(store, reserve(1, of=0)).state is HoldState.RESERVED
    store.close()
    listing(config)
    assert "K-1" in capsys.readouterr().out
    listing(config, CouponState.RESERVED, as_json=True)
    (found,) = json.loads(capsys.readouterr().out)["coupons"]
    assert (found["state"], found["amount_fen"]) == ("reserved", 500)
    assert TEXT not in json.dumps(found)
    listing(config, CouponState.OFFERED)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_what_waits_for_its_record_is_listed_with_what_to_do(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Held by its lane's epoch until the lane is in a newer one; letting go needs a person."""
    store = open_store(f"sqlite:///{tmp_path}/plaza.db")
    bring(store, coupon(1))
    ask(store, reserve(1))
    store.close()
    held(config)
    assert "may still have the journal" in capsys.readouterr().out
    store = open_store(f"sqlite:///{tmp_path}/plaza.db")
    do(store, GiveEpoch(lane_id=LANE, fresh=True, now_ms=EPOCH_MS))
    store.close()
    held(config)
    assert "a shift leader may say release" in capsys.readouterr().out
    held(config, as_json=True)
    (line,) = json.loads(capsys.readouterr().out)["holds"]
    assert (line["coupon_no"], line["amount_fen"], line["held_by"]) == ("K-1", 500, "nothing")
    with pytest.raises(BadInputError, match="nobody's token"):
        release(line["hold_id"], config, "lane box burnt")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ((row("K-1"), row("K-1", "TLC1" + "B" * 28)), "line 3"),
        ((row("=K"),), "line 2"),
    ],
)
def test_a_bad_file_is_refused_whole(
    config: Path, tmp_path: Path, lines: tuple[str, ...], what: str
) -> None:
    """The line is named, and nothing is there afterwards."""
    with pytest.raises(BadInputError, match=what):
        take(issuer(tmp_path, *lines), config)
    with pytest.raises(BadInputError, match="No such file"):
        take(tmp_path / "none.csv", config)
