"""A tag that holds less than the toll, and what becomes of a debit that settles nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core.legs import LegStatus
from lane_controller.core.states import EtcPhase, Phase
from tests.lane_controller.core.playbook import (
    EAST,
    LOOP_1,
    OFF,
    ON,
    PLATE,
    Playbook,
    change,
    code,
    fixed,
)
from tests.lane_controller.core.playbook import coupon as coupon_scan
from tests.lane_controller.core.scenes import TAG
from tolling.alarms import AlarmCode
from tolling.devices import EtcOutcome
from tolling.ids import PassageId
from tolling.messages import OperatorAction
from tolling.orders import OrderState
from tolling.pictures import PictureKind
from tolling.records import PassageEnd, PassageRecord, Tender, UnpaidReason
from tolling.vehicles import VehicleKind

LOW = replace(TAG, balance_fen=1000)
"""Of a toll of 25 yuan it holds 10."""


def said(book: Playbook, fen: int = 1000, *, txn_id: str = "E9") -> Playbook:
    """Let the reader say that so much was taken."""
    here = book.passage.passage_id
    done = EtcOutcome(
        reference=here, charged_fen=fen, txn_id=txn_id if fen else None, reason="" if fen else "no"
    )
    return book >> ev.EtcAnswered(passage_id=here, outcome=done)


def asked() -> Playbook:
    """Return a lane that asks a tag for the 10 yuan it holds."""
    return Playbook().open().arrive() >> ev.TagRead(tag=LOW)


def part() -> Playbook:
    """Return a lane that got them."""
    return said(asked())


def shown(book: Playbook) -> tuple[PictureKind, int | None]:
    """Return what the display says now."""
    assert book.state.picture is not None
    return book.state.picture.kind, book.state.picture.toll_fen


def legs(record: PassageRecord) -> list[tuple[Tender, int]]:
    """Return the legs of a record."""
    return [(leg.tender, leg.amount_fen) for leg in record.legs]


def owed(record: PassageRecord) -> list[tuple[str, int, str | None]]:
    """Return what a record names as owed back."""
    return [(each.tag_id, each.amount_fen, each.txn_id) for each in record.owed_back]


def gone_back(book: Playbook) -> PassageRecord:
    """Let the vehicle leave backwards; return its record."""
    book.read(loop_1=OFF).wait(1000)
    assert book.records[-1].end is PassageEnd.BACKED_OUT
    return book.records[-1]


def through(book: Playbook) -> PassageRecord:
    """Let the released vehicle drive on; return its record."""
    book.boom_up().drive_on()
    return book.records[-1]


def test_a_tag_is_asked_for_what_it_holds_and_the_rest_is_shown() -> None:
    """10 of 25 yuan: the display asks for 15, and nothing is raised."""
    book = asked()
    assert book.gave(cmd.ChargeTag)[0].amount_fen == 1000
    said(book)
    assert (book.phase, shown(book)) == (Phase.TENDER, (PictureKind.TOLL, 1500))
    assert not book.ever(cmd.RaiseBoom)


@pytest.mark.parametrize(("balance", "asked_for"), [(2499, 2499), (2500, 2500), (0, 2500)])
def test_a_tag_that_covers_it_or_tells_no_balance_is_asked_for_the_whole(
    balance: int, asked_for: int
) -> None:
    """0 is said of empty cards and of accounts that hold none: the reader refuses the empty."""
    book = Playbook().open().arrive() >> ev.TagRead(tag=replace(TAG, balance_fen=balance))
    assert book.gave(cmd.ChargeTag)[0].amount_fen == asked_for
    assert (said(book, 0).phase, shown(book)) == (Phase.TENDER, (PictureKind.TOLL, 2500))


def test_a_code_pays_the_rest() -> None:
    """The order is for 15 yuan; the record names the tag's leg first, and owes nothing."""
    book = part() >> code()
    assert book.gave(cmd.SendOrder)[0].request.toll_fen == 1500
    book.answer(OrderState.PAID)
    record = through(book)
    assert legs(record) == [(Tender.ETC, 1000), (Tender.ALIPAY, 1500)]
    assert record.legs[0].provider_txn_id == "E9"
    assert owed(record) == []


def test_cash_pays_the_rest() -> None:
    """The drawer gets 15 yuan."""
    book = part().act(OperatorAction.CASH_BEGIN)
    assert shown(book) == (PictureKind.CASH, 1500)
    record = through(book.act(OperatorAction.CASH_TAKEN))
    assert legs(record) == [(Tender.ETC, 1000), (Tender.CASH, 1500)]


