"""Coupons at the window: asked about, held, taken off, let go; the record says which."""

from __future__ import annotations

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core.legs import LegStatus
from lane_controller.core.limits import COUPONS_MAX
from lane_controller.core.states import Phase
from tests.lane_controller.core.playbook import (
    EAST,
    LOOP_1,
    OFF,
    ON,
    PLATE,
    Playbook,
    change,
    code,
    coupon,
    fixed,
)
from tolling.best_price import Entitlement, EntitlementKind
from tolling.coupons import CouponAnswer, CouponReason, HoldState
from tolling.devices import EtcOutcome, EtcTag
from tolling.ids import PassageId
from tolling.messages import OperatorAction
from tolling.orders import NextStep, OrderState
from tolling.pictures import PictureKind
from tolling.records import PassageEnd, Tender, UnpaidReason


def held(off_fen: int = 500) -> Playbook:
    """Return a lane whose vehicle owes 25 yuan and holds a coupon of *off_fen*."""
    book = Playbook().open().arrive() >> coupon()
    book << cmd.ReserveCoupon
    return book.held(fixed(off_fen), min(off_fen, 2500))


def shown(book: Playbook) -> tuple[PictureKind, int | None]:
    """Return what the display says now."""
    assert book.state.picture is not None
    return book.state.picture.kind, book.state.picture.toll_fen


def legs(book: Playbook) -> list[tuple[Tender, int]]:
    """Return the legs of the last record."""
    return [(leg.tender, leg.amount_fen) for leg in book.records[-1].legs]


def test_a_coupon_is_asked_about_at_once_and_shown_at_once() -> None:
    """The plaza is asked with the quote; what is left to pay stands on the display."""
    book = Playbook().open().arrive() >> coupon()
    request = book.gave(cmd.ReserveCoupon)[0].request
    assert (request.attempt, request.quote.full_toll_fen) == (1, 2500)
    book.held(fixed(500), 500)
    assert shown(book) == (PictureKind.TOLL, 2000)
    assert book.passage.rest_fen == 2000


def test_the_order_is_for_the_rest_and_the_record_names_both_legs() -> None:
    """Coupon leg plus phone leg is the toll due, and the record says why it was less."""
    book = held()
    book >> code()
    assert book.gave(cmd.SendOrder)[0].request.toll_fen == 2000
    book.answer(OrderState.PAID)
    assert book.gave(cmd.RaiseBoom)
    book.boom_up().drive_on()
    assert legs(book) == [(Tender.COUPON, 500), (Tender.ALIPAY, 2000)]
    record = book.records[-1]
    assert record.legs[0].provider_txn_id == "K-1"
    assert [(step.code, step.saved_fen) for step in record.why] == [("coupon_fixed", 500)]
    assert not book.ever(cmd.ReleaseCoupon)


def test_a_coupon_that_covers_all_raises_without_an_order_and_behind_the_journal() -> None:
    """A rest of 0 needs nobody else; the journal alone knows of it, so it is durable first."""
    book = held(9000)
    raised = book.gave(cmd.RaiseBoom)
    assert [each.after_commit for each in raised] == [True]
    assert not book.ever(cmd.SendOrder)
    book.boom_up().drive_on()
    assert legs(book) == [(Tender.COUPON, 2500)]


def test_cash_is_for_the_rest() -> None:
    """A refused code and then cash: the coupon stays, the drawer gets what is left."""
    book = held() >> code()
    book.answer(OrderState.REFUSED, then=NextStep.OTHER_TENDER)
    book.act(OperatorAction.CASH_BEGIN).act(OperatorAction.CASH_TAKEN)
    book.boom_up().drive_on()
    assert legs(book) == [(Tender.COUPON, 500), (Tender.CASH, 2000)]


def test_a_refused_order_takes_nothing_of_the_coupon() -> None:
    """The coupon is held as before for the next try; refusals consume nothing."""
    book = held() >> code()
    book.answer(OrderState.REFUSED, then=NextStep.NEW_CODE)
    assert book.passage.coupon_held is not None
    assert shown(book) == (PictureKind.NEW_CODE, 2000)


