"""Known bugs, planted from outside: a simulation that does not find them proves nothing.

Each canary replaces one production function or one table row before a world is built and puts it
back afterwards; production code has no switch for any of them. A canary names the smallest world in
which it shows, and the rules of which at least one must be broken there. The same world without the
canary is clean: that is tested too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from lane_controller.core import lane as lane_core
from lane_controller.core import presence
from lane_controller.core.draft import Draft
from lane_controller.core.states import Phase
from lane_controller.engine.uplink import Uplink
from plaza_server.engine import Answer, RecordsUploaded
from plaza_server.engine.engine import PlazaEngine
from plaza_server.platforms.alipay import codec
from plaza_server.rules import orders
from plaza_server.rules.order_table import OrderEvent
from plaza_server.rules.outcomes import Refused, Unknown
from simulator.models.faults import Fault, PlatformFault
from simulator.people import BEHAVIOURS, Behaviour, WalletWill
from simulator.world.build import WorldConfig, lane_ids
from simulator.world.faults import (
    PLAZA,
    CommitFate,
    CommitTrouble,
    LineTrouble,
    PlatformTrouble,
    WorldFault,
    lane_name,
)
from simulator.world.streams import Streams
from simulator.world.traffic import make_car
from tolling.chain import anchor_of
from tolling.ids import LaneId, PassageId, PlazaId, make_passage_id
from tolling.inputs import Reading
from tolling.messages import RecordsAnswer
from tolling.orders import NextStep, ReasonCode
from tolling.records import AuthorisedBy

SEEDS_MAX = 200
"""A canary is found within so many seeds, or the simulation is too tame."""


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Let ``owner.name`` be *value* inside the with block."""
    before = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


# ---- the bugs ----


def _lower_on_occupied_loop() -> Any:
    """Nothing counts as occupied: a sick detector, or the very car, does not keep the boom up."""
    return _replaced(Reading, "occupied", property(lambda reading: False))


def _unknown_read_as_refused() -> Any:
    """An answer of the platform that proves nothing is taken as a refusal."""
    honest = codec.read_pay

    def read_pay(*given: Any, **named: Any) -> Any:
        outcome = honest(*given, **named)
        if isinstance(outcome, Unknown):
            return Refused(reason=ReasonCode.PAYMENT_FAILED, next=NextStep.NEW_CODE)
        return outcome

    return _replaced(codec, "read_pay", read_pay)


def _late_capture_booked_as_revenue() -> Any:
    """A capture found after the record named another tender is kept."""
    honest = orders.event_of

    def event_of(*given: Any) -> OrderEvent:
        event = honest(*given)
        return OrderEvent.CAPTURED if event is OrderEvent.CAPTURED_LATE else event

    return _replaced(orders, "event_of", event_of)


def _promise_before_commit() -> Any:
    """The plaza acknowledges records before they are durable."""
    honest = PlazaEngine._take_records

    def take_records(engine: PlazaEngine, given: RecordsUploaded) -> None:
        honest(engine, given)
        answer = RecordsAnswer(anchor=anchor_of(given.upload.records[-1]), refused=None)
        engine._desk.emit(Answer(request_id=given.request_id, value=answer))

    return _replaced(PlazaEngine, "_take_records", take_records)


def _raise_not_bound_to_presence() -> Any:
    """Whoever comes next goes on the authorisation of the one before."""
    honest = presence.begin_presence

    def begin_presence(draft: Draft) -> bool:
        before = draft.state.leaving or draft.state.arriving
        paid = draft.state.passages_total > 0 and before is None
        begun = honest(draft)
        if begun and paid:
            draft.put_passage(authorised_by=AuthorisedBy.TENDER, phase=Phase.RELEASED)
        return begun

    rules = tuple(begin_presence if rule is honest else rule for rule in lane_core.JOINT_RULES)
    return _replaced(lane_core, "JOINT_RULES", rules)


def _order_number_reused() -> Any:
    """The lane counts its passages from 1 again and again."""

    def same_number(*, plaza: PlazaId, lane: LaneId, epoch: int, passage_no: int) -> PassageId:
        number = (passage_no - 1) % 2 + 1
        return make_passage_id(plaza=plaza, lane=lane, epoch=epoch, passage_no=number)

    return _replaced(presence, "make_passage_id", same_number)


def _outbox_popped_before_ack() -> Any:
    """An upload that failed counts as done."""
    honest = Uplink.failed

    def failed(uplink: Uplink) -> int:
        uplink.uploaded_seq = uplink.anchor.seq
        return honest(uplink)

    return _replaced(Uplink, "failed", failed)


