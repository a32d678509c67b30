"""People's orders: once each, with a reason, for this vehicle; cash in two steps."""

from __future__ import annotations

import pytest

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core import people as subject
from lane_controller.core.states import LaneMode, Phase
from tests.lane_controller.core.playbook import (
    LOOP_1,
    OFF,
    ON,
    PLATE,
    UNKNOWN,
    Playbook,
    change,
    code,
)
from tests.lane_controller.core.scenes import broken
from tolling.alarms import AlarmCode
from tolling.ids import PassageId
from tolling.messages import CommandOutcome, OperatorAction
from tolling.orders import OrderState
from tolling.records import AuthorisedBy, PassageEnd, Tender, UnpaidReason

A = OperatorAction
REFUSED = CommandOutcome.REFUSED


def test_every_action_has_a_handler() -> None:
    """One vocabulary: nothing a person may send is unknown."""
    assert set(subject.HANDLERS) == set(OperatorAction)


@pytest.mark.parametrize("action", sorted(subject.NEED_REASON))
def test_a_reason_is_asked_where_it_matters(action: OperatorAction) -> None:
    """Without a reason nothing moves."""
    book = Playbook().open().arrive().act(action, reason="  x ")
    assert book.result() == (REFUSED, "reason_missing")
    assert not book.gave(cmd.RaiseBoom)


def test_a_command_for_another_vehicle_is_stale() -> None:
    """It was decided for a car that is gone."""
    book = Playbook().open().act(A.CASH_BEGIN, passage_id=PassageId("1"))
    assert book.result()[1] == "no_vehicle"
    book.arrive().act(A.RAISE, passage_id=PassageId("1"))
    assert book.result()[1] == "stale"


def test_a_repeated_command_is_answered_and_not_obeyed_again() -> None:
    """The same id twice is one order."""
    book = Playbook().open().arrive().act(A.CASH_BEGIN, command_id="x")
    book.act(A.CASH_ABORT).act(A.CASH_BEGIN, command_id="x")
    assert book.result()[0] is CommandOutcome.CONFIRMED
    assert book.phase is Phase.TENDER


def test_cash_is_two_steps() -> None:
    """Begin locks phones out, taken is the leg."""
    book = Playbook().open().arrive().act(A.CASH_TAKEN)
    assert book.result()[1] == "cash_not_begun"
    book.act(A.CASH_BEGIN).act(A.CASH_BEGIN)
    assert book.result()[0] is CommandOutcome.CONFIRMED
    assert not (book >> code()).gave(cmd.SendOrder)
    book.act(A.CASH_TAKEN)
    assert book.gave(cmd.RaiseBoom)
    assert book.act(A.CASH_TAKEN).result()[1] == "released_already"
    assert book.act(A.CASH_BEGIN).result()[1] == "phone_paid_give_cash_back"
    book.boom_up().drive_on()
    assert book.records[0].legs[0].tender is Tender.CASH


def test_cash_waits_for_the_phone_at_most_2_s() -> None:
    """The cancelled order answers, or 2 s pass; then cash may be taken."""
    book = (Playbook().open().arrive() >> code()).act(A.CASH_BEGIN)
    assert book.gave(cmd.CancelOrder)
    assert book.act(A.CASH_TAKEN).result()[1] == "wait_for_phone_answer"
    book.answer(OrderState.CLOSED)
    assert book.passage.cash_ready
    book = (Playbook().open().arrive() >> code()).act(A.CASH_BEGIN).wait(2000)
    assert book.act(A.CASH_TAKEN).result()[0] is CommandOutcome.CONFIRMED


def test_paid_by_phone_in_cash_gives_the_cash_back() -> None:
    """The phone won: released, and the attendant is told."""
    book = (Playbook().open().arrive() >> code()).act(A.CASH_BEGIN).answer(OrderState.PAID)
    assert book.phase is Phase.RELEASED
    assert book.act(A.CASH_TAKEN).result()[1] == "phone_paid_give_cash_back"
    assert [leg.tender for leg in book.passage.legs] == [Tender.ALIPAY]


def test_a_late_capture_after_cash_names_no_leg() -> None:
    """Cash was first in the journal: the phone's capture is the plaza's to give back."""
    book = (Playbook().open().arrive() >> code()).act(A.CASH_BEGIN).wait(2000).act(A.CASH_TAKEN)
    book.answer(OrderState.PAID)
    book.boom_up().drive_on()
    assert [leg.tender for leg in book.records[0].legs] == [Tender.CASH]
    assert "paid_twice_refund" in book.records[0].remarks


