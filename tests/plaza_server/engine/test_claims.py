"""Approved claims are sent, proven and ended without a person, whatever breaks meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from plaza_server.engine import SWEEP_TIMER, CallKind, Wakeup
from plaza_server.rules.claims import Claim, ClaimState
from plaza_server.rules.claims_units import AskRefund, DecideClaim, Decision
from plaza_server.rules.orders import Moment
from plaza_server.rules.outcomes import Evidence, RefundRefused, Unknown
from plaza_server.rules.units import AddOperator
from plaza_server.store import claim_units
from tests.plaza_server.bench_platform import EPOCH_MS, says
from tests.plaza_server.plaza_bench import CASH_LEG, LANE, TOLL, Bench, order_no, passage, phone_leg
from tolling.errors import LedgerConflictError, RefusedError
from tolling.ids import BootId, make_out_refund_no
from tolling.orders import OrderState

S = ClaimState
NUMBER = order_no(1)
FINAL = RefundRefused(detail="x", final=True)
SILENCE = Unknown(evidence=Evidence.TIMEOUT)


def earned(**changes: Any) -> Bench:
    """Return a bench with one toll earned by phone, one by cash, and three people."""
    bench = Bench(**changes)
    for name, role in (("li", "attendant"), ("wang", "shift_leader"), ("zhao", "shift_leader")):
        bench.do(
            AddOperator(operator_id=name, name=name, role=role, token_hash=name, now_ms=EPOCH_MS)
        )
    bench.pay(1)
    bench.run(1_000)
    bench.seal_and_upload(1, phone_leg(NUMBER))
    bench.seal_and_upload(2, CASH_LEG, attempts=())
    bench.run(120_000)
    assert bench.order(1).proven
    return bench


def ask(bench: Bench, number: int = 1, **changes: Any) -> Claim:
    """Ask for money of a passage."""
    values = {
        "request_id": f"request-{number}",
        "passage_id": passage(number),
        "leg": None,
        "amount_fen": 1_000,
        "reason": "wrong class",
        "by": "li",
        "at": Moment(**_at(bench)),
    }
    made = bench.do(AskRefund(**{**values, **changes}))
    assert isinstance(made, Claim)
    return made


def _at(bench: Bench) -> dict[str, int]:
    return {"at_ns": bench.now_ns, "wall_ms": EPOCH_MS + bench.now_ns // 1_000_000}


def decide(bench: Bench, claim: Claim, decision: Decision, by: str, **changes: Any) -> Claim:
    """Say something about a claim, and have the engine look."""
    values = {
        "claim_id": claim.claim_id,
        "decision": decision,
        "by": by,
        "why": "",
        "two_person_above_fen": 5_000,
        "owner": BootId("desk"),
        "at": Moment(**_at(bench)),
    }
    made = bench.do(DecideClaim(**{**values, **changes}))
    assert isinstance(made, Claim)
    bench.give(Wakeup(timer_id=SWEEP_TIMER, **bench.moment))
    return made


def approve(bench: Bench, claim: Claim, by: str = "wang", **changes: Any) -> Claim:
    """Approve a claim."""
    return decide(bench, claim, Decision.APPROVE, by, **changes)


def now(bench: Bench, claim: Claim) -> Claim:
    """Return a claim as it is stored."""
    with bench.store.reading() as connection:
        found = claim_units.claim_by_id(connection, claim.claim_id)
    assert found is not None
    return found


def test_an_approved_claim_is_sent_and_proven() -> None:
    """In part; the order stays paid, the platform holds the rest, the books agree."""
    subject = earned()
    claim = approve(subject, ask(subject))
    subject.run(10_000)
    ended = now(subject, claim)
    assert (ended.state, ended.out_refund_no) == (S.REFUNDED, make_out_refund_no(NUMBER, 2))
    assert subject.platform.count(CallKind.REFUND) == 1
    assert subject.platform.count(CallKind.REFUND_QUERY) == 1
    assert subject.order(1).state is OrderState.PAID
    held = subject.balances()
    assert held["clearing:alipay"] == TOLL - 1_000
    assert held["revenue:alipay:310101"] == 1_000 - TOLL
    assert "refund_due" not in held
    subject.check()


def test_nothing_is_sent_before_somebody_approves() -> None:
    """Asked, and refused: no call, no money."""
    subject = earned()
    claim = ask(subject)
    subject.give(Wakeup(timer_id=SWEEP_TIMER, **subject.moment))
    subject.run(60_000)
    decide(subject, claim, Decision.REFUSE, "wang", why="no")
    subject.run(60_000)
    assert now(subject, claim).state is S.REFUSED
    assert subject.platform.count(CallKind.REFUND) == 0
    subject.check()


def test_partial_refunds_never_sum_to_more_than_was_captured() -> None:
    """Also while they are only asked; what was refused counts no more; each has its number."""
    subject = earned()
    first = ask(subject, amount_fen=2_000)
    with pytest.raises(RefusedError, match="550 fen of this leg are left"):
        ask(subject, request_id="request-b", amount_fen=551)
    second = ask(subject, request_id="request-c", amount_fen=None)
    assert second.amount_fen == TOLL - 2_000
    decide(subject, first, Decision.REFUSE, "wang")
    third = ask(subject, request_id="request-d", amount_fen=2_000)
    numbers = [approve(subject, each).out_refund_no for each in (third, second)]
    assert numbers == [make_out_refund_no(NUMBER, 2), make_out_refund_no(NUMBER, 3)]
    subject.run(10_000)
    assert [now(subject, each).state for each in (second, third)] == [S.REFUNDED] * 2
    assert subject.platform.net_fen == 0
    with pytest.raises(RefusedError, match="0 fen"):
        ask(subject, request_id="request-e", amount_fen=1)
    subject.check()


def test_the_same_request_is_one_claim() -> None:
    """Same number and content: the claim as it stands; other content or asker: a conflict."""
    subject = earned()
    claim = ask(subject)
    approve(subject, claim)
    subject.run(10_000)
    assert ask(subject) == now(subject, claim)
    with pytest.raises(LedgerConflictError):
        ask(subject, amount_fen=999)
    with pytest.raises(LedgerConflictError):
        ask(subject, by="wang")


def test_above_the_limit_another_person_approves() -> None:
    """The limit counts all claims of the passage: slices do not pass it."""
    subject = earned()
    one = ask(subject, by="wang", amount_fen=1_000)
    two = ask(subject, by="wang", amount_fen=1_000, request_id="request-b")
    limit = {"two_person_above_fen": 1_999}
    with pytest.raises(RefusedError, match="another person"):
        approve(subject, one, "wang", **limit)
    with pytest.raises(RefusedError, match="shift leader"):
        approve(subject, one, "li", **limit)
    approve(subject, one, "zhao", **limit)
    assert approve(subject, one, "zhao", **limit).state is S.APPROVED, "twice is once"
    with pytest.raises(RefusedError, match="not asked"):
        approve(subject, one, "wang", **limit)
    assert approve(subject, two, "wang").decided_by == "wang", "at most the limit: one is enough"


def test_cash_is_handed_out_by_a_person() -> None:
    """Approved, then paid out from the drawer; no platform is asked, and not twice."""
    subject = earned()
    claim = ask(subject, 2, amount_fen=None)
    with pytest.raises(RefusedError, match="not approved"):
        decide(subject, claim, Decision.PAID_OUT, "li")
    approve(subject, claim)
    for _ in range(2):
        assert decide(subject, claim, Decision.PAID_OUT, "li").state is S.PAID_OUT
    subject.run(10_000)
    assert f"cash_lane:{LANE}" not in subject.balances()
    assert subject.platform.count(CallKind.REFUND) == 0
    with pytest.raises(RefusedError):
        decide(subject, claim, Decision.PAID_OUT, "wang")
    subject.check()


def test_a_platform_pays_phone_claims_not_an_attendant() -> None:
    """Nobody hands out what a platform will send."""
    subject = earned()
    subject.platform.always[CallKind.REFUND] = says(SILENCE)
    subject.platform.always[CallKind.REFUND_QUERY] = says(SILENCE)
    claim = approve(subject, ask(subject))
    with pytest.raises(RefusedError):
        decide(subject, claim, Decision.PAID_OUT, "li")


@pytest.mark.parametrize(
    ("number", "changes", "what"),
    [
        (7, {}, "no such receipt"),
        (1, {"leg": 2}, "no such leg"),
        (1, {"amount_fen": TOLL + 1}, "are left"),
    ],
)
def test_what_cannot_be_given_back_is_refused(
    number: int, changes: dict[str, Any], what: str
) -> None:
    """No record, no such leg, too much."""
    subject = earned()
    with pytest.raises(RefusedError, match=what):
        ask(subject, number, **changes)
    with pytest.raises(RefusedError, match="no such claim"):
        approve(subject, ask(subject), claim_id="none")


def test_a_payment_without_proof_is_not_given_back_by_claim() -> None:
    """Its record is there, its confirming query is not."""
    subject = earned()
    subject.platform.always[CallKind.QUERY] = says(SILENCE)
    subject.pay(3)
    subject.run(1_000)
    subject.seal_and_upload(3, phone_leg(order_no(3)))
    subject.run(1_000)
    with pytest.raises(RefusedError, match="not proven"):
        ask(subject, 3)


def test_a_silent_platform_is_asked_with_growing_gaps() -> None:
    """The same number each time; one refund in its books."""
    subject = earned()
    subject.platform.script(CallKind.REFUND, says(SILENCE), says(SILENCE))
    subject.platform.script(CallKind.REFUND_QUERY, says(SILENCE), says(SILENCE))
    claim = approve(subject, ask(subject))
    subject.run(5_000)
    assert now(subject, claim).state is S.SENDING
    subject.run(120_000)
    assert now(subject, claim).state is S.REFUNDED
    assert subject.platform.trades[NUMBER].refunds == {str(claim.out_refund_no): 1_000}
    subject.check()


def test_a_claim_refused_for_good_is_stuck_and_tried_daily() -> None:
    """An alarm stands until the platform pays."""
    subject = earned()
    subject.platform.always[CallKind.REFUND] = says(FINAL)
    claim = approve(subject, ask(subject))
    subject.run(3_600_000)
    assert now(subject, claim).state is S.STUCK
    assert subject.platform.count(CallKind.REFUND) == 1
    assert "refund_stuck" in subject.standing()
    assert subject.problems() == []
    subject.platform.always.clear()
    subject.run(86_400_000)
    assert now(subject, claim).state is S.REFUNDED
    assert subject.standing() == set()
    subject.check()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["before", "after", "call", "unsent"])
def test_a_crash_anywhere_gives_the_money_back_once(kind: str) -> None:
    """At every commit and every send of a claim's refund, before and behind it."""
    for step in range(1, 12):
        subject = earned()
        claim = ask(subject)
        base = subject.commits if kind in {"before", "after"} else len(subject.platform.calls)
        subject.crash_at = (kind, base + step)
        approve(subject, claim)
        subject.run(20_000)
        subject.crash_at = None
        if subject.engine is None:
            subject.start()
        subject.run(300_000)
        assert now(subject, claim).state is S.REFUNDED, (kind, step)
        assert subject.platform.trades[NUMBER].refunded_fen == 1_000, (kind, step)
        subject.check()


def test_a_result_that_cannot_be_stored_is_kept_and_stored_later() -> None:
    """The disk is full while the platform answers."""
    subject = earned()
    claim = ask(subject)
    approve(subject, claim)
    subject.run(200)
    subject.failing = 3
    subject.run(300_000)
    assert now(subject, claim).state is S.REFUNDED
    subject.check()
