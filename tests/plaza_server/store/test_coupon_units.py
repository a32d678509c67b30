"""Coupons in the store: held once, used up by a record alone, given back by everything else."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from plaza_server.rules.coupons import (
    RECORD_DUE_MS,
    CouponState,
    HandReleased,
    ReleaseByHand,
    hold_id,
)
from plaza_server.rules.orders import Moment
from plaza_server.rules.units import AddOperator, GiveEpoch, TakeRecords
from plaza_server.store import Store, commit_group, coupon_queries, open_store, queries
from plaza_server.store.verify import Proved, prove
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import LANE, TOLL, Chain, passage, record
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.coupon_bench import ask, bring, coupon, release, reserve
from tests.plaza_server.store.test_units import ADD_LANE, LEASE, ME, do, sweep, upload
from tolling.alarms import AlarmCode
from tolling.chain import genesis, seal
from tolling.coupons import CouponReason, HoldState
from tolling.errors import BadInputError, RefusedError
from tolling.ids import LaneId, PlazaId
from tolling.records import Leg, Tender

H, R = HoldState, CouponReason


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with one lane and two coupons of 5 yuan."""
    do(store, ADD_LANE)
    bring(store, coupon(1), coupon(2))
    return store


def legs(of: int = 1, coupon_fen: int = 500) -> tuple[Leg, ...]:
    """Return a coupon leg and cash for the rest."""
    return (
        Leg(tender=Tender.COUPON, amount_fen=coupon_fen, provider_txn_id=f"K-{of}"),
        Leg(tender=Tender.CASH, amount_fen=TOLL - coupon_fen),
    )


def states(store: Store) -> dict[str, str]:
    """Return the state of each coupon."""
    with store.reading() as connection:
        found = coupon_queries.coupon_lines(connection, state=None, limit=100)
    return {each["coupon_no"]: each["state"] for each in found}


def held(store: Store) -> dict[str, int]:
    """Return all balances that are not 0."""
    with store.reading() as connection:
        return {name: fen for name, fen in queries.balances(connection).items() if fen}


def proven(store: Store) -> bool:
    """Return whether every row of the books is proven."""
    with store.reading() as connection:
        return not list(prove(connection, Proved()))


def test_a_coupon_is_held_and_used_up_by_the_record_that_names_it(subject: Store) -> None:
    """Pending until then; in the record's commit it becomes what its issuer owes."""
    answer = ask(subject, reserve(1))
    assert (answer.state, answer.coupon_no, answer.saved_fen) == (H.RESERVED, "K-1", 500)
    assert held(subject) == {}
    upload(subject, Chain().seal(record(1, legs=legs())))
    assert states(subject) == {"K-1": "consumed", "K-2": "offered"}
    assert held(subject)["coupon"] == 500
    assert held(subject)["revenue:coupon:310101"] == -500
    assert "suspense" not in held(subject)
    assert proven(subject)


def test_a_record_without_it_gives_it_back(subject: Store) -> None:
    """Backed out, paid otherwise, refused: the coupon is good again and nothing moved."""
    ask(subject, reserve(1))
    upload(subject, Chain().seal(record(1)))
    assert states(subject)["K-1"] == "offered"
    assert held(subject) == {}
    assert ask(subject, reserve(2)).state is H.RESERVED
    assert proven(subject)


def test_the_same_request_gives_the_same_answer(subject: Store) -> None:
    """Also where a proxy sends it once more, and when its coupon is gone."""
    first = ask(subject, reserve(1))
    assert ask(subject, reserve(1)) == first
    ask(subject, release(1))
    late = ask(subject, reserve(1))
    assert (late.state, late.reason) == (H.RELEASED, R.TOO_LATE)
    assert states(subject)["K-1"] == "offered"
    assert proven(subject)


def test_one_coupon_is_one_vehicles(subject: Store) -> None:
    """Held it is taken, used it is used, whoever shows the picture."""
    ask(subject, reserve(1))
    assert ask(subject, reserve(2)).reason is R.TAKEN
    upload(subject, Chain().seal(record(1, legs=legs())))
    assert ask(subject, reserve(3)).reason is R.USED


def test_letting_go_before_it_was_asked_for_holds_nothing_afterwards(subject: Store) -> None:
    """The two messages may overtake each other on their way."""
    assert ask(subject, release(1)).state is H.RELEASED
    assert ask(subject, reserve(1)).state is H.RELEASED
    assert states(subject)["K-1"] == "offered"
    assert ask(subject, release(1)).state is H.RELEASED
    assert proven(subject)


