"""The nursery has imported before a start what the started program needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.stack.nursery import Nursery
from simulator.stack.plan import QUICK, Plan
from simulator.stack.stack import Stack
from tests.simulator.stack import late_imports
from tests.stack.fixtures import ROOT

pytestmark = [pytest.mark.wire, pytest.mark.slow]
LANE = "001"


@pytest.fixture
def subject() -> Iterator[Nursery]:
    """Give a nursery whose processes write down what they import after their start."""
    nursery = Nursery(hurried=True, planter=late_imports.__name__, cwd=ROOT)
    yield nursery
    nursery.close()


def test_a_start_imports_nothing_any_more(tmp_path: Path, subject: Nursery) -> None:
    """Neither the plaza nor the lane, up to the end of a payment: a campaign of a hundred starts
    would pay a second of computing for each."""
    stack = Stack(tmp_path / "s", subject, Plan(lanes=(LANE,), limits=QUICK, plaza_mqtt=True))
    with stack.running():
        stack.shows(LANE, "欢迎")
        stack.site.spawn(LANE)
        stack.wait_gone(1)
    for name in ("plaza", f"lane {LANE}"):
        plan = stack.parts[name].plan
        assert plan is not None
        names = plan.with_name(f"{plan.name}.imports").read_text().split()
        # The interpreter's own modules cost little; a slow machine meets other ones of them.
        late = [each for each in names if each.partition(".")[0] not in sys.stdlib_module_names]
        assert late == [], name