def test_backing_out_lets_the_coupon_go_and_names_nothing() -> None:
    """The record has no leg, and the plaza is told before the record comes."""
    book = held().read(loop_1=OFF).wait(1000)
    book << cmd.ReleaseCoupon << cmd.SealPassage
    assert book.records[-1].end is PassageEnd.BACKED_OUT
    assert legs(book) == []
    assert book.records[-1].why == ()


def test_a_payment_that_is_undone_lets_the_coupon_go_last() -> None:
    """Reverse order: the order is ended first, the coupon let go behind it."""
    book = held() >> code()
    book.read(loop_1=OFF).wait(1000)
    book << cmd.CancelOrder << cmd.ReleaseCoupon << cmd.SealPassage


def test_a_silent_plaza_costs_the_coupon_and_no_time() -> None:
    """After 2 s the driver is told, and pays the whole toll; an answer after that is let go."""
    book = (Playbook().open().arrive() >> coupon()).wait(1_999)
    assert book.passage.coupon_asked is not None
    book.wait(1)
    assert shown(book) == (PictureKind.COUPON_OFF, 2500)
    book << cmd.ReleaseCoupon
    book.held(fixed(500), 500)
    book << cmd.ReleaseCoupon
    book >> code()
    assert book.gave(cmd.SendOrder)[0].request.toll_fen == 2500


@pytest.mark.parametrize("why", list(ev.NoAnswer))
def test_a_call_that_failed_costs_the_coupon(why: ev.NoAnswer) -> None:
    """It is let go wherever the plaza may hold it all the same."""
    book = Playbook().open().arrive() >> coupon()
    book >> ev.CouponUnanswered(passage_id=book.passage.passage_id, attempt=1, why=why)
    assert shown(book) == (PictureKind.COUPON_OFF, 2500)
    may_hold = why in (ev.NoAnswer.TIMEOUT, ev.NoAnswer.NOT_FOUND)
    assert bool(book.gave(cmd.ReleaseCoupon)) is may_hold


def test_without_the_plaza_nobody_waits_for_it() -> None:
    """A lane that does not hear the plaza lets the coupon be at once and sends to cash."""
    book = Playbook().open(plaza=False)
    book >> change(LOOP_1, ON) >> ev.PlateRead(plate=PLATE)
    book.act(OperatorAction.SET_ENTRY, text="E1").told()
    book >> coupon()
    assert shown(book) == (PictureKind.OTHER_TENDER, 2500)
    assert not book.ever(cmd.ReserveCoupon)
    assert any(note.name == "coupon_off" for note in book.gave(cmd.Note))


def test_a_coupon_shown_early_in_a_lane_without_its_plaza_ends_at_cash() -> None:
    """The window opens as it does without a coupon: nobody is sent to a phone nobody charges."""
    book = Playbook().open(plaza=False) >> change(LOOP_1, ON) >> coupon()
    book >> ev.PlateRead(plate=PLATE)
    book.act(OperatorAction.SET_ENTRY, text="E1").told()
    assert shown(book) == (PictureKind.OTHER_TENDER, 2500)


def test_a_refused_coupon_is_told_and_not_asked_about_again() -> None:
    """The toll stands; the same text before the scanner once more changes nothing."""
    book = Playbook().open().arrive() >> coupon()
    book.coupon_answer(HoldState.REFUSED, CouponReason.EXPIRED)
    assert shown(book) == (PictureKind.COUPON_REFUSED, 2500)
    book >> coupon()
    assert not book.gave(cmd.ReserveCoupon)


def test_a_coupon_shown_early_is_asked_about_when_the_toll_is_told() -> None:
    """Scanned before there is a price it waits; the tag and the code wait for it."""
    book = Playbook().open() >> change(LOOP_1, ON) >> coupon()
    assert not book.gave(cmd.ReserveCoupon)
    book >> ev.PlateRead(plate=PLATE)
    book >> ev.EntryKnown(passage_id=book.passage.passage_id, entry=EAST)
    book.told()
    book << cmd.ReserveCoupon
    book >> code()
    assert not book.gave(cmd.SendOrder)
    book.held(fixed(500), 500)
    assert book.gave(cmd.SendOrder)[0].request.toll_fen == 2000


