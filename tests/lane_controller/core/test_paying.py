"""Paying by phone and tag: what each answer does, and what a driver is never asked twice for."""

from __future__ import annotations

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import paying as subject
from lane_controller.core.states import EtcPhase, OrderPhase, Phase
from tests.lane_controller.core.playbook import EAST, LOOP_1, OFF, ON, Playbook, change, code
from tests.lane_controller.core.scenes import TAG
from tolling.alarms import AlarmCode, Degraded
from tolling.devices import EtcOutcome
from tolling.messages import OperatorAction
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.paycodes import NotAPayCode, Wallet
from tolling.pictures import PictureKind
from tolling.records import Tender, UnpaidReason


def shown(book: Playbook) -> PictureKind:
    """Return what the display shows."""
    assert book.state.picture is not None
    return book.state.picture.kind


def charged(book: Playbook, fen: int = 2500) -> Playbook:
    """Let the antenna say that the tag was charged."""
    here = book.passage.passage_id
    done = EtcOutcome(reference=here, charged_fen=fen, txn_id="E9" if fen else None, reason="")
    return book >> ev.EtcAnswered(passage_id=here, outcome=done)


def tagged() -> Playbook:
    """Return a lane whose vehicle's tag is being charged."""
    return Playbook().open().arrive() >> ev.TagRead(tag=TAG)


def test_paid_raises_at_once_and_seals_the_leg() -> None:
    """A paid answer with the exact amount raises for this vehicle; its record names the order."""
    book = Playbook().open().arrive()
    _ = book >> code() << cmd.SendOrder << cmd.ShowPicture
    number = book.passage.orders[0].out_trade_no
    _ = (
        book.answer(OrderState.PAID)
        << cmd.ForgetCode
        << cmd.RaiseBoom(reason=cmd.RaiseReason.TENDER, passage_id=book.passage.passage_id)
    )
    assert shown(book) is PictureKind.PAID
    book.boom_up()
    assert book.gave(cmd.SetOutput)[-1].on
    book.drive_on()
    (leg,) = book.records[0].legs
    assert (leg.tender, leg.amount_fen, leg.out_trade_no) == (Tender.ALIPAY, 2500, number)


@pytest.mark.parametrize("wallet", Wallet)
def test_every_wallet_is_a_tender(wallet: Wallet) -> None:
    """A paid order of any wallet makes a leg."""
    assert subject.TENDER_OF[wallet] in subject.TENDER_OF.values()


def test_every_order_state_of_the_plaza_means_something() -> None:
    """No answer of the plaza is unknown to the lane; nothing undecided counts as decided."""
    assert set(subject.PHASE_OF) == set(OrderState)
    assert subject.PHASE_OF[OrderState.UNKNOWN] is OrderPhase.UNKNOWN


def test_waiting_then_paid() -> None:
    """A driver who must confirm is told so, the order is polled, and paid releases."""
    book = Playbook().open().arrive() >> code()
    _ = book.answer(OrderState.WAITING) << cmd.ShowPicture << cmd.PollOrder
    assert shown(book) is PictureKind.PASSWORD
    book.answer(OrderState.WAITING)
    assert book.gave(cmd.PollOrder)
    assert book.answer(OrderState.PAID, version=2).phase is Phase.RELEASED


def test_what_is_only_accepted_shows_that_it_is_being_paid() -> None:
    """Nobody is asked to confirm on the phone where the platform did not say so."""
    book = Playbook().open().arrive() >> code()
    _ = book.answer(OrderState.WAITING, reason=ReasonCode.ACCEPTED) << cmd.PollOrder
    assert shown(book) is PictureKind.CHECKING


def test_refused_lets_the_driver_scan_again_at_once() -> None:
    """After a refusal a new code makes a new order; the same code makes none."""
    book = Playbook().open().arrive() >> code()
    book.answer(OrderState.REFUSED, then=NextStep.NEW_CODE)
    assert (book.phase, shown(book)) == (Phase.TENDER, PictureKind.NEW_CODE)
    assert not (book >> code()).gave(cmd.SendOrder)
    assert (book >> code("c2")).gave(cmd.SendOrder)[0].out_trade_no.endswith("A02")
    book.answer(OrderState.REFUSED, then=NextStep.OTHER_TENDER)
    assert shown(book) is PictureKind.OTHER_TENDER


