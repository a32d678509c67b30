"""Random facts on random orders: rules and ledger against a model of four sums."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from plaza_server.rules.facts import (
    BillLacks,
    BillShows,
    CancelAsked,
    OrderFact,
    PayAnswered,
    QueryAnswered,
    RecordSaid,
    RefundAnswered,
    RefundStarted,
    SendPay,
    TakeOver,
)
from plaza_server.rules.ledger import MOVING, Transfer, TransferKind, balances
from plaza_server.rules.orders import Order, RecordMark, Verdict, apply, needs_work
from plaza_server.rules.outcomes import (
    Closed,
    Evidence,
    Misconfigured,
    NotThere,
    Paid,
    RefundDone,
    RefundRefused,
    Refused,
    Unknown,
    Waiting,
)
from tests.plaza_server.plaza_bench import TOLL
from tests.plaza_server.rules.values import AT, NUMBER, fresh
from tolling.ids import make_out_refund_no
from tolling.orders import CAPTURED_STATES, OPEN_STATES, NextStep, OrderState, ReasonCode

S = OrderState
EARNED = "revenue:alipay:310101"
amounts = st.sampled_from([0, 1, TOLL - 1, TOLL, TOLL + 1])
captures = st.builds(
    Paid,
    captured_fen=amounts,
    provider_txn_id=st.just("T"),
    paid_at_ms=st.none(),
    refunded_fen=amounts,
)
silences = st.builds(Unknown, evidence=st.sampled_from(Evidence))
configs = st.just(Misconfigured(detail="x"))
refusals = st.builds(Refused, reason=st.sampled_from(ReasonCode), next=st.sampled_from(NextStep))
pays = st.one_of(captures, st.just(Waiting()), silences, refusals, configs)
closes = st.builds(Closed, refunded_fen=amounts)
queries = st.one_of(captures, st.just(Waiting()), silences, closes, st.just(NotThere()), configs)
refunds = st.one_of(
    st.builds(RefundDone, refunded_total_fen=amounts),
    st.builds(RefundRefused, detail=st.just("x"), final=st.booleans()),
    silences,
    configs,
)
facts: st.SearchStrategy[OrderFact] = st.one_of(
    st.builds(PayAnswered, outcome=pays, cancel_out=st.booleans()),
    st.builds(
        QueryAnswered,
        outcome=queries,
        since_sent_ms=st.sampled_from([0, 59_999, 60_000]),
        absent_before=st.booleans(),
        cancelled=st.booleans(),
        gave_back=st.booleans(),
        cancel_out=st.booleans(),
    ),
    st.builds(CancelAsked, reason=st.sampled_from([ReasonCode.CANCELLED, ReasonCode.TIMED_OUT])),
    st.builds(RecordSaid, leg_fen=st.sampled_from([None, TOLL, TOLL + 1])),
    st.builds(RefundStarted, out_refund_no=st.just(make_out_refund_no(NUMBER, 1))),
    st.builds(RefundAnswered, outcome=refunds, by_query=st.booleans()),
    st.builds(BillShows, outcome=captures),
    st.just(BillLacks()),
    st.just(TakeOver()),
    st.just(SendPay()),
)


class MoneyMachine(RuleBasedStateMachine):
    """One order under any sequence of facts, honest or not."""

    order: Order

    @initialize()
    def send(self) -> None:
        """Begin as commit 2 does."""
        done = apply(fresh(), SendPay(), at=AT)
        self.order = done.order
        self.rows: list[Transfer] = list(done.transfers)

    @rule(fact=facts)
    def learn(self, fact: OrderFact) -> None:
        """Apply any fact."""
        before = self.order
        done = apply(before, fact, at=AT)
        self.order = done.order
        self.rows.extend(done.transfers)
        if done.verdict is not Verdict.MOVED:
            assert done.order.state is before.state
            assert done.transfers == ()
        if before.state in CAPTURED_STATES:
            assert done.order.state in CAPTURED_STATES
            assert done.order.captured_fen == before.captured_fen
        assert done.order.refunded_fen >= before.refunded_fen
        assert done.order.version >= before.version

    @invariant()
    def money_is_conserved(self) -> None:
        """Captured less refunded is what lies in revenue, suspense and refund_due."""
        if not hasattr(self, "order"):
            return
        held = balances(self.rows)
        net = self.order.captured_fen - self.order.refunded_fen
        assert held.get("clearing:alipay", 0) == net
        liabilities = {n: -held.get(n, 0) for n in (EARNED, "suspense", "refund_due")}
        assert sum(liabilities.values()) == net
        assert all(amount >= 0 for amount in liabilities.values())
        assert sum(1 for amount in liabilities.values() if amount) <= 1, "money is in one place"

    @invariant()
    def money_is_where_the_state_says(self) -> None:
        """Only a record leads to revenue; what it left out is owed; nothing else moves."""
        if not hasattr(self, "order"):
            return
        held, order = balances(self.rows), self.order
        assert (held.get(EARNED, 0) != 0) == (
            order.state is S.PAID and order.record is RecordMark.NAMED
        )
        owed = order.state in {S.REFUND_DUE, S.REFUNDING, S.MISMATCH, S.REFUND_STUCK}
        assert (held.get("refund_due", 0) != 0) == owed
        if order.state in OPEN_STATES | {S.REFUSED, S.CLOSED}:
            assert not any(row.kind in MOVING for row in self.rows)

    @invariant()
    def transfers_are_written_once(self) -> None:
        """Ids are unique, and the pending row is ended at most once."""
        if not hasattr(self, "order"):
            return
        ids = [row.transfer_id for row in self.rows]
        assert len(ids) == len(set(ids))
        ends = [row for row in self.rows if row.kind in {TransferKind.POST, TransferKind.VOID}]
        assert len(ends) == (0 if self.order.pending else 1)

    @invariant()
    def nothing_unfinished_is_forgotten(self) -> None:
        """Whatever holds undecided or owed money needs work (M2)."""
        if not hasattr(self, "order"):
            return
        held = balances(self.rows)
        if self.order.pending or held.get("refund_due", 0) or held.get("suspense", 0):
            assert needs_work(self.order)


TestMoneyMachine = MoneyMachine.TestCase
