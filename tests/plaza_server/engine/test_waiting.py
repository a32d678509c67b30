"""When requests that are held open are answered, in virtual time."""

from __future__ import annotations

import pytest

from plaza_server.engine import CallKind, Problem, ProblemCode, RequestDropped
from tests.plaza_server.bench_platform import charges_silently, waits
from tests.plaza_server.plaza_bench import Bench, answer, order_no, phone_leg, problem
from tolling.ids import LaneId
from tolling.orders import OrderState, ReasonCode

HOUR_MS = 3_600_000


@pytest.fixture
def subject() -> Bench:
    """A plaza process on a fresh store."""
    return Bench()


def test_a_waiting_order_is_told_and_then_paid(subject: Bench) -> None:
    """The POST is answered with waiting, the long poll with paid."""
    subject.platform.script(CallKind.PAY, waits)
    name = subject.pay(1)
    subject.run(500)
    said = answer(subject, name)
    assert (said.state, said.reason_code) == (OrderState.WAITING, ReasonCode.PASSWORD)
    poll = subject.poll(1, wait_ms=20_000)
    subject.run(4_000)
    assert poll not in subject.answers
    subject.platform.trades[order_no(1)].state = "paid"
    subject.run(2_500)
    assert answer(subject, poll).state is OrderState.PAID
    subject.check()


def test_a_cancel_is_answered_closing_within_its_time(subject: Bench) -> None:
    """Cancelled but not proven: 202 closing with the time until the second query."""
    subject.platform.script(CallKind.PAY, waits)
    subject.pay(1)
    subject.run(3_000)
    name = subject.cancel(1)
    subject.run(1_500)
    said = answer(subject, name)
    assert said.state is OrderState.CLOSING
    assert said.retry_after_ms is not None
    assert 50_000 < said.retry_after_ms <= 60_000
    subject.run(said.retry_after_ms + 1_000)
    again = subject.cancel(1)
    subject.run(100)
    assert answer(subject, again).state is OrderState.CLOSED


def test_a_poll_of_an_unknown_number_proves_nothing(subject: Bench) -> None:
    """404, and nothing is stored."""
    name = subject.poll(1, wait_ms=1_000)
    subject.run(100)
    assert problem(subject, name) is ProblemCode.NOT_FOUND


def test_another_lanes_order_is_not_shown(subject: Bench) -> None:
    """A lane sees its own orders only, finished or not; staff see all."""
    subject.platform.script(CallKind.PAY, waits)
    subject.pay(1)
    subject.run(500)
    foreign = subject.poll(1, lane_id=LaneId("002"))
    staff = subject.poll(1, lane_id=None)
    subject.run(100)
    assert isinstance(subject.answers[foreign], Problem)
    assert answer(subject, staff).state is OrderState.WAITING


def test_a_poll_with_a_known_version_is_answered_at_once_when_there_is_more(
    subject: Bench,
) -> None:
    """What changed between two polls is not waited for."""
    subject.platform.script(CallKind.PAY, waits)
    subject.pay(1)
    subject.run(500)
    version = subject.order(1).version
    late = subject.poll(1, wait_ms=5_000, known_version=version - 1)
    held = subject.poll(1, wait_ms=5_000, known_version=version)
    assert late in subject.answers
    subject.run(5_100)
    assert answer(subject, held).state is OrderState.WAITING


def test_a_post_is_answered_before_its_lane_gives_up(subject: Bench) -> None:
    """deadline_ms passes while pay is under way: sent, and the lane asks on."""
    subject.platform.script(CallKind.PAY, charges_silently)
    name = subject.pay(1, deadline_ms=1_000)
    subject.run(1_000)
    assert answer(subject, name).state is OrderState.SENT
    assert subject.answered_ms[name] < 1_000


def test_a_dropped_request_is_not_answered(subject: Bench) -> None:
    """The caller went away: nobody is told, the payment goes on."""
    name = subject.pay(1)
    subject.run(100)
    subject.give(RequestDropped(request_id=name, **subject.moment))
    subject.run(1_000)
    assert name not in subject.answers
    assert subject.state(1) == "paid"
    subject.give(RequestDropped(request_id="never there", **subject.moment))


def test_a_store_that_hangs_is_told_as_busy(subject: Bench) -> None:
    """The commit takes longer than the lane waits: busy; the order is taken up when it is there."""
    subject.run(10)
    subject.commit_ms = 4_000
    name = subject.pay(1)
    subject.run(3_000)
    assert problem(subject, name) is ProblemCode.BUSY
    subject.run(10_000)
    assert subject.state(1) == "paid"
    subject.check()


def test_a_poll_of_a_finished_order_is_answered_from_the_store(subject: Bench) -> None:
    """Nobody works on it any more; its state is read."""
    subject.pay(1)
    subject.run(1_000)
    subject.seal_and_upload(1, phone_leg(order_no(1)))
    subject.run(60_000)
    name = subject.poll(1, wait_ms=5_000)
    subject.run(100)
    assert answer(subject, name).state is OrderState.PAID


def test_a_poll_of_another_process_order_is_read_again(subject: Bench) -> None:
    """An order this process does not work on: held, and read again when the wait is over."""
    subject.platform.script(CallKind.PAY, waits)
    subject.pay(1)
    subject.run(500)
    subject.crash()
    other = Bench(subject.store)
    other.crash()
    other.start_alone()
    name = other.poll(1, wait_ms=1_000)
    other.run(900)
    assert name not in other.answers
    other.run(200)
    assert answer(other, name).state is OrderState.WAITING
