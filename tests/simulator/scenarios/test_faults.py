"""Faults as a file says them: every one can be written, and reads back as itself."""

import re
import typing

import pytest
from hypothesis import given

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.faults import Fault, PlatformFault
from simulator.scenarios.faults import DEVICES, GRAMMARS, FaultShape
from simulator.scenarios.nodes import Items, Problems, read_nodes
from simulator.scenarios.writer import to_yaml
from simulator.world.faults import (
    DeviceTroubleAt,
    KillAt,
    KillAtStep,
    LineTrouble,
    PlatformTrouble,
    WorldFault,
)
from tests.simulator.scenarios.drawn import faults

SUBJECT = FaultShape()


def read_line(line: str) -> tuple[object, list[str]]:
    """Return the fault of one line of a file, and what is wrong with it."""
    problems = Problems()
    (entry,) = read_nodes(f"faults:\n  - {line}\n", where="f").entries
    assert isinstance(entry.value, Items)
    fault = SUBJECT.read(entry.value.items[0], problems)
    assert all(each.line == 2 for each in problems.found)
    return fault, [each.what for each in problems.found]


def read_back(fault: WorldFault) -> object:
    """Return what a written fault reads as."""
    text = to_yaml({"faults": [SUBJECT.write(fault)]})
    read, wrong = read_line(text.splitlines()[1].removeprefix("  - "))
    assert wrong == []
    return read


@given(faults())
def test_any_fault_of_the_world_reads_back(fault: WorldFault) -> None:
    """Whatever fault a run can have, its line says exactly that fault."""
    assert read_back(fault) == fault


@pytest.mark.parametrize("kind", PlatformFault)
def test_every_platform_fault_has_a_verb(kind: PlatformFault) -> None:
    """The platform's whole vocabulary can be said."""
    fault = PlatformTrouble(at_ms=1_500, fault=Fault(kind=kind, times=None, for_ms=2_000))
    assert read_back(fault) == fault


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_every_device_fault_has_a_verb(device: str) -> None:
    """Each device's own faults can be said, and those of others are refused with their names."""
    for kind in DeviceFault:
        line = f"{{on: lane 001.{device}, verb: {kind}}}"
        fault, wrong = read_line(line)
        if kind in DEVICES[device]:
            trouble = DeviceTrouble(kind=kind)
            assert fault == DeviceTroubleAt(at_ms=0, lane_id="001", device=device, trouble=trouble)
        else:
            assert f"`{kind}` is no verb of lane 001.{device}" in wrong[0]


def test_every_class_of_faults_has_a_name_people_use() -> None:
    """No fault of the world is left with its class's name alone."""
    named = {grammar.kind for grammar in GRAMMARS if not grammar.whole}
    assert named == set(typing.get_args(WorldFault))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            "{on: platform.alipay, verb: answer_lost, when: {nth: 1}}",
            PlatformTrouble(at_ms=0, fault=Fault(kind=PlatformFault.ANSWER_LOST)),
        ),
        (
            "{on: platform.alipay, verb: answer_lost, when: {nth: 3}, calls: [pay]}",
            PlatformTrouble(
                at_ms=0, fault=Fault(kind=PlatformFault.ANSWER_LOST, calls=("pay",), skip=2)
            ),
        ),
        (
            "{on: platform.alipay, verb: slow, when: {nth: 2, times: always}, by: 3s}",
            PlatformTrouble(
                at_ms=0, fault=Fault(kind=PlatformFault.SLOW, skip=1, times=None, ms=3_000)
            ),
        ),
        (
            "{on: lane 001.scanner, verb: half_code, when: {nth: 2}}",
            DeviceTroubleAt(
                at_ms=0,
                lane_id="001",
                device="scanner",
                trouble=DeviceTrouble(kind=DeviceFault.HALF_CODE, skip=1, times=1),
            ),
        ),
        (
            "{on: lane 001.loop_2, verb: cut_wire, when: {at: 12s, for: 8s}}",
            DeviceTroubleAt(
                at_ms=12_000,
                lane_id="001",
                device="io",
                trouble=DeviceTrouble(kind=DeviceFault.CUT_WIRE, where="loop_2", for_ms=8_000),
            ),
        ),
        ("{on: plaza, verb: kill, when: {step: 14}}", KillAtStep(process="plaza", step=14)),
        (
            "{on: lane 001, verb: kill, when: {at: 2s}, down: 1min}",
            KillAt(process="lane 001", at_ms=2_000, down_ms=60_000),
        ),
        (
            "{on: line lane 001-plaza, verb: cut, when: {at: 1s, for: 2min}}",
            LineTrouble(line="lane 001-plaza", at_ms=1_000, for_ms=120_000, cut=True),
        ),
    ],
)
def test_target_verb_and_when_make_a_fault(line: str, fault: WorldFault) -> None:
    """One grammar for every target."""
    assert read_line(line) == (fault, [])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{on: platform.barter, verb: slow}", "no target.*platform.alipay"),
        ("{on: lane 1, verb: kill}", "no target"),
        ("{on: plaza, verb: kil, when: {at: 1s}}", "no verb of plaza.*did you mean `kill`"),
        ("{verb: kill}", "`on` is missing"),
        ("{on: plaza}", "`verb` is missing"),
        ("[plaza, kill]", "a fault is a table"),
        ("{on: plaza.disk, verb: full, when: {at: 1s}}", "`for` is missing"),
        ("{on: plaza.disk, verb: full}", "`when` is missing"),
        ("{on: plaza, verb: kill, when: {at: 3}}", "`3` is no duration.*12s"),
        ("{on: plaza, verb: kill, when: {at: 1s}, dwn: 2s}", "did you mean `down`"),
        ("{on: platform.alipay, verb: slow, when: {nth: 0}}", "0 is not within 1..1000000"),
        ("{on: lane 001.loop_2, verb: cut_wire, when: {nth: 3}}", "cut_wire stands: say when"),
        ("{on: platform.alipay, verb: slow, when: {permille: 0}}", "permille: 1..1000"),
        ("{on: line lane 001-plaza, verb: lossy, when: {for: 3s}}", "needs its own key of"),
        ("{on: tariff, verb: switch, notice: 0s, percent: 0}", "a tariff has tolls"),
    ],
)
def test_a_wrong_fault_is_told_with_what_to_do(line: str, words: str) -> None:
    """Each mistake is named, with the words that would be right."""
    _, wrong = read_line(line)
    assert len(wrong) == 1
    assert re.search(words, wrong[0]), wrong[0]
