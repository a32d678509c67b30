"""A run's money judged lane by lane: the same rows, the same breaches as in one piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from simulator.auditor import Evidence, audit
from simulator.models.etc_reader import Tag
from simulator.world.build import run_world
from simulator.world.ledgers import Slices
from simulator.world.world import World
from tests.simulator.world.one_lane import a_world
from tolling.clock import NS_PER_S
from tolling.ids import LaneId

pytestmark = [pytest.mark.simulation, pytest.mark.slow]
KINDS = ("phone_ok", "pays_etc", "pays_cash", "phone_ok", "pays_etc", "pays_cash")
"""Dealt over two lanes: of each tender one at the least, and three records in each chain."""
RULES = ("M1", "M2", "M4", "M5", "M6")
_FIELDS = ("trades", "lane_records", "plaza_records", "orders", "transfers", "debits", "etc_dues")
_ORDER = "(SELECT min(out_trade_no) FROM orders)"
_SECOND = "lane_id = '002' AND seq = 2"
_OTHERS = "(SELECT body FROM records WHERE lane_id = '001' AND seq = 2)"
WRONGS = {
    "undecided": ("M2", f"UPDATE orders SET state = 'unknown' WHERE out_trade_no = {_ORDER}"),
    "kept": ("M4", f"UPDATE orders SET state = 'closed' WHERE out_trade_no = {_ORDER}"),
    "amount": ("M5", "UPDATE transfers SET amount_fen = 1 + amount_fen WHERE kind = 'post'"),
    "account": ("M5", "UPDATE transfers SET credit = 'pocket' WHERE kind = 'posted'"),
    "tag": ("M1", "DELETE FROM transfers WHERE debit = 'etc'"),
    "gap": ("M6", f"DELETE FROM records WHERE {_SECOND}"),
    "bytes": ("M6", f"UPDATE records SET body = replace(body, '2', '3') WHERE {_SECOND}"),
    "no lane": ("M5", "UPDATE transfers SET transfer_id = 'zz/' || transfer_id, amount_fen = 0"),
    "other lane": (
        "M6",
        f"UPDATE records SET body = {_OTHERS} WHERE {_SECOND}",
    ),
    "lost order": ("M4", f"UPDATE orders SET out_trade_no = 'zz' WHERE out_trade_no = {_ORDER}"),
}
"""How a row of the plaza may be wrong: the rule it breaks, and the statement that does it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that is over, and a copy of its plaza's store."""

    world: World
    slices: Slices
    """One reader's debit is in the file, the other's in its books."""
    copy: sqlite.Connection


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """Two lanes whose vehicles have paid and left; run once, for it is read only."""
    world = a_world(*KINDS, lanes=2)
    assert run_world(world).at_rest
    path = tmp_path_factory.mktemp("ledgers") / "debits.db"
    with closing(Slices(world, path)) as slices, closing(sqlite.connect(":memory:")) as copy:
        slices.take_debits(60 * NS_PER_S)
        assert len(list(world.site.tag_charges())) == 1
        raw_of(world).backup(copy)
        yield Ended(world=world, slices=slices, copy=copy)


@pytest.fixture
def world(ended: Ended) -> Iterator[World]:
    """The world, whose store may be falsified: it is as it was for the next."""
    yield ended.world
    ended.copy.backup(raw_of(ended.world))


@pytest.fixture
def subject(ended: Ended) -> Slices:
    """Its money."""
    return ended.slices


def raw_of(world: World) -> sqlite.Connection:
    """Return the connection to a plaza's store in memory; it has this one."""
    pooled = world.plaza_store.engine.raw_connection()
    try:
        connection = pooled.driver_connection
    finally:
        pooled.close()
    assert isinstance(connection, sqlite.Connection)
    return connection


def falsify(world: World, statement: str) -> None:
    """Change rows of the plaza's store that it never lets be changed."""
    raw = raw_of(world)
    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        raw.execute(f'DROP TRIGGER "{name}"')
    raw.execute("PRAGMA ignore_check_constraints = ON")
    raw.execute("PRAGMA foreign_keys = OFF")
    assert raw.execute(statement).rowcount > 0


