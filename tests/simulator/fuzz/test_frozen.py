"""A world written down is the world that was drawn."""

from pathlib import Path

import pytest

from simulator.fuzz.frozen import read_regression, regression_text
from simulator.fuzz.plan import FaultPick, Picks, plan
from simulator.fuzz.run import SeedJob
from tolling.errors import BadInputError


def test_a_regression_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What, rule, seed, command and the very world; the comments tell it to people."""
    for seed in (3, 4, 5):
        picks = Picks(faults=(FaultPick(index=0, divisor=2),), cars=(1, 2))
        job = SeedJob(seed=seed, picks=picks)
        path = tmp_path / f"{seed}.toml"
        path.write_text(regression_text(job, what='it "broke"', rule="M1"), encoding="utf-8")
        subject = read_regression(path)
        assert subject.world == plan(seed, picks)
        assert (subject.what, subject.rule, subject.seed) == ('it "broke"', "M1", seed)
        assert subject.command == f"toll-sim fuzz --seeds {seed} --faults 0/2 --cars 1,2"
        assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("text", ["what = 1 2", "seed = 1", "\xff"])
def test_another_file_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    """Whoever edits one is told which and why."""
    path = tmp_path / "broken.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInputError, match=r"broken\.toml"):
        read_regression(path)
