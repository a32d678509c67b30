"""A driver reads the toll, pays as his kind does, and goes only when boom and lamp say so."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from simulator.people import (
    BEHAVIOURS,
    COUPON_KINDS,
    ETC_KINDS,
    EVERYDAY_MIX,
    UNRULY_MIX,
    AskCash,
    AtWindow,
    BackOut,
    BackOutBlocked,
    CodeKind,
    CouponKind,
    DriveOn,
    Driver,
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
    WalletWill,
    Woken,
    draw_behaviour,
    paced,
)
from simulator.people.behaviours import Wish
from simulator.people.reading import Seen
from tolling.pictures import PictureKind

S = 1_000_000


class Seat:
    """A driver with his timers: percepts go in, intents are collected with their instant."""

    def __init__(self, name: str, **figures: object) -> None:
        behaviour = replace(BEHAVIOURS[name], **figures)  # type: ignore[arg-type]
        self.driver = Driver(
            vehicle_id=1, plate="京A12345", behaviour=behaviour, dice=random.Random(1)
        )
        self.now_us = 0
        self.timers: dict[str, int] = {}
        self.done: list[tuple[int, Intent]] = []
        self.up = self.green = False
        self.kind: PictureKind | None = PictureKind.WELCOME
        self.toll: int | None = None
        self._take(self.driver.begin())

    def feel(self, percept: Percept) -> None:
        """Send one percept at its instant."""
        self.until(percept.at_us)
        self._take(self.driver.on(percept))

    def until(self, at_us: int) -> None:
        """Let timers run up to *at_us*."""
        while True:
            due = [(at, name) for name, at in self.timers.items() if at <= at_us]
            if not due:
                break
            self.now_us, name = min(due)
            del self.timers[name]
            self._take(self.driver.on(Woken(at_us=self.now_us, timer=name)))
        self.now_us = at_us

    def arrive(self) -> None:
        """Come to the window, with the lane's welcome before the eyes."""
        self.look()
        self.feel(AtWindow(at_us=self.now_us, on=True))

    def look(self, *, after_us: int = 0) -> None:
        """See the display, boom and lamp as they are."""
        seen = Seen(kind=self.kind, toll_fen=self.toll)
        at_us = self.now_us + after_us
        self.feel(Looks(at_us=at_us, display=seen, boom_up=self.up, green=self.green))

    def shows(self, kind: PictureKind, toll: int | None = None) -> None:
        """Put another picture on the display."""
        self.kind, self.toll = kind, toll
        self.look()

    def did(self, kind: type[Intent]) -> list[tuple[int, Intent]]:
        """Return what was done of one kind."""
        return [(at, intent) for at, intent in self.done if isinstance(intent, kind)]

    def _take(self, intents: tuple[Intent, ...]) -> None:
        for intent in intents:
            if isinstance(intent, Wake):
                assert intent.at_us >= self.now_us
                self.timers[intent.timer] = intent.at_us
            else:
                self.done.append((self.now_us, intent))


def codes(seat: Seat) -> list[CodeKind]:
    """Return the kinds of codes held up."""
    return [intent.code for _, intent in seat.done if isinstance(intent, ShowCode)]


def test_the_phone_comes_up_a_reaction_after_the_toll() -> None:
    """Nothing is held up before the toll is seen; then one code within 1 to 2 seconds."""
    seat = Seat("phone_ok")
    seat.arrive()
    seat.until(20 * S)
    assert seat.done == []
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(22 * S)
    ((at_us, shown),) = seat.done
    assert isinstance(shown, ShowCode)
    assert 21 * S <= at_us <= 22 * S
    assert (shown.code, shown.will) == (CodeKind.FRESH, WalletWill.PAYS)


def test_a_toll_already_on_the_display_counts_on_arrival() -> None:
    """A driver who stops before a shown toll does not wait for another change."""
    seat = Seat("phone_ok")
    seat.shows(PictureKind.TOLL, 2_500)
    seat.arrive()
    seat.until(3 * S)
    assert codes(seat) == [CodeKind.FRESH]


def test_he_goes_when_the_boom_has_risen_and_the_lamp_is_green() -> None:
    """Paid alone, or the boom alone, is not enough; both together are, a moment later."""
    seat = Seat("phone_ok")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(3 * S)
    seat.shows(PictureKind.PAID)
    seat.up = True
    seat.look(after_us=S)
    seat.until(6 * S)
    assert seat.did(DriveOn) == []
    seat.green = True
    seat.look()
    seat.until(7 * S)
    ((at_us, _),) = seat.did(DriveOn)
    assert 6 * S < at_us <= 6 * S + 700_000
    assert seat.driver.memory.went_us == at_us


