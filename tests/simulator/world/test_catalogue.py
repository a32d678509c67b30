"""The catalogue of faults says everything the code can do, and the page is the catalogue."""

from pathlib import Path
from random import Random

from simulator.models.camera import PlateCameraModel
from simulator.models.device_faults import DeviceFault
from simulator.models.display import FeeDisplayModel
from simulator.models.etc_reader import EtcReaderModel
from simulator.models.faults import PlatformFault
from simulator.models.io_modules import IoModules
from simulator.models.scanner import ScannerModel
from simulator.plant import LaneGeometry, Plant
from simulator.world import catalogue as subject
from simulator.world.build import lane_ids
from simulator.world.faults import BarrierFault, CommitFate, kind_of
from simulator.world.swarm import LEFT_OUT, draw_faults
from tolling.ids import LaneId

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
LANE = LaneId("001")


def kinds(target: str) -> set[str]:
    """Return the catalogue's kinds of one target, without its name before them."""
    return {
        entry.kind.removeprefix(f"{target}_")
        for entry in subject.entries()
        if entry.kind.startswith(f"{target}_")
    }


def test_the_page_is_written_from_the_catalogue() -> None:
    """Write it again: toll-sim faults > docs/faults.md."""
    assert PAGE.read_text(encoding="utf-8") == subject.page()


def test_every_fault_of_every_device_is_in_it() -> None:
    """What a model takes and what the catalogue says of it are the same."""
    plant = Plant({LANE: LaneGeometry()})
    boards = {
        "io": IoModules(plant, LANE)._board,
        "scanner": ScannerModel()._board,
        "display": FeeDisplayModel(plant, LANE)._board,
        "camera": PlateCameraModel(Random(1))._board,
        "etc": EtcReaderModel()._board,
    }
    for device, board in boards.items():
        assert kinds(device) == {kind.value for kind in board.kinds}, device
    assert set().union(*(board.kinds for board in boards.values())) == set(DeviceFault)


def test_every_fault_of_platform_disk_and_barrier_is_in_it() -> None:
    """Each member of each vocabulary has its line."""
    assert kinds("platform") == {kind.value for kind in PlatformFault}
    assert kinds("commit") == {fate.value for fate in CommitFate}
    assert kinds("barrier") == {kind.value for kind in BarrierFault}


def test_the_swarm_draws_everything_in_it_but_what_is_left_out_for_a_reason() -> None:
    """A kind that reports count can be looked up, and no kind is forgotten by the seeds."""
    known = {entry.kind for entry in subject.entries()}
    drawn = {
        kind_of(fault)
        for seed in range(300)
        for fault in draw_faults(seed, lanes=lane_ids(2), until_ms=150_000, plazas=2)
    }
    assert drawn == known - set(LEFT_OUT)
    assert set(LEFT_OUT) <= known


def test_no_kind_stands_in_it_twice() -> None:
    """One line a kind."""
    names = [entry.kind for entry in subject.entries()]
    assert len(names) == len(set(names))
