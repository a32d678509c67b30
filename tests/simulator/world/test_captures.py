"""The plaza's store is looked into behind each commit: at what no record names, and at no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from plaza_server.store import open_store
from simulator.canaries import CANARIES
from simulator.world.build import build_world, run_world
from simulator.world.captures import CaptureWatch
from simulator.world.heap import Heap
from tests.simulator.world.one_lane import a_world
from tolling.clock import NS_PER_S

PASSAGE = "330101001001000000001"
ORDER = f"{PASSAGE}A01"
NAMES = f'{{"legs":[{{"tender":"cash"}},{{"out_trade_no":"{ORDER}"}}]}}'
OMITS = f'{{"legs":[],"orders":["{ORDER}"]}}'


@contextmanager
def store() -> Iterator[Connection]:
    """Give the connection of an empty plaza's store."""
    opened = open_store("sqlite://")
    try:
        with opened.engine.connect() as connection:
            yield connection
    finally:
        opened.close()


def run(connection: Connection, sql: str, **values: object) -> None:
    """Commit one statement by the driver."""
    connection.connection.cursor().execute(sql, values)


def has_order(connection: Connection, state: str, captured_fen: int) -> None:
    """Put the one order into the store, with an event of it."""
    columns = {
        row[1]: "" if row[2].upper() == "TEXT" else 0
        for row in connection.connection.cursor().execute("PRAGMA table_info(orders)")
    }
    told = {"out_trade_no": ORDER, "passage_id": PASSAGE, "state": state, "toll_fen": 2500}
    values = columns | told | {"captured_fen": captured_fen}
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    run(connection, f"INSERT INTO orders ({names}) VALUES ({marks})", **values)
    has_event(connection)


def has_event(connection: Connection) -> None:
    """Put one more event of the order into the store."""
    run(
        connection,
        "INSERT INTO order_events (out_trade_no, version, event, verdict, from_state, to_state,"
        " why, owner, at_ns, wall_ms) VALUES (:number, 1, '', '', '', '', '', '', 0, 0)",
        number=ORDER,
    )


def has_record(connection: Connection, body: str) -> None:
    """Put the record of its passage into the store."""
    run(
        connection,
        "INSERT INTO records VALUES ('001', 1, 1, :passage, '', '', :body, 0)",
        passage=PASSAGE,
        body=body.encode(),
    )


@pytest.mark.slow
def test_a_capture_the_record_leaves_out_is_written_down_as_it_stands() -> None:
    """Its state, what was captured and what is booked as due; once more with every event of it."""
    heap = Heap(0)
    subject = CaptureWatch(heap)
    with store() as connection:
        has_order(connection, "paid", 2500)
        subject.look(connection)
        assert subject.stood == [], "it may yet be named"
        heap.after(NS_PER_S, lambda: None)
        heap.run_until(NS_PER_S)
        has_record(connection, OMITS)
        subject.look(connection)
        subject.look(connection)
        (stood,) = subject.stood
        assert (stood.at_us, stood.out_trade_no, stood.state) == (1_000_000, ORDER, "paid")
        assert (stood.toll_fen, stood.captured_fen, stood.due_fen) == (2500, 2500, 0)
        assert stood.recorded
        run(connection, "UPDATE orders SET state = 'refund_due'")
        run(
            connection,
            "INSERT INTO transfers VALUES ('t', 'posted', 'suspense', 'refund_due', 2500, :number,"
            " NULL, 0, 0, 's', 1, '')",
            number=ORDER,
        )
        has_event(connection)
        subject.look(connection)
        assert [(each.state, each.due_fen) for each in subject.stood[1:]] == [("refund_due", 2500)]


@pytest.mark.slow
def test_what_a_record_names_or_nobody_captured_is_not_looked_at() -> None:
    """A leg names it; or nothing was captured."""
    for body, captured_fen in ((NAMES, 2500), (OMITS, 0)):
        subject = CaptureWatch(Heap(0))
        with store() as connection:
            has_order(connection, "paid", captured_fen)
            has_record(connection, body)
            subject.look(connection)
        assert subject.stood == []


@pytest.mark.slow
def test_what_is_given_back_without_a_record_is_written_down() -> None:
    """Nobody has said yet how the passage was settled."""
    subject = CaptureWatch(Heap(0))
    with store() as connection:
        has_order(connection, "refund_due", 2500)
        subject.look(connection)
    assert [each.recorded for each in subject.stood] == [False]


@pytest.mark.simulation
def test_a_late_capture_of_a_world_is_due_from_the_first_commit_on() -> None:
    """A driver who pays cash and confirms on the phone as well: due, under way, given back."""
    config = CANARIES["late_capture_due_a_commit_later"].world(1)
    result = run_world(build_world(1, config))
    stood = [each.state for each in result.evidence.captures if each.recorded]
    assert stood == ["refund_due", "refunding", "refunded"]
    assert all(each.due_fen == each.captured_fen for each in result.evidence.captures)


@pytest.mark.simulation
def test_a_world_in_which_everybody_pays_once_has_none() -> None:
    """Every capture is named by its record."""
    assert run_world(a_world("phone_ok", "pays_cash")).evidence.captures == ()
