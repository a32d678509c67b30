"""Debits that settled nothing: what is booked when, and which word may follow which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plaza_server.rules import etc_dues as subject
from plaza_server.rules.etc_dues import EtcDueState as S
from plaza_server.rules.etc_dues import EtcOutcome as W
from plaza_server.rules.ledger import balances
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import record
from tolling.records import OwedBack, PassageRecord, Tender


def made(txn_id: str | None) -> PassageRecord:
    """Return a record that owes a tag 10 yuan."""
    owed = OwedBack(tender=Tender.ETC, tag_id="TAG1", amount_fen=1000, txn_id=txn_id)
    return replace(record(1), owed_back=(owed,))


def due(txn_id: str | None = "E9") -> subject.EtcDue:
    """Return what the plaza notes of it."""
    (found,) = subject.dues_of(made(txn_id), EPOCH_MS)
    return found


def after(start: subject.EtcDue, *words: W) -> tuple[subject.EtcDue, dict[str, int]]:
    """Return a debit and all balances after what its issuer said."""
    rows = list(subject.first_bookings(start))
    for word in words:
        rows += subject.outcome_bookings(start, word)
        start = replace(start, state=subject.MOVES[start.state, word])
    return start, {name: fen for name, fen in balances(rows).items() if fen}


def test_a_record_without_any_owes_nothing() -> None:
    """Old records have no such field."""
    assert subject.dues_of(record(1), EPOCH_MS) == ()


def test_a_debit_the_reader_is_sure_of_is_due_at_once() -> None:
    """The issuer owes us what we owe its driver, until it gives it back."""
    assert due().state is S.DUE
    assert after(due())[1] == {"etc": 1000, "refund_due": -1000}
    assert after(due(), W.GIVEN_BACK) == (replace(due(), state=S.GIVEN_BACK), {})


@pytest.mark.parametrize(
    ("words", "state", "sums"),
    [
        ((), S.DOUBTFUL, {}),
        ((W.NOT_TAKEN,), S.NOT_TAKEN, {}),
        ((W.TAKEN,), S.DUE, {"etc": 1000, "refund_due": -1000}),
        ((W.TAKEN, W.GIVEN_BACK), S.GIVEN_BACK, {}),
        ((W.GIVEN_BACK,), S.GIVEN_BACK, {}),
    ],
)
def test_a_doubtful_debit_moves_nothing_before_its_issuer_spoke(
    words: tuple[W, ...], state: S, sums: dict[str, int]
) -> None:
    """A pending transfer, voided or posted by a word."""
    ended, found = after(due(None), *words)
    assert (ended.state, found) == (state, sums)


def test_every_debit_that_is_open_has_one_action_that_names_tag_and_number() -> None:
    """Whoever reads the list need not look anything up."""
    assert "10.00" in due().action
    assert "E9" in due().action
    assert "TAG1" in due().action
    assert due(None).passage_id in due(None).action
    asked = replace(due(None), state=S.DUE)
    assert asked.passage_id in asked.action
    for state in (S.GIVEN_BACK, S.NOT_TAKEN):
        assert replace(due(), state=state).action == ""


def test_no_word_follows_an_end() -> None:
    """What was given back or never taken stays so; what is sure is not called never taken."""
    ended = {S.GIVEN_BACK, S.NOT_TAKEN}
    assert not {state for state, _ in subject.MOVES} & ended
    assert (S.DUE, W.NOT_TAKEN) not in subject.MOVES
    assert set(subject.SAID) == set(W)


def test_the_alarm_of_late_debits_says_where_to_look() -> None:
    """One for all of them: the list has the figures."""
    raised, over = (subject.late_note(raised=each) for each in (True, False))
    assert (raised.code, raised.subject) == (over.code, over.subject)
    assert "more than 3 days" in raised.what
    assert "plaza-server etc list" in raised.what
    assert frozenset({S.DOUBTFUL, S.DUE}) == subject.OPEN_STATES
