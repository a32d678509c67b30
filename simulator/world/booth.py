"""The people beside the road: the attendant in the booth, and whoever is called for help.

The attendant takes cash by the lane's local operator port. The helper is the shift leader's eye: a
vehicle the lane holds for a person, or that stands far too long, is let through with a reason, and
a lane that set itself aside is reset. After a restart the attendant says whether the vehicle at the
window is the one from before: that is seen with the eyes. Otherwise both act on what the port
shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from simulator.people import (
    Attendant,
    AttendantIntent,
    AttendantWake,
    CashBegin,
    CashTaken,
    LaneSays,
    TakeMoney,
)
from simulator.world.clock import us
from simulator.world.heap import Heap
from simulator.world.lane_process import LaneProcess
from tolling.canonical import canonical_bytes
from tolling.clock import NS_PER_S
from tolling.ids import BootId, PassageId
from tolling.messages import (
    CommandOutcome,
    CommandResult,
    LaneSnapshot,
    OperatorAction,
    OperatorCommand,
)
from tolling.records import Tender

HELP_LOOKS_NS = NS_PER_S
HELD_MS = 4_000
"""A vehicle the lane holds for a person is helped after this."""
DROVE_UP_MS = 3_000
"""Who comes onto loop 1 stands at the window by then, with a second between two looks."""
TICKET_MS = 2_000
"""The attendant has read the driver's entry ticket after this."""
NOBODY_KNOWS = "*"
"""Entered where the driver has no ticket."""
STUCK_MS = 110_000
"""A vehicle that stands longer than any tender takes is let through by hand."""
LETS_THROUGH = frozenset({OperatorAction.RAISE, OperatorAction.ARREARS})
OPERATOR = "attendant"
HELPER = "shift leader"
_RETRY = {"wait_for_phone_answer", "not_priced", "stale", "no_vehicle", "cash_not_begun"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoothOutside:
    """What the booth sees and does beside the lane's port."""

    at_window: Callable[[], int | None]
    """Which vehicle stands at the window."""
    ticket: Callable[[int], str | None]
    """Which entry station a driver's ticket names; None: he has none."""
    money: Callable[[int, int], None]
    """(vehicle_id, fen) changes hands; below 0 it goes back."""
    remote: Callable[[str, Callable[[], None]], None] | None = None
    """Publishes a command at the broker, which delivers it at least once, late, or not at all."""
    remote_dice: Random | None = None
    """Half of the helper's commands come over the broker, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetThrough:
    """An order to let a vehicle through."""

    at_ns: int
    passage_id: PassageId | None
    vehicle_id: int | None
    """Who stood at the window as it was given."""


@dataclass(slots=True, kw_only=True)
class CashSaid:
    """A word about cash, and what the lane made of it."""

    at_ns: int
    action: OperatorAction
    answered_ns: int | None = None
    result: CommandResult | None = None


class Booth:
    """Attendant and helper of one lane."""

    def __init__(self, heap: Heap, lane: LaneProcess, outside: BoothOutside, dice: Random) -> None:
        self._heap = heap
        self._lane = lane
        self._outside = outside
        self._attendant = Attendant(dice=dice)
        self._command_no = 0
        self._wake_no = 0
        self._helped: dict[str, int] = {}
        self._entered: dict[int, PassageId] = {}
        """Vehicles whose cash was entered and the lane did not answer."""
        self._seen: tuple[str, int] | None = None
        """Which vehicle stood at the window with which passage, when last looked."""
        self.let_through: list[LetThrough] = []
        """Every order to let a vehicle through, as it was given."""
        self.cash: dict[int, list[CashSaid]] = {}
        """Every word about cash, by vehicle."""

    def begin(self) -> None:
        """Begin to watch the lane."""
        self._heap.after(HELP_LOOKS_NS, self._look)

    def forget(self, vehicle_id: int) -> None:
        """Forget what was said about a vehicle's cash."""
        self.cash.pop(vehicle_id, None)

    # ---- cash ----

    def asked(self, vehicle_id: int, toll_fen: int | None) -> None:
        """A driver asks to pay cash."""
        self._do(self._attendant.asked(vehicle_id, toll_fen, us(self._heap.now_ns)))

    def gone(self, vehicle_id: int) -> None:
        """A vehicle has left the lane."""
        self._do(self._attendant.gone(vehicle_id, us(self._heap.now_ns)))

    def _do(self, intents: tuple[AttendantIntent, ...]) -> None:
        for intent in intents:
            match intent:
                case AttendantWake():
                    self._wake(intent.at_us)
                case TakeMoney():
                    self._outside.money(intent.vehicle_id, intent.amount_fen)
                case CashBegin():
                    self._cash(intent.vehicle_id, OperatorAction.CASH_BEGIN)
                case CashTaken():
                    self._cash(intent.vehicle_id, OperatorAction.CASH_TAKEN)

    def _wake(self, at_us: int) -> None:
        self._wake_no += 1
        number = self._wake_no

        def due() -> None:
            if number == self._wake_no:
                self._do(self._attendant.woken(us(self._heap.now_ns)))

        self._heap.schedule(at_us * 1_000, due)

    def _cash(self, vehicle_id: int, action: OperatorAction) -> None:
        view = self._lane.view()
        here = self._outside.at_window() == vehicle_id
        if not here and action is OperatorAction.CASH_TAKEN:
            # The boom went up for another tender while the money was counted: it goes back. But
            # where the lane was told of the cash and died, it may have gone up for that.
            kept = self._is_in_till(vehicle_id, view)
            says = LaneSays.ACCEPTED if kept else LaneSays.PAID_BY_PHONE
            self._heap.after(0, lambda: self._says(says, None))
            return
        if view is None or view.arriving is None or not here:
            self._heap.after(0, lambda: self._says(LaneSays.NOT_NOW, None))
            return
        toll_fen = view.arriving.toll_fen
        passage_id = PassageId(view.arriving.passage_id)

        if action is OperatorAction.CASH_TAKEN:
            self._entered[vehicle_id] = passage_id

        said = CashSaid(at_ns=self._heap.now_ns, action=action)
        self.cash.setdefault(vehicle_id, []).append(said)

        def told(result: CommandResult | None) -> None:
            said.answered_ns, said.result = self._heap.now_ns, result
            if result is not None:
                self._entered.pop(vehicle_id, None)
            self._cash_told(action, result, toll_fen, passage_id)

        self.order(view, action, passage_id, operator=OPERATOR, told=told)

    def _is_in_till(self, vehicle_id: int, view: LaneSnapshot | None) -> bool:
        """Return whether cash the lane did not answer for let the vehicle go: the screen tells what
        it was, as long as the vehicle is in the lane."""
        passage_id = self._entered.get(vehicle_id)
        if passage_id is None:
            return False
        shown = () if view is None else (view.arriving, view.leaving)
        for passage in shown:
            if passage is not None and passage.passage_id == passage_id:
                had = {leg.tender for leg in passage.legs if leg.status == "captured"}
                return not had or Tender.CASH in had
        return True

    def _cash_told(
        self,
        action: OperatorAction,
        result: CommandResult | None,
        toll_fen: int | None,
        passage_id: PassageId,
    ) -> None:
        if result is not None and result.reason == "cash_not_begun":
            # The lane was restarted with the money in the till: begin again for the same vehicle.
            view = self._lane.view()
            if view is not None:
                self.order(view, OperatorAction.CASH_BEGIN, passage_id, operator=OPERATOR)
        self._says(_said(action, result), toll_fen)

    def _says(self, says: LaneSays, toll_fen: int | None) -> None:
        now_us = us(self._heap.now_ns)
        self._do(self._attendant.answered(says, now_us, toll_fen=toll_fen))

    # ---- help ----

    def _look(self) -> None:
        self._heap.after(HELP_LOOKS_NS, self._look)
        if self._lane.nobody_here:
            return
        view = self._lane.view()
        if view is None:
            return
        if view.mode == "attended_only":
            self._reset(view)
        elif view.mode == "closed":
            self.order(view, OperatorAction.OPEN_LANE, None, operator=HELPER)
        here = view.arriving
        if here is None:
            return
        if here.phase == "unsure":
            self._say_whether_same(view, PassageId(here.passage_id))
            return
        standing = self._outside.at_window()
        known = self._seen is not None and self._seen[0] == here.passage_id
        if standing is not None and not known and here.since_ms <= DROVE_UP_MS:
            # Who drove up as the passage began, not who took that one's place since.
            self._seen = (here.passage_id, standing)
        held = here.phase == "held" and here.since_ms >= HELD_MS
        if here.awaits_entry and here.since_ms < STUCK_MS:
            if held or here.since_ms >= TICKET_MS:
                self._enter_entry(view, PassageId(here.passage_id), standing)
            return
        helped = here.passage_id in self._helped
        if held or here.since_ms >= STUCK_MS or (helped and here.since_ms >= HELD_MS):
            self._help(view, PassageId(here.passage_id))

    def _say_whether_same(self, view: LaneSnapshot, passage_id: PassageId) -> None:
        """The lane was restarted; whoever sits in the booth has seen whether it is the same car."""
        standing = self._outside.at_window()
        if standing is None or self._seen is None or self._seen[0] != passage_id:
            return
        same = self._seen[1] == standing
        action = OperatorAction.SAME_VEHICLE if same else OperatorAction.OTHER_VEHICLE
        reason = "it has not moved" if same else "the one from before has gone"
        self.order(view, action, passage_id, operator=OPERATOR, reason=reason)

    def _enter_entry(
        self, view: LaneSnapshot, passage_id: PassageId, vehicle_id: int | None
    ) -> None:
        """Read the ticket of whoever stands at the window; what holds a loop alone has none."""
        station = None if vehicle_id is None else self._outside.ticket(vehicle_id)
        action = OperatorAction.SET_ENTRY
        self.order(view, action, passage_id, operator=OPERATOR, text=station or NOBODY_KNOWS)

    def _reset(self, view: LaneSnapshot) -> None:
        reason = "looked at the lane"
        self.order(view, OperatorAction.RESET, None, operator=HELPER, reason=reason)

    def _help(self, view: LaneSnapshot, passage_id: PassageId) -> None:
        self._helped[passage_id] = self._helped.get(passage_id, 0) + 1
        reason = "let through by hand"
        self.order(view, OperatorAction.RAISE, passage_id, operator=HELPER, reason=reason)

    def order(
        self,
        view: LaneSnapshot,
        action: OperatorAction,
        passage_id: PassageId | None,
        *,
        operator: str,
        reason: str = "",
        text: str = "",
        told: Callable[[CommandResult | None], None] | None = None,
    ) -> None:
        """Send one command to the lane's local port."""
        self._command_no += 1
        remote = operator == HELPER and self._sits_far_away()
        command = OperatorCommand(
            command_id=f"{self._lane.config.lane_id}-{self._command_no}",
            action=action,
            operator=operator,
            reason=reason,
            text=text,
            passage_id=passage_id,
            boot_id=BootId(view.boot_id),
            state_version=view.state_version,
            local=not remote,
        )
        self.write_down(command)
        heard = told or (lambda result: None)
        if remote and self._outside.remote is not None:
            text = canonical_bytes(command).decode("utf-8")
            self._outside.remote(text, lambda: self._lane.order(command, heard))
        else:
            self._lane.order(command, heard)

    def write_down(self, command: OperatorCommand) -> None:
        """Keep an order that lets a vehicle through, whoever beside this lane gives it."""
        if command.action in LETS_THROUGH:
            self.let_through.append(
                LetThrough(
                    at_ns=self._heap.now_ns,
                    passage_id=command.passage_id,
                    vehicle_id=self._outside.at_window(),
                )
            )

    def _sits_far_away(self) -> bool:
        dice = self._outside.remote_dice
        return dice is not None and dice.randrange(2) == 0


def _said(action: OperatorAction, result: CommandResult | None) -> LaneSays:
    if result is None or result.reason in _RETRY:
        return LaneSays.NOT_NOW
    if result.outcome is CommandOutcome.CONFIRMED:
        return LaneSays.ACCEPTED
    if result.reason == "phone_paid_give_cash_back":
        return LaneSays.PAID_BY_PHONE
    if result.reason == "released_already":
        # Of cash_taken: the answer to the first try was lost, the lane has it. Of cash_begin: the
        # vehicle may go, nothing is to be paid any more.
        taken = action is OperatorAction.CASH_TAKEN
        return LaneSays.ACCEPTED if taken else LaneSays.PAID_BY_PHONE
    return LaneSays.NOT_NOW