def test_no_answer_is_unknown_and_never_refused() -> None:
    """Silence is polled, not told as a refusal, and pay is not sent again."""
    book = (Playbook().open().arrive() >> code()).silence()
    assert book.passage.orders[0].phase is OrderPhase.UNKNOWN
    assert shown(book) is PictureKind.CHECKING
    book.wait(500)
    assert book.gave(cmd.PollOrder)
    assert not book.gave(cmd.SendOrder)
    assert book.answer(OrderState.PAID).phase is Phase.RELEASED


def test_at_8_s_other_tenders_are_offered_and_unknown_orders_go_to_the_resolver() -> None:
    """An unknown order is cancelled once at 8 s; cash and another phone are offered."""
    book = (Playbook().open().arrive() >> code()).silence().wait(7900)
    assert not book.ever(cmd.CancelOrder)
    book.wait(200)
    assert book.gave(cmd.CancelOrder)
    assert book.stands(AlarmCode.ORDER_UNKNOWN)
    assert shown(book) is PictureKind.OTHER_TENDER
    book.answer(OrderState.UNKNOWN, version=2)
    assert book.passage.orders[0].phase is OrderPhase.CANCELLING
    book.answer(OrderState.CLOSED, version=3)
    assert (book.phase, shown(book)) == (Phase.TENDER, PictureKind.OTHER_TENDER)
    assert not book.stands(AlarmCode.ORDER_UNKNOWN)


def test_a_waiting_order_lives_on_to_40_s() -> None:
    """The driver types a password: neither 8 s nor a failed poll ends it, 40 s do."""
    book = (Playbook().open().arrive() >> code()).answer(OrderState.WAITING).wait(9000)
    assert shown(book) is PictureKind.OTHER_TENDER
    book.silence()
    assert not book.ever(cmd.CancelOrder)
    book.wait(500)
    assert book.gave(cmd.PollOrder)
    book.wait(32_000)
    assert len(book.ever(cmd.CancelOrder)) == 1


def test_a_closing_order_is_cancelled_again_when_the_plaza_said() -> None:
    """202 with retry_after_ms, or silence, is asked again, bounded by the plaza's own pace."""
    book = (Playbook().open().arrive() >> code()).silence().wait(8100)
    book.answer(OrderState.CLOSING, version=2, retry_after_ms=900).wait(899)
    assert not book.gave(cmd.CancelOrder)
    assert book.wait(1).gave(cmd.CancelOrder)
    book.silence().wait(500)
    assert book.gave(cmd.CancelOrder)


def test_unknown_after_the_offer_goes_to_the_resolver_at_once() -> None:
    """A waiting order that turns unknown after 8 s is cancelled."""
    book = (Playbook().open().arrive() >> code()).answer(OrderState.WAITING).wait(8100)
    assert book.answer(OrderState.UNKNOWN, version=2).gave(cmd.CancelOrder)


def test_a_silent_order_after_the_offer_goes_to_the_resolver() -> None:
    """A second phone's order without an answer is not polled for ever."""
    book = (Playbook().open().arrive() >> code()).answer(OrderState.WAITING).wait(8100)
    _ = book.act(OperatorAction.CANCEL_ORDER) >> code("c2")
    book.silence().wait(8000)
    assert book.passage.orders[1].handed_over


def test_two_phones_at_most_two_open_orders() -> None:
    """A second phone ends the first's order; a third waits; the first paid wins, once."""
    book = (Playbook().open().arrive() >> code()).silence()
    assert not (book >> code("c2")).gave(cmd.SendOrder), "not before 8 s"
    book.wait(8000)
    assert (book >> code("c2")).gave(cmd.SendOrder)
    book.wait(8000)
    _ = book >> code("c3")
    assert not book.gave(cmd.SendOrder)
    first, second = (order.out_trade_no for order in book.passage.orders)
    book.answer(OrderState.PAID, number=first, version=5)
    assert book.phase is Phase.RELEASED
    book.answer(OrderState.PAID, number=second, version=5)
    book.boom_up().drive_on()
    record = book.records[0]
    assert [leg.out_trade_no for leg in record.legs] == [first]
    assert record.orders == (first, second)
    assert "paid_twice_refund" in record.remarks