def test_a_boom_left_open_by_the_car_before_is_no_invitation() -> None:
    """Boom up and green on arrival mean nothing until this driver is told paid, or it rises
    again."""
    seat = Seat("phone_ok")
    seat.up = seat.green = True
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(4 * S)
    assert seat.did(DriveOn) == []
    seat.shows(PictureKind.PAID)
    seat.until(6 * S)
    assert len(seat.did(DriveOn)) == 1


def test_a_boom_that_falls_again_keeps_him_waiting() -> None:
    """The lamp going red before he moves holds him; the next chance is taken."""
    seat = Seat("phone_ok")
    seat.arrive()
    seat.shows(PictureKind.PAID)
    seat.up = seat.green = True
    seat.look(after_us=S)
    seat.green = False
    seat.look(after_us=100_000)
    seat.until(10 * S)
    assert seat.did(DriveOn) == []
    seat.green = True
    seat.look()
    seat.until(12 * S)
    assert len(seat.did(DriveOn)) == 1


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("expired_code", CodeKind.EXPIRED),
        ("previous_code", CodeKind.PREVIOUS),
        ("screenshot", CodeKind.USED),
        ("half_code", CodeKind.HALF),
        ("double_scan", CodeKind.TWICE),
        ("ride_code", CodeKind.RIDE),
    ],
)
def test_a_bad_code_is_followed_by_a_fresh_one(name: str, first: CodeKind) -> None:
    """Told "new code", the driver refreshes and holds the phone up again."""
    seat = Seat(name)
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(2 * S)
    seat.shows(PictureKind.NEW_CODE)
    seat.until(5 * S)
    assert codes(seat) == [first, CodeKind.FRESH]


def test_a_code_nobody_took_is_held_up_once_more() -> None:
    """When the display goes on showing the toll the same code is held up again, then cash is
    asked."""
    seat = Seat("phone_ok")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(30 * S)
    assert codes(seat) == [CodeKind.FRESH, CodeKind.SAME, CodeKind.SAME]
    ((_, asked),) = seat.did(AskCash)
    assert asked == AskCash(toll_fen=2_500)


def test_after_three_refused_codes_he_asks_for_cash() -> None:
    """Nobody refreshes for ever."""
    seat = Seat("balance_short")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    for _ in range(4):
        seat.until(seat.now_us + 2 * S)
        seat.shows(PictureKind.CHECKING)
        seat.until(seat.now_us + S)
        seat.shows(PictureKind.NEW_CODE)
    seat.until(seat.now_us + 3 * S)
    assert len(codes(seat)) == 3
    assert len(seat.did(AskCash)) == 1


def test_other_tender_sends_him_to_the_cash_desk_unless_he_sticks_to_his_phone() -> None:
    """Offered cash, most take it; one who is typing his password does not."""
    for name, asks in (("never_confirms", 1), ("slow_password", 0)):
        seat = Seat(name)
        seat.arrive()
        seat.shows(PictureKind.TOLL, 2_500)
        seat.until(2 * S)
        seat.shows(PictureKind.OTHER_TENDER)
        seat.until(10 * S)
        assert len(seat.did(AskCash)) == asks


def test_one_who_changes_his_mind_asks_for_cash_by_himself() -> None:
    """He holds up the phone and three seconds later asks for cash."""
    seat = Seat("changes_to_cash")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(3 * S)
    seat.shows(PictureKind.PASSWORD)
    seat.until(7 * S)
    ((shown_us, _),) = seat.did(ShowCode)
    ((asked_us, _),) = seat.did(AskCash)
    assert asked_us - shown_us == 3 * S


def test_a_tag_or_cash_driver_holds_up_no_code() -> None:
    """Who pays otherwise shows no phone; the tag sits behind the windscreen."""
    cash, etc = Seat("pays_cash"), Seat("pays_etc")
    for seat in (cash, etc):
        seat.arrive()
        seat.shows(PictureKind.TOLL, 2_500)
        seat.until(10 * S)
        assert codes(seat) == []
    assert len(cash.did(AskCash)) == 1
    assert etc.driver.has_tag
    assert not cash.driver.has_tag
    etc.until(60 * S)
    assert len(etc.did(AskCash)) == 1