def test_a_code_that_waited_pays_all_where_the_coupon_is_refused() -> None:
    """It is spent for the whole toll, once; nobody has to hold it up again."""
    book = Playbook().open().arrive() >> coupon() >> code() >> code("c2")
    book << cmd.ForgetCode(keyed_hash="c1")
    book.coupon_answer(HoldState.REFUSED, CouponReason.USED)
    sent = book.gave(cmd.SendOrder)
    assert [(each.keyed_hash, each.request.toll_fen) for each in sent] == [("c2", 2500)]


def test_a_tag_is_charged_the_rest() -> None:
    """The tag waits for the coupon, and one leg of each is on the record."""
    book = Playbook().open().arrive() >> coupon()
    book >> ev.TagRead(tag=EtcTag(tag_id="T1", entry=None, plate=None, balance_fen=9000))
    assert not book.gave(cmd.ChargeTag)
    book.held(fixed(500), 500)
    assert book.gave(cmd.ChargeTag)[0].amount_fen == 2000
    passage = book.passage.passage_id
    outcome = EtcOutcome(reference=passage, charged_fen=2000, txn_id="E1", reason="")
    book >> ev.EtcAnswered(passage_id=passage, outcome=outcome)
    book.boom_up().drive_on()
    assert legs(book) == [(Tender.COUPON, 500), (Tender.ETC, 2000)]


@pytest.mark.parametrize("begin", [code(), coupon("k2")], ids=["order open", "one held"])
def test_no_coupon_beside_another_or_an_open_order(begin: ev.Fact) -> None:
    """What an order is for does not change under it, and no two coupons stand together."""
    book = held() if isinstance(begin, ev.CouponScanned) else Playbook().open().arrive()
    book >> begin >> coupon("k3")
    assert not book.gave(cmd.ReserveCoupon)
    assert book.gave(cmd.ForgetCode)


def test_a_corrected_price_lets_the_coupon_go() -> None:
    """What was held was for the old toll; it can be shown again for the new one."""
    book = held().act(OperatorAction.SET_CLASS, number=2)
    book << cmd.ReleaseCoupon
    assert book.passage.rest_fen == 4000
    book.told() >> coupon()
    assert book.gave(cmd.ReserveCoupon)[0].request.attempt == 2


def test_an_attendants_raise_leaves_the_coupon_out() -> None:
    """Let through unpaid, the record applies nothing, so the coupon is let go."""
    book = held().act(OperatorAction.RAISE)
    book.boom_up().drive_on()
    assert book.records[-1].unpaid_reason is UnpaidReason.RELEASED
    assert legs(book) == []
    assert book.ever(cmd.ReleaseCoupon)


def test_lane_and_plaza_agree_what_it_is_worth_or_it_is_not_used() -> None:
    """Another amount than this lane's own arithmetic is refused and let go."""
    book = Playbook().open().arrive() >> coupon()
    book.held(fixed(500), 600)
    assert book.passage.coupon_held is None
    assert shown(book) == (PictureKind.COUPON_REFUSED, 2500)
    assert len(book.gave(cmd.ReleaseCoupon)) == 1


def test_a_rate_is_taken_off_the_whole_toll() -> None:
    """A tenth of 25 yuan is 2.50, by the lane's own arithmetic, whatever its clock says."""
    book = Playbook().open().arrive() >> coupon()
    terms = Entitlement(
        kind=EntitlementKind.COUPON_PERCENT,
        name="九折券",
        off_rate=1_000,
        valid_until_ms=1_000,
    )
    book.held(terms, 250)
    assert book.passage.rest_fen == 2250