def test_a_refused_second_phone_may_scan_again_while_the_first_is_being_ended() -> None:
    """A driver does not wait for an order that is only the plaza's to end."""
    book = (Playbook().open().arrive() >> code()).silence().wait(8000) >> code("c2")
    book.answer(OrderState.REFUSED, then=NextStep.NEW_CODE)
    assert shown(book) is PictureKind.NEW_CODE
    assert (book >> code("c3")).gave(cmd.SendOrder)


@pytest.mark.parametrize("why", [ev.NoAnswer.REJECTED, ev.NoAnswer.CODE_GONE])
def test_an_order_that_was_never_taken_asks_for_a_new_code_at_once(why: ev.NoAnswer) -> None:
    """The plaza took no order: its number is made dead, the driver scans again now."""
    book = (Playbook().open().arrive() >> code()).silence(why)
    assert book.gave(cmd.CancelOrder)
    assert shown(book) is PictureKind.NEW_CODE
    assert (book >> code("c2")).gave(cmd.SendOrder)


def test_the_previous_cars_code_is_not_sent() -> None:
    """A code that served an earlier vehicle here, gone or still under the boom, is no order."""
    book = Playbook().open().arrive().pay().boom_up()
    book.read(loop_2=ON, loop_1=OFF).wait(1000).arrive()
    assert (book >> code()).gave(cmd.ForgetCode)
    assert not book.gave(cmd.SendOrder)
    book.read(loop_2=OFF).wait(1000)
    assert not (book >> code()).gave(cmd.SendOrder)
    assert "code_of_earlier_vehicle" in book.passage.remarks


def test_a_code_before_the_toll_is_shown_is_nothing() -> None:
    """The scan window opens with the toll on the display, not before."""
    book = Playbook().open() >> change(LOOP_1, ON)
    assert not (book >> code()).gave(cmd.SendOrder)
    book.act(OperatorAction.SET_ENTRY, text="E1")
    assert book.phase is Phase.PRICED
    assert not (book >> code()).gave(cmd.SendOrder)
    assert (book.told() >> code()).gave(cmd.SendOrder)


def test_what_is_no_pay_code_is_told_to_the_driver() -> None:
    """A wrong code asks for a fresh one; with an order open nothing changes."""
    book = Playbook().open().arrive() >> ev.NotCodeScanned(reason=NotAPayCode.RIDE_CODE)
    assert shown(book) is PictureKind.NEW_CODE
    _ = book >> code() >> ev.NotCodeScanned(reason=NotAPayCode.RIDE_CODE)
    assert shown(book) is PictureKind.CHECKING


def test_without_the_plaza_no_order_is_made() -> None:
    """With the plaza lost the code is dropped and cash is offered."""
    book = Playbook().open().arrive() >> ev.LinkChanged(link="plaza", up=False)
    assert shown(book) is PictureKind.OTHER_TENDER
    _ = book >> code() << cmd.ForgetCode
    assert not book.gave(cmd.SendOrder)


def test_a_code_of_a_wallet_that_is_off_never_leaves_the_lane() -> None:
    """The plaza told that nobody takes it: cash and other phones at once, and no 300 ms lost."""
    book = Playbook().open().arrive() >> ev.WalletsChanged(off=(Wallet.ALIPAY,))
    assert shown(book) is PictureKind.TOLL
    _ = book >> code() << cmd.ForgetCode
    assert not book.gave(cmd.SendOrder)
    assert shown(book) is PictureKind.OTHER_TENDER
    assert (book >> code("c2", wallet=Wallet.WECHAT)).gave(cmd.SendOrder)


