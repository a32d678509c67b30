"""Golden frames of tests/golden/hw."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "golden" / "hw"


def golden(name: str) -> dict[str, bytes]:
    """Return the frames of one file by their names."""
    lines = (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
    pairs = [line.split(":") for line in lines if line and not line.startswith("#")]
    return {key: bytes.fromhex(value) for key, value in pairs}
