"""One driver: drive in, read the toll, pay, go when the boom is up and the lamp is green.

A driver knows only what can be seen and felt from the seat: the display's text, the pass lamp, the
boom, what the phone says was taken. Nothing here sleeps: the driver asks to be woken. What he was
told and what was taken from him stays in his memory, for the auditor.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.people.behaviours import Behaviour, CodeKind, Leaving, Wish
from simulator.people.dice import Dice, around
from simulator.people.signals import (
    AskCash,
    AtWindow,
    BackOut,
    BackOutBlocked,
    DriveOn,
    Gone,
    Intent,
    Looks,
    MoneyTaken,
    Percept,
    Queued,
    ShowCode,
    ShowCoupon,
    TakenBy,
    Wake,
    Woken,
)
from tolling.pictures import PictureKind

OFFER, AGAIN, ASK_CASH, GO, BACK, IMPATIENT, MOVE_ON, SECOND, DRIVE_OFF, COUPON = (
    "offer",
    "again",
    "ask_cash",
    "go",
    "back",
    "impatient",
    "move_on",
    "second",
    "drive_off",
    "coupon",
)
"""The driver's timers."""
BACK_OUT_TRIES = 5
BACK_OUT_AGAIN_US = 2_000_000
MEMORY_MAX = 256
"""Pictures one driver remembers; of a display that flickers on, only the first."""
_NO_COUPON = (PictureKind.COUPON_REFUSED, PictureKind.COUPON_OFF)
"""The toll stands as it was."""
_ASKS = (PictureKind.TOLL, PictureKind.NEW_CODE, *_NO_COUPON)
"""The toll is due; a wrong scan may have come before the driver looked up."""
_FREED = (PictureKind.PAID, PictureKind.FREE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something the display said while the driver stood at the window."""

    at_us: int
    kind: PictureKind | None
    toll_fen: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverMemory:
    """What one driver remembers, as the auditor may ask."""

    vehicle_id: int
    plate: str | None
    behaviour: str
    at_window_us: int | None
    told: tuple[Told, ...]
    codes_shown: tuple[tuple[int, CodeKind], ...]
    """When and what kind of code was held up; the codes themselves are nobody's to remember."""
    taken: tuple[MoneyTaken, ...]
    asked_cash_us: int | None
    went_us: int | None
    backed_out: bool
    gone_us: int | None

    @property
    def paid_fen(self) -> int:
        """All money taken less all that came back."""
        return sum(money.amount_fen for money in self.taken)


class Driver:
    """One driver of one vehicle. ``on(percept)`` returns what he does at that very instant."""

    def __init__(
        self, *, vehicle_id: int, plate: str | None, behaviour: Behaviour, dice: Dice
    ) -> None:
        self.vehicle_id = vehicle_id
        self.plate = plate
        self.behaviour = behaviour
        self._dice = dice
        self._at_window = False
        self._look: Looks | None = None
        self._rose_for_me = False
        self._offered = False
        self._coupon_shown = False
        self._tries = 0
        self._toll_fen: int | None = None
        self._back_tries = 0
        self._going = False
        self._at_window_us: int | None = None
        self._asked_cash_us: int | None = None
        self._went_us: int | None = None
        self._gone_us: int | None = None
        self._backed_out = False
        self._told: list[Told] = []
        self._shown: list[tuple[int, CodeKind]] = []
        self._taken: list[MoneyTaken] = []

    @property
    def has_tag(self) -> bool:
        """Return whether an ETC tag sits behind the windscreen."""
        return self.behaviour.wish is Wish.ETC

    @property
    def memory(self) -> DriverMemory:
        """Return what the driver remembers so far."""
        return DriverMemory(
            vehicle_id=self.vehicle_id,
            plate=self.plate,
            behaviour=self.behaviour.name,
            at_window_us=self._at_window_us,
            told=tuple(self._told),
            codes_shown=tuple(self._shown),
            taken=tuple(self._taken),
            asked_cash_us=self._asked_cash_us,
            went_us=self._went_us,
            backed_out=self._backed_out,
            gone_us=self._gone_us,
        )

    def begin(self) -> tuple[Intent, ...]:
        """Return what the driver does on coming into the lane."""
        if self.behaviour.leaving is Leaving.RUNS:
            self._going = True
            return (DriveOn(),)
        return ()

    def on(self, percept: Percept) -> tuple[Intent, ...]:
        """Return what the driver does at ``percept.at_us``."""
        if isinstance(percept, Looks):
            return self._looks(percept)
        if isinstance(percept, Woken):
            return self._woken(percept)
        if isinstance(percept, AtWindow):
            return self._window(percept)
        if isinstance(percept, MoneyTaken):
            self._taken.append(percept)
            return ()
        if isinstance(percept, Queued):
            return self._queued(percept)
        if isinstance(percept, BackOutBlocked):
            return self._blocked(percept)
        assert isinstance(percept, Gone)
        self._gone_us = percept.at_us
        return ()

    # -- noticing ---------------------------------------------------------------------------------

    def _queued(self, percept: Queued) -> tuple[Intent, ...]:
        if self.behaviour.leaving is not Leaving.TAILGATES or self._going:
            return ()
        self._going, self._went_us = True, percept.at_us
        return (DriveOn(closely=True),)

    def _window(self, percept: AtWindow) -> tuple[Intent, ...]:
        self._at_window = percept.on
        if not percept.on:
            return ()
        if self._at_window_us is None:
            self._at_window_us = percept.at_us
        if self._look is None:
            return ()
        return self._look_again(self._look, percept.at_us)

    def _looks(self, look: Looks) -> tuple[Intent, ...]:
        before, self._look = self._look, look
        if not self._at_window:
            return ()
        if before is not None and look.boom_up and not before.boom_up:
            self._rose_for_me = True
        if before is not None and before.display == look.display:
            return self._maybe_go(look.at_us)
        return self._look_again(look, look.at_us)

    def _look_again(self, look: Looks, at_us: int) -> tuple[Intent, ...]:
        seen = look.display
        if len(self._told) < MEMORY_MAX:
            self._told.append(Told(at_us=at_us, kind=seen.kind, toll_fen=seen.toll_fen))
        if seen.toll_fen is not None:
            self._toll_fen = seen.toll_fen
        return (*self._answer(seen.kind, at_us), *self._maybe_go(at_us))

    def _answer(self, kind: PictureKind | None, at_us: int) -> tuple[Intent, ...]:
        """Return the answer to a new picture."""
        behaviour = self.behaviour
        if self._going or self._asked_cash_us is not None:
            return ()
        if kind in _ASKS and not self._offered:
            self._offered = True
            if behaviour.leaving is Leaving.BACKS_OUT and self._back_tries < BACK_OUT_TRIES:
                first = at_us + self._react()
                return (*self._coupon(first), Wake(timer=BACK, at_us=first + self._coupon_takes()))
            return self._begin_paying(at_us)
        if kind is PictureKind.NEW_CODE and self._tries > 0:
            enough = self._tries >= behaviour.tries_max
            timer = ASK_CASH if enough else OFFER
            return (Wake(timer=timer, at_us=at_us + self._react()),)
        if kind is PictureKind.OTHER_TENDER and not behaviour.sticks_to_phone:
            return (Wake(timer=ASK_CASH, at_us=at_us + self._react()),)
        return ()

    def _coupon(self, at_us: int) -> tuple[Intent, ...]:
        """Return the wish to hold up the coupon, where there is one."""
        none = self.behaviour.coupon is None or self._coupon_shown
        return () if none else (Wake(timer=COUPON, at_us=at_us),)

    def _coupon_takes(self) -> int:
        none = self.behaviour.coupon is None or self._coupon_shown
        return 0 if none else self.behaviour.pays_later_us

    def _begin_paying(self, at_us: int) -> tuple[Intent, ...]:
        shows = at_us + self._react()
        first = shows + self._coupon_takes()
        return (*self._coupon(shows), *self._pay_from(first))

    def _pay_from(self, first: int) -> tuple[Intent, ...]:
        wish = self.behaviour.wish
        if self.behaviour.rest is not None:
            # He gives the tag its time; whatever is asked for then, it did not hold.
            wish, first = self.behaviour.rest, first + self.behaviour.pays_later_us
        patience = Wake(timer=IMPATIENT, at_us=first + self.behaviour.patience_us)
        if wish is Wish.CASH:
            return (Wake(timer=ASK_CASH, at_us=first),)
        if wish is Wish.ETC:
            return (patience,)
        return (Wake(timer=OFFER, at_us=first), patience)

    def _maybe_go(self, at_us: int) -> tuple[Intent, ...]:
        if not self._may_go() or self._going:
            return ()
        self._going = True
        if self.behaviour.leaving is Leaving.PAYS_AND_BACKS_OUT:
            return (Wake(timer=BACK, at_us=at_us + self._react()),)
        wait = around(self._dice, self.behaviour.go_us, self.behaviour.go_spread_us)
        return (Wake(timer=GO, at_us=at_us + wait),)

    def _may_go(self) -> bool:
        """Return whether boom and lamp say go, and it is meant for this driver."""
        look = self._look
        if look is None or not self._at_window or not (look.boom_up and look.green):
            return False
        return self._rose_for_me or look.display.kind in _FREED

    # -- doing ------------------------------------------------------------------------------------

    def _woken(self, percept: Woken) -> tuple[Intent, ...]:
        timer, at_us = percept.timer, percept.at_us
        if timer == MOVE_ON:
            return (DriveOn(),)
        if not self._at_window:
            return ()
        if timer == GO:
            return self._go(at_us)
        if timer == BACK:
            self._back_tries += 1
            self._backed_out = True
            return (BackOut(),)
        if self._going or self._asked_cash_us is not None:
            return ()
        if timer == COUPON:
            self._coupon_shown = True
            return (ShowCoupon(),)
        if timer == DRIVE_OFF:
            self._going, self._went_us = True, at_us
            return (DriveOn(),)
        if timer == SECOND:
            self._shown.append((at_us, CodeKind.FRESH))
            return (self._show(CodeKind.FRESH),)
        if timer == OFFER:
            return self._offer(at_us)
        if timer == AGAIN:
            return self._again(at_us)
        assert timer in (ASK_CASH, IMPATIENT), f"unknown timer {timer}"
        settled = self._paid_by_display()
        waited = self._coupon_shown or self.behaviour.rest is not None
        if not settled or (timer == ASK_CASH and not waited):
            self._asked_cash_us = at_us
            return (AskCash(toll_fen=self._toll_fen),)
        return ()

    def _paid_by_display(self) -> bool:
        return self._look is not None and self._look.display.kind in _FREED

    def _again(self, at_us: int) -> tuple[Intent, ...]:
        """The phone was held up a while ago; see whether anything came of it."""
        kind = None if self._look is None else self._look.display.kind
        if kind not in (*_ASKS, None):
            return ()
        if self._tries >= self.behaviour.tries_max:
            return (Wake(timer=ASK_CASH, at_us=at_us + self._react()),)
        fresh = kind is PictureKind.NEW_CODE
        return self._offer(at_us, CodeKind.FRESH if fresh else CodeKind.SAME)

    def _offer(self, at_us: int, code: CodeKind | None = None) -> tuple[Intent, ...]:
        behaviour = self.behaviour
        if self._paid_by_display():
            return ()
        code = code or (behaviour.code if self._tries == 0 else CodeKind.FRESH)
        self._tries += 1
        self._shown.append((at_us, code))
        show = self._show(code)
        again = Wake(timer=AGAIN, at_us=at_us + behaviour.again_us)
        first = self._tries == 1
        later = (
            (ASK_CASH, behaviour.changes_mind_us),
            (SECOND, behaviour.second_phone_us if first else None),
            (DRIVE_OFF, behaviour.drives_off_us if first else None),
        )
        wakes = tuple(Wake(timer=timer, at_us=at_us + us) for timer, us in later if us is not None)
        return (show, again, *wakes)

    def _show(self, code: CodeKind) -> ShowCode:
        behaviour = self.behaviour
        after_us = around(self._dice, behaviour.confirm_us, behaviour.confirm_us // 4)
        return ShowCode(code=code, will=behaviour.will, after_ms=after_us // 1_000)

    def _go(self, at_us: int) -> tuple[Intent, ...]:
        if not self._may_go():
            # The boom came down again, or the lamp went red: wait for the next chance.
            self._going = False
            return ()
        self._went_us = at_us
        if self.behaviour.leaving is Leaving.STALLS:
            return (
                DriveOn(stall=True),
                Wake(timer=MOVE_ON, at_us=at_us + self.behaviour.stall_us),
            )
        return (DriveOn(),)

    def _blocked(self, percept: BackOutBlocked) -> tuple[Intent, ...]:
        self._backed_out = False
        at_us = percept.at_us
        if self._back_tries < BACK_OUT_TRIES:
            return (Wake(timer=BACK, at_us=at_us + BACK_OUT_AGAIN_US),)
        if self.behaviour.leaving is Leaving.PAYS_AND_BACKS_OUT:
            return (Wake(timer=GO, at_us=at_us + self._react()),)
        return self._begin_paying(at_us)

    def _react(self) -> int:
        return around(self._dice, self.behaviour.reaction_us, self.behaviour.reaction_spread_us)


def cash_taken(at_us: int, amount_fen: int) -> MoneyTaken:
    """Return the percept of handing *amount_fen* to the attendant; below 0: it came back."""
    return MoneyTaken(at_us=at_us, by=TakenBy.CASH, amount_fen=amount_fen, reference="")
