"""The space kept for a full disk."""

from __future__ import annotations

from pathlib import Path

from lane_controller.store import Ballast


def test_ballast_takes_real_blocks_and_gives_them_back(tmp_path: Path) -> None:
    """The file is no hole: its blocks are on the disk, and go when it is freed."""
    subject = Ballast(tmp_path / "ballast", 1 << 20)

    assert subject.make()
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 1 << 20
    assert subject.held

    assert subject.free()
    assert not subject.held
    assert not subject.free()


def test_ballast_is_not_made_without_plenty_of_space(tmp_path: Path) -> None:
    """Where twice its size is not free, nothing is taken."""
    subject = Ballast(tmp_path / "ballast", 1 << 60)

    assert not subject.make()
    assert not (tmp_path / "ballast").exists()