def test_one_who_backs_out_tries_again_and_pays_in_the_end() -> None:
    """Blocked from behind he tries five times, then pays like others."""
    seat = Seat("backs_out")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    for tries in range(1, 6):
        seat.until(seat.now_us + 4 * S)
        assert len(seat.did(BackOut)) == tries
        seat.feel(BackOutBlocked(at_us=seat.now_us))
    seat.until(seat.now_us + 4 * S)
    assert len(seat.did(BackOut)) == 5
    assert codes(seat) == [CodeKind.FRESH]
    assert not seat.driver.memory.backed_out


def test_one_who_pays_and_backs_out_never_drives_on() -> None:
    """With the boom up before him he reverses."""
    seat = Seat("pays_and_backs_out")
    seat.arrive()
    seat.shows(PictureKind.PAID)
    seat.up = seat.green = True
    seat.look()
    seat.until(5 * S)
    assert len(seat.did(BackOut)) == 1
    assert seat.did(DriveOn) == []


def test_a_tailgater_goes_from_the_queue_and_not_twice() -> None:
    """Behind another car he drives closely on; a later stop does not make him do it again."""
    seat = Seat("tailgates")
    seat.feel(Queued(at_us=S))
    seat.feel(Queued(at_us=2 * S))
    assert seat.done == [(S, DriveOn(closely=True))]


def test_one_who_runs_does_so_from_the_start_and_one_who_stalls_moves_on() -> None:
    """Running needs no display; stalling is two drives with a stop between."""
    assert Seat("runs_through").done == [(0, DriveOn())]
    seat = Seat("stalls_under_boom")
    seat.arrive()
    seat.shows(PictureKind.FREE)
    seat.up = seat.green = True
    seat.look()
    seat.until(2 * S)
    seat.feel(AtWindow(at_us=seat.now_us, on=False))
    seat.until(20 * S)
    assert [intent for _, intent in seat.did(DriveOn)] == [DriveOn(stall=True), DriveOn()]


def test_two_phones_are_held_up_one_after_the_other() -> None:
    """The passenger is no slower than a second: two fresh codes, once."""
    seat = Seat("two_phones")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2500)
    seat.until(20 * S)
    shown = seat.did(ShowCode)
    assert [at for at, _ in shown[:2]] == [shown[0][0], shown[0][0] + 1_200_000]
    assert codes(seat)[:2] == [CodeKind.FRESH, CodeKind.FRESH]
    assert CodeKind.FRESH not in codes(seat)[2:]


def test_a_second_phone_stays_in_the_pocket_once_the_first_has_paid() -> None:
    """Paid and going: nobody holds anything up any more."""
    seat = Seat("two_phones")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2500)
    seat.until(seat.timers["offer"])
    seat.until(seat.now_us + 600_000)
    seat.up = seat.green = True
    seat.shows(PictureKind.PAID, 2500)
    seat.until(20 * S)
    assert len(codes(seat)) == 1


@pytest.mark.parametrize("name", ["drives_off", "pays_after_leaving"])
def test_one_who_drives_off_waits_for_no_boom(name: str) -> None:
    """He holds up his phone and goes; whether he pays afterwards is between him and his phone."""
    seat = Seat(name)
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2500)
    seat.until(20 * S)
    ((shown_us, _),) = seat.did(ShowCode)
    ((went_us, _),) = seat.did(DriveOn)
    assert went_us - shown_us == BEHAVIOURS[name].drives_off_us
    assert not seat.did(AskCash)


def test_every_trouble_of_a_driver_is_in_the_unruly_mix() -> None:
    """No kind is forgotten by the swarm; coupons and bad tags are handed out beside it."""
    assert set(UNRULY_MIX) == set(BEHAVIOURS) - set(COUPON_KINDS) - set(ETC_KINDS)
    assert {BEHAVIOURS[name].coupon for name in COUPON_KINDS} == set(CouponKind)


def test_he_remembers_what_was_told_and_taken() -> None:
    """Memory holds pictures, code kinds and money, and never a code."""
    seat = Seat("phone_ok")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(3 * S)
    seat.feel(MoneyTaken(at_us=3 * S, by=TakenBy.PHONE, amount_fen=2_500, reference="T1"))
    seat.shows(PictureKind.PAID)
    seat.feel(MoneyTaken(at_us=4 * S, by=TakenBy.PHONE, amount_fen=-2_500, reference="T1"))
    seat.feel(Gone(at_us=9 * S))
    memory = seat.driver.memory
    assert [told.kind for told in memory.told] == [
        PictureKind.WELCOME,
        PictureKind.TOLL,
        PictureKind.PAID,
    ]
    assert memory.paid_fen == 0
    assert len(memory.taken) == 2
    assert memory.gone_us == 9 * S
    assert [kind for _, kind in memory.codes_shown] == [CodeKind.FRESH]


