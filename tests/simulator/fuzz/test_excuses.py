"""The list of pairs no seed reaches."""

import pytest

from plaza_server.rules.order_table import OrderEvent
from plaza_server.rules.orders import RecordMark, event_of
from plaza_server.rules.outcomes import Closed
from simulator.fuzz.excuses import Excuse, excuses, rarities, reason_of, told_of
from simulator.fuzz.pairs import all_pairs, order_pair
from tests.plaza_server.plaza_bench import TOLL
from tests.plaza_server.rules.values import FACTS, LATE, order_in, paid, queried
from tolling.orders import OrderState


@pytest.mark.parametrize("entries", [excuses(), rarities()], ids=["excuses", "rarities"])
def test_every_entry_is_of_the_tables_and_says_why(entries: tuple[Excuse, ...]) -> None:
    """No unknown pair, no empty reason, no entry that covers nothing."""
    parts = [pair.split(".") for pair in sorted(all_pairs())]
    assert entries
    for excuse in entries:
        assert len(excuse.why) > 20, excuse
        for pattern in excuse.patterns:
            fits = [
                each
                for each in parts
                if all(
                    words is None or word in words
                    for words, word in zip(pattern, each, strict=True)
                )
            ]
            assert fits, pattern
            for place, words in enumerate(pattern):
                known = {each[place] for each in fits}
                assert words is None or words <= known, (pattern, words - known)


def test_no_pair_has_two_reasons() -> None:
    """Each never-reached pair stands in the list once."""
    for pair in sorted(all_pairs()):
        assert sum(excuse.covers(pair) for excuse in excuses()) <= 1, pair


def test_a_pair_of_every_day_has_no_excuse() -> None:
    """A payment is captured in every seed."""
    assert reason_of("order.sent.captured") is None
    assert told_of("order.sent.captured") is None
    assert told_of("arriving.tender.CodeScanned") is None


def test_what_is_rare_is_told_as_rare_and_is_no_excuse() -> None:
    """A seed may reach it: the test over the seeds does not hold it against one."""
    pair = "interlock.lowering.BarrierFailed"
    assert reason_of(pair) is None
    assert (told_of(pair) or "").startswith("rare: ")


def test_an_excuse_comes_before_a_rarity() -> None:
    """A lower row of the list never hides that a pair cannot be reached."""
    pair = "order.closed.absent_proven"
    assert any(entry.covers(pair) for entry in rarities())
    assert told_of(pair) == reason_of(pair) is not None


def test_excuses_that_rest_on_how_a_fact_is_classed_are_true() -> None:
    """No fact the rules know is classed so in these states, whatever a record said."""
    facts = [fact for fact, _ in FACTS.values()]
    facts += [queried(Closed(), **LATE), queried(paid(TOLL + 1), cancel_out=True)]
    orders = [order_in(state, record=mark) for state in OrderState for mark in RecordMark]
    classed = {order_pair(order.state, event_of(order, fact)) for order in orders for fact in facts}
    resting = [entry for entry in excuses() if "(event_of)" in entry.why]
    assert len(resting) == 2
    assert [pair for pair in sorted(classed) if any(entry.covers(pair) for entry in resting)] == []
    assert order_pair(OrderState.CLOSING, OrderEvent.ABSENT_PROVEN) in classed
    assert order_pair(OrderState.CLOSED, OrderEvent.CAPTURED_LATE) in classed
