"""What is written reads back the same, in this reader and in any other."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulator.scenarios.nodes import Table, Text, read_nodes
from simulator.scenarios.writer import text_of, to_yaml

WORDS = [
    "no",
    "On",
    "001",
    "1e3",
    "12s",
    "a: b",
    "#x",
    "",
    " ",
    "苏B00001",
    "~",
    "null",
    "-",
    "2026",
]


def read_back(text: str) -> str:
    """Return what the strict reader makes of a written text."""
    top = read_nodes(to_yaml({"key": text}), where="f")
    (entry,) = top.entries
    assert isinstance(entry.value, Text)
    return entry.value.text


@pytest.mark.parametrize("text", WORDS)
def test_a_text_stays_a_text_for_every_reader(text: str) -> None:
    """A reader that guesses gets no number, truth value or nothing out of a text."""
    assert read_back(text) == text
    assert yaml.safe_load(f"key: {text_of(text)}") == {"key": text}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_any_text_survives(text: str) -> None:
    """Whatever people write into a reason comes back."""
    assert read_back(text) == text


def test_each_vehicle_and_fault_has_a_line_of_its_own() -> None:
    """A diff of two files shows which of them differs."""
    text = to_yaml({"vehicles": [{"at": "4s"}, {"at": "5s"}], "expect": {"records": 2}})
    lines = text.splitlines()
    assert lines == ["vehicles:", "  - {at: 4s}", "  - {at: 5s}", "expect:", "  records: 2"]


def test_a_heading_is_a_comment_whatever_it_holds() -> None:
    """A finding with line breaks in it adds no key to the file."""
    text = to_yaml({"a": 1}, heading=["M1: x\nseed: 3"])
    top = read_nodes(text, where="f")
    assert isinstance(top, Table)
    assert [entry.key for entry in top.entries] == ["a"]
