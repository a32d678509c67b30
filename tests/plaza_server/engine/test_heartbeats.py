"""A lane's heartbeat: answered from memory while the store is well, through the store else."""

from __future__ import annotations

import pytest

from plaza_server.engine import EpochAsked, ProblemCode
from plaza_server.rules.limits import STORE_LAGS_MS
from tests.plaza_server.plaza_bench import LANE, Bench, order_no, phone_leg, problem
from tolling.messages import EnrolmentAnswer


@pytest.fixture
def subject() -> Bench:
    """A plaza process on a fresh store that has told the lane its epoch once."""
    bench = Bench()
    _ask(bench, "first")
    bench.run(10)
    return bench


def _ask(bench: Bench, name: str, *, fresh: bool = False) -> None:
    bench.give(EpochAsked(request_id=name, lane_id=LANE, fresh=fresh, **bench.moment))


def _told(bench: Bench, name: str) -> EnrolmentAnswer:
    value = bench.answers[name]
    assert isinstance(value, EnrolmentAnswer), value
    return value


def test_a_heartbeat_costs_no_commit(subject: Bench) -> None:
    """The second question is answered at once and the store is left alone."""
    before = subject.commits
    _ask(subject, "second")
    assert _told(subject, "second").epoch == _told(subject, "first").epoch
    subject.run(1_000)
    assert subject.commits == before


def test_a_heartbeat_names_the_last_record_taken(subject: Bench) -> None:
    """What a commit has taken is what the next heartbeat tells."""
    subject.pay(1)
    subject.run(61_000)
    subject.seal_and_upload(1, phone_leg(order_no(1)))
    subject.run(1_000)
    _ask(subject, "after")
    assert _told(subject, "after").anchor.seq == 1
    assert subject.sealed is not None
    assert _told(subject, "after").anchor.chain_hash == subject.sealed.chain_hash


def test_a_lane_with_an_empty_journal_gets_a_new_epoch_by_a_commit(subject: Bench) -> None:
    """What gives an epoch away is durable first, and the next heartbeat knows it."""
    subject.pay(1)
    subject.run(10)
    _ask(subject, "fresh", fresh=True)
    assert "fresh" not in subject.answers
    subject.run(10)
    _ask(subject, "next")
    assert _told(subject, "next").epoch == _told(subject, "fresh").epoch == 2


def test_lanes_hear_of_a_store_that_fails(subject: Bench) -> None:
    """After a failed commit the next heartbeat goes through the store, and fails with it."""
    subject.failing = 2
    subject.pay(1)
    subject.run(10)
    _ask(subject, "beat")
    subject.run(10)
    assert problem(subject, "beat") is ProblemCode.STORE_FAILED


def test_lanes_hear_of_a_store_that_hangs(subject: Bench) -> None:
    """While a commit is overdue no heartbeat says that all is well."""
    subject.commit_ms = 10 * STORE_LAGS_MS
    subject.pay(1)
    subject.run(STORE_LAGS_MS + 1)
    _ask(subject, "beat")
    assert "beat" not in subject.answers


def test_one_of_several_processes_asks_the_store(subject: Bench) -> None:
    """Where another process may have moved the chain, memory is not asked."""
    subject.start_alone()
    _ask(subject, "one")
    subject.run(10)
    before = subject.commits
    _ask(subject, "two")
    subject.run(10)
    assert subject.commits == before + 1
