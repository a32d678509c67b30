"""The closing line: percentiles, tenders, and when a run is no good."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.demo.report import failed, percentile
from simulator.stack.evidence import by_tender

GOOD: dict[str, Any] = {
    "vehicles": 4,
    "open_orders": 0,
    "unsent_records": 0,
    "violations": {"M1": 0, "A3": None},
}


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        ([], 50, None),
        ([None], 50, None),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([1.0] * 199, 99, None),
        ([float(n) for n in range(1, 201)], 99, 198.0),
    ],
)
def test_percentiles_are_by_nearest_rank(
    samples: list[float | None], percent: int, expected: float | None
) -> None:
    """Nothing gives nothing, and fewer than 200 samples give no p99."""
    assert percentile(samples, percent) == expected


def test_tenders_are_counted_by_record() -> None:
    """Two legs of one tender are one passage; a record without legs is none."""
    leg = {"tender": "alipay", "amount_fen": 100}
    bodies = [
        json.dumps({"legs": [leg, leg]}),
        json.dumps({"legs": [{"tender": "cash"}]}).encode(),
        json.dumps({"legs": []}),
    ]
    nobody = {"wechat": 0, "unionpay": 0, "etc": 0}
    assert by_tender(bodies) == {"alipay": 1, "cash": 1, **nobody}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"violations": {"M1": 2, "A3": None}}, "M1 2 x"),
        ({"vehicles": 3}, "3 of 4"),
        ({"open_orders": 1}, "1 open orders"),
        ({"unsent_records": 5}, "5 unsent"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], said: str) -> None:
    """A violation, a vehicle that stayed, an open order and an unsent record fail a run."""
    assert failed(GOOD, wanted=4) is None
    problem = failed({**GOOD, **change}, wanted=4)
    assert problem is not None
    assert said in problem
