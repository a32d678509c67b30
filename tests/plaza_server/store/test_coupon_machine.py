"""Random reservations, releases and records on the store itself, against a model of a few dicts.

The model says where every coupon is and what its issuer owes; the mutants at the end prove that it
would notice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from plaza_server.rules import coupons as rules
from plaza_server.rules.coupons import Hold
from plaza_server.rules.facts import PayAnswered
from plaza_server.rules.outcomes import Refused
from plaza_server.store import coupon_queries, coupon_units, open_store, queries
from plaza_server.store.verify import Proved, prove
from tests.plaza_server.plaza_bench import TOLL, Chain, order_no, record
from tests.plaza_server.store.coupon_bench import ask, bring, coupon, release, reserve
from tests.plaza_server.store.test_coupon_units import by_hand, lose_journal, staffed
from tests.plaza_server.store.test_units import ADD_LANE, do, fact, opening, upload
from tolling.coupons import HoldState
from tolling.errors import LedgerConflictError, RefusedError
from tolling.orders import NextStep, ReasonCode
from tolling.records import Leg, PassageRecord, Tender

COUPONS, PASSAGES = 3, 4
coupons = st.integers(1, COUPONS)
passages = st.integers(1, PASSAGES)
attempts = st.integers(1, 3)
REFUSAL = PayAnswered(
    outcome=Refused(reason=ReasonCode.BALANCE, next=NextStep.NEW_CODE), cancel_out=False
)


class CouponMachine(RuleBasedStateMachine):
    """Some coupons, some passages, every order of events."""

    @initialize()
    def open(self) -> None:
        """Begin with a lane and fresh coupons."""
        self.store = open_store("sqlite://")
        do(self.store, ADD_LANE)
        bring(self.store, *(coupon(number) for number in range(1, COUPONS + 1)))
        self.chain = Chain()
        self.used: dict[int, int] = {}
        self.held: dict[int, tuple[int, int]] = {}
        """Coupon -> passage and attempt."""
        self.seen: dict[int, int] = {}
        """Passage -> the highest attempt the store has kept."""
        self.dead: set[tuple[int, int]] = set()
        """Attempts that are over."""
        self.sealed: set[int] = set()
        self.refused: set[int] = set()
        staffed(self.store)
        self.lost = False
        """The lane's journal is gone: it is in a newer epoch, and nothing of the old one comes."""

    @rule(passage=passages, attempt=attempts, of=coupons)
    def hold(self, passage: int, attempt: int, of: int) -> None:
        """Ask for a coupon."""
        answer = ask(self.store, reserve(passage, attempt, of=of))
        mine = next((c for c, where in self.held.items() if where == (passage, attempt)), None)
        free = of not in self.used and self.held.get(of, (passage, 0))[0] == passage
        late = self.lost or passage in self.sealed or attempt < self.seen.get(passage, 0)
        if mine is not None and not late:
            assert (answer.state is HoldState.RESERVED) is (mine == of)
        elif late or (passage, attempt) in self.dead or not free:
            assert answer.state is not HoldState.RESERVED
        else:
            assert (answer.state, answer.saved_fen) == (HoldState.RESERVED, 500)
            for old in [c for c, (other, _) in self.held.items() if other == passage]:
                self.dead.add(self.held.pop(old))
            self.held[of] = (passage, attempt)
            self.seen[passage] = attempt

    @rule(passage=passages, attempt=attempts)
    def let_go(self, passage: int, attempt: int) -> None:
        """Let an attempt go, asked for or not."""
        ask(self.store, release(passage, attempt))
        for of in [c for c, where in self.held.items() if where == (passage, attempt)]:
            del self.held[of]
        self.dead.add((passage, attempt))
        self.seen[passage] = max(attempt, self.seen.get(passage, 0))

    @rule(passage=passages)
    def refuse_an_order(self, passage: int) -> None:
        """A platform refuses the passage's pay code: nothing of the coupon changes."""
        if not self.lost and passage not in self.sealed | self.refused:
            self.refused.add(passage)
            do(self.store, opening(passage))
            do(self.store, fact(passage, REFUSAL))

    @precondition(lambda self: bool(self.held))
    @rule(pick=st.integers(0, COUPONS - 1), applies=st.booleans(), refused=st.booleans())
    def seal_a_holder(self, pick: int, applies: bool, refused: bool) -> None:
        """The lane's last word about a vehicle that holds a coupon, perhaps after a refusal."""
        found = sorted(self.held.values())
        passage, _ = found[pick % len(found)]
        if refused:
            self.refuse_an_order(passage)
        self.seal(passage, applies)

    @rule(passage=passages, applies=st.booleans())
    def seal(self, passage: int, applies: bool) -> None:
        """The lane's last word, with the coupon it holds or without."""
        if self.lost:
            taken = upload(self.store, self.chain.seal(record(passage)))
            assert taken.refused == "foreign"
            return
        if passage in self.sealed:
            return
        self.sealed.add(passage)
        mine = next((c for c, (other, _) in self.held.items() if other == passage), None)
        legs: tuple[Leg, ...] = ()
        if mine is not None:
            self.dead.add(self.held.pop(mine))
            if applies:
                self.used[mine] = passage
                legs = (
                    Leg(tender=Tender.COUPON, amount_fen=500, provider_txn_id=f"K-{mine}"),
                    Leg(tender=Tender.CASH, amount_fen=TOLL - 500),
                )
        orders = (order_no(passage),) if passage in self.refused else ()
        made = record(passage, legs=legs, orders=orders)
        taken = upload(self.store, self.chain.seal(made))
        assert taken.alarms == ()

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        """States of coupons, what their issuers owe, and what was earned."""
        if not hasattr(self, "store"):
            return
        with self.store.reading() as connection:
            found = coupon_queries.coupon_lines(connection, state=None, limit=10)
            owed = queries.balances(connection)
        for number in range(1, COUPONS + 1):
            state = "consumed" if number in self.used else "offered"
            wanted = "reserved" if number in self.held else state
            assert found[number - 1]["state"] == wanted
        assert owed.get("coupon", 0) == 500 * len(self.used)
        assert owed.get("revenue:coupon:310101", 0) == -500 * len(self.used)

    def teardown(self) -> None:
        """Every row is proven at the end."""
        if hasattr(self, "store"):
            with self.store.reading() as connection:
                assert list(prove(connection, Proved())) == []
            self.store.close()


