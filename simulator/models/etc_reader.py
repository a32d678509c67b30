"""The ETC reader at the window: tags in the field, charges once per reference, books per tag.

A charge is booked when the tag has answered; from then on its reference belongs to it for good. A
lost answer is booked all the same: that is what ``query`` is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.models.device_faults import DeviceFault, DeviceTrouble, TroubleBoard, TroubleView
from tolling.messages import EntryFound
from tolling.vehicles import Plate

CHARGE_MS = 400
"""A charge over the air: a few exchanges with the tag."""
QUERY_MS = 20
_FAULTS = frozenset(
    {DeviceFault.SILENT, DeviceFault.SLOW, DeviceFault.REFUSES, DeviceFault.ANSWER_LOST}
)


class EtcState(StrEnum):
    """How a charge stands, in the reader's words."""

    CHARGED = "charged"
    REFUSED = "refused"
    NONE = "none"
    """No charge with this reference ever began."""
    BUSY = "busy"
    """Under way."""
    CONFLICT = "conflict"
    """The reference belongs to another tag or amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag as it comes into the field."""

    tag_id: str
    balance_fen: int
    plate: Plate | None = None
    entry: EntryFound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagVisit:
    """A tag in the field; *visit* is never used again."""

    visit: str
    tag: Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcAnswer:
    """The reader's answer, and when it is on the line."""

    at_ns: int
    reference: str
    state: EtcState
    charged_fen: int = 0
    txn_id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcCharge:
    """One charge in the books."""

    reference: str
    tag_id: str
    amount_fen: int
    state: EtcState
    """CHARGED or REFUSED."""
    txn_id: str | None
    reason: str
    at_ns: int
    """When the tag answered; until then the charge is under way."""


class EtcReaderModel:
    """One reader with its field and its books."""

    def __init__(self, *, boot: str = "0001") -> None:
        self._boot = boot
        self._visits = 0
        self._field: dict[str, TagVisit] = {}
        self._balances: dict[str, int] = {}
        self._books: dict[str, EtcCharge] = {}
        self._begun = 0
        """Charges, those no longer in the books included."""
        self._board = TroubleBoard(_FAULTS)

    def inject(self, trouble: DeviceTrouble, now_ns: int) -> int:
        """Arm a fault and return its number. Raises: ValueError: not a fault of a reader."""
        return self._board.inject(trouble, now_ns)

    def clear(self, fault_id: int | None = None) -> bool:
        """Disarm one fault, or all. Returns False where the number is unknown."""
        return self._board.clear(fault_id)

    def faults(self, now_ns: int) -> tuple[TroubleView, ...]:
        """Return all faults and their counts."""
        return self._board.views(now_ns)

    def silent(self, now_ns: int) -> bool:
        """Return whether the reader says nothing at all now."""
        return self._board.holds(DeviceFault.SILENT, now_ns) is not None

    @property
    def books(self) -> tuple[EtcCharge, ...]:
        """Return all charges, the oldest first."""
        return tuple(self._books.values())

    def close_books(self, before_ns: int) -> tuple[EtcCharge, ...]:
        """Take all charges of before an instant out of the books and return them: their references
        are new again, and so are their tags. For a run that keeps the books elsewhere."""
        old = tuple(
            charge
            for charge in self._books.values()
            if charge.at_ns < before_ns and charge.tag_id not in self._field
        )
        for charge in old:
            del self._books[charge.reference]
            self._balances.pop(charge.tag_id, None)
        return old

    @property
    def present(self) -> tuple[TagVisit, ...]:
        """Return the tags in the field, in order of coming."""
        return tuple(self._field.values())

    def tag_enters(self, tag: Tag) -> TagVisit:
        """Bring a tag into the field and return its visit."""
        self._visits += 1
        balance = self._balances.setdefault(tag.tag_id, tag.balance_fen)
        known = Tag(tag_id=tag.tag_id, balance_fen=balance, plate=tag.plate, entry=tag.entry)
        visit = TagVisit(visit=f"{self._boot}-{self._visits}", tag=known)
        self._field[tag.tag_id] = visit
        return visit

    def tag_leaves(self, tag_id: str) -> None:
        """Take a tag out of the field."""
        self._field.pop(tag_id, None)

    def charge(
        self, *, reference: str, tag_id: str, amount_fen: int, now_ns: int
    ) -> EtcAnswer | None:
        """Charge a tag once per reference. Returns None where no answer comes."""
        if self._board.standing(DeviceFault.SILENT, now_ns):
            return None
        known = self._books.get(reference)
        if known is None:
            known = self._begin(reference, tag_id, amount_fen, now_ns)
        elif (known.tag_id, known.amount_fen) != (tag_id, amount_fen):
            return EtcAnswer(
                at_ns=now_ns + QUERY_MS * 1_000_000, reference=reference, state=EtcState.CONFLICT
            )
        if self._board.draw(DeviceFault.ANSWER_LOST, now_ns) is not None:
            return None
        return self._answer(known, max(known.at_ns, now_ns + QUERY_MS * 1_000_000))

    def query(self, reference: str, now_ns: int) -> EtcAnswer | None:
        """Say how a charge stands; charges nothing. Returns None where no answer comes."""
        if self._board.standing(DeviceFault.SILENT, now_ns):
            return None
        at_ns = now_ns + QUERY_MS * 1_000_000 + self._board.delay_ns(now_ns)
        known = self._books.get(reference)
        if known is None:
            return EtcAnswer(at_ns=at_ns, reference=reference, state=EtcState.NONE)
        if known.at_ns > at_ns:
            return EtcAnswer(at_ns=at_ns, reference=reference, state=EtcState.BUSY)
        return self._answer(known, at_ns)

    def _begin(self, reference: str, tag_id: str, amount_fen: int, now_ns: int) -> EtcCharge:
        at_ns = now_ns + CHARGE_MS * 1_000_000 + self._board.delay_ns(now_ns)
        reason = ""
        if tag_id not in self._field:
            reason = "no_tag"
        elif self._board.draw(DeviceFault.REFUSES, now_ns) is not None:
            reason = "card_fault"
        elif self._balances[tag_id] < amount_fen:
            reason = "balance"
        if not reason:
            self._balances[tag_id] -= amount_fen
        charge = EtcCharge(
            reference=reference,
            tag_id=tag_id,
            amount_fen=amount_fen,
            state=EtcState.REFUSED if reason else EtcState.CHARGED,
            txn_id=None if reason else f"PSAM{self._boot}-{self._begun + 1:06d}",
            reason=reason,
            at_ns=at_ns,
        )
        self._books[reference] = charge
        self._begun += 1
        return charge

    def _answer(self, charge: EtcCharge, at_ns: int) -> EtcAnswer:
        charged = charge.state is EtcState.CHARGED
        return EtcAnswer(
            at_ns=at_ns,
            reference=charge.reference,
            state=charge.state,
            charged_fen=charge.amount_fen if charged else 0,
            txn_id=charge.txn_id,
            reason=charge.reason,
        )
