"""Group commit: order kept, results after the commit, trouble handed back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from plaza_server.rules.units import ReadOrder, Unit
from plaza_server.shell import committer as subject
from tolling.ids import OutTradeNo

UNIT = ReadOrder(out_trade_no=OutTradeNo("330101001001000000007A01"))


class Store:
    """Records what it is given; can be held up and broken."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.broken = False

    def commit_group(self, groups: Sequence[Sequence[Unit]]) -> Sequence[subject.GroupResult]:
        self.entered.set()
        assert self.go_on.wait(5)
        self.groups.append(len(groups))
        if self.broken:
            raise OSError("disk gone")
        return [tuple(units) for units in groups]


def started(store: Store) -> tuple[subject.Committer, queue.SimpleQueue[subject.Done]]:
    results: queue.SimpleQueue[subject.Done] = queue.SimpleQueue()

    def deliver(done: list[subject.Done], took_ns: int) -> None:
        assert took_ns >= 0
        for each in done:
            results.put(each)

    ticks = iter(range(1_000_000))
    made = subject.Committer(store.commit_group, deliver=deliver, at_ns=lambda: next(ticks))
    made.start()
    return made, results


def test_what_waits_is_committed_together_and_in_order() -> None:
    """While one transaction is made durable the next ones gather into one."""
    store = Store()
    store.go_on.clear()
    committer, results = started(store)
    committer.submit(0, (UNIT,))
    assert store.entered.wait(5)
    for key in range(1, 6):
        committer.submit(key, (UNIT,))
    assert committer.waiting == 5
    store.go_on.set()
    assert [results.get(timeout=5).key for _ in range(6)] == list(range(6))
    assert store.groups == [1, 5]
    committer.stop()


def test_a_group_has_a_limit() -> None:
    """Past it a second transaction is begun."""
    store = Store()
    store.go_on.clear()
    committer, results = started(store)
    committer.submit("first", (UNIT,))
    assert store.entered.wait(5)
    for key in range(subject.MAX_GROUPS + 3):
        committer.submit(key, (UNIT,))
    store.go_on.set()
    for _ in range(subject.MAX_GROUPS + 4):
        results.get(timeout=5)
    assert store.groups == [1, subject.MAX_GROUPS, 3]
    committer.stop()


def test_stop_finishes_what_was_submitted() -> None:
    """Nothing submitted is dropped on the way down."""
    store = Store()
    store.go_on.clear()
    committer, results = started(store)
    committer.submit("a", (UNIT,))
    assert store.entered.wait(5)
    committer.submit("b", (UNIT,))
    threading.Timer(0, store.go_on.set).start()
    committer.stop()
    assert [results.get_nowait().key, results.get_nowait().key] == ["a", "b"]


def test_a_lost_database_fails_the_group_and_not_the_thread() -> None:
    """Every commit of the group gets the error; the next group is tried."""
    store = Store()
    store.broken = True
    committer, results = started(store)
    committer.submit("a", (UNIT,))
    assert isinstance(results.get(timeout=5).result, OSError)
    store.broken = False
    committer.submit("b", (UNIT,))
    assert results.get(timeout=5).result == (UNIT,)
    committer.stop()
