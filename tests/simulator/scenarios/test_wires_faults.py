"""A world's faults become deeds on real processes, or it is said plainly that they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.faults import Fault, PlatformFault
from simulator.scenarios.scenario import load_scenario
from simulator.scenarios.wires_faults import CannotOnWiresError, Deeds, full_disks
from simulator.stack.disk import SmallDisk
from simulator.stack.nursery import Nursery
from simulator.stack.plan import Plan
from simulator.stack.site_client import SiteClient
from simulator.stack.stack import Stack
from simulator.stack.wires import Wires
from simulator.world.build import lane_ids
from simulator.world.catalogue import Face, entries
from simulator.world.faults import (
    PLAZA_BROKER,
    BarrierFault,
    BarrierTrouble,
    ClockDrift,
    ClockJump,
    CommitFate,
    CommitTrouble,
    DeviceTroubleAt,
    KillAt,
    KillAtStep,
    LanePowerLoss,
    LineTrouble,
    PlatformTrouble,
    TariffSwitch,
    WorldFault,
    kind_of,
)
from simulator.world.swarm import draw_faults
from tests.simulator.scenarios.test_examples import FOLDER, NAMED, named_rows
from tolling.paycodes import Wallet

pytestmark = [pytest.mark.wire]
LANE = "lane 001"
WIRED = ("io", "scanner", "display", "camera", "etc")
"""Devices of a lane."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack that is made and not started."""
    nursery = Nursery(hurried=True)
    subject = Stack(tmp_path_factory.mktemp("w") / "s", nursery, Plan())
    subject.site = SiteClient({"control_url": "http://127.0.0.1:9", "lanes": []})
    for name in ("plaza", LANE):
        subject._part(name, "nothing.to.run", clock=subject._clock(name))
    yield subject
    subject.wires.close()
    nursery.close()


@pytest.fixture
def subject(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deeds:
    """Give what makes deeds, the lane with a disk that can be full."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return Deeds(stack, {LANE: SmallDisk(tmp_path, lambda: None)})


def full(process: str, fate: CommitFate = CommitFate.FULL) -> CommitTrouble:
    """A disk's trouble from 1 s to 3 s."""
    return CommitTrouble(process=process, at_ms=1_000, for_ms=2_000, fate=fate)


@pytest.mark.parametrize(
    ("fault", "times_ms"),
    [
        (KillAt(process=LANE, at_ms=1_000, down_ms=500), [1_000]),
        (KillAt(process="plaza", at_ms=1_000), [1_000]),
        (LineTrouble(line=f"{LANE}-plaza", at_ms=1_000, for_ms=2_000, cut=True), [1_000, 3_000]),
        (LineTrouble(line="plaza 2-platform", at_ms=1_000, for_ms=500, ms=300), [1_000, 1_500]),
        (LineTrouble(line=PLAZA_BROKER, at_ms=1_000, for_ms=500, cut=True), [1_000, 1_500]),
        (full(LANE), [1_000, 3_000]),
        (PlatformTrouble(at_ms=7, fault=Fault(kind=PlatformFault.SLOW, ms=5)), [7]),
        (
            DeviceTroubleAt(
                at_ms=9,
                lane_id="001",
                device="io",
                trouble=DeviceTrouble(kind=DeviceFault.SILENT, for_ms=10),
            ),
            [9],
        ),
        (ClockJump(process=LANE, at_ms=1, for_ms=5, offset_ms=-9), [1, 6]),
        (TariffSwitch(at_ms=1, notice_ms=1, percent=50), [1]),
        (LanePowerLoss(lane_id="001", at_ms=1_000, for_ms=2_000), [*[1_000] * 5, 3_000]),
        (
            BarrierTrouble(lane_id="001", at_ms=1, for_ms=2, kind=BarrierFault.JAM, mdeg=40_000),
            [1, 3],
        ),
    ],
)
def test_a_fault_that_real_processes_can_have_happens_at_its_times(
    subject: Deeds, fault: WorldFault, times_ms: list[int]
) -> None:
    """It begins when the world's begins and ends when that ends."""
    assert [deed.at_ms for deed in subject.of(fault)] == times_ms


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (KillAtStep(process=LANE, step=4), "kill: the steps of a real process"),
        (KillAt(process="lane 009", at_ms=1), "kill: there is no process lane 009"),
        (
            ClockJump(process=LANE, at_ms=1, for_ms=1, offset_ms=5, noticed=True),
            "clock_jump: a real process",
        ),
        (ClockDrift(process=LANE, at_ms=1, for_ms=1, ppm=5), "clock_drift: all processes"),
        (full(LANE, CommitFate.SLOW), f"commit_slow of {LANE}: a real disk"),
        (full("plaza"), "commit_full: there is no disk of plaza"),
        (
            LineTrouble(line=f"{LANE}-plaza", at_ms=1, for_ms=1, lost_permille=300),
            f"line_lossy on {LANE}-plaza: TCP loses",
        ),
        (LineTrouble(line="lane 009-plaza", at_ms=1, for_ms=1, cut=True), "line_cut: there is no"),
        (
            PlatformTrouble(at_ms=1, platform="wechat", fault=Fault(kind=PlatformFault.SLOW, ms=5)),
            "platform_slow: nobody here pays by wechat",
        ),
    ],
)
def test_a_fault_they_cannot_have_is_told_with_its_reason(
    subject: Deeds, fault: WorldFault, said: str
) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(CannotOnWiresError, match=said):
        subject.of(fault)


