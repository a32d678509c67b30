"""The attendant takes cash only when the lane says yes, and one customer after the other."""

from __future__ import annotations

import random

from simulator.people import (
    Attendant,
    AttendantIntent,
    AttendantWake,
    CashBegin,
    CashTaken,
    LaneSays,
    TakeMoney,
)
from simulator.people.attendant import TELLS_MAX

S = 1_000_000


class Desk:
    """An attendant with his timer run by hand."""

    def __init__(self, percent: int = 100) -> None:
        self.attendant = Attendant(dice=random.Random(3), percent=percent)
        self.now_us = 0
        self.wake_us: int | None = None

    def take(self, intents: tuple[AttendantIntent, ...]) -> list[AttendantIntent]:
        """Keep the timer and return the rest."""
        for intent in intents:
            if isinstance(intent, AttendantWake):
                assert intent.at_us >= self.now_us
                self.wake_us = intent.at_us
        return [intent for intent in intents if not isinstance(intent, AttendantWake)]

    def wake(self) -> list[AttendantIntent]:
        """Go to the instant the attendant asked for."""
        assert self.wake_us is not None
        self.now_us, self.wake_us = self.wake_us, None
        return self.take(self.attendant.woken(self.now_us))

    def hear(self, says: LaneSays, toll_fen: int | None = None) -> list[AttendantIntent]:
        """Let the lane answer."""
        return self.take(self.attendant.answered(says, self.now_us, toll_fen=toll_fen))


def test_cash_is_begun_then_taken_about_three_seconds_later() -> None:
    """Notice, begin, lane's yes, count, take and tell: in this order."""
    desk = Desk()
    assert desk.take(desk.attendant.asked(7, 2_500, 0)) == []
    assert desk.wake() == [CashBegin(vehicle_id=7)]
    begun = desk.now_us
    assert desk.hear(LaneSays.ACCEPTED) == []
    assert desk.wake() == [
        TakeMoney(vehicle_id=7, amount_fen=2_500),
        CashTaken(vehicle_id=7, amount_fen=2_500),
    ]
    assert 2 * S <= desk.now_us - begun <= 4 * S
    assert desk.hear(LaneSays.ACCEPTED) == []
    assert desk.attendant.serving is None


def test_paid_by_phone_before_the_money_moves_takes_none() -> None:
    """The lane's "paid by phone" to cash_begin ends it without a yuan."""
    desk = Desk()
    desk.take(desk.attendant.asked(7, 2_500, 0))
    desk.wake()
    assert desk.hear(LaneSays.PAID_BY_PHONE) == []
    assert desk.attendant.serving is None


def test_paid_by_phone_after_the_money_moved_gives_it_back() -> None:
    """When the phone was first after all the same sum goes back."""
    desk = Desk()
    desk.take(desk.attendant.asked(7, 2_500, 0))
    desk.wake()
    desk.hear(LaneSays.ACCEPTED)
    desk.wake()
    assert desk.hear(LaneSays.PAID_BY_PHONE) == [TakeMoney(vehicle_id=7, amount_fen=-2_500)]


def test_the_lanes_own_figure_counts() -> None:
    """What the attendant's screen shows is charged, not what the driver thinks he read."""
    desk = Desk()
    desk.take(desk.attendant.asked(7, None, 0))
    desk.wake()
    desk.hear(LaneSays.ACCEPTED, toll_fen=1_800)
    assert CashTaken(vehicle_id=7, amount_fen=1_800) in desk.wake()


def test_a_lane_that_is_away_is_told_again_and_again() -> None:
    """Money in the till is told until the lane takes it, within a bound."""
    desk = Desk()
    desk.take(desk.attendant.asked(7, 2_500, 0))
    desk.wake()
    desk.hear(LaneSays.ACCEPTED)
    desk.wake()
    for _ in range(TELLS_MAX - 1):
        assert desk.hear(LaneSays.NOT_NOW) == []
        assert desk.wake() == [CashTaken(vehicle_id=7, amount_fen=2_500)]
    desk.hear(LaneSays.NOT_NOW)
    assert desk.attendant.serving is None


def test_a_brisk_attendant_takes_his_share_of_the_time() -> None:
    """At ten percent everything takes a tenth."""
    desk = Desk(percent=10)
    desk.take(desk.attendant.asked(7, 2_500, 0))
    desk.wake()
    begun = desk.now_us
    desk.hear(LaneSays.ACCEPTED)
    desk.wake()
    assert S // 5 <= desk.now_us - begun <= S * 2 // 5


def test_customers_are_served_in_order_and_once() -> None:
    """A second driver waits; asking twice does not make two customers; a gone one is dropped."""
    desk = Desk()
    desk.take(desk.attendant.asked(7, 2_500, 0))
    assert desk.attendant.asked(8, 1_500, 0) == ()
    assert desk.attendant.asked(8, 1_500, 0) == ()
    assert desk.attendant.asked(9, 1_500, 0) == ()
    desk.take(desk.attendant.gone(9, 0))
    desk.take(desk.attendant.gone(7, 0))
    assert desk.attendant.serving == 8
    assert desk.wake() == [CashBegin(vehicle_id=8)]
    desk.take(desk.attendant.gone(8, desk.now_us))
    assert desk.attendant.serving is None