def test_with_every_wallet_off_the_driver_is_sent_to_cash_and_called_back() -> None:
    """No phone money is a degraded mode by name; it ends as soon as one platform is back."""
    everybody = tuple(sorted(Wallet))
    book = Playbook().open().arrive() >> ev.WalletsChanged(off=everybody)
    assert shown(book) is PictureKind.OTHER_TENDER
    names = {mode.name: mode.reason for mode in book.state.degraded}
    assert names[Degraded.NO_PHONE_MONEY] == "no platform takes payments"
    _ = book >> ev.WalletsChanged(off=everybody[1:])
    assert shown(book) is PictureKind.TOLL
    assert Degraded.NO_PHONE_MONEY not in {mode.name for mode in book.state.degraded}


def test_a_vehicle_from_before_the_epoch_makes_no_order() -> None:
    """The epoch came while it stood there: no order can carry its number, cash is offered."""
    book = Playbook().open(epoch=0).arrive() >> ev.EpochGranted(epoch=1)
    assert not (book >> code()).gave(cmd.SendOrder)
    assert shown(book) is PictureKind.OTHER_TENDER


@pytest.mark.slow
def test_twenty_orders_are_enough() -> None:
    """After twenty refused codes a driver pays another way."""
    book = Playbook().open().arrive()
    for number in range(21):
        _ = book >> code(f"c{number}")
        if book.passage.open_orders:
            book.answer(OrderState.REFUSED)
    assert len(book.passage.orders) == 20


def test_another_amount_is_no_payment() -> None:
    """Paid with another amount, or mismatch: alarm, no release, the driver may pay otherwise."""
    book = (Playbook().open().arrive() >> code()).answer(OrderState.PAID, captured_fen=1)
    assert (book.phase, shown(book)) == (Phase.TENDER, PictureKind.OTHER_TENDER)
    assert book.stands(AlarmCode.AMOUNT_MISMATCH)
    _ = book >> code("c2")
    book.answer(OrderState.MISMATCH, captured_fen=3)
    assert book.phase is Phase.TENDER
    assert not book.ever(cmd.RaiseBoom)


def test_an_older_answer_never_overrides_a_newer_one() -> None:
    """Answers overtake each other on the way: only the newest version counts."""
    book = (Playbook().open().arrive() >> code()).answer(OrderState.WAITING, version=5)
    book.answer(OrderState.REFUSED, version=4)
    assert book.phase is Phase.PAYING
    book.answer(OrderState.REFUND_DUE, version=7)
    assert book.answer(OrderState.PAID, version=6).phase is Phase.TENDER


def test_a_capture_found_after_a_refusal_is_a_payment() -> None:
    """Refused, then found paid before the vehicle left: it is paid."""
    book = (Playbook().open().arrive() >> code()).answer(OrderState.REFUSED)
    assert book.answer(OrderState.PAID, version=2).phase is Phase.RELEASED
    book.answer(OrderState.PAID, version=2)
    assert len(book.passage.legs) == 1


def test_a_capture_of_a_toll_that_was_corrected_since_is_given_back() -> None:
    """The class was corrected after the order was closed: its late capture names no leg."""
    book = (Playbook().open().arrive() >> code()).answer(OrderState.CLOSED)
    book.act(OperatorAction.SET_CLASS, number=2).told()
    assert book.passage.toll_due_fen == 4000
    number = book.passage.orders[0].out_trade_no
    book.answer(OrderState.PAID, number=number, captured_fen=2500, version=2)
    assert (book.phase, book.passage.legs) == (Phase.TENDER, ())


def test_answers_for_a_vehicle_that_left_change_nothing() -> None:
    """The next vehicle is not paid by the last one's phone."""
    book = Playbook().open().arrive() >> code()
    number = book.passage.orders[0].out_trade_no
    book.read(loop_1=OFF).wait(1000)
    assert book.gave(cmd.CancelOrder)
    book.arrive()
    book.answer(OrderState.PAID, number=number, captured_fen=2500)
    book.silence(number=number)
    assert book.phase is Phase.TENDER


def test_timers_of_decided_orders_do_nothing() -> None:
    """A poll or a 40 s timer that comes late asks nobody."""
    book = (Playbook().open().arrive() >> code()).answer(OrderState.REFUSED)
    number = book.passage.orders[0].out_trade_no
    for timer in (f"poll:{number}", f"order:{number}", "tender", "etc", "cash"):
        assert not (book >> ev.Wakeup(timer_id=timer)).given
    book.silence(number=number)
    assert not book.given


