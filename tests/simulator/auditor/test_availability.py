"""Degraded modes that hide and channels that run over are found; what is cut off is not blamed."""

from __future__ import annotations

import json

from simulator.auditor import Tapped, audit
from simulator.auditor.availability import MESSAGE_BYTES_MAX, PER_SECOND_MAX
from tests.simulator.auditor import runs

MODE = {"name": "no_plaza", "reason": "the plaza does not answer", "since_ms": 1}


def state(
    at_s: float,
    *modes: object,
    boot: str = "b1",
    heard_s: float | None = None,
    devices: dict[str, str] | None = None,
) -> Tapped:
    """Return a lane's state made at that second, heard then or later."""
    utc_ms = int(at_s * 1e3)
    body = {"lane_id": "001", "boot_id": boot, "utc_ms": utc_ms, "degraded": list(modes)}
    text = json.dumps(body | {"devices": devices or {}}, separators=(",", ":"))
    heard_us = int((at_s if heard_s is None else heard_s) * 1e6)
    return Tapped(at_us=heard_us, channel="toll/330101/001/state", text=text)


def notice(at_s: float, name: str, number: int, *, heard_s: float | None = None) -> Tapped:
    """Return a lane's notice made at that second, heard then or later."""
    utc_ms = int(at_s * 1e3)
    body = {"lane_id": "001", "boot_id": "b1", "utc_ms": utc_ms, "name": name, "number": number}
    heard_us = int((at_s if heard_s is None else heard_s) * 1e6)
    return Tapped(at_us=heard_us, channel="toll/330101/001/event", text=json.dumps(body))


def found(*tapped: Tapped, set_back_s: tuple[float, ...] = ()) -> dict[str, int | None]:
    """Return what the auditor says of a clean run with these messages, and with a lane whose clock
    was set back then."""
    set_back = tuple(("001", int(at_s * 1e6)) for at_s in set_back_s)
    violations = audit(runs.clean_run(tapped=tapped, clocks_set_back=set_back)).violations
    return {rule: violations[rule] for rule in ("A2", "A3")}


def test_a_mode_shown_in_time_is_well() -> None:
    """The next state shows it, whichever of the two is heard first."""
    shown = state(10.4, MODE)
    for heard_s in (10, 10.5, 14):
        told = notice(10, "degraded_no_plaza", 1, heard_s=heard_s)
        assert found(state(9.9), told, shown, state(13)) == {"A2": 0, "A3": 0}
    assert found(notice(10, "degraded_no_plaza", 1), state(11.9, MODE))["A2"] == 0


def test_a_mode_no_state_shows_is_found() -> None:
    """The lane was heard, and said nothing of it."""
    hidden = (state(9), notice(10, "degraded_no_plaza", 1), state(11), state(13, MODE))
    assert found(*hidden)["A2"] == 1


def test_a_mode_no_state_showed_is_found_also_when_it_is_over() -> None:
    """Its end long after, and a notice that came late, excuse nothing that was heard then."""
    heard = (state(9), state(11), state(12))
    told = (
        notice(10, "degraded_no_plaza", 1, heard_s=40),
        notice(30, "restored_no_plaza", 2, heard_s=40),
    )
    assert found(*heard, *told)["A2"] == 1


def test_a_lane_that_is_not_heard_proves_nothing() -> None:
    """Its line is cut or it is dead; another life of it does not count."""
    assert found(notice(10, "degraded_no_plaza", 1), state(13), state(11, boot="b2"))["A2"] == 0


def test_a_mode_from_before_the_broker_was_back_is_not_held_against_what_is_heard_then() -> None:
    """The notice was kept for minutes, its end has not got through yet, and the states of now are
    of another time."""
    late = notice(10, "degraded_no_plaza", 1, heard_s=40.6)
    assert found(state(8), late, state(40.7), state(41.7))["A2"] == 0


def test_a_state_from_before_the_mode_that_is_heard_late_proves_nothing() -> None:
    """A busy machine delivers it after the notice, and the next one not in time."""
    assert found(notice(10, "degraded_no_plaza", 1), state(9.9, heard_s=10.2))["A2"] == 0


def test_a_state_from_after_the_clock_was_set_back_proves_nothing() -> None:
    """It is heard long after the mode was over, and says it was made while it lasted."""
    began = notice(10, "degraded_no_plaza", 1, heard_s=5)
    over = notice(12, "restored_no_plaza", 2, heard_s=7)
    set_back = (state(10.2, heard_s=10.2), state(11.2, heard_s=11.2))
    assert found(began, state(10.9, MODE, heard_s=5.9), over, *set_back)["A2"] == 0
    assert found(began, over, *set_back)["A2"] == 0
    at_once = (notice(10, "degraded_no_plaza", 1), state(10, MODE))
    ahead = state(10.2, heard_s=5)
    assert found(ahead, *at_once, notice(10.4, "restored_no_plaza", 2), state(10.4))["A2"] == 0
    assert found(began, state(10.9, heard_s=5.9), over, *set_back)["A2"] == 1


