"""Any order of claims, answers and crashes, against a model of three sums."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from plaza_server.engine import CallKind
from plaza_server.rules.claims import Claim, ClaimState
from plaza_server.rules.claims_units import Decision
from tests.plaza_server.bench_platform import says
from tests.plaza_server.engine.test_claims import (
    FINAL,
    NUMBER,
    SILENCE,
    approve,
    ask,
    decide,
    earned,
    now,
)
from tests.plaza_server.plaza_bench import TOLL
from tolling.errors import RefusedError

S = ClaimState
DAY_MS = 86_400_000


class ClaimMachine(RuleBasedStateMachine):
    """One paid order; its claims are asked, decided, sent, answered and lost in any order."""

    @initialize()
    def begin(self) -> None:
        """Begin with a proven payment that its record names."""
        self.bench = earned()
        self.claims: list[Claim] = []
        self.asked_fen = 0
        """Of claims that were not refused: what the model allows no more than the toll of."""

    @rule(amount=st.sampled_from([1, 500, 1_000, TOLL]))
    def ask_some(self, amount: int) -> None:
        """Ask; more than is left is refused, all else is taken."""
        name = f"request-{len(self.claims):04d}-{amount}"
        fits = self.asked_fen + amount <= TOLL
        if not fits:
            with pytest.raises(RefusedError):
                ask(self.bench, request_id=name, amount_fen=amount)
            return
        self.claims.append(ask(self.bench, request_id=name, amount_fen=amount))
        self.asked_fen += amount

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 9), yes=st.booleans())
    def decide_one(self, which: int, yes: bool) -> None:
        """Approve or refuse one that is only asked."""
        claim = now(self.bench, self.claims[which % len(self.claims)])
        if claim.state is not S.ASKED:
            return
        if yes:
            approve(self.bench, claim)
        else:
            decide(self.bench, claim, Decision.REFUSE, "wang")
            self.asked_fen -= claim.amount_fen

    @rule(
        kind=st.sampled_from([CallKind.REFUND, CallKind.REFUND_QUERY]),
        outcome=st.sampled_from([SILENCE, FINAL]),
    )
    def script(self, kind: CallKind, outcome: object) -> None:
        """Have the platform be silent or refuse once."""
        self.bench.platform.script(kind, says(outcome))  # type: ignore[arg-type]

    @rule(ms=st.sampled_from([100, 1_500, 20_000, 400_000]))
    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.bench.run(ms)

    @rule()
    def kill(self) -> None:
        """Kill the process and start another."""
        self.bench.crash()
        self.bench.start()

    def teardown(self) -> None:
        """Without faults every granted claim is paid back, once, and the books agree."""
        if not hasattr(self, "bench"):
            return
        self.bench.platform.acts.clear()
        self.bench.run(DAY_MS + 3_600_000)
        ended = [now(self.bench, claim) for claim in self.claims]
        assert {claim.state for claim in ended} <= {S.ASKED, S.REFUSED, S.REFUNDED}
        back = sum(claim.amount_fen for claim in ended if claim.state is S.REFUNDED)
        assert self.bench.platform.trades[NUMBER].refunded_fen == back <= TOLL
        assert self.bench.balances().get("refund_due", 0) == 0
        assert "refund_stuck" not in self.bench.standing()
        self.bench.check()


ClaimMachine.TestCase.settings = settings(
    max_examples=settings().max_examples // 8,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestClaimMachine = pytest.mark.slow(ClaimMachine.TestCase)