# ---- tags ----


def test_a_tag_is_charged_once_and_releases() -> None:
    """A charged tag raises; a second tag reading charges nothing."""
    book = tagged()
    assert book.gave(cmd.ChargeTag)[0].amount_fen == 2500
    assert not (book >> ev.TagRead(tag=TAG)).gave(cmd.ChargeTag)
    assert not (book >> code()).gave(cmd.SendOrder), "the tag comes first"
    assert charged(book).phase is Phase.RELEASED
    assert not charged(book).given
    book.boom_up().drive_on()
    assert book.records[0].legs[0].tender is Tender.ETC


def test_a_tag_that_waits_at_the_window_is_charged_with_the_toll() -> None:
    """A tag read early is charged when the toll is told."""
    book = Playbook().open() >> change(LOOP_1, ON) >> ev.TagRead(tag=TAG)
    book.act(OperatorAction.SET_ENTRY, text="E1")
    assert book.told().gave(cmd.ChargeTag)
    assert EAST.entry_station


def test_a_refused_tag_leaves_every_other_tender() -> None:
    """A tag without money: the toll is shown again and a phone may pay."""
    book = charged(tagged(), 0)
    assert (book.phase, shown(book)) == (Phase.TENDER, PictureKind.TOLL)
    assert (book >> code()).gave(cmd.SendOrder)
    never = tagged()
    _ = never >> ev.EtcAnswered(passage_id=never.passage.passage_id, outcome=None)
    assert never.phase is Phase.TENDER


def test_an_unknown_tag_charge_is_asked_and_not_repeated() -> None:
    """Nobody knows how the charge ended: the antenna is asked, never told to charge again."""
    book = tagged().wait(3000)
    assert book.gave(cmd.AskTag)
    here = book.passage.passage_id
    _ = book >> ev.EtcAnswered(passage_id=here, outcome=None, failed=True)
    assert book.wait(500).gave(cmd.AskTag)
    assert len(book.ever(cmd.ChargeTag)) == 1
    assert charged(book).phase is Phase.RELEASED


def test_a_phone_after_8_s_and_then_the_tag_too() -> None:
    """The tag turns out charged while a phone order is open: one leg, the order is cancelled."""
    book = tagged().wait(8000) >> code()
    assert book.gave(cmd.SendOrder)
    charged(book)
    assert book.gave(cmd.CancelOrder)
    assert [leg.tender for leg in book.passage.legs] == [Tender.ETC]


def test_a_tag_charged_besides_is_an_alarm() -> None:
    """A tag charged after the phone paid must be given back: a person is told."""
    book = (tagged().wait(8000) >> code()).answer(OrderState.PAID)
    charged(book)
    assert book.stands(AlarmCode.AMOUNT_MISMATCH)
    assert [leg.tender for leg in book.passage.legs] == [Tender.ALIPAY]
    assert "tag_charge_to_give_back" in book.passage.remarks


def test_cash_waits_for_the_tag_and_an_aborted_cash_keeps_it() -> None:
    """Cash is not taken beside an open tag charge; after an abort its answer still releases."""
    book = tagged().act(OperatorAction.CASH_BEGIN)
    assert not book.passage.cash_ready
    book.act(OperatorAction.CASH_ABORT)
    assert book.phase is Phase.PAYING
    assert charged(book).phase is Phase.RELEASED


def test_a_restart_asks_for_the_tag_charge_under_way() -> None:
    """After a restart a charge under way is asked for, so that nobody pays twice."""
    book = tagged().start("boot-2", 2000)
    book.read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=ON)
    assert book.passage.etc is EtcPhase.UNKNOWN
    assert book.gave(cmd.AskTag)
    assert charged(book).phase is Phase.RELEASED


def test_backing_out_after_paying_names_no_leg() -> None:
    """A vehicle that paid and backed out: no leg on its record, the plaza gives it back."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_1=OFF).wait(1000)
    record = book.records[0]
    assert (record.legs, record.unpaid_reason) == ((), UnpaidReason.BACKED_OUT)
    assert len(record.orders) == 1