def test_a_state_from_before_the_clock_was_set_back_proves_nothing() -> None:
    """It says it was made while the mode lasted; the mode began after the clock was set back, and
    was over before the next state was heard."""
    ahead = state(10.3, heard_s=5)
    told = (
        notice(10, "degraded_no_plaza", 1, heard_s=11),
        notice(10.5, "restored_no_plaza", 2, heard_s=11),
    )
    assert found(ahead, state(9, heard_s=9), *told, set_back_s=(7,))["A2"] == 0
    assert found(ahead, *told)["A2"] == 1, "nobody set the clock"
    assert found(ahead, *told, set_back_s=(4, 12))["A2"] == 1, "set back before it, or long after"
    assert found(ahead, *told, state(10.4), set_back_s=(7,))["A2"] == 1, "the next one hides it too"


def test_a_mode_shown_before_the_clock_was_set_back_was_shown() -> None:
    """Its notice came late, and after the clock was set back the same times come once more."""
    told = (
        notice(10, "degraded_no_plaza", 1, heard_s=9),
        notice(12, "restored_no_plaza", 2, heard_s=9),
    )
    shown = state(10.2, MODE, heard_s=5.2)
    assert found(shown, *told, state(10.5), set_back_s=(8,))["A2"] == 0
    assert found(*told, state(10.5), set_back_s=(8,))["A2"] == 1


def test_a_mode_that_was_over_before_the_next_state_is_well() -> None:
    """What is told of it is its beginning and its end."""
    brief = (notice(10, "degraded_no_plaza", 1), notice(10.3, "restored_no_plaza", 2), state(10.5))
    assert found(*brief)["A2"] == 0
    before = (notice(9, "restored_no_plaza", 1), notice(10, "degraded_no_plaza", 2), state(10.5))
    assert found(*before)["A2"] == 1


def test_a_state_made_as_a_mode_begins_need_not_know_of_it() -> None:
    """What came is committed before it is told: a moment later it must be known."""
    told = (notice(10, "degraded_no_plaza", 1), notice(11, "restored_no_plaza", 2))
    assert found(*told, state(10.25))["A2"] == 0
    assert found(*told, state(10.25), state(10.26))["A2"] == 1
    assert found(*told, state(10.25), state(10.26, MODE))["A2"] == 0


def test_a_mode_that_is_over_and_shown_still_is_found() -> None:
    """Two seconds after its end at the latest no state shows it any more."""
    over = (notice(10, "degraded_no_plaza", 1), state(10, MODE), notice(20, "restored_no_plaza", 2))
    assert found(*over, state(21, MODE), state(22.5, MODE))["A2"] == 1
    assert found(*over, state(21, MODE), state(22.5))["A2"] == 0
    assert found(*over, state(22.5, MODE, boot="b2"))["A2"] == 0, "in another life"


def test_a_mode_that_begins_again_is_shown_rightly() -> None:
    """Its notice says so; or one state without it does, and a death has lost the notice."""
    over = (notice(10, "degraded_no_plaza", 1), state(10, MODE), notice(20, "restored_no_plaza", 2))
    again = notice(22, "degraded_no_plaza", 3, heard_s=40)
    assert found(*over, state(22, MODE), state(24, MODE), again)["A2"] == 0
    assert found(*over, state(21), state(24, MODE))["A2"] == 0
    assert found(*over, state(24), state(25, MODE))["A2"] == 0
    later = notice(25, "degraded_no_plaza", 3)
    assert found(*over, state(21, MODE), state(24, MODE), later)["A2"] == 1


def test_the_end_of_a_mode_is_not_judged_by_a_clock_that_was_set_back() -> None:
    """Its times come twice: which of the two a state is of, nobody can say."""
    over = (notice(10, "degraded_no_plaza", 1), state(10, MODE), notice(20, "restored_no_plaza", 2))
    assert found(*over, state(22.5, MODE), set_back_s=(30,))["A2"] == 0


def test_a_lost_device_is_a_mode_of_its_lane() -> None:
    """A state that calls a display lost, and knows no mode for it."""
    unseen = {**MODE, "name": "no_display"}
    assert found(state(1, devices={"display": "lost", "camera": "ok"}))["A2"] == 1
    assert found(state(1, unseen, devices={"display": "lost"}))["A2"] == 0
    assert found(state(1, MODE, devices={"display": "lost"}))["A2"] == 1
    assert found(state(1, devices={"printer": "lost", "display": "connecting"}))["A2"] == 0


def test_a_broker_that_is_back_tells_of_itself_too_late() -> None:
    """While it was gone nothing could be heard of it."""
    assert found(notice(10, "degraded_no_broker", 1), state(10.5))["A2"] == 0


def test_a_mode_without_a_reason_is_found() -> None:
    """Name, reason and start time belong to it."""
    assert found(state(1, {**MODE, "reason": ""}))["A2"] == 1


def test_a_storm_and_a_giant_are_found() -> None:
    """A retry without a pause, and a message that grows."""
    many = tuple(state(1 + number / 1_000) for number in range(PER_SECOND_MAX + 1))
    assert found(*many)["A3"] == 1
    assert found(*many[1:])["A3"] == 0
    theirs = Tapped(at_us=1, channel="toll/330101/001/command", text="x" * 100_000)
    assert found(theirs)["A3"] == 0
    giant = Tapped(at_us=1, channel="toll/330101/001/alarm", text="x" * (MESSAGE_BYTES_MAX + 1))
    assert found(giant)["A3"] == 1


def test_a_record_that_grows_is_found() -> None:
    """Remarks and orders of one passage have a bound."""
    sealed = runs.chain(runs.body(remarks=["word"] * 17))
    verdict = audit(runs.clean_run(lane_records=sealed, plaza_records=sealed))
    assert verdict.violations["A3"] == 1
