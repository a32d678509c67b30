"""Tests of simulator.bench.__main__."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.bench import __main__ as subject


@pytest.mark.parametrize("wrong", [["--cars", "0"], ["--lanes", "9"], ["--cars", "many"]])
def test_a_wrong_number_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The line names the option."""
    with pytest.raises(SystemExit) as ended:
        subject.main(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


@pytest.mark.wire
def test_a_place_that_cannot_be_used_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where the folder should be ends the bench with exit code 2."""
    place = tmp_path / "taken"
    place.write_text("", encoding="ascii")
    assert subject.main(["--cars", "1", "--dir", str(place)]) == subject.CANNOT_RUN
    said = capsys.readouterr().err
    assert said.startswith("simulator.bench: ")
    assert said.count("\n") == 1
