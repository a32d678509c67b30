"""The state table of payment orders says what every event means in every state."""

from __future__ import annotations

import itertools

import pytest

from plaza_server.rules.order_table import TABLE, Go, Ignore, Illegal, OrderEvent, _row
from tolling.orders import CAPTURED_STATES, OPEN_STATES, OrderState

E, S = OrderEvent, OrderState


def test_every_pair_has_one_rule() -> None:
    """State times event is covered, and nothing else is in the table."""
    assert set(TABLE) == set(itertools.product(OrderState, OrderEvent))


def test_every_ignore_and_every_error_has_a_reason() -> None:
    """A rule that does nothing says why."""
    assert all(rule.why for rule in TABLE.values() if isinstance(rule, (Ignore, Illegal)))


def test_every_state_is_reached_and_only_known_ones_end() -> None:
    """Every state but the first has a way in; only refunded has no way on."""
    ways = [(state, rule.to) for (state, _), rule in TABLE.items() if isinstance(rule, Go)]
    assert {to for _, to in ways} == set(OrderState) - {S.CREATED}
    ends = {state for state in OrderState if not any(a is state and b is not a for a, b in ways)}
    assert ends == {S.REFUNDED}


def test_unknown_never_becomes_refused_or_paid_by_silence() -> None:
    """What proves nothing only ever makes a sent order unknown (M4)."""
    moved = {s: TABLE[s, E.NO_PROOF] for s in OrderState}
    assert {s for s, rule in moved.items() if isinstance(rule, Go)} == {S.SENT}
    assert moved[S.SENT] == Go(S.UNKNOWN)


def test_captured_money_never_leads_back_to_an_undecided_state() -> None:
    """Once captured an order stays captured, whatever comes."""
    for (state, event), rule in TABLE.items():
        if state in CAPTURED_STATES and isinstance(rule, Go):
            assert rule.to in CAPTURED_STATES, (state, event)


def test_a_capture_is_believed_wherever_pay_was_sent() -> None:
    """Also behind a refusal or a close: the platform holds the money then."""
    asked = (OPEN_STATES - {S.CREATED}) | {S.REFUSED, S.CLOSED}
    for state in asked:
        assert TABLE[state, E.CAPTURED] == Go(S.PAID)
        assert TABLE[state, E.CAPTURED_LATE] == Go(S.REFUND_DUE)
        assert TABLE[state, E.CAPTURED_OTHER] == Go(S.MISMATCH)
        assert isinstance(TABLE[state, E.CAPTURE_UNSETTLED], Ignore)


def test_closed_is_reached_only_by_proof_or_unsent() -> None:
    """Closing, never sent, or lacking in the daily bill: nothing else leads to closed."""
    ways = {key for key, rule in TABLE.items() if rule == Go(S.CLOSED)}
    assert ways == {
        (S.CLOSING, E.ABSENT_PROVEN),
        (S.SENT, E.BILL_LACKS),
        (S.WAITING, E.BILL_LACKS),
        (S.UNKNOWN, E.BILL_LACKS),
        (S.CLOSING, E.BILL_LACKS),
        (S.CREATED, E.CANCEL_ASKED),
        (S.CREATED, E.TAKE_OVER),
        (S.CREATED, E.RECORD_OMITS),
    }


def test_a_record_names_paid_orders_only() -> None:
    """Every other state is an alarm."""
    for state in OrderState:
        wanted = S.PAID if state is S.PAID else None
        rule = TABLE[state, E.RECORD_NAMES]
        assert isinstance(rule, Illegal) if wanted is None else rule == Go(wanted)


def test_a_row_that_forgets_or_repeats_a_state_is_refused() -> None:
    """The table cannot be written with a hole or a double."""
    with pytest.raises(AssertionError, match="does not say"):
        _row(E.SEND, ({S.SENT}, Go(S.SENT)))
    with pytest.raises(AssertionError, match="twice"):
        _row(E.SEND, ({S.SENT}, Go(S.SENT)), ({S.SENT}, Go(S.SENT)))