def test_a_restart_while_asking_lets_it_go_and_goes_on() -> None:
    """The text is gone with the process; what the plaza may hold is let go."""
    book = (Playbook().open().arrive() >> coupon()).start("boot-2", 2000)
    book.read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=ON)
    assert book.ever(cmd.ReleaseCoupon)
    assert book.passage.coupon_asked is None
    book.told() >> ev.LinkChanged(link="plaza", up=True) >> code()
    assert book.gave(cmd.SendOrder)[0].request.toll_fen == 2500


def test_a_held_coupon_survives_a_restart() -> None:
    """It is in the journal and at the plaza: the driver pays the rest."""
    book = held().start("boot-2", 2000)
    book.read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=ON)
    assert book.ever(cmd.ShowToll)[-1].picture.toll_fen == 2000
    book.told() >> ev.LinkChanged(link="plaza", up=True) >> code()
    assert book.gave(cmd.SendOrder)[0].request.toll_fen == 2000


def test_cash_does_not_wait_for_a_coupon() -> None:
    """Cash begun while the plaza is asked: the coupon is let go, cash is for all."""
    book = (Playbook().open().arrive() >> coupon()).act(OperatorAction.CASH_BEGIN)
    book << cmd.ReleaseCoupon
    book.held(fixed(500), 500)
    assert book.gave(cmd.ReleaseCoupon)
    book.act(OperatorAction.CASH_TAKEN).boom_up().drive_on()
    assert legs(book) == [(Tender.CASH, 2500)]


def test_an_answer_for_another_vehicle_is_let_go() -> None:
    """Nobody at the window asked: the plaza is told, the price stays."""
    book = Playbook().open().arrive()
    other = PassageId("440301007001000000077")
    answer = CouponAnswer(
        passage_id=other,
        attempt=1,
        state=HoldState.RESERVED,
        reason=CouponReason.NONE,
        coupon_no="K-9",
        entitlement=fixed(500),
        saved_fen=500,
    )
    book >> ev.CouponAnswered(answer=answer)
    assert book.gave(cmd.ReleaseCoupon)[0].release.passage_id == other
    assert book.passage.rest_fen == 2500


def test_an_order_of_before_the_coupon_does_not_pay_the_rest() -> None:
    """Refused, then paid after all: it was for another amount, so the plaza gives it back."""
    book = Playbook().open().arrive() >> code()
    book.answer(OrderState.REFUSED, then=NextStep.NEW_CODE)
    first = book.passage.orders[-1].out_trade_no
    book >> coupon()
    book.held(fixed(500), 500)
    book.answer(OrderState.PAID, number=first, captured_fen=2500, version=2)
    assert book.phase is Phase.TENDER
    book >> code("c2")
    book.answer(OrderState.PAID)
    book.boom_up().drive_on()
    assert legs(book) == [(Tender.COUPON, 500), (Tender.ALIPAY, 2000)]
    assert "paid_twice_refund" in book.records[-1].remarks


def test_a_used_coupon_is_not_taken_from_the_next_vehicle() -> None:
    """The phone still in front of the scanner is the last driver's; nobody asks the plaza."""
    book = held() >> code()
    book.answer(OrderState.PAID)
    book.boom_up().drive_on()
    book.arrive() >> coupon()
    assert not book.gave(cmd.ReserveCoupon)


def test_one_vehicle_shows_a_bounded_number_of_coupons() -> None:
    """After that the driver pays the toll as it stands."""
    book = Playbook().open().arrive()
    for number in range(COUPONS_MAX):
        book >> coupon(f"k{number}")
        book.coupon_answer(HoldState.REFUSED, CouponReason.UNKNOWN)
    book >> coupon("one more")
    assert not book.gave(cmd.ReserveCoupon)


def test_a_sealed_passage_has_ended_every_coupon() -> None:
    """Named is consumed, left out is released; nothing stays reserved in the lane."""
    book = held()
    statuses = [each.status for each in book.passage.coupons]
    assert statuses == [LegStatus.RESERVED]
    assert book.read(loop_1=OFF).wait(1000).state.empty
