"""UnionPay's settlement file of one day (ZM): GBK lines of 42 fields of fixed width, in a ZIP.

Fields stand one blank apart, numbers padded with zeros, texts with blanks at their end; amounts are
12 digits of fen, fee and settled amount with C (the merchant gets) or D (the merchant pays) before
them. No line of totals. Beside the ZM file lies one for differences (ZME), here always empty. A
payment or refund stands under the settlement day (23:00 to 23:00 in Beijing) of its own time.
UNVERIFIED: widths and names are read in public copies of sample programs; codes of transactions,
and that a reversed payment stands there with a line of type 31, are remembered at best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.models.platform_values import beijing_moment, fee_fen
from simulator.models.platform_zip import zip_bytes
from simulator.models.unionpay_books import Payment, UnionpayBooks
from simulator.models.unionpay_values import UnionpayConfig, UnionpayState, settle_day
from simulator.models.unionpay_wallets import UnionpayWallets

WIDTHS = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2),
    *(6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
)
"""Bytes of fields 1..42."""
TOLL_CATEGORY = "4784"
"""Merchant category of tolls."""
_CODES = {"01": "S22", "04": "S30", "31": "S31"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    at_ns: int
    """Unix time in ns."""
    txn_type: str
    """01 payment, 04 refund, 31 a payment taken back."""
    query_id: str
    trace_no: str
    order_id: str
    amount_fen: int
    payment: Payment


class UnionpayBills:
    """Settlement files written from the books; nothing is stored, a past day does not change."""

    def __init__(
        self, *, config: UnionpayConfig, books: UnionpayBooks, wallets: UnionpayWallets
    ) -> None:
        self._config = config
        self._books = books
        self._wallets = wallets

    def file_name(self, day: str) -> str:
        """Return the ZIP's name for a settlement day ``yyyyMMdd``."""
        return f"{self._config.merchant_id}_{day}.zip"

    def packed(self, day: str) -> bytes | None:
        """Return the ZIP of a settlement day ``yyyyMMdd``, or None where nothing happened."""
        text = self.text(day)
        if text is None:
            return None
        tail = f"_{self._config.merchant_id}"
        files = {f"INN{day[2:]}88ZM{tail}".encode(): text, f"INN{day[2:]}88ZME{tail}".encode(): b""}
        return zip_bytes(files)

    def text(self, day: str) -> bytes | None:
        """Return the ZM file of a settlement day, or None where nothing happened."""
        lines = sorted(self._lines(day), key=lambda line: (line.at_ns, line.query_id))
        if not lines:
            return None
        return b"".join(self._written(line) + b"\r\n" for line in lines)

    def _lines(self, day: str) -> Iterator[_Line]:
        base = self._config.wall_base_ns
        for payment in self._books.payments():
            if payment.paid_at_ns is None:
                continue
            reversed_ = payment.state is UnionpayState.REVERSED
            if reversed_ and not self._config.bill_lists_reversed:
                continue
            at_ns = base + payment.paid_at_ns
            if settle_day(at_ns) == day:
                yield _line("01", at_ns, payment, payment.query_id, payment.key[0])
            for view in payment.refunds:
                at_ns = base + view.at_ns
                if view.by_cancel and settle_day(at_ns) == day:
                    yield _line("31", at_ns, payment, view.refund_no, payment.key[0])
        for refund in self._books.refunds():
            at_ns = base + refund.view.at_ns
            if settle_day(at_ns) == day:
                line = _line("04", at_ns, refund.payment, refund.query_id, refund.key[0])
                yield _Line(
                    at_ns=at_ns,
                    txn_type="04",
                    query_id=line.query_id,
                    trace_no=refund.trace_no,
                    order_id=line.order_id,
                    amount_fen=refund.view.amount_fen,
                    payment=refund.payment,
                )

    def _written(self, line: _Line) -> bytes:
        config, payment = self._config, line.payment
        back = line.txn_type != "01"
        fee = fee_fen(line.amount_fen, config.fee_permyriad)
        settled = line.amount_fen - fee
        paid_at_ns = payment.paid_at_ns
        assert paid_at_ns is not None, "what was never paid is in no file"
        original = _stamp(config.wall_base_ns + paid_at_ns)
        values = {
            1: _CODES[line.txn_type],
            2: config.acquirer_id,
            3: config.acquirer_id,
            4: line.trace_no,
            5: _stamp(line.at_ns),
            6: self._wallets.masked_card(payment.card.buyer_id),
            7: f"{line.amount_fen:012d}",
            8: TOLL_CATEGORY,
            9: "08",
            10: line.query_id,
            12: line.order_id,
            13: "01",
            14: payment.trace_no if back else "",
            15: original if back else "",
            16: f"{'C' if back else 'D'}{fee:012d}",
            17: f"{'D' if back else 'C'}{settled:012d}",
            18: "0001",
            20: line.txn_type,
            21: "00" if back else "06",
            22: "000000",
            27: payment.query_id if back else "",
            28: config.merchant_id,
            34: payment.terminal_id,
            41: payment.key[0] if back else "",
        }
        fields = []
        for number, width in enumerate(WIDTHS, start=1):
            text = values.get(number, "").encode("gbk", "replace")[:width]
            fields.append(text.ljust(width))
        return b" ".join(fields)


def _line(txn_type: str, at_ns: int, payment: Payment, query_id: str, order_id: str) -> _Line:
    return _Line(
        at_ns=at_ns,
        txn_type=txn_type,
        query_id=query_id,
        trace_no=payment.trace_no,
        order_id=order_id,
        amount_fen=payment.total_fen,
        payment=payment,
    )


def _stamp(wall_ns: int) -> str:
    return beijing_moment(wall_ns).strftime("%m%d%H%M%S")