def test_an_aborted_cash_goes_back_to_phones() -> None:
    """The scan window opens again, once the toll has been told."""
    book = Playbook().open().arrive().act(A.CASH_ABORT)
    assert book.result()[1] == "cash_not_begun"
    book.act(A.CASH_BEGIN).act(A.CASH_ABORT)
    assert (book >> code()).gave(cmd.SendOrder)
    untold = (Playbook().open() >> change(LOOP_1, ON)).act(A.SET_ENTRY, text="E1")
    untold.act(A.CASH_BEGIN).act(A.CASH_ABORT)
    assert untold.phase is Phase.PRICED
    assert not (untold >> code()).gave(cmd.SendOrder)


def test_cash_needs_a_price() -> None:
    """Nobody knows what is due yet."""
    book = Playbook().open() >> change(LOOP_1, ON)
    assert book.act(A.CASH_BEGIN).result()[1] == "not_priced"
    book = Playbook().open().arrive().act(A.SET_CLASS, number=16)
    assert book.act(A.CASH_BEGIN).result()[1] == "not_priced"


def test_an_attendants_raise_is_read_back() -> None:
    """Answered when the upper limit says so; the record says who and why."""
    book = (Playbook().open().arrive() >> code()).act(A.RAISE, reason="phone is broken")
    assert not book.gave(cmd.AnswerOperator)
    assert book.gave(cmd.CancelOrder)
    assert book.boom_up().result() == (CommandOutcome.CONFIRMED, "")
    book.drive_on()
    record = book.records[0]
    assert (record.authorised_by, record.unpaid_reason) == (
        AuthorisedBy.ATTENDANT,
        UnpaidReason.RELEASED,
    )
    assert (record.operator, record.operator_reason) == ("li", "phone is broken")


def test_a_second_raise_ends_the_first_in_words() -> None:
    """Nobody waits for ever for an answer."""
    book = Playbook().open().arrive().act(A.RAISE, command_id="1").act(A.RAISE, command_id="2")
    assert book.gave(cmd.AnswerOperator)[0].command_id == "1"
    assert not book.act(A.RAISE, command_id="2").given, "sent again, still on its way"
    assert book.boom_up().gave(cmd.AnswerOperator)[0].command_id == "2"


def test_a_vehicle_under_a_boom_that_did_not_rise_can_be_raised_for() -> None:
    """It crept, paid and is under the boom: the attendant's raise is not "no vehicle"."""
    book = Playbook().open().arrive().read(loop_2=ON).pay()
    assert book.state.leaving is not None
    book.act(A.RAISE, passage_id=book.state.leaving.passage_id)
    assert book.gave(cmd.RaiseBoom)[0].reason is cmd.RaiseReason.ATTENDANT


def test_a_raise_for_a_vehicle_no_loop_sees() -> None:
    """With loop 1 unreadable a person may raise; it authorises no presence."""
    book = Playbook().open().read(loop_1=UNKNOWN).act(A.RAISE, passage_id=None)
    assert book.gave(cmd.RaiseBoom)[0].passage_id is None
    assert book.boom_up().result()[0] is CommandOutcome.CONFIRMED
    assert not book.state.lane_green


def test_a_raise_in_doubt_says_it_is_the_same_vehicle() -> None:
    """After a restart the paid vehicle is raised for and passes as the one that paid."""
    book = Playbook().open().arrive().pay().start("boot-2", 60_000)
    book.read(boom_up=OFF, boom_down=ON, loop_2=OFF, loop_1=ON).act(A.RAISE)
    assert book.phase is Phase.RELEASED
    book.boom_up().drive_on()
    assert (book.records[0].end, len(book.records[0].legs)) == (PassageEnd.PASSED, 1)


def test_arrears_let_pass_against_a_debt() -> None:
    """No leg, the reason on the record."""
    book = (Playbook().open().arrive() >> code()).act(A.ARREARS)
    assert book.gave(cmd.CancelOrder)
    assert book.act(A.ARREARS).result()[1] == "released_already"
    book.boom_up().drive_on()
    assert book.records[0].unpaid_reason is UnpaidReason.ARREARS