def test_a_coupon_a_tag_and_a_code_pay_together() -> None:
    """What is reversible first: the tag is asked for no more than the coupon leaves."""
    book = Playbook().open().arrive() >> coupon_scan()
    book.held(fixed(500), 500)
    book >> ev.TagRead(tag=LOW)
    said(book)
    assert shown(book) == (PictureKind.TOLL, 1000)
    (book >> code()).answer(OrderState.PAID)
    record = through(book)
    assert legs(record) == [(Tender.COUPON, 500), (Tender.ETC, 1000), (Tender.ALIPAY, 1000)]


def test_a_coupon_behind_the_tag_may_cover_the_rest() -> None:
    """Nothing is left: no order, and the boom rises behind the journal."""
    book = part() >> coupon_scan()
    book.held(fixed(1500), 1500)
    assert [each.after_commit for each in book.gave(cmd.RaiseBoom)] == [True]
    assert legs(through(book)) == [(Tender.COUPON, 1500), (Tender.ETC, 1000)]


def test_backing_out_after_a_part_owes_it_back() -> None:
    """No leg, and the record says which tag gave how much under which number."""
    record = gone_back(part())
    assert legs(record) == []
    assert owed(record) == [("TAG1", 1000, "E9")]


def test_backing_out_after_the_whole_owes_it_back() -> None:
    """Charged in full, raised, reversed all the same."""
    book = Playbook().open().arrive() >> ev.TagRead(tag=TAG)
    assert said(book, 2500).phase is Phase.RELEASED
    record = gone_back(book)
    assert (legs(record), owed(record)) == ([], [("TAG1", 2500, "E9")])


def test_a_debt_ticket_owes_the_part_back() -> None:
    """The ticket is for the whole toll."""
    book = part().act(OperatorAction.ARREARS)
    record = through(book)
    assert record.unpaid_reason is UnpaidReason.ARREARS
    assert owed(record) == [("TAG1", 1000, "E9")]


def test_what_nobody_knows_is_named_without_a_number() -> None:
    """The answer never came and the vehicle is gone: its issuer is asked, nothing is guessed."""
    book = asked()
    here = book.passage.passage_id
    _ = book >> ev.EtcAnswered(passage_id=here, outcome=None, failed=True)
    assert owed(gone_back(book)) == [("TAG1", 1000, None)]
    assert len(book.ever(cmd.ChargeTag)) == 1


def test_a_refused_tag_owes_nothing() -> None:
    """Nothing was taken, and nothing will be."""
    assert owed(gone_back(said(asked(), 0))) == []


def test_the_reader_may_answer_while_the_vehicle_is_under_the_boom() -> None:
    """Asked once more as it leaves the window; the record then knows."""
    book = asked()
    here = book.passage.passage_id
    _ = book >> ev.EtcAnswered(passage_id=here, outcome=None, failed=True)
    book.act(OperatorAction.RAISE, reason="reader is silent").boom_up()
    book.read(loop_2=ON).wait(600).read(loop_1=OFF)
    assert book.ever(cmd.AskTag)[-1].passage_id == here
    done = EtcOutcome(reference=here, charged_fen=1000, txn_id="E9", reason="")
    _ = book >> ev.EtcAnswered(passage_id=here, outcome=done)
    book.wait(500).read(loop_2=OFF).wait(1000)
    assert owed(book.records[-1]) == [("TAG1", 1000, "E9")]


def late() -> Playbook:
    """Return a lane with an order for the whole beside the tag's charge, which ended late."""
    book = asked().wait(8000) >> code()
    assert book.gave(cmd.SendOrder)[0].request.toll_fen == 2500
    return said(book)


def test_an_order_for_the_whole_that_is_paid_leaves_the_tag_out() -> None:
    """A driver who has paid 25 yuan by phone owes no rest: the tag's 10 go back."""
    book = late().answer(OrderState.PAID, captured_fen=2500)
    record = through(book)
    assert legs(record) == [(Tender.ALIPAY, 2500)]
    assert owed(record) == [("TAG1", 1000, "E9")]
    assert "tag_charge_to_give_back" in record.remarks


def test_an_order_for_the_whole_that_is_refused_leaves_the_rest() -> None:
    """The tag's 10 yuan count, and 15 are shown."""
    book = late().answer(OrderState.REFUSED)
    assert shown(book)[1] == 1500
    (book >> code("c2")).answer(OrderState.PAID)
    assert legs(through(book)) == [(Tender.ETC, 1000), (Tender.ALIPAY, 1500)]


