"""The published schema is the one the program reads by, and editors can trust it."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from simulator.scenarios.schema import schema_text

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "docs" / "scenario.schema.json"
EXAMPLES = sorted((ROOT / "scenarios").glob("*.yaml"))


class Core(yaml.SafeLoader):
    """Reads as editors do, by YAML 1.2: ``on`` is a text."""


Core.yaml_implicit_resolvers = {
    letter: [each for each in found if each[0] not in {"tag:yaml.org,2002:bool"}]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), "tf")


def load(path: Path) -> Any:
    """Return a file as an editor's reader has it."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Core)


@pytest.fixture(scope="module")
def subject() -> Any:
    """The published schema, ready to judge."""
    return jsonschema_rs.validator_for(json.loads(PUBLISHED.read_text(encoding="utf-8")))


def test_the_published_schema_is_the_programs_own() -> None:
    """Write it anew with: toll-sim scenario --schema > docs/scenario.schema.json."""
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), (
        "toll-sim scenario --schema > docs/scenario.schema.json"
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid_by_the_schema(subject: Any, path: Path) -> None:
    """What the program takes, editors take."""
    assert [str(error) for error in subject.iter_errors(load(path))] == []
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../docs/scenario.schema.json"


@pytest.mark.parametrize(
    "change",
    [
        {"scenario": 2},
        {"attended": "yes"},
        {"unknown": 1},
        {"vehicles": [{"at": 4}]},
        {"vehicles": [{"at": "4s", "behaviour": "nobody"}]},
        {"faults": [{"on": "plaza", "verb": "slow"}]},
        {"faults": [{"on": "lane 001.scanner", "verb": "cut_wire"}]},
        {"expect": {"tenders": {"shells": 3}}},
    ],
)
def test_what_the_program_refuses_the_schema_refuses(subject: Any, change: dict[str, Any]) -> None:
    """An editor underlines what would be refused."""
    good = {"scenario": 1, "vehicles": [{"at": "4s"}]}
    assert subject.is_valid(good)
    assert not subject.is_valid({**good, **change})