def test_only_processes_whose_disk_gets_full_get_a_disk_of_their_own() -> None:
    """Each once, whatever else happens to them."""
    faults = (full(LANE), full(LANE), full("plaza", CommitFate.SLOW), full("plaza"))
    assert full_disks(faults) == (LANE, "plaza")


def test_the_pages_table_says_which_named_faults_cannot_be_had_on_wires(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file it names in the last column has a fault that real processes cannot have, and no other
    file has one; every named fault of money has a file that can."""
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = Plan(lanes=("001", "002", "003"), wallets=tuple(Wallet))
    monkeypatch.setattr(stack, "plan", plan)
    monkeypatch.setattr(stack, "wires", Wires(stack.at_us, plan.lines))
    for name in ("lane 002", "lane 003", "plaza 2"):
        stack._part(name, "nothing.to.run", clock=stack._clock(name))
    disks = {name: SmallDisk(tmp_path, lambda: None) for name in stack.parts}
    subject = Deeds(stack, disks)

    def impossible(name: str) -> bool:
        try:
            for fault in load_scenario(FOLDER / f"{name}.yaml").config.faults:
                subject.of(fault)
        except CannotOnWiresError:
            return True
        return False

    for fault, (files, virtual_only) in named_rows().items():
        assert {name for name in files if impossible(name)} == virtual_only, fault
        assert files - virtual_only or fault not in NAMED, fault
    stack.wires.close()


def _examples() -> Iterator[WorldFault]:
    """Yield faults of every kind there is: what seeds draw, and of each vocabulary each word."""
    for seed in range(150):
        yield from draw_faults(seed, lanes=lane_ids(1), until_ms=60_000, platforms=["alipay"])
    for entry in entries():
        word = entry.kind.removeprefix(f"{entry.target}_")
        if entry.target == "platform":
            yield PlatformTrouble(at_ms=1, fault=Fault(kind=PlatformFault(word)))
        elif entry.target in WIRED:
            trouble = DeviceTrouble(kind=DeviceFault(word))
            yield DeviceTroubleAt(at_ms=1, lane_id="001", device=entry.target, trouble=trouble)


def _can(subject: Deeds, fault: WorldFault) -> bool:
    try:
        subject.of(fault)
    except CannotOnWiresError:
        return False
    return True


@pytest.mark.slow
def test_the_catalogue_says_of_every_kind_whether_wires_have_it(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done, is done in part, and is refused on wires is what docs/faults.md says."""
    monkeypatch.setenv("PATH", str(tmp_path))
    disk = SmallDisk(tmp_path, lambda: None)
    subject = Deeds(stack, {LANE: disk, "plaza": disk})
    seen: dict[str, set[bool]] = {}
    for fault in _examples():
        seen.setdefault(kind_of(fault), set()).add(_can(subject, fault))
    assert set(seen) == {entry.kind for entry in entries()}
    for entry in entries():
        assert (entry.face is Face.WORLD) == (seen[entry.kind] == {False}), entry.kind
        if False in seen[entry.kind]:
            assert entry.note, f"{entry.kind}: wires have it in part, and nobody says which"
