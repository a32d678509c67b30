"""Bugs in the lane's core and engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from lane_controller.core import commands as cmd
from lane_controller.core import conditions, identify, interlock, people, presence, tables, tags
from lane_controller.core import events as ev
from lane_controller.core import lane as lane_core
from lane_controller.core.draft import Draft
from lane_controller.core.states import Boom, Phase
from lane_controller.engine import effects as fx
from lane_controller.engine import engine as engine_module
from lane_controller.engine import inputs as inp
from lane_controller.engine.calls import is_lower
from lane_controller.engine.engine import LaneEngine
from lane_controller.engine.uplink import Uplink
from simulator.canaries.planting import both, replaced, replaced_row
from tolling import tariffs
from tolling.chain import Anchor, SealedRecord, anchor_of
from tolling.clock import NS_PER_S, WallTime
from tolling.ids import LaneId, PassageId, PlazaId, make_passage_id
from tolling.inputs import Reading
from tolling.messages import OperatorAction, OperatorCommand
from tolling.paycodes import PayCode, PayCodeRef
from tolling.records import AuthorisedBy
from tolling.tariffs import Quote, TariffSet

YUAN_FEN = 100
STALE_NS = 3 * NS_PER_S
"""The boom is down and nobody in the lane so long: no order about a vehicle can be meant now."""


def lower_on_occupied_loop() -> AbstractContextManager[None]:
    """Nothing counts as occupied: a sick detector, or the very car, does not keep the boom up."""
    return replaced(Reading, "occupied", property(lambda reading: False))


def raise_not_bound_to_presence() -> AbstractContextManager[None]:
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
    return replaced(lane_core, "JOINT_RULES", rules)


def debit_forgotten() -> AbstractContextManager[None]:
    """What a tag gave for a vehicle that backed out is named by no record."""
    return replaced(tags, "owed_back", lambda passage, named: ())


def order_number_reused() -> AbstractContextManager[None]:
    """The lane counts its passages from 1 again and again."""

    def same_number(*, plaza: PlazaId, lane: LaneId, epoch: int, passage_no: int) -> PassageId:
        number = (passage_no - 1) % 2 + 1
        return make_passage_id(plaza=plaza, lane=lane, epoch=epoch, passage_no=number)

    return replaced(presence, "make_passage_id", same_number)


def numbers_begin_again() -> AbstractContextManager[None]:
    """A lane that is started again numbers its passages from 1."""
    honest = interlock.started

    def started(draft: Draft) -> None:
        honest(draft)
        draft.put(next_passage_no=1)

    rows = {boom: tables.Go(started, frozenset({Boom.UNKNOWN})) for boom in Boom}
    return replaced_row(_rows_of(tables.Machine.INTERLOCK), ev.Started, rows)


def outbox_popped_before_ack() -> AbstractContextManager[None]:
    """An upload that failed counts as done."""
    honest = Uplink.failed

    def failed(uplink: Uplink) -> int:
        uplink.uploaded_seq = uplink.anchor.seq
        return honest(uplink)

    return replaced(Uplink, "failed", failed)


def _rows_of(machine: tables.Machine) -> Any:
    """Return one machine's table, to be changed in place."""
    return tables.TABLES[machine]


def raise_on_start() -> AbstractContextManager[None]:
    """A lane that starts raises its boom, to be on the safe side."""
    honest = interlock.started

    def started(draft: Draft) -> None:
        honest(draft)
        draft.emit(cmd.RaiseBoom(reason=cmd.RaiseReason.SAFETY, passage_id=None))

    rows = {boom: tables.Go(started, frozenset({Boom.UNKNOWN})) for boom in Boom}
    return replaced_row(_rows_of(tables.Machine.INTERLOCK), ev.Started, rows)


def lower_on_start() -> AbstractContextManager[None]:
    """A lane that starts brings its boom down first of all, and nobody asks again whether to."""
    honest, honest_too_late = interlock.started, LaneEngine._too_late

    def started(draft: Draft) -> None:
        honest(draft)
        draft.emit(cmd.LowerIfClear())

    def too_late(engine: LaneEngine, effect: fx.Effect) -> bool:
        return not is_lower(effect) and honest_too_late(engine, effect)

    rows = {boom: tables.Go(started, frozenset({Boom.UNKNOWN})) for boom in Boom}
    return both(
        replaced_row(_rows_of(tables.Machine.INTERLOCK), ev.Started, rows),
        replaced(LaneEngine, "_too_late", too_late),
    )


def chain_skips_a_record() -> AbstractContextManager[None]:
    """Every third record is sealed as if one more stood before it."""

    def skipping(sealed: SealedRecord) -> Anchor:
        anchor = anchor_of(sealed)
        return replace(anchor, seq=anchor.seq + 1) if anchor.seq % 3 == 0 else anchor

    return replaced(engine_module, "anchor_of", skipping)


def code_kept_in_clear() -> AbstractContextManager[None]:
    """The keyed hash of a pay code is the code itself, and goes into the journal."""
    honest = PayCode.ref

    def ref(code: PayCode, key: bytes) -> PayCodeRef:
        return replace(honest(code, key), keyed_hash=code.reveal())

    return replaced(PayCode, "ref", ref)