def test_cash_that_may_be_counted_already_is_not_changed() -> None:
    """After 2 s the attendant takes 25 yuan: what the tag gives then is owed back."""
    book = asked().act(OperatorAction.CASH_BEGIN).wait(2000)
    assert book.passage.cash_ready
    said(book)
    assert shown(book) == (PictureKind.CASH, 2500)
    assert book.stands(AlarmCode.AMOUNT_MISMATCH)
    record = through(book.act(OperatorAction.CASH_TAKEN))
    assert (legs(record), owed(record)) == ([(Tender.CASH, 2500)], [("TAG1", 1000, "E9")])


def test_cash_that_waits_for_the_tag_is_for_the_rest() -> None:
    """The attendant is told 15 before he may take anything."""
    book = said(asked().act(OperatorAction.CASH_BEGIN))
    assert shown(book) == (PictureKind.CASH, 1500)
    assert book.passage.cash_ready


def test_another_toll_keeps_the_part_where_it_fits() -> None:
    """The attendant says class 2: the tag is not charged again, the rest is another one."""
    book = part().act(OperatorAction.SET_CLASS, number=2)
    assert book.passage.toll_due_fen > 2500
    book.told()
    assert shown(book)[1] == book.passage.toll_due_fen - 1000
    assert len(book.ever(cmd.ChargeTag)) == 1


def test_no_toll_at_all_owes_the_part_back() -> None:
    """It is an ambulance: free, and the tag's money goes back."""
    book = part().act(OperatorAction.SET_KIND, number=int(VehicleKind.EMERGENCY))
    assert book.phase is Phase.RELEASED
    assert book.passage.debit is not None
    assert book.passage.debit.status is LegStatus.REFUND_DUE
    assert owed(through(book)) == [("TAG1", 1000, "E9")]


def test_after_a_restart_the_part_stands_and_is_not_taken_again() -> None:
    """The journal knows what the tag gave; the toll shown is the rest."""
    book = part().start("boot-2", 2000) >> ev.LinkChanged(link="plaza", up=True)
    book.read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=ON).told()
    assert shown(book) == (PictureKind.TOLL, 1500)
    assert len(book.ever(cmd.ChargeTag)) == 1
    (book >> code()).answer(OrderState.PAID)
    assert legs(through(book)) == [(Tender.ETC, 1000), (Tender.ALIPAY, 1500)]


def test_taken_after_all_counts_though_it_was_called_never_begun() -> None:
    """A query overtook the charge: the money is the driver's, and counts for his toll."""
    book = asked()
    _ = book >> ev.EtcAnswered(passage_id=book.passage.passage_id, outcome=None)
    assert book.passage.etc is EtcPhase.REFUSED
    said(book)
    assert shown(book) == (PictureKind.TOLL, 1500)


def test_another_amount_than_asked_is_owed_back() -> None:
    """The reader took 9 yuan where 10 were asked for: nothing is built on that."""
    book = said(asked(), 900)
    assert book.stands(AlarmCode.AMOUNT_MISMATCH)
    assert shown(book) == (PictureKind.OTHER_TENDER, 2500)
    assert owed(gone_back(book)) == [("TAG1", 900, "E9")]


def test_without_phone_money_the_rest_is_for_cash() -> None:
    """The plaza is away: the driver is sent to cash with what is left."""
    book = Playbook().open(plaza=False)
    book >> change(LOOP_1, ON) >> ev.PlateRead(plate=PLATE)
    book.act(OperatorAction.SET_ENTRY, text="E1").told()
    said(book >> ev.TagRead(tag=LOW))
    assert shown(book) == (PictureKind.OTHER_TENDER, 1500)


def test_an_answer_while_nobody_is_sure_counts_when_the_vehicle_is_the_same() -> None:
    """The whole is taken; the boom waits until loops say that it is the vehicle from before."""
    book = Playbook().open().arrive() >> ev.TagRead(tag=TAG)
    book.start("boot-2", 2000)
    said(book, 2500)
    assert (book.phase, bool(book.gave(cmd.RaiseBoom))) == (Phase.UNSURE, False)
    book.read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=ON)
    assert book.gave(cmd.RaiseBoom)
    assert legs(through(book)) == [(Tender.ETC, 2500)]


def test_an_answer_before_the_window_opens_again_settles_as_it_opens() -> None:
    """Called refused, priced anew, and taken after all: nothing is left to pay."""
    book = Playbook().open().arrive() >> ev.TagRead(tag=TAG)
    said(book, 0).act(OperatorAction.SET_ENTRY, text="E1")
    assert book.phase is Phase.PRICED
    said(book, 2500)
    assert book.phase is Phase.PRICED
    assert book.told().phase is Phase.RELEASED
    assert legs(through(book)) == [(Tender.ETC, 2500)]


