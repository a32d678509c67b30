"""Errors, their codes and the tree that shows them say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tolling import errors
from tolling.errors import TollError

_LINE = re.compile(r"((?:[│ ] {3})*)(?:[├└]── )?(\w+Error) (\d{4})  +\S")


def classes() -> dict[str, type[TollError]]:
    """Return every error class by name."""
    return {
        name: each
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, TollError)
    }


def test_file_and_classes_match_one_to_one() -> None:
    """errors.toml holds every class with its code and docstring, and nothing else."""
    path = Path(errors.__file__).with_name("errors.toml")
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    found = {name: {"code": each.code, "meaning": each.__doc__} for name, each in classes().items()}
    assert told == found


def test_every_class_has_its_own_code() -> None:
    """No code is used twice, and none is inherited."""
    codes = [vars(each)["code"] for each in classes().values()]
    assert len(set(codes)) == len(codes)


def test_the_tree_is_that_of_the_classes() -> None:
    """The tree at the top of the file has every class under its base, with its code."""
    drawn: dict[str, tuple[str, int]] = {}
    above: list[str] = ["Exception"]
    for line in (errors.__doc__ or "").splitlines()[2:]:
        found = _LINE.match(line)
        assert found is not None, line
        depth = 0 if "──" not in line else len(found.group(1)) // 4 + 1
        del above[depth + 1 :]
        drawn[found.group(2)] = (above[-1], int(found.group(3)))
        above.append(found.group(2))
    assert drawn == {
        name: (each.__base__.__name__ if each.__base__ else "", each.code)
        for name, each in classes().items()
    }


@pytest.mark.parametrize("kind", classes().values())
def test_an_error_reads_as_where_what_and_what_to_do(kind: type[TollError]) -> None:
    """The text has the place, the fault and, where there is one, the remedy."""
    subject = kind(where="lane.toml, key url", what="no such scheme", do="Use tcp://")
    assert str(subject) == "lane.toml, key url: no such scheme. Use tcp://"
    assert (subject.where, subject.what, subject.do) == subject.args
    assert str(kind(where="a", what="b")) == "a: b"