# ---- the worlds they show in ----


def _cars(*names: str | Behaviour, lanes: int = 1) -> Callable[[int, tuple[WorldFault, ...]], Any]:
    """Return a maker of worlds with one driver of each kind, 25 s apart."""

    def make(seed: int, faults: tuple[WorldFault, ...]) -> WorldConfig:
        streams = Streams(seed)
        cars = tuple(
            make_car(
                lane=lane_ids(lanes)[number % lanes],
                number=number + 1,
                behaviour=BEHAVIOURS[kind] if isinstance(kind, str) else kind,
                arrives_ms=4_000 + 25_000 * number,
                dice=streams.of(f"car {number}"),
            )
            for number, kind in enumerate(names)
        )
        return WorldConfig(lanes=lanes, cars=cars, faults=faults)

    return make


_CHANGES_AND_CONFIRMS = replace(
    BEHAVIOURS["changes_to_cash"],
    name="changes_and_confirms",
    will=WalletWill.CONFIRMS,
    confirm_us=12_000_000,
)
_LANE = lane_name(lane_ids(1)[0])
_FOUR = ("phone_ok", "phone_ok", "phone_ok", "phone_ok")


def _platform(kind: PlatformFault, times: int, **more: Any) -> WorldFault:
    return PlatformTrouble(at_ms=1_000, fault=Fault(kind=kind, times=times, **more))


def _plaza_disk_fails(seed: int) -> WorldFault:
    at_ms = 15_000 + 500 * (seed % 20)
    return CommitTrouble(
        process=PLAZA, at_ms=at_ms, for_ms=60_000, fate=CommitFate.FAILS, permille=400
    )


def _link_lossy(seed: int) -> WorldFault:
    return LineTrouble(
        line=f"{_LANE}-plaza", at_ms=10_000 + 200 * (seed % 20), for_ms=90_000, lost_permille=300
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One planted bug."""

    name: str
    plant: Callable[[], Any]
    """Returns the context manager that plants it."""
    world: Callable[[int], WorldConfig]
    """Seed -> the world in which it shows."""
    rules: frozenset[str]
    """At least one of them must be broken."""

    @property
    def what(self) -> str:
        """Return the bug in one sentence."""
        return (self.plant.__doc__ or "").strip()


CANARIES: dict[str, Canary] = {
    canary.name: canary
    for canary in (
        Canary(
            name="lower_on_occupied_loop",
            plant=_lower_on_occupied_loop,
            world=lambda seed: _cars("phone_ok", "stalls_under_boom")(seed, ()),
            rules=frozenset({"B1"}),
        ),
        Canary(
            name="unknown_read_as_refused",
            plant=_unknown_read_as_refused,
            world=lambda seed: _cars("phone_ok", "phone_ok")(
                seed, (_platform(PlatformFault.HTTP_5XX, 1, calls=("pay",), carried_out=True),)
            ),
            rules=frozenset({"M4"}),
        ),
        Canary(
            name="late_capture_booked_as_revenue",
            plant=_late_capture_booked_as_revenue,
            world=lambda seed: _cars(_CHANGES_AND_CONFIRMS)(
                seed, (_platform(PlatformFault.CANCEL_LIES, 8),)
            ),
            rules=frozenset({"M1"}),
        ),
        Canary(
            name="promise_before_commit",
            plant=_promise_before_commit,
            world=lambda seed: _cars(*_FOUR)(seed, (_plaza_disk_fails(seed),)),
            rules=frozenset({"M3"}),
        ),
        Canary(
            name="raise_not_bound_to_presence",
            plant=_raise_not_bound_to_presence,
            world=lambda seed: _cars("phone_ok", "phone_ok")(seed, ()),
            rules=frozenset({"B2"}),
        ),
        Canary(
            name="order_number_reused",
            plant=_order_number_reused,
            world=lambda seed: _cars(*_FOUR)(seed, ()),
            rules=frozenset({"M1", "M6"}),
        ),
        Canary(
            name="outbox_popped_before_ack",
            plant=_outbox_popped_before_ack,
            world=lambda seed: _cars(*_FOUR)(seed, (_link_lossy(seed),)),
            rules=frozenset({"M3"}),
        ),
    )
}
"""All planted bugs by name."""


@contextmanager
def planted(name: str) -> Iterator[Canary]:
    """Plant one bug inside the with block. Raises: KeyError: no canary of that name."""
    canary = CANARIES[name]
    with canary.plant():
        yield canary