def test_a_newer_attempt_takes_the_place_of_the_older(subject: Store) -> None:
    """One passage holds one coupon: the price changed, or another one was shown."""
    ask(subject, reserve(1))
    again = ask(subject, reserve(1, 2, toll_fen=300))
    assert (again.state, again.saved_fen) == (H.RESERVED, 300)
    ask(subject, reserve(1, 3, of=2))
    assert states(subject) == {"K-1": "offered", "K-2": "reserved"}
    for late in (1, 2):
        assert ask(subject, reserve(1, late)).reason is R.TOO_LATE
    assert proven(subject)


def test_after_its_record_a_passage_holds_nothing_more(subject: Store) -> None:
    """A request that comes late cannot bind a coupon to a vehicle that is gone."""
    upload(subject, Chain().seal(record(1)))
    assert ask(subject, reserve(1)).reason is R.TOO_LATE


def test_only_a_lane_of_here_and_of_this_epoch_holds(subject: Store) -> None:
    """No such lane, another lane's passage, another epoch."""
    other = reserve(1, lane=LaneId("009"))
    assert ask(subject, other).reason is R.WRONG_LANE
    quoted = reserve(1).request
    passage_id = f"{quoted.passage_id[:9]}002{quoted.passage_id[12:]}"
    old = replace(reserve(1), request=replace(quoted, passage_id=passage_id))
    assert ask(subject, old).reason is R.WRONG_LANE


def test_a_record_that_names_what_it_did_not_hold_is_told(subject: Store) -> None:
    """Nothing is booked for it, an alarm stands, and the proof of the books names it."""
    taken = upload(subject, Chain().seal(record(1, legs=legs())))
    assert [note.code for note in taken.alarms] == [AlarmCode.ILLEGAL_EVENT]
    assert "coupon" not in held(subject)
    assert states(subject)["K-1"] == "offered"
    assert not proven(subject)


def test_a_coupon_held_for_a_day_without_a_record_is_told_once(subject: Store) -> None:
    """As a captured order is; its record clears it."""
    ask(subject, reserve(1))
    assert do(subject, sweep("boot1")).alarms == ()
    later = Moment(at_ns=AT.at_ns, wall_ms=EPOCH_MS + RECORD_DUE_MS)
    unit = replace(sweep("boot1"), at=later)
    assert [note.code for note in do(subject, unit).alarms] == [AlarmCode.RECORD_MISSING]
    assert do(subject, unit).alarms == ()
    sealed = Chain().seal(record(1, legs=legs()))
    do(subject, TakeRecords(lane_id=LANE, records=(sealed,), lease=LEASE, at=later))
    with subject.reading() as connection:
        standing = sa.text("SELECT COUNT(*) FROM alarms WHERE cleared_ms IS NULL")
        assert connection.execute(standing).scalar_one() == 0


def test_a_file_is_taken_whole_or_not_at_all(subject: Store) -> None:
    """What is there stays; another coupon under its number or text refuses all, with the line."""
    assert bring(subject, coupon(1), coupon(3)) == 1
    assert bring(subject, coupon(1), coupon(3)) == 0
    for other in (coupon(3, amount_fen=9), replace(coupon(4), token_hash=coupon(1).token_hash)):
        with pytest.raises(BadInputError, match="line 3"):
            bring(subject, coupon(5), other)
    assert sorted(states(subject)) == ["K-1", "K-2", "K-3"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE coupons SET state = 'consumed' WHERE coupon_no = 'K-2'",
        "UPDATE coupons SET state = 'offered' WHERE coupon_no = 'K-1'",
        "UPDATE coupon_holds SET state = 'released'",
        "UPDATE coupon_holds SET amount_fen = 1",
        "DELETE FROM coupon_holds",
        "DELETE FROM transfers WHERE transfer_id = 'coupon/K-1/revenue'",
        "DELETE FROM transfers WHERE transfer_id LIKE 'coupon/%/end'",
    ],
)
def test_a_changed_row_is_found(change: str) -> None:
    """Coupons, reservations, transfers and records call for each other."""
    store = open_store("sqlite://")
    do(store, ADD_LANE)
    bring(store, coupon(1), coupon(2))
    ask(store, reserve(1))
    upload(store, Chain().seal(record(1, legs=legs())))
    with store.engine.begin() as connection:
        for name in connection.execute(
            sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).scalars():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        assert connection.exec_driver_sql(change).rowcount > 0
    assert not proven(store)
    store.close()


def by_hand(number: int, attempt: int = 1, *, by: str = "wang", at: Moment = AT) -> ReleaseByHand:
    """Return the unit that lets a reservation go by a person's word."""
    where = hold_id(passage(number), attempt)
    return ReleaseByHand(hold_id=where, by=by, why="lane box burnt", owner=ME, at=at)


def staffed(store: Store) -> None:
    """Register a shift leader and an attendant."""
    for name, role in (("wang", "shift_leader"), ("li", "attendant")):
        unit = AddOperator(
            operator_id=name, name=name, role=role, token_hash=name * 16, now_ms=EPOCH_MS
        )
        do(store, unit)


