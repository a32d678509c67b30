"""What a lane's state becomes on the wall."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboards.staff.lane_rows import boom_seen, lane_row
from tests.browser.rig import passage, paying, sick, snapshot
from tolling.inputs import Reading

ON, OFF, UNKNOWN = Reading.ON, Reading.OFF, Reading.UNKNOWN


@pytest.mark.parametrize(
    ("up", "down", "commanded", "seen"),
    [
        (ON, OFF, "up", "up"),
        (OFF, ON, "down", "down"),
        (OFF, ON, "raising", "down"),
        (OFF, OFF, "raising", "raising"),
        (OFF, OFF, "lowering", "lowering"),
        (OFF, OFF, "moved", "between"),
        (ON, ON, "up", "unknown"),
        (UNKNOWN, ON, "down", "unknown"),
        (ON, UNKNOWN, "up", "unknown"),
    ],
)
def test_the_boom_is_where_its_switches_say(
    up: Reading, down: Reading, commanded: str, seen: str
) -> None:
    """A command is no motion: only the readback counts."""
    inputs = {"boom_up": up, "boom_down": down}
    assert boom_seen(snapshot("001", inputs=inputs, barrier=commanded)) == seen


def test_a_car_fills_the_zone_it_is_in() -> None:
    """Entry zone until its toll is shown, then the scan zone, then the exit zone."""
    on_loop_1 = snapshot("001").inputs | {"loop_1": ON}
    fresh = snapshot("001", inputs=on_loop_1, arriving=passage(phase="identifying"))
    assert lane_row(fresh, heard_ms=0)["zones"] == ["full", "free", "free"]
    assert lane_row(paying("001"), heard_ms=0)["zones"] == ["free", "full", "free"]
    leaving = snapshot("001", leaving=passage(phase="clearing"))
    assert lane_row(leaving, heard_ms=0)["zones"] == ["free", "free", "full"]
    assert lane_row(snapshot("001"), heard_ms=0)["zones"] == ["free", "free", "free"]


def test_a_zone_without_a_reading_is_unknown() -> None:
    """Unknown is never drawn as free."""
    assert lane_row(sick("001"), heard_ms=0)["zones"] == ["unknown"] * 3


def test_devices_and_trouble_are_counted() -> None:
    """Whoever is lost or not heard of yet is not well; names stand beside the count."""
    row = lane_row(sick("001"), heard_ms=17)
    assert (row["devices_ok"], row["devices_all"]) == (3, 5)
    assert row["devices_bad"] == ["camera", "inputs"]
    assert row["degraded"] == ["no_inputs", "no_plaza"]
    assert row["unsent"] == 12
    assert row["heard_ms"] == 17


def test_an_order_is_shown_by_its_state_and_reason() -> None:
    """Codes only: the words are the page's."""
    car = lane_row(paying("001"), heard_ms=0)["car"]
    assert car["toll_fen"] == 123_450
    assert (car["phase"], car["order"], car["reason"]) == ("paying", "waiting", "password")
    assert (car["class"], car["kind"]) == (1, "normal")


def test_an_entry_to_be_entered_is_said() -> None:
    """The page tells what the vehicle waits for, not only that it is held."""
    held = passage(phase="held")
    row = lane_row(snapshot("001", arriving=replace(held, awaits_entry=True)), heard_ms=0)
    assert row["car"]["phase"] == "awaits_entry"