def test_a_paced_driver_keeps_his_kind_and_changes_his_times() -> None:
    """Every duration is scaled; what he does and how often stays."""
    usual = BEHAVIOURS["changes_to_cash"]
    subject = paced(usual, 50)
    assert subject.changes_mind_us is not None
    assert usual.changes_mind_us is not None
    assert subject.changes_mind_us * 2 == usual.changes_mind_us
    assert (subject.reaction_us * 2, subject.stall_us * 2) == (usual.reaction_us, usual.stall_us)
    assert (subject.will, subject.tries_max) == (usual.will, usual.tries_max)
    assert paced(BEHAVIOURS["phone_ok"], 100) == BEHAVIOURS["phone_ok"]


def test_mixes_name_known_behaviours_and_are_drawn_by_share() -> None:
    """Every share belongs to a behaviour, and over many draws each turns up."""
    assert EVERYDAY_MIX.keys() <= BEHAVIOURS.keys()
    assert UNRULY_MIX.keys() <= BEHAVIOURS.keys()
    dice = random.Random(5)
    drawn = [draw_behaviour(UNRULY_MIX, dice).name for _ in range(2_000)]
    assert set(drawn) == set(UNRULY_MIX)
    assert 700 < drawn.count("phone_ok") < 900


def coupons(seat: Seat) -> list[int]:
    """Return when a coupon was held up, in microseconds."""
    return [at for at, intent in seat.done if isinstance(intent, ShowCoupon)]


def test_a_coupon_comes_up_before_the_phone() -> None:
    """Once, a reaction after the toll; the phone follows as long after as its kind says."""
    seat = Seat("coupon_fixed")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(3 * S)
    (shown_us,) = coupons(seat)
    assert codes(seat) == []
    seat.shows(PictureKind.TOLL, 2_000)
    seat.until(shown_us + 2 * S + S // 2)
    assert codes(seat) == [CodeKind.FRESH]
    seat.until(60 * S)
    assert len(coupons(seat)) == 1


def test_who_is_let_through_by_a_coupon_pays_nothing_more() -> None:
    """Paid by the display: neither phone nor purse comes out."""
    seat = Seat("coupon_cash")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(3 * S)
    seat.shows(PictureKind.PAID, 0)
    seat.until(20 * S)
    assert seat.did(AskCash) == []


@pytest.mark.parametrize("kind", [PictureKind.COUPON_REFUSED, PictureKind.COUPON_OFF])
def test_a_coupon_that_is_not_taken_leaves_the_toll_to_pay(kind: PictureKind) -> None:
    """The driver goes on as if he had none."""
    seat = Seat("coupon_fixed")
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(3 * S)
    seat.shows(kind, 2_500)
    seat.until(8 * S)
    assert codes(seat) == [CodeKind.FRESH]


def test_what_a_tag_did_not_hold_is_paid_by_phone_or_in_cash() -> None:
    """He gives the tag its time; one that holds enough leaves nothing to pay."""
    phone, cash, enough = Seat("etc_low_code"), Seat("etc_low_cash"), Seat("etc_low_cash")
    for seat in (phone, cash, enough):
        seat.arrive()
        seat.shows(PictureKind.TOLL, 300)
        seat.until(2 * S)
        assert not codes(seat)
        assert not seat.did(AskCash)
    enough.shows(PictureKind.PAID, 0)
    for seat in (phone, cash, enough):
        seat.until(8 * S)
    assert codes(phone)[0] is CodeKind.FRESH
    assert len(cash.did(AskCash)) == 1
    assert not enough.did(AskCash)
    assert all(BEHAVIOURS[name].wish is Wish.ETC for name in ETC_KINDS)


def test_a_coupon_may_be_shown_and_the_toll_left_unpaid() -> None:
    """He looks what it is worth, and reverses."""
    seat = Seat("backs_out", coupon=CouponKind.FIXED)
    seat.arrive()
    seat.shows(PictureKind.TOLL, 2_500)
    seat.until(10 * S)
    assert len(coupons(seat)) == 1
    ((left_us, _),) = seat.did(BackOut)
    assert left_us == coupons(seat)[0] + 2_500_000