def lose_journal(store: Store) -> int:
    """Let the lane come back with an empty journal; return the epoch it is given."""
    anchor = do(store, GiveEpoch(lane_id=LANE, fresh=True, now_ms=EPOCH_MS))
    epoch: int = anchor.epoch
    return epoch


def test_a_coupon_of_a_lost_journal_is_let_go_by_a_person_once(subject: Store) -> None:
    """Durably, with who and why; its pending transfer is void, its alarm cleared, the coupon good
    again, and nothing of the old epoch can ever name it."""
    staffed(subject)
    old = Chain()
    ask(subject, reserve(1))
    later = replace(AT, wall_ms=EPOCH_MS + RECORD_DUE_MS)
    do(subject, replace(sweep("boot1"), at=later))
    assert lose_journal(subject) == 2
    done = do(subject, by_hand(1, at=later))
    assert isinstance(done, HandReleased)
    assert (done.hold.state, done.hold.released_by) == (H.RELEASED, "wang")
    assert done.hold.released_why == "lane box burnt"
    assert [(note.code, note.raised) for note in done.alarms] == [(AlarmCode.RECORD_MISSING, False)]
    again = do(subject, replace(by_hand(1), why="once more"))
    assert again == HandReleased(hold=done.hold)
    assert states(subject)["K-1"] == "offered"
    assert held(subject) == {}
    assert ask(subject, reserve(1)).reason is R.WRONG_LANE
    taken = upload(subject, old.seal(record(1, legs=legs())))
    assert taken.refused == "foreign"
    assert proven(subject)


def test_what_a_lane_may_still_record_nobody_lets_go(subject: Store) -> None:
    """Its epoch is the passage's: its journal may be there, whatever people think."""
    staffed(subject)
    ask(subject, reserve(1))
    with pytest.raises(RefusedError, match="may still have the journal"):
        do(subject, by_hand(1))
    assert states(subject)["K-1"] == "reserved"
    upload(subject, Chain().seal(record(1, legs=legs())))
    with pytest.raises(RefusedError, match="it is consumed already"):
        do(subject, by_hand(1))
    assert states(subject)["K-1"] == "consumed"
    assert proven(subject)


def test_only_a_shift_leader_lets_a_coupon_go(subject: Store) -> None:
    """It is money for whoever shows it next."""
    staffed(subject)
    ask(subject, reserve(1))
    lose_journal(subject)
    for somebody in ("li", "nobody"):
        with pytest.raises(RefusedError, match="only a shift leader"):
            do(subject, by_hand(1, by=somebody))
    with pytest.raises(RefusedError, match="there is none"):
        do(subject, by_hand(2))
    assert states(subject)["K-1"] == "reserved"


def test_a_record_in_quarantine_that_speaks_of_the_passage_keeps_its_coupon(
    subject: Store,
) -> None:
    """Its lane has said its last word, and nobody could read it; another one's holds nothing."""
    staffed(subject)
    ask(subject, reserve(1))
    ask(subject, reserve(2, of=2))
    start = genesis(PlazaId("310101"), LANE, 1)
    upload(subject, seal(start, b'{"passage_id":"' + passage(1).encode() + b'","legs":?}'))
    lose_journal(subject)
    with pytest.raises(RefusedError, match="quarantine"):
        do(subject, by_hand(1))
    assert do(subject, by_hand(2)).hold.state is H.RELEASED
    with subject.reading() as connection:
        (line,) = coupon_queries.held_lines(connection, limit=5)
    assert line.hold.passage_id == passage(1)
    assert line.held_by == "quarantine"
    assert states(subject) == {"K-1": "reserved", "K-2": "offered"}


def test_an_epoch_in_which_a_coupon_was_held_is_used(subject: Store) -> None:
    """A lane that comes back empty must not number its next vehicle as the one that holds it."""
    ask(subject, release(1))
    assert lose_journal(subject) == 2
    assert lose_journal(subject) == 2


@pytest.mark.postgres
def test_two_processes_never_hold_one_coupon_twice(migrated_postgres: str) -> None:
    """Twenty passages of two processes ask for one coupon at once: one has it."""
    stores = [open_store(migrated_postgres), open_store(migrated_postgres)]
    do(stores[0], ADD_LANE)
    bring(stores[0], coupon(1))
    answers: list[HoldState] = []

    def run(store: Store, first: int) -> None:
        for number in range(first, 21, 2):
            (result,) = commit_group(store.engine, [[reserve(number)]])
            assert not isinstance(result, Exception), result
            answers.append(result[0].state)  # type: ignore[attr-defined]

    threads = [threading.Thread(target=run, args=(stores[n], n + 1)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers).count(H.RESERVED) == 1
    assert states(stores[0])["K-1"] == CouponState.RESERVED
    assert proven(stores[0])
    for store in stores:
        store.close()