def test_the_whole_taken_late_ends_the_order_beside_it() -> None:
    """One leg: the phone's order is cancelled."""
    book = (Playbook().open().arrive() >> ev.TagRead(tag=TAG)).wait(8000) >> code()
    assert said(book, 2500).gave(cmd.CancelOrder)
    assert legs(through(book)) == [(Tender.ETC, 2500)]


def test_answers_that_say_nothing_new_change_nothing() -> None:
    """Of another passage, or a failed call about a charge that ended."""
    book = said(asked(), 0)
    before = book.state
    here = book.passage.passage_id
    _ = book >> ev.EtcAnswered(passage_id=here, outcome=None, failed=True)
    assert book.state == before
    other = EtcOutcome(reference="X", charged_fen=1000, txn_id="E9", reason="")
    _ = book >> ev.EtcAnswered(passage_id=PassageId(here[:-1] + "9"), outcome=other)
    assert book.state == before
    _ = book >> ev.Wakeup(timer_id="etc")
    assert not book.given
    leaving = part().act(OperatorAction.ARREARS).boom_up()
    leaving.read(loop_2=ON).wait(600).read(loop_1=OFF)
    standing = leaving.state.leaving
    _ = leaving >> ev.EtcAnswered(passage_id=PassageId(here[:-1] + "9"), outcome=other)
    _ = leaving >> ev.EtcAnswered(passage_id=here, outcome=None)
    assert leaving.state.leaving == standing


def test_nothing_is_owed_where_no_tag_was_asked() -> None:
    """A car without a tag, whether it pays or leaves."""
    assert owed(gone_back(Playbook().open().arrive())) == []
    assert owed(through(Playbook().open().arrive().pay())) == []


def test_a_tag_is_not_asked_beside_a_coupon_or_a_second_time() -> None:
    """What is left is known in a moment; and one charge is enough."""
    book = Playbook().open().arrive() >> coupon_scan()
    assert not (book >> ev.TagRead(tag=LOW)).gave(cmd.ChargeTag)
    book.held(fixed(500), 500)
    assert book.gave(cmd.ChargeTag)[0].amount_fen == 1000


def test_another_capture_than_the_whole_or_the_rest_settles_nothing() -> None:
    """An order of neither amount is paid late: the plaza gives it back, and the rest stands."""
    book = late()
    first = book.passage.orders[0].out_trade_no
    book.answer(OrderState.CLOSED).act(OperatorAction.SET_CLASS, number=2).told()
    book.answer(OrderState.PAID, number=first, captured_fen=2500, version=9)
    assert book.phase is Phase.TENDER
    assert "paid_twice_refund" in book.passage.remarks
    assert shown(book)[1] == book.passage.toll_due_fen - 1000


def test_what_is_paid_already_is_no_matter_for_cash() -> None:
    """The class is corrected, the tag gave just what is due then: nobody counts 0 yuan."""
    book = (Playbook().open() >> change(LOOP_1, ON)).act(OperatorAction.SET_CLASS, number=2)
    here = book.passage.passage_id
    _ = book >> ev.PlateRead(plate=PLATE) >> ev.EntryKnown(passage_id=here, entry=EAST)
    _ = book.told() >> ev.TagRead(tag=replace(TAG, balance_fen=2500))
    said(book, 2500).act(OperatorAction.SET_CLASS, number=1)
    assert (book.phase, book.passage.rest_fen) == (Phase.PRICED, 0)
    assert book.act(OperatorAction.CASH_BEGIN).result()[1] == "nothing_left_to_pay"
    assert book.told().gave(cmd.RaiseBoom)


def test_a_charge_that_was_given_up_before_it_went_out_is_asked_for() -> None:
    """A person lets the vehicle go while the charge waits behind the disk: its reader knows that
    nothing was taken, and the record owes nothing."""
    book = asked()
    here = book.passage.passage_id
    book.act(OperatorAction.RAISE, reason="slow").boom_up()
    book.read(loop_2=ON).wait(600).read(loop_1=OFF)
    assert book.ever(cmd.AskTag)[-1].passage_id == here
    _ = book >> ev.EtcAnswered(passage_id=here, outcome=None)
    book.wait(500).read(loop_2=OFF).wait(1000)
    assert owed(book.records[-1]) == []


def test_the_alarm_of_a_charge_besides_ends_with_its_record() -> None:
    """The record and the issuers' list have it then; the next one is told anew."""
    book = said(Playbook().open().arrive() >> ev.TagRead(tag=LOW), 1700)
    assert book.stands(AlarmCode.AMOUNT_MISMATCH)
    assert owed(through(book.act(OperatorAction.RAISE, reason="paid otherwise")))
    assert not book.stands(AlarmCode.AMOUNT_MISMATCH)