class LostJournalMachine(CouponMachine):
    """The same, with a lane that may lose its journal and a shift leader who lets coupons go."""

    @precondition(lambda self: bool(self.held))
    @rule()
    def lose_the_journal(self) -> None:
        """The lane comes back empty: a coupon that is held has used its epoch up."""
        assert lose_journal(self.store) == 2
        self.lost = True

    @precondition(lambda self: bool(self.held))
    @rule(pick=st.integers(0, COUPONS - 1))
    def let_go_by_hand(self, pick: int) -> None:
        """A shift leader says so of what is held: nothing a record may name is let go."""
        of = sorted(self.held)[pick % len(self.held)]
        passage, attempt = self.held[of]
        try:
            done = do(self.store, by_hand(passage, attempt))
        except RefusedError:
            assert not self.lost
            return
        assert self.lost
        assert done.hold.state is HoldState.RELEASED
        del self.held[of]
        self.dead.add((passage, attempt))


EXAMPLES = settings(
    max_examples=settings().max_examples * 3 // 10, stateful_step_count=20, deadline=None
)
CouponMachine.TestCase.settings = EXAMPLES


@pytest.mark.slow
class TestCouponMachine(CouponMachine.TestCase):  # type: ignore[misc, valid-type, name-defined]
    """Held once, used up by a record alone."""


LostJournalMachine.TestCase.settings = EXAMPLES


@pytest.mark.slow
class TestLostJournal(LostJournalMachine.TestCase):  # type: ignore[misc, valid-type, name-defined]
    """Let go by hand once no record can come, and never before."""


def used_on_a_refused_order(honest: Callable[..., bool]) -> Callable[..., bool]:
    """Return a rule that uses a coupon up where an order of its passage was refused."""

    def names(record: PassageRecord, hold: Hold) -> bool:
        return honest(record, hold) or bool(record.orders and not record.legs)

    return names


def never_used(honest: Callable[..., bool]) -> Callable[..., bool]:
    """Return a rule that gives every coupon back."""
    del honest
    return lambda record, hold: False


def always_free(honest: Callable[..., Any]) -> Callable[..., Any]:
    """Return a rule that takes a used coupon as good."""

    def judge(found: Any, quote: Any, *, at_ms: int) -> Any:
        reason, saved = honest(found, quote, at_ms=at_ms)
        return (
            (rules.CouponReason.NONE, 500) if found is not None and not saved else (reason, saved)
        )

    return judge


def let_go_too_early(honest: Callable[..., Any]) -> Callable[..., Any]:
    """Return a rule that lets a coupon go by hand while its lane may still record it."""
    del honest
    return lambda hold, *, epoch, quarantined: rules.HeldBy.NOTHING


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "name", "mutant"),
    [
        (CouponMachine, "names", used_on_a_refused_order),
        (CouponMachine, "names", never_used),
        (CouponMachine, "judge", always_free),
        (LostJournalMachine, "held_by", let_go_too_early),
    ],
    ids=["coupon consumed on a refused order", "never used up", "used twice", "let go too early"],
)
def test_the_model_notices_a_planted_bug(
    monkeypatch: pytest.MonkeyPatch,
    machine: type[CouponMachine],
    name: str,
    mutant: Callable[[Any], Any],
) -> None:
    """A test of the tests: with each of these bugs the machine above fails."""
    monkeypatch.setattr(coupon_units, name, mutant(getattr(rules, name)))
    with pytest.raises((AssertionError, LedgerConflictError, ExceptionGroup)):
        run_state_machine_as_test(
            machine,
            settings=settings(
                # Drawn at random (`make night`), sixty miss one of these in sixteen times.
                max_examples=max(60, settings().max_examples),
                stateful_step_count=20,
                deadline=None,
                database=None,
                phases=(Phase.generate,),
            ),
        )
