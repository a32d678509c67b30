"""What causes transfers that are about no order's own life and no leg of a record.

The id of such a transfer begins with its topic, the text before the first ``/``. Whoever books
under a topic says here how its causes are found, both ways: a transfer without a cause, and a cause
whose transfer is missing or of another amount. Each query gives the key of the bad row first.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """How the causes of one topic are found."""

    table: str
    """Where they stand."""
    without_cause: sa.TextClause
    """Ids of the topic's transfers that nothing in the table calls for."""
    not_booked: sa.TextClause
    """Keys of rows in the table whose transfer is missing or differs."""


CAUSES: dict[str, Cause] = {
    "claim": Cause(
        table="claims",
        without_cause=sa.text(
            "SELECT x.transfer_id FROM transfers x LEFT JOIN claims c"
            " ON x.transfer_id = 'claim/' || c.claim_id || '/due' AND c.state IN"
            " ('approved', 'sending', 'stuck', 'refunded', 'paid_out')"
            " OR x.transfer_id = 'claim/' || c.claim_id || '/back'"
            " AND c.state IN ('refunded', 'paid_out')"
            " WHERE x.transfer_id LIKE 'claim/%' AND c.claim_id IS NULL ORDER BY 1"
        ),
        not_booked=sa.text(
            "SELECT c.claim_id FROM claims c"
            " LEFT JOIN transfers d ON d.transfer_id = 'claim/' || c.claim_id || '/due'"
            " AND d.kind = 'posted' AND d.debit = c.revenue AND d.credit = 'refund_due'"
            " AND d.amount_fen = c.amount_fen"
            " LEFT JOIN transfers b ON b.transfer_id = 'claim/' || c.claim_id || '/back'"
            " AND b.kind = 'posted' AND b.debit = 'refund_due' AND b.amount_fen = c.amount_fen"
            " AND b.credit = CASE WHEN c.out_trade_no IS NULL THEN 'cash_lane:' || c.lane_id"
            " ELSE 'clearing:' || c.platform END"
            " WHERE (c.state IN ('approved', 'sending', 'stuck', 'refunded', 'paid_out')"
            " AND d.transfer_id IS NULL)"
            " OR (c.state IN ('refunded', 'paid_out') AND b.transfer_id IS NULL)"
            " UNION SELECT c.claim_id FROM claims c JOIN (SELECT passage_id, leg,"
            " SUM(amount_fen) AS claimed FROM claims WHERE state <> 'refused'"
            " GROUP BY passage_id, leg) s ON s.passage_id = c.passage_id AND s.leg = c.leg"
            " JOIN orders o ON o.out_trade_no = c.out_trade_no"
            " WHERE s.claimed > o.captured_fen - o.refunded_fen ORDER BY 1"
        ),
    ),
    "coupon": Cause(
        table="coupon_holds",
        without_cause=sa.text(
            "SELECT x.transfer_id FROM transfers x LEFT JOIN coupon_holds h"
            " ON x.amount_fen = h.amount_fen"
            " AND (x.transfer_id = 'coupon/' || h.hold_id || '/hold'"
            " OR x.transfer_id = 'coupon/' || h.hold_id || '/end' AND h.state <> 'reserved'"
            " OR x.transfer_id = 'coupon/' || h.coupon_no || '/revenue' AND h.state = 'consumed')"
            " WHERE x.transfer_id LIKE 'coupon/%' AND h.hold_id IS NULL ORDER BY 1"
        ),
        not_booked=sa.text(
            "SELECT h.hold_id FROM coupon_holds h"
            " LEFT JOIN transfers p ON p.transfer_id = 'coupon/' || h.hold_id || '/hold'"
            " AND p.kind = 'pending' AND p.debit = 'coupon' AND p.credit = 'suspense'"
            " AND p.amount_fen = h.amount_fen"
            " LEFT JOIN transfers e ON e.transfer_id = 'coupon/' || h.hold_id || '/end'"
            " AND e.kind = CASE h.state WHEN 'consumed' THEN 'post' ELSE 'void' END"
            " LEFT JOIN transfers r ON r.transfer_id = 'coupon/' || h.coupon_no || '/revenue'"
            " AND r.kind = 'posted' AND r.debit = 'suspense' AND r.amount_fen = h.amount_fen"
            " WHERE h.coupon_no IS NOT NULL AND (p.transfer_id IS NULL"
            " OR (h.state = 'reserved' AND e.transfer_id IS NOT NULL)"
            " OR (h.state <> 'reserved' AND e.transfer_id IS NULL)"
            " OR (h.state = 'consumed' AND r.transfer_id IS NULL))"
            " UNION SELECT c.coupon_no FROM coupons c WHERE c.state <> COALESCE((SELECT"
            " CASE MAX(CASE h.state WHEN 'consumed' THEN 2 WHEN 'reserved' THEN 1 ELSE 0 END)"
            " WHEN 2 THEN 'consumed' WHEN 1 THEN 'reserved' ELSE 'offered' END"
            " FROM coupon_holds h WHERE h.coupon_no = c.coupon_no), 'offered') ORDER BY 1"
        ),
    ),
    "etc": Cause(
        table="etc_dues",
        without_cause=sa.text(
            "SELECT x.transfer_id FROM transfers x LEFT JOIN etc_dues d"
            " ON x.amount_fen = d.amount_fen"
            " AND (x.transfer_id = 'etc/' || d.passage_id || '/taken'"
            " OR x.transfer_id = 'etc/' || d.passage_id || '/taken/end'"
            " AND d.txn_id IS NULL AND d.state <> 'doubtful'"
            " OR x.transfer_id = 'etc/' || d.passage_id || '/due'"
            " AND d.state IN ('due', 'given_back')"
            " OR x.transfer_id = 'etc/' || d.passage_id || '/back' AND d.state = 'given_back')"
            " WHERE x.transfer_id LIKE 'etc/%' AND d.passage_id IS NULL ORDER BY 1"
        ),
        not_booked=sa.text(
            "SELECT d.passage_id FROM etc_dues d"
            " LEFT JOIN records r ON r.passage_id = d.passage_id"
            " LEFT JOIN transfers t ON t.transfer_id = 'etc/' || d.passage_id || '/taken'"
            " AND t.kind = CASE WHEN d.txn_id IS NULL THEN 'pending' ELSE 'posted' END"
            " AND t.debit = 'etc' AND t.credit = 'suspense' AND t.amount_fen = d.amount_fen"
            " LEFT JOIN transfers e ON e.transfer_id = 'etc/' || d.passage_id || '/taken/end'"
            " AND e.kind = CASE d.state WHEN 'not_taken' THEN 'void' ELSE 'post' END"
            " LEFT JOIN transfers o ON o.transfer_id = 'etc/' || d.passage_id || '/due'"
            " AND o.kind = 'posted' AND o.debit = 'suspense' AND o.credit = 'refund_due'"
            " AND o.amount_fen = d.amount_fen"
            " LEFT JOIN transfers b ON b.transfer_id = 'etc/' || d.passage_id || '/back'"
            " AND b.kind = 'posted' AND b.debit = 'refund_due' AND b.credit = 'etc'"
            " AND b.amount_fen = d.amount_fen"
            " WHERE r.passage_id IS NULL OR t.transfer_id IS NULL"
            " OR (d.txn_id IS NULL AND d.state <> 'doubtful' AND e.transfer_id IS NULL)"
            " OR (d.state IN ('due', 'given_back') AND o.transfer_id IS NULL)"
            " OR (d.state = 'given_back' AND b.transfer_id IS NULL) ORDER BY 1"
        ),
    ),
    "bill": Cause(
        table="bill_postings",
        without_cause=sa.text(
            "SELECT x.transfer_id FROM transfers x LEFT JOIN bill_postings p"
            " ON p.transfer_id = x.transfer_id"
            " WHERE x.transfer_id LIKE 'bill/%' AND p.transfer_id IS NULL ORDER BY 1"
        ),
        not_booked=sa.text(
            "SELECT p.transfer_id FROM bill_postings p LEFT JOIN transfers x"
            " ON x.transfer_id = p.transfer_id AND x.kind = 'posted'"
            " AND x.amount_fen = abs(p.clearing_fen) AND p.clearing_fen ="
            " CASE WHEN x.debit = 'clearing:' || p.platform THEN x.amount_fen"
            " WHEN x.credit = 'clearing:' || p.platform THEN -x.amount_fen ELSE 0 END"
            " WHERE x.transfer_id IS NULL ORDER BY 1"
        ),
    ),
}