def breaches(pieces: Iterable[Evidence]) -> Counter[str]:
    """Return how often each rule of stores is broken, in all pieces together."""
    found = [finding.rule for piece in pieces for finding in audit(piece).findings]
    return Counter(rule for rule in found if rule in RULES)


def test_the_slices_together_hold_every_row_once(world: World, subject: Slices) -> None:
    """One slice for each lane, each with records, orders and transfers, and none is left out."""
    whole = subject.whole(at_rest=True)
    pieces = list(subject.cut(at_rest=True))
    assert len(pieces) == len(world.lanes)
    for field in _FIELDS:
        rows = [row for piece in pieces for row in getattr(piece, field)]
        assert sorted(map(repr, rows)) == sorted(map(repr, getattr(whole, field))), field
        assert rows or field == "etc_dues"
    assert all(piece.orders and piece.transfers and piece.plaza_records for piece in pieces)
    assert breaches(pieces) == breaches([whole]) == Counter()


@pytest.mark.parametrize("name", WRONGS)
def test_a_wrong_row_is_found_lane_by_lane_as_in_one_piece(
    name: str, world: World, subject: Slices
) -> None:
    """Whatever is falsified at the plaza breaks the same rules either way."""
    rule, statement = WRONGS[name]
    falsify(world, statement)
    found = breaches(subject.cut(at_rest=True))
    assert found[rule] > 0, found
    assert found.keys() >= breaches([subject.whole(at_rest=True)]).keys()


@pytest.mark.parametrize("name", ["no lane", "other lane", "lost order"])
def test_rows_of_no_lane_or_of_two_are_judged_in_one_piece(
    name: str, world: World, subject: Slices
) -> None:
    """A row that no slice would hold, or that two would have to, is never cut off."""
    falsify(world, WRONGS[name][1])
    (piece,) = subject.cut(at_rest=True)
    assert breaches([piece]) == breaches([subject.whole(at_rest=True)])


def test_what_moves_for_a_tag_is_its_lanes(world: World, subject: Slices) -> None:
    """A transfer of a debit owed back has a number of its own kind, and is cut all the same."""
    owed = "UPDATE transfers SET transfer_id = 'etc/' || transfer_id WHERE kind = 'pending'"
    falsify(world, owed)
    pieces = list(subject.cut(at_rest=True))
    assert len(pieces) == len(world.lanes)
    for piece in pieces:
        assert any(each.transfer_id.startswith("etc/") for each in piece.transfers)


def test_a_debit_no_record_names_is_found_in_a_closed_book(tmp_path: Path) -> None:
    """What a reader took is held against the lane also when its books were closed since."""
    world = a_world("pays_etc")
    assert run_world(world).at_rest
    reader = world.models[LaneId("001")].etc
    reader.tag_enters(Tag(tag_id="tag-99", balance_fen=5_000))
    reader.charge(
        reference="320200001001000000099",
        tag_id="tag-99",
        amount_fen=1,
        now_ns=world.heap.now_ns,
    )
    reader.tag_leaves("tag-99")
    with closing(Slices(world, tmp_path / "debits.db")) as subject:
        subject.take_debits(world.heap.now_ns + NS_PER_S)
        assert list(world.site.tag_charges()) == []
        assert breaches(subject.cut(at_rest=True)) == Counter(M1=1)


def test_a_run_with_coupons_is_judged_in_one_piece(tmp_path: Path) -> None:
    """A coupon may be held up in two lanes: no lane sees both."""
    world = a_world("coupon_fixed", "phone_ok", lanes=2)
    assert run_world(world).at_rest
    with closing(Slices(world, tmp_path / "debits.db")) as subject:
        (piece,) = subject.cut(at_rest=True)
    assert (len(piece.coupons), len(piece.coupon_rows)) == (1, 1)
    assert breaches([piece]) == Counter()
