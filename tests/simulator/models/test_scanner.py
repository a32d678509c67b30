"""The scanner delivers what is held before it, when triggered, with the faults of real ones."""

from __future__ import annotations

import pytest

from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.scanner import READ_MS, ScannerModel

CODE, OTHER = b"280000000000000001", b"280000000000000002"
MS = 1_000_000


def test_a_code_is_delivered_whole_a_moment_later() -> None:
    """One delivery with its suffix, after the reading time."""
    (delivery,) = ScannerModel().present(CODE, 5 * MS)
    assert delivery.data == CODE + b"\r\n"
    assert delivery.at_ns == (5 + READ_MS) * MS
    assert delivery.whole


def test_no_code_shows_in_a_repr() -> None:
    """A delivery may be logged without giving the code away."""
    (delivery,) = ScannerModel().present(CODE, 0)
    assert CODE.decode() not in repr(delivery)


@pytest.mark.parametrize(
    ("kind", "datas"),
    [
        (DeviceFault.HALF_CODE, [CODE[:9]]),
        (DeviceFault.GLUED_CODES, [CODE + CODE + b"\r\n"]),
        (DeviceFault.REPEATED_CODE, [CODE + b"\r\n", CODE + b"\r\n"]),
        (DeviceFault.PREVIOUS_CODE, [OTHER + b"\r\n"]),
        (DeviceFault.LOST_CODE, []),
        (DeviceFault.UNPLUGGED, []),
    ],
)
def test_each_fault_spoils_a_delivery_in_its_own_way(kind: DeviceFault, datas: list[bytes]) -> None:
    """Half, glued, repeated, previous, lost, unplugged; the next code is whole again."""
    subject = ScannerModel()
    subject.present(OTHER, 0)
    subject.inject(DeviceTrouble(kind=kind, times=1), 0)
    assert [delivery.data for delivery in subject.present(CODE, 0)] == datas
    assert [delivery.data for delivery in subject.present(CODE, 0)] == [CODE + b"\r\n"]


def test_half_and_twice_can_be_asked_for() -> None:
    """A finger over the code, a shaking hand."""
    (half,) = ScannerModel().present(CODE, 0, half=True)
    assert (half.data, half.whole) == (CODE[:9], False)
    first, second = ScannerModel().present(CODE, 0, twice=True)
    assert first.data == second.data
    assert second.at_ns > first.at_ns


def test_an_untriggered_scanner_reads_when_the_trigger_comes() -> None:
    """The code waits before the window for its time and is gone afterwards."""
    subject = ScannerModel(trigger_mode=True)
    assert subject.present(CODE, 0, hold_ms=1_000) == ()
    (delivery,) = subject.set_trigger(True, 999 * MS)
    assert delivery.data == CODE + b"\r\n"
    assert not subject.triggered
    subject.present(CODE, 2_000 * MS, hold_ms=1_000)
    assert subject.set_trigger(True, 3_000 * MS) == ()


def test_a_stopped_scanner_reads_nothing() -> None:
    """Trigger on, then off: what is held up then waits."""
    subject = ScannerModel(trigger_mode=True)
    subject.set_trigger(True, 0)
    subject.set_trigger(False, 0)
    assert subject.present(CODE, 0) == ()
