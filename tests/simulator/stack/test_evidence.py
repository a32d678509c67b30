"""The road's log comes back from the site's JSON as the auditor's values."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plaza_server.store import open_store
from simulator.plant import VehicleId
from simulator.plant.events import (
    BoomMove,
    Contact,
    Display,
    Heading,
    Lamp,
    LogEntry,
    MoveCause,
    Passage,
    PlantEdge,
    Strike,
    StrikeCause,
    What,
)
from simulator.site.views import as_json
from simulator.stack.evidence import gather, log_entry, outside_of, plaza_alarms
from tolling.ids import LaneId
from tolling.inputs import Output

LANE = LaneId("001")
CAR = VehicleId(7)


@pytest.mark.parametrize(
    "entry",
    [
        PlantEdge(at_us=1, lane=LANE, what=What.LOOP_1, on=True, vehicle_id=CAR),
        PlantEdge(at_us=1, lane=LANE, what=What.BOOM_UP, on=False),
        Strike(
            at_us=2,
            lane=LANE,
            vehicle_id=CAR,
            cause=StrikeCause.LOWERED_ON,
            angle_mdeg=5,
            lowering=True,
        ),
        BoomMove(at_us=3, lane=LANE, heading=Heading.UP, cause=MoveCause.PULSE, angle_mdeg=0),
        Contact(at_us=4, lane=LANE, output=Output.RAISE, closed=True, acted=True),
        Lamp(at_us=5, lane=LANE, output=Output.LANE_GREEN, on=True),
        Display(at_us=6, lane=LANE, lines=("35元", "请扫码"), green=False),
        Passage(
            lane=LANE,
            vehicle_id=CAR,
            plate=None,
            nose_us=7,
            tail_us=8,
            nose_mdeg=90,
            least_mdeg=89,
            lane_green=True,
            struck=False,
        ),
    ],
)
def test_every_kind_of_entry_comes_back(entry: LogEntry) -> None:
    """Through JSON and back it is the same value."""
    assert log_entry(json.loads(json.dumps(as_json(entry)))) == entry


def test_every_platforms_books_are_evidence_under_its_name() -> None:
    """Money at one platform proves nothing at another."""
    trade = {
        "out_trade_no": "1A01",
        "captured_fen": 800,
        "refunded_fen": 0,
        "paid_at_ns": 5_000,
        "code_no": 1,
        "buyer_id": "driver-3",
    }
    books = {"wechat": [trade], "unionpay": [{**trade, "out_trade_no": "2A01"}], "alipay": []}
    subject = outside_of(log=[], books=books, memories=[], codes={"codes": [], "borrowed": []})
    found = [(trade.platform, trade.out_trade_no, trade.payer) for trade in subject.trades]
    assert found == [("wechat", "1A01", 3), ("unionpay", "2A01", 3)]


def test_the_plazas_own_alarms_are_heard_from_its_store(tmp_path: Path) -> None:
    """Raised and cleared, in the plant's time; one that stands is not cleared."""
    store = tmp_path / "plaza.db"
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(
            "CREATE TABLE alarms (alarm_no INTEGER PRIMARY KEY, code TEXT, subject TEXT,"
            " what TEXT, raised_ms INTEGER, cleared_ms INTEGER)"
        )
        rows = [(1, "bad_signature", "wechat", "x", 100, 300), (2, "clock_bad", "", "y", 200, None)]
        connection.executemany("INSERT INTO alarms VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
    subject = [
        (tap.at_us, tap.channel, json.loads(tap.text)["code"], json.loads(tap.text)["raised"])
        for tap in plaza_alarms(store, "330101", lambda at_ms: at_ms * 1_000)
    ]
    channel = "toll/330101/plaza/alarm"
    assert subject == [
        (100_000, channel, "bad_signature", True),
        (300_000, channel, "bad_signature", False),
        (200_000, channel, "clock_bad", True),
    ]


@pytest.mark.slow
def test_transfers_and_unread_records_are_evidence(tmp_path: Path) -> None:
    """A transfer says which order it is about; a record in quarantine is unread until it is
    released."""
    path = tmp_path / "plaza.db"
    store = open_store(f"sqlite:///{path}")
    try:
        with store.engine.begin() as connection:
            rows = [("001", 1, 7, "x", 1, None), ("001", 1, 8, "x", 1, 2)]
            connection.exec_driver_sql(
                "INSERT INTO quarantine (lane_id, epoch, seq, why, received_ms, released_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            moved = ("1A01/revenue", "posted", "suspense", "revenue:alipay:p", 8, "1A01")
            connection.exec_driver_sql(
                "INSERT INTO transfers (transfer_id, kind, debit, credit, amount_fen, out_trade_no,"
                " stream, stream_no, at_ns, wall_ms, chain_hash)"
                " VALUES (?, ?, ?, ?, ?, ?, 'b', 1, 1, 1, 'h')",
                moved,
            )
    finally:
        store.close()
    subject = gather(
        outside_of(log=[], books={}, memories=[], codes={"codes": [], "borrowed": []}),
        plaza_store=path,
        journals=[],
        tapped=[],
        restarts=[],
        texts=[],
        at_rest=True,
        misread_plates=False,
    )
    assert subject.unread == {("001", 1, 7)}
    assert [(row.transfer_id, row.out_trade_no) for row in subject.transfers] == [
        ("1A01/revenue", "1A01")
    ]


def test_a_borrowed_code_comes_back_as_two_vehicles() -> None:
    """Buyers are drivers of vehicles; whoever is none is nobody on the road."""
    codes = {
        "codes": ["281234567890123456"],
        "borrowed": [["driver-2", "driver-1"], ["driver-3", "late"]],
    }
    subject = outside_of(log=[], books={}, memories=[], codes=codes)
    assert subject.borrowed == ((2, 1),)
    assert subject.codes == ("281234567890123456",)
