"""Helper: a lane's journal made by driving the engine by hand, without a shell."""

from __future__ import annotations

from lane_controller.core import journalled as row
from lane_controller.core.states import LaneConfig
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.engine.engine import LaneEngine
from lane_controller.engine.recovery import recover
from lane_controller.store import LaneStore
from tolling.clock import NS_PER_MS, ClockQuality, WallTime
from tolling.ids import BootId, LaneId, PassageId, PlazaId
from tolling.inputs import Point
from tolling.messages import LaneNotice
from tolling.records import AuthorisedBy, PassageEnd, PassageRecord, UnpaidReason
from tolling.vehicles import VehicleClass, VehicleKind

PLAZA = PlazaId("330101")
LANE = LaneId("001")
UTC_MS = 1_795_000_000_000
CONFIG = LaneConfig(
    plaza_id=PLAZA,
    lane_id=LANE,
    attended=True,
    under_boom=frozenset({Point.LOOP_2}),
    devices=frozenset({"barrier", "inputs", "lamps", "display", "voice", "scanner", "camera"}),
)


def wall(utc_ms: int = UTC_MS) -> WallTime:
    """Return a good wall clock."""
    return WallTime(utc_ms=utc_ms, quality=ClockQuality.SYNCED)


def record(number: int, utc_ms: int = UTC_MS) -> PassageRecord:
    """Return the record of an unpaid passage."""
    return PassageRecord(
        plaza_id=PLAZA,
        lane_id=LANE,
        epoch=1,
        passage_id=PassageId(f"330101001001{number:09d}"),
        boot_id=BootId("b1"),
        arrived=wall(utc_ms),
        sealed=wall(utc_ms),
        dwell_ms=0,
        end=PassageEnd.BACKED_OUT,
        authorised_by=AuthorisedBy.NOBODY,
        unpaid_reason=UnpaidReason.BACKED_OUT,
        plate=None,
        plate_read=None,
        vehicle_class=VehicleClass.CAR_1,
        vehicle_kind=VehicleKind.NORMAL,
        quote=None,
        toll_due_fen=0,
        legs=(),
        orders=(),
        attended=True,
        degraded=(),
        remarks=(),
        operator=None,
        operator_reason=None,
    )


def notice(number: int) -> LaneNotice:
    """Return one notice."""
    return LaneNotice(
        lane_id=LANE, boot_id=BootId("b1"), number=number, utc_ms=UTC_MS, name="started"
    )


def event_row(number: int, segment: int = 1, at_ns: int | None = None) -> row.AppendEvent:
    """Return one event row; its body is not looked at by the store."""
    return row.AppendEvent(
        segment=segment,
        number=number,
        at_ns=at_ns if at_ns is not None else number,
        body=b"{}",
        digest="0" * 64,
    )


def segment_row(number: int, utc_ms: int = UTC_MS) -> row.OpenSegment:
    """Return the beginning of a segment."""
    return row.OpenSegment(
        segment=number, core_version="1", config_hash="c", opened_utc_ms=utc_ms, snapshot=b"{}"
    )


def drive(store: LaneStore, *facts: inp.Input, boot: str = "b1") -> LaneEngine:
    """Start an engine on *store*, give it *facts* 10 ms apart, commit what it asks for."""
    engine = LaneEngine(recover(CONFIG, store.image()))
    at_ns = store.last_at_ns()
    start = inp.Start(boot_id=BootId(boot), downtime_ms=None)
    for what in (start, *facts):
        at_ns += 10 * NS_PER_MS
        todo = engine.on(inp.Stamped(at_ns=at_ns, wall=wall(), what=what))
        while commits := [each for each in todo if isinstance(each, fx.Commit)]:
            store.commit(commits[0].units)
            done = inp.Committed(commit_id=commits[0].commit_id)
            todo = engine.on(inp.Stamped(at_ns=at_ns, wall=wall(), what=done))
    return engine