def echo_taken_for_motion() -> AbstractContextManager[None]:
    """A boom that was told to rise counts as up."""
    honest = interlock.raise_boom

    def raise_boom(draft: Draft, *given: Any, **named: Any) -> None:
        honest(draft, *given, **named)
        if draft.state.boom is Boom.RAISING:
            draft.put(boom=Boom.UP)

    return replaced(interlock, "raise_boom", raise_boom)


def raises_once_more() -> AbstractContextManager[None]:
    """A boom that has just come down by command goes up once more, for nobody."""
    honest = interlock._reached_down

    def reached_down(draft: Draft) -> None:
        lowering = draft.state.boom is Boom.LOWERING
        honest(draft)
        if lowering:
            draft.emit(cmd.RaiseBoom(reason=cmd.RaiseReason.SAFETY, passage_id=None))

    return replaced(interlock, "_reached_down", reached_down)


def paid_and_not_raised() -> AbstractContextManager[None]:
    """A vehicle that has paid is told so, and its boom stays down until a person raises it."""
    honest = interlock.raise_boom

    def raise_boom(draft: Draft, reason: cmd.RaiseReason, *given: Any, **named: Any) -> None:
        if reason is not cmd.RaiseReason.TENDER:
            honest(draft, reason, *given, **named)

    return replaced(interlock, "raise_boom", raise_boom)


def cash_not_now() -> AbstractContextManager[None]:
    """Whoever wants to pay cash is put off, again and again."""
    later = {**people.HANDLERS, OperatorAction.CASH_BEGIN: lambda draft, order: "not_now"}
    return replaced(people, "HANDLERS", later)


def toll_a_yuan_too_high() -> AbstractContextManager[None]:
    """Every toll is one yuan more than its row says, from the quote to the record."""

    def quote(tariff: TariffSet, **named: Any) -> Quote:
        quoted = tariffs.quote(tariff, **named)
        if quoted.toll_due_fen == 0:
            return quoted
        return replace(quoted, toll_due_fen=quoted.toll_due_fen + YUAN_FEN)

    return replaced(identify, "quote", quote)


def tariff_before_its_time() -> AbstractContextManager[None]:
    """The newest tariff in the lane counts from the moment it is there."""

    def in_force(sets: Sequence[TariffSet], *, current: TariffSet, now: WallTime) -> TariffSet:
        return max(sets, key=lambda each: each.version)

    return replaced(conditions, "in_force", in_force)


def raise_obeyed_for_another() -> AbstractContextManager[None]:
    """A raise that comes when its vehicle has left is obeyed for the one that stands there."""
    honest = LaneEngine._dispatch
    waiting: dict[LaneId, OperatorCommand] = {}

    def dispatch(engine: LaneEngine, what: inp.Input) -> None:
        lane = engine.state.config.lane_id
        if isinstance(what, inp.PersonOrdered) and what.command.action is OperatorAction.RAISE:
            waiting[lane] = what.command
        honest(engine, what)
        here, late = engine.state.arriving, waiting.get(lane)
        if here is None or late is None or here.phase is not Phase.TENDER:
            return
        if late.passage_id != here.passage_id:
            del waiting[lane]
            again = f"{late.command_id}-again"
            told = replace(late, command_id=again, passage_id=here.passage_id)
            honest(engine, inp.PersonOrdered(command=told))

    return both(
        replaced(LaneEngine, "_stale", lambda engine, command: False),
        replaced(LaneEngine, "_dispatch", dispatch),
    )


def violator_authorised() -> AbstractContextManager[None]:
    """Whoever drives through goes down as one who has paid."""
    honest = presence._leave_window

    def leave_window(draft: Draft, *, holds_loop_1: bool) -> None:
        if not draft.passage.released:
            draft.put_passage(authorised_by=AuthorisedBy.TENDER)
        honest(draft, holds_loop_1=holds_loop_1)

    return replaced(presence, "_leave_window", leave_window)


def stale_command_obeyed() -> AbstractContextManager[None]:
    """A remote raise is obeyed once more when its vehicle is long gone and the boom is down."""
    honest_refusal, honest_dispatch = people._refusal, LaneEngine._dispatch
    waiting: dict[LaneId, OperatorCommand] = {}
    busy_ns: dict[LaneId, int] = {}

    def refusal(draft: Draft, order: OperatorCommand) -> str:
        refused = honest_refusal(draft, order)
        return "" if _far_raise(order) and refused in ("stale", "no_vehicle") else refused

    def dispatch(engine: LaneEngine, what: inp.Input) -> None:
        lane = engine.state.config.lane_id
        if isinstance(what, inp.Start):
            waiting.pop(lane, None)
        honest_dispatch(engine, what)
        if engine.state.boom is not Boom.DOWN or not engine.state.empty:
            busy_ns[lane] = engine._at_ns
        if isinstance(what, inp.PersonOrdered) and _far_raise(what.command):
            again = f"{what.command.command_id}-again"
            waiting[lane] = replace(what.command, command_id=again)
        elif lane in waiting and engine._at_ns - busy_ns.get(lane, 0) > STALE_NS:
            honest_dispatch(engine, inp.PersonOrdered(command=waiting.pop(lane)))

    return both(
        replaced(LaneEngine, "_stale", lambda engine, command: False),
        both(replaced(LaneEngine, "_dispatch", dispatch), replaced(people, "_refusal", refusal)),
    )


def _far_raise(order: OperatorCommand) -> bool:
    return order.action is OperatorAction.RAISE and not order.local