def test_corrections_price_anew_until_a_tender_has_begun() -> None:
    """Class, kind and entry before paying; refused with a word afterwards and for nonsense."""
    book = Playbook().open().arrive().act(A.SET_ENTRY, text="FAR").told()
    assert book.passage.toll_due_fen == 9000
    book.act(A.SET_ENTRY, text="E1").act(A.SET_CLASS, number=2).told()
    assert book.passage.toll_due_fen == 4000
    assert book.act(A.SET_ENTRY).result()[1] == "entry_missing"
    assert book.act(A.SET_CLASS, number=99).result()[1] == "no_such_class"
    assert book.act(A.SET_KIND, number=99).result()[1] == "no_such_kind"
    assert book.act(A.SET_PLATE, text="nonsense").result()[1] == "not_a_plate"
    book.act(A.SET_PLATE, text="沪A·12345")
    assert book.passage.plate is not None
    assert book.passage.plate.text == "沪A12345"
    assert book.passage.plate_read == PLATE
    _ = book >> code()
    for action in (A.SET_ENTRY, A.SET_CLASS, A.SET_KIND):
        assert book.act(action, text="E1", number=10).result()[1] == "too_late"


def test_an_exempt_kind_releases_without_toll() -> None:
    """No order, only a record."""
    book = Playbook().open() >> change(LOOP_1, ON)
    book.act(A.SET_CLASS, number=1).act(A.SET_KIND, number=10)
    assert book.gave(cmd.RaiseBoom)[0].reason is cmd.RaiseReason.EXEMPTION
    book.boom_up().drive_on()
    assert (book.records[0].unpaid_reason, book.records[0].legs) == (UnpaidReason.EXEMPT, ())


def test_cancel_order_ends_what_is_open_and_no_released_car_is_asked_for_cash() -> None:
    """Only a vehicle that is paying is offered another tender."""
    book = Playbook().open().arrive()
    assert book.act(A.CANCEL_ORDER).result()[1] == "no_open_order"
    _ = book >> code()
    assert book.act(A.CANCEL_ORDER).gave(cmd.CancelOrder)
    book.act(A.RAISE)
    picture = book.state.picture
    book.act(A.CANCEL_ORDER)
    assert book.state.picture == picture


def test_opening_and_closing() -> None:
    """Closing waits for present vehicles; a full disk does not open."""
    book = Playbook().open().arrive().act(A.CLOSE_LANE)
    assert book.state.mode is LaneMode.CLOSING
    book.read(loop_1=OFF).wait(1000)
    assert book.state.mode is LaneMode.CLOSED
    _ = book.act(A.OPEN_LANE) >> ev.StoreChanged(store=ev.StoreState.FULL)
    assert book.act(A.OPEN_LANE).result()[1] == "disk_full"
    assert book.act(A.RESET).result()[1] == "not_attended_only"


def test_attended_only_raises_for_whoever_comes_and_nothing_else() -> None:
    """After a fault: raise yes, also for vehicles the lane does not see; lower and cash no."""
    book = broken().read(loop_1=ON).act(A.RAISE, passage_id=None)
    assert book.gave(cmd.RaiseBoom)
    book.boom_up().read(loop_2=ON).read(loop_2=OFF, loop_1=OFF).wait(5000)
    for action in (A.LOWER, A.OPEN_LANE, A.CLOSE_LANE, A.CASH_BEGIN, A.SET_KIND):
        assert book.act(action).result() == (REFUSED, "attended_only")
    assert not book.ever(cmd.LowerIfClear)


def test_after_a_reset_the_next_vehicle_is_not_the_one_from_before() -> None:
    """A paid car left while the lane was attended-only: its record is sealed, nobody inherits."""
    book = Playbook().open().arrive().pay() >> ev.FaultCaught(what="planted")
    book.boom_up().read(loop_2=ON, loop_1=OFF).wait(500).read(loop_2=OFF).wait(5000)
    book.act(A.RESET)
    assert book.state.mode is LaneMode.CLOSED
    book.wait(5000)
    assert book.records[0].end is PassageEnd.LEFT_DURING_OUTAGE
    book.act(A.OPEN_LANE)
    book.read(loop_1=ON)
    assert book.phase is Phase.IDENTIFYING
    assert not book.stands(AlarmCode.CORE_FAULT)


def test_after_a_reset_a_vehicle_that_was_leaving_is_sealed() -> None:
    """Its second ran out unheard: it is begun again."""
    book = Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF)
    _ = book.read(loop_2=OFF) >> ev.FaultCaught(what="planted")
    book.wait(3000).act(A.RESET).wait(1000)
    assert book.records[0].end is PassageEnd.PASSED
