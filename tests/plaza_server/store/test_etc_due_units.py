"""Tag debits owed back, in the store: booked with their record, ended once, proven row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from plaza_server.rules.etc_dues import LATE_MS, EtcDue, EtcOutcome, SayEtcOutcome
from plaza_server.rules.etc_dues import EtcDueState as S
from plaza_server.rules.orders import AlarmNote
from plaza_server.store import Store, etc_due_units, queries
from plaza_server.store.verify import Proved, prove
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import TOLL, Chain, passage, record
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import ADD_LANE, ME, do, sweep, upload
from tolling.alarms import AlarmCode
from tolling.errors import RefusedError
from tolling.records import Leg, OwedBack, PassageRecord, Tender

COLUMNS = "passage_id, lane_id, tag_id, amount_fen, state, noted_ms, issuer_ref"
ROW = "'310101001001000000009', '001', 'T', 1, 'doubtful', 1, ''"
CASH = (Leg(tender=Tender.CASH, amount_fen=TOLL),)


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with one lane."""
    do(store, ADD_LANE)
    return store


def owing(number: int, txn_id: str | None = "E9", legs: tuple[Leg, ...] = ()) -> PassageRecord:
    """Return a record that owes a tag 10 yuan."""
    owed = OwedBack(tender=Tender.ETC, tag_id="TAG1", amount_fen=1000, txn_id=txn_id)
    return replace(record(number, legs=legs), owed_back=(owed,))


def said(number: int, outcome: EtcOutcome, issuer_ref: str = "I-1") -> SayEtcOutcome:
    """Return what an issuer said, as a unit."""
    return SayEtcOutcome(
        passage_id=passage(number),
        outcome=outcome,
        issuer_ref=issuer_ref,
        by="wang",
        owner=ME,
        at=AT,
    )


def listed(store: Store, *states: S) -> list[EtcDue]:
    """Return the list for issuers."""
    with store.reading() as connection:
        return etc_due_units.dues_in(connection, states, 100)


def held(store: Store) -> dict[str, int]:
    """Return all balances that are not 0."""
    with store.reading() as connection:
        return {name: fen for name, fen in queries.balances(connection).items() if fen}


def wrong(store: Store) -> list[tuple[str, str]]:
    """Return what the proof of the books names."""
    with store.reading() as connection:
        return [(bad.table, bad.key) for bad in prove(connection, Proved())]


def test_what_a_record_owes_back_is_booked_in_its_commit(subject: Store) -> None:
    """Beside its legs; it stands on the list, and every row is proven."""
    upload(subject, Chain().seal(owing(1, legs=CASH)))
    (due,) = listed(subject)
    assert (due.passage_id, due.state, due.amount_fen) == (passage(1), S.DUE, 1000)
    assert (held(subject)["etc"], held(subject)["refund_due"]) == (1000, -1000)
    assert "suspense" not in held(subject)
    assert wrong(subject) == []


def test_given_back_ends_it_once(subject: Store) -> None:
    """The same word again changes nothing; another one is refused."""
    upload(subject, Chain().seal(owing(1)))
    ended = do(subject, said(1, EtcOutcome.GIVEN_BACK))
    assert (ended.state, ended.said_by, ended.issuer_ref) == (S.GIVEN_BACK, "wang", "I-1")
    assert do(subject, said(1, EtcOutcome.GIVEN_BACK, "I-2")) == ended
    assert listed(subject, S.DUE, S.DOUBTFUL) == []
    assert held(subject) == {}
    assert wrong(subject) == []
    with pytest.raises(RefusedError, match="it is given_back"):
        do(subject, said(1, EtcOutcome.NOT_TAKEN))
    with pytest.raises(RefusedError, match="no record names one"):
        do(subject, said(2, EtcOutcome.GIVEN_BACK))


def test_a_doubtful_one_waits_for_its_issuer(subject: Store) -> None:
    """Nothing moves by a guess; its word posts or voids."""
    chain = Chain()
    upload(subject, chain.seal(owing(1, None)), chain.seal(owing(2, None)))
    assert [due.state for due in listed(subject)] == [S.DOUBTFUL, S.DOUBTFUL]
    assert held(subject) == {}
    assert wrong(subject) == []
    do(subject, said(1, EtcOutcome.TAKEN))
    do(subject, said(2, EtcOutcome.NOT_TAKEN))
    assert held(subject) == {"etc": 1000, "refund_due": -1000}
    assert wrong(subject) == []
    do(subject, said(1, EtcOutcome.GIVEN_BACK, ""))
    assert listed(subject, S.GIVEN_BACK)[0].issuer_ref == "I-1"
    assert (held(subject), wrong(subject)) == ({}, [])


def swept(store: Store, days: int) -> list[tuple[AlarmCode, bool]]:
    """Look at everything so many bounds after the record came; return which alarms changed."""
    done = do(store, sweep("boot1", now_ms=EPOCH_MS + days * LATE_MS))
    notes: tuple[AlarmNote, ...] = done.alarms
    return [(note.code, note.raised) for note in notes]


def test_debits_open_for_days_raise_one_alarm_until_the_last_is_ended(subject: Store) -> None:
    """Doubtful or due alike; a young one, and one whose issuer spoke, need nobody."""
    chain = Chain()
    upload(subject, chain.seal(owing(1)), chain.seal(owing(2, None)), chain.seal(owing(3)))
    do(subject, said(3, EtcOutcome.GIVEN_BACK))
    assert swept(subject, 0) == []
    assert swept(subject, 1) == [(AlarmCode.ETC_DUES_LATE, True)]
    do(subject, said(1, EtcOutcome.GIVEN_BACK))
    assert swept(subject, 2) == []
    do(subject, said(2, EtcOutcome.NOT_TAKEN))
    assert swept(subject, 2) == [(AlarmCode.ETC_DUES_LATE, False)]
    assert swept(subject, 3) == []
    with subject.reading() as connection:
        assert queries.alarms(connection) == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM etc_dues", "transfers"),
        ("UPDATE etc_dues SET state = 'given_back'", "etc_dues"),
        ("UPDATE etc_dues SET amount_fen = 900", "etc_dues"),
        ("UPDATE etc_dues SET state = 'doubtful', txn_id = NULL", "etc_dues"),
        (f"INSERT INTO etc_dues ({COLUMNS}) VALUES ({ROW})", "etc_dues"),
    ],
)
def test_the_proof_finds_a_changed_row(subject: Store, statement: str, named: str) -> None:
    """A debit without its transfers, transfers without it, another amount, another state."""
    upload(subject, Chain().seal(owing(1)))
    with subject.engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert named in {table for table, _ in wrong(subject)}
