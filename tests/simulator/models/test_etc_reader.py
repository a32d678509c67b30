"""The ETC reader charges a tag once per reference, and its books say what really happened."""

from __future__ import annotations

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.etc_reader import CHARGE_MS, EtcReaderModel, EtcState, Tag

MS = 1_000_000
TAG = Tag(tag_id="T1", balance_fen=5_000)


def new_reader() -> EtcReaderModel:
    """A reader with one tag in its field."""
    subject = EtcReaderModel()
    subject.tag_enters(TAG)
    return subject


def charge(
    subject: EtcReaderModel, reference: str = "R1", amount: int = 2_500, now_ns: int = 0
) -> tuple[EtcState | None, int]:
    """Charge the tag and return how it ended."""
    found = subject.charge(reference=reference, tag_id="T1", amount_fen=amount, now_ns=now_ns)
    return (None, 0) if found is None else (found.state, found.charged_fen)


def test_a_charge_is_made_once_per_reference() -> None:
    """The same request again gives the same answer and one line in the books."""
    subject = new_reader()
    assert charge(subject) == (EtcState.CHARGED, 2_500)
    assert charge(subject, now_ns=10 * 1_000 * MS) == (EtcState.CHARGED, 2_500)
    assert len(subject.books) == 1
    assert charge(subject, amount=2_600) == (EtcState.CONFLICT, 0)
    assert charge(subject, reference="R2") == (EtcState.CHARGED, 2_500)
    assert charge(subject, reference="R3") == (EtcState.REFUSED, 0)
    assert subject.books[-1].reason == "balance"


def test_a_tag_out_of_the_field_is_refused_for_good() -> None:
    """No tag, no charge; the reference stays refused when the tag comes back."""
    subject = EtcReaderModel()
    assert charge(subject) == (EtcState.REFUSED, 0)
    subject.tag_enters(TAG)
    assert charge(subject) == (EtcState.REFUSED, 0)


def test_a_lost_answer_is_charged_and_query_tells() -> None:
    """The answer never comes, the money went, query says so and charges nothing."""
    subject = new_reader()
    subject.inject(DeviceTrouble(kind=DeviceFault.ANSWER_LOST, times=1), 0)
    assert charge(subject) == (None, 0)
    found = subject.query("R1", 10 * 1_000 * MS)
    assert found is not None
    assert (found.state, found.charged_fen) == (EtcState.CHARGED, 2_500)
    nothing = subject.query("R9", 0)
    assert nothing is not None
    assert nothing.state is EtcState.NONE


def test_a_charge_under_way_is_busy() -> None:
    """Asked before the tag has answered, query says busy."""
    subject = new_reader()
    found = subject.charge(reference="R1", tag_id="T1", amount_fen=100, now_ns=0)
    assert found is not None
    assert found.at_ns == CHARGE_MS * MS
    busy = subject.query("R1", 10 * MS)
    assert busy is not None
    assert busy.state is EtcState.BUSY


def test_a_silent_reader_does_and_says_nothing() -> None:
    """Neither charged nor answered."""
    subject = new_reader()
    subject.inject(DeviceTrouble(kind=DeviceFault.SILENT), 0)
    assert charge(subject) == (None, 0)
    assert subject.query("R1", 0) is None
    assert subject.books == ()
    assert subject.silent(0)


def test_visits_are_never_used_twice_and_balances_stay() -> None:
    """A tag that comes again has a new visit and what is left on its card."""
    subject = new_reader()
    charge(subject)
    subject.tag_leaves("T1")
    assert subject.present == ()
    again = subject.tag_enters(TAG)
    assert again.visit == "0001-2"
    assert again.tag.balance_fen == 2_500


def test_closed_books_give_up_what_is_old_and_whose_tag_has_gone() -> None:
    """A charge is kept while its tag is in the field; numbers go on after books were closed."""
    subject = new_reader()
    charge(subject)
    assert subject.close_books(10_000 * MS) == ()
    subject.tag_leaves("T1")
    assert subject.close_books(CHARGE_MS * MS) == ()
    (closed,) = subject.close_books(CHARGE_MS * MS + 1)
    assert (closed.reference, closed.txn_id, subject.books) == ("R1", "PSAM0001-000001", ())
    subject.tag_enters(TAG)
    charge(subject, reference="R2")
    assert subject.books[0].txn_id == "PSAM0001-000002"
