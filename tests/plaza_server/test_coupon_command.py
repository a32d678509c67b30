"""plaza-server coupons: an issuer's file whole or not at all, and what became of coupons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaza_server.coupon_command import listing, take
from plaza_server.rules.coupon_file import COLUMNS
from plaza_server.rules.coupons import CouponState
from plaza_server.store import open_store
from tests.plaza_server.store.coupon_bench import ask, reserve
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
    (held,) = json.loads(capsys.readouterr().out)["coupons"]
    assert (held["state"], held["amount_fen"]) == ("reserved", 500)
    assert TEXT not in json.dumps(held)
    listing(config, CouponState.OFFERED)
    assert capsys.readouterr().out == ""


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
